//! Chains of ordered and strict funnels: for each step those that reached it and may go on.

use std::collections::VecDeque;

use super::run::{Pass, Scan};
use super::{Entry, Matched, Order};
use crate::journey::event::{insert_step, steps_of, words_for};
use crate::journey::ties::Ties;
use crate::journey::time::Window;

/// The end of a chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) entry: i64,
    /// End of the window that the entry opened.
    pub(super) end: i64,
    /// Last instant at which the next step may come.
    pub(super) until: i64,
    /// Steps in the chain.
    pub(super) matched: usize,
    pub(super) node: usize,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    step: usize,
    row: usize,
    before: Option<usize>,
}

/// The chains of one person, attempt or session.
///
/// A step holds chains of one entry only: with a later entry a chain can do everything that one with an earlier
/// entry can. Of that entry it holds the first, or, if the time between steps is limited, all in order of time: the
/// first that is still in time goes on.
#[derive(Debug, Default)]
pub(super) struct Chains {
    levels: Vec<VecDeque<Link>>,
    /// Steps that have chains, as a set.
    live: Vec<u64>,
    nodes: Vec<Node>,
    /// What the current instant has brought, not in `levels` yet.
    fresh: Vec<(usize, Link)>,
    /// For each step the key of its chain in `fresh`.
    fresh_keys: Vec<Option<(usize, i64)>>,
    /// Steps whose chains an exclusion ends at the current instant, as a set.
    excluded: Vec<u64>,
    /// The same, and those that strict order ends.
    ending: Vec<u64>,
}

impl Chains {
    /// Forgets everything, keeping memory.
    pub(super) fn reset(&mut self, steps: usize) {
        self.levels.iter_mut().for_each(VecDeque::clear);
        self.levels.resize_with(steps, VecDeque::new);
        self.live.clear();
        self.live.resize(words_for(steps), 0);
        for set in [&mut self.excluded, &mut self.ending] {
            set.clear();
            set.resize(words_for(steps), 0);
        }
        self.nodes.clear();
        self.fresh.clear();
        self.fresh_keys.clear();
        self.fresh_keys.resize(steps, None);
    }

    /// Steps that have chains, which may be too late already.
    pub(super) fn live_steps(&self) -> Vec<usize> {
        steps_of(&self.live).collect()
    }

    /// Whether a chain can still go on at `time`.
    pub(super) fn is_open(&mut self, time: i64) -> bool {
        self.live_steps().into_iter().any(|step| self.usable(step, time).is_some())
    }

