//! Reports over people: what each person contributes, and what all contributions sum up to.
//!
//! Two aggregates that only table functions use. `PersonCells` runs over the rows of one person and gives a list of
//! contributions ([`cells`]); [`ReportRows`] sums the contributions of all people and gives the rows of the report.
//! The algorithms are in [`journey::retention`](crate::journey::retention); a [`Report`] says which one.

mod by_period;
mod cells;
mod matrix;
mod person;
mod rows;
mod total;

pub(crate) use by_period::{ByPeriod, Kind as ByPeriodKind};
pub(crate) use matrix::Matrix;
pub(crate) use person::person_cells;
pub(crate) use rows::Report;
pub(crate) use total::report_rows;
