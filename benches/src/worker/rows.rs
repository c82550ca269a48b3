//! Answers as JSON.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use serde_json::{Number, Value};

use crate::error::{BenchError, Result};

/// Rows of values: counts as integers, money and weights as other numbers, everything else as text.
pub fn to_json(batches: &[RecordBatch]) -> Result<Vec<Vec<Value>>> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(column).collect::<Result<Vec<_>>>()?;
        rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|c| c[row].clone()).collect()));
    }
    Ok(rows)
}

fn column(array: &ArrayRef) -> Result<Vec<Value>> {
    let converted = |to: &DataType| {
        cast(array, to)
            .map_err(|e| BenchError::new(format!("cannot print a column of {}", array.data_type()), e))
    };
    let values = match array.data_type() {
        integer if integer.is_integer() => {
            let integers = converted(&DataType::Int64)?;
            integers.as_primitive::<Int64Type>().iter().map(Value::from).collect()
        }
        number if number.is_numeric() => {
            let floats = converted(&DataType::Float64)?;
            floats.as_primitive::<Float64Type>().iter().map(float).collect()
        }
        _ => {
            let texts = converted(&DataType::Utf8)?;
            texts.as_string::<i32>().iter().map(Value::from).collect()
        }
    };
    Ok(values)
}

/// JSON has no infinity and no NaN: they are texts, which are equal to no number.
fn float(value: Option<f64>) -> Value {
    value.map_or(Value::Null, |value| {
        Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, Decimal128Array, Float64Array, UInt64Array};
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn values_of_all_kinds() {
        let decimals = Decimal128Array::from(vec![Some(12_345)]).with_precision_and_scale(18, 4).unwrap();
        let batch = RecordBatch::try_from_iter([
            ("day", Arc::new(Date32Array::from(vec![20_697])) as ArrayRef),
            ("count", Arc::new(UInt64Array::from(vec![7]))),
            ("revenue", Arc::new(decimals)),
            ("nothing", Arc::new(Float64Array::from(vec![None]))),
            ("nan", Arc::new(Float64Array::from(vec![f64::NAN]))),
        ])
        .unwrap();
        let rows = to_json(&[batch]).unwrap();
        assert_eq!(rows, [[json!("2026-09-01"), json!(7), json!(1.2345), Value::Null, json!("NaN")]]);
    }
}
