//! Records that are JSON objects to batches of touchpoints.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::assemble::{Assembler, ParsedBatch, TextRows};
use super::coded_text::FileColumn;
use super::json_keys::KeyTable;
use super::json_records::JsonRecords;
use super::json_scan::{Member, scan_object};
use super::json_text::{Keys, append_compact, parse_message};
use super::options::ReadOptions;
use super::records::Records;
use super::rejected::{Rejected, shorten};
use super::targets::{KeyUse, Targets};
use super::text_column::TextColumn;
use super::timestamp::TimestampRule;
use crate::load::error::LoadError;
use crate::schema;

/// Most extra columns that the keys of JSON files may make.
const MAX_EXTRA_KEYS: usize = 1_000;

/// Reads one file whose records are JSON objects.
#[derive(Debug)]
pub(super) struct JsonFile {
    records: Box<dyn Records>,
    options: Arc<ReadOptions>,
    targets: Targets,
    assembler: Assembler,
    keys: KeyTable,
    /// One per table column.
    columns: Vec<FileColumn>,
    /// Whether any key of the file filled the table column.
    seen: Vec<bool>,
    /// Place of `properties` among the table columns.
    properties: usize,
    members: TextColumn,
    /// The members of the current record.
    found: Vec<Member>,
    rows: TextRows,
    /// Rows of the batches so far, and records of those and of the batch that is being read.
    rows_read: u64,
    records_read: u64,
    finished: bool,
}

impl JsonFile {
    /// Opens the file. Its keys become known only as it is read.
    pub(super) fn open(
        records: Box<dyn Records>,
        options: &Arc<ReadOptions>,
        targets: Targets,
        rule: TimestampRule,
    ) -> Result<Self, LoadError> {
        let width = targets.schema.fields().len();
        let by_target: Vec<Option<usize>> = (0..width).map(Some).collect();
        let assembler = Assembler::new(Arc::clone(records.path()), targets.clone(), rule, &by_target)?;
        Ok(Self {
            records,
            options: Arc::clone(options),
            assembler,
            keys: KeyTable::default(),
            columns: targets
                .as_codes
                .iter()
                .map(|coded| FileColumn::new(options.batch_rows, *coded))
                .collect(),
            targets,
            seen: vec![false; width],
            properties: schema::load_schema().fields().len() - 1,
            members: TextColumn::with_capacity(options.batch_rows),
            found: Vec::new(),
            rows: TextRows::default(),
            rows_read: 0,
            records_read: 0,
            finished: false,
        })
    }

