//! `first_value` and `last_value` in the order of time: a look or two at each row's time, and values only of the rows
//! picked, whose codes stay codes until then.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::{Result, internal_err};
use datafusion::functions_aggregate::first_last::{FirstValue, LastValue};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Column;

use super::aggregate::Aggregate;
use super::columns::Columns;
use crate::schema;

/// Which rows are of which group.
#[derive(Debug, Clone, Copy)]
pub enum RowsOfGroups<'a> {
    /// The group of each row, and how many groups there are.
    Each(&'a [usize], usize),
    /// Group g has the rows `offsets[g]..offsets[g + 1]`.
    Consecutive(&'a [u32]),
}

/// Which row of a group is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByTime {
    /// The newest one, not the oldest.
    picks_newest: bool,
    /// Rows without a value are passed over.
    ignores_nulls: bool,
}

impl ByTime {
    /// `None` for other functions, and for other orders than that of the table's time.
    ///
    /// Arguments of `call` are over `columns`: the value, then what orders.
    pub fn of(call: &Aggregate, columns: &Columns) -> Option<Self> {
        let function: &AggregateFunctionExpr = &call.function;
        let implementation = function.fun().inner();
        let is_last = implementation.is::<LastValue>();
        if !is_last && !implementation.is::<FirstValue>() || function.is_distinct() {
            return None;
        }
        let ([order], [value, time]) = (function.order_bys(), call.arguments.as_slice()) else {
            return None;
        };
        let time = columns.delivered().fields().get(time.downcast_ref::<Column>()?.index())?;
        let is_time = time.name() == schema::TS && !time.is_nullable();
        (is_time && value.is::<Column>()).then_some(Self {
            picks_newest: is_last != order.options.descending,
            ignores_nulls: function.ignore_nulls(),
        })
    }

    /// The value of each group, NULL for a group without a row that passes; of rows of one instant that of the first.
    /// O(rows), in whatever order they come.
    ///
    /// # Errors
    /// An error if `times` are none.
    pub fn values(
        self,
        [values, times]: [&ArrayRef; 2],
        groups: RowsOfGroups<'_>,
        filter: Option<&BooleanArray>,
        result: &DataType,
    ) -> Result<ArrayRef> {
        let Some(times) = times.as_primitive_opt::<TimestampMicrosecondType>() else {
            return internal_err!("a time has type {}", times.data_type());
        };
        let times = times.values();
        let nulls = values.logical_nulls().filter(|_| self.ignores_nulls);
        let passes = |row: usize| {
            filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
                && nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
        };
        let is_better = |time: i64, best: i64| if self.picks_newest { time > best } else { time < best };
        let picked: Vec<Option<u32>> = match groups {
            RowsOfGroups::Each(groups, count) => {
                let mut picked: Vec<Option<u32>> = vec![None; count];
                for (row, (group, time)) in groups.iter().zip(times).enumerate() {
                    let best = &mut picked[*group];
                    if best.is_none_or(|best| is_better(*time, times[best as usize])) && passes(row) {
                        // The rows of a slice are counted in 32 bits.
                        *best = Some(row as u32);
                    }
                }
                picked
            }
            RowsOfGroups::Consecutive(offsets) => {
                let all_pass = filter.is_none() && nulls.is_none();
                let pick = |rows: &[u32]| {
                    let mut rows = rows[0]..rows[1];
                    if all_pass
                        && let Some(end) =
                            self.end_if_in_order(&times[rows.start as usize..rows.end as usize])
                    {
                        return Some(rows.start + end as u32);
                    }
                    let mut best = rows.by_ref().find(|row| all_pass || passes(*row as usize))?;
                    let mut best_time = times[best as usize];
                    for row in rows {
                        let time = times[row as usize];
                        if is_better(time, best_time) && (all_pass || passes(row as usize)) {
                            (best, best_time) = (row, time);
                        }
                    }
                    Some(best)
                };
                offsets.windows(2).map(pick).collect()
            }
        };
        let values = take(values, &UInt32Array::from(picked), None)?;
        if values.data_type() == result { Ok(values) } else { Ok(cast(&values, result)?) }
    }

    /// Where the picked row is, if it can be seen to be the first or the last, as where rows are in order; `None` if that takes
    /// a closer look, or there are none.
    fn end_if_in_order(self, times: &[i64]) -> Option<usize> {
        // All are looked at: that is one step for several of them.
        if self.picks_newest {
            let (last, before) = times.split_last()?;
            before.iter().fold(true, |all, time| all & (time < last)).then_some(before.len())
        } else {
            let (first, behind) = times.split_first()?;
            behind.iter().fold(true, |all, time| all & (time >= first)).then_some(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        DictionaryArray, Int32Array, StringArray, StringViewArray, TimestampMicrosecondArray,
    };
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_same_as_a_stable_sort_picks(
            mut rows in prop::collection::vec((0_usize..4, 0_i64..6, prop::option::of(0_i32..3), prop::option::of(any::<bool>())), 0..40),
            are_consecutive in any::<bool>(),
            picks_newest in any::<bool>(),
            ignores_nulls in any::<bool>(),
            is_filtered in any::<bool>(),
        ) {
            if are_consecutive {
                rows.sort_by_key(|row| row.0);
            }
            const TEXTS: [&str; 3] = ["email", "search", "social"];
            let codes: Int32Array = rows.iter().map(|row| row.2).collect();
            let values: ArrayRef =
                Arc::new(DictionaryArray::new(codes, Arc::new(StringArray::from(TEXTS.to_vec()))));
            let times: ArrayRef =
                Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.1)));
            let groups: Vec<usize> = rows.iter().map(|row| row.0).collect();
            let filter: BooleanArray = rows.iter().map(|row| row.3).collect();
            let by_time = ByTime { picks_newest, ignores_nulls };
            let filter = is_filtered.then_some(&filter);
            let found = |rows| {
                let found = by_time.values([&values, &times], rows, filter, &DataType::Utf8View).unwrap();
                found.as_string_view().clone()
            };
            let expected: StringViewArray = (0..4)
                .map(|group| {
                    let mut of_group: Vec<_> = rows
                        .iter()
                        .filter(|row| row.0 == group && (!is_filtered || row.3 == Some(true)))
                        .filter(|row| !ignores_nulls || row.2.is_some())
                        .collect();
                    of_group.sort_by_key(|row| if picks_newest { -row.1 } else { row.1 });
                    of_group.first().and_then(|row| row.2).map(|code| TEXTS[code as usize])
                })
                .collect();
            prop_assert_eq!(&found(RowsOfGroups::Each(&groups, 4)), &expected);
            if groups.is_sorted() {
                let begin = |group: usize| groups.partition_point(|other| *other < group) as u32;
                let offsets: Vec<u32> = (0..=4).map(begin).collect();
                prop_assert_eq!(&found(RowsOfGroups::Consecutive(&offsets)), &expected);
            }
        }
    }
}
