//! From rows in order of arrival to groups in order of time.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, DynComparator, UInt32Array, UInt64Array, make_comparator};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, Int64Type, UInt64Type};
use datafusion::common::{Result, internal_err, resources_err};

/// Rows of consecutive groups: group g has the rows `offsets[g]..offsets[g + 1]`.
///
/// Inside a group the rows ascend by their columns, first column first, NULLs last.
#[derive(Debug)]
pub(crate) struct SortedRows {
    pub(super) offsets: Vec<usize>,
    pub(super) columns: Vec<ArrayRef>,
}

impl SortedRows {
    /// Puts rows in order, or with `by_group` only the rows of each group together; `groups` has the group of each
    /// row, all below `group_count`.
    pub(super) fn new(
        name: &str,
        groups: &[u32],
        columns: &[ArrayRef],
        group_count: usize,
        by_group: bool,
    ) -> Result<Self> {
        let Ok(row_count) = u32::try_from(groups.len()) else {
            return resources_err!(
                "{name}: more than {} rows in one partition; use more partitions or a narrower WHERE",
                u32::MAX
            );
        };
        let mut offsets = vec![0; group_count + 1];
        for group in groups {
            offsets[*group as usize + 1] += 1;
        }
        for group in 0..group_count {
            offsets[group + 1] += offsets[group];
        }
        let mut order: Vec<u32> = (0..row_count).collect();
        let mut moved = false;
        if !groups.is_sorted() {
            moved = true;
            let mut next = offsets.clone();
            for (row, group) in (0..row_count).zip(groups) {
                order[next[*group as usize]] = row;
                next[*group as usize] += 1;
            }
        }
        if !by_group {
            let sorter = Sorter::try_new(columns)?;
            for group in offsets.windows(2) {
                moved |= sorter.sort(&mut order[group[0]..group[1]]);
            }
        }
        let columns = if moved {
            let order = UInt32Array::from(order);
            columns.iter().map(|column| take(column, &order, None)).collect::<Result<_, _>>()?
        } else {
            columns.to_vec()
        };
        Ok(Self { offsets, columns })
    }

    /// Number of groups.
    pub(crate) fn group_count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The rows of each group, as ranges into the columns.
    pub(crate) fn groups(&self) -> impl ExactSizeIterator<Item = std::ops::Range<usize>> + '_ {
        self.offsets.windows(2).map(|pair| pair[0]..pair[1])
    }

    /// A kept column, all groups one behind the other.
    pub(crate) fn column(&self, index: usize) -> &ArrayRef {
        &self.columns[index]
    }

    /// Values of a column of type `Int64`; NULL rows hold any value.
    pub(crate) fn integers(&self, index: usize) -> Result<&[i64]> {
        match self.columns[index].as_primitive_opt::<Int64Type>() {
            Some(column) => Ok(column.values()),
            None => internal_err!("kept column {index} holds no integers"),
        }
    }

    /// Sets of conditions that [`condition_columns`] made from kept columns `first..first + words`, `words` words
    /// for each row, as [`crate::journey::event`] lays them out.
    pub(crate) fn sets(&self, first: usize, words: usize) -> Result<Vec<u64>> {
        let mut columns = Vec::with_capacity(words);
        for column in &self.columns[first..first + words] {
            match column.as_primitive_opt::<UInt64Type>() {
                Some(column) => columns.push(column.values()),
                None => return internal_err!("a kept column holds no conditions"),
            }
        }
        if let [only] = columns.as_slice() {
            return Ok(only.to_vec());
        }
        let rows = columns.first().map_or(0, |column| column.len());
        Ok((0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect())
    }
}

/// Packs conditions into columns of 64 each; NULL is not met.
pub(crate) fn condition_columns(conditions: &[ArrayRef]) -> Result<Vec<UInt64Array>> {
    let mut words = Vec::with_capacity(conditions.len().div_ceil(64));
    for chunk in conditions.chunks(64) {
        let mut values = vec![0_u64; chunk[0].len()];
        for (bit, condition) in chunk.iter().enumerate() {
            let Some(condition) = condition.as_boolean_opt() else {
                return internal_err!("a condition has type {}", condition.data_type());
            };
            for row in crate::arguments::true_rows(condition).set_indices() {
                values[row] |= 1 << bit;
            }
        }
        words.push(UInt64Array::from(values));
    }
    Ok(words)
}

/// Compares rows: by time first, by the other columns only where times are equal.
struct Sorter<'a> {
    times: Option<&'a [i64]>,
    rest: Vec<DynComparator>,
}

impl<'a> Sorter<'a> {
    fn try_new(columns: &'a [ArrayRef]) -> Result<Self> {
        let times = match columns.first() {
            Some(first) if first.null_count() == 0 && *first.data_type() == DataType::Int64 => {
                Some(first.as_primitive::<Int64Type>().values().as_ref())
            }
            _ => None,
        };
        let options = SortOptions { descending: false, nulls_first: false };
        let rest = columns[usize::from(times.is_some())..]
            .iter()
            .map(|column| make_comparator(column, column, options))
            .collect::<Result<_, _>>()?;
        Ok(Self { times, rest })
    }

    /// Puts the rows of one group in order; returns whether any moved.
    fn sort(&self, rows: &mut [u32]) -> bool {
        let Some(times) = self.times else {
            return self.sort_by_rest(rows);
        };
        let time = |row: &u32| times[*row as usize];
        let mut moved = false;
        if !rows.is_sorted_by_key(time) {
            rows.sort_by_key(time);
            moved = true;
        }
        for instant in rows.chunk_by_mut(|left, right| time(left) == time(right)) {
            moved |= instant.len() > 1 && self.sort_by_rest(instant);
        }
        moved
    }

    fn sort_by_rest(&self, rows: &mut [u32]) -> bool {
        let compare = |left: &u32, right: &u32| {
            let mut orders = self.rest.iter().map(|column| column(*left as usize, *right as usize));
            orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        if rows.is_sorted_by(|left, right| compare(left, right).is_le()) {
            return false;
        }
        rows.sort_by(compare);
        true
    }
}
