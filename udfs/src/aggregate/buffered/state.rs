//! Partial states: for each kept column the list of the group's values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err, resources_err};
use datafusion::logical_expr::utils::format_state_name;

use super::order::SortedRows;

/// Fields of the state columns of the aggregate called `name`.
pub(super) fn fields(name: &str, types: &[DataType]) -> Vec<FieldRef> {
    let field = |(index, data_type): (usize, &DataType)| {
        let list = DataType::List(item_field(data_type));
        Arc::new(Field::new(format_state_name(name, &format!("rows_{index}")), list, true))
    };
    types.iter().enumerate().map(field).collect()
}

/// State columns of consecutive groups.
pub(super) fn to_lists(name: &str, rows: SortedRows) -> Result<Vec<ArrayRef>> {
    let SortedRows { offsets, columns } = rows;
    let row_count = offsets.last().copied().unwrap_or(0);
    if i32::try_from(row_count).is_err() {
        return resources_err!(
            "{name}: a partial state of {row_count} rows is too large, the limit is {}; \
             use more partitions or a narrower WHERE",
            i32::MAX
        );
    }
    let offsets: ScalarBuffer<i32> =
        offsets.iter().filter_map(|offset| i32::try_from(*offset).ok()).collect();
    let offsets = OffsetBuffer::new(offsets);
    let mut lists = Vec::with_capacity(columns.len());
    for column in columns {
        let field = item_field(column.data_type());
        lists.push(Arc::new(ListArray::try_new(field, offsets.clone(), column, None)?) as ArrayRef);
    }
    Ok(lists)
}

/// The rows in state columns that arrive for merging: for each row the position of its group among the states,
/// and the columns.
pub(super) fn from_lists(
    name: &str,
    states: &[ArrayRef],
    types: &[DataType],
) -> Result<(Vec<usize>, Vec<ArrayRef>)> {
    if states.len() != types.len() {
        return internal_err!("{name}: a state has {} columns, got {}", types.len(), states.len());
    }
    let mut lists = Vec::with_capacity(states.len());
    for (state, data_type) in states.iter().zip(types) {
        match state.as_list_opt::<i32>() {
            Some(list) if list.value_type() == *data_type => lists.push(list),
            _ => return internal_err!("{name}: a state column has type {}", state.data_type()),
        }
    }
    let Some(first) = lists.first() else {
        return Ok((vec![], vec![]));
    };
    let mut positions = Vec::new();
    for position in 0..first.len() {
        let rows = if first.is_null(position) { 0 } else { row_count(first, position) };
        if lists.iter().any(|list| row_count(list, position) != row_count(first, position)) {
            return internal_err!("{name}: the columns of a state differ in length");
        }
        positions.extend(std::iter::repeat_n(position, rows));
    }
    let columns: Vec<ArrayRef> = lists.iter().map(|list| values(list)).collect::<Result<_>>()?;
    if columns.iter().any(|column| column.len() != positions.len()) {
        return internal_err!("{name}: the columns of a state differ in length");
    }
    Ok((positions, columns))
}

/// The values of all lists that are not NULL, one behind the other.
fn values(list: &ListArray) -> Result<ArrayRef> {
    if list.null_count() > 0 {
        let parts: Vec<ArrayRef> = (0..list.len())
            .filter(|position| list.is_valid(*position))
            .map(|position| list.value(position))
            .collect();
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        return match parts.as_slice() {
            [] => Ok(arrow::array::new_empty_array(&list.value_type())),
            parts => Ok(arrow::compute::concat(parts)?),
        };
    }
    let offsets = list.value_offsets();
    let bound = |offset: Option<&i32>| offset.and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
    let (start, end) = (bound(offsets.first()), bound(offsets.last()));
    Ok(list.values().slice(start, end - start))
}

fn row_count(list: &ListArray, position: usize) -> usize {
    usize::try_from(list.value_length(position)).unwrap_or(0)
}

fn item_field(data_type: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(data_type.clone(), true))
}
