//! From rows in order of arrival to groups in order of time.

use std::borrow::Cow;
use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, DynComparator, UInt32Array, make_comparator};
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
        let (mut are_together, mut latest) = (true, 0);
        for run in groups.chunk_by(|left, right| left == right) {
            are_together &= latest <= run[0];
            latest = run[0];
            offsets[run[0] as usize + 1] += run.len();
        }
        for group in 0..group_count {
            offsets[group + 1] += offsets[group];
        }
        if are_together {
            return Self::of_consecutive(offsets, columns.to_vec(), by_group);
        }
        let mut order: Vec<u32> = vec![0; groups.len()];
        let mut next = offsets.clone();
        for (row, group) in (0..row_count).zip(groups) {
            order[next[*group as usize]] = row;
            next[*group as usize] += 1;
        }
        let sorter = if by_group { None } else { Some(Sorter::try_new(columns)?) };
        Self::in_order(offsets, columns, order, sorter)
    }

    /// Puts the rows of each group in order unless only `by_group`; group g has the rows `offsets[g]..offsets[g + 1]`.
    pub(super) fn of_consecutive(
        offsets: Vec<usize>,
        columns: Vec<ArrayRef>,
        by_group: bool,
    ) -> Result<Self> {
        let sorter = if by_group { None } else { Some(Sorter::try_new(&columns)?) };
        if sorter.as_ref().is_none_or(|sorter| sorter.are_in_order(&offsets)) {
            return Ok(Self { offsets, columns });
        }
        // Rows of a batch are counted in 32 bits.
        let order = (0..offsets.last().copied().unwrap_or(0) as u32).collect();
        Self::in_order(offsets, &columns, order, sorter)
    }

    /// The rows of `columns` in `order`, in which those of each group are together, and are put in order by `sorter`.
    fn in_order(
        offsets: Vec<usize>,
        columns: &[ArrayRef],
        mut order: Vec<u32>,
        sorter: Option<Sorter>,
    ) -> Result<Self> {
        if let Some(sorter) = sorter {
            for group in offsets.windows(2) {
                sorter.sort(&mut order[group[0]..group[1]]);
            }
        }
        let order = UInt32Array::from(order);
        let columns = columns.iter().map(|column| take(column, &order, None)).collect::<Result<_, _>>()?;
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
    pub(crate) fn sets(&self, first: usize, words: usize) -> Result<Cow<'_, [u64]>> {
        let mut columns = Vec::with_capacity(words);
        for column in &self.columns[first..first + words] {
            match column.as_primitive_opt::<UInt64Type>() {
                Some(column) => columns.push(column.values().as_ref()),
                None => return internal_err!("a kept column holds no conditions"),
            }
        }
        if let [only] = columns.as_slice() {
            return Ok(Cow::Borrowed(*only));
        }
        let rows = columns.first().map_or(0, |column| column.len());
        Ok((0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect())
    }
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

    /// Whether the rows of every group are in order as they are.
    fn are_in_order(&self, offsets: &[usize]) -> bool {
        if self.times.is_some_and(|times| ascend(times, offsets)) {
            return true;
        }
        let by_rest = |left: usize| self.compare_rest(left, left + 1).is_le();
        offsets.windows(2).all(|group| {
            let (start, end) = (group[0], group[1]);
            match self.times {
                Some(times) => times[start..end]
                    .windows(2)
                    .zip(start..)
                    .all(|(pair, row)| pair[0] < pair[1] || (pair[0] == pair[1] && by_rest(row))),
                None => (start + 1..end).all(|row| by_rest(row - 1)),
            }
        })
    }

    /// Puts the rows of one group in order.
    fn sort(&self, rows: &mut [u32]) {
        let Some(times) = self.times else {
            return self.sort_by_rest(rows);
        };
        let time = |row: &u32| times[*row as usize];
        if !rows.is_sorted_by_key(time) {
            rows.sort_by_key(time);
        }
        for instant in rows.chunk_by_mut(|left, right| time(left) == time(right)) {
            if instant.len() > 1 {
                self.sort_by_rest(instant);
            }
        }
    }

    fn sort_by_rest(&self, rows: &mut [u32]) {
        rows.sort_by(|left, right| self.compare_rest(*left as usize, *right as usize));
    }

    fn compare_rest(&self, left: usize, right: usize) -> Ordering {
        let mut orders = self.rest.iter().map(|column| column(left, right));
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// Whether the times of each group ascend, no two of one instant: then nothing else orders rows. O(rows + groups), the
/// rows several at once.
fn ascend(times: &[i64], offsets: &[usize]) -> bool {
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return true };
    let times = &times[*first..*last];
    let descends = |(before, after): (&i64, &i64)| usize::from(before >= after);
    let rest = times.get(1..).unwrap_or_default();
    let all: usize = times.iter().zip(rest).map(descends).sum();
    // From one group to the next times may descend.
    let starts = offsets.windows(2).filter(|group| group[0] < group[1]).map(|group| group[0] - first);
    let between: usize = starts.skip(1).map(|start| descends((&times[start - 1], &times[start]))).sum();
    all == between
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn groups_ascend_if_each_does(
            groups in prop::collection::vec(prop::collection::vec(0_i64..60, 0..4), 0..8),
            before in prop::collection::vec(0_i64..60, 0..3),
            is_sorted in any::<bool>(),
        ) {
            let mut offsets = vec![before.len()];
            let mut times = before;
            let mut wanted = true;
            for mut group in groups {
                if is_sorted {
                    group.sort_unstable();
                }
                wanted &= group.is_sorted_by(|left, right| left < right);
                times.extend(group);
                offsets.push(times.len());
            }
            prop_assert_eq!(ascend(&times, &offsets), wanted);
        }
    }
}
