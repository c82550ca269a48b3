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
use super::json_scan::{Scanned, TakeMembers, Value, scan_object};
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
    /// One per table column. What is missing at the end of one is NULL.
    columns: Vec<FileColumn>,
    /// Whether any key of the file filled the table column.
    seen: Vec<bool>,
    /// Place of `properties` among the table columns.
    properties: usize,
    members: TextColumn,
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
        let rows = self.rows.len();
        let columns = self.columns.iter_mut().map(|column| {
            column.pad(rows);
            column.finish().map_err(too_large)
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
        let members: StringArray = self.members.finish().map_err(too_large)?;
        let members = Some(members).filter(|m| m.null_count() < m.len());
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
        let parsed = match self.records.problem() {
            Some((column, reason)) => Err(RowProblem { column, value: None, reason }),
            None => {
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
                    mark: self.records_read * 2,
                    before: None,
                    at: 0,
                    problem: None,
                    fatal: None,
                };
                let parsed = sink.take_object(self.records.text());
                if let Some(error) = sink.fatal {
                    return Err(error);
                }
                parsed
            }
        };
        let Err(problem) = parsed else {
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

impl RowProblem {
    fn of_row(reason: String) -> Self {
        Self { column: None, value: None, reason }
    }
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
    /// Tells keys of this object, in this attempt to read it, from those of others.
    mark: u64,
    /// The number of the key before.
    before: Option<usize>,
    /// The place behind it in the order of keys.
    at: usize,
    problem: Option<RowProblem>,
    fatal: Option<LoadError>,
}

impl RowSink<'_> {
    /// Takes the members of the object that `bytes` are. The row is to be taken back after an error.
    fn take_object(&mut self, bytes: &[u8]) -> Result<(), RowProblem> {
        let scanned = scan_object(bytes, self);
        if scanned != Some(Scanned::Text) {
            let text = std::str::from_utf8(bytes).map_err(|error| {
                // Nothing in it counts, and so no key is one too many.
                self.fatal = None;
                RowProblem::of_row(format!(
                    "not valid UTF-8 at byte {} of the line; convert the file to UTF-8",
                    error.valid_up_to() + 1
                ))
            })?;
            if scanned.is_none() {
                self.start_again();
                parse_object(text, self).map_err(RowProblem::of_row)?;
            }
        }
        self.problem.take().map_or(Ok(()), Err)
    }

    /// Takes back what was taken.
    fn start_again(&mut self) {
        for column in &mut *self.columns {
            column.truncate(self.row);
        }
        self.members.truncate(self.row);
        self.mark += 1;
        (self.before, self.at, self.problem, self.fatal) = (None, 0, None, None);
    }

    fn put(&mut self, number: usize, value: Value<'_>) {
        self.before = Some(number);
        let entry = self.keys.entry(number);
        if entry.last_mark == self.mark {
            note(&mut self.problem, &entry.name, None, "the key stands twice in the object");
            return;
        }
        entry.last_mark = self.mark;
        match &entry.usage {
            KeyUse::Columns(targets) => {
                for target in targets {
                    if !self.seen[*target] {
                        self.seen[*target] = true;
                        self.assembler.set_name(*target, &entry.name);
                    }
                    let column = &mut self.columns[*target];
                    if column.len() > self.row {
                        note(
                            &mut self.problem,
                            &entry.name,
                            None,
                            "two keys of the object fill the same column; map one of them elsewhere",
                        );
                        continue;
                    }
                    // `properties` is the last canonical column; extra columns follow it.
                    let takes_nested = *target >= self.properties;
                    if column.len() < self.row {
                        column.pad(self.row);
                    }
                    if let Err(reason) = append_value(value, takes_nested, column) {
                        note(&mut self.problem, &entry.name, Some(value), &reason);
                    }
                }
            }
            KeyUse::Extra if value.is_null() => {}
            KeyUse::Extra => {
                let separator = self.members.has_open_bytes();
                let out = self.members.open();
                if separator {
                    out.push(b',');
                }
                out.extend_from_slice(&entry.json);
                match value {
                    Value::Text(text) => {
                        out.push(b'"');
                        out.extend_from_slice(text);
                        out.push(b'"');
                    }
                    Value::Plain(bytes) => out.extend_from_slice(bytes),
                    Value::Other(json) => append_compact(json, out),
                }
            }
        }
    }
}

impl TakeMembers for RowSink<'_> {
    fn likely(&mut self, text: &[u8]) -> Option<(usize, usize)> {
        self.keys.likely(&mut self.at, text)
    }

    fn take_likely(&mut self, number: usize, value: Value<'_>) {
        self.put(number, value);
    }

    fn take(&mut self, key: &str, value: Value<'_>) {
        match self.keys.number(key, self.before, self.targets, self.path) {
            Ok(number) => {
                self.at = self.keys.behind(number).unwrap_or(self.at);
                self.put(number, value);
            }
            Err(error) => {
                self.fatal.get_or_insert(error);
            }
        }
    }
}

fn note(problem: &mut Option<RowProblem>, key: &str, value: Option<Value<'_>>, reason: &str) {
    problem.get_or_insert_with(|| RowProblem {
        column: Some(key.to_owned()),
        value: value.map(|value| shorten(&value.as_written())),
        reason: reason.to_owned(),
    });
}

/// Appends a valid JSON value as text: strings without quotes and escapes, numbers as written.
fn append_value(value: Value<'_>, takes_nested: bool, column: &mut FileColumn) -> Result<(), String> {
    let bytes = match value {
        Value::Text(text) => {
            column.push(text);
            return Ok(());
        }
        Value::Plain(bytes) => bytes,
        Value::Other(json) => json.as_bytes(),
    };
    match (bytes, value) {
        ([b'"', ..], Value::Other(json)) => {
            let text: String = serde_json::from_str(json)
                .map_err(|error| format!("not a valid JSON string: {}", parse_message(&error)))?;
            column.push(text.as_bytes());
        }
        ([b'n', ..], _) => column.push_null(),
        ([b'{' | b'[', ..], _) if !takes_nested => {
            return Err("is a JSON object or array; expected a single value".to_owned());
        }
        ([b'{' | b'[', ..], Value::Other(json)) => column.push_with(|out| append_compact(json, out)),
        (plain, _) => column.push(plain),
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
            self.sink.take(&key, Value::Other(value.get()));
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
