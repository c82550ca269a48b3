//! Delimited text with a header line.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::Field;

use super::assemble::{Assembler, ParsedBatch, TextRows};
use super::coded_text::FileColumn;
use super::csv_split::{FieldSpan, RecordShape, Split, Splitter, append_field, detect_delimiter};
use super::json_text::append_string;
use super::options::{InputFormat, ReadOptions};
use super::records::RecordBuffer;
use super::rejected::{Rejected, RowPlace, shorten};
use super::source::SourceFile;
use super::stream::{ByteStream, stream_error};
use super::targets::{Targets, check_distinct, shared};
use super::text_column::TextColumn;
use super::timestamp::TimestampRule;
use crate::load::error::LoadError;

/// Reads one CSV file.
#[derive(Debug)]
pub(super) struct CsvFile {
    records: CsvRecords,
    options: Arc<ReadOptions>,
    assembler: Assembler,
    /// Columns read, in the order in which the assembler knows them, by their place in the file.
    read: Vec<usize>,
    columns: Vec<FileColumn>,
    /// Columns that join `properties`: place in the file, `"name":`.
    extras: Vec<(usize, Vec<u8>)>,
    members: TextColumn,
    rows: TextRows,
    rows_read: u64,
    finished: bool,
}

impl CsvFile {
    /// Reads the header and matches its columns.
    pub(super) fn open(
        stream: ByteStream,
        options: &Arc<ReadOptions>,
        targets: Targets,
        rule: TimestampRule,
    ) -> Result<Self, LoadError> {
        let records = CsvRecords::open(stream, options.max_record_bytes)?;
        let matched = targets.match_columns(&records.path, &records.header)?;
        let mut read = Vec::new();
        let by_target: Vec<Option<usize>> = matched
            .by_target
            .iter()
            .map(|column| {
                column.map(|column| match read.iter().position(|known| *known == column) {
                    Some(place) => place,
                    None => {
                        read.push(column);
                        read.len() - 1
                    }
                })
            })
            .collect();
        let extras = matched.leftovers.iter().map(|column| {
            let mut key = Vec::new();
            append_string(&records.header[*column], &mut key);
            key.push(b':');
            (*column, key)
        });
        let extras = extras.collect();
        // A column that fills several of the table may be more than codes for one of them.
        let is_coded = |place: usize| {
            let fills = by_target.iter().zip(&targets.as_codes).filter(|(column, _)| **column == Some(place));
            fills.map(|(_, as_codes)| as_codes).all(|as_codes| *as_codes)
        };
        let columns =
            (0..read.len()).map(|place| FileColumn::new(options.batch_rows, is_coded(place))).collect();
        let mut assembler = Assembler::new(Arc::clone(&records.path), targets, rule, &by_target)?;
        for (target, column) in matched.by_target.iter().enumerate() {
            if let Some(column) = column {
                assembler.set_name(target, &records.header[*column]);
            }
        }
        Ok(Self {
            records,
            options: Arc::clone(options),
            assembler,
            read,
            columns,
            extras,
            members: TextColumn::with_capacity(options.batch_rows),
            rows: TextRows::default(),
            rows_read: 0,
            finished: false,
        })
    }

    /// The next batch; `None` at the end of the file.
    ///
    /// # Errors
    /// [`LoadError::Input`] if the file has a header only; [`LoadError::Damaged`] and others for what the stream
    /// says. Nothing follows an error.
    pub(super) fn next_batch(&mut self) -> Option<Result<ParsedBatch, LoadError>> {
        if self.finished {
            return None;
        }
        let batch = self.read_batch().transpose();
        self.finished = !matches!(batch, Some(Ok(_)));
        batch
    }

