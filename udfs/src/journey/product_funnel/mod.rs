//! The funnel of product analytics: how far each person came through a list of steps, and when.
//!
//! A *chain* is a list of different rows, the first meeting step 1, each further one a later step; of the steps
//! before its last one only optional ones may be missing. Its rows follow one another in time (what that means at
//! equal times, [`Ties`] says) and lie inside the window that its first row opens, end included; `step_within` limits
//! the time between neighbours. A person's *depth* is the last step of the deepest chain. The model is PostHog's:
//!
//! - Reported is the first chain of the full depth that is found when every entry is followed and the *latest entry*
//!   before a step takes over (Mixpanel calls it optimized re-entry); of one entry, the first row of each step.
//!   [`Entry::First`] ignores further entries while an attempt is open.
//! - Reaching the last step ends the search.
//! - An exclusion marks the chains that have reached its `from` step and not its `to` step and whose window is open.
//!   A person whose deepest chains are all marked is left out; one clean chain of that depth keeps the person in.
//! - Strict order: between neighbouring rows of a chain there are only repeats of the step that was reached.
//! - Unordered: depth is the largest number of conditions that different rows inside one window meet.
//! - At one instant (with [`Ties::SameInstant`]) rows count in the order of the steps, each at most once in a chain;
//!   exclusions and strictness look only at rows strictly between in time.
//!
//! Cost for n rows: O(n * steps met) in order, unless rows of one instant meet many steps in many combinations;
//! exclusions and optional steps scan a second time. Memory: O(steps) and one link for each advance.

mod chains;
mod explain;
mod instant;
mod matching;
mod parts;
mod person;
pub mod report;
mod run;
mod search;
mod unordered;

pub use explain::{Explained, explain};
pub use person::Evaluator;

use super::ties::Ties;
use super::time::Window;

/// Which rows may follow one another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Steps in order, anything may happen between them.
    #[default]
    Ordered,
    /// Steps in order, nothing may happen between them but repeats of the step reached.
    Strict,
    /// Steps in any order.
    Unordered,
}

impl Order {
    /// All orders with their names in SQL.
    pub const NAMES: [(&'static str, Self); 3] =
        [("ordered", Self::Ordered), ("strict", Self::Strict), ("unordered", Self::Unordered)];
}

/// Which of several entries counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Entry {
    /// The latest before the next step: each entry opens a window of its own.
    #[default]
    Latest,
    /// The first: while its attempt is open, further entries are ignored.
    First,
}

impl Entry {
    /// Both with their names in SQL.
    pub const NAMES: [(&'static str, Self); 2] = [("latest", Self::Latest), ("first", Self::First)];
}

/// What is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Count {
    /// Each person once, by the deepest chain.
    #[default]
    Persons,
    /// Each attempt: a person enters anew after completion, exclusion or the end of the window.
    Totals,
    /// Each session of a person once; a chain never leaves its session.
    Sessions,
}

impl Count {
    /// All with their names in SQL.
    pub const NAMES: [(&'static str, Self); 3] =
        [("persons", Self::Persons), ("totals", Self::Totals), ("sessions", Self::Sessions)];
}

/// Which row's value puts a person in a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ByValue {
    /// The first value that is not NULL among the rows that meet a step.
    #[default]
    First,
    /// The last such value.
    Last,
    /// Every value: rows are divided by it first, and each part is a funnel of its own.
    All,
    /// The value of the chain's row at this step (from 1); a person may be in several groups. Without such a row:
    /// no value.
    Step(usize),
}

/// Rows that must not come after step `from` and before step `to`, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exclusion {
    /// The step after which the exclusion applies.
    pub from: usize,
    /// The step from which on it does not apply any more.
    pub to: usize,
}

/// The rules of one funnel; the same for all persons.
#[derive(Debug, Clone)]
pub struct Rules<W> {
    /// Whether each step is optional. The first and the last never are.
    pub optional: Vec<bool>,
    /// Exclusions; the set of a row holds them behind the steps.
    pub exclusions: Vec<Exclusion>,
    /// See [`Order`].
    pub order: Order,
    /// See [`Ties`]; unordered funnels do not look at it.
    pub ties: Ties,
    /// See [`Entry`].
    pub entry: Entry,
    /// See [`Count`].
    pub count: Count,
    /// See [`ByValue`].
    pub by_value: ByValue,
    /// How long after the entry steps count; no limit if `None`.
    pub window: Option<W>,
    /// How long after a step the next one counts; no limit if `None`.
    pub step_within: Option<W>,
    /// First time at which a chain may start.
    pub entered_from: Option<i64>,
    /// Time from which on no chain may start.
    pub entered_to: Option<i64>,
    /// If chains must not leave a session: how long a session outlives its latest row. Also where rows carry a
    /// session of their own, to tell when it is over.
    pub session_gap: Option<W>,
}

impl<W: Window> Rules<W> {
    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.optional.len()
    }

    /// Words of a row's set of conditions.
    pub fn words(&self) -> usize {
        super::event::words_for(self.steps() + self.exclusions.len())
    }

    /// Whether rows that meet nothing must be kept: they end chains or continue sessions.
    pub fn needs_all_rows(&self) -> bool {
        self.order == Order::Strict || self.session_gap.is_some()
    }

    fn window_end(&self, start: i64) -> i64 {
        self.window.as_ref().map_or(i64::MAX, |window| window.end(start))
    }

    fn step_end(&self, last: i64) -> i64 {
        self.step_within.as_ref().map_or(i64::MAX, |within| within.end(last))
    }

    fn has_optional(&self) -> bool {
        self.optional.contains(&true)
    }
}

/// The rows of one person, ascending by time and, with [`Ties::Order`], by sequence.
///
/// All slices are as long as `times`, `sets` has `words` words for each row: bit s - 1 for step s, behind the steps
/// the exclusions. Equal numbers mean equal values, `None` is NULL. A result does not depend on the order of rows
/// that are equal in everything.
#[derive(Debug, Clone, Copy)]
pub struct PersonRows<'a> {
    /// Times.
    pub times: &'a [i64],
    /// Conditions met.
    pub sets: &'a [u64],
    /// Value of the property that a chain holds constant; rows without a value take no part.
    pub hold: Option<&'a [Option<u32>]>,
    /// Session, if rows carry one; rows without take no part.
    pub session: Option<&'a [Option<u32>]>,
    /// Value that makes groups.
    pub by: Option<&'a [Option<u32>]>,
    /// Start of the interval of entry, for one outcome in each interval.
    pub period: Option<&'a [i64]>,
}

/// One step of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matched {
    /// The step, from 1; in an unordered funnel the how-manieth.
    pub step: usize,
    /// The condition that the row meets, from 1; equal to `step` but in an unordered funnel.
    pub condition: usize,
    /// The row.
    pub row: usize,
}

/// How far one person (attempt, session) came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The reported chain, at least the entry.
    pub chain: Vec<Matched>,
    /// The last instant at which the last step could still be reached; `None` if it is reached or out of reach.
    pub until: Option<i64>,
    /// A row with the value of the group; `None` for the group without a value.
    pub by_row: Option<usize>,
}

impl Outcome {
    /// The last step of the chain.
    pub fn depth(&self) -> usize {
        self.chain.last().map_or(0, |matched| matched.step)
    }

    /// The row that entered.
    pub fn entry_row(&self) -> Option<usize> {
        self.chain.first().map(|matched| matched.row)
    }

    /// The row of the last step reached.
    pub fn last_row(&self) -> Option<usize> {
        self.chain.last().map(|matched| matched.row)
    }
}

#[cfg(test)]
mod tests;
