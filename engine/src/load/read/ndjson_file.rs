//! One JSON object per line.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::assemble::{Assembler, ParsedBatch, TextRows};
use super::json_text::{Keys, append_compact, parse_message};
use super::ndjson_keys::KeyTable;
use super::options::{InputFormat, ReadOptions};
use super::records::{RecordBuffer, find_byte};
use super::rejected::{Rejected, RowPlace, shorten};
use super::sniff::{BYTE_ORDER_MARK, mistaken_format};
use super::source::SourceFile;
use super::stream::{ByteStream, open_stream, stream_error};
use super::targets::{KeyUse, Targets, shared};
use super::text_column::TextColumn;
use super::timestamp::TimestampRule;
use crate::load::error::LoadError;
use crate::schema;

/// Most extra columns that the keys of NDJSON files may make.
const MAX_EXTRA_KEYS: usize = 1_000;

/// Reads one NDJSON file.
#[derive(Debug)]
pub(super) struct NdjsonFile {
    lines: Lines,
    options: Arc<ReadOptions>,
    targets: Targets,
    assembler: Assembler,
    keys: KeyTable,
    /// One per table column.
    columns: Vec<TextColumn>,
    /// Whether any key of the file filled the table column.
    seen: Vec<bool>,
    /// Place of `properties` among the table columns.
    properties: usize,
    members: TextColumn,
    rows: TextRows,
    rows_read: u64,
    finished: bool,
}

impl NdjsonFile {
    /// Opens the file. Its keys become known only as it is read.
    pub(super) fn open(
        file: &SourceFile,
        stream: ByteStream,
        options: &Arc<ReadOptions>,
        targets: Targets,
        rule: TimestampRule,
    ) -> Result<Self, LoadError> {
        let lines = Lines::open(file, stream, options.max_record_bytes)?;
        let width = targets.schema.fields().len();
        let by_target: Vec<Option<usize>> = (0..width).map(Some).collect();
        let assembler = Assembler::new(Arc::clone(&lines.path), targets.clone(), rule, &by_target)?;
        Ok(Self {
            lines,
            options: Arc::clone(options),
            targets,
            assembler,
            keys: KeyTable::default(),
            columns: (0..width).map(|_| TextColumn::with_capacity(options.batch_rows)).collect(),
            seen: vec![false; width],
            properties: schema::load_schema().fields().len() - 1,
            members: TextColumn::with_capacity(options.batch_rows),
            rows: TextRows::default(),
            rows_read: 0,
            finished: false,
        })
    }

    /// The next batch; `None` at the end of the file.
    ///
    /// # Errors
    /// [`LoadError::Input`] if the file has no rows, is a JSON array, or no object of its first batch has a
    /// required key; [`LoadError::Damaged`] and others for what the stream says. Nothing follows an error.
    pub(super) fn next_batch(&mut self) -> Option<Result<ParsedBatch, LoadError>> {
        if self.finished {
            return None;
        }
        let batch = self.read_batch().transpose();
        self.finished = !matches!(batch, Some(Ok(_)));
        batch
    }

    /// The keys named in `--map` that no object has had so far.
    pub(super) fn unseen_sources(&self) -> Vec<String> {
        let unseen = self.targets.mapping.iter().filter(|(target, _)| !self.seen[*target]);
        unseen.map(|(_, source)| source.clone()).collect()
    }

    fn read_batch(&mut self) -> Result<Option<ParsedBatch>, LoadError> {
        self.rows.clear();
        self.keys.limit();
        let mut rejected = Vec::new();
        let begin = self.lines.buffer.consumed();
        let bytes_limit = self.options.batch_bytes as u64;
        while self.rows.len() + rejected.len() < self.options.batch_rows
            && self.lines.buffer.consumed() - begin < bytes_limit
        {
            if !self.lines.next()? {
                break;
            }
            if self.rows_read == 0
                && self.rows.len() + rejected.len() == 0
                && self.lines.line_bytes().starts_with(b"[")
            {
                return Err(LoadError::input(
                    self.lines.path.as_ref(),
                    "it is a JSON array; one object per line is expected (jq -c '.[]' converts it)",
                ));
            }
            if let Some(problem) = self.append_row()? {
                rejected.push(problem);
            }
            self.lines.consume();
        }
        let count = self.rows.len() + rejected.len();
        if count == 0 {
            if self.rows_read == 0 {
                return Err(LoadError::input(
                    self.lines.path.as_ref(),
                    "it is empty: expected one JSON object per line",
                ));
            }
            return Ok(None);
        }
        if self.rows_read == 0 && self.rows.len() > 0 {
            self.targets.check_required(&self.lines.path, &self.keys.names(), |target| self.seen[target])?;
        }
        self.rows_read += count as u64;
        let too_large =
            |error: arrow::error::ArrowError| LoadError::input(self.lines.path.as_ref(), error.to_string());
        let columns: Result<Vec<ArrayRef>, LoadError> = self
            .columns
            .iter_mut()
            .map(|column| Ok(Arc::new(column.finish().map_err(too_large)?) as ArrayRef))
            .collect();
        let members: StringArray = self.members.finish().map_err(too_large)?;
        let members = Some(members).filter(|m| m.null_count() < m.len());
        self.assembler.assemble(self.rows.len(), &columns?, members.as_ref(), &self.rows, rejected).map(Some)
    }

