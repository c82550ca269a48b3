//! From parsed batches to working batches: person hash, day, event id, row number.
//!
//! A *working batch* has the columns of a data file, then [`WORK_DAY`] and [`WORK_ROW`].

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    AnyDictionaryArray, Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, MutableArrayData,
    RecordBatch, StringArray, StringBuilder, UInt32Array, UInt64Array, make_array,
};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use datafusion::error::{DataFusionError, Result};

use crate::identity::Resolver;
use crate::load::coded::schema_of;
use crate::load::duplicates::RowNumber;
use crate::load::row_identity::{EventKey, RowHasher, made_event_id};
use crate::schema;
use crate::store::layout;
use crate::store::suppression::Suppression;

/// Working column: UTC day, days since the epoch.
pub const WORK_DAY: &str = "#day";
/// Working column: [`RowNumber`] bits.
pub const WORK_ROW: &str = "#row";

/// From so many rows of a day on average that follow each other, copying them as a whole costs less than one by one.
const COPIED_ROWS: usize = 32;

/// The schema of working batches over these data-file columns.
pub fn work_schema(file_schema: &Schema) -> SchemaRef {
    let mut fields: Vec<Field> = file_schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new(WORK_DAY, DataType::Int32, false));
    fields.push(Field::new(WORK_ROW, DataType::UInt64, false));
    Arc::new(Schema::new(fields))
}

/// Event key, day and number of one row, for the duplicate index.
#[derive(Debug, Clone, Copy)]
pub struct RowKey {
    /// UTC day.
    pub day: i32,
    /// Identity.
    pub key: EventKey,
    /// Place in the input.
    pub row: RowNumber,
}

/// Adds the computed columns to the batches of one input file.
#[derive(Debug)]
pub struct RowPreparer {
    work_schema: SchemaRef,
    hasher: RowHasher,
    file: usize,
    next_row: u64,
    scratch: Vec<u8>,
}

impl RowPreparer {
    /// For input file number `file`, whose batches have the columns of `batch_schema`.
    pub fn new(file: usize, batch_schema: &Schema, work_schema: SchemaRef) -> Self {
        Self { work_schema, hasher: RowHasher::new(batch_schema), file, next_row: 0, scratch: Vec::new() }
    }

    /// The working batch of `batch`, and the keys of its rows in the same order. O(bytes).
    pub fn prepare(&mut self, batch: &RecordBatch) -> Result<(RecordBatch, Vec<RowKey>)> {
        let rows = batch.num_rows();
        let times = required(batch, schema::TS)?.as_primitive::<TimestampMicrosecondType>();
        let users = required(batch, schema::USER_ID)?.as_string::<i32>();
        let given_ids = required(batch, schema::EVENT_ID)?.as_string::<i32>();

        let mut keys = Vec::with_capacity(rows);
        let all_given = given_ids.null_count() == 0;
        let mut ids = StringBuilder::with_capacity(0, 0);
        for row in 0..rows {
            let made = given_ids.is_null(row);
            let number = RowNumber::new(self.file, self.next_row, made);
            self.next_row += 1;
            let key = if made {
                let hash = self.hasher.hash(batch, row, &mut self.scratch)?;
                ids.append_value(made_event_id(hash, 0));
                EventKey { hash, occurrence: 0 }
            } else {
                let id = given_ids.value(row);
                if !all_given {
                    ids.append_value(id);
                }
                EventKey::of(id)
            };
            keys.push(RowKey { day: layout::day_of(times.value(row)), key, row: number });
        }

        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        let id_index = batch.schema_ref().index_of(schema::EVENT_ID)?;
        if !all_given {
            columns[id_index] = Arc::new(ids.finish());
        }
        columns.push(Arc::new(Int64Array::from_iter_values(
            (0..rows).map(|row| schema::user_key(users.value(row))),
        )));
        columns.push(Arc::new(Int32Array::from_iter_values(keys.iter().map(|k| k.day))));
        columns.push(Arc::new(UInt64Array::from_iter_values(keys.iter().map(|k| k.row.bits()))));
        let work = RecordBatch::try_new(schema_of(&self.work_schema, &columns), columns)?;
        Ok((work, keys))
    }
}