    /// The next batch; `None` at the end of the file.
    ///
    /// # Errors
    /// [`LoadError::Input`] if the file has no rows, or no object of its first batch has a required key; [`LoadError::Damaged`] and others for what the stream says. Nothing follows an error.
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
        self.records.keep();
        self.keys.limit();
        let mut rejected = Vec::new();
        let mut bytes = 0;
        while self.rows.len() + rejected.len() < self.options.batch_rows && bytes < self.options.batch_bytes {
            if !self.records.next()? {
                break;
            }
            bytes += self.records.text().len();
            self.records_read += 1;
            if let Some(problem) = self.append_row()? {
                rejected.push(problem);
            }
            self.records.consume();
        }
        let count = self.rows.len() + rejected.len();
        let rows_left_out = self.records.take_left_out();
        if count == 0 && rows_left_out == 0 {
            if self.rows_read == 0 {
                let problem = format!("it is empty: expected {}", self.records.expected());
                return Err(LoadError::input(self.records.path().as_ref(), problem));
            }
            return Ok(None);
        }
        if self.rows_read == 0 && self.rows.len() > 0 {
            self.targets
                .check_required(self.records.path(), &self.keys.names(), |target| self.seen[target])?;
        }
        self.rows_read += count as u64 + rows_left_out;
        let too_large = |error: arrow::error::ArrowError| {
            LoadError::input(self.records.path().as_ref(), error.to_string())
        };
        let columns: Result<Vec<ArrayRef>, LoadError> =
            self.columns.iter_mut().map(|column| column.finish().map_err(too_large)).collect();
        let members: StringArray = self.members.finish().map_err(too_large)?;
        let members = Some(members).filter(|m| m.null_count() < m.len());
        let columns = columns?;
        let rows = self.rows.with_text(self.records.kept());
        let mut parsed =
            self.assembler.assemble(self.rows.len(), &columns, members.as_ref(), &rows, rejected)?;
        parsed.rows_read += rows_left_out;
        parsed.rows_left_out = rows_left_out;
        Ok(Some(parsed))
    }

    /// Appends the current record to the columns, or takes back what it appended and says what is wrong.
    fn append_row(&mut self) -> Result<Option<Rejected>, LoadError> {
        let row = self.rows.len();
        let parsed = match (self.records.problem(), std::str::from_utf8(self.records.text())) {
            (Some((column, reason)), _) => Err(RowProblem { column, value: None, reason }),
            (None, Ok(text)) => {
                let mut sink = RowSink {
                    path: self.records.path(),
                    targets: &self.targets,
                    assembler: &mut self.assembler,
                    keys: &mut self.keys,
                    columns: &mut self.columns,
                    seen: &mut self.seen,
                    members: &mut self.members,
                    properties: self.properties,
                    row,
                    record: self.records_read,
                    before: None,
                    problem: None,
                    fatal: None,
                };
                let parsed = match scan_object(text, sink.keys.cursor(), &mut self.found) {
                    Some(()) => {
                        for member in &self.found {
                            sink.put(member.key(text), member.number, member.value(text), member.is_plain);
                        }
                        Ok(())
                    }
                    None => parse_object(text, &mut sink),
                };
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
            (None, Err(error)) => Err(RowProblem {
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
            match self.records.kept() {
                Some(_) => self.rows.push(self.records.place(), self.records.kept_range()),
                None => self.rows.push_copy(self.records.place(), self.records.raw()),
            }
            return Ok(None);
        };
        for column in &mut self.columns {
            column.truncate(row);
        }
        self.members.truncate(row);
        Ok(Some(Rejected {
            file: Arc::clone(self.records.path()),
            place: self.records.place(),
            column: problem.column,
            value: problem.value,
            reason: problem.reason,
            raw: String::from_utf8_lossy(self.records.raw()).into_owned(),
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
    columns: &'a mut [FileColumn],
    seen: &'a mut [bool],
    members: &'a mut TextColumn,
    properties: usize,
    row: usize,
    /// Number of the record, from 1.
    record: u64,
    /// The number of the key before.
    before: Option<usize>,
    problem: Option<RowProblem>,
    fatal: Option<LoadError>,
}

impl RowSink<'_> {
    /// Takes one member; `number`: that of its key, if it is known; `is_plain`: its value is known to have neither escapes nor
    /// white space between its tokens.
    fn put(&mut self, key: &str, number: Option<usize>, raw: &str, is_plain: bool) {
        let number = match number {
            Some(number) => number,
            None => match self.keys.number(key, self.before, self.targets, self.path) {
                Ok(number) => number,
                Err(error) => {
                    self.fatal.get_or_insert(error);
                    return;
                }
            },
        };
        self.before = Some(number);
        let entry = self.keys.entry(number);
        if entry.last_record == self.record {
            note(&mut self.problem, key, None, "the key stands twice in the object");
            return;
        }
        entry.last_record = self.record;
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
                    if let Err(reason) = append_value(raw, is_plain, takes_nested, column) {
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
                if is_plain {
                    out.extend_from_slice(raw.as_bytes());
                } else {
                    append_compact(raw, out);
                }
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
fn append_value(
    raw: &str,
    is_plain: bool,
    takes_nested: bool,
    column: &mut FileColumn,
) -> Result<(), String> {
    match raw.as_bytes().first() {
        Some(b'"') if is_plain || !raw.contains('\\') => column.push(&raw.as_bytes()[1..raw.len() - 1]),
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
            if is_plain {
                column.push(raw.as_bytes());
            } else {
                column.push_with(|out| append_compact(raw, out));
            }
        }
        _ => column.push(raw.as_bytes()),
    }
    Ok(())
}

/// Parses one object into `sink`; the error is a reason for the user.
fn parse_object(text: &str, sink: &mut RowSink<'_>) -> Result<(), String> {
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
            self.sink.put(&key, None, value.get(), false);
        }
        Ok(())
    }
}

/// Borrows keys without escapes, which are nearly all.
pub(super) struct KeySeed;

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

/// The keys of all objects of a JSON file, all text, in the order in which they are met. Reads the whole file;
/// records that are no objects are left to the reader to tell.
///
/// # Errors
/// [`LoadError::Input`] above 1,000 keys.
pub(super) fn json_columns(mut records: JsonRecords) -> Result<Vec<Field>, LoadError> {
    let mut known = std::collections::HashSet::new();
    let mut fields = Vec::new();
    while records.next()? {
        if let Ok(Keys(keys)) = serde_json::from_slice(records.text()) {
            for key in keys {
                if !known.contains(&key) {
                    fields.push(Field::new(&key, DataType::Utf8, true));
                    known.insert(key);
                }
            }
            if fields.len() > MAX_EXTRA_KEYS {
                return Err(LoadError::input(
                    records.path().as_ref(),
                    format!(
                        "its objects have more than {MAX_EXTRA_KEYS} different keys; use --extra properties"
                    ),
                ));
            }
        }
        records.consume();
    }
    Ok(fields)
}

#[cfg(test)]
mod tests;
