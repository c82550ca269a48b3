//! What is out of range, in PostgreSQL's words.
//!
//! Arrow and DataFusion name the operation and its operands, PostgreSQL the type. Each text here is provoked by a statement of
//! `tests/it/wire/errors_of_postgres.tsv`; one that no longer matches is told as it is.

use pgwire::error::ErrorInfo;

use super::plan_text::type_name;
use super::{between, error_info, sqlstate};

/// The error that `text`, which [`super::clean`] has been over, is about, if it is about a range.
pub(super) fn known(text: &str) -> Option<ErrorInfo> {
    if let Some(kind) = ["interval", "timestamp", "date"].into_iter().find(|kind| is_temporal(text, kind)) {
        return Some(error_info(sqlstate::DATETIME_FIELD_OVERFLOW, format!("{kind} out of range")));
    }
    let name = whole_number(text)?;
    Some(error_info(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range")))
}

fn is_temporal(text: &str, kind: &str) -> bool {
    match kind {
        "interval" => {
            text == "interval out of range"
                || text.starts_with("Cannot cast to Interval(MonthDayNano). Overflowing on ")
        }
        "timestamp" => {
            text == "Timestamp out of range"
                || text.strip_prefix("Timestamp ").is_some_and(|rest| rest.ends_with(" out of range"))
                || text.contains("to Timestamp(ns): converted value exceeds the representable i64 range")
        }
        _ => text == "date out of range",
    }
}

/// The name of the type of whole numbers that a result does not fit.
fn whole_number(text: &str) -> Option<String> {
    // Int64Array overflow on abs(-9223372036854775808)
    if let Some((array, _)) = text.split_once("Array overflow on abs(") {
        return Some(type_name(array));
    }
    // value of 3000000000 is out of range Int32
    if let Some(rest) = text.strip_prefix("value of ") {
        return rest.split_once(" is out of range ").map(|(_, target)| type_name(target));
    }
    if text.starts_with("Signed integer overflow in ") {
        return Some("bigint".to_owned());
    }
    // Overflow happened on: -32768 / -1
    let least = between(text, "Overflow happened on: ", " / -1")?;
    match least.parse::<i64>().ok()? {
        i64::MIN => Some("bigint".to_owned()),
        value if value == i64::from(i32::MIN) => Some("integer".to_owned()),
        value if value == i64::from(i16::MIN) => Some("smallint".to_owned()),
        _ => None,
    }
}