/// The rows of a parsed batch that name nobody who was erased, and are of nobody who was. `people` knows those too.
pub fn without_erased(batch: RecordBatch, erased: &Suppression, people: &Resolver) -> Result<RecordBatch> {
    if erased.is_empty() {
        return Ok(batch);
    }
    let users = required(&batch, schema::USER_ID)?.as_string::<i32>();
    let devices = required(&batch, schema::ANONYMOUS_ID)?.as_string::<i32>();
    let times = required(&batch, schema::TS)?.as_primitive::<TimestampMicrosecondType>();
    let raw = batch.column_by_name(schema::RAW_USER_ID).map(|column| column.as_string::<i32>());
    let keep: BooleanArray = (0..batch.num_rows())
        .map(|row| {
            let user = users.value(row);
            let came_as = raw.filter(|raw| raw.is_valid(row)).map(|raw| raw.value(row));
            let person = people.resolve(came_as.unwrap_or(user), times.value(row));
            let device = devices.is_valid(row).then(|| devices.value(row));
            let names =
                [Some(user), came_as, person, device].into_iter().flatten().any(|id| erased.contains(id));
            let came_as = came_as.unwrap_or(user);
            let is_theirs = match person {
                Some(_) => people.is_erased(came_as, times.value(row)),
                // Only they were linked to what has no links now.
                None => !people.knows(came_as) && erased.contains_device(came_as),
            };
            Some(!names && !is_theirs)
        })
        .collect();
    Ok(filter_record_batch(&batch, &keep)?)
}

/// Splits a working batch over `parts` by day, so that each day is in one part. Empty parts are left out.
pub fn split_by_day(batch: &RecordBatch, keys: &[RowKey], parts: usize) -> Result<Vec<(usize, RecordBatch)>> {
    if parts == 1 {
        return Ok(vec![(0, batch.clone())]);
    }
    let mut runs_of: Vec<Vec<Range<usize>>> = vec![Vec::new(); parts];
    let mut start = 0;
    for run in keys.chunk_by(|a, b| a.day == b.day) {
        runs_of[part_of(run[0].day, parts)].push(start..start + run.len());
        start += run.len();
    }
    let runs_of = runs_of.into_iter().enumerate().filter(|(_, runs)| !runs.is_empty());
    runs_of.map(|(part, runs)| Ok((part, rows_in(batch, &runs)?))).collect()
}

/// The rows of some ranges, one behind the other. Most of a batch, in one piece, is not copied: little is held that is not
/// wanted.
fn rows_in(batch: &RecordBatch, runs: &[Range<usize>]) -> Result<RecordBatch> {
    let rows: usize = runs.iter().map(ExactSizeIterator::len).sum();
    if let [run] = runs
        && rows * 2 > batch.num_rows()
    {
        return Ok(batch.slice(run.start, rows));
    }
    if runs.len() * COPIED_ROWS > rows {
        let rows: Vec<u32> = runs.iter().cloned().flatten().map(|row| row as u32).collect();
        return Ok(take_record_batch(batch, &UInt32Array::from(rows))?);
    }
    let copy = |column: &ArrayRef| {
        let data = column.to_data();
        let mut copy = MutableArrayData::new(vec![&data], false, rows);
        runs.iter().try_for_each(|run| copy.try_extend(0, run.start, run.end))?;
        Ok(make_array(copy.freeze()))
    };
    let columns: Result<Vec<ArrayRef>, ArrowError> = batch.columns().iter().map(copy).collect();
    Ok(RecordBatch::try_new(batch.schema(), columns?)?)
}

fn part_of(day: i32, parts: usize) -> usize {
    day.rem_euclid(parts as i32) as usize
}

