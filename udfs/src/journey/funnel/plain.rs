//! The deepest step in the default mode: one end of a chain for each step.

use super::{FunnelModes, FunnelWindow};
use crate::journey::session::Sessions;

/// Whether [`depth`] finds the depth under `modes`, with sets of so many words.
pub(super) fn is_enough(modes: FunnelModes, words: usize) -> bool {
    modes == FunnelModes::default() && words == 1
}

/// Returns the deepest step of `steps` that one person's rows reach in the default mode.
///
/// `times` ascend, and `sets` has one word for each of them. `ends` is working memory: the end of a chain that begins now,
/// and for each step the furthest end of the chains that reached it, as far as any did; all steps up to the depth were
/// reached. O(steps + conditions met).
pub(super) fn depth<W: FunnelWindow>(
    ends: &mut Vec<i64>,
    window: &W,
    times: &[i64],
    sets: &[u64],
    steps: usize,
) -> usize {
    ends.clear();
    ends.resize(steps + 1, i64::MIN);
    let mut sessions = Sessions::default();
    let mut depth = 0;
    let mut row = 0;
    while row < times.len() && depth < steps {
        let time = times[row];
        let mut met = 0;
        // Rows of one instant count in the order of their steps.
        while row < times.len() && times[row] == time {
            met |= sets[row];
            row += 1;
        }
        let position = window.position(&mut sessions, time);
        if W::IS_FIXED || met & 1 == 1 {
            ends[0] = window.chain_end(time, position);
        }
        while met != 0 {
            let step = met.trailing_zeros() as usize;
            met &= met - 1;
            let end = ends[step];
            // Which rows go on with a chain cannot be foreseen: values are chosen here, not ways.
            let goes_on = (step <= depth) & (position <= end);
            let next = &mut ends[step + 1];
            *next = if goes_on { end.max(*next) } else { *next };
            depth = if goes_on { depth.max(step + 1) } else { depth };
        }
    }
    depth
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{FunnelState, SessionWindow, push_all};
    use super::*;
    use crate::journey::time::FixedWindow;

    fn both<W: FunnelWindow>(window: &W, times: &[i64], sets: &[u64], steps: usize) -> (usize, usize) {
        let mut state = FunnelState::new(steps);
        push_all(&mut state, FunnelModes::default(), window, times, sets);
        // What the person before left behind makes no difference.
        let mut ends = vec![i64::MAX; 64];
        (depth(&mut ends, window, times, sets, steps), state.depth())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn finds_what_the_search_by_modes_finds(
            rows in prop::collection::vec((0_i64..12, 0_u64..32), 0..14),
            steps in 0_usize..6,
            length in 0_i64..6,
            first in prop_oneof![Just(0), Just(i64::MIN), Just(i64::MAX - 11)],
        ) {
            let mut rows: Vec<(i64, u64)> = rows.into_iter().map(|(time, set)| (first + time, set & ((1 << steps) - 1))).collect();
            rows.sort_by_key(|row| row.0);
            let (times, sets): (Vec<i64>, Vec<u64>) = rows.into_iter().unzip();
            let fixed = FixedWindow::new(length).unwrap();
            let (found, wanted) = both(&fixed, &times, &sets, steps);
            prop_assert_eq!(found, wanted);
            let (found, wanted) = both(&SessionWindow::new(fixed), &times, &sets, steps);
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn as_many_steps_as_a_word_has(sets in prop::collection::vec(0_u32..64, 0..400)) {
            let sets: Vec<u64> = sets.into_iter().map(|step| 1 << step | 1 << (step / 2)).collect();
            let times: Vec<i64> = (0..).take(sets.len()).collect();
            let (found, wanted) = both(&FixedWindow::new(300).unwrap(), &times, &sets, 64);
            prop_assert_eq!(found, wanted);
        }
    }
}
