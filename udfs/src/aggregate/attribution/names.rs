//! Names of conversions that have no id of their own.

use arrow::datatypes::DataType;

use super::layout::People;
use crate::journey::attribution::mark;
use crate::session::session_start;

/// The part of a conversion's name behind the person and `@`: its time, and `#2`, `#3` ... for further conversions of
/// the person at that instant. `first` is the person's first row.
pub(super) fn conversion_name(people: &People, first: usize, row: usize, ts: &DataType) -> String {
    let time = people.times[row];
    let same_instant = (first..row).rev().take_while(|before| people.times[*before] == time);
    let before = same_instant.filter(|before| people.marks[*before] & mark::CONVERSION != 0).count();
    session_start(time, i64::try_from(before + 1).unwrap_or(i64::MAX), ts)
}
