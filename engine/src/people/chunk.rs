//! The rows of one row group, and whose they are.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, NullArray, RecordBatch, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::filter_record_batch;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, resources_err};

use super::codes::{Codes, codes_of};
use super::columns::coded_type;

/// The runs of a chunk: rows of one person that follow each other. What is looked at together lies together, for there
/// are nearly as many runs as rows.
#[derive(Debug)]
pub(super) struct Runs {
    /// `user_key` of the person of each run.
    pub(super) keys: Vec<i64>,
    /// Code of the person in the chunk's dictionary.
    codes: Vec<i32>,
    /// Where each run begins, and the end.
    starts: Vec<u32>,
}

impl Runs {
    fn allocated_bytes(&self) -> usize {
        let Self { keys, codes, starts } = self;
        keys.capacity() * size_of::<i64>()
            + codes.capacity() * size_of::<i32>()
            + starts.capacity() * size_of::<u32>()
    }

    /// Where each of some runs begins, and the end of the last.
    pub(super) fn starts(&self, runs: Range<usize>) -> &[u32] {
        &self.starts[runs.start..=runs.end]
    }
}

/// The rows of one row group, and whose they are.
#[derive(Debug)]
pub struct Chunk {
    /// The columns, but for that of `user_id`, as runs tell the person, and those that come as codes.
    pub(super) columns: Vec<ArrayRef>,
    /// For each column its codes, if it comes as codes.
    pub(super) codes: Vec<Option<Codes>>,
    /// For each other column the rows that have a value, if not all have.
    pub(super) nulls: Vec<Option<NullBuffer>>,
    /// The ids that codes of `user_id` stand for.
    ids: StringArray,
    pub(super) runs: Runs,
    pub(super) rows: usize,
    /// Whether its people come in the order of their keys.
    pub(super) is_ordered: bool,
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
        let mut runs = Runs { keys: Vec::new(), codes: Vec::new(), starts: vec![0] };
        // Rows of people that belong.
        let mut kept: Vec<Range<usize>> = Vec::new();
        let (mut start, mut rows, mut is_ordered) = (0, 0, true);
        for run in ids.keys().values().chunk_by(|left, right| left == right) {
            let end = start + run.len();
            if let Some(key) = belongs(values.value(run[0] as usize))? {
                is_ordered &= runs.keys.last().is_none_or(|before| *before <= key);
                rows += run.len();
                runs.keys.push(key);
                runs.codes.push(run[0]);
                // No more than the rows of the batch, which were counted.
                runs.starts.push(rows as u32);
                match kept.last_mut().filter(|last| last.end == start) {
                    Some(last) => last.end = end,
                    None => kept.push(start..end),
                }
            }
            start = end;
        }
        let ids = values.clone();
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
        Ok(Self { columns, codes, nulls, ids, runs, rows, is_ordered })
    }

    /// The person of each of some runs: `user_key` and id.
    pub(super) fn people(&self, runs: Range<usize>) -> impl Iterator<Item = (i64, &str)> {
        let Runs { keys, codes, .. } = &self.runs;
        let people = keys[runs.clone()].iter().zip(&codes[runs]);
        people.map(|(key, code)| (*key, self.ids.value(*code as usize)))
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
        columns + codes + self.ids.get_array_memory_size() + self.runs.allocated_bytes()
    }
}

/// The rows of a column that have a value, if not all have; one without any memory tells nothing.
fn nulls_of(column: &ArrayRef) -> Option<NullBuffer> {
    let nulls = if *column.data_type() == DataType::Null { None } else { column.logical_nulls() };
    nulls.filter(|nulls| nulls.null_count() > 0)
}

/// The rows of `batch` in the ranges `kept`: mostly all, or those between two prefixes.
fn kept_rows(batch: &RecordBatch, kept: &[Range<usize>]) -> Result<RecordBatch> {
    match kept {
        [] => Ok(batch.slice(0, 0)),
        [all] => Ok(batch.slice(all.start, all.len())),
        ranges => {
            let mut is_kept = vec![false; batch.num_rows()];
            ranges.iter().for_each(|range| is_kept[range.clone()].fill(true));
            let is_kept = BooleanArray::new(BooleanBuffer::from(is_kept), None);
            Ok(filter_record_batch(batch, &is_kept)?)
        }
    }
}
