//! Time between two times, as results show it.

use arrow::datatypes::DataType;

use crate::length::tick_unit;

/// Type of a span of times of type `ts`: seconds, or the unit of an integer.
pub(crate) fn data_type(ts: &DataType) -> DataType {
    if *ts == DataType::Int64 { DataType::Int64 } else { DataType::Float64 }
}

/// Ticks from `from` to `to`; `None` if there are more than fit.
pub(crate) fn ticks(from: i64, to: i64) -> Option<i64> {
    to.checked_sub(from)
}

/// Seconds from `from` to `to`, rounded to the nearest DOUBLE.
pub(crate) fn seconds(from: i64, to: i64, ts: &DataType) -> f64 {
    let per_second = per_second(ts);
    let ticks = i128::from(to) - i128::from(from);
    #[expect(clippy::cast_precision_loss, reason = "a DOUBLE is what is asked for")]
    let seconds = ticks as f64 / per_second as f64;
    seconds
}

/// Whole seconds from `from` to `to`, rounded down; the most that fits if there are more.
pub(crate) fn whole_seconds(from: i64, to: i64, ts: &DataType) -> i64 {
    let ticks = i128::from(to) - i128::from(from);
    i64::try_from(ticks.div_euclid(i128::from(per_second(ts)))).unwrap_or(i64::MAX)
}

/// An integer counts as it is.
fn per_second(ts: &DataType) -> i64 {
    match ts {
        DataType::Timestamp(unit, _) => tick_unit(*unit).per_second(),
        _ => 1,
    }
}
