//! A row that cannot be loaded: where it stands, what it holds and why.

use std::fmt;
use std::sync::Arc;

/// Values in messages are cut to this many characters; the whole row stays in [`Rejected::raw`].
const SHOWN_CHARS: usize = 80;

/// Where a row stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowPlace {
    /// CSV and JSON lines: the physical line, from 1, in which the record starts. Header, blank lines and line
    /// breaks inside quotes count.
    Line(u64),
    /// Parquet, Avro and JSON arrays: the number of the row or element in the file, from 1.
    Row(u64),
}

impl RowPlace {
    /// The line or row number.
    pub fn number(self) -> u64 {
        match self {
            Self::Line(number) | Self::Row(number) => number,
        }
    }
}

impl fmt::Display for RowPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Row(number) => write!(f, "row {number}"),
        }
    }
}

/// One row that was not loaded. Only its first problem, in column order, is told.
///
/// Holds personal data (`value`, `raw`): it may go to the user's terminal and rejects file, never into a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// Line or row number.
    pub place: RowPlace,
    /// The column of the file; `None` where the row as a whole is wrong.
    pub column: Option<String>,
    /// The value, cut to 80 characters; `None` where it is missing.
    pub value: Option<String>,
    /// What is wrong, and what to do where that is not plain.
    pub reason: String,
    /// The row as it stands in the file; for Parquet the columns read, as one JSON object. Bytes that are not
    /// UTF-8 are shown as U+FFFD.
    pub raw: String,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.file, self.place)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column:?}")?;
        }
        if let Some(value) = &self.value {
            write!(f, ", value {value:?}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Cuts a value for a message.
pub(super) fn shorten(value: &str) -> String {
    match value.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_file_line_column_value_and_reason() {
        let rejected = Rejected {
            file: "a.csv".into(),
            place: RowPlace::Line(7),
            column: Some("time".to_owned()),
            value: Some("yesterday".to_owned()),
            reason: "not a timestamp".to_owned(),
            raw: String::new(),
        };
        assert_eq!(
            rejected.to_string(),
            r#""a.csv" line 7, column "time", value "yesterday": not a timestamp"#
        );
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        assert_eq!(shorten(&"ä".repeat(80)), "ä".repeat(80));
        assert_eq!(shorten(&"ä".repeat(81)), format!("{}...", "ä".repeat(80)));
    }
}
