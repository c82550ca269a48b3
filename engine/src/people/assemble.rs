//! The rows of a bucket, person by person.
//!
//! Files hold the rows of a day, sorted by person and time. Read in the order of the days, the runs of each person's
//! rows are laid one behind the other: copies of runs, no comparison, no sort.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanBufferBuilder, DictionaryArray, Int32Array,
    PrimitiveArray, RecordBatch, RecordBatchOptions, StringArray, UInt32Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::{interleave, take_record_batch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, SchemaRef,
    TimestampMicrosecondType,
};
use datafusion::common::{Result, exec_err, internal_err, resources_err};
use hashbrown::HashMap;

use super::columns::coded_type;
use super::persons::Persons;
use crate::schema;

/// Consecutive rows of one person in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    person: u32,
    start: u32,
    len: u32,
}

/// The rows of one row group, and whose they are.
#[derive(Debug)]
struct Chunk {
    batch: RecordBatch,
    runs: Vec<Run>,
}

/// Gathers the rows of a bucket.
#[derive(Debug)]
pub struct Assembler {
    schema: SchemaRef,
    user_id: usize,
    persons: Persons,
    /// Rows of each person so far.
    counts: Vec<u32>,
    chunks: Vec<Chunk>,
    rows: usize,
    bytes: usize,
}

/// The rows of a bucket: person p has the rows `offsets[p]..offsets[p + 1]`, in the order in which chunks came.
#[derive(Debug)]
pub struct Assembled {
    /// All rows.
    pub batch: RecordBatch,
    /// Where each person's rows begin, and the end.
    pub offsets: Vec<u32>,
    /// The people.
    pub persons: Persons,
}