    /// Appends the current line to the columns, or takes back what it appended and says what is wrong.
    fn append_row(&mut self) -> Result<Option<Rejected>, LoadError> {
        let row = self.rows.len();
        let line = self.lines.line_bytes();
        let parsed = match std::str::from_utf8(line) {
            Ok(text) => {
                let mut sink = RowSink {
                    path: &self.lines.path,
                    targets: &self.targets,
                    assembler: &mut self.assembler,
                    keys: &mut self.keys,
                    columns: &mut self.columns,
                    seen: &mut self.seen,
                    members: &mut self.members,
                    properties: self.properties,
                    row,
                    line: self.lines.line,
                    place: 0,
                    problem: None,
                    fatal: None,
                };
                let parsed = parse_line(text, &mut sink);
                let (problem, fatal) = (sink.problem, sink.fatal);
                if let Some(error) = fatal {
                    return Err(error);
                }
                match (parsed, problem) {
                    (Err(reason), _) => Err(RowProblem { column: None, value: None, reason }),
                    (Ok(()), Some(problem)) => Err(problem),
                    (Ok(()), None) => Ok(()),
                }
            }
            Err(error) => Err(RowProblem {
                column: None,
                value: None,
                reason: format!(
                    "not valid UTF-8 at byte {} of the line; convert the file to UTF-8",
                    error.valid_up_to() + 1
                ),
            }),
        };
        let Err(problem) = parsed else {
            for column in &mut self.columns {
                if column.len() == row {
                    column.push_null();
                }
            }
            if self.members.has_open_bytes() {
                self.members.close();
            } else {
                self.members.push_null();
            }
            self.rows.push(self.lines.line, self.lines.line_bytes());
            return Ok(None);
        };
        for column in &mut self.columns {
            column.truncate(row);
        }
        self.members.truncate(row);
        Ok(Some(Rejected {
            file: Arc::clone(&self.lines.path),
            place: RowPlace::Line(self.lines.line),
            column: problem.column,
            value: problem.value,
            reason: problem.reason,
            raw: String::from_utf8_lossy(self.lines.line_bytes()).into_owned(),
        }))
    }
}

/// What is wrong with a row.
struct RowProblem {
    column: Option<String>,
    value: Option<String>,
    reason: String,
}

/// Takes the members of one object.
struct RowSink<'a> {
    path: &'a str,
    targets: &'a Targets,
    assembler: &'a mut Assembler,
    keys: &'a mut KeyTable,
    columns: &'a mut [TextColumn],
    seen: &'a mut [bool],
    members: &'a mut TextColumn,
    properties: usize,
    row: usize,
    line: u64,
    place: usize,
    problem: Option<RowProblem>,
    fatal: Option<LoadError>,
}

impl RowSink<'_> {
    fn put(&mut self, key: &str, value: &RawValue) {
        let place = self.place;
        self.place += 1;
        let entry = match self.keys.entry(place, key, self.targets, self.path) {
            Ok(found) => found,
            Err(error) => {
                self.fatal.get_or_insert(error);
                return;
            }
        };
        if entry.last_line == self.line {
            note(&mut self.problem, key, None, "the key stands twice in the object");
            return;
        }
        entry.last_line = self.line;
        let raw = value.get();
        match &entry.usage {
            KeyUse::Columns(targets) => {
                for target in targets {
                    if !self.seen[*target] {
                        self.seen[*target] = true;
                        self.assembler.set_name(*target, key);
                    }
                    let column = &mut self.columns[*target];
                    if column.len() > self.row {
                        note(
                            &mut self.problem,
                            key,
                            None,
                            "two keys of the object fill the same column; map one of them elsewhere",
                        );
                        continue;
                    }
                    // `properties` is the last canonical column; extra columns follow it.
                    let takes_nested = *target >= self.properties;
                    if let Err(reason) = append_value(raw, takes_nested, column) {
                        note(&mut self.problem, key, Some(raw), &reason);
                    }
                }
            }
            KeyUse::Extra if raw == "null" => {}
            KeyUse::Extra => {
                let separator = self.members.has_open_bytes();
                let out = self.members.open();
                if separator {
                    out.push(b',');
                }
                out.extend_from_slice(&entry.json);
                append_compact(raw, out);
            }
        }
    }
}

fn note(problem: &mut Option<RowProblem>, key: &str, value: Option<&str>, reason: &str) {
    problem.get_or_insert_with(|| RowProblem {
        column: Some(key.to_owned()),
        value: value.map(shorten),
        reason: reason.to_owned(),
    });
}

