//! The rows of a bucket, person by person.
//!
//! Files hold the rows of a day, sorted by person and time. Read in the order of the days, the runs of each person's
//! rows are laid one behind the other: copies of runs, no comparison, no sort.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, NullArray, RecordBatch, RecordBatchOptions, StringArray,
    UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, SchemaRef, TimestampMicrosecondType};
use datafusion::common::{Result, resources_err};

use super::before::Before;
use super::chunk::Chunk;
use super::codes::coded;
use super::columns::coded_type;
use super::dictionary::Dictionary;
use super::layout::{Layout, PlacedRun};
use super::person_runs::RunsOfSlice;
use super::persons::Persons;
use super::slices::Slices;
use crate::schema;

/// The rows of a bucket as they were read, to be put together slice after slice.
///
/// A slice has the people with one further prefix of `user_key`: slices share no person.
#[derive(Debug)]
pub struct Gathered {
    schema: SchemaRef,
    user_id: usize,
    chunks: Vec<Chunk>,
    slices: Slices,
    /// For each column of codes the codes of all chunks as codes into one dictionary.
    dictionaries: Vec<Option<Dictionary>>,
    /// The column that has the number of the row in its slice.
    sequence: Option<usize>,
}

/// The rows of a slice: person p has the rows `offsets[p]..offsets[p + 1]`, in the order in which chunks came.
#[derive(Debug)]
pub struct Assembled {
    /// All rows.
    pub batch: RecordBatch,
    /// Where each person's rows begin, and the end.
    pub offsets: Vec<u32>,
    /// The people.
    pub persons: Persons,
}

fn rows_of(chunks: &[Chunk]) -> usize {
    chunks.iter().map(|chunk| chunk.rows).sum()
}

impl Gathered {
    /// The rows of `chunks` with the columns of `schema`, in which what nobody looks at has NULLs only, in `slices`, or fewer
    /// if their people cannot be told apart so.
    ///
    /// # Errors
    /// An error if a column has not the type that was promised, or there are more rows than can be counted.
    pub fn new(schema: SchemaRef, user_id: usize, chunks: Vec<Chunk>, slices: Slices) -> Result<Self> {
        if u32::try_from(rows_of(&chunks)).is_err() {
            return resources_err!(
                "more than {} rows of one part of the people at once: use a narrower WHERE",
                u32::MAX
            );
        }
        let slices = chunks.iter().fold(slices, |slices, chunk| slices.within(chunk.runs.slices()));
        let mut dictionaries = Vec::with_capacity(schema.fields().len());
        for (index, field) in schema.fields().iter().enumerate() {
            let is_coded = index != user_id && *field.data_type() == coded_type();
            dictionaries.push(if is_coded { Some(Dictionary::of(&chunks, index)?) } else { None });
        }
        Ok(Self { schema, user_id, chunks, slices, dictionaries, sequence: None })
    }

    /// The same, with the number of the row in its slice, as text of that order, in the place of a column.
    #[must_use]
    pub fn with_sequence(mut self, column: Option<usize>) -> Self {
        self.sequence = column;
        self
    }

    /// Bytes that the slices occupy which `workers` put together at the same time.
    pub fn sliced_bytes(&self, workers: usize) -> usize {
        let all: usize = self.chunks.iter().map(Chunk::assembled_bytes).sum();
        (all >> self.slices.bits()) * workers
    }

    /// How many slices there are; some may be empty.
    pub fn slices(&self) -> usize {
        self.slices.count()
    }

