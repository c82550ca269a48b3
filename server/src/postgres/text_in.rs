//! Values from texts, as PostgreSQL reads them: `'2026-01-01 12:00'::timestamp`, `'\x00ff'::bytea`, `'{1,2}'::int[]`.
//!
//! The engine's casts read the forms of Arrow, and take the characters of a text for the bytes of a `bytea`.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Date32Array, IntervalMonthDayNanoArray, ListArray, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::interval_in;
use super::time_in::{self, Wrong};
use super::timezone::zone_named;
use crate::error::{SqlError, sqlstate};
use crate::wire::array_text::{array_items, sub_arrays};
use crate::wire::params::bytea;

/// Whether texts of `target` are read here.
pub(super) fn reads(target: &DataType) -> bool {
    matches!(
        target,
        DataType::Timestamp(..)
            | DataType::Date32
            | DataType::Time64(_)
            | DataType::Interval(IntervalUnit::MonthDayNano)
            | DataType::Binary
            | DataType::BinaryView
            | DataType::LargeBinary
            | DataType::List(_)
    )
}

/// `text` read as a value of `target`.
pub(super) fn call(text: Expr, target: &DataType) -> Expr {
    // Zones and the current date are those of the session.
    let signature = Signature::any(1, Volatility::Stable);
    let function = ScalarUDF::from(TextIn { target: target.clone(), signature });
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![text]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TextIn {
    target: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for TextIn {
    fn name(&self) -> &str {
        "pg_text_in"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.target.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = arguments.config_options.execution.time_zone.as_deref().unwrap_or("UTC");
        let zone = zone_named(zone)?;
        let read = |texts: &ArrayRef| -> Result<ArrayRef> {
            let texts = cast(texts, &DataType::Utf8)?;
            values(texts.as_string::<i32>(), &self.target, zone)
        };
        match &arguments.args[0] {
            ColumnarValue::Array(texts) => Ok(ColumnarValue::Array(read(texts)?)),
            ColumnarValue::Scalar(text) => {
                let array = read(&text.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
        }
    }
}

/// The values of `texts`.
fn values(texts: &StringArray, target: &DataType, zone: Tz) -> Result<ArrayRef> {
    let array: ArrayRef = match target {
        DataType::Timestamp(unit, column_zone) => {
            let micros = match column_zone {
                Some(_) => {
                    each(texts, "timestamp with time zone", &|text: &str| time_in::timestamptz(text, zone))?
                }
                None => each(texts, "timestamp", &time_in::timestamp)?,
            };
            if !matches!(unit, TimeUnit::Microsecond)
                && micros.iter().flatten().any(|micros| is_infinite(*micros))
            {
                let message = "infinite timestamps have microseconds: cast to timestamp(6)";
                return Err(SqlError::new(sqlstate::DATETIME_FIELD_OVERFLOW, message).into());
            }
            Arc::new(TimestampMicrosecondArray::from(micros).with_timezone_opt(column_zone.clone()))
        }
        DataType::Date32 => Arc::new(Date32Array::from(each(texts, "date", &time_in::date)?)),
        DataType::Time64(_) => Arc::new(Time64MicrosecondArray::from(each(texts, "time", &time_in::time)?)),
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            Arc::new(IntervalMonthDayNanoArray::from(each(texts, "interval", &interval_in::interval)?))
        }
        DataType::Binary | DataType::BinaryView | DataType::LargeBinary => {
            let read = |text: &str| bytea(text).ok_or_else(|| invalid("bytea", text));
            let bytes: Result<Vec<Option<Vec<u8>>>, SqlError> =
                texts.iter().map(|text| text.map(read).transpose()).collect();
            Arc::new(BinaryArray::from_iter(bytes?))
        }
        DataType::List(item) => {
            let is_nested = matches!(item.data_type(), DataType::List(_));
            let items_of = |text: &str| match is_nested {
                true => Some(sub_arrays(text)?.into_iter().map(Some).collect()),
                false => array_items(text),
            };
            let mut items: Vec<Option<String>> = Vec::new();
            let mut lengths = Vec::with_capacity(texts.len());
            for text in texts {
                let before = items.len();
                if let Some(text) = text {
                    items.extend(items_of(text).ok_or_else(|| {
                        let message = format!("malformed array literal: \"{text}\"");
                        SqlError::new(sqlstate::INVALID_TEXT_REPRESENTATION, message)
                    })?);
                }
                lengths.push(items.len() - before);
            }
            let items = values(&StringArray::from(items), item.data_type(), zone)?;
            let nulls: Option<NullBuffer> = texts.nulls().cloned();
            Arc::new(ListArray::try_new(Arc::clone(item), OffsetBuffer::from_lengths(lengths), items, nulls)?)
        }
        _ => Arc::new(texts.clone()),
    };
    let options = CastOptions { safe: false, ..CastOptions::default() };
    Ok(cast_with_options(&array, target, &options)?)
}

fn is_infinite(micros: i64) -> bool {
    micros == i64::MAX || micros == i64::MIN
}

fn each<T>(
    texts: &StringArray,
    name: &str,
    read: &dyn Fn(&str) -> Result<T, Wrong>,
) -> Result<Vec<Option<T>>, SqlError> {
    let value =
        |text: Option<&str>| text.map(|text| read(text).map_err(|e| wrong(e, name, text))).transpose();
    texts.iter().map(value).collect()
}

/// The error for a text that is no value of the type called `name`.
pub(crate) fn wrong(wrong: Wrong, name: &str, text: &str) -> SqlError {
    match wrong {
        Wrong::Syntax => SqlError::new(
            sqlstate::INVALID_DATETIME_FORMAT,
            format!("invalid input syntax for type {name}: \"{text}\""),
        ),
        Wrong::Field if name == "interval" => {
            SqlError::new("22015", format!("interval field value out of range: \"{text}\""))
        }
        Wrong::Field => SqlError::new(
            sqlstate::DATETIME_FIELD_OVERFLOW,
            format!("date/time field value out of range: \"{text}\""),
        ),
    }
}

fn invalid(name: &str, text: &str) -> SqlError {
    let message = format!("invalid input syntax for type {name}: \"{text}\"");
    SqlError::new(sqlstate::INVALID_TEXT_REPRESENTATION, message)
}
