//! Sessions that only a pause cuts: no row needs more than the time of the one before it.

use super::rules::{Limit, SessionRules};
use crate::journey::time::Window;

impl<W: Window> SessionRules<W> {
    /// The gap, if it is the only rule.
    pub fn only_gap(&self) -> Option<&Limit<W>> {
        let Self { gap, max_length, max_events, click_lag, separated } = self;
        let others = max_length.is_some() || max_events.is_some() || click_lag.is_some() || *separated;
        gap.as_ref().filter(|_| !others)
    }
}

/// Where the sessions of one person begin: the first of `times`, which ascend, and each one beyond `gap` from the one
/// before.
pub fn starts_after_pauses<'a, W: Window>(
    times: &'a [i64],
    gap: &'a Limit<W>,
) -> impl Iterator<Item = usize> + 'a {
    let first = (!times.is_empty()).then_some(0);
    let pauses = times.windows(2).enumerate().filter(|(_, pair)| !gap.reaches(pair[0], pair[1]));
    first.into_iter().chain(pauses.map(|(row, _)| row + 1))
}
