//! Rows of one instant: they count in the order of the steps, each row once in a chain.

use super::chains::{Chains, Link};
use super::matching::Matching;
use super::run::{Pass, Scan};
use crate::journey::time::Window;

/// Rows of one instant that may be needed, and which of them meet each step.
struct Instant {
    rows: Vec<usize>,
    /// For each step (from 1, so one entry more) positions in `rows`.
    rows_of: Vec<Vec<usize>>,
}

impl Instant {
    /// Of rows that meet the same steps no more are needed than they meet steps.
    fn new<W: Window>(scan: &Scan<'_, W>, rows: &[usize]) -> Self {
        let mut needed = Vec::new();
        let mut rows_of = vec![Vec::new(); scan.rules.steps() + 1];
        let mut rows: Vec<(Vec<usize>, usize)> =
            rows.iter().map(|row| (scan.steps_met(*row).collect(), *row)).collect();
        rows.sort();
        for alike in rows.chunk_by(|left, right| left.0 == right.0) {
            for (steps, row) in alike.iter().take(alike[0].0.len()) {
                for step in steps {
                    rows_of[*step].push(needed.len());
                }
                needed.push(*row);
            }
        }
        Self { rows: needed, rows_of }
    }
}

impl Chains {
    /// [`Self::advance`] for several rows of one instant that meet steps.
    pub(super) fn advance_together<W: Window>(
        &mut self,
        scan: &Scan<'_, W>,
        pass: Pass,
        time: i64,
        rows: &[usize],
    ) {
        let instant = Instant::new(scan, rows);
        let enters = rows.iter().any(|row| scan.may_enter(*row));
        if enters && self.may_restart(scan, time) {
            let base = self.enter(scan, time);
            self.extend(scan, pass, time, &instant, 0, base);
        }
        // Deeper chains first: of equally good ones the one that needs fewer rows of this instant stays.
        for step in self.live_steps().into_iter().rev() {
            if let Some(base) = self.usable(step, time) {
                self.extend(scan, pass, time, &instant, step, base);
            }
        }
    }

    /// All steps that the chain `base`, which has reached `reached`, comes to at this instant.
    fn extend<W: Window>(
        &mut self,
        scan: &Scan<'_, W>,
        pass: Pass,
        time: i64,
        instant: &Instant,
        reached: usize,
        base: Link,
    ) {
        let rows_of = |step: usize| instant.rows_of[step].as_slice();
        let mut required = Matching::new(instant.rows.len());
        for step in reached + 1..=scan.rules.steps() {
            let optional = scan.rules.optional[step - 1];
            if optional && rows_of(step).is_empty() {
                continue;
            }
            if !optional && !required.add(step, &rows_of) {
                return;
            }
            if !pass.more_steps && !self.is_welcome(scan, pass, time, step, &base) {
                continue;
            }
            let mut with_step = required.clone();
            if optional && !with_step.add(step, &rows_of) {
                continue;
            }
            for skipped in (reached + 1..step).filter(|skipped| scan.rules.optional[skipped - 1]) {
                with_step.add(skipped, &rows_of);
            }
            let steps: Vec<(usize, usize)> =
                with_step.pairs().into_iter().map(|(step, row)| (step, instant.rows[row])).collect();
            self.add_fresh(scan, pass, time, base, &steps);
        }
    }
}
