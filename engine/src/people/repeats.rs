//! Rows that say nothing new.
//!
//! Many questions ask only whether something happened: on which days a person came, by which channels. Rows of one
//! person that are equal in all that is read, one behind the other, are then as good as one.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, TimestampMicrosecondType};
use datafusion::common::Result;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

/// Leaving out is worth a copy of the rest if at most this share of the rows stays.
const WORTH_IT: f64 = 0.75;

/// Whether `function` gives the same for equal rows as for one of them.
pub fn ignores_repeats(function: &AggregateFunctionExpr) -> bool {
    let name = function.fun().name();
    matches!(name, "min" | "max" | "bit_and" | "bit_or" | "bool_and" | "bool_or")
        || (name == "count" && function.is_distinct())
}

/// `batch` without rows that are equal to the one before; all of them where that would not save much.
pub fn without_repeats(batch: &RecordBatch) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let mut differs = BooleanBuffer::collect_bool(rows, |row| row == 0);
    for column in batch.columns() {
        let Some(of_column) = differences(column.as_ref()) else {
            return Ok(batch.clone());
        };
        differs = &differs | &of_column;
        if differs.count_set_bits() as f64 > rows as f64 * WORTH_IT {
            return Ok(batch.clone());
        }
    }
    Ok(filter_record_batch(batch, &BooleanArray::new(differs, None))?)
}

/// For each row whether its value is another than that of the row before; `None` for types that are dear to compare.
fn differences(column: &dyn Array) -> Option<BooleanBuffer> {
    if *column.data_type() == DataType::Null {
        return Some(BooleanBuffer::new_unset(column.len()));
    }
    if let Some(codes) = column.as_dictionary_opt::<Int32Type>() {
        // Two codes of one value only keep a row that could go.
        return differences(codes.keys());
    }
    let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
    let values = if let Some(column) = column.as_primitive_opt::<Int32Type>() {
        changes(column.values())
    } else if let Some(column) = column.as_primitive_opt::<Date32Type>() {
        changes(column.values())
    } else if let Some(column) = column.as_primitive_opt::<Int64Type>() {
        changes(column.values())
    } else if let Some(column) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        changes(column.values())
    } else {
        return None;
    };
    Some(match nulls {
        None => values,
        // Beside a NULL rows stay, whatever value stands behind it.
        Some(nulls) => {
            let is_null = |row: usize| nulls.is_null(row) || (row > 0 && nulls.is_null(row - 1));
            &values | &BooleanBuffer::collect_bool(column.len(), is_null)
        }
    })
}

fn changes<T: PartialEq>(values: &[T]) -> BooleanBuffer {
    BooleanBuffer::collect_bool(values.len(), |row| row > 0 && values[row] != values[row - 1])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, DictionaryArray, Float64Array, Int64Array};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_same_rows_remain_without_neighbours_alike(
            rows in prop::collection::vec((prop::option::of(0_u8..2), 0_i32..2, prop::option::of(0_i64..2)), 0..60),
        ) {
            let text: Vec<Option<String>> = rows.iter().map(|row| row.0.map(|text| format!("c{text}"))).collect();
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("text", Arc::new(text.iter().map(|text| text.as_deref()).collect::<DictionaryArray<Int32Type>>())),
                ("day", Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Date32Array>())),
                ("n", Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>())),
            ];
            let batch = RecordBatch::try_from_iter(columns).unwrap();
            let left = without_repeats(&batch).unwrap();
            let day = left.column(1).as_primitive::<Date32Type>();
            let n = left.column(2).as_primitive::<Int64Type>();
            let codes = left.column(0).as_dictionary::<Int32Type>();
            let left: Vec<_> = (0..left.num_rows())
                .map(|row| {
                    let text = codes.key(row).map(|key| codes.values().as_string::<i32>().value(key).to_owned());
                    (text, day.value(row), n.is_valid(row).then(|| n.value(row)))
                })
                .collect();
            let mut expected: Vec<_> = text.iter().cloned().zip(&rows).map(|(text, row)| (text, row.1, row.2)).collect();
            let mut left_once = left.clone();
            left_once.dedup();
            expected.dedup();
            prop_assert_eq!(left_once, expected);
        }
    }

    #[test]
    fn equal_rows_go_but_for_types_that_are_dear_to_compare() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![3; 10]));
        let batch = RecordBatch::try_from_iter([("day", Arc::clone(&days))]).unwrap();
        assert_eq!(without_repeats(&batch).unwrap().num_rows(), 1);
        let money: ArrayRef = Arc::new(Float64Array::from(vec![1.0; 10]));
        let batch = RecordBatch::try_from_iter([("day", days), ("money", money)]).unwrap();
        assert_eq!(without_repeats(&batch).unwrap().num_rows(), 10);
    }
}
