//! The columns of a slice: runs of rows, each copied to its place.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, DictionaryArray, Int32Array, PrimitiveArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{Result, internal_err};

use super::before::Before;
use super::chunk::{Chunk, Rows, codes_of};
use super::columns::coded_type;
use super::dictionary::Dictionary;
use super::runs::{ValidBits, copy_run, partition_point_near};

/// Runs for each NULL of a row group from which on the run of a NULL is sought, instead of the NULLs of each run.
const RUNS_OF_NULL: usize = 8;

/// Where the rows of a slice come from and where they go.
pub(super) struct Layout<'a> {
    pub(super) chunks: &'a [Chunk],
    /// For each chunk its runs.
    pub(super) ranges: &'a [Range<usize>],
    /// For each of these runs its place.
    pub(super) places: &'a [u32],
    /// All rows of the slice.
    pub(super) rows: usize,
}

impl<'a> Layout<'a> {
    /// Calls `copy` with chunk, run and place of each run.
    fn for_each_run(&self, mut copy: impl FnMut(usize, Rows, usize)) {
        let mut places = self.places.iter();
        for (number, (chunk, range)) in self.chunks.iter().zip(self.ranges).enumerate() {
            for (run, place) in chunk.runs.rows[range.clone()].iter().zip(places.by_ref()) {
                copy(number, *run, *place as usize);
            }
        }
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
            coded if *coded == coded_type() => self.codes(index, dictionary, before),
            _ => self.any(index, data_type),
        }
    }

    fn primitive<T: ArrowPrimitiveType>(
        &self,
        index: usize,
        data_type: &DataType,
        before: &mut Before,
    ) -> Result<ArrayRef> {
        let mut sources = Vec::with_capacity(self.chunks.len());
        for chunk in self.chunks {
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

    fn codes(&self, index: usize, dictionary: Option<&Dictionary>, before: &mut Before) -> Result<ArrayRef> {
        let Some(dictionary) = dictionary else {
            return internal_err!("column {index} has no dictionary");
        };
        let mut sources: Vec<(&[i32], &[i32])> = Vec::with_capacity(self.chunks.len());
        for (chunk, codes) in self.chunks.iter().zip(&dictionary.codes) {
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
            self.chunks.iter().map(|chunk| chunk.columns[index].as_ref()).collect();
        let has_no_value = |chunk: &Chunk| {
            let nulls = chunk.nulls[index].as_ref();
            nulls.map_or(0, NullBuffer::null_count) == chunk.all_rows
        };
        if self.chunks.iter().all(has_no_value) {
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
        if self.chunks.iter().all(|chunk| chunk.nulls[index].is_none()) {
            return None;
        }
        let mut missing = vec![0_u64; self.rows.div_ceil(64)];
        let mut first = 0;
        for (chunk, range) in self.chunks.iter().zip(self.ranges) {
            let runs = &chunk.runs.rows[range.clone()];
            let places = &self.places[first..first + runs.len()];
            first += runs.len();
            let (Some(nulls), [first, .., last] | [first @ last]) = (&chunk.nulls[index], runs) else {
                continue;
            };
            let rows = first.start as usize..(last.start + last.len) as usize;
            let valid = ValidBits::of(nulls);
            if nulls.null_count() * RUNS_OF_NULL < chunk.runs.rows.len() {
                missing_rows(&valid, rows, runs, places, &mut missing);
            } else {
                missing_of_runs(&valid, runs, places, &mut missing);
            }
        }
        let valid = missing.into_iter().map(|missing| !missing).collect::<Vec<u64>>();
        Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(valid), 0, self.rows)))
    }
}

/// Marks what has no value, run after run: where many rows have none. O(runs).
fn missing_of_runs(valid: &ValidBits, runs: &[Rows], places: &[u32], missing: &mut [u64]) {
    for (run, place) in runs.iter().zip(places) {
        let (mut start, mut place, mut len) = (run.start as usize, *place as usize, run.len as usize);
        while len > 0 {
            let count = len.min(64 - place % 64);
            missing[place / 64] |= valid.missing(start, count) << (place % 64);
            (start, place, len) = (start + count, place + count, len - count);
        }
    }
}

/// The same, looking for the run of each row that has no value: where few have none. O(rows / 64), and a search for each.
fn missing_rows(valid: &ValidBits, rows: Range<usize>, runs: &[Rows], places: &[u32], missing: &mut [u64]) {
    let mut behind = 0;
    for start in rows.clone().step_by(64) {
        let mut bits = valid.missing(start, 64.min(rows.end - start));
        while bits != 0 {
            let row = start + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            behind = partition_point_near(runs, behind, |run| run.start as usize <= row);
            // Rows between runs belong to nobody here.
            let Some(at) = behind.checked_sub(1) else { continue };
            let within = row - runs[at].start as usize;
            if within < runs[at].len as usize {
                let place = places[at] as usize + within;
                missing[place / 64] |= 1 << (place % 64);
            }
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
            // Rows of nobody before a run, and rows of it.
            runs in prop::collection::vec((0_u32..3, 1_u32..90), 1..60),
        ) {
            let nulls = NullBuffer::from(valid);
            let mut start = 0;
            let mut kept = Vec::new();
            for (gap, len) in runs {
                start += gap;
                let len = len.min((nulls.len() as u32).saturating_sub(start));
                if len > 0 {
                    kept.push(Rows { start, len });
                }
                start += len;
            }
            prop_assume!(!kept.is_empty());
            // The runs in the opposite order.
            let total: u32 = kept.iter().map(|run| run.len).sum();
            let mut behind = total;
            let places: Vec<u32> = kept.iter().map(|run| { behind -= run.len; behind }).collect();
            let valid = ValidBits::of(&nulls);
            let last = kept[kept.len() - 1];
            let rows = kept[0].start as usize..(last.start + last.len) as usize;
            let mut found = vec![0; (total as usize).div_ceil(64)];
            let mut wanted = found.clone();
            missing_rows(&valid, rows, &kept, &places, &mut found);
            missing_of_runs(&valid, &kept, &places, &mut wanted);
            prop_assert_eq!(found, wanted);
        }
    }
}
