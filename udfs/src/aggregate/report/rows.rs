//! Which report it is: what reads one person's rows, and what makes the rows of the answer.

use std::fmt::Debug;

use arrow::array::ArrayRef;
use arrow::buffer::NullBuffer;
use arrow::datatypes::Field;
use datafusion::common::Result;

use super::by_period::ByPeriod;
use super::matrix::Matrix;
use crate::calendar::Clock;
use crate::journey::retention::cells::{Cells, Contribution};
use crate::journey::retention::range::Range;

/// Rows of one group beyond which an answer is refused: it would not fit into memory.
const ROW_LIMIT: usize = 10_000_000;

/// A report with its constants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Report {
    /// `retention_matrix`
    Matrix(Matrix),
    /// `lifecycle`, `stickiness`, `active_users`
    ByPeriod(ByPeriod),
}

impl Report {
    /// Returns what turns rows into contributions.
    pub(super) fn evaluator(&self) -> Result<Box<dyn Evaluator>> {
        match self {
            Self::Matrix(matrix) => matrix.evaluator(),
            Self::ByPeriod(by_period) => by_period.evaluator(),
        }
    }

    /// Columns of the answer.
    pub(super) fn fields(&self) -> Vec<Field> {
        match self {
            Self::Matrix(matrix) => matrix.fields(),
            Self::ByPeriod(by_period) => by_period.fields(),
        }
    }

    /// The answer for the contributions of all people, by group.
    pub(super) fn answer(&self, groups: &[&Cells], seen: Seen) -> Result<Answer> {
        match self {
            Self::Matrix(matrix) => matrix.answer(groups, seen),
            Self::ByPeriod(by_period) => by_period.answer(groups, seen),
        }
    }
}

/// Turns rows into contributions, person by person.
pub(super) trait Evaluator: Debug {
    /// Calls `add` with what one person contributes.
    fn contribute(&mut self, person: &PersonRows, add: &mut dyn FnMut(Contribution));
}

/// Rows of one person, ascending by time, then by group, then by conditions.
#[derive(Debug)]
pub(super) struct PersonRows<'a> {
    pub(super) ticks: &'a [i64],
    conditions: &'a [u64],
    extra: Extra<'a>,
    /// Where the rows begin in `extra`.
    first: usize,
}

/// What else a report reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Extra<'a> {
    None,
    Values(&'a [f64], Option<&'a NullBuffer>),
    Ticks(&'a [i64], Option<&'a NullBuffer>),
}

impl<'a> PersonRows<'a> {
    /// `ticks` and `conditions` are those of one person; `extra` has the rows of all people, this person's from row
    /// `first` on.
    pub(super) fn new(ticks: &'a [i64], conditions: &'a [u64], extra: Extra<'a>, first: usize) -> Self {
        Self { ticks, conditions, extra, first }
    }

    pub(super) fn is_start(&self, row: usize) -> bool {
        self.conditions[row] & 1 != 0
    }

    pub(super) fn in_range(&self, row: usize) -> bool {
        self.conditions[row] & 2 != 0
    }

    pub(super) fn is_return(&self, row: usize) -> bool {
        self.conditions[row] & 4 != 0
    }

    pub(super) fn has_values(&self) -> bool {
        matches!(self.extra, Extra::Values(..))
    }

    /// The value to sum, if the row has one.
    pub(super) fn value(&self, row: usize) -> Option<f64> {
        match self.extra {
            Extra::Values(values, nulls) => valid(values, nulls, self.first + row),
            _ => None,
        }
    }

    /// The other time of the row, if it has one.
    pub(super) fn other_ticks(&self, row: usize) -> Option<i64> {
        match self.extra {
            Extra::Ticks(ticks, nulls) => valid(ticks, nulls, self.first + row),
            _ => None,
        }
    }
}

fn valid<T: Copy>(values: &[T], nulls: Option<&NullBuffer>, row: usize) -> Option<T> {
    nulls.is_none_or(|nulls| nulls.is_valid(row)).then(|| values[row])
}

/// What is known when all people have been seen, in ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Until when the data is known.
    pub(super) horizon: i64,
    /// Begin of the range, inclusive, if it was given.
    pub(super) from: Option<i64>,
    /// End of the range, exclusive, if it was given.
    pub(super) to: Option<i64>,
}

impl Seen {
    /// The same in the periods of `clock`.
    pub(super) fn range(self, clock: &mut Clock) -> Range {
        Range {
            from: self.from.map(|from| clock.index(from)),
            to: self.to.map(|to| clock.index(to.saturating_sub(1))),
            latest: clock.index(self.horizon),
            row_limit: ROW_LIMIT,
        }
    }
}

/// What to do about an answer that is too large.
pub(super) fn too_many_rows() -> String {
    format!(
        "the answer has more than {ROW_LIMIT} rows; give a shorter range with from and to, or a longer period, \
         or look for times that are wrong"
    )
}

/// Rows of the answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// The group of each row.
    pub(super) groups: Vec<usize>,
    /// The columns, as [`Report::fields`] tells.
    pub(super) columns: Vec<ArrayRef>,
}
