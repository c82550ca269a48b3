//! For each row and state: where a match that has come so far can end.

use std::collections::VecDeque;

use super::pattern::Pattern;
use super::time::{Elapsed, elapsed};

/// No match gets to its end from here.
pub(super) const NEVER: u32 = u32::MAX;

/// The earliest last row of a match whose row and state are given; from the last row to the first, each from those
/// behind it. O(rows * links) time and 4 bytes for each row and state.
#[derive(Debug, Default)]
pub(super) struct Table {
    states: usize,
    ends: Vec<u32>,
    /// For each state the earliest end among the rows behind the current one.
    best: Vec<u32>,
    windows: Vec<Window>,
}

impl Table {
    /// Computes the table of one person's rows, ascending by time.
    pub(super) fn fill(&mut self, pattern: &Pattern, times: &[i64], sets: &[u64], words: usize) {
        let states = pattern.tests.len();
        self.states = states;
        self.ends.clear();
        self.ends.resize(times.len() * states, NEVER);
        self.best.clear();
        self.best.resize(states, NEVER);
        let gated = pattern.links.iter().flatten().filter(|link| link.between.is_gated());
        self.windows.clear();
        self.windows.extend(gated.map(|link| Window::new(link.target, link.between.elapsed, times.len())));
        for row in (0..times.len()).rev() {
            let set = &sets[row * words..(row + 1) * words];
            let mut window = 0;
            for state in 0..states {
                let links = &pattern.links[state];
                if !pattern.tests[state].passes(set) {
                    window += links.iter().filter(|link| link.between.is_gated()).count();
                    continue;
                }
                let mut end = if pattern.accepts[state] { number(row) } else { NEVER };
                for link in links {
                    let other = if link.between.is_gated() {
                        window += 1;
                        self.windows[window - 1].earliest_end(row, times, &self.ends, states)
                    } else if link.between.rows {
                        self.best[link.target]
                    } else {
                        self.end(row + 1, link.target)
                    };
                    end = end.min(other);
                }
                self.ends[row * states + state] = end;
            }
            for (state, best) in self.best.iter_mut().enumerate() {
                *best = (*best).min(self.ends[row * states + state]);
            }
        }
    }

    /// The last row of a match with this row in this state that ends first; [`NEVER`] if there is none.
    pub(super) fn end(&self, row: usize, state: usize) -> u32 {
        self.ends.get(row * self.states + state).copied().unwrap_or(NEVER)
    }
}

/// A person has fewer rows than `u32` has numbers.
fn number(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(NEVER)
}

/// The rows within a range of time behind a row that moves towards the first one, and the earliest end among them.
#[derive(Debug)]
struct Window {
    target: usize,
    elapsed: Elapsed,
    /// The first row that is late enough.
    first: usize,
    /// Rows in the window, the last one in front, of which no later one has an earlier end than one behind it.
    rows: VecDeque<usize>,
}

impl Window {
    fn new(target: usize, elapsed: Elapsed, row_count: usize) -> Self {
        Self { target, elapsed, first: row_count, rows: VecDeque::new() }
    }

    /// `ends` has the answers for all rows behind `row`. Rows must be asked for in descending order.
    fn earliest_end(&mut self, row: usize, times: &[i64], ends: &[u32], states: usize) -> u32 {
        let since = |later: usize| elapsed(times[row], times[later]);
        let end = |row: usize| ends[row * states + self.target];
        while self.first > row + 1 && since(self.first - 1) >= self.elapsed.min {
            self.first -= 1;
            let entering = self.first;
            if end(entering) == NEVER {
                continue;
            }
            while self.rows.back().is_some_and(|other| end(*other) >= end(entering)) {
                self.rows.pop_back();
            }
            self.rows.push_back(entering);
        }
        while self.rows.front().is_some_and(|last| since(*last) > self.elapsed.max) {
            self.rows.pop_front();
        }
        self.rows.front().map_or(NEVER, |row| end(*row))
    }
}
