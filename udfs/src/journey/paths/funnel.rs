//! The part of a person's rows that lies between two steps of a funnel, or behind a step that was the last.

use std::ops::Range;

use crate::journey::funnel::{FunnelModes, FunnelState, chain_of_sorted};
use crate::journey::time::Window;

/// Which part; steps are counted from 1, and `from < to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FunnelPart {
    /// Number of steps of the funnel.
    pub steps: usize,
    /// The step at which the part begins.
    pub from: usize,
    /// The step at which it ends.
    pub to: usize,
    /// The part is that of people who came to `from` and not to `to`: from that step to the end of the window.
    pub instead: bool,
}

impl FunnelPart {
    /// Returns the rows of the part; `None` for a person who has none.
    ///
    /// `times` ascend, `sets` have the steps that each row meets (see [`crate::journey::event`]); the chain is that of
    /// [`chain_of_sorted`] with the default modes.
    pub fn rows<W: Window>(
        &self,
        state: &mut FunnelState,
        window: &W,
        times: &[i64],
        sets: &[u64],
    ) -> Option<Range<usize>> {
        let chain = chain_of_sorted(state, FunnelModes::default(), window, times, sets);
        let first = *chain.get(self.from - 1)?;
        match (self.instead, chain.get(self.to - 1)) {
            (false, Some(last)) => Some(first..last + 1),
            (true, None) => {
                let end = window.end(times[*chain.first()?]);
                let behind = times[first..].partition_point(|time| *time <= end);
                Some(first..first + behind)
            }
            _ => None,
        }
    }
}
