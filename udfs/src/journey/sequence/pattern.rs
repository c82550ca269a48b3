//! A compiled pattern.

use super::compile::compile;
use super::error::PatternError;
use super::marked::{names, numbered};
use super::parse::parse;
use super::time::Elapsed;
use crate::journey::event::contains_step;
use crate::journey::time::TickUnit;

/// What a pattern can name.
#[derive(Debug, Clone, Copy)]
pub struct Conditions<'a> {
    /// Number of conditions; in the pattern they are numbered from 1.
    pub count: usize,
    /// Names of the conditions that have one, with their numbers.
    pub names: &'a [(String, usize)],
}

/// A pattern, ready for [`Search`](super::Search).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// What a row must meet in each state; in the order of the text.
    pub(super) tests: Vec<Test>,
    /// States in which a match may begin, ascending.
    pub(super) starts: Vec<usize>,
    /// Whether a match may end in the state.
    pub(super) accepts: Vec<bool>,
    /// What may follow a state, ascending by target.
    pub(super) links: Vec<Vec<Link>>,
    /// Nothing need be matched.
    pub(super) is_nullable: bool,
    /// The most ticks from the first row of a match to the last.
    pub(super) within: Option<u64>,
    /// Conditions without which there is no match, ascending.
    pub(super) needed: Vec<usize>,
    /// The most rows of a match that meet a condition; `None` where there is no limit.
    pub(super) most_rows: Option<usize>,
    /// Each state is followed by the next one behind any number of rows, and by nothing else.
    pub(super) is_chain: bool,
}

/// What one row of a match must meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Test {
    Any,
    Meets(usize),
    MeetsNot(usize),
}

impl Test {
    pub(super) fn passes(self, set: &[u64]) -> bool {
        match self {
            Self::Any => true,
            Self::Meets(condition) => contains_step(set, condition),
            Self::MeetsNot(condition) => !contains_step(set, condition),
        }
    }
}

/// From a state to one that may follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Link {
    pub(super) target: usize,
    pub(super) between: Between,
}

/// What may lie between two rows of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Between {
    /// Other rows may.
    pub(super) rows: bool,
    pub(super) elapsed: Elapsed,
}

impl Between {
    pub(super) const NOTHING: Self = Self { rows: false, elapsed: Elapsed::ANY };
    pub(super) const ANYTHING: Self = Self { rows: true, elapsed: Elapsed::ANY };

    pub(super) fn and(self, other: Self) -> Self {
        Self { rows: self.rows || other.rows, elapsed: self.elapsed.and(other.elapsed) }
    }

    /// Whether everything that `other` lets pass passes here too.
    pub(super) fn covers(self, other: Self) -> bool {
        self.rows >= other.rows
            && self.elapsed.min <= other.elapsed.min
            && self.elapsed.max >= other.elapsed.max
    }

    pub(super) fn is_gated(self) -> bool {
        self.elapsed != Elapsed::ANY
    }
}

impl Pattern {
    /// Reads the text of a pattern.
    ///
    /// Lengths of time are seconds, or have a unit, and are compared in ticks of `unit`; without a unit of the ticks
    /// they are ticks.
    ///
    /// # Errors
    /// A [`PatternError`] that tells the place of what is not understood.
    pub fn parse(
        text: &str,
        conditions: Conditions<'_>,
        unit: Option<TickUnit>,
    ) -> Result<Self, PatternError> {
        compile(text, &parse(text, conditions, unit)?)
    }

    /// Returns `text` with the numbers of conditions in place of their names: `(?view)` becomes `(?1)`.
    ///
    /// # Errors
    /// A [`PatternError`] for a name that no condition has, or several.
    pub fn numbered(text: &str, conditions: Conditions<'_>) -> Result<String, PatternError> {
        numbered(text, conditions)
    }

    /// Returns what stands for conditions in `text`, names or numbers, each once, in the order of the text.
    ///
    /// # Errors
    /// A [`PatternError`] for a `(?` without its end.
    pub fn names(text: &str) -> Result<Vec<String>, PatternError> {
        names(text)
    }

    /// Whether the pattern matches without any row, as `.*` does: then at every row.
    pub fn is_nullable(&self) -> bool {
        self.is_nullable
    }

    /// The most rows that [`Search::next_match`](super::Search::next_match) can give for one match; `None` where there
    /// is no limit.
    pub fn most_rows(&self) -> Option<usize> {
        self.most_rows
    }
}
