//! `strict_once`: each row fills at most one step of a chain.
//!
//! Steps at different instants are different rows, so the question arises only between rows of one
//! instant: may steps i to j be filled by as many different rows of it? That is a matching of steps
//! with rows. If steps i to j can be matched, so can steps i + 1 to j: for j ascending the smallest
//! i only grows, and one matching is kept up to date by adding a step at its end and taking one
//! away at its front. Every chain that exists is found, without listing chains.

use super::FunnelWindow;
use super::level::Chain;
use super::state::{FunnelState, Instant, Union};
use crate::journey::event::steps_of;

impl FunnelState {
    /// Takes the conditions that the rows of one instant meet, where one row meets several.
    ///
    /// For m rows and s different conditions: O(s * min(m, s) * m / 64) time, O(s * m) bits.
    pub(super) fn push_steps_once<W: FunnelWindow>(
        &mut self,
        instant: &Instant<W>,
        union: &Union,
        sets: &[u64],
        words: usize,
    ) {
        let modes = instant.modes;
        // One row alone extends every chain by one step at most.
        let mut matching = (sets.len() > words).then(|| Matching::new(sets, words));
        let mut entry = None;
        let mut arrived: Vec<(usize, Chain)> = Vec::new();
        for step in steps_of(&union.any) {
            if self.progress.ended {
                return;
            }
            if step == 1 {
                if !self.admits_entry(modes) {
                    self.progress.ended = !modes.allow_reentry;
                    continue;
                }
                entry = Some(instant.entry(instant.row));
            } else {
                let repeated = self.levels[step - 1].is_reached();
                let before_arrived = arrived.last().is_some_and(|(last, _)| last + 1 == step);
                let before_reached = self.levels[step - 2].is_reached() || before_arrived;
                let too_early = self.progress.depth > 0 && !before_reached;
                if (modes.strict_deduplication && repeated) || (modes.strict_order && too_early) {
                    self.progress.ended = true;
                    return;
                }
            }
            // A chain that has `first - 1` steps or more can be continued to this step here.
            let first = matching.as_mut().map_or(step, |matching| matching.extend_to(step));
            let best = (first..=step)
                .filter_map(|next| match next.checked_sub(2) {
                    None => entry,
                    Some(before) => self.levels[before].best(modes, instant.time),
                })
                .filter(|chain| instant.is_open(chain))
                .max();
            let Some(chain) = best else {
                continue;
            };
            if self.progress.reach(step, chain) {
                self.forget_chains();
                return;
            }
            arrived.push((step, chain));
            // Which of two rows of one instant comes first is nowhere said: both count as there.
            self.progress.ended |= modes.strict_deduplication && step > 1 && union.is_twice(step);
        }
        for (step, chain) in arrived {
            self.levels[step - 1].record(modes, instant.time, chain);
        }
    }
}

/// Consecutive steps, each with a row of one instant that fills it and no other of them.
#[derive(Debug)]
pub(super) struct Matching {
    /// Per step the rows that meet it, one bit each.
    candidates: Vec<u64>,
    row_words: usize,
    /// Rows that fill no step.
    free: Vec<u64>,
    unvisited: Vec<u64>,
    /// Per row the step that it fills.
    filled: Vec<Option<usize>>,
    /// Per row the step from which the search came to it.
    found_from: Vec<usize>,
    /// Per step, counted from 0, the row that fills it.
    row_of: Vec<Option<usize>>,
    /// The steps that are matched now, counted from 1: `first..next`.
    first: usize,
    next: usize,
}

impl Matching {
    /// Returns an empty matching of the rows with these sets.
    pub(super) fn new(sets: &[u64], words: usize) -> Self {
        let rows = sets.len() / words;
        let row_words = rows.div_ceil(64);
        let steps = words * 64;
        let mut candidates = vec![0; steps * row_words];
        let mut free = vec![0; row_words];
        for (row, set) in sets.chunks_exact(words).enumerate() {
            free[row / 64] |= 1 << (row % 64);
            for step in steps_of(set) {
                candidates[(step - 1) * row_words + row / 64] |= 1 << (row % 64);
            }
        }
        Self {
            candidates,
            row_words,
            unvisited: vec![0; row_words],
            free,
            filled: vec![None; rows],
            found_from: vec![0; rows],
            row_of: vec![None; steps],
            first: 1,
            next: 1,
        }
    }

