//! Arrow values as the text that PostgreSQL's simple protocol gives, written apart from the server's encoder so that
//! the two check each other. A type that no test needs panics: cast it to text in the query.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DecimalType, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use chrono::{DateTime, NaiveDate, TimeDelta};

use crate::slt_files::shown;

/// All rows, values as [`shown`].
pub fn rows(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            rows.push(batch.columns().iter().map(|c| shown(text(c, row).as_deref())).collect());
        }
    }
    rows
}

/// One value; `None` for NULL.
pub fn text(array: &dyn Array, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    macro_rules! number {
        ($type:ty) => {
            array.as_primitive::<$type>().value(row).to_string()
        };
    }
    Some(match array.data_type() {
        DataType::Null => return None,
        DataType::Boolean => if array.as_boolean().value(row) { "t" } else { "f" }.to_owned(),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => float(f64::from(array.as_primitive::<Float32Type>().value(row))),
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(precision, scale) => Decimal128Type::format_decimal(
            array.as_primitive::<Decimal128Type>().value(row),
            *precision,
            *scale,
        ),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).to_owned(),
        DataType::Utf8View => array.as_string_view().value(row).to_owned(),
        DataType::Date32 => {
            let days = i64::from(array.as_primitive::<Date32Type>().value(row));
            (NaiveDate::default() + TimeDelta::days(days)).to_string()
        }
        DataType::Timestamp(unit, zone) => {
            let micros = match unit {
                TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value(row) * 1_000_000,
                TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value(row) * 1_000,
                TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
                TimeUnit::Nanosecond => {
                    array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000)
                }
            };
            // The wire shows every instant in the session's zone, which is UTC in these tests.
            timestamp(micros) + if zone.is_some() { "+00" } else { "" }
        }
        DataType::List(_) => list(array.as_list::<i32>().value(row).as_ref()),
        DataType::LargeList(_) => list(array.as_list::<i64>().value(row).as_ref()),
        DataType::Union(_, _) => return json(array, row),
        DataType::Dictionary(_, _) => {
            let plain =
                arrow::compute::cast(array, &dictionary_values(array)).expect("a cast to the value type");
            return text(&plain, row);
        }
        other => panic!("{other} has no text here: cast it in the query"),
    })
}

fn dictionary_values(array: &dyn Array) -> DataType {
    match array.data_type() {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        other => other.clone(),
    }
}

/// The shortest digits that read back the same; an exponent of at least two digits outside a middle range.
fn float(value: f64) -> String {
    if value == 0.0 || (1e-4..1e15).contains(&value.abs()) {
        return value.to_string();
    }
    assert!(value.is_finite(), "{value} has no text here: cast it in the query");
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').expect("an exponent");
    let exponent: i32 = exponent.parse().expect("a number");
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn timestamp(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).expect("a time that chrono can hold");
    let whole = time.format("%Y-%m-%d %H:%M:%S").to_string();
    match micros.rem_euclid(1_000_000) {
        0 => whole,
        fraction => whole + format!(".{fraction:06}").trim_end_matches('0'),
    }
}

fn list(values: &dyn Array) -> String {
    let items: Vec<String> = (0..values.len())
        .map(|i| match text(values, i) {
            None => "NULL".to_owned(),
            Some(item) if item.is_empty() || item.contains(['"', '\\', '{', '}', ',', ' ']) => {
                format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Some(item) => item,
        })
        .collect();
    format!("{{{}}}", items.join(","))
}

/// A value of the union that the JSON operator `->` gives, as JSON text.
fn json(array: &dyn Array, row: usize) -> Option<String> {
    let union = array.as_union();
    let DataType::Union(fields, _) = array.data_type() else { return None };
    let name =
        fields.iter().find(|(id, _)| *id == union.type_id(row)).map(|(_, field)| field.name().as_str());
    let value = text(&union.value(row), 0)?;
    Some(match name {
        Some("str") => serde_json::Value::from(value).to_string(),
        Some("bool") => if value == "t" { "true" } else { "false" }.to_owned(),
        _ => value,
    })
}
