//! The rows of a bucket, person by person.
//!
//! Files hold the rows of a day, sorted by person and time. Read in the order of the days, the runs of each person's
//! rows are laid one behind the other: copies of runs, no comparison, no sort.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, DictionaryArray, Int32Array, NullArray, PrimitiveArray,
    RecordBatch, RecordBatchOptions, StringArray, UInt32Array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::{interleave, take_record_batch};
use arrow::datatypes::{
    ArrowNativeType, DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, SchemaRef,
    TimestampMicrosecondType,
};
use datafusion::common::{Result, exec_err, internal_err, resources_err};
use hashbrown::HashMap;

use super::columns::coded_type;
use super::persons::Persons;
use super::row_numbers::RowNumbers;
use super::runs::{ValidBits, copy_run, partition_point_near};
use crate::schema;
use crate::store::layout::KeyPrefix;

/// Rows that are put together at once: few enough for their columns to stay in the processor's cache.
const SLICE_ROWS: usize = 128 * 1024;
/// Rows that a slice has in a chunk, on average, at least: each chunk is at another place in memory, and going there costs
/// more than the few rows that would be copied.
const CHUNK_ROWS: usize = 512;
/// Below so many rows another slice costs more than another worker saves.
const MIN_SLICE_ROWS: usize = 8 * 1024;
/// Bits of `user_key` that a prefix can have.
const PREFIX_BITS: u8 = u16::BITS as u8;

/// Consecutive rows of one person in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// `user_key` of the person.
    key: i64,
    /// Code of the person in the chunk's dictionary.
    code: i32,
    start: u32,
    len: u32,
}

/// The rows of one row group, and whose they are.
#[derive(Debug)]
pub struct Chunk {
    /// The columns; that of `user_id` is not kept, as runs tell the person.
    columns: Vec<ArrayRef>,
    /// The ids that codes of `user_id` stand for.
    ids: StringArray,
    /// For each column the rows that have a value, if not all have.
    nulls: Vec<Option<NullBuffer>>,
    runs: Vec<Run>,
    /// All rows, and those of people that belong.
    all_rows: usize,
    rows: usize,
    /// Whether its people come in the order of their keys.
    is_ordered: bool,
}

/// The rows of a bucket as they were read, to be put together slice after slice.
///
/// A slice has the people with one further prefix of `user_key`: slices share no person.
#[derive(Debug)]
pub struct Gathered {
    schema: SchemaRef,
    user_id: usize,
    chunks: Vec<Chunk>,
    /// Leading bits of `user_key` that all rows share.
    bits: u8,
    /// Further bits that tell slices apart.
    slice_bits: u8,
    /// For each column of codes the codes of all chunks as codes into one dictionary.
    dictionaries: Vec<Option<Dictionary>>,
    /// The column that has the number of the row in its slice.
    sequence: Option<usize>,
}

/// One dictionary in the place of those of all chunks.
#[derive(Debug)]
struct Dictionary {
    values: ArrayRef,
    /// For each chunk the new code of each of its codes.
    codes: Vec<Vec<i32>>,
}

/// What slices before have left for the next one.
#[derive(Debug, Default)]
pub struct Before {
    /// The most people that one had: the next one will have about as many.
    people: usize,
    numbers: RowNumbers,
    /// The memory of each column's values.
    values: Vec<Option<Buffer>>,
}

impl Before {
    /// Takes back the memory of a slice that is done with, as far as nobody else has it.
    pub fn take_back(&mut self, done: Assembled) {
        let (_, columns, _) = done.batch.into_parts();
        self.values = columns
            .into_iter()
            .map(|column| {
                let data = column.to_data();
                drop(column);
                match data.data_type() {
                    DataType::Dictionary(_, _) => data.buffers().first().cloned(),
                    of if of.is_primitive() => data.buffers().first().cloned(),
                    _ => None,
                }
            })
            .collect();
    }

