//! How far a chain may reach: a length of time from its first step, or to the end of its session.

use crate::journey::session::{Limit, SessionRow, SessionRules, Sessions};
use crate::journey::time::Window;

/// A rule for how far the chain that begins at one instant may reach.
///
/// Instants have a position on a scale of the window's own, on which ends are compared: a chain
/// may go on at every instant whose position is not beyond its end.
pub trait FunnelWindow {
    /// Whether it is as long wherever it starts: then its end costs less than the choice not to ask for it.
    const IS_FIXED: bool = false;

    /// Returns the position of the instant `time`. Instants come in ascending order, each of them
    /// once or more often; `sessions` is kept for the window between the calls.
    fn position(&self, sessions: &mut Sessions, time: i64) -> i64;

    /// Returns the last position that a chain reaches which begins at `time`, at `position`: never one before it.
    fn chain_end(&self, time: i64, position: i64) -> i64;
}

impl<W: Window> FunnelWindow for W {
    const IS_FIXED: bool = W::IS_FIXED;

    fn position(&self, _: &mut Sessions, time: i64) -> i64 {
        time
    }

    fn chain_end(&self, time: i64, _: i64) -> i64 {
        self.end(time)
    }
}

/// A chain stays inside one session: no two rows that follow one another, whether they meet a
/// condition or not, are further apart than the gap.
#[derive(Debug, Clone)]
pub struct SessionWindow<W> {
    rules: SessionRules<W>,
}

impl<W: Window> SessionWindow<W> {
    /// Returns the window of sessions that outlive their latest row by `gap`.
    pub fn new(gap: W) -> Self {
        Self { rules: SessionRules { gap: Some(Limit::through(gap)), ..SessionRules::default() } }
    }
}

impl<W: Window> FunnelWindow for SessionWindow<W> {
    fn position(&self, sessions: &mut Sessions, time: i64) -> i64 {
        let place = sessions.push(&self.rules, &SessionRow { time, ..SessionRow::default() });
        debug_assert!(matches!(place, Ok(Some(_))), "rows come in time order");
        place.ok().flatten().map_or(i64::MAX, |place| place.number)
    }

    fn chain_end(&self, _: i64, position: i64) -> i64 {
        position
    }
}
