//! Rows of the client on their way into a table: checked, and kept in a file until they are loaded.
//!
//! The file holds one JSON object a line, which the loader reads as it reads any such file: the same identity of rows,
//! the same duplicates, the same layout. It is deleted when the last handle on it goes away.

use std::borrow::Cow;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use datafusion::common::ScalarValue;
use pgwire::api::Type;
use pgwire::api::results::FieldFormat;
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use tempfile::{NamedTempFile, TempPath};

use super::super::{numeric, params};
use crate::error::{error, error_info, sqlstate, user_error};

/// Longest row, as the loader has it.
const MAX_ROW_BYTES: usize = 16 << 20;
/// Bytes of a line or value that an error shows, as in PostgreSQL.
const SHOWN_BYTES: usize = 100;

/// A column of the rows.
#[derive(Debug, Clone)]
pub(crate) struct StageColumn {
    pub name: String,
    pub pg_type: Type,
    pub required: bool,
}

/// Takes rows.
pub(super) struct Stage {
    table: String,
    columns: Vec<StageColumn>,
    /// Required columns that are not among those.
    absent: Option<String>,
    format: FieldFormat,
    time_zone: String,
    file: NamedTempFileWriter,
    rows: u64,
    lines: LineNumbers,
    json: Vec<u8>,
}

type NamedTempFileWriter = BufWriter<NamedTempFile>;

/// Rows that are ready to be loaded.
#[derive(Debug, Clone)]
pub(crate) struct StagedCopy {
    /// The table.
    pub table: String,
    pub rows: u64,
    pub(super) file: Arc<TempPath>,
    lines: Arc<LineNumbers>,
}

impl StagedCopy {
    /// What PostgreSQL says about the place of row `row`, counted from 1.
    pub(super) fn context(&self, row: u64, column: Option<&str>, value: Option<&str>) -> String {
        let mut context = format!("COPY {}, line {}", self.table, self.lines.line_of(row));
        if let Some(column) = column {
            context.push_str(&format!(", column {column}"));
        }
        if let Some(value) = value {
            context.push_str(&format!(": \"{}\"", shortened(value.as_bytes())));
        }
        context
    }
}

/// The lines of rows: one row a line, but for those noted here.
#[derive(Debug, Default)]
struct LineNumbers {
    /// (row, line) from which on lines and rows differ by the same number.
    changes: Vec<(u64, u64)>,
}

impl LineNumbers {
    fn note(&mut self, row: u64, line: u64) {
        if self.line_of(row) != line {
            self.changes.push((row, line));
        }
    }

    fn line_of(&self, row: u64) -> u64 {
        let after = self.changes.partition_point(|(changed, _)| *changed <= row);
        match after.checked_sub(1).map(|index| self.changes[index]) {
            Some((changed, line)) => line + (row - changed),
            None => row,
        }
    }
}

impl Stage {
    /// A stage for rows of `columns`; of the table's `required` ones those that are not among them are absent.
    ///
    /// # Errors
    /// 58030 if the file cannot be created in `dir`.
    pub(super) fn create(
        table: String,
        columns: Vec<StageColumn>,
        absent: Option<String>,
        format: FieldFormat,
        time_zone: String,
        dir: &Path,
    ) -> PgWireResult<Self> {
        let file = tempfile::Builder::new()
            .prefix("wayfare-copy-")
            .suffix(".ndjson")
            .tempfile_in(dir)
            .map_err(|e| cannot_write(&e))?;
        Ok(Self {
            table,
            columns,
            absent,
            format,
            time_zone,
            file: BufWriter::with_capacity(1 << 18, file),
            rows: 0,
            lines: LineNumbers::default(),
            json: Vec::new(),
        })
    }

