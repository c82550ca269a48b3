//! Slow and obvious versions of the algorithms.

use wayfare_udfs::journey::funnel::FunnelModes;

/// One row: its time and the steps that it meets, counted from 1.
pub(crate) type Row = (i64, Vec<usize>);

/// The deepest step, by trying every chain.
///
/// Strict modes that end the search are applied to the sorted events first: events are admitted one
/// by one, and each is judged by the depth that brute force finds among those admitted before it.
pub(crate) fn funnel_depth(steps: usize, modes: FunnelModes, window: i64, rows: &[Row]) -> usize {
    let mut events: Vec<(i64, usize)> = Vec::new();
    for (time, met) in rows {
        if met.is_empty() {
            events.push((*time, 0));
        }
        events.extend(met.iter().map(|step| (*time, *step)));
    }
    events.sort_unstable();

    let mut admitted: Vec<(i64, usize)> = Vec::new();
    for (time, step) in events {
        let reached = longest_chain(steps, modes, window, &admitted);
        let begun = reached > 0;
        if step == 0 {
            if modes.strict_order && begun {
                break;
            }
            continue;
        }
        if step == 1 && modes.strict_order && reached > 1 {
            if modes.allow_reentry {
                continue;
            }
            break;
        }
        if step > 1 && modes.strict_deduplication && reached >= step {
            break;
        }
        if step > 1 && modes.strict_order && begun && reached < step - 1 {
            break;
        }
        admitted.push((time, step));
    }
    longest_chain(steps, modes, window, &admitted)
}

fn longest_chain(steps: usize, modes: FunnelModes, window: i64, events: &[(i64, usize)]) -> usize {
    (0..events.len())
        .filter(|first| events[*first].1 == 1)
        .map(|first| {
            let end = events[first].0.saturating_add(window);
            extend(steps, modes, end, events, first)
        })
        .max()
        .unwrap_or(0)
}

/// Length of the longest chain whose latest event is `last`.
fn extend(steps: usize, modes: FunnelModes, end: i64, events: &[(i64, usize)], last: usize) -> usize {
    let (last_time, step) = events[last];
    if step == steps {
        return step;
    }
    (last + 1..events.len())
        .filter(|next| {
            let (time, next_step) = events[*next];
            let late_enough = !modes.strict_increase || time > last_time;
            next_step == step + 1 && time <= end && late_enough
        })
        .map(|next| extend(steps, modes, end, events, next))
        .max()
        .unwrap_or(step)
}
