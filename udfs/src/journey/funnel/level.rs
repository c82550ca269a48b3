//! The chains that a later row may extend, reduced to those that can matter.

use super::FunnelModes;

/// What matters of a chain: how far it may reach, and where it begins.
///
/// The order is that of preference: a chain that may reach further extends whenever one that
/// reaches less far does; of two that reach equally far the one that begins later is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Chain {
    /// Last position at which it may go on, see [`FunnelWindow`](super::FunnelWindow).
    pub(super) end: i64,
    /// Number of its first row, counted from 0 among all rows of the person.
    pub(super) start: usize,
}

/// Chains that have reached one step.
///
/// Rows come in time order, so a chain whose latest row lies before the current instant can always
/// be extended; of those only the best is kept (`settled`). A chain that got its latest row at the
/// current instant cannot be extended at that instant under `strict_increase`, and must not hide
/// one that can (`fresh`).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Level {
    settled: Option<Chain>,
    fresh: Option<Fresh>,
}

#[derive(Debug, Clone, Copy)]
struct Fresh {
    time: i64,
    chain: Chain,
}

impl Level {
    pub(super) fn is_reached(&self) -> bool {
        self.settled.is_some() || self.fresh.is_some()
    }

    /// The best of the chains that a row at `time` may extend.
    pub(super) fn best(&self, modes: FunnelModes, time: i64) -> Option<Chain> {
        match self.fresh {
            // Only strict_increase fills `fresh`.
            Some(fresh) if modes.strict_increase && fresh.time < time => self.settled.max(Some(fresh.chain)),
            _ => self.settled,
        }
    }

    /// Notes that `chain` reached this step at `time`.
    pub(super) fn record(&mut self, modes: FunnelModes, time: i64, chain: Chain) {
        if !modes.strict_increase {
            self.settled = self.settled.max(Some(chain));
            return;
        }
        match &mut self.fresh {
            Some(fresh) if fresh.time == time => fresh.chain = fresh.chain.max(chain),
            fresh => {
                if let Some(old) = fresh.replace(Fresh { time, chain }) {
                    self.settled = self.settled.max(Some(old.chain));
                }
            }
        }
    }
}