    /// Matches `step`, which a row meets, and as many steps directly before it as can be matched
    /// together with it. Returns the first of them. Steps must be given in ascending order.
    pub(super) fn extend_to(&mut self, step: usize) -> usize {
        while self.next != step && self.first < self.next {
            self.remove_first();
        }
        if self.first == self.next {
            self.first = step;
            self.next = step;
        }
        while !self.add_next() && self.first < self.next {
            self.remove_first();
            if self.first == self.next {
                self.first = step;
                self.next = step;
            }
        }
        self.first
    }

    /// Matches the steps from `first` on, as many as can be matched together, up to `last`.
    /// Returns their rows.
    pub(super) fn longest_from(&mut self, first: usize, last: usize) -> Vec<usize> {
        self.first = first;
        self.next = first;
        while self.next <= last && self.add_next() {}
        (first..self.next).filter_map(|step| self.row_of[step - 1]).collect()
    }

    fn remove_first(&mut self) {
        if let Some(row) = self.row_of[self.first - 1].take() {
            self.filled[row] = None;
            self.free[row / 64] |= 1 << (row % 64);
        }
        self.first += 1;
    }

    /// Matches the step `next` too if that is possible, by moving others to other rows.
    fn add_next(&mut self) -> bool {
        self.unvisited.fill(u64::MAX);
        let mut open = vec![self.next - 1];
        while let Some(step) = open.pop() {
            let candidates = &self.candidates[step * self.row_words..(step + 1) * self.row_words];
            let free = candidates.iter().zip(&self.free).position(|(met, free)| met & free != 0);
            if let Some(word) = free {
                let row = word * 64 + (candidates[word] & self.free[word]).trailing_zeros() as usize;
                self.found_from[row] = step;
                self.fill(row);
                self.next += 1;
                return true;
            }
            for (word, (met, unvisited)) in candidates.iter().zip(&mut self.unvisited).enumerate() {
                let mut found = met & *unvisited;
                *unvisited &= !found;
                while found != 0 {
                    let row = word * 64 + found.trailing_zeros() as usize;
                    found &= found - 1;
                    self.found_from[row] = step;
                    open.extend(self.filled[row]);
                }
            }
        }
        false
    }

    /// Gives `row` to the step from which it was found, that step's row to the step before, ..
    fn fill(&mut self, row: usize) {
        self.free[row / 64] &= !(1 << (row % 64));
        let mut row = row;
        loop {
            let step = self.found_from[row];
            self.filled[row] = Some(step);
            match self.row_of[step].replace(row) {
                Some(given_up) => row = given_up,
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_steps_with_rows_of_their_own() {
        // Rows: {1,2}, {2,3}, {3}.
        let sets = [0b011, 0b110, 0b100];
        let mut matching = Matching::new(&sets, 1);
        assert_eq!([1, 2, 3].map(|step| matching.extend_to(step)), [1, 1, 1]);
        assert_eq!(Matching::new(&sets, 1).longest_from(1, 3), [0, 1, 2]);
        // Two rows for three steps.
        let sets = [0b111, 0b111];
        let mut matching = Matching::new(&sets, 1);
        assert_eq!([1, 2, 3].map(|step| matching.extend_to(step)), [1, 1, 2]);
        assert_eq!(Matching::new(&sets, 1).longest_from(1, 3).len(), 2);
        assert_eq!(Matching::new(&sets, 1).longest_from(2, 2).len(), 1);
        // A gap between the steps.
        let sets = [0b1001, 0b1001];
        let mut matching = Matching::new(&sets, 1);
        assert_eq!([1, 4].map(|step| matching.extend_to(step)), [1, 4]);
    }

    #[test]
    fn a_step_moves_to_another_row() {
        // The second step takes the row of the first, which has another.
        let sets = [0b11, 0b01];
        assert_eq!(Matching::new(&sets, 1).longest_from(1, 2), [1, 0]);
    }
}