    /// The deepest step with a chain that can still go on at `time`.
    pub(super) fn open_depth(&mut self, time: i64) -> usize {
        let steps = self.live_steps();
        steps.into_iter().rev().find(|step| self.usable(*step, time).is_some()).unwrap_or(0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.iter().all(|word| *word == 0)
    }

    /// The last instant at which some chain can still go on.
    pub(super) fn until(&self) -> Option<i64> {
        steps_of(&self.live).filter_map(|step| self.levels[step - 1].back()).map(|link| link.until).max()
    }

    pub(super) fn fresh(&self) -> &[(usize, Link)] {
        &self.fresh
    }

    /// The steps and rows of a chain.
    pub(super) fn chain(&self, link: &Link) -> Vec<Matched> {
        let mut chain = Vec::with_capacity(link.matched);
        let mut next = Some(link.node);
        while let Some(node) = next {
            let Node { step, row, before } = self.nodes[node];
            chain.push(Matched { step, condition: step, row });
            next = before;
        }
        chain.reverse();
        chain
    }

    /// The chain at `step` that goes on at `time`; forgets those that are too late.
    pub(super) fn usable(&mut self, step: usize, time: i64) -> Option<Link> {
        let level = &mut self.levels[step - 1];
        while level.front().is_some_and(|link| link.until < time) {
            level.pop_front();
        }
        let link = level.front().copied();
        if link.is_none() {
            self.live[(step - 1) / 64] &= !(1 << ((step - 1) % 64));
        }
        link
    }

    /// Whether a row that meets step 1 starts a chain at `time`.
    pub(super) fn may_restart<W: Window>(&mut self, scan: &Scan<'_, W>, time: i64) -> bool {
        scan.rules.entry == Entry::Latest || !self.is_open(time)
    }

    /// The chain that `step` extends at `time`.
    pub(super) fn base<W: Window>(
        &mut self,
        scan: &Scan<'_, W>,
        pass: Pass,
        step: usize,
        time: i64,
    ) -> Option<Link> {
        let mut best: Option<Link> = None;
        for before in (1..step).rev() {
            if let Some(link) = self.usable(before, time)
                && best.is_none_or(|best| key(pass, &link) > key(pass, &best))
            {
                best = Some(link);
            }
            if !scan.rules.optional[before - 1] {
                break;
            }
        }
        best
    }

    /// Finds what the rows of one instant bring; nothing of it is in effect yet.
    pub(super) fn advance<W: Window>(&mut self, scan: &Scan<'_, W>, pass: Pass, rows: &[usize]) {
        for (step, _) in self.fresh.drain(..) {
            self.fresh_keys[step - 1] = None;
        }
        let Some(first) = rows.first() else {
            return;
        };
        let time = scan.time(*first);
        if scan.rules.ties == Ties::SameInstant && rows.len() > 1 {
            let meeting = rows.iter().copied().filter(|row| scan.steps_met(*row).next().is_some());
            let meeting: Vec<usize> = meeting.collect();
            if meeting.len() > 1 {
                return self.advance_together(scan, pass, time, &meeting);
            }
        }
        for row in rows {
            for step in scan.steps_met(*row) {
                if step == 1 {
                    if scan.may_enter(*row) && self.may_restart(scan, time) {
                        let link = self.enter(scan, time);
                        self.add_fresh(scan, pass, time, link, &[(1, *row)]);
                    }
                } else if let Some(base) = self.base(scan, pass, step, time) {
                    self.add_fresh(scan, pass, time, base, &[(step, *row)]);
                }
            }
        }
    }

    /// A chain without steps that starts at `time`.
    pub(super) fn enter<W: Window>(&self, scan: &Scan<'_, W>, time: i64) -> Link {
        let end = scan.rules.window_end(time);
        Link { entry: time, end, until: end, matched: 0, node: usize::MAX }
    }

    /// Notes that `base` goes on with `steps`, pairs of (step, row) of one instant, unless a chain that is as good
    /// has reached the last of them already.
    pub(super) fn add_fresh<W: Window>(
        &mut self,
        scan: &Scan<'_, W>,
        pass: Pass,
        time: i64,
        base: Link,
        steps: &[(usize, usize)],
    ) {
        let Some((level, _)) = steps.last().copied() else {
            return;
        };
        let until = base.end.min(scan.rules.step_end(time));
        let mut link = Link { until, matched: base.matched + steps.len(), ..base };
        if !self.is_welcome(scan, pass, time, level, &link) {
            return;
        }
        let mut before = (base.matched > 0).then_some(base.node);
        for (step, row) in steps {
            self.nodes.push(Node { step: *step, row: *row, before });
            before = Some(self.nodes.len() - 1);
        }
        link.node = self.nodes.len() - 1;
        if self.fresh_keys[level - 1].replace(key(pass, &link)).is_some() {
            self.fresh.retain(|(step, _)| *step != level);
        }
        self.fresh.push((level, link));
    }

    /// Whether a chain at `level` is better than those that are there, or may go on later than they.
    pub(super) fn is_welcome<W: Window>(
        &mut self,
        scan: &Scan<'_, W>,
        pass: Pass,
        time: i64,
        level: usize,
        link: &Link,
    ) -> bool {
        let better = |other: &Link| key(pass, link) > key(pass, other);
        if self.fresh_keys[level - 1].is_some_and(|other| key(pass, link) <= other) {
            return false;
        }
        let repeats = scan.rules.step_within.is_some();
        match self.usable(level, time) {
            Some(old) if !has(&self.ending, level) => {
                better(&old) || (repeats && key(pass, link) == key(pass, &old))
            }
            _ => true,
        }
    }

    /// Finds the steps whose chains the rows of one instant end: by exclusion, and in strict order by a row that does
    /// not meet the step. Chains that the same instant brings are not concerned.
    pub(super) fn find_ending<W: Window>(&mut self, scan: &Scan<'_, W>, pass: Pass, rows: &[usize]) {
        self.excluded.fill(0);
        if pass.exclude {
            for index in rows.iter().flat_map(|row| scan.exclusions_met(*row)) {
                let exclusion = scan.rules.exclusions[index];
                for step in exclusion.from..exclusion.to {
                    insert_step(&mut self.excluded, step);
                }
            }
        }
        self.ending.copy_from_slice(&self.excluded);
        if scan.rules.order == Order::Strict {
            for row in rows {
                for word in 0..self.ending.len() {
                    self.ending[word] |= !met_word(scan, *row, word);
                }
            }
        }
    }

    /// Whether an exclusion ends chains at `step` at this instant.
    pub(super) fn is_excluded(&self, step: usize) -> bool {
        has(&self.excluded, step)
    }

    /// Ends the chains that [`Self::find_ending`] found.
    pub(super) fn clear(&mut self) {
        for word in 0..self.live.len() {
            self.clear_levels(word, self.ending[word] & self.live[word]);
        }
    }

    fn clear_levels(&mut self, word: usize, bits: u64) {
        for bit in steps_of(&[bits]) {
            self.levels[word * 64 + bit - 1].clear();
        }
        self.live[word] &= !bits;
    }

    /// Puts what the instant has brought into effect.
    pub(super) fn install(&mut self, pass: Pass) {
        for (step, link) in std::mem::take(&mut self.fresh) {
            self.fresh_keys[step - 1] = None;
            let level = &mut self.levels[step - 1];
            if level.back().is_some_and(|old| key(pass, old) != key(pass, &link)) {
                level.clear();
            }
            level.push_back(link);
            self.live[(step - 1) / 64] |= 1 << ((step - 1) % 64);
        }
    }
}

fn has(set: &[u64], step: usize) -> bool {
    set[(step - 1) / 64] & (1 << ((step - 1) % 64)) != 0
}

/// One word of the steps that the row meets; bits behind the last step may be anything.
fn met_word<W: Window>(scan: &Scan<'_, W>, row: usize, word: usize) -> u64 {
    let met = scan.set(row)[word];
    match scan.only {
        Some((step, _)) if (step - 1) / 64 == word && !scan.steps_met(row).any(|met| met == step) => {
            met & !(1 << ((step - 1) % 64))
        }
        _ => met,
    }
}

/// What makes a chain better than another at the same step.
fn key(pass: Pass, link: &Link) -> (usize, i64) {
    (if pass.more_steps { link.matched } else { 0 }, link.entry)
}
