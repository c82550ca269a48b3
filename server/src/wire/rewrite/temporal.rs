//! Literals of times and intervals in forms that the engine's parser does not read: `12:00` without seconds, and
//! `1 day 02:03:04`.

use datafusion::sql::sqlparser::ast::{DataType as SqlType, Value, ValueWithSpan};

/// Writes `value`, which is cast to `data_type`, in a form that the engine reads too. What is not recognised stays.
pub(super) fn spell_out(value: &mut ValueWithSpan, data_type: &SqlType) {
    let Value::SingleQuotedString(text) = &mut value.value else { return };
    let spelled = match data_type {
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
    let (before, zone) = text.split_at_checked(16)?;
    Some(format!("{before}:00{zone}"))
}

/// `1 day -02:03:04.5` as `1 day -2 hours -3 minutes -4.5 seconds`; `None` if it has no time of that form.
fn interval(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| word.contains(':'))?;
    let (sign, time) = match words[at].strip_prefix('-') {
        Some(time) => ("-", time),
        None => ("", words[at].strip_prefix('+').unwrap_or(words[at])),
    };
    let parts: Vec<&str> = time.split(':').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !parts.iter().all(is_number) {
        return None;
    }
    let units = match parts.as_slice() {
        [hours, minutes] => format!("{sign}{hours} hours {sign}{minutes} minutes"),
        [hours, minutes, seconds] => {
            format!("{sign}{hours} hours {sign}{minutes} minutes {sign}{seconds} seconds")
        }
        _ => return None,
    };
    let mut spelled: Vec<&str> = words;
    spelled[at] = &units;
    Some(spelled.join(" "))
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
    fn times_in_intervals_are_spelled_out() {
        assert_eq!(interval("1 day 02:03:04.5").unwrap(), "1 day 02 hours 03 minutes 04.5 seconds");
        assert_eq!(interval("-01:30").unwrap(), "-01 hours -30 minutes");
        for other in ["1 day", "a:b", "1:2:3:4"] {
            assert_eq!(interval(other), None, "{other}");
        }
    }
}
