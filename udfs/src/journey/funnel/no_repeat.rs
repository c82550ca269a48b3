//! `strict_no_repeat`: a chain ends when a step that it holds already occurs again.

use super::FunnelWindow;
use super::level::Chain;
use super::state::{Instant, Progress};
use crate::journey::event::{contains_step, steps_of};

/// The chains that have not ended, by ascending number of steps, no two of the same number.
///
/// Every chain holds step 1, so a row that meets it ends or extends each of them: two chains never
/// come to the same number of steps.
#[derive(Debug, Clone, Default)]
pub(super) struct Unrepeated {
    open: Vec<Open>,
    kept: Vec<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    steps: usize,
    time: i64,
    chain: Chain,
}

impl Unrepeated {
    /// Takes the next row. Returns whether a chain reached the last step with it.
    ///
    /// O(conditions met) on average: each chain that is looked at goes on or ends, and a row
    /// begins one chain at most.
    pub(super) fn push<W: FunnelWindow>(
        &mut self,
        instant: &Instant<W>,
        row: usize,
        set: &[u64],
        progress: &mut Progress,
    ) -> bool {
        let Some(lowest) = steps_of(set).next() else {
            return false;
        };
        if progress.ended {
            return false;
        }
        let modes = instant.modes;
        self.kept.clear();
        while let Some(open) = self.open.pop_if(|open| open.steps + 1 >= lowest) {
            let next = open.steps + 1;
            let is_later = !modes.strict_increase || open.time < instant.time;
            if !instant.is_open(&open.chain) {
                continue;
            }
            if contains_step(set, next) && is_later {
                if progress.reach(next, open.chain) {
                    return true;
                }
                self.kept.push(Open { steps: next, time: instant.time, chain: open.chain });
            } else if open.steps < lowest {
                self.kept.push(open);
            }
        }
        if lowest == 1 {
            let chain = instant.entry(row);
            if progress.reach(1, chain) {
                return true;
            }
            self.open.push(Open { steps: 1, time: instant.time, chain });
        }
        self.open.extend(self.kept.drain(..).rev());
        false
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.kept.clear();
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        (self.open.capacity() + self.kept.capacity()) * size_of::<Open>()
    }
}