    /// `rows` values for the column at `index`, of which each is to be overwritten.
    fn values<T: ArrowNativeType>(&mut self, index: usize, rows: usize) -> Vec<T> {
        let kept = self.values.get_mut(index).and_then(Option::take);
        let mut values: Vec<T> = kept.and_then(|kept| kept.into_vec().ok()).unwrap_or_default();
        values.resize(rows, T::default());
        values
    }
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

impl Chunk {
    /// The rows of a row group whose person passes `belongs`, which is given the id and tells its `user_key`. The column
    /// `user_id` tells the person by a code.
    ///
    /// # Errors
    /// Those of `belongs`; an error for a row without a person, which only a damaged file can have.
    pub fn new(
        batch: &RecordBatch,
        user_id: usize,
        mut belongs: impl FnMut(&str) -> Result<Option<i64>>,
    ) -> Result<Self> {
        let (ids, values) = codes_of(batch.column(user_id))?;
        if ids.logical_null_count() > 0 {
            return exec_err!("a row has no user_id");
        }
        if u32::try_from(batch.num_rows()).is_err() {
            return resources_err!("more than {} rows in a row group", u32::MAX);
        }
        let mut runs: Vec<Run> = Vec::new();
        let (mut start, mut rows, mut is_ordered) = (0, 0, true);
        for run in ids.keys().values().chunk_by(|left, right| left == right) {
            // Lengths and starts are below the number of rows, which was checked.
            let len = run.len() as u32;
            if let Some(key) = belongs(values.value(run[0] as usize))? {
                is_ordered &= runs.last().is_none_or(|before| before.key <= key);
                rows += run.len();
                runs.push(Run { key, code: run[0], start, len });
            }
            start += len;
        }
        let (ids, all_rows) = (values.clone(), batch.num_rows());
        let mut columns = batch.columns().to_vec();
        columns[user_id] = Arc::new(NullArray::new(all_rows));
        let nulls =
            columns.iter().map(|column| column.logical_nulls().filter(|nulls| nulls.null_count() > 0));
        let nulls = nulls.collect();
        Ok(Self { columns, ids, nulls, runs, all_rows, rows, is_ordered })
    }

    /// Bytes that it occupies.
    pub fn allocated_bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|column| column.get_array_memory_size()).sum();
        columns + self.ids.get_array_memory_size() + self.runs.capacity() * size_of::<Run>()
    }
}

fn rows_of(chunks: &[Chunk]) -> usize {
    chunks.iter().map(|chunk| chunk.rows).sum()
}

/// Bits that tell apart the slices of `chunks`, whose people share `bits` bits.
fn slice_bits(chunks: &[Chunk], bits: u8, workers: usize) -> u8 {
    if !chunks.iter().all(|chunk| chunk.is_ordered) {
        return 0;
    }
    let rows = rows_of(chunks);
    let for_slices = |slices: usize| slices.max(1).next_power_of_two().ilog2();
    let by_rows = for_slices(rows.div_ceil(SLICE_ROWS));
    let by_chunks = (rows / (CHUNK_ROWS * chunks.len().max(1))).max(1).ilog2();
    let for_workers = for_slices(workers.min(rows / MIN_SLICE_ROWS));
    (by_rows.min(by_chunks).max(for_workers) as u8).min(PREFIX_BITS.saturating_sub(bits))
}

/// The codes of a column and the text that they stand for.
fn codes_of(column: &ArrayRef) -> Result<(&DictionaryArray<Int32Type>, &StringArray)> {
    let codes = column.as_dictionary_opt::<Int32Type>();
    let values = codes.and_then(|codes| codes.values().as_string_opt::<i32>());
    match (codes, values) {
        (Some(codes), Some(values)) => Ok((codes, values)),
        _ => internal_err!("a column has type {} instead of codes of text", column.data_type()),
    }
}

impl Dictionary {
    fn of(chunks: &[Chunk], column: usize) -> Result<Self> {
        let mut known: HashMap<&str, i32> = HashMap::new();
        let mut values: Vec<&str> = Vec::new();
        let mut codes = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let (_, text) = codes_of(&chunk.columns[column])?;
            // Codes are counted in 32 bits, as in the files.
            let of_chunk = (0..text.len()).map(|value| {
                let value = text.value(value);
                *known.entry(value).or_insert_with(|| {
                    values.push(value);
                    (values.len() - 1) as i32
                })
            });
            codes.push(of_chunk.collect());
        }
        Ok(Self { values: Arc::new(StringArray::from_iter_values(values)), codes })
    }
}

impl Gathered {
    /// The rows of `chunks` with the columns of `schema`, to be put together by `workers` at the same time. All their
    /// people share the `bits` leading bits of `user_key`.
    ///
    /// # Errors
    /// An error if a column has not the type that was promised, or there are more rows than can be counted.
    pub fn new(
        schema: SchemaRef,
        user_id: usize,
        chunks: Vec<Chunk>,
        bits: u8,
        workers: usize,
    ) -> Result<Self> {
        let slice_bits = slice_bits(&chunks, bits, workers);
        Self::divided(schema, user_id, chunks, bits, slice_bits)
    }

    /// The same, with the number of the row in its slice, as text of that order, in the place of a column.
    #[must_use]
    pub fn with_sequence(mut self, column: Option<usize>) -> Self {
        self.sequence = column;
        self
    }

