//! Aggregates that need all rows of a group: kept as columns, put in order, evaluated group by group.
//!
//! An aggregate says which columns of which rows it keeps ([`Call::keep`]) and what a group's rows give
//! ([`Call::evaluate`]); everything between (groups, filters, partial states, merging, emission in parts, memory
//! accounting) is here. Rows reach `evaluate` in the order of their kept columns, first column first, so that no
//! result depends on the order of arrival, on the split into partial states, or on the order of merging.
//!
//! Adding a batch costs a copy of the kept rows; results cost a sort by group, a sort by time of the groups that
//! are out of order, and comparisons of further columns only among rows of one instant. While results are made,
//! the rows exist twice.

mod accumulator;
mod conditions;
mod consecutive;
mod function;
mod lists;
mod numbers;
mod order;
mod rank;
mod rows;
mod state;

pub(crate) use conditions::{condition_columns, rows_that_meet_any};
pub use consecutive::ConsecutiveGroups;
pub(crate) use function::{Buffered, BufferedAggregate, ConstantArguments};
pub(crate) use lists::list;
pub(crate) use numbers::value_numbers;
pub(crate) use order::SortedRows;
pub(crate) use rows::{kept_column, kept_type};

use std::fmt::Debug;

use arrow::array::ArrayRef;
use arrow::buffer::BooleanBuffer;
use datafusion::common::Result;

/// One call of an aggregate: its constants, and what it does with rows.
pub(crate) trait Call: Debug + Send + Sync + 'static {
    /// Name of the function, for messages.
    fn name(&self) -> &'static str;

    /// Reduces a batch of argument columns to what is kept.
    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept>;

    /// Whether the rows of a group must be put in order for [`Self::evaluate`]; if not, they come in any.
    fn needs_order(&self) -> bool {
        true
    }

    /// Returns one value for each group.
    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef>;
}

/// The part of a batch that an aggregate keeps.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The kept columns, as long as the batch, of the types that [`Buffered::kept_types`] tells.
    pub(crate) columns: Vec<ArrayRef>,
    /// The kept rows; all if `None`.
    pub(crate) rows: Option<BooleanBuffer>,
}

#[cfg(test)]
mod tests;
