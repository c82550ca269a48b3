//! Values as JSON: `to_json`, `row_to_json`, `json_build_object` and its like, and the items of the aggregates.
//!
//! Numbers keep their digits, documents inside stay documents, times are written as ISO 8601 has them.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use pgwire::api::Type;
use serde_json::Value;
use std::sync::Arc;

use super::json::{ELEMENT, MEMBER};
use super::jsonb_text;
use super::typed::typed;
use crate::catalog::row_function::{returns, text};
use crate::error::{SqlError, sqlstate};
use crate::wire::encode::json_text;
use crate::wire::types::marked_type;
use crate::wire::{DateLayout, Zone, double_text, interval_text, real_text, timestamp_text};

pub(super) fn all() -> Vec<ScalarUDF> {
    let any = |count| Signature::any(count, Volatility::Stable);
    let variadic = || {
        let signatures = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
        Signature::one_of(signatures, Volatility::Stable)
    };
    let writer = |name, shape, is_binary, signature| {
        let result = typed(if is_binary { "jsonb" } else { "json" });
        ScalarUDF::from(Writer { name, shape, is_binary, result, signature })
    };
    let item = |name, shape, count| {
        let result = returns(DataType::Utf8);
        ScalarUDF::from(Writer { name, shape, is_binary: false, result, signature: any(count) })
    };
    vec![
        writer("to_json", Shape::Value, false, any(1)),
        writer("to_jsonb", Shape::Value, true, any(1)),
        writer("row_to_json", Shape::Value, false, any(1)),
        writer("json_build_object", Shape::Object, false, variadic()),
        writer("jsonb_build_object", Shape::Object, true, variadic()),
        writer("json_build_array", Shape::Array, false, variadic()),
        writer("jsonb_build_array", Shape::Array, true, variadic()),
        item(ELEMENT, Shape::Item, 1),
        item(MEMBER, Shape::Member, 2),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Shape {
    /// One value; NULL for NULL.
    Value,
    /// An element of `json_agg`: arrays and rows begin a line.
    Item,
    /// A member of `json_object_agg`.
    Member,
    Object,
    Array,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Writer {
    name: &'static str,
    shape: Shape,
    /// `jsonb`, which has its own order of members.
    is_binary: bool,
    result: Field,
    signature: Signature,
}

impl ScalarUDFImpl for Writer {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, _arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(self.result.clone().with_name(self.name)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = arguments.config_options.execution.time_zone.as_deref().unwrap_or("UTC");
        let zone = Zone::new(zone).ok_or_else(|| {
            let message = format!("time zone \"{zone}\" not recognized");
            SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, message)
        })?;
        let scalars: Option<Vec<ScalarValue>> = arguments
            .args
            .iter()
            .map(|argument| match argument {
                ColumnarValue::Scalar(value) => Some(value.clone()),
                ColumnarValue::Array(_) => None,
            })
            .collect();
        if let Some(scalars) = scalars {
            return Ok(ColumnarValue::Scalar(self.written(&scalars, &arguments.arg_fields, zone)?));
        }
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let mut values = Vec::with_capacity(arguments.number_rows);
        for row in 0..arguments.number_rows {
            let row: Result<Vec<ScalarValue>> =
                arrays.iter().map(|array| ScalarValue::try_from_array(array, row)).collect();
            values.push(self.written(&row?, &arguments.arg_fields, zone)?);
        }
        if values.is_empty() {
            return Ok(ColumnarValue::Array(arrow::array::new_empty_array(&DataType::Utf8)));
        }
        Ok(ColumnarValue::Array(ScalarValue::iter_to_array(values)?))
    }
}

impl Writer {
    fn written(&self, values: &[ScalarValue], fields: &[FieldRef], zone: Zone) -> Result<ScalarValue> {
        let mut out = String::new();
        let mut pairs = values.iter().zip(fields);
        match self.shape {
            Shape::Value | Shape::Item => {
                let Some((value, field)) = pairs.next() else { return Ok(ScalarValue::Utf8(None)) };
                if self.shape == Shape::Value && value.is_null() {
                    return Ok(ScalarValue::Utf8(None));
                }
                if self.shape == Shape::Item && field.data_type().is_nested() && !value.is_null() {
                    out.push_str("\n ");
                }
                write(value, field, zone, &mut out)?;
            }
            Shape::Member => members(values, fields, zone, &mut out)?,
            Shape::Object => {
                out.push('{');
                members(values, fields, zone, &mut out)?;
                out.push('}');
            }
            Shape::Array => {
                out.push('[');
                for (index, (value, field)) in pairs.enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    write(value, field, zone, &mut out)?;
                }
                out.push(']');
            }
        }
        Ok(text(if self.is_binary { jsonb_text::normalized(&out)? } else { out }))
    }
}

/// `"key" : value, ...`
fn members(values: &[ScalarValue], fields: &[FieldRef], zone: Zone, out: &mut String) -> Result<()> {
    if !values.len().is_multiple_of(2) {
        return Err(SqlError::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            "argument list must have even number of elements",
        )
        .with_hint("The arguments of json_build_object() must consist of alternating keys and values.")
        .into());
    }
    for (index, (pair, fields)) in values.chunks(2).zip(fields.chunks(2)).enumerate() {
        let ScalarValue::Utf8(Some(key)) = pair[0].cast_to(&DataType::Utf8)? else {
            let message = format!("argument {}: key must not be null", index * 2 + 1);
            return Err(SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, message).into());
        };
        if index > 0 {
            out.push_str(", ");
        }
        quoted(&key, out);
        out.push_str(" : ");
        write(&pair[1], &fields[1], zone, out)?;
    }
    Ok(())
}