/// Bytes of the values of a dictionary up to which the mean of them tells enough of its rows.
const SMALL_DICTIONARY_BYTES: usize = 16 << 10;

/// The bytes of a dictionary's rows as text: of small dictionaries by the mean of their values, else exactly. O(1) and O(rows).
pub fn text_bytes(coded: &dyn AnyDictionaryArray) -> usize {
    let Some(texts) = coded.values().as_string_opt::<i32>() else { return 0 };
    let bytes = texts.value_data().len();
    if bytes <= SMALL_DICTIONARY_BYTES {
        let mean = bytes as f64 / texts.len().max(1) as f64;
        return ((coded.len() - coded.null_count()) as f64 * mean) as usize;
    }
    let ends = texts.value_offsets();
    let length = |key: usize| ends.get(key + 1).map_or(0, |end| (end - ends[key]).unsigned_abs() as usize);
    let keys = coded.normalized_keys();
    let is_valid = |row: usize| coded.nulls().is_none_or(|nulls| nulls.is_valid(row));
    keys.into_iter().enumerate().filter(|(row, _)| is_valid(*row)).map(|(_, key)| length(key)).sum()
}

/// The memory of a batch if all its text stood in it row by row, with the room that a column has which grows row by row. O(rows).
pub fn memory_size(batch: &RecordBatch) -> usize {
    let sizes = batch.columns().iter().map(|column| match column.as_any_dictionary_opt() {
        Some(coded) => {
            let offsets = column.len() * size_of::<i32>();
            offsets.next_power_of_two() + text_bytes(coded).next_power_of_two()
        }
        None => column.get_array_memory_size(),
    });
    sizes.sum()
}

/// Adds the rows of `keys` to counts per day.
pub fn count_days(keys: &[RowKey], counts: &mut BTreeMap<i32, u64>) {
    for run in keys.chunk_by(|a, b| a.day == b.day) {
        *counts.entry(run[0].day).or_default() += run.len() as u64;
    }
}

/// Gives made ids of identical rows their occurrence numbers, in sorted order.
///
/// Identical rows are neighbours after the sort, and in input order among themselves. Dropped rows count: the
/// numbers must be those that the duplicate index used.
#[derive(Debug, Default)]
pub struct OccurrenceNumbers {
    last: Option<(i32, EventKey)>,
    seen: u32,
}

impl OccurrenceNumbers {
    /// Returns the `event_id` column of a sorted working batch with the numbers put in.
    pub fn number(&mut self, batch: &RecordBatch) -> Result<ArrayRef> {
        let ids = required(batch, schema::EVENT_ID)?;
        let text = ids.as_string::<i32>();
        let days = required(batch, WORK_DAY)?.as_primitive::<arrow::datatypes::Int32Type>();
        let rows = required(batch, WORK_ROW)?.as_primitive::<arrow::datatypes::UInt64Type>();
        let mut renamed: Option<Vec<Option<String>>> = None;
        for row in 0..batch.num_rows() {
            if !RowNumber::from_bits(rows.value(row)).is_made() {
                continue;
            }
            let this = (days.value(row), EventKey::of(text.value(row)));
            if self.last == Some(this) {
                self.seen += 1;
                let id = made_event_id(this.1.hash, self.seen);
                renamed.get_or_insert_with(|| vec![None; batch.num_rows()])[row] = Some(id);
            } else {
                self.last = Some(this);
                self.seen = 0;
            }
        }
        Ok(match renamed {
            None => Arc::clone(ids),
            Some(renamed) => Arc::new(StringArray::from_iter_values(
                renamed
                    .iter()
                    .enumerate()
                    .map(|(row, new)| new.as_deref().unwrap_or_else(|| text.value(row))),
            )),
        })
    }
}

/// The column `name` of a batch that must have it.
pub fn required<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch
        .column_by_name(name)
        .ok_or_else(|| DataFusionError::Internal(format!("a load batch without {name}")))
}
