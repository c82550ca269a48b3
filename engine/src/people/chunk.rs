//! The rows of one row group, and whose they are.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, NullArray, RecordBatch};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::filter_record_batch;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, resources_err};

use super::codes::{Codes, codes_of};
use super::columns::coded_type;
use super::person_runs::{PersonRuns, PersonRunsBuilder};
use super::slices::Slices;

/// The rows of one row group, and whose they are.
#[derive(Debug)]
pub struct Chunk {
    /// The columns, but for that of `user_id`, as runs tell the person, and those that come as codes.
    pub(super) columns: Vec<ArrayRef>,
    /// For each column its codes, if it comes as codes.
    pub(super) codes: Vec<Option<Codes>>,
    /// For each other column the rows that have a value, if not all have.
    pub(super) nulls: Vec<Option<NullBuffer>>,
    pub(super) runs: PersonRuns,
    pub(super) rows: usize,
}

impl Chunk {
    /// The rows of a row group whose person passes `belongs`, which is given the id and tells its `user_key`. The column
    /// `user_id` tells the person by a code. Its `slices`, or coarser ones, can be put together one by one if its people
    /// come in the order of their keys.
    ///
    /// # Errors
    /// Those of `belongs`; an error for a row without a person, which only a damaged file can have.
    pub fn new(
        batch: &RecordBatch,
        user_id: usize,
        slices: Slices,
        mut belongs: impl FnMut(&str) -> Result<Option<i64>>,
    ) -> Result<Self> {
        let (ids, values) = codes_of(batch.column(user_id))?;
        if ids.logical_null_count() > 0 {
            return exec_err!("a row has no user_id");
        }
        if u32::try_from(batch.num_rows()).is_err() {
            return resources_err!("more than {} rows in a row group", u32::MAX);
        }
        let mut runs = PersonRunsBuilder::new(values, batch.num_rows(), slices);
        // Rows of people that belong.
        let mut kept: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        for run in ids.keys().values().chunk_by(|left, right| left == right) {
            let end = start + run.len();
            let id = run[0] as usize;
            if let Some(key) = belongs(values.value(id))? {
                runs.push(id, key, run.len())?;
                match kept.last_mut().filter(|last| last.end == start) {
                    Some(last) => last.end = end,
                    None => kept.push(start..end),
                }
            }
            start = end;
        }
        let rows = runs.rows();
        let runs = runs.finish(rows < batch.num_rows())?;
        let batch = &kept_rows(batch, &kept)?;
        let mut columns = batch.columns().to_vec();
        columns[user_id] = Arc::new(NullArray::new(rows));
        let mut codes = Vec::with_capacity(columns.len());
        for column in &mut columns {
            let is_coded = *column.data_type() == coded_type();
            codes.push(if is_coded { Some(Codes::of(column)?) } else { None });
            if is_coded {
                *column = Arc::new(NullArray::new(rows));
            }
        }
        let nulls = columns.iter().map(nulls_of).collect();
        Ok(Self { columns, codes, nulls, runs, rows })
    }

    /// Bytes that its rows occupy when they are put together: codes of fewer bytes are wider then.
    pub fn assembled_bytes(&self) -> usize {
        let more = self.codes.iter().flatten().map(|codes| size_of::<i32>() - codes.keys.width());
        self.allocated_bytes() + more.sum::<usize>() * self.rows
    }

    /// Bytes that it occupies.
    pub fn allocated_bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|column| column.get_array_memory_size()).sum();
        let codes: usize = self.codes.iter().flatten().map(Codes::allocated_bytes).sum();
        columns + codes + self.runs.allocated_bytes()
    }
}

/// The rows of a column that have a value, if not all have; one without any memory tells nothing.
fn nulls_of(column: &ArrayRef) -> Option<NullBuffer> {
    let nulls = if *column.data_type() == DataType::Null { None } else { column.logical_nulls() };
    nulls.filter(|nulls| nulls.null_count() > 0)
}

/// The rows of `batch` in the ranges `kept`: mostly all, or those between two prefixes. Where few are kept they are copied, so
/// that the others do not stay in memory.
fn kept_rows(batch: &RecordBatch, kept: &[Range<usize>]) -> Result<RecordBatch> {
    match kept {
        [] => Ok(batch.slice(0, 0)),
        [most] if most.len() > batch.num_rows() / 4 * 3 => Ok(batch.slice(most.start, most.len())),
        ranges => {
            let mut is_kept = vec![false; batch.num_rows()];
            ranges.iter().for_each(|range| is_kept[range.clone()].fill(true));
            let is_kept = BooleanArray::new(BooleanBuffer::from(is_kept), None);
            Ok(filter_record_batch(batch, &is_kept)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, Int64Array};
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn rows_of_others_do_not_stay_in_memory() {
        let people: Vec<String> = (0..1_000).map(|row| format!("u{:03}", row / 2)).collect();
        let people: DictionaryArray<Int32Type> = people.iter().map(String::as_str).collect();
        let numbers = Int64Array::from_iter_values(0..1_000);
        let columns: [(&str, ArrayRef); 2] = [("user_id", Arc::new(people)), ("n", Arc::new(numbers))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let bytes = |first: &str| {
            let belongs = |id: &str| Ok((id >= first).then_some(0));
            let chunk = Chunk::new(&batch, 0, Slices::with_bits(0, 0), belongs).unwrap();
            (chunk.rows, chunk.allocated_bytes())
        };
        let (all, whole) = bytes("u000");
        let (half, bytes_of_half) = bytes("u250");
        assert_eq!((all, half), (1_000, 500));
        assert!(bytes_of_half < whole * 6 / 10, "{bytes_of_half} of {whole}");
    }
}