    /// Lays the rows of each person of a slice one behind the other.
    ///
    /// # Errors
    /// An error if a column has not the type that was promised.
    pub fn assemble(&self, slice: usize, before: &mut Before) -> Result<Assembled> {
        let parts: Vec<RunsOfSlice> =
            self.chunks.iter().map(|chunk| chunk.runs.of_slice(self.slices, slice)).collect();
        let most = parts.iter().map(|part| part.runs.len()).max().unwrap_or(0).max(before.people);
        let mut persons = Persons::new(self.slices, most, before.persons.take());
        let mut runs = emptied(&mut before.runs);
        runs.reserve(parts.iter().map(|part| part.runs.len()).sum());
        for (number, part) in parts.iter().enumerate() {
            if let Some(next) = parts.get(number + 1) {
                next.fetch_ahead();
            }
            for (run, id) in part.people() {
                let person = persons.add_rows(run.apart, id, run.rows);
                // The person, until all are counted.
                runs.push(PlacedRun { place: person, rows: run.rows });
            }
        }
        before.people = before.people.max(persons.len());
        let mut offsets = emptied(&mut before.offsets);
        offsets.reserve(persons.len() + 1);
        offsets.push(0);
        let mut end = 0;
        offsets.extend(persons.rows().map(|rows| {
            end += rows;
            end
        }));
        // The place of each person's next row.
        let mut next = emptied(&mut before.next);
        next.extend_from_slice(&offsets[..persons.len()]);
        for run in &mut runs {
            let next = &mut next[run.place as usize];
            run.place = *next;
            *next += run.rows;
        }
        let layout = Layout { chunks: &self.chunks, parts: &parts, runs: &runs, rows: end as usize };
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for (index, field) in self.schema.fields().iter().enumerate() {
            columns.push(if *field.data_type() == DataType::Null {
                Arc::new(NullArray::new(layout.rows))
            } else if index == self.user_id {
                person_codes(&offsets, &persons, before.values(index, 0))?
            } else if self.sequence == Some(index) {
                before.numbers.first(layout.rows)?
            } else {
                layout.column(index, field.data_type(), self.dictionaries[index].as_ref(), before)?
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(layout.rows));
        (before.runs, before.next) = (runs, next);
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(Assembled { batch, offsets, persons })
    }
}

impl Assembled {
    /// Whether each person's rows come in the order of time, no two of one instant.
    pub fn are_times_distinct(&self) -> bool {
        let times = self.batch.column_by_name(schema::TS);
        let Some(times) = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>()) else {
            return false;
        };
        let times = times.values();
        let distinct = |rows: &[i64]| rows.windows(2).all(|pair| pair[0] < pair[1]);
        self.offsets.windows(2).all(|range| distinct(&times[range[0] as usize..range[1] as usize]))
    }

    /// The rows in the order of the people's ids, each person's in the order of time, those of one instant in the order
    /// of event ids, NULL last. A column that is not there orders nothing, nor do those after it.
    pub fn by_person_and_time(&self) -> Result<RecordBatch> {
        let ids = self.persons.ids();
        let mut people: Vec<u32> = (0..self.persons.len() as u32).collect();
        people.sort_unstable_by_key(|person| ids.value(*person as usize));
        let times = self.batch.column_by_name(schema::TS);
        let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
        let event_ids = self.batch.column_by_name(schema::EVENT_ID).and_then(|ids| ids.as_string_view_opt());
        let mut order = Vec::with_capacity(self.batch.num_rows());
        for person in people {
            let range = self.offsets[person as usize]..self.offsets[person as usize + 1];
            let start = order.len();
            order.extend(range);
            if let Some(times) = times {
                let compare = |left: &u32, right: &u32| {
                    let (left, right) = (*left as usize, *right as usize);
                    times.value(left).cmp(&times.value(right)).then_with(|| match event_ids {
                        Some(ids) if ids.is_null(left) || ids.is_null(right) => {
                            ids.is_null(left).cmp(&ids.is_null(right))
                        }
                        Some(ids) => ids.value(left).cmp(ids.value(right)),
                        None => Ordering::Equal,
                    })
                };
                let rows = &mut order[start..];
                if !rows.is_sorted_by(|left, right| compare(left, right).is_le()) {
                    rows.sort_by(compare);
                }
            }
        }
        Ok(take_record_batch(&self.batch, &UInt32Array::from(order))?)
    }
}

/// A vector without its values, but with its memory.
fn emptied<T>(values: &mut Vec<T>) -> Vec<T> {
    let mut values = std::mem::take(values);
    values.clear();
    values
}

/// The column `user_id`: the number of the person is the code. `codes` is empty.
fn person_codes(offsets: &[u32], persons: &Persons, mut codes: Vec<i32>) -> Result<ArrayRef> {
    codes.reserve(offsets.last().copied().unwrap_or(0) as usize);
    for (person, range) in (0_i32..).zip(offsets.windows(2)) {
        codes.resize(range[1] as usize, person);
    }
    let ids: StringArray = persons.ids().iter().collect();
    Ok(Arc::new(coded(Int32Array::from(codes), Arc::new(ids))?))
}

#[cfg(test)]
mod tests;
