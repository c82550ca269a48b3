//! Columns of a file to a batch of the table's columns; rows that do not fit are taken out and told.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StringArray, new_null_array,
};
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;

use super::coded_text::KeptColumns;
use super::convert::{Problem, convert};
use super::json_text::append_merged;
use super::rejected::{Rejected, RowPlace, shorten};
use super::targets::Targets;
use super::text_column::TextColumn;
use super::timestamp::TimestampRule;
use crate::load::coded::schema_of;
use crate::load::error::LoadError;
use crate::schema;

/// Rows of one file in the table's columns.
#[derive(Debug)]
pub struct ParsedBatch {
    /// The good rows, in file order: the columns of the load schema, then the extra columns. May be empty.
    pub batch: RecordBatch,
    /// The other rows, in file order.
    pub rejected: Vec<Rejected>,
    /// Rows of the file that this batch stands for: good, rejected and left out.
    pub rows_read: u64,
    /// Rows that are neither: the tool that wrote them does not count them.
    pub rows_left_out: u64,
}

/// Where the rows of a batch stand in the file, and how they look there.
pub(super) trait Rows {
    fn place(&self, row: usize) -> RowPlace;
    fn raw(&self, row: usize) -> String;
}

/// What fills one column of the table.
#[derive(Debug, Clone)]
pub(super) enum Fill {
    /// A column of the file, by its place among those read.
    Column(usize),
    /// The same value in every row; one row, already of the table's type.
    Constant(ArrayRef),
    /// NULL.
    Missing,
}

/// Turns the columns of one file into batches of the table's columns.
#[derive(Debug)]
pub(super) struct Assembler {
    path: Arc<str>,
    targets: Targets,
    rule: TimestampRule,
    fills: Vec<Fill>,
    /// For each table column its name in the file, for messages.
    names: Vec<String>,
    /// For each table column.
    kept: Vec<KeptColumns>,
}

impl Assembler {
    /// `by_target`: for each table column the place of the file's column among those read.
    ///
    /// # Errors
    /// [`LoadError::Argument`] if a constant does not fit its column.
    pub(super) fn new(
        path: Arc<str>,
        targets: Targets,
        rule: TimestampRule,
        by_target: &[Option<usize>],
    ) -> Result<Self, LoadError> {
        let mut fills: Vec<Fill> =
            by_target.iter().map(|column| column.map_or(Fill::Missing, Fill::Column)).collect();
        for (target, text) in &targets.constants {
            fills[*target] = Fill::Constant(constant(&targets, *target, text, &rule)?);
        }
        let names: Vec<String> = targets.names().map(str::to_owned).collect();
        let kept = names.iter().map(|_| KeptColumns::default()).collect();
        Ok(Self { path, targets, rule, fills, names, kept })
    }

    /// Notes how the file calls the column that fills `target`.
    pub(super) fn set_name(&mut self, target: usize, name: &str) {
        if self.names[target] != name {
            name.clone_into(&mut self.names[target]);
        }
    }

    /// Converts `rows` rows.
    ///
    /// `columns`: the columns read, each of `rows` values. `members`: for each row the JSON members (`"k":v,...`)
    /// that join `properties`. `rejected`: rows that are in none of the columns.
    ///
    /// # Errors
    /// [`LoadError::Input`] if a column has a type that never fits.
    pub(super) fn assemble(
        &mut self,
        rows: usize,
        columns: &[ArrayRef],
        members: Option<&StringArray>,
        place: &dyn Rows,
        mut rejected: Vec<Rejected>,
    ) -> Result<ParsedBatch, LoadError> {
        let rows_read = (rows + rejected.len()) as u64;
        // The first problem of each row, in column order.
        let mut wrong: BTreeMap<usize, (usize, Problem)> = BTreeMap::new();
        let mut arrays = Vec::with_capacity(self.fills.len());
        for (target, fill) in self.fills.iter().enumerate() {
            let field = self.targets.schema.field(target);
            let mut problems = Vec::new();
            let array = match fill {
                Fill::Column(column) => {
                    let column = &columns[*column];
                    let may_stay = self.targets.as_codes[target];
                    let kept = if may_stay { self.kept[target].kept(field, column) } else { None };
                    match kept {
                        Some(kept) => kept,
                        None => convert(field, column, &self.rule, &mut problems)
                            .map_err(|error| self.column_error(target, &error))?,
                    }
                }
                Fill::Constant(value) => repeat(value, rows).map_err(|e| self.column_error(target, &e))?,
                Fill::Missing => {
                    if !field.is_nullable() {
                        problems = (0..rows)
                            .map(|row| Problem {
                                row,
                                value: None,
                                reason: format!("{} is missing", field.name()),
                            })
                            .collect();
                    }
                    new_null_array(field.data_type(), rows)
                }
            };
            let array = match members {
                Some(members) if field.name() == schema::PROPERTIES => {
                    merge_members(&array, members, &mut problems)
                        .map_err(|e| self.column_error(target, &e))?
                }
                _ => array,
            };
            for problem in problems {
                wrong.entry(problem.row).or_insert((target, problem));
            }
            arrays.push(array);
        }
        let batch = self.good_rows(arrays, rows, &wrong)?;
        if !wrong.is_empty() {
            for (row, (target, problem)) in wrong {
                rejected.push(Rejected {
                    file: Arc::clone(&self.path),
                    place: place.place(row),
                    column: Some(self.names[target].clone()),
                    value: problem.value,
                    reason: problem.reason,
                    raw: place.raw(row),
                });
            }
            rejected.sort_by_key(|r| r.place);
        }
        Ok(ParsedBatch { batch, rejected, rows_read, rows_left_out: 0 })
    }

