//! The matches among one person's rows, one after the other.

use super::pattern::{Pattern, Test};
use super::table::{NEVER, Table};
use super::time::elapsed;
use crate::journey::event::contains_step;

/// The rows between which a match lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Its first row.
    pub first: usize,
    /// Its last row.
    pub last: usize,
}

/// Which of several matches is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Which {
    /// The first.
    #[default]
    First,
    /// The last of those that do not overlap.
    Last,
}

impl Which {
    /// Names in SQL.
    pub const NAMES: [(&'static str, Self); 2] = [("first", Self::First), ("last", Self::Last)];
}

/// A search for a pattern; used for one person after the other, it keeps its memory.
///
/// Rows are times in ascending order and sets of conditions (see [`crate::journey::event`]). For n rows and a pattern
/// of s states and l links: O(n * l) time for all matches together and 4 * n * s bytes; O(n) time and no memory where
/// the pattern is a chain.
#[derive(Debug)]
pub struct Search<'p> {
    pattern: &'p Pattern,
    words: usize,
    table: Table,
    /// The first row that may begin the next match.
    next: usize,
}

impl<'p> Search<'p> {
    /// A search for `pattern` among rows with sets of `words` words.
    pub fn new(pattern: &'p Pattern, words: usize) -> Self {
        Self { pattern, words, table: Table::default(), next: 0 }
    }

    /// Begins with the rows of a person. Every [`Self::next_match`] must be given the same rows.
    pub fn begin(&mut self, times: &[i64], sets: &[u64]) {
        debug_assert!(times.is_sorted());
        debug_assert_eq!(sets.len(), times.len() * self.words);
        self.next = 0;
        if self.pattern.is_nullable {
            return;
        }
        if !self.has_what_is_needed(sets) {
            self.next = times.len();
        } else if !self.pattern.is_chain {
            self.table.fill(self.pattern, times, sets, self.words);
        }
    }

    /// Finds the next match, if there is one, and puts those of its rows that meet a condition of the pattern into
    /// `rows`: not those for `.` and `(?!N)`. A pattern that needs no row matches at each one.
    pub fn next_match(&mut self, times: &[i64], sets: &[u64], rows: &mut Vec<usize>) -> Option<Match> {
        rows.clear();
        let found = if self.pattern.is_nullable {
            (self.next < times.len()).then_some(Match { first: self.next, last: self.next })
        } else if self.pattern.is_chain {
            self.next_chain(times.len(), sets, rows)
        } else {
            self.next_of_table(times, rows)
        };
        self.next = found.map_or(times.len(), |found| found.last + 1);
        found
    }

    /// Whether there is a match.
    pub fn is_match(&mut self, times: &[i64], sets: &[u64]) -> bool {
        self.begin(times, sets);
        self.next_match(times, sets, &mut Vec::new()).is_some()
    }

    /// Puts the rows of the first match or of the last into `rows`, as [`Self::next_match`] does; returns whether there
    /// is one.
    pub fn find(&mut self, which: Which, times: &[i64], sets: &[u64], rows: &mut Vec<usize>) -> bool {
        self.begin(times, sets);
        let (mut is_found, mut next) = (false, Vec::new());
        rows.clear();
        while self.next_match(times, sets, &mut next).is_some() {
            is_found = true;
            std::mem::swap(rows, &mut next);
            if which == Which::First {
                break;
            }
        }
        is_found
    }

    /// Number of matches that do not overlap.
    pub fn count(&mut self, times: &[i64], sets: &[u64]) -> usize {
        self.begin(times, sets);
        let mut rows = Vec::new();
        let mut count = 0;
        while self.next_match(times, sets, &mut rows).is_some() {
            count += 1;
        }
        count
    }

    fn has_what_is_needed(&self, sets: &[u64]) -> bool {
        let mut seen = vec![0; self.words];
        for set in sets.chunks(self.words) {
            for (seen, word) in seen.iter_mut().zip(set) {
                *seen |= word;
            }
        }
        self.pattern.needed.iter().all(|condition| contains_step(&seen, *condition))
    }

    fn next_chain(&self, row_count: usize, sets: &[u64], rows: &mut Vec<usize>) -> Option<Match> {
        let mut row = self.next;
        let mut found: Option<Match> = None;
        for test in &self.pattern.tests {
            while row < row_count && !test.passes(&sets[row * self.words..(row + 1) * self.words]) {
                row += 1;
            }
            if row >= row_count {
                return None;
            }
            push_matched(*test, row, rows);
            found = Some(Match { first: found.map_or(row, |found| found.first), last: row });
            row += 1;
        }
        found
    }

    fn next_of_table(&self, times: &[i64], rows: &mut Vec<usize>) -> Option<Match> {
        let pattern = self.pattern;
        let (first, mut state, limit) = (self.next..times.len()).find_map(|row| {
            let limit = self.limit(times, row);
            let state = pattern.starts.iter().find(|state| self.ends_by(row, **state, limit))?;
            Some((row, *state, limit))
        })?;
        let mut row = first;
        loop {
            push_matched(pattern.tests[state], row, rows);
            if pattern.accepts[state] {
                return Some(Match { first, last: row });
            }
            // The table says that there is one.
            (row, state) = (row + 1..times.len()).find_map(|next| {
                let since = elapsed(times[row], times[next]);
                let link = pattern.links[state].iter().find(|link| {
                    (link.between.rows || next == row + 1)
                        && link.between.elapsed.holds(since)
                        && self.ends_by(next, link.target, limit)
                })?;
                Some((next, link.target))
            })?;
        }
    }

    fn ends_by(&self, row: usize, state: usize, limit: u32) -> bool {
        let end = self.table.end(row, state);
        end != NEVER && end <= limit
    }

    /// The last row that may belong to a match that begins at `row`.
    fn limit(&self, times: &[i64], row: usize) -> u32 {
        let Some(within) = self.pattern.within else {
            return NEVER;
        };
        let rows = times[row..].partition_point(|time| elapsed(times[row], *time) <= within);
        u32::try_from(row + rows).map_or(NEVER, |end| end.saturating_sub(1))
    }
}

fn push_matched(test: Test, row: usize, rows: &mut Vec<usize>) {
    if let Test::Meets(_) = test {
        rows.push(row);
    }
}
