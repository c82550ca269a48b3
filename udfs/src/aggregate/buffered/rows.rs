//! Rows as they arrive: batches of kept columns, each row with the number of its group.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, MutableArrayData, make_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, concat, filter, take};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};

/// Small batches are joined until they have this many rows: a batch costs some hundred bytes whatever it holds.
const JOINED_ROWS: usize = 1 << 16;

/// What an array occupies beside its values.
const FIXED_BYTES: usize = 1 << 10;

/// Rows in order of arrival.
#[derive(Debug)]
pub(super) struct Rows {
    types: Vec<DataType>,
    batches: Vec<Batch>,
}

#[derive(Debug)]
struct Batch {
    groups: Vec<u32>,
    columns: Vec<ArrayRef>,
}

impl Batch {
    fn allocated_bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|column| column.get_array_memory_size()).sum();
        columns + self.groups.capacity() * size_of::<u32>()
    }
}

impl Rows {
    /// No rows of columns of these types.
    pub(super) fn new(types: Vec<DataType>) -> Self {
        Self { types, batches: Vec::new() }
    }

    /// Types of the columns.
    pub(super) fn types(&self) -> &[DataType] {
        &self.types
    }

    /// Adds the rows of `columns` that `keep` marks; `groups` has the group of each kept row.
    pub(super) fn push(
        &mut self,
        columns: &[ArrayRef],
        keep: Option<&BooleanBuffer>,
        groups: Vec<u32>,
    ) -> Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        // Where all rows are kept there is nothing to copy.
        let keep = keep.filter(|keep| keep.len() != groups.len());
        let mask = keep.map(|keep| BooleanArray::new(keep.clone(), None));
        check_types(columns, &self.types)?;
        let mut kept = Vec::with_capacity(columns.len());
        for column in columns {
            let column = match &mask {
                Some(mask) => filter(column, mask)?,
                None => Arc::clone(column),
            };
            kept.push(compact(&column)?);
        }
        self.batches.push(Batch { groups, columns: kept });
        self.join_small()
    }

    /// Removes all rows and returns them as one batch.
    pub(super) fn take(&mut self) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
        let batch = match <[Batch; 1]>::try_from(std::mem::take(&mut self.batches)) {
            Ok([only]) => only,
            Err(batches) => self.joined(&batches)?,
        };
        Ok((batch.groups, batch.columns))
    }

    /// All rows as one batch, which also stay here.
    pub(super) fn joined_rows(&mut self) -> Result<(&[u32], &[ArrayRef])> {
        if self.batches.len() != 1 {
            let batches = std::mem::take(&mut self.batches);
            self.batches = vec![self.joined(&batches)?];
        }
        match self.batches.as_slice() {
            [batch] => Ok((&batch.groups, &batch.columns)),
            _ => internal_err!("batches were not joined"),
        }
    }

    /// Removes the rows of the groups below `count` and returns them; the other groups move down by `count`.
    pub(super) fn take_first(&mut self, count: usize) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
        let (groups, columns) = self.take()?;
        // A count beyond u32 takes every group.
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let first = BooleanBuffer::collect_bool(groups.len(), |row| groups[row] < count);
        let rest = !&first;
        let rest_groups = rest.set_indices().map(|row| groups[row] - count).collect();
        self.push(&columns, Some(&rest), rest_groups)?;
        let mask = BooleanArray::new(first.clone(), None);
        let columns = columns.iter().map(|column| filter(column, &mask)).collect::<Result<_, _>>()?;
        Ok((first.set_indices().map(|row| groups[row]).collect(), columns))
    }

    /// Bytes that the rows occupy.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.batches.iter().map(Batch::allocated_bytes).sum::<usize>()
            + self.batches.capacity() * size_of::<Batch>()
    }

    fn join_small(&mut self) -> Result<()> {
        while let [.., before, last] = self.batches.as_slice() {
            let joined_rows = before.groups.len() + last.groups.len();
            if joined_rows > JOINED_ROWS || before.groups.len() > 2 * last.groups.len() {
                break;
            }
            let pair = self.batches.split_off(self.batches.len() - 2);
            let joined = self.joined(&pair)?;
            self.batches.push(joined);
        }
        Ok(())
    }

    fn joined(&self, batches: &[Batch]) -> Result<Batch> {
        let groups = batches.iter().flat_map(|batch| batch.groups.iter().copied()).collect();
        let mut columns = Vec::with_capacity(self.types.len());
        for (index, data_type) in self.types.iter().enumerate() {
            let parts: Vec<&dyn Array> = batches.iter().map(|batch| batch.columns[index].as_ref()).collect();
            columns.push(match parts.as_slice() {
                [] => arrow::array::new_empty_array(data_type),
                parts => concat(parts)?,
            });
        }
        Ok(Batch { groups, columns })
    }
}

/// Whether a call keeps what it said that it keeps.
pub(super) fn check_types(columns: &[ArrayRef], types: &[DataType]) -> Result<()> {
    match columns.iter().zip(types).find(|(column, wanted)| column.data_type() != *wanted) {
        Some((column, wanted)) => {
            internal_err!("a kept column has type {}, expected {wanted}", column.data_type())
        }
        None => Ok(()),
    }
}

/// Type in which values of `data_type` are kept: text as views, which have no limit of size, and dictionaries as
/// their values.
pub(crate) fn kept_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Dictionary(_, values) => kept_type(values),
        other => other.clone(),
    }
}

/// Casts a column to the type in which it is kept.
pub(crate) fn kept_column(column: &ArrayRef) -> Result<ArrayRef> {
    // A cast would take a NULL among the values of a dictionary for an empty text.
    if let Some(codes) = column.as_any_dictionary_opt() {
        return Ok(take(&kept_column(codes.values())?, codes.keys(), None)?);
    }
    let wanted = kept_type(column.data_type());
    if *column.data_type() == wanted { Ok(Arc::clone(column)) } else { Ok(cast(column, &wanted)?) }
}

/// Lets go of what no row refers to: text views keep whole buffers alive, slices the whole array, and arrays that were
/// spilled all columns of their batch.
fn compact(column: &ArrayRef) -> Result<ArrayRef> {
    let column: ArrayRef = match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        _ => Arc::clone(column),
    };
    let data = column.to_data();
    match data.get_slice_memory_size() {
        Ok(needed) if column.get_array_memory_size() > 2 * needed + FIXED_BYTES => {
            let mut copy = MutableArrayData::new(vec![&data], false, data.len());
            copy.try_extend(0, 0, data.len())?;
            Ok(make_array(copy.freeze()))
        }
        _ => Ok(column),
    }
}
