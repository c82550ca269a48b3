//! Names of sessions.

use std::fmt::Write;

use arrow::datatypes::{
    DataType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow::temporal_conversions::as_datetime;

use crate::journey::session::SessionPlace;

/// Returns the name of a session: the person, `@`, and the start in UTC; `#2`, `#3` ... for further
/// sessions that start at the same instant.
///
/// Nothing before the session enters it, so it stays the same when other sessions of the person come or
/// go. The part behind the last `@` has no `@`: different persons never share a name.
pub(crate) fn session_id(person: &str, place: &SessionPlace, ts: &DataType) -> String {
    let mut id = format!("{person}@");
    push_start(&mut id, place.start, place.ordinal, ts);
    id
}

/// The part of [`session_id`] behind the `@`.
pub(crate) fn session_start(start: i64, ordinal: i64, ts: &DataType) -> String {
    let mut id = String::new();
    push_start(&mut id, start, ordinal, ts);
    id
}

fn push_start(id: &mut String, start: i64, ordinal: i64, ts: &DataType) {
    let (time, format) = match ts {
        DataType::Timestamp(TimeUnit::Second, _) => (as_datetime::<TimestampSecondType>(start), MICROS),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            (as_datetime::<TimestampMillisecondType>(start), MICROS)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            (as_datetime::<TimestampMicrosecondType>(start), MICROS)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            (as_datetime::<TimestampNanosecondType>(start), NANOS)
        }
        _ => (None, MICROS),
    };
    // Integers, and times beyond the calendar, as they are. Writing to a text does not fail.
    let _ = match time {
        Some(time) => write!(id, "{}", time.format(format)),
        None => write!(id, "{start}"),
    };
    if ordinal > 1 {
        let _ = write!(id, "#{ordinal}");
    }
}

/// Seconds and milliseconds are written as microseconds: the same instant, the same name.
const MICROS: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";
const NANOS: &str = "%Y-%m-%dT%H:%M:%S%.9fZ";
