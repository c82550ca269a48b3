//! How input files are read: format, column mapping, constants, time zone, limits.

use std::str::FromStr;

use chrono_tz::Tz;

use super::preset::Preset;
use crate::load::error::LoadError;

/// Largest value of [`ReadOptions::batch_bytes`] and [`ReadOptions::max_record_bytes`]: keeps the text of one
/// batch, escaped as JSON in the worst case, below the 2 GiB that 32-bit offsets can address.
pub const MAX_BUFFER_BYTES: usize = 128 << 20;

/// Format of an input file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InputFormat {
    /// Delimited text with a header line; the delimiter (`,`, `;` or tab) is taken from the header.
    Csv,
    /// JSON objects: one per line, or the elements of one array.
    Ndjson,
    /// Apache Parquet.
    Parquet,
    /// Apache Avro: an object container file.
    Avro,
}

impl InputFormat {
    /// The name that `--format` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "json",
            Self::Parquet => "parquet",
            Self::Avro => "avro",
        }
    }
}

impl FromStr for InputFormat {
    type Err = LoadError;

    fn from_str(text: &str) -> Result<Self, LoadError> {
        match text.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Ok(Self::Csv),
            "ndjson" | "jsonl" | "json" => Ok(Self::Ndjson),
            "parquet" => Ok(Self::Parquet),
            "avro" => Ok(Self::Avro),
            _ => Err(LoadError::Argument(format!(
                "unknown format {text:?}: use csv, ndjson, json, parquet or avro"
            ))),
        }
    }
}

/// What happens to columns of a file that are no touchpoint columns and are not mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ExtraColumns {
    /// They become keys of the JSON object in `properties`.
    #[default]
    Properties,
    /// They become columns of the table.
    Columns,
    /// The load is refused.
    Error,
}

impl FromStr for ExtraColumns {
    type Err = LoadError;

    fn from_str(text: &str) -> Result<Self, LoadError> {
        match text.to_ascii_lowercase().as_str() {
            "properties" => Ok(Self::Properties),
            "columns" => Ok(Self::Columns),
            "error" => Ok(Self::Error),
            _ => Err(LoadError::Argument(format!(
                "unknown treatment of extra columns {text:?}: use properties, columns or error"
            ))),
        }
    }
}

/// What a timestamp that is written as a number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NumericTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    Seconds,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Millis,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Micros,
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    Nanos,
    /// The digits of a date, `20240131`: midnight in the zone of times without an offset.
    CompactDate,
}

impl FromStr for NumericTime {
    type Err = LoadError;

    fn from_str(text: &str) -> Result<Self, LoadError> {
        match text.to_ascii_lowercase().as_str() {
            "s" | "seconds" => Ok(Self::Seconds),
            "ms" | "millis" | "milliseconds" => Ok(Self::Millis),
            "us" | "µs" | "micros" | "microseconds" => Ok(Self::Micros),
            "ns" | "nanos" | "nanoseconds" => Ok(Self::Nanos),
            "yyyymmdd" => Ok(Self::CompactDate),
            _ => Err(LoadError::Argument(format!(
                "unknown timestamp unit {text:?}: use s, ms, us, ns or yyyymmdd"
            ))),
        }
    }
}

/// How input files are read. The default reads files whose columns have canonical names, naive times in UTC.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Format of all files; `None` takes it from each file's content and name.
    pub format: Option<InputFormat>,
    /// The tool whose export the files are; its fields fill the columns.
    pub preset: Option<Preset>,
    /// (table column, column of the file): the file's column fills the table column, under no other name.
    pub mapping: Vec<(String, String)>,
    /// (table column, text of the value in every row).
    pub constants: Vec<(String, String)>,
    /// Treatment of the columns that remain.
    pub extra: ExtraColumns,
    /// Meaning of numeric timestamps; `None` takes a unit since the epoch from each value's magnitude.
    pub ts_unit: Option<NumericTime>,
    /// Zone of times without an offset.
    pub time_zone: Tz,
    /// Rows per batch, at most.
    pub batch_rows: usize,
    /// Text per batch after which it is handed on even with fewer rows, at most [`MAX_BUFFER_BYTES`].
    pub batch_bytes: usize,
    /// Longest record of a text file after decompression, at most [`MAX_BUFFER_BYTES`]; longer ones end the
    /// load, since they are bombs, binary data or a quote that is never closed.
    pub max_record_bytes: usize,
    /// Stored bytes of the columns of a Parquet row group that are kept of a local file, at most; what is larger is read page by
    /// page, after the file has been read once to identify it. Of objects they are kept whatever they come to.
    pub group_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            format: None,
            preset: None,
            mapping: Vec::new(),
            constants: Vec::new(),
            extra: ExtraColumns::default(),
            ts_unit: None,
            time_zone: Tz::UTC,
            batch_rows: 4096,
            batch_bytes: 64 << 20,
            max_record_bytes: 16 << 20,
            group_bytes: 64 << 20,
        }
    }
}