    /// How many columns a row has.
    pub(super) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Takes the row that ends in `line`, whose text is `raw`.
    ///
    /// # Errors
    /// Values that are not of their column's type, 23502 for a missing one that must be there; the place in the context.
    pub(super) fn row(
        &mut self,
        values: &mut [Option<Cow<'_, [u8]>>],
        line: u64,
        raw: &[u8],
    ) -> PgWireResult<()> {
        let missing = |column: &str| {
            let mut info = error_info(
                sqlstate::NOT_NULL_VIOLATION,
                format!(
                    "null value in column \"{column}\" of relation \"{}\" violates not-null constraint",
                    self.table
                ),
            );
            info.table = Some(self.table.clone());
            info.column = Some(column.to_owned());
            user_error(info)
        };
        if let Some(absent) = &self.absent {
            return Err(self.at_line(missing(absent), line, raw));
        }
        self.json.clear();
        self.json.push(b'{');
        for (index, (column, value)) in self.columns.iter().zip(values.iter_mut()).enumerate() {
            let Some(value) = value.take() else {
                if column.required {
                    return Err(self.at_line(missing(&column.name), line, raw));
                }
                continue;
            };
            let text = match self.text(index, column, &value) {
                Ok(text) => text,
                Err(failure) => return Err(self.at_value(failure, line, column, &value)),
            };
            if self.json.len() > 1 {
                self.json.push(b',');
            }
            write_string(&mut self.json, &column.name)?;
            self.json.push(b':');
            write_string(&mut self.json, &text)?;
        }
        self.json.extend_from_slice(b"}\n");
        self.check_length(self.json.len(), line)?;
        self.rows += 1;
        self.lines.note(self.rows, line);
        self.file.write_all(&self.json).map_err(|e| cannot_write(&e))
    }

    /// A value as the loader reads it.
    fn text<'a>(&self, index: usize, column: &StageColumn, value: &'a [u8]) -> PgWireResult<Cow<'a, str>> {
        let is_text = self.format == FieldFormat::Text;
        if params::is_text(&column.pg_type) {
            return match std::str::from_utf8(value) {
                Ok(text) => Ok(Cow::Borrowed(text)),
                Err(wrong) => {
                    let bytes = &value[wrong.valid_up_to()..];
                    let shown: Vec<String> =
                        bytes.iter().take(4).map(|byte| format!("0x{byte:02x}")).collect();
                    Err(error(
                        sqlstate::CHARACTER_NOT_IN_REPERTOIRE,
                        format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")),
                    ))
                }
            };
        }
        let bytes = Bytes::copy_from_slice(value);
        let decoded = params::decode(index + 1, Some(&bytes), self.format, &column.pg_type, &self.time_zone)?;
        Ok(match decoded {
            ScalarValue::TimestampMicrosecond(Some(micros), _) => {
                let time = DateTime::from_timestamp_micros(micros)
                    .ok_or_else(|| error(sqlstate::DATETIME_FIELD_OVERFLOW, "timestamp out of range"))?;
                Cow::Owned(time.to_rfc3339_opts(SecondsFormat::Micros, true))
            }
            ScalarValue::Decimal128(Some(value), _, scale) => {
                let mut text = bytes::BytesMut::new();
                numeric::put_text(value, scale, &mut text);
                Cow::Owned(String::from_utf8_lossy(&text).into_owned())
            }
            // Written as it came, if it came as text.
            _ if is_text => String::from_utf8_lossy(value),
            other => Cow::Owned(other.to_string()),
        })
    }

    /// Refuses a row that is too long for the loader.
    ///
    /// # Errors
    /// 54000.
    pub(super) fn check_length(&self, bytes: usize, line: u64) -> PgWireResult<()> {
        if bytes <= MAX_ROW_BYTES {
            return Ok(());
        }
        let message = format!("a row of COPY data is longer than {MAX_ROW_BYTES} bytes");
        Err(self.at_row(error(sqlstate::PROGRAM_LIMIT_EXCEEDED, message), line))
    }

    /// Checks the names of a header line.
    ///
    /// # Errors
    /// 22P04.
    pub(super) fn check_header<'a>(
        &self,
        names: impl ExactSizeIterator<Item = &'a [u8]>,
        raw: &[u8],
    ) -> PgWireResult<()> {
        if names.len() != self.columns.len() {
            let message = format!(
                "wrong number of fields in header line: got {}, expected {}",
                names.len(),
                self.columns.len()
            );
            return Err(self.at_line(bad_data(message), 1, raw));
        }
        for (index, (name, column)) in names.zip(&self.columns).enumerate() {
            if name != column.name.as_bytes() {
                let message = format!(
                    "column name mismatch in header line field {}: got \"{}\", expected \"{}\"",
                    index + 1,
                    String::from_utf8_lossy(name),
                    column.name
                );
                return Err(self.at_line(bad_data(message), 1, raw));
            }
        }
        Ok(())
    }

    /// 22P04 for a row that has only `values` values.
    pub(super) fn missing_data(&self, values: usize, line: u64, raw: &[u8]) -> PgWireError {
        let column = self.columns.get(values).map_or("", |column| column.name.as_str());
        self.at_line(bad_data(format!("missing data for column \"{column}\"")), line, raw)
    }

    /// `failure` with the row in its context.
    pub(super) fn at_line(&self, failure: PgWireError, line: u64, raw: &[u8]) -> PgWireError {
        if raw.is_empty() && self.format == FieldFormat::Binary {
            return self.at_row(failure, line);
        }
        with_context(failure, format!("COPY {}, line {line}: \"{}\"", self.table, shortened(raw)))
    }

    /// `failure` with the number of the row in its context.
    pub(super) fn at_row(&self, failure: PgWireError, line: u64) -> PgWireError {
        with_context(failure, format!("COPY {}, line {line}", self.table))
    }

    fn at_value(&self, failure: PgWireError, line: u64, column: &StageColumn, value: &[u8]) -> PgWireError {
        let mut context = format!("COPY {}, line {line}, column {}", self.table, column.name);
        if self.format == FieldFormat::Text {
            context.push_str(&format!(": \"{}\"", shortened(value)));
        }
        with_context(failure, context)
    }

    /// The rows are complete.
    ///
    /// # Errors
    /// 58030 if they cannot be written.
    pub(super) fn finish(self) -> PgWireResult<StagedCopy> {
        let file = self.file.into_inner().map_err(|e| cannot_write(e.error()))?;
        Ok(StagedCopy {
            table: self.table,
            rows: self.rows,
            file: Arc::new(file.into_temp_path()),
            lines: Arc::new(self.lines),
        })
    }
}