    fn good_rows(
        &self,
        arrays: Vec<ArrayRef>,
        rows: usize,
        wrong: &BTreeMap<usize, (usize, Problem)>,
    ) -> Result<RecordBatch, LoadError> {
        let internal = |error: ArrowError| LoadError::input(self.path.as_ref(), error.to_string());
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        if wrong.is_empty() {
            let schema = schema_of(&self.targets.schema, &arrays);
            return RecordBatch::try_new_with_options(schema, arrays, &options).map_err(internal);
        }
        // Wrong rows may be NULL where the schema allows none: filter under a looser schema first.
        let schema = schema_of(&self.targets.schema, &arrays);
        let loose = arrow::datatypes::Schema::new(
            schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect::<Vec<_>>(),
        );
        let all = RecordBatch::try_new_with_options(Arc::new(loose), arrays, &options).map_err(internal)?;
        let good: BooleanArray = (0..rows).map(|row| Some(!wrong.contains_key(&row))).collect();
        let filtered = filter_record_batch(&all, &good).map_err(internal)?;
        let options = RecordBatchOptions::new().with_row_count(Some(filtered.num_rows()));
        RecordBatch::try_new_with_options(schema, filtered.columns().to_vec(), &options).map_err(internal)
    }

    fn column_error(&self, target: usize, error: &dyn std::error::Error) -> LoadError {
        let source = &self.names[target];
        let name = self.targets.name(target);
        let as_name = if source == name { String::new() } else { format!(" (as {name})") };
        LoadError::input(self.path.as_ref(), format!("column {source:?}{as_name} {error}"))
    }
}

/// The value of `--set`, converted as a value of a file would be.
fn constant(
    targets: &Targets,
    target: usize,
    text: &str,
    rule: &TimestampRule,
) -> Result<ArrayRef, LoadError> {
    let field = targets.schema.field(target);
    let value: ArrayRef = Arc::new(StringArray::from(vec![Some(text).filter(|t| !t.is_empty())]));
    let mut problems = Vec::new();
    let wrong =
        |reason: String| LoadError::Argument(format!("--set {}={}: {reason}", field.name(), shorten(text)));
    let converted = convert(field, &value, rule, &mut problems).map_err(|error| wrong(error.to_string()))?;
    match problems.pop() {
        Some(problem) => Err(wrong(problem.reason)),
        None => Ok(converted),
    }
}

fn repeat(value: &ArrayRef, rows: usize) -> Result<ArrayRef, ArrowError> {
    let indices = arrow::array::UInt32Array::from(vec![0; rows]);
    arrow::compute::take(value, &indices, None)
}

/// Adds members to the objects of `properties`; a row without either stays NULL.
fn merge_members(
    properties: &ArrayRef,
    members: &StringArray,
    problems: &mut Vec<Problem>,
) -> Result<ArrayRef, ArrowError> {
    let objects = properties
        .as_any()
        .downcast_ref::<StringArray>()
        .ok_or_else(|| ArrowError::CastError("properties is not text".to_owned()))?;
    let mut merged = TextColumn::with_capacity(members.len());
    for (row, (object, members)) in objects.iter().zip(members).enumerate() {
        match (object, members) {
            (None, None) => merged.push_null(),
            (Some(object), None) => merged.push(object.as_bytes()),
            (None, Some(members)) => {
                let out = merged.open();
                out.push(b'{');
                out.extend_from_slice(members.as_bytes());
                out.push(b'}');
                merged.close();
            }
            (Some(object), Some(members)) => {
                if let Err(error) = append_merged(object, members, merged.open()) {
                    problems.push(Problem { row, value: Some(shorten(object)), reason: error.to_string() });
                }
                merged.close();
            }
        }
    }
    Ok(Arc::new(merged.finish()?))
}

/// The rows of a batch: their places, and where their text lies among the bytes that are kept of the input. What is
/// not kept is copied.
#[derive(Debug, Default)]
pub(super) struct TextRows {
    copied: Vec<u8>,
    texts: Vec<Range<usize>>,
    places: Vec<RowPlace>,
}

impl TextRows {
    /// A row whose text is kept.
    pub(super) fn push(&mut self, place: RowPlace, text: Range<usize>) {
        self.texts.push(text);
        self.places.push(place);
    }

    /// A row whose text is not kept.
    pub(super) fn push_copy(&mut self, place: RowPlace, raw: &[u8]) {
        let start = self.copied.len();
        self.copied.extend_from_slice(raw);
        self.push(place, start..self.copied.len());
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn clear(&mut self) {
        self.copied.clear();
        self.texts.clear();
        self.places.clear();
    }

    /// The rows with their text; `kept`: what is kept, if anything.
    pub(super) fn with_text<'a>(&'a self, kept: Option<&'a [u8]>) -> impl Rows + 'a {
        RowsWithText { rows: self, text: kept.unwrap_or(&self.copied) }
    }
}

struct RowsWithText<'a> {
    rows: &'a TextRows,
    text: &'a [u8],
}

impl Rows for RowsWithText<'_> {
    fn place(&self, row: usize) -> RowPlace {
        self.rows.places[row]
    }

    fn raw(&self, row: usize) -> String {
        let text = self.text.get(self.rows.texts[row].clone()).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }
}
