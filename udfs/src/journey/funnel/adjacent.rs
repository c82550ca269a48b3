//! `strict_rows` and `strict_steps`: the steps of a chain are rows that follow one another directly.

use super::level::Chain;
use super::state::{Instant, Progress};
use super::{Follow, FunnelWindow};
use crate::journey::event::steps_of_descending;

/// The chains that end at the latest row, one for each number of steps.
///
/// A chain of k steps that ends at a row begins k - 1 rows before it, so there is one at most.
#[derive(Debug, Clone, Default)]
pub(super) struct Adjacent {
    links: Vec<Link>,
    /// Number of the latest row among those that count, from 1.
    ordinal: usize,
}

/// The latest chain of so many steps; it can go on only at the row after `ordinal`.
#[derive(Debug, Clone, Copy)]
struct Link {
    /// 0 for no chain.
    ordinal: usize,
    time: i64,
    chain: Chain,
}

const NO_LINK: Link = Link { ordinal: 0, time: 0, chain: Chain { end: 0, start: 0 } };

impl Adjacent {
    /// Takes the next row. Returns whether a chain reached the last step with it.
    ///
    /// O(conditions met).
    pub(super) fn push<W: FunnelWindow>(
        &mut self,
        instant: &Instant<W>,
        row: usize,
        set: &[u64],
        progress: &mut Progress,
    ) -> bool {
        let modes = instant.modes;
        let is_unmatched = set.iter().all(|word| *word == 0);
        if progress.ended || (is_unmatched && modes.follow == Follow::AdjacentSteps) {
            return false;
        }
        self.ordinal += 1;
        // Descending, so that the link of the step before is still that of the row before.
        for step in steps_of_descending(set) {
            let chain = match step.checked_sub(2) {
                None => Some(instant.entry(row)),
                Some(before) => self.links.get(before).and_then(|link| {
                    let is_adjacent = link.ordinal > 0 && link.ordinal + 1 == self.ordinal;
                    let is_later = !modes.strict_increase || link.time < instant.time;
                    (is_adjacent && is_later && instant.is_open(&link.chain)).then_some(link.chain)
                }),
            };
            let Some(chain) = chain else {
                continue;
            };
            if progress.reach(step, chain) {
                return true;
            }
            if self.links.len() < step {
                self.links.resize(step, NO_LINK);
            }
            self.links[step - 1] = Link { ordinal: self.ordinal, time: instant.time, chain };
        }
        false
    }

    pub(super) fn clear(&mut self) {
        self.links.clear();
        self.ordinal = 0;
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        self.links.capacity() * size_of::<Link>()
    }
}