    fn read_batch(&mut self) -> Result<Option<ParsedBatch>, LoadError> {
        self.rows.clear();
        self.records.buffer.keep();
        let mut rejected = Vec::new();
        let begin = self.records.buffer.consumed();
        let bytes_limit = self.options.batch_bytes as u64;
        while self.rows.len() + rejected.len() < self.options.batch_rows
            && self.records.buffer.consumed() - begin < bytes_limit
        {
            if !self.records.next()? {
                break;
            }
            match self.records.problem() {
                Some(problem) => rejected.push(problem),
                None => self.append_row(),
            }
            self.records.consume();
        }
        let count = self.rows.len() + rejected.len();
        if count == 0 {
            if self.rows_read == 0 {
                return Err(LoadError::input(
                    self.records.path.as_ref(),
                    "it has a header but no rows; export it again, or leave it out",
                ));
            }
            return Ok(None);
        }
        self.rows_read += count as u64;
        let too_large =
            |error: arrow::error::ArrowError| LoadError::input(self.records.path.as_ref(), error.to_string());
        let columns: Result<Vec<ArrayRef>, LoadError> =
            self.columns.iter_mut().map(|column| column.finish().map_err(too_large)).collect();
        let members: Option<StringArray> = if self.extras.is_empty() {
            None
        } else {
            Some(self.members.finish().map_err(too_large)?).filter(|m| m.null_count() < m.len())
        };
        let rows = self.rows.with_text(Some(self.records.buffer.kept()));
        self.assembler.assemble(self.rows.len(), &columns?, members.as_ref(), &rows, rejected).map(Some)
    }

    fn append_row(&mut self) {
        let record = self.records.record();
        let fields = &self.records.shape.fields;
        for (column, place) in self.columns.iter_mut().zip(&self.read) {
            let field = fields[*place];
            if field.start == field.end {
                column.push_null();
            } else if field.has_escapes {
                column.push_with(|out| append_field(record, field, out));
            } else {
                column.push(&record[field.start..field.end]);
            }
        }
        if !self.extras.is_empty() {
            self.append_members();
        }
        let start = self.records.buffer.kept_start();
        self.rows.push(RowPlace::Line(self.records.line), start..start + self.records.shape.length);
    }

    fn append_members(&mut self) {
        let record = self.records.record();
        for (place, key) in &self.extras {
            let field = self.records.shape.fields[*place];
            if field.start == field.end {
                continue;
            }
            let separator = self.members.has_open_bytes();
            let out = self.members.open();
            if separator {
                out.push(b',');
            }
            out.extend_from_slice(key);
            let mut unescaped = Vec::new();
            let bytes = if field.has_escapes {
                append_field(record, field, &mut unescaped);
                &unescaped
            } else {
                &record[field.start..field.end]
            };
            // The record was checked to be UTF-8.
            append_string(&String::from_utf8_lossy(bytes), out);
        }
        if self.members.has_open_bytes() {
            self.members.close();
        } else {
            self.members.push_null();
        }
    }
}

/// The records of a CSV file after its header.
#[derive(Debug)]
pub(super) struct CsvRecords {
    file: SourceFile,
    path: Arc<str>,
    buffer: RecordBuffer,
    splitter: Splitter,
    shape: RecordShape,
    /// Physical line in which the current record starts.
    line: u64,
    max_record_bytes: usize,
    /// Names of the columns; a column without a name is called `column_N`.
    pub(super) header: Vec<String>,
}

impl CsvRecords {
    /// Reads the header line.
    pub(super) fn open(stream: ByteStream, max_record_bytes: usize) -> Result<Self, LoadError> {
        let (file, buffer) = RecordBuffer::open(stream, InputFormat::Csv)?;
        let mut records = Self {
            path: shared(&file.display),
            splitter: Splitter::new(detect_delimiter(buffer.pending().trim_ascii_start())),
            buffer,
            shape: RecordShape::default(),
            line: 1,
            max_record_bytes,
            header: Vec::new(),
            file,
        };
        if !records.next()? {
            return Err(LoadError::input(records.path.as_ref(), "it is empty: expected a header line"));
        }
        records.header = records.parse_header()?;
        records.consume();
        check_distinct(&records.path, &records.header)?;
        Ok(records)
    }

    fn parse_header(&self) -> Result<Vec<String>, LoadError> {
        let record = self.record();
        let mut names = Vec::with_capacity(self.shape.fields.len());
        for (index, field) in self.shape.fields.iter().enumerate() {
            let mut name = Vec::new();
            append_field(record, *field, &mut name);
            let name = String::from_utf8(name).map_err(|_| {
                LoadError::input(
                    self.path.as_ref(),
                    format!(
                        "the header (line {}) is not valid UTF-8 in column {}; convert the file to UTF-8",
                        self.line,
                        index + 1
                    ),
                )
            })?;
            let name = name.trim();
            names.push(if name.is_empty() { format!("column_{}", index + 1) } else { name.to_owned() });
        }
        if names.first().is_some_and(|name| name.starts_with('{')) {
            return Err(LoadError::input(
                self.path.as_ref(),
                "its first line is a JSON object, not a CSV header; use --format ndjson",
            ));
        }
        Ok(names)
    }