impl Assembler {
    /// No rows yet of batches of `schema`, whose column `user_id` tells the person by a code.
    pub fn new(schema: SchemaRef, user_id: usize) -> Self {
        Self {
            schema,
            user_id,
            persons: Persons::default(),
            counts: Vec::new(),
            chunks: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Adds the rows of a row group whose person passes `belongs`, which is given the id and its hash.
    ///
    /// # Errors
    /// Those of `belongs`; an error for a row without a person, which only a damaged file can have.
    pub fn push(
        &mut self,
        batch: RecordBatch,
        mut belongs: impl FnMut(&str) -> Result<Option<u64>>,
    ) -> Result<()> {
        let Some(ids) = batch.column(self.user_id).as_dictionary_opt::<Int32Type>() else {
            return internal_err!("user_id does not come as codes");
        };
        let Some(values) = ids.values().as_string_opt::<i32>() else {
            return internal_err!("user_id holds no text");
        };
        if ids.logical_null_count() > 0 {
            return exec_err!("a row has no user_id");
        }
        if u32::try_from(self.rows + batch.num_rows()).is_err() {
            return resources_err!(
                "more than {} rows of one part of the people at once: use a narrower WHERE",
                u32::MAX
            );
        }
        let mut runs = Vec::new();
        let mut start = 0;
        for run in ids.keys().values().chunk_by(|left, right| left == right) {
            // Lengths and starts are below the number of rows, which was checked.
            let len = run.len() as u32;
            let id = values.value(run[0] as usize);
            if let Some(hash) = belongs(id)? {
                let person = self.persons.number(hash, id);
                if person as usize == self.counts.len() {
                    self.counts.push(0);
                }
                self.counts[person as usize] += len;
                self.rows += run.len();
                runs.push(Run { person, start, len });
            }
            start += len;
        }
        self.bytes += batch.get_array_memory_size() + runs.capacity() * size_of::<Run>();
        self.chunks.push(Chunk { batch, runs });
        Ok(())
    }

    /// Bytes that the rows occupy, twice: [`Self::finish`] copies them.
    pub fn allocated_bytes(&self) -> usize {
        2 * self.bytes + self.persons.allocated_bytes()
    }

    /// Lays the rows of each person one behind the other.
    pub fn finish(self) -> Result<Assembled> {
        let mut offsets = Vec::with_capacity(self.counts.len() + 1);
        let mut end = 0;
        offsets.push(0);
        for count in &self.counts {
            end += count;
            offsets.push(end);
        }
        let mut next = offsets.clone();
        // Where the rows of each run go, in the order of chunks and runs.
        let mut places = Vec::with_capacity(self.chunks.iter().map(|chunk| chunk.runs.len()).sum());
        for run in self.chunks.iter().flat_map(|chunk| &chunk.runs) {
            let place = &mut next[run.person as usize];
            places.push(*place);
            *place += run.len;
        }
        let layout = Layout { chunks: &self.chunks, places: &places, rows: self.rows };
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for (index, field) in self.schema.fields().iter().enumerate() {
            columns.push(if index == self.user_id {
                person_codes(&offsets, &self.persons)?
            } else {
                layout.column(index, field.data_type())?
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(Assembled { batch, offsets, persons: self.persons })
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

/// The column `user_id`: the number of the person is the code.
fn person_codes(offsets: &[u32], persons: &Persons) -> Result<ArrayRef> {
    let rows = offsets.last().copied().unwrap_or(0) as usize;
    let mut codes = Vec::with_capacity(rows);
    for (person, range) in (0_i32..).zip(offsets.windows(2)) {
        codes.resize(range[1] as usize, person);
    }
    let ids: StringArray = persons.ids().iter().collect();
    Ok(Arc::new(DictionaryArray::try_new(Int32Array::from(codes), Arc::new(ids))?))
}

/// Where rows come from and where they go.
struct Layout<'a> {
    chunks: &'a [Chunk],
    places: &'a [u32],
    rows: usize,
}

impl Layout<'_> {
    /// Calls `copy` with chunk, run and place of each run.
    fn for_each_run(&self, mut copy: impl FnMut(usize, Run, usize)) {
        let mut places = self.places.iter();
        for (number, chunk) in self.chunks.iter().enumerate() {
            for (run, place) in chunk.runs.iter().zip(places.by_ref()) {
                copy(number, *run, *place as usize);
            }
        }
    }

    fn column(&self, index: usize, data_type: &DataType) -> Result<ArrayRef> {
        match data_type {
            DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, _) => {
                self.primitive::<TimestampMicrosecondType>(index, data_type)
            }
            DataType::Int64 => self.primitive::<Int64Type>(index, data_type),
            DataType::Date32 => self.primitive::<Date32Type>(index, data_type),
            DataType::Float64 => self.primitive::<Float64Type>(index, data_type),
            DataType::Decimal128(_, _) => self.primitive::<Decimal128Type>(index, data_type),
            coded if *coded == coded_type() => self.codes(index),
            _ => self.any(index, data_type),
        }
    }

    fn primitive<T: ArrowPrimitiveType>(&self, index: usize, data_type: &DataType) -> Result<ArrayRef> {
        let mut sources = Vec::with_capacity(self.chunks.len());
        for chunk in self.chunks {
            match chunk.batch.column(index).as_primitive_opt::<T>() {
                Some(column) => sources.push(column.values().as_ref()),
                None => {
                    return internal_err!(
                        "column {index} has type {}",
                        chunk.batch.column(index).data_type()
                    );
                }
            }
        }
        let mut values = vec![T::Native::default(); self.rows];
        self.for_each_run(|chunk, run, place| {
            let (start, len) = (run.start as usize, run.len as usize);
            values[place..place + len].copy_from_slice(&sources[chunk][start..start + len]);
        });
        let array = PrimitiveArray::<T>::try_new(values.into(), self.nulls(index))?;
        Ok(Arc::new(array.with_data_type(data_type.clone())))
    }

    /// Codes of all chunks as codes into one dictionary.
    fn codes(&self, index: usize) -> Result<ArrayRef> {
        let mut known: HashMap<&str, i32> = HashMap::new();
        let mut values: Vec<&str> = Vec::new();
        let mut sources = Vec::with_capacity(self.chunks.len());
        for chunk in self.chunks {
            let column = chunk.batch.column(index);
            let text = column.as_dictionary_opt::<Int32Type>().and_then(|codes| {
                Some((codes.keys().values().as_ref(), codes.values().as_string_opt::<i32>()?))
            });
            let Some((keys, text)) = text else {
                return internal_err!("column {index} has type {}", column.data_type());
            };
            // Codes are counted in 32 bits, as in the files.
            let numbers: Vec<i32> = (0..text.len())
                .map(|value| {
                    let value = text.value(value);
                    *known.entry(value).or_insert_with(|| {
                        values.push(value);
                        (values.len() - 1) as i32
                    })
                })
                .collect();
            sources.push((keys, numbers));
        }
        let mut codes = vec![0_i32; self.rows];
        self.for_each_run(|chunk, run, place| {
            let (keys, numbers) = &sources[chunk];
            let start = run.start as usize;
            let len = run.len as usize;
            for (code, key) in codes[place..place + len].iter_mut().zip(&keys[start..start + len]) {
                // A NULL has any key; its code does not matter.
                *code = numbers.get(*key as usize).copied().unwrap_or(0);
            }
        });
        let keys = Int32Array::try_new(codes.into(), self.nulls(index))?;
        let values = StringArray::from_iter_values(values);
        Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(values))?))
    }

    /// A column of any type, by the places of its rows.
    fn any(&self, index: usize, data_type: &DataType) -> Result<ArrayRef> {
        let columns: Vec<&dyn Array> =
            self.chunks.iter().map(|chunk| chunk.batch.column(index).as_ref()).collect();
        if columns.iter().all(|column| column.logical_null_count() == column.len()) {
            return Ok(arrow::array::new_null_array(data_type, self.rows));
        }
        let mut from = vec![(0, 0); self.rows];
        self.for_each_run(|chunk, run, place| {
            for (row, from) in from[place..place + run.len as usize].iter_mut().enumerate() {
                *from = (chunk, run.start as usize + row);
            }
        });
        Ok(interleave(&columns, &from)?)
    }

    fn nulls(&self, index: usize) -> Option<NullBuffer> {
        let nulls: Vec<Option<NullBuffer>> =
            self.chunks.iter().map(|chunk| chunk.batch.column(index).logical_nulls()).collect();
        if nulls.iter().flatten().all(|nulls| nulls.null_count() == 0) {
            return None;
        }
        let mut valid = BooleanBufferBuilder::new(self.rows);
        valid.append_n(self.rows, true);
        self.for_each_run(|chunk, run, place| {
            if let Some(nulls) = &nulls[chunk] {
                for row in 0..run.len as usize {
                    valid.set_bit(place + row, nulls.is_valid(run.start as usize + row));
                }
            }
        });
        let valid: BooleanBuffer = valid.finish();
        Some(NullBuffer::new(valid))
    }
}

#[cfg(test)]
mod tests;