impl ReadOptions {
    /// Checks the limits and what a preset allows; column names are checked where the files are known.
    pub(super) fn check_limits(&self) -> Result<(), LoadError> {
        let limits = [
            ("batch_bytes", self.batch_bytes, MAX_BUFFER_BYTES),
            ("max_record_bytes", self.max_record_bytes, MAX_BUFFER_BYTES),
            ("batch_rows", self.batch_rows, 1 << 20),
        ];
        for (name, value, limit) in limits {
            if value == 0 || value > limit {
                return Err(LoadError::Argument(format!("{name} is {value}: it must be from 1 to {limit}")));
            }
        }
        match self.preset {
            Some(preset) => preset.check(self),
            None => Ok(()),
        }
    }
}

/// Parses the argument of `--timezone`: a name of the IANA data base such as `Europe/Berlin`.
///
/// # Errors
/// [`LoadError::Argument`] for a name that is not in the data base.
pub fn parse_time_zone(name: &str) -> Result<Tz, LoadError> {
    name.trim().parse().map_err(|_| {
        LoadError::Argument(format!("unknown time zone {name:?}: use a name such as UTC or Europe/Berlin"))
    })
}

/// Parses the argument of `--map` and `--set`: `name=value,name=value`.
///
/// White space around names and values is dropped. A name or value in double quotes may hold commas, equals
/// signs and white space; `""` stands for a quote inside. Order is kept; repeated names are found later.
///
/// # Errors
/// [`LoadError::Argument`] for an item without `=`, with an empty name, or with an open quote.
pub fn parse_assignments(text: &str) -> Result<Vec<(String, String)>, LoadError> {
    let mut assignments = Vec::new();
    for item in split_outside_quotes(text, ',') {
        if item.trim().is_empty() {
            continue;
        }
        let mut parts = split_outside_quotes(item, '=').into_iter();
        let name = parts.next().unwrap_or_default();
        // Only the first sign separates: `--set page=/search?q=x` needs no quotes.
        let value = item.get(name.len() + 1..);
        let (name, value) = match (unquote(name), value.map(unquote)) {
            (Some(name), Some(Some(value))) if !name.is_empty() => (name, value),
            _ => {
                return Err(LoadError::Argument(format!(
                    "cannot read {:?} in {text:?}: write NAME=VALUE, several separated by commas",
                    item.trim()
                )));
            }
        };
        assignments.push((name, value));
    }
    Ok(assignments)
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        if c == '"' {
            quoted = !quoted;
        } else if c == separator && !quoted {
            parts.push(&text[start..at]);
            start = at + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The text without white space around it and, if it is quoted, without its quotes; `None` for a lone quote.
fn unquote(text: &str) -> Option<String> {
    let text = text.trim();
    match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').map(|inner| inner.replace("\"\"", "\"")),
        None => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse_assignments(text).expect("assignments")
    }

    #[test]
    fn assignments_keep_order_and_trim() {
        let expected = [("user_id", "customer"), ("ts", "time")];
        let expected: Vec<_> = expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        assert_eq!(pairs(" user_id = customer , ts=time,"), expected);
        assert_eq!(pairs(""), Vec::new());
    }

    #[test]
    fn quotes_hold_separators() {
        let expected = vec![("campaign".to_owned(), "a,b = \"c\"".to_owned())];
        assert_eq!(pairs(r#"campaign="a,b = ""c""""#), expected);
        assert_eq!(pairs("page=/s?q=x")[0].1, "/s?q=x");
        assert_eq!(pairs("page=")[0].1, "");
    }

    #[test]
    fn an_item_without_a_sign_is_named() {
        for text in ["user_id", "=x", "a=\"x"] {
            let error = parse_assignments(text).expect_err("refused").to_string();
            assert!(error.contains("NAME=VALUE"), "{error}");
        }
    }

    #[test]
    fn names_of_options_parse() {
        assert_eq!("us".parse::<NumericTime>().expect("unit"), NumericTime::Micros);
        assert_eq!("yyyymmdd".parse::<NumericTime>().expect("unit"), NumericTime::CompactDate);
        assert_eq!("CSV".parse::<InputFormat>().expect("format"), InputFormat::Csv);
        assert_eq!("columns".parse::<ExtraColumns>().expect("extra"), ExtraColumns::Columns);
        assert!("orc".parse::<InputFormat>().is_err());
        assert_eq!(parse_time_zone("Europe/Berlin").expect("zone"), Tz::Europe__Berlin);
        let error = parse_time_zone("Mars/Base").expect_err("refused").to_string();
        assert!(error.contains("Mars/Base"), "{error}");
    }

    #[test]
    fn limits_are_checked() {
        let options = ReadOptions { batch_rows: 0, ..ReadOptions::default() };
        assert!(options.check_limits().is_err());
        assert!(ReadOptions::default().check_limits().is_ok());
    }
}
