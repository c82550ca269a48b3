//! The chain of rows that stands for the depth: which row filled which step.

use super::once::Matching;
use super::state::FunnelState;
use super::{Follow, FunnelModes, FunnelWindow, push_all};
use crate::journey::event::{contains_step, order_of_sets, words_for};

/// Returns the rows of the chain that was the first to reach the deepest step: as many as the
/// depth, each the number of a row, in the order of the steps.
///
/// Of the chains that the modes and the window allow and that are as long as the depth, it is the
/// one whose last step comes first; of several the one that begins last (so that no shorter way
/// leads there), and of several of those the one that reaches each step as early as it can. Where
/// several rows of one instant can fill a step, the first of them does.
///
/// `times` and `sets` as in [`depth_of_sorted`](super::depth_of_sorted); the rows of one instant in the order of preference.
/// Time as for the depth, and O(n * conditions met) more.
pub fn chain_of_sorted<W: FunnelWindow>(
    state: &mut FunnelState,
    modes: FunnelModes,
    window: &W,
    times: &[i64],
    sets: &[u64],
) -> Vec<usize> {
    if modes.follow == Follow::AnyRows {
        // The search that tells the first row too.
        push_all(state, modes, window, times, sets);
        let depth = state.depth();
        return if depth == 0 { vec![] } else { trace(modes, times, sets, state.start_row(), depth) };
    }
    // Rows that must follow one another need the order that the search gives them.
    let words = sets.len().checked_div(times.len()).unwrap_or_else(|| words_for(0));
    let order = instants_by_set(times, sets, words);
    let ordered_sets: Vec<u64> =
        order.iter().flat_map(|row| &sets[row * words..(row + 1) * words]).copied().collect();
    push_all(state, modes, window, times, &ordered_sets);
    let depth = state.depth();
    if depth == 0 {
        return vec![];
    }
    let places = trace_rows(modes, times, &ordered_sets, words, state.start_row(), depth);
    places.into_iter().map(|place| order[place]).collect()
}

/// The rows in time order, those of one instant in the order of their sets.
fn instants_by_set(times: &[i64], sets: &[u64], words: usize) -> Vec<usize> {
    let mut order = Vec::with_capacity(times.len());
    for (first, next) in instants(times, 0) {
        let within = order_of_sets(&sets[first * words..next * words], words);
        order.extend(within.into_iter().map(|row| first + row));
    }
    order
}

/// The instants from row `start` on: for each its first row and the one behind its last.
pub(super) fn instants(times: &[i64], start: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut first = start;
    std::iter::from_fn(move || {
        let time = times.get(first)?;
        let rows = times[first..].iter().take_while(|other| *other == time).count();
        let instant = (first, first + rows);
        first += rows;
        Some(instant)
    })
}

/// The chain that begins at the instant of row `start` and reaches each step as early as it can.
fn trace(modes: FunnelModes, times: &[i64], sets: &[u64], start: usize, depth: usize) -> Vec<usize> {
    let words = sets.len() / times.len();
    let mut rows = Vec::with_capacity(depth);
    for (first, next) in instants(times, start) {
        if rows.len() == depth {
            break;
        }
        let instant = &sets[first * words..next * words];
        if modes.uses_rows_once() {
            let filled = Matching::new(instant, words).longest_from(rows.len() + 1, depth);
            rows.extend(filled.into_iter().map(|row| first + row));
            continue;
        }
        while rows.len() < depth {
            let step = rows.len() + 1;
            let row = instant.chunks_exact(words).position(|set| contains_step(set, step));
            let Some(row) = row else {
                break;
            };
            rows.push(first + row);
            if modes.strict_increase {
                break;
            }
        }
    }
    rows
}

/// The chain that begins with row `start` where rows follow one another in the order given.
fn trace_rows(
    modes: FunnelModes,
    times: &[i64],
    sets: &[u64],
    words: usize,
    start: usize,
    depth: usize,
) -> Vec<usize> {
    let mut rows: Vec<usize> = Vec::with_capacity(depth);
    for row in start..times.len() {
        if rows.len() == depth {
            break;
        }
        let is_later = !modes.strict_increase || rows.last().is_none_or(|last| times[*last] < times[row]);
        if is_later && contains_step(&sets[row * words..(row + 1) * words], rows.len() + 1) {
            rows.push(row);
        }
    }
    rows
}
