//! Partial states: per group the list of its rows' times and the list of their condition sets.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, UInt64Array};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, UInt64Type};
use datafusion::common::{Result, internal_err, resources_err};
use datafusion::logical_expr::utils::format_state_name;

use super::NAME;

/// Fields of the state columns of the aggregate called `name`.
pub(super) fn fields(name: &str) -> Vec<FieldRef> {
    [("times", DataType::Int64), ("sets", DataType::UInt64)]
        .map(|(part, item)| {
            let list = DataType::List(item_field(item));
            Arc::new(Field::new(format_state_name(name, part), list, true))
        })
        .to_vec()
}

/// Builds the state columns of consecutive groups.
///
/// Group g has the rows `offsets[g]..offsets[g + 1]`; each row has one time and `words` words.
pub(super) fn to_lists(
    offsets: &[usize],
    times: Vec<i64>,
    sets: Vec<u64>,
    words: usize,
) -> Result<[ListArray; 2]> {
    Ok([
        list(offsets, 1, Arc::new(Int64Array::from(times)))?,
        list(offsets, words, Arc::new(UInt64Array::from(sets)))?,
    ])
}

fn item_field(item: DataType) -> FieldRef {
    Arc::new(Field::new_list_field(item, false))
}

fn list(offsets: &[usize], values_per_row: usize, values: ArrayRef) -> Result<ListArray> {
    if i32::try_from(values.len()).is_err() {
        return resources_err!(
            "{NAME}: a partial state of {} values is too large, the limit is {}; \
             use more partitions or a narrower WHERE",
            values.len(),
            i32::MAX
        );
    }
    let offsets: ScalarBuffer<i32> =
        offsets.iter().filter_map(|offset| i32::try_from(offset * values_per_row).ok()).collect();
    let field = item_field(values.data_type().clone());
    Ok(ListArray::try_new(field, OffsetBuffer::new(offsets), values, None)?)
}

/// State columns that arrive for merging.
#[derive(Debug)]
pub(super) struct States<'a> {
    times: &'a ListArray,
    sets: &'a ListArray,
    time_values: &'a [i64],
    set_values: &'a [u64],
    words: usize,
}

impl<'a> States<'a> {
    /// Reads the columns that [`to_lists`] made, here or on another node.
    pub(super) fn try_new(columns: &'a [ArrayRef], words: usize) -> Result<Self> {
        let [times, sets] = columns else {
            return internal_err!("{NAME}: a state has 2 columns, got {}", columns.len());
        };
        let (Some(times), Some(sets)) = (times.as_list_opt::<i32>(), sets.as_list_opt::<i32>()) else {
            return internal_err!("{NAME}: a state has list columns");
        };
        let (Some(time_values), Some(set_values)) =
            (times.values().as_primitive_opt::<Int64Type>(), sets.values().as_primitive_opt::<UInt64Type>())
        else {
            return internal_err!("{NAME}: a state has lists of integers");
        };
        Ok(Self { times, sets, time_values: time_values.values(), set_values: set_values.values(), words })
    }

    /// Number of partial states.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// Times and sets of one partial state.
    pub(super) fn rows(&self, index: usize) -> Result<(&'a [i64], &'a [u64])> {
        if self.times.is_null(index) || self.sets.is_null(index) {
            return Ok((&[], &[]));
        }
        let times = &self.time_values[item_range(self.times, index)];
        let sets = &self.set_values[item_range(self.sets, index)];
        if sets.len() != times.len() * self.words {
            return internal_err!(
                "{NAME}: a state has {} times and {} words, expected {} words for each time",
                times.len(),
                sets.len(),
                self.words
            );
        }
        Ok((times, sets))
    }
}

fn item_range(list: &ListArray, index: usize) -> Range<usize> {
    let offsets = list.value_offsets();
    // Offsets of an Arrow list are never negative.
    let at = |index: usize| usize::try_from(offsets[index]).unwrap_or(0);
    at(index)..at(index + 1)
}
