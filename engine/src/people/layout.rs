//! The columns of a slice: runs of rows, each copied to its place.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Int32Array, PrimitiveArray, new_null_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{Result, internal_err};

use super::ahead;
use super::before::Before;
use super::chunk::Chunk;
use super::codes::{Keys, NO_VALUE, coded, take_nulls};
use super::columns::coded_type;
use super::dictionary::Dictionary;
use super::person_runs::RunsOfSlice;
use super::runs::{ValidBits, copy_run, map_run};

/// Runs for each NULL of a row group from which on the run of a NULL is sought, instead of the NULLs of each run.
const RUNS_OF_NULL: usize = 8;

/// Where the rows of a slice come from and where they go.
pub(super) struct Layout<'a> {
    pub(super) chunks: &'a [Chunk],
    /// For each chunk its runs.
    pub(super) parts: &'a [RunsOfSlice<'a>],
    /// All these runs.
    pub(super) runs: &'a [PlacedRun],
    /// All rows of the slice.
    pub(super) rows: usize,
}

/// Rows that follow each other in a chunk and in the slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlacedRun {
    /// The first row in the slice.
    pub(super) place: u32,
    /// How many.
    pub(super) rows: u32,
}

/// The runs of a slice in one chunk.
#[derive(Clone, Copy)]
struct PlacedRuns<'a> {
    /// The first row in the chunk.
    first_row: usize,
    runs: &'a [PlacedRun],
}

impl PlacedRuns<'_> {
    /// The rows of each run, and its place.
    fn rows_and_places(self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let mut start = self.first_row;
        self.runs.iter().map(move |run| {
            let rows = start..start + run.rows as usize;
            start = rows.end;
            (rows, run.place as usize)
        })
    }
}

impl<'a> Layout<'a> {
    /// For each chunk its runs.
    fn runs(&self) -> impl Iterator<Item = (&'a Chunk, PlacedRuns<'a>)> {
        let mut runs = self.runs;
        self.chunks.iter().zip(self.parts).map(move |(chunk, part)| {
            let (here, rest) = runs.split_at(part.runs.len());
            runs = rest;
            (chunk, PlacedRuns { first_row: part.rows.start, runs: here })
        })
    }

    /// The chunk behind the one at `number`, and its rows of the slice.
    fn behind(&self, number: usize) -> Option<(&'a Chunk, Range<usize>)> {
        Some((self.chunks.get(number + 1)?, self.parts.get(number + 1)?.rows.clone()))
    }

    /// The column at `index`, which has a dictionary if it has codes.
    ///
    /// # Errors
    /// If it has not the type that was promised.
    pub(super) fn column(
        &self,
        index: usize,
        data_type: &DataType,
        dictionary: Option<&Dictionary>,
        before: &mut Before,
    ) -> Result<ArrayRef> {
        match data_type {
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                self.primitive::<TimestampMicrosecondType>(index, data_type, before)
            }
            DataType::Int64 => self.primitive::<Int64Type>(index, data_type, before),
            DataType::Date32 => self.primitive::<Date32Type>(index, data_type, before),
            DataType::Float64 => self.primitive::<Float64Type>(index, data_type, before),
            DataType::Decimal128(_, _) => self.primitive::<Decimal128Type>(index, data_type, before),
            text if *text == coded_type() => self.codes(index, dictionary, before),
            _ => self.any(index, data_type),
        }
    }

    fn primitive<T: ArrowPrimitiveType>(
        &self,
        index: usize,
        data_type: &DataType,
        before: &mut Before,
    ) -> Result<ArrayRef> {
        let mut values: Vec<T::Native> = before.values(index, self.rows);
        for (number, (chunk, runs)) in self.runs().enumerate() {
            if let Some((next, rows)) = self.behind(number)
                && let Some(column) = next.columns[index].as_primitive_opt::<T>()
            {
                ahead::fetch(&column.values()[rows]);
            }
            let Some(column) = chunk.columns[index].as_primitive_opt::<T>() else {
                return internal_err!("column {index} has type {}", chunk.columns[index].data_type());
            };
            let column = column.values().as_ref();
            for (from, place) in runs.rows_and_places() {
                copy_run(&mut values[place..place + from.len()], &column[from]);
            }
        }
        let array = PrimitiveArray::<T>::try_new(values.into(), self.nulls(index))?;
        Ok(Arc::new(array.with_data_type(data_type.clone())))
    }

    fn codes(&self, index: usize, dictionary: Option<&Dictionary>, before: &mut Before) -> Result<ArrayRef> {
        let Some(dictionary) = dictionary else {
            return internal_err!("column {index} has no dictionary");
        };
        if dictionary.values.is_empty() {
            return Ok(new_null_array(&coded_type(), self.rows));
        }
        let mut codes: Vec<i32> = before.values(index, self.rows);
        for (number, ((chunk, runs), numbers)) in self.runs().zip(&dictionary.codes).enumerate() {
            if let Some((next, rows)) = self.behind(number) {
                match next.codes[index].as_ref().map(|codes| &codes.keys) {
                    Some(Keys::Bytes(keys)) => ahead::fetch(&keys[rows]),
                    Some(Keys::Numbers(keys)) => ahead::fetch(&keys[rows]),
                    Some(Keys::Missing) | None => {}
                }
            }
            match chunk.codes[index].as_ref().map(|codes| &codes.keys) {
                Some(Keys::Bytes(keys)) => {
                    // As many as a byte tells apart: none is outside.
                    let mut all = [NO_VALUE; 256];
                    all.iter_mut().zip(numbers).for_each(|(all, number)| *all = *number);
                    translate(runs, keys, |key| all[usize::from(key)], &mut codes);
                }
                Some(Keys::Numbers(keys)) => {
                    let number = |key| numbers.get(key as usize).copied().unwrap_or(NO_VALUE);
                    translate(runs, keys, number, &mut codes);
                }
                Some(Keys::Missing) => {
                    for (rows, place) in runs.rows_and_places() {
                        codes[place..place + rows.len()].fill(NO_VALUE);
                    }
                }
                None => return internal_err!("column {index} has no codes"),
            }
        }
        let nulls = dictionary.has_nulls.then(|| take_nulls(&mut codes));
        let keys = Int32Array::try_new(codes.into(), nulls)?;
        Ok(Arc::new(coded(keys, Arc::clone(&dictionary.values))?))
    }

    /// A column of any type, by the places of its rows.
    fn any(&self, index: usize, data_type: &DataType) -> Result<ArrayRef> {
        let columns: Vec<&dyn Array> =
            self.chunks.iter().map(|chunk| chunk.columns[index].as_ref()).collect();
        let has_no_value = |chunk: &Chunk| {
            let nulls = chunk.nulls[index].as_ref();
            let is_left_out = *chunk.columns[index].data_type() == DataType::Null;
            is_left_out || nulls.map_or(0, NullBuffer::null_count) == chunk.rows
        };
        if self.chunks.iter().all(has_no_value) {
            return Ok(new_null_array(data_type, self.rows));
        }
        let mut from = vec![(0, 0); self.rows];
        for (chunk, (_, runs)) in self.runs().enumerate() {
            for (rows, place) in runs.rows_and_places() {
                let to = &mut from[place..place + rows.len()];
                to.iter_mut().zip(rows).for_each(|(to, row)| *to = (chunk, row));
            }
        }
        Ok(interleave(&columns, &from)?)
    }

    fn nulls(&self, index: usize) -> Option<NullBuffer> {
        if self.chunks.iter().all(|chunk| chunk.nulls[index].is_none()) {
            return None;
        }
        let mut missing = vec![0_u64; self.rows.div_ceil(64)];
        for (chunk, runs) in self.runs() {
            let Some(nulls) = &chunk.nulls[index] else { continue };
            let valid = ValidBits::of(nulls);
            if nulls.null_count() * RUNS_OF_NULL < chunk.runs.len() {
                missing_rows(&valid, runs, &mut missing);
            } else {
                missing_of_runs(&valid, runs, &mut missing);
            }
        }
        let valid = missing.into_iter().map(|missing| !missing).collect::<Vec<u64>>();
        Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(valid), 0, self.rows)))
    }
}