fn quoted(text: &str, out: &mut String) {
    out.push_str(&Value::from(text).to_string());
}

/// Appends `value`, which is of `field`.
fn write(value: &ScalarValue, field: &Field, zone: Zone, out: &mut String) -> Result<()> {
    if value.is_null() {
        out.push_str("null");
        return Ok(());
    }
    let as_text = || -> Result<String> {
        match value.cast_to(&DataType::Utf8)? {
            ScalarValue::Utf8(Some(text)) => Ok(text),
            _ => Ok(String::new()),
        }
    };
    match value.data_type() {
        DataType::Boolean => out.push_str(&as_text()?),
        DataType::Float32 | DataType::Float64 => {
            let shown = match value {
                ScalarValue::Float32(Some(number)) => real_text(*number),
                ScalarValue::Float64(Some(number)) => double_text(*number),
                _ => String::new(),
            };
            // The infinities are no numbers of JSON.
            if shown.ends_with(|last: char| last.is_ascii_digit()) {
                out.push_str(&shown)
            } else {
                quoted(&shown, out)
            }
        }
        other if other.is_numeric() => out.push_str(&as_text()?),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            let list = arrow::compute::cast(&value.to_array()?, &DataType::List(Arc::clone(&item)))?;
            let items = list.as_list::<i32>().value(0);
            out.push('[');
            for index in 0..items.len() {
                if index > 0 {
                    out.push(',');
                }
                write(&ScalarValue::try_from_array(&items, index)?, &item, zone, out)?;
            }
            out.push(']');
        }
        DataType::Struct(fields) => {
            let row = value.to_array()?;
            out.push('{');
            for (index, (column, field)) in row.as_struct().columns().iter().zip(&fields).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                quoted(field.name(), out);
                out.push(':');
                write(&ScalarValue::try_from_array(column, 0)?, field, zone, out)?;
            }
            out.push('}');
        }
        DataType::Union(..) => {
            let union = value.to_array()?;
            out.push_str(json_text(union.as_union(), 0).as_deref().unwrap_or("null"));
        }
        DataType::Timestamp(_, tz) => {
            let ScalarValue::TimestampMicrosecond(Some(micros), _) =
                value.cast_to(&DataType::Timestamp(TimeUnit::Microsecond, tz.clone()))?
            else {
                return Ok(());
            };
            let shown = timestamp_text(micros, tz.as_ref().map(|_| &zone), DateLayout::new("ISO, MDY"));
            quoted(&iso(&shown.unwrap_or_default(), tz.is_some()), out);
        }
        DataType::Duration(_) => {
            const DAY: i64 = 86_400_000_000;
            let ScalarValue::DurationMicrosecond(Some(micros)) =
                value.cast_to(&DataType::Duration(TimeUnit::Microsecond))?
            else {
                return Ok(());
            };
            let days = i32::try_from(micros / DAY).unwrap_or(i32::MAX);
            let length = IntervalMonthDayNano::new(0, days, micros % DAY * 1_000);
            quoted(&interval_text(length, "postgres"), out);
        }
        DataType::Interval(_) => {
            if let ScalarValue::IntervalMonthDayNano(Some(interval)) =
                value.cast_to(&DataType::Interval(IntervalUnit::MonthDayNano))?
            {
                quoted(&interval_text(interval, "postgres"), out);
            }
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            if let ScalarValue::Binary(Some(bytes)) = value.cast_to(&DataType::Binary)? {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                quoted(&format!("\\x{digits}"), out);
            }
        }
        _ => match marked_type(field) {
            Some(Type::JSON | Type::JSONB) => out.push_str(&as_text()?),
            _ => quoted(&as_text()?, out),
        },
    }
    Ok(())
}

/// `2026-01-01 10:00:00+01` as `2026-01-01T10:00:00+01:00`.
fn iso(text: &str, zoned: bool) -> String {
    let mut iso = text.replacen(' ', "T", 1);
    let offset = iso.rfind(['+', '-']).map_or(0, |sign| iso.len() - sign);
    if zoned && offset == 3 {
        iso.push_str(":00");
    }
    iso
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &ScalarValue) -> String {
        let field = Field::new("x", value.data_type(), true);
        let mut out = String::new();
        write(value, &field, Zone::new("Europe/Berlin").unwrap(), &mut out).unwrap();
        out
    }

    // What PostgreSQL 15 answers.
    #[test]
    fn values_keep_what_they_are() {
        assert_eq!(
            json(&ScalarValue::Decimal128(Some(123_456_789_012_544_678), 18, 4)),
            "12345678901254.4678"
        );
        assert_eq!(json(&ScalarValue::from(f64::NAN)), "\"NaN\"");
        assert_eq!(json(&ScalarValue::from(0.1)), "0.1");
        assert_eq!(json(&ScalarValue::from("a\"b")), r#""a\"b""#);
        let instant = ScalarValue::TimestampMicrosecond(Some(1_767_225_600_500_000), Some("UTC".into()));
        assert_eq!(json(&instant), "\"2026-01-01T01:00:00.5+01:00\"");
        let local = ScalarValue::TimestampMicrosecond(Some(1_767_225_600_000_000), None);
        assert_eq!(json(&local), "\"2026-01-01T00:00:00\"");
        assert_eq!(json(&ScalarValue::Binary(Some(vec![1]))), r#""\\x01""#);
        assert_eq!(json(&ScalarValue::Int64(None)), "null");
    }
}
