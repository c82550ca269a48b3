//! The centre of a path where it is a row of a match of a pattern.

use super::cut::{PathRow, Rules};
use super::node;
use crate::journey::event::words_for;
use crate::journey::sequence::{Pattern, Search, Which};

/// Which row of a path is its centre.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PatternCentre {
    /// The pattern.
    pub pattern: Pattern,
    /// Number of its conditions.
    pub conditions: usize,
    /// Which of its matches in a path.
    pub which: Which,
    /// Which of the rows of the match that meet a condition of the pattern: 1 is the first, -1 the last, 0 is none.
    pub element: i64,
    /// Rows that meet no condition lie between others too.
    pub keeps_unmatched: bool,
}

impl PatternCentre {
    /// Words of one row's set of conditions.
    pub fn words(&self) -> usize {
        words_for(self.conditions)
    }

    /// The row of a match that is the centre, if it has so many.
    fn element_of(&self, matched: &[usize]) -> Option<usize> {
        let number = usize::try_from(self.element.unsigned_abs()).ok()?;
        let place =
            if self.element > 0 { number.checked_sub(1)? } else { matched.len().checked_sub(number)? };
        matched.get(place).copied()
    }
}

/// Finds the centres of one path after the other; keeps its memory.
#[derive(Debug)]
pub struct CentreSearch<'p> {
    of: &'p PatternCentre,
    search: Search<'p>,
    times: Vec<i64>,
    sets: Vec<u64>,
    /// Positions in the path of the rows that the pattern sees.
    positions: Vec<usize>,
    matched: Vec<usize>,
}

impl<'p> CentreSearch<'p> {
    /// A search for the centres that `of` describes.
    pub fn new(of: &'p PatternCentre) -> Self {
        Self {
            of,
            search: Search::new(&of.pattern, of.words()),
            times: Vec::new(),
            sets: Vec::new(),
            positions: Vec::new(),
            matched: Vec::new(),
        }
    }

    /// Returns the position of the centre among the nodes of a path, or their number if the conversion is the centre;
    /// `None` without a match, or where the match has no such row.
    ///
    /// `rows` are those of the path in order, with its conversion, and `sets` the conditions that each of them meets
    /// (see [`crate::journey::event`]). The pattern sees the rows that are nodes and the conversion, before neighbours
    /// become one and before `rules` leave out nodes beyond a depth, for which positions are counted too. Time and
    /// memory are those of [`Search`]; O(rows) where the pattern is a chain.
    pub fn position<W>(&mut self, rules: &Rules<W>, rows: &[PathRow], sets: &[u64]) -> Option<usize> {
        let words = self.of.words();
        self.times.clear();
        self.sets.clear();
        self.positions.clear();
        let mut count = 0;
        let mut before = None;
        for (row, set) in rows.iter().zip(sets.chunks(words)) {
            let position = if row.converts {
                count
            } else if row.node == node::NONE {
                continue;
            } else {
                count += usize::from(!rules.is_repeated(before, row.node));
                before = Some(row.node);
                count - 1
            };
            if self.of.keeps_unmatched || set.iter().any(|word| *word != 0) {
                self.times.push(row.time);
                self.sets.extend_from_slice(set);
                self.positions.push(position);
            }
        }
        if !self.search.find(self.of.which, &self.times, &self.sets, &mut self.matched) {
            return None;
        }
        let element = self.of.element_of(&self.matched)?;
        self.positions.get(element).copied()
    }
}