/// Copies the `keys` of runs as codes of all row groups.
fn translate<K: Copy>(runs: PlacedRuns<'_>, keys: &[K], number: impl Fn(K) -> i32, codes: &mut [i32]) {
    for (rows, place) in runs.rows_and_places() {
        map_run(&mut codes[place..place + rows.len()], &keys[rows], &number);
    }
}

/// Marks what has no value, run after run: where many rows have none. O(runs).
fn missing_of_runs(valid: &ValidBits, runs: PlacedRuns<'_>, missing: &mut [u64]) {
    for (rows, place) in runs.rows_and_places() {
        let (mut start, mut place, mut len) = (rows.start, place, rows.len());
        while len > 0 {
            let count = len.min(64 - place % 64);
            missing[place / 64] |= valid.missing(start, count) << (place % 64);
            (start, place, len) = (start + count, place + count, len - count);
        }
    }
}

/// The same, looking for the run of each row that has no value: where few have none. O(rows / 64 + runs).
fn missing_rows(valid: &ValidBits, runs: PlacedRuns<'_>, missing: &mut [u64]) {
    let start = runs.first_row;
    let end = start + runs.runs.iter().map(|run| run.rows as usize).sum::<usize>();
    let mut runs = runs.rows_and_places();
    let Some(mut run) = runs.next() else { return };
    for start in (start..end).step_by(64) {
        let mut bits = valid.missing(start, 64.min(end - start));
        while bits != 0 {
            let row = start + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            while run.0.end <= row {
                let Some(next) = runs.next() else { return };
                run = next;
            }
            let (rows, place) = &run;
            let place = place + row - rows.start;
            missing[place / 64] |= 1 << (place % 64);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn few_missing_rows_are_those_of_the_runs(
            valid in prop::collection::vec(prop::bool::weighted(0.9), 1..400),
            before in 0_u32..70,
            lengths in prop::collection::vec(1_u32..90, 1..60),
        ) {
            let nulls = NullBuffer::from(valid);
            let mut starts = vec![before.min(nulls.len() as u32)];
            for length in lengths {
                let start = starts[starts.len() - 1];
                let end = (start + length).min(nulls.len() as u32);
                if end > start {
                    starts.push(end);
                }
            }
            // The runs in the opposite order.
            let end = starts[starts.len() - 1];
            let placed = |run: &[u32]| PlacedRun { place: end - run[1], rows: run[1] - run[0] };
            let runs: Vec<PlacedRun> = starts.windows(2).map(placed).collect();
            let runs = PlacedRuns { first_row: starts[0] as usize, runs: &runs };
            let valid = ValidBits::of(&nulls);
            let mut found = vec![0; (end as usize).div_ceil(64)];
            let mut wanted = found.clone();
            missing_rows(&valid, runs, &mut found);
            missing_of_runs(&valid, runs, &mut wanted);
            prop_assert_eq!(found, wanted);
        }
    }
}
