//! Numbers that stand for values: equal numbers for equal values.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::{Result, resources_err};

/// Numbers the combinations of values of equally long columns; `None` where any of them is NULL.
pub(crate) fn value_numbers(columns: &[&ArrayRef]) -> Result<Vec<Option<u32>>> {
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let columns: Vec<ArrayRef> = columns.iter().map(|column| Arc::clone(column)).collect();
    let rows = RowConverter::new(fields)?.convert_columns(&columns)?;
    let mut known: HashMap<OwnedRow, u32> = HashMap::new();
    let mut numbers = Vec::with_capacity(rows.num_rows());
    let mut previous: Option<(usize, u32)> = None;
    for row in 0..rows.num_rows() {
        if columns.iter().any(|column| column.is_null(row)) {
            numbers.push(None);
            continue;
        }
        // Neighbours are often equal.
        let number = match previous {
            Some((before, number)) if rows.row(before) == rows.row(row) => number,
            _ => {
                let Ok(next) = u32::try_from(known.len()) else {
                    return resources_err!("more than {} different values in one partition", u32::MAX);
                };
                *known.entry(rows.row(row).owned()).or_insert(next)
            }
        };
        previous = Some((row, number));
        numbers.push(Some(number));
    }
    Ok(numbers)
}
