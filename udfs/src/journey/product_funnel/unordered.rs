//! Funnels whose steps may come in any order: as many conditions as possible, met by different rows of one window.

use std::collections::{HashMap, VecDeque};

use super::Matched;
use super::matching::Matching;
use super::run::{Found, Pass, Scan};
use crate::journey::time::Window;

#[derive(Debug, Clone, Copy)]
struct OpenRow {
    row: usize,
    end: i64,
}

/// Rows that meet the same steps.
#[derive(Debug)]
struct Alike {
    steps: Vec<usize>,
    rows: VecDeque<OpenRow>,
    /// Steps that these rows stand for now, no more than there are rows.
    taken: Vec<usize>,
}

/// The rows of the sliding window and the largest assignment of steps to them.
#[derive(Debug)]
struct OpenRows {
    alike: Vec<Alike>,
    by_steps: HashMap<Vec<usize>, usize>,
    /// Of all rows, in order of time, which of `alike` they belong to.
    order: VecDeque<usize>,
    /// Groups that meet each step (from 1).
    meeting: Vec<Vec<usize>>,
    assigned: Vec<bool>,
    size: usize,
}

impl OpenRows {
    fn new(steps: usize) -> Self {
        Self {
            alike: Vec::new(),
            by_steps: HashMap::new(),
            order: VecDeque::new(),
            meeting: vec![Vec::new(); steps + 1],
            assigned: vec![false; steps + 1],
            size: 0,
        }
    }

    fn clear(&mut self) {
        for alike in &mut self.alike {
            alike.rows.clear();
            alike.taken.clear();
        }
        self.order.clear();
        self.assigned.fill(false);
        self.size = 0;
    }

    fn first(&self) -> Option<OpenRow> {
        self.order.front().and_then(|alike| self.alike[*alike].rows.front()).copied()
    }

    fn add(&mut self, steps: Vec<usize>, open: OpenRow) {
        let index = match self.by_steps.get(&steps) {
            Some(index) => *index,
            None => {
                let index = self.alike.len();
                steps.iter().for_each(|step| self.meeting[*step].push(index));
                self.by_steps.insert(steps.clone(), index);
                self.alike.push(Alike { steps, rows: VecDeque::new(), taken: Vec::new() });
                index
            }
        };
        self.alike[index].rows.push_back(open);
        self.order.push_back(index);
        if self.alike[index].rows.len() <= self.alike[index].steps.len() {
            for step in 1..self.assigned.len() {
                if !self.assigned[step] && self.assign(step) {
                    break;
                }
            }
        }
    }

    /// Adds a row that meets a step, unless it could only be a first row and must not be one.
    fn add_row<W: Window>(&mut self, scan: &Scan<'_, W>, row: usize) {
        let time = scan.time(row);
        let may_stand_here = match self.first() {
            None => scan.may_enter(row),
            Some(_) => scan.rules.entered_from.is_none_or(|from| time >= from),
        };
        let met: Vec<usize> = scan.steps_met(row).collect();
        if may_stand_here && !met.is_empty() {
            self.add(met, OpenRow { row, end: scan.rules.window_end(time) });
        }
    }

    /// Removes the rows from `time` on.
    fn remove_since<W: Window>(&mut self, scan: &Scan<'_, W>, time: i64) {
        let mut rows: Vec<(usize, OpenRow)> = Vec::new();
        for (index, alike) in self.alike.iter().enumerate() {
            rows.extend(alike.rows.iter().map(|open| (index, *open)));
        }
        rows.retain(|(_, open)| scan.time(open.row) < time);
        rows.sort_by_key(|(_, open)| open.row);
        self.clear();
        for (index, open) in rows {
            self.add(self.alike[index].steps.clone(), open);
        }
    }

    /// Removes the first row.
    fn remove_first(&mut self) {
        let Some(index) = self.order.pop_front() else {
            return;
        };
        let alike = &mut self.alike[index];
        alike.rows.pop_front();
        if alike.taken.len() > alike.rows.len()
            && let Some(step) = alike.taken.pop()
        {
            self.assigned[step] = false;
            self.size -= 1;
            self.assign(step);
        }
    }

    /// Gives `step` a row, if that is possible.
    fn assign(&mut self, step: usize) -> bool {
        let mut visited = vec![false; self.alike.len()];
        let done = self.place(step, &mut visited);
        if done {
            self.assigned[step] = true;
            self.size += 1;
        }
        done
    }

    fn place(&mut self, step: usize, visited: &mut [bool]) -> bool {
        for index in self.meeting[step].clone() {
            if std::mem::replace(&mut visited[index], true) {
                continue;
            }
            if self.alike[index].taken.len() < self.alike[index].rows.len() {
                self.alike[index].taken.push(step);
                return true;
            }
            for position in 0..self.alike[index].taken.len() {
                let other = self.alike[index].taken[position];
                if self.place(other, visited) {
                    self.alike[index].taken[position] = step;
                    return true;
                }
            }
        }
        false
    }

