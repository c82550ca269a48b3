//! The rows of one row group, and whose they are.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, NullArray, RecordBatch, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int32Type;
use datafusion::common::{Result, exec_err, internal_err, resources_err};

/// Consecutive rows of a chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub(super) start: u32,
    pub(super) len: u32,
}

/// The runs of a chunk: rows of one person that follow each other. Each of these has an entry for each run; what is
/// looked at together lies together, for there are nearly as many runs as rows.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// `user_key` of the person.
    pub(super) keys: Vec<i64>,
    /// Code of the person in the chunk's dictionary.
    codes: Vec<i32>,
    pub(super) rows: Vec<Rows>,
}

impl Runs {
    fn allocated_bytes(&self) -> usize {
        let Self { keys, codes, rows } = self;
        keys.capacity() * size_of::<i64>()
            + codes.capacity() * size_of::<i32>()
            + rows.capacity() * size_of::<Rows>()
    }
}

/// The rows of one row group, and whose they are.
#[derive(Debug)]
pub struct Chunk {
    /// The columns; that of `user_id` is not kept, as runs tell the person.
    pub(super) columns: Vec<ArrayRef>,
    /// The ids that codes of `user_id` stand for.
    ids: StringArray,
    /// For each column the rows that have a value, if not all have.
    pub(super) nulls: Vec<Option<NullBuffer>>,
    pub(super) runs: Runs,
    /// All rows, and those of people that belong.
    pub(super) all_rows: usize,
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
        let mut runs = Runs::default();
        let (mut start, mut rows, mut is_ordered) = (0, 0, true);
        for run in ids.keys().values().chunk_by(|left, right| left == right) {
            // Lengths and starts are below the number of rows, which was checked.
            let len = run.len() as u32;
            if let Some(key) = belongs(values.value(run[0] as usize))? {
                is_ordered &= runs.keys.last().is_none_or(|before| *before <= key);
                rows += run.len();
                runs.keys.push(key);
                runs.codes.push(run[0]);
                runs.rows.push(Rows { start, len });
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

    /// The person of each of some runs: `user_key` and id.
    pub(super) fn people(&self, runs: Range<usize>) -> impl Iterator<Item = (i64, &str)> {
        let Runs { keys, codes, .. } = &self.runs;
        let people = keys[runs.clone()].iter().zip(&codes[runs]);
        people.map(|(key, code)| (*key, self.ids.value(*code as usize)))
    }

    /// Bytes that it occupies.
    pub fn allocated_bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|column| column.get_array_memory_size()).sum();
        columns + self.ids.get_array_memory_size() + self.runs.allocated_bytes()
    }
}

/// The codes of a column and the text that they stand for.
pub(super) fn codes_of(column: &ArrayRef) -> Result<(&DictionaryArray<Int32Type>, &StringArray)> {
    let codes = column.as_dictionary_opt::<Int32Type>();
    let values = codes.and_then(|codes| codes.values().as_string_opt::<i32>());
    match (codes, values) {
        (Some(codes), Some(values)) => Ok((codes, values)),
        _ => internal_err!("a column has type {} instead of codes of text", column.data_type()),
    }
}
