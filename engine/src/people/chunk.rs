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
use super::slices::Slices;

/// Rows of one person that follow each other. There are nearly as many runs as rows, so that as little as possible is
/// said of each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// What tells people of a slice apart, but for a few: see [`Slices::apart`].
    pub(super) apart: u32,
    /// How many rows.
    pub(super) rows: u32,
    /// Bytes of the person's id.
    id_bytes: u32,
}

/// Where the runs of a slice begin.
#[derive(Debug, Clone, Copy)]
struct Start {
    run: u32,
    row: u32,
    id: usize,
}

/// The runs of a chunk.
#[derive(Debug)]
struct Runs {
    runs: Vec<Run>,
    /// The id of the person of each run, one behind the other.
    ids: String,
    /// Where the runs of each slice begin, and the end; those of all slices together, if people do not come in the order
    /// of their keys.
    starts: Vec<Start>,
}

/// The runs of some slices in a chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunsOfSlice<'a> {
    pub(super) runs: &'a [Run],
    ids: &'a str,
    /// The first row in the chunk.
    pub(super) first_row: usize,
}

impl Runs {
    /// None yet, of at most `most` rows and mostly one for each of `ids`.
    fn with_capacity(ids: &StringArray, most: usize) -> Self {
        let runs = ids.len().min(most);
        let bytes = (ids.value_data().len() * runs).checked_div(ids.len()).unwrap_or(0);
        Self { runs: Vec::with_capacity(runs), ids: String::with_capacity(bytes), starts: Vec::new() }
    }

    /// Where a run would begin that comes behind `rows` rows.
    fn here(&self, rows: usize) -> Start {
        // No more than the rows of the batch, which were counted.
        Start { run: self.runs.len() as u32, row: rows as u32, id: self.ids.len() }
    }

    /// Begins slices up to that at `slice`, which have no run before the one that comes behind `rows` rows.
    fn begin_slices(&mut self, slice: usize, rows: usize) {
        if self.starts.len() <= slice {
            self.starts.resize(slice + 1, self.here(rows));
        }
    }

    /// Gives back memory for people who were expected and did not come.
    fn shrink_to_fit(&mut self) {
        self.runs.shrink_to_fit();
        self.ids.shrink_to_fit();
    }

    fn allocated_bytes(&self) -> usize {
        let Self { runs, ids, starts } = self;
        runs.capacity() * size_of::<Run>() + ids.capacity() + starts.capacity() * size_of::<Start>()
    }
}

impl<'a> RunsOfSlice<'a> {
    /// The runs and the id of the person of each.
    pub(super) fn people(self) -> impl Iterator<Item = (Run, &'a str)> {
        let mut ids = self.ids;
        self.runs.iter().map(move |run| {
            let (id, rest) = ids.split_at(run.id_bytes as usize);
            ids = rest;
            (*run, id)
        })
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
    runs: Runs,
    /// The slices that were told apart.
    slices: Slices,
    pub(super) rows: usize,
    /// Whether its people come in the order of their keys.
    is_ordered: bool,
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
        let mut runs = Runs::with_capacity(values, batch.num_rows());
        // Rows of people that belong.
        let mut kept: Vec<Range<usize>> = Vec::new();
        let (mut start, mut rows, mut is_ordered, mut last_key) = (0, 0, true, i64::MIN);
        for run in ids.keys().values().chunk_by(|left, right| left == right) {
            let end = start + run.len();
            let id = values.value(run[0] as usize);
            if let Some(key) = belongs(id)? {
                is_ordered &= last_key <= key;
                last_key = key;
                runs.begin_slices(slices.of_key(key), rows);
                rows += run.len();
                // Lengths of text and numbers of rows are counted in 32 bits.
                let (run_rows, id_bytes) = (run.len() as u32, id.len() as u32);
                runs.runs.push(Run { apart: slices.apart(key), rows: run_rows, id_bytes });
                runs.ids.push_str(id);
                match kept.last_mut().filter(|last| last.end == start) {
                    Some(last) => last.end = end,
                    None => kept.push(start..end),
                }
            }
            start = end;
        }
        runs.begin_slices(slices.count(), rows);
        if rows < batch.num_rows() {
            runs.shrink_to_fit();
        }
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
        Ok(Self { columns, codes, nulls, runs, slices, rows, is_ordered })
    }

    /// The slices that can be put together one by one.
    pub(super) fn slices(&self) -> Slices {
        if self.is_ordered { self.slices } else { self.slices.all() }
    }

    /// The runs of a slice of `slices`, which are not finer than those that were told apart.
    pub(super) fn runs_of(&self, slices: Slices, slice: usize) -> RunsOfSlice<'_> {
        let finer = self.slices.bits().saturating_sub(slices.bits());
        let (start, end) = (self.runs.starts[slice << finer], self.runs.starts[(slice + 1) << finer]);
        RunsOfSlice {
            runs: &self.runs.runs[start.run as usize..end.run as usize],
            ids: &self.runs.ids[start.id..end.id],
            first_row: start.row as usize,
        }
    }

    /// How many runs there are.
    pub(super) fn count_runs(&self) -> usize {
        self.runs.runs.len()
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