    /// The earliest rows that meet as many steps as all together.
    fn chain<W: Window>(&self, scan: &Scan<'_, W>) -> Vec<Matched> {
        let mut rows: Vec<(usize, &[usize])> = Vec::new();
        for alike in &self.alike {
            let needed = alike.rows.iter().take(alike.steps.len());
            rows.extend(needed.map(|open| (open.row, alike.steps.as_slice())));
        }
        rows.sort_unstable();
        // Rows take steps here, the other way round than steps take rows: the earlier row is never given up.
        let mut matching = Matching::new(scan.rules.steps() + 1);
        let steps_of = |row: usize| rows[row].1;
        for row in 0..rows.len() {
            matching.add(row, &steps_of);
        }
        let mut chain: Vec<Matched> = matching
            .pairs()
            .into_iter()
            .map(|(row, condition)| Matched { step: 0, condition, row: rows[row].0 })
            .collect();
        for (index, matched) in chain.iter_mut().enumerate() {
            matched.step = index + 1;
        }
        chain
    }
}

/// As [`super::search::deepest`] and, with `attempts`, as [`super::search::attempts`].
pub(super) fn scan_unordered<W: Window>(scan: &Scan<'_, W>, pass: Pass, attempts: bool) -> Vec<Found> {
    let steps = scan.rules.steps();
    let mut open = OpenRows::new(steps);
    let mut found = Vec::new();
    let mut best: Option<(Found, i64)> = None;
    let mut deepest = 0;
    // Whether the best chain's window was over before any exclusion.
    let mut settled = false;
    for rows in scan.instants() {
        let time = scan.time(rows[0]);
        while open.first().is_some_and(|first| first.end < time) {
            open.remove_first();
        }
        let mut excluded = pass.exclude && rows.iter().any(|row| scan.exclusions_met(*row).next().is_some());
        if excluded {
            // The steps of this very instant may have come before the exclusion, if they complete the funnel.
            rows.iter().for_each(|row| open.add_row(scan, *row));
            excluded = open.size < steps;
            open.remove_since(scan, time);
        }
        let ended = open.first().is_none() || excluded;
        if excluded {
            open.clear();
            settled |= best.as_ref().is_some_and(|(_, end)| *end < time);
            if !settled {
                best = None;
            }
        }
        if attempts && ended && deepest > 0 {
            found.extend(best.take().map(|(found, _)| found).filter(|found| found.depth() == deepest));
            deepest = 0;
            settled = false;
        }
        if scan.entry_is_over(rows[0]) && open.first().is_none() {
            break;
        }
        for row in rows {
            open.add_row(scan, *row);
            let floor = best.as_ref().map_or(pass.floor, |(best, _)| best.depth() + 1);
            let enters = open.first().is_some_and(|first| scan.may_enter(first.row));
            if open.size >= floor && enters {
                let chain = open.chain(scan);
                let end = open.first().map_or(i64::MAX, |first| first.end);
                deepest = deepest.max(chain.len());
                best = Some((Found { chain, until: None }, end));
                settled = false;
            }
            if best.as_ref().is_some_and(|(best, _)| best.depth() == steps) {
                if !attempts {
                    return best.into_iter().map(|(found, _)| found).collect();
                }
                found.extend(best.take().map(|(found, _)| found));
                deepest = 0;
                open.clear();
            }
        }
    }
    if let Some((mut last, _)) = best
        && (!attempts || last.depth() == deepest)
    {
        let entries = open.alike.iter().flat_map(|alike| &alike.rows);
        last.until = entries.filter(|row| scan.may_enter(row.row)).map(|row| row.end).max();
        found.push(last);
    }
    found
}

/// For each row how many conditions the open window meets before and after it; for explanations.
pub(super) fn open_sizes<W: Window>(scan: &Scan<'_, W>) -> Vec<(usize, usize, usize)> {
    let mut open = OpenRows::new(scan.rules.steps());
    let mut sizes = Vec::with_capacity(scan.rows.len());
    for rows in scan.instants() {
        let time = scan.time(rows[0]);
        while open.first().is_some_and(|first| first.end < time) {
            open.remove_first();
        }
        let before = open.size;
        if rows.iter().any(|row| scan.exclusions_met(*row).next().is_some()) {
            open.clear();
        }
        rows.iter().for_each(|row| open.add_row(scan, *row));
        let after = open.size;
        sizes.extend(rows.iter().map(|row| (*row, before, after)));
    }
    sizes
}
