//! Reports over people: what each person contributes, and what all contributions sum up to.
//!
//! Two aggregates that only table functions use. [`person_cells`] runs over the rows of each person and gives lists of
//! contributions ([`cells`]); [`report_rows`] sums them up and gives the rows of the report.
//! The algorithms are in [`journey::retention`](crate::journey::retention); a [`Report`] says which one.

mod by_period;
mod cells;
mod groups;
mod matrix;
mod person;
mod rows;
mod total;

pub(crate) use by_period::{ByPeriod, Kind as ByPeriodKind};
pub(crate) use matrix::Matrix;
pub(crate) use person::person_cells;
pub(crate) use rows::Report;
pub(crate) use total::report_rows;
