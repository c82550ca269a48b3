//! Literals of times and intervals in forms that the engine's planner does not read, which needs some of them before
//! casts are run: `12:00` without seconds, `1 day 02:03:04`.

use datafusion::sql::sqlparser::ast::{DataType as SqlType, TimezoneInfo, Value, ValueWithSpan};

use crate::postgres::{interval_in, time_in};

/// Writes `value`, which is cast to `data_type`, in a form that the engine reads too. What is not recognised stays.
///
/// Times that nanoseconds since 1970 do not reach get microseconds as their type.
pub(super) fn spell_out(value: &mut ValueWithSpan, data_type: &mut SqlType) {
    let Value::SingleQuotedString(text) = &mut value.value else { return };
    let spelled = match data_type {
        SqlType::Timestamp(precision @ None, zone) => {
            let zoned = matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone);
            // The zone of a text without one makes no difference to whether it is that far away.
            if time_in::timestamp(text).is_ok_and(|micros| micros.checked_mul(1_000).is_none()) {
                *precision = Some(6);
            }
            if zoned { None } else { with_seconds(text) }
        }
        SqlType::Timestamp(..) | SqlType::TimestampNtz(_) | SqlType::Datetime(_) => with_seconds(text),
        SqlType::Interval { .. } => interval(text),
        _ => None,
    };
    if let Some(spelled) = spelled {
        *text = spelled;
    }
}

/// `2024-01-31 12:00+02` with `:00` behind its minutes; `None` if it has seconds, or is nothing of the kind.
fn with_seconds(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    let has_minutes = bytes.get(10).is_some_and(|byte| matches!(byte, b' ' | b'T'))
        && [11, 12, 14, 15].into_iter().all(is_digit)
        && bytes.get(13) == Some(&b':');
    if !has_minutes || !matches!(bytes.get(16), None | Some(b'+' | b'-' | b'Z' | b' ')) {
        return None;
    }
    // The error for what is no time shows the text as it was written.
    time_in::timestamp(text).ok()?;
    let (before, zone) = text.split_at_checked(16)?;
    Some(format!("{before}:00{zone}"))
}

/// An interval by its parts: `1 day -02:03:04.5` as `0 months 1 days -7384.500000 seconds`.
fn interval(text: &str) -> Option<String> {
    let interval = interval_in::interval(text).ok()?;
    let micros = interval.nanoseconds / 1_000;
    let sign = if micros < 0 { "-" } else { "" };
    let (seconds, fraction) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let (months, days) = (interval.months, interval.days);
    Some(format!("{months} months {days} days {sign}{seconds}.{fraction:06} seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_added_where_they_are_missing() {
        assert_eq!(with_seconds("2024-01-31 12:00").unwrap(), "2024-01-31 12:00:00");
        assert_eq!(with_seconds("2024-01-31T12:00+02").unwrap(), "2024-01-31T12:00:00+02");
        for other in ["2024-01-31", "2024-01-31 12:00:00", "2024-01-31 1:00", "soon"] {
            assert_eq!(with_seconds(other), None, "{other}");
        }
    }

    #[test]
    fn intervals_are_spelled_out() {
        assert_eq!(interval("1 day -02:03:04.5").unwrap(), "0 months 1 days -7384.500000 seconds");
        assert_eq!(interval("1-2").unwrap(), "14 months 0 days 0.000000 seconds");
        assert_eq!(interval("soon"), None);
        for text in ["1 day -02:03:04.5", "1-2", "-00:00:00.000001", "3 mons -4 days 100:00:00"] {
            let spelled = interval(text).unwrap();
            assert_eq!(interval_in::interval(&spelled), interval_in::interval(text), "{spelled}");
        }
    }
}