/// 22P04.
pub(super) fn bad_data(message: impl Into<String>) -> PgWireError {
    error(sqlstate::BAD_COPY_FILE_FORMAT, message)
}

fn with_context(failure: PgWireError, context: String) -> PgWireError {
    let mut info = ErrorInfo::from(failure);
    info.where_context = Some(context);
    user_error(info)
}

/// Text for a message, cut at a character.
fn shortened(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    if text.len() <= SHOWN_BYTES {
        return text.into_owned();
    }
    let end = (0..=SHOWN_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", &text[..end])
}

fn cannot_write(failure: &std::io::Error) -> PgWireError {
    error(sqlstate::IO_ERROR, format!("cannot keep the rows of COPY in a temporary file: {failure}"))
}

fn write_string(json: &mut Vec<u8>, text: &str) -> PgWireResult<()> {
    serde_json::to_writer(json, text)
        .map_err(|e| error(sqlstate::INTERNAL_ERROR, format!("internal error: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_rows() {
        let mut lines = LineNumbers::default();
        // A header, and row 2 that ends two lines later.
        for (row, line) in [(1, 2), (2, 5), (3, 6), (4, 7), (5, 9)] {
            lines.note(row, line);
        }
        let found: Vec<u64> = (1..=6).map(|row| lines.line_of(row)).collect();
        assert_eq!(found, [2, 5, 6, 7, 9, 10]);
        assert_eq!(lines.changes.len(), 3);
        assert_eq!(LineNumbers::default().line_of(7), 7);
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(shortened(&[b'a'; 101]), format!("{}...", "a".repeat(100)));
        assert_eq!(shortened("ä".repeat(51).as_bytes()), format!("{}...", "ä".repeat(50)));
    }
}
