//! The furthest step of a funnel that one person reached inside a window.
//!
//! A *chain* is a row of step 1, a later one of step 2, and so on, all of them inside the window
//! that the row of step 1 opens. The answer is the length of the longest chain. The rules and
//! their names are those of ClickHouse's `windowFunnel`; where its `strict_increase` loses chains
//! by keeping one candidate per step, this one keeps every candidate that can matter, and where its
//! `strict_once` lists all candidates, this one finds the best of them without a list.
//!
//! Rows of one instant count in the order of their steps, whatever order they arrive in: that
//! makes the answer independent of partitions, batches and merges.

mod adjacent;
mod chain;
mod level;
mod modes;
mod no_repeat;
mod once;
mod plain;
mod state;
mod window;

pub use chain::chain_of_sorted;
pub use modes::{Follow, FunnelModes, ModeError};
pub use state::FunnelState;
pub use window::{FunnelWindow, SessionWindow};

use super::event::words_for;

/// Returns the deepest step that one person's rows reach.
///
/// `times` ascend, in the unit of `window`; `sets` holds for each time the set of conditions that
/// the row meets (layout in [`event`](super::event)). Of `state` only the allocation is used; it tells
/// nothing afterwards. Result in `0..=steps`.
///
/// Time for n rows: O(steps + conditions met). Where m rows of one instant meet s different conditions it
/// is O(m log m) for them under `strict_rows`, `strict_steps` and `strict_no_repeat`, which need
/// an order among them, and O(s * min(m, s) * m / 64) under `strict_once`, which matches steps
/// with rows.
pub fn depth_of_sorted<W: FunnelWindow>(
    state: &mut FunnelState,
    modes: FunnelModes,
    window: &W,
    times: &[i64],
    sets: &[u64],
) -> usize {
    if plain::is_enough(modes, state.words()) {
        let steps = state.steps();
        return plain::depth(&mut state.ends, window, times, sets, steps);
    }
    push_all(state, modes, window, times, sets);
    state.depth()
}

/// Returns how often one person completed the funnel: the largest number of chains that reach the
/// last step and do not overlap.
///
/// The search starts anew behind each chain that reaches the last step, with the rows of later
/// instants, or under the modes in which rows follow one another with the next row. A funnel of one
/// step is completed by every row that meets it. A strict mode that ends the search ends the
/// counting. Arguments and time as in [`depth_of_sorted`], with a
/// [counting](FunnelState::counting) state.
pub fn count_of_sorted<W: FunnelWindow>(
    state: &mut FunnelState,
    modes: FunnelModes,
    window: &W,
    times: &[i64],
    sets: &[u64],
    steps: usize,
) -> usize {
    if steps == 1 {
        return sets.iter().filter(|set| **set != 0).count();
    }
    push_all(state, modes, window, times, sets);
    state.completions()
}

fn push_all<W: FunnelWindow>(
    state: &mut FunnelState,
    modes: FunnelModes,
    window: &W,
    times: &[i64],
    sets: &[u64],
) {
    debug_assert!(times.is_sorted());
    state.clear();
    let words = sets.len().checked_div(times.len()).unwrap_or_else(|| words_for(0));
    for (first, next) in chain::instants(times, 0) {
        if state.is_final() {
            return;
        }
        state.push_rows(modes, window, times[first], &sets[first * words..next * words]);
    }
}

#[cfg(test)]
mod tests;