    /// Moves to the next record that is not a blank line; false at the end.
    fn next(&mut self) -> Result<bool, LoadError> {
        loop {
            let window = self.buffer.pending();
            let at_end = self.buffer.at_end();
            if window.is_empty() && at_end {
                return Ok(false);
            }
            let split = if window.is_empty() {
                Split::Incomplete
            } else {
                self.splitter.split(window, at_end, &mut self.shape)
            };
            match split {
                Split::Record if self.shape.length == 0 => self.consume(),
                Split::Record if self.shape.length > self.max_record_bytes => return Err(self.too_long()),
                Split::Record => return Ok(true),
                Split::Incomplete if self.buffer.pending().len() > self.max_record_bytes => {
                    return Err(self.too_long());
                }
                Split::Incomplete => self.fill()?,
                Split::OpenQuote => {
                    return Err(LoadError::damaged(
                        self.path.as_ref(),
                        format!("at line {}", self.line),
                        "a quote is opened in this record and never closed; close it, or double a quote that is part of the text",
                    ));
                }
            }
        }
    }

    fn fill(&mut self) -> Result<(), LoadError> {
        self.buffer.fill().map_err(|error| {
            let place = match self.line {
                1 => "at its start".to_owned(),
                line => format!("after line {}", line - 1),
            };
            stream_error(&self.file, &place, error)
        })
    }

    fn too_long(&self) -> LoadError {
        LoadError::damaged(
            self.path.as_ref(),
            format!("at line {}", self.line),
            format!(
                "the record that starts here is longer than {} bytes; look for a quote that is never closed",
                self.max_record_bytes
            ),
        )
    }

    fn consume(&mut self) {
        self.buffer.consume(self.shape.consumed);
        self.line += self.shape.line_ends;
    }

    /// The current record without its line end.
    fn record(&self) -> &[u8] {
        &self.buffer.pending()[..self.shape.length]
    }

    /// What is wrong with the current record as a whole.
    fn problem(&self) -> Option<Rejected> {
        let record = self.record();
        let fields = &self.shape.fields;
        let (column, value, reason) = if fields.len() != self.header.len() {
            let reason = format!("has {}, the header has {}", count_fields(fields.len()), self.header.len());
            (None, None, reason)
        } else if let Some(field) = self.shape.text_after_quote {
            let reason =
                "there is text after the closing quote; double a quote that is part of the text".to_owned();
            (Some(self.header[field - 1].clone()), None, reason)
        } else if !record.is_ascii() {
            let is_wrong = |field: &FieldSpan| std::str::from_utf8(&record[field.start..field.end]).is_err();
            let wrong = fields.iter().position(is_wrong)?;
            let value = String::from_utf8_lossy(&record[fields[wrong].start..fields[wrong].end]);
            let reason = "not valid UTF-8; convert the file to UTF-8".to_owned();
            (Some(self.header[wrong].clone()), Some(shorten(&value)), reason)
        } else {
            return None;
        };
        Some(Rejected {
            file: Arc::clone(&self.path),
            place: RowPlace::Line(self.line),
            column,
            value,
            reason,
            raw: String::from_utf8_lossy(record).into_owned(),
        })
    }
}

fn count_fields(count: usize) -> String {
    if count == 1 { "1 field".to_owned() } else { format!("{count} fields") }
}

/// The columns of a CSV file, all text.
pub(super) fn csv_columns(stream: ByteStream, options: &ReadOptions) -> Result<Vec<Field>, LoadError> {
    let records = CsvRecords::open(stream, options.max_record_bytes)?;
    let text = |name: &String| Field::new(name, arrow::datatypes::DataType::Utf8, true);
    Ok(records.header.iter().map(text).collect())
}

/// A reader over bytes in memory, for tests.
#[cfg(test)]
pub(super) fn stream_of(file: &SourceFile, bytes: &[u8]) -> ByteStream {
    let inner: Box<dyn std::io::Read + Send> = Box::new(std::io::Cursor::new(bytes.to_vec()));
    ByteStream { file: file.clone(), reader: std::io::BufReader::new(inner), passed: Arc::default() }
}

#[cfg(test)]
mod tests;