    fn divided(
        schema: SchemaRef,
        user_id: usize,
        chunks: Vec<Chunk>,
        bits: u8,
        slice_bits: u8,
    ) -> Result<Self> {
        if u32::try_from(rows_of(&chunks)).is_err() {
            return resources_err!(
                "more than {} rows of one part of the people at once: use a narrower WHERE",
                u32::MAX
            );
        }
        let mut dictionaries = Vec::with_capacity(schema.fields().len());
        for (index, field) in schema.fields().iter().enumerate() {
            let is_coded = index != user_id && *field.data_type() == coded_type();
            dictionaries.push(if is_coded { Some(Dictionary::of(&chunks, index)?) } else { None });
        }
        Ok(Self { schema, user_id, chunks, bits, slice_bits, dictionaries, sequence: None })
    }

    /// Bytes that the slices occupy which `workers` put together at the same time.
    pub fn sliced_bytes(&self, workers: usize) -> usize {
        let all: usize = self.chunks.iter().map(Chunk::allocated_bytes).sum();
        (all >> self.slice_bits) * workers
    }

    /// How many slices there are; some may be empty.
    pub fn slices(&self) -> usize {
        1 << self.slice_bits
    }

    /// Lays the rows of each person of a slice one behind the other.
    ///
    /// # Errors
    /// An error if a column has not the type that was promised.
    pub fn assemble(&self, slice: usize, before: &mut Before) -> Result<Assembled> {
        let ranges: Vec<Range<usize>> = self.chunks.iter().map(|chunk| self.runs_of(chunk, slice)).collect();
        let most = ranges.iter().map(ExactSizeIterator::len).max().unwrap_or(0).max(before.people);
        let mut persons = Persons::new(self.bits + self.slice_bits, most);
        let mut counts: Vec<u32> = Vec::with_capacity(2 * most);
        let mut numbers = Vec::with_capacity(ranges.iter().map(ExactSizeIterator::len).sum());
        for (chunk, range) in self.chunks.iter().zip(&ranges) {
            for run in &chunk.runs[range.clone()] {
                let person = persons.number(run.key, chunk.ids.value(run.code as usize));
                if person as usize == counts.len() {
                    counts.push(0);
                }
                counts[person as usize] += run.len;
                numbers.push(person);
            }
        }
        before.people = before.people.max(persons.len());
        let mut offsets = Vec::with_capacity(counts.len() + 1);
        let mut end = 0;
        offsets.push(0);
        for count in &counts {
            end += count;
            offsets.push(end);
        }
        let mut next = offsets.clone();
        let runs = self.chunks.iter().zip(&ranges).flat_map(|(chunk, range)| &chunk.runs[range.clone()]);
        // Where the rows of each run go, in the order of chunks and runs.
        let mut places = numbers;
        for (run, place) in runs.zip(&mut places) {
            let next = &mut next[*place as usize];
            *place = *next;
            *next += run.len;
        }
        let layout = Layout { gathered: self, ranges: &ranges, places: &places, rows: end as usize };
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for (index, field) in self.schema.fields().iter().enumerate() {
            columns.push(if index == self.user_id {
                person_codes(&offsets, &persons, before.values(index, 0))?
            } else if self.sequence == Some(index) {
                before.numbers.first(layout.rows)?
            } else {
                layout.column(index, field.data_type(), before)?
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(layout.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(Assembled { batch, offsets, persons })
    }

    /// The runs of a slice. Keys are hashes: a slice begins near where it would if they were evenly spread.
    fn runs_of(&self, chunk: &Chunk, slice: usize) -> Range<usize> {
        if self.slice_bits == 0 {
            return 0..chunk.runs.len();
        }
        let slice_of = |run: &Run| {
            let prefix = KeyPrefix::of(run.key, self.bits + self.slice_bits).prefix;
            usize::from(prefix) & ((1 << self.slice_bits) - 1)
        };
        let begin = |slice: usize| {
            let guess = (chunk.runs.len() * slice) >> self.slice_bits;
            partition_point_near(&chunk.runs, guess, |run| slice_of(run) < slice)
        };
        begin(slice)..begin(slice + 1)
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

/// The column `user_id`: the number of the person is the code. `codes` is empty.
fn person_codes(offsets: &[u32], persons: &Persons, mut codes: Vec<i32>) -> Result<ArrayRef> {
    codes.reserve(offsets.last().copied().unwrap_or(0) as usize);
    for (person, range) in (0_i32..).zip(offsets.windows(2)) {
        codes.resize(range[1] as usize, person);
    }
    let ids: StringArray = persons.ids().iter().collect();
    Ok(Arc::new(DictionaryArray::try_new(Int32Array::from(codes), Arc::new(ids))?))
}

/// Where the rows of a slice come from and where they go.
struct Layout<'a> {
    gathered: &'a Gathered,
    /// For each chunk its runs.
    ranges: &'a [Range<usize>],
    /// For each of these runs its place.
    places: &'a [u32],
    rows: usize,
}

impl<'a> Layout<'a> {
    /// Calls `copy` with chunk, run and place of each run.
    fn for_each_run(&self, mut copy: impl FnMut(usize, Run, usize)) {
        let mut places = self.places.iter();
        for (number, (chunk, range)) in self.chunks().iter().zip(self.ranges).enumerate() {
            for (run, place) in chunk.runs[range.clone()].iter().zip(places.by_ref()) {
                copy(number, *run, *place as usize);
            }
        }
    }

    fn chunks(&self) -> &'a [Chunk] {
        &self.gathered.chunks
    }

    fn column(&self, index: usize, data_type: &DataType, before: &mut Before) -> Result<ArrayRef> {
        match data_type {
            DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, _) => {
                self.primitive::<TimestampMicrosecondType>(index, data_type, before)
            }
            DataType::Int64 => self.primitive::<Int64Type>(index, data_type, before),
            DataType::Date32 => self.primitive::<Date32Type>(index, data_type, before),
            DataType::Float64 => self.primitive::<Float64Type>(index, data_type, before),
            DataType::Decimal128(_, _) => self.primitive::<Decimal128Type>(index, data_type, before),
            coded if *coded == coded_type() => self.codes(index, before),
            _ => self.any(index, data_type),
        }
    }

    fn primitive<T: ArrowPrimitiveType>(
        &self,
        index: usize,
        data_type: &DataType,
        before: &mut Before,
    ) -> Result<ArrayRef> {
        let mut sources = Vec::with_capacity(self.chunks().len());
        for chunk in self.chunks() {
            match chunk.columns[index].as_primitive_opt::<T>() {
                Some(column) => sources.push(column.values().as_ref()),
                None => {
                    return internal_err!("column {index} has type {}", chunk.columns[index].data_type());
                }
            }
        }
        let mut values: Vec<T::Native> = before.values(index, self.rows);
        self.for_each_run(|chunk, run, place| {
            let (start, len) = (run.start as usize, run.len as usize);
            copy_run(&mut values[place..place + len], &sources[chunk][start..start + len]);
        });
        let array = PrimitiveArray::<T>::try_new(values.into(), self.nulls(index))?;
        Ok(Arc::new(array.with_data_type(data_type.clone())))
    }

    fn codes(&self, index: usize, before: &mut Before) -> Result<ArrayRef> {
        let Some(dictionary) = &self.gathered.dictionaries[index] else {
            return internal_err!("column {index} has no dictionary");
        };
        let mut sources: Vec<(&[i32], &[i32])> = Vec::with_capacity(self.chunks().len());
        for (chunk, codes) in self.chunks().iter().zip(&dictionary.codes) {
            let (column, _) = codes_of(&chunk.columns[index])?;
            sources.push((column.keys().values().as_ref(), codes));
        }
        let mut codes: Vec<i32> = before.values(index, self.rows);
        self.for_each_run(|chunk, run, place| {
            let (keys, numbers) = sources[chunk];
            let start = run.start as usize;
            let len = run.len as usize;
            for (code, key) in codes[place..place + len].iter_mut().zip(&keys[start..start + len]) {
                // A NULL has any key; its code does not matter.
                *code = numbers.get(*key as usize).copied().unwrap_or(0);
            }
        });
        let keys = Int32Array::try_new(codes.into(), self.nulls(index))?;
        Ok(Arc::new(DictionaryArray::try_new(keys, Arc::clone(&dictionary.values))?))
    }

    /// A column of any type, by the places of its rows.
    fn any(&self, index: usize, data_type: &DataType) -> Result<ArrayRef> {
        let columns: Vec<&dyn Array> =
            self.chunks().iter().map(|chunk| chunk.columns[index].as_ref()).collect();
        let has_no_value = |chunk: &Chunk| {
            let nulls = chunk.nulls[index].as_ref();
            nulls.map_or(0, NullBuffer::null_count) == chunk.all_rows
        };
        if self.chunks().iter().all(has_no_value) {
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
        if self.chunks().iter().all(|chunk| chunk.nulls[index].is_none()) {
            return None;
        }
        let sources: Vec<Option<ValidBits>> =
            self.chunks().iter().map(|chunk| chunk.nulls[index].as_ref().map(ValidBits::of)).collect();
        let mut missing = vec![0_u64; self.rows.div_ceil(64)];
        self.for_each_run(|chunk, run, place| {
            if let Some(valid) = &sources[chunk] {
                let (mut start, mut place, mut len) = (run.start as usize, place, run.len as usize);
                while len > 0 {
                    let count = len.min(64 - place % 64);
                    missing[place / 64] |= valid.missing(start, count) << (place % 64);
                    (start, place, len) = (start + count, place + count, len - count);
                }
            }
        });
        let valid = missing.into_iter().map(|missing| !missing).collect::<Vec<u64>>();
        Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(valid), 0, self.rows)))
    }
}

#[cfg(test)]
mod tests;
