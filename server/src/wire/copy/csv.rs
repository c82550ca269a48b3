//! Reads the CSV format: values may be quoted, and quoted ones may hold line ends.

use std::borrow::Cow;

use pgwire::error::PgWireResult;

use super::options::{CopyOptions, Header};
use super::stage::{Stage, bad_data};

/// Reads records as they come in pieces.
#[derive(Debug)]
pub(super) struct CsvReader {
    options: CopyOptions,
    force_null: Vec<bool>,
    force_not_null: Vec<bool>,
    pending: Vec<u8>,
    /// Bytes of `pending` that hold no record end.
    scanned: usize,
    in_quotes: bool,
    /// Lines before the current record, and inside it so far.
    line: u64,
    inner_lines: u64,
    records: u64,
    ended: bool,
}

impl CsvReader {
    /// A reader of rows with these columns.
    pub(super) fn new(options: CopyOptions, columns: &[String]) -> Self {
        let force_null = columns.iter().map(|column| options.force_null.has(column)).collect();
        let force_not_null = columns.iter().map(|column| options.force_not_null.has(column)).collect();
        Self {
            options,
            force_null,
            force_not_null,
            pending: Vec::new(),
            scanned: 0,
            in_quotes: false,
            line: 0,
            inner_lines: 0,
            records: 0,
            ended: false,
        }
    }

    /// Takes more bytes and stages the rows that they complete.
    ///
    /// # Errors
    /// 22P04 and what [`Stage::row`] answers.
    pub(super) fn feed(&mut self, bytes: &[u8], stage: &mut Stage) -> PgWireResult<()> {
        self.pending.extend_from_slice(bytes);
        let CopyOptions { quote, escape, .. } = self.options;
        let mut start = 0;
        let mut at = self.scanned;
        while at < self.pending.len() && !self.ended {
            let byte = self.pending[at];
            if self.in_quotes && byte == escape && escape != quote {
                if at + 1 == self.pending.len() {
                    break;
                }
                let escapes = self.pending[at + 1] == quote || self.pending[at + 1] == escape;
                at += if escapes { 2 } else { 1 };
                continue;
            }
            if byte == quote {
                self.in_quotes = !self.in_quotes;
            } else if byte == b'\n' {
                if self.in_quotes {
                    self.inner_lines += 1;
                } else {
                    let record = self.pending[start..at].to_vec();
                    self.read_record(&record, stage)?;
                    start = at + 1;
                }
            }
            at += 1;
        }
        self.pending.drain(..start);
        self.scanned = at - start;
        stage.check_length(self.pending.len(), self.line + 1)
    }

    /// The data has ended: what is left is the last record.
    ///
    /// # Errors
    /// As [`Self::feed`]; 22P04 for an open quote.
    pub(super) fn finish(&mut self, stage: &mut Stage) -> PgWireResult<()> {
        let record = std::mem::take(&mut self.pending);
        if record.is_empty() || self.ended {
            return Ok(());
        }
        if self.in_quotes {
            return Err(stage.at_line(bad_data("unterminated CSV quoted field"), self.line + 1, &record));
        }
        self.read_record(&record, stage)
    }

    fn read_record(&mut self, record: &[u8], stage: &mut Stage) -> PgWireResult<()> {
        self.line += 1 + std::mem::take(&mut self.inner_lines);
        self.records += 1;
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        if record == b"\\." {
            self.ended = true;
            return Ok(());
        }
        let mut values = self.values(record);
        if self.records == 1 && self.options.header != Header::Off {
            if self.options.header == Header::Match {
                let names = values.iter().map(|value| value.as_deref().unwrap_or_default());
                stage.check_header(names, record)?;
            }
            return Ok(());
        }
        let columns = stage.columns();
        if values.len() < columns {
            return Err(stage.missing_data(values.len(), self.line, record));
        }
        if values.len() > columns {
            return Err(stage.at_line(bad_data("extra data after last expected column"), self.line, record));
        }
        stage.row(&mut values, self.line, record)
    }

    fn values<'a>(&self, record: &'a [u8]) -> Vec<Option<Cow<'a, [u8]>>> {
        let CopyOptions { quote, escape, delimiter, .. } = self.options;
        let mut values = Vec::new();
        let mut at = 0;
        loop {
            let start = at;
            let mut value: Option<Vec<u8>> = None;
            let mut in_quotes = false;
            while at < record.len() && (in_quotes || record[at] != delimiter) {
                let byte = record[at];
                let follows = record.get(at + 1).copied();
                let is_escape = in_quotes
                    && byte == escape
                    && follows.is_some_and(|next| next == quote || next == escape);
                if is_escape {
                    value.get_or_insert_default().extend(follows);
                    at += 2;
                    continue;
                }
                if byte == quote {
                    // What came before the first quote was plain.
                    value.get_or_insert_with(|| record[start..at].to_vec());
                    in_quotes = !in_quotes;
                } else if let Some(value) = &mut value {
                    value.push(byte);
                }
                at += 1;
            }
            values.push(self.value(values.len(), &record[start..at], value));
            if at >= record.len() {
                return values;
            }
            at += 1;
        }
    }

    /// The value of one column: `raw` as it stands, `unquoted` if it has quotes.
    fn value<'a>(&self, column: usize, raw: &'a [u8], unquoted: Option<Vec<u8>>) -> Option<Cow<'a, [u8]>> {
        let forced = |columns: &[bool]| columns.get(column).copied().unwrap_or(false);
        let null = self.options.null.as_bytes();
        match unquoted {
            Some(value) if value == null && forced(&self.force_null) => None,
            Some(value) => Some(Cow::Owned(value)),
            None if raw == null && !forced(&self.force_not_null) => None,
            None => Some(Cow::Borrowed(raw)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::{Chosen, CopyFormat};
    use super::*;

    fn reader(change: impl FnOnce(&mut CopyOptions)) -> CsvReader {
        let mut options = CopyOptions {
            format: CopyFormat::Csv,
            delimiter: b',',
            null: String::new(),
            ..CopyOptions::default()
        };
        change(&mut options);
        CsvReader::new(options, &["a".to_owned(), "b".to_owned()])
    }

    fn values(reader: &CsvReader, record: &str) -> Vec<Option<String>> {
        let values = reader.values(record.as_bytes()).into_iter();
        values.map(|value| value.map(|value| String::from_utf8(value.into_owned()).unwrap())).collect()
    }

    fn some(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    #[test]
    fn quotes_nulls_and_delimiters() {
        let plain = reader(|_| {});
        assert_eq!(values(&plain, "1,\"a,\"\"b\",,\"\""), [some("1"), some("a,\"b"), None, some("")]);
        assert_eq!(values(&plain, "x\"y,z\"w"), [some("xy,zw")]);
        let escaped = reader(|options| options.escape = b'\\');
        assert_eq!(values(&escaped, "\"a\\\"b\\c\""), [some("a\"b\\c")]);
        let forced = reader(|options| {
            options.null = "x".to_owned();
            options.force_not_null = Chosen::Named(vec!["b".to_owned()]);
            options.force_null = Chosen::Named(vec!["a".to_owned()]);
        });
        assert_eq!(values(&forced, "\"x\",x"), [None, some("x")]);
    }
}