/// Appends a valid JSON value as text: strings without quotes and escapes, numbers as written.
fn append_value(raw: &str, takes_nested: bool, column: &mut TextColumn) -> Result<(), String> {
    match raw.as_bytes().first() {
        Some(b'"') if !raw.contains('\\') => column.push(&raw.as_bytes()[1..raw.len() - 1]),
        Some(b'"') => {
            let text: String = serde_json::from_str(raw)
                .map_err(|error| format!("not a valid JSON string: {}", parse_message(&error)))?;
            column.push(text.as_bytes());
        }
        Some(b'n') => column.push_null(),
        Some(b'{' | b'[') => {
            if !takes_nested {
                return Err("is a JSON object or array; expected a single value".to_owned());
            }
            append_compact(raw, column.open());
            column.close();
        }
        _ => column.push(raw.as_bytes()),
    }
    Ok(())
}

/// Parses one line into `sink`; the error is a reason for the user.
fn parse_line(text: &str, sink: &mut RowSink<'_>) -> Result<(), String> {
    if !text.starts_with('{') {
        return Err(
            "not a JSON object; one object per line is expected (for CSV use --format csv)".to_owned()
        );
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = deserializer.deserialize_map(ObjectVisitor { sink }).and_then(|()| deserializer.end());
    parsed.map_err(|error| {
        if error.is_eof() {
            format!(
                "the JSON object does not end on its line ({}); one object per line is expected",
                parse_message(&error)
            )
        } else {
            format!("not valid JSON: {}", parse_message(&error))
        }
    })
}

struct ObjectVisitor<'s, 'a> {
    sink: &'s mut RowSink<'a>,
}

impl<'de> Visitor<'de> for ObjectVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeySeed)? {
            let value: &'de RawValue = map.next_value()?;
            self.sink.put(&key, value);
        }
        Ok(())
    }
}

/// Borrows keys without escapes, which are nearly all.
struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// The lines of a file that are not blank.
#[derive(Debug)]
struct Lines {
    file: SourceFile,
    path: Arc<str>,
    buffer: RecordBuffer,
    /// Number of the current line.
    line: u64,
    /// The current line within the window: its content and its end with the line break.
    content: std::ops::Range<usize>,
    consumed: usize,
    max_record_bytes: usize,
}

impl Lines {
    fn open(file: &SourceFile, stream: ByteStream, max_record_bytes: usize) -> Result<Self, LoadError> {
        let mut buffer = RecordBuffer::new(stream.reader);
        buffer.fill().map_err(|error| stream_error(file, "at its start", error))?;
        if let Some(problem) = mistaken_format(InputFormat::Ndjson, buffer.pending()) {
            return Err(LoadError::input(&file.display, problem));
        }
        if buffer.pending().starts_with(BYTE_ORDER_MARK) {
            buffer.consume(BYTE_ORDER_MARK.len());
        }
        Ok(Self {
            file: file.clone(),
            path: shared(&file.display),
            buffer,
            line: 1,
            content: 0..0,
            consumed: 0,
            max_record_bytes,
        })
    }

    /// Moves to the next line that is not blank; false at the end.
    fn next(&mut self) -> Result<bool, LoadError> {
        loop {
            let window = self.buffer.pending();
            let end = match find_byte(window, b'\n') {
                Some(end) => {
                    self.consumed = end + 1;
                    end
                }
                None if self.buffer.at_end() => {
                    self.consumed = window.len();
                    window.len()
                }
                None if window.len() > self.max_record_bytes => return Err(self.too_long()),
                None => {
                    self.fill()?;
                    continue;
                }
            };
            if end > self.max_record_bytes {
                return Err(self.too_long());
            }
            let content = window[..end].trim_ascii_start();
            let start = end - content.len();
            let length = content.trim_ascii_end().len();
            if length > 0 {
                self.content = start..start + length;
                return Ok(true);
            }
            if self.consumed == 0 {
                return Ok(false);
            }
            self.consume();
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
                "the line is longer than {} bytes; one JSON object per line is expected",
                self.max_record_bytes
            ),
        )
    }

    fn line_bytes(&self) -> &[u8] {
        &self.buffer.pending()[self.content.clone()]
    }

    fn consume(&mut self) {
        self.buffer.consume(self.consumed);
        self.line += 1;
    }
}

/// The keys of all objects of an NDJSON file, all text, in the order in which they are met. Reads the whole file;
/// lines that are no objects are left to the reader to tell.
///
/// # Errors
/// [`LoadError::Input`] above 1,000 keys.
pub(super) fn ndjson_columns(file: &SourceFile, options: &ReadOptions) -> Result<Vec<Field>, LoadError> {
    let mut lines = Lines::open(file, open_stream(file)?, options.max_record_bytes)?;
    let mut known = std::collections::HashSet::new();
    let mut fields = Vec::new();
    while lines.next()? {
        if let Ok(Keys(keys)) = serde_json::from_slice(lines.line_bytes()) {
            for key in keys {
                if !known.contains(&key) {
                    fields.push(Field::new(&key, DataType::Utf8, true));
                    known.insert(key);
                }
            }
            if fields.len() > MAX_EXTRA_KEYS {
                return Err(LoadError::input(
                    &file.display,
                    format!(
                        "its objects have more than {MAX_EXTRA_KEYS} different keys; use --extra properties"
                    ),
                ));
            }
        }
        lines.consume();
    }
    Ok(fields)
}

#[cfg(test)]
mod tests;
