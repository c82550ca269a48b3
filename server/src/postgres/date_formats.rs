//! `to_char(time, template)`, `to_timestamp(text, template)` and `to_date(text, template)` with PostgreSQL's templates.
//!
//! The engine's functions of these names take the formats of strftime. A template with a per cent sign, which means
//! nothing in PostgreSQL, goes to them.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray, Date32Array, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Offset, TimeZone};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::datetime;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use super::date_patterns::Template;
use super::date_read::read;
use super::date_write::{Place, write};
use super::number_format::NumberTemplate;
use super::timezone::{offset_of_local, zone_named};
use crate::error::{SqlError, sqlstate};

pub(super) fn all() -> Vec<ScalarUDF> {
    [
        ("to_char", datetime::to_char()),
        ("to_timestamp", datetime::to_timestamp(&ConfigOptions::default())),
        ("to_date", datetime::to_date()),
    ]
    .into_iter()
    .map(|(name, engine)| {
        let counts = vec![TypeSignature::Any(1), TypeSignature::Any(2)];
        let signature = Signature::one_of(counts, Volatility::Stable);
        ScalarUDF::from(Formatted { name, engine, signature })
    })
    .collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Formatted {
    name: &'static str,
    /// The engine's function of this name.
    engine: Arc<ScalarUDF>,
    signature: Signature,
}

fn instants() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

impl ScalarUDFImpl for Formatted {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let time = matches!(arguments[0], DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
        let text = arguments[0].is_string() || arguments[0].is_null();
        match (self.name, arguments.len()) {
            ("to_char", 2) if time || arguments[0].is_null() || arguments[0].is_numeric() => {
                Ok(DataType::Utf8)
            }
            ("to_char", 2) if matches!(arguments[0], DataType::Interval(_) | DataType::Duration(_)) => {
                let message = "to_char of an interval is not supported: use extract, or cast it to text";
                Err(SqlError::new(sqlstate::FEATURE_NOT_SUPPORTED, message).into())
            }
            ("to_timestamp", 2) if text => Ok(instants()),
            ("to_timestamp", 1) if text || time || arguments[0].is_numeric() => Ok(instants()),
            ("to_date", 1 | 2) if text => Ok(DataType::Date32),
            _ => {
                let types: Vec<String> = arguments.iter().map(ToString::to_string).collect();
                let message = format!("function {}({}) does not exist", self.name, types.join(", "));
                Err(SqlError::new(sqlstate::UNDEFINED_FUNCTION, message).into())
            }
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(template) = arguments.args.get(1) else {
            return plain(&arguments.args[0], arguments.return_field.data_type());
        };
        if arguments.args[0].data_type().is_numeric() {
            return numbers(&arguments.args[0], template, arguments.number_rows);
        }
        if let ColumnarValue::Scalar(template) = template
            && template.try_as_str().flatten().is_some_and(|template| template.contains('%'))
        {
            let found = self.engine.invoke_with_args(ScalarFunctionArgs {
                args: arguments.args.clone(),
                arg_fields: arguments.arg_fields.clone(),
                return_field: Arc::clone(&arguments.return_field),
                number_rows: arguments.number_rows,
                config_options: Arc::clone(&arguments.config_options),
            })?;
            return found.cast_to(arguments.return_field.data_type(), None);
        }
        let zone = arguments.config_options.execution.time_zone.clone();
        let zone_name = zone.as_deref().unwrap_or("UTC");
        let zone = zone_named(zone_name)?;
        let scalars = arguments.args.iter().all(|one| matches!(one, ColumnarValue::Scalar(_)));
        let rows = if scalars { 1 } else { arguments.number_rows };
        let mut templates = Templates::new(template, rows)?;
        let values = arguments.args[0].to_array(rows)?;
        let array: ArrayRef = match self.name {
            "to_char" => Arc::new(texts(&values, &mut templates, zone, zone_name)?),
            name => times(&values, &mut templates, zone, name == "to_date")?,
        };
        if scalars {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

/// Seconds since 1970, and texts in the types' own form.
fn plain(value: &ColumnarValue, target: &DataType) -> Result<ColumnarValue> {
    if !value.data_type().is_numeric() {
        return value.cast_to(target, None);
    }
    let seconds = value.cast_to(&DataType::Float64, None)?.to_array(1)?;
    let micros = seconds.as_primitive::<Float64Type>().try_unary::<_, TimestampMicrosecondType, SqlError>(
        |seconds| {
            let micros = (seconds * 1e6).round();
            if micros.abs() < 9e18 { Ok(micros as i64) } else { Err(out_of_range()) }
        },
    )?;
    let micros = micros.with_timezone("UTC");
    match value {
        ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&micros, 0)?)),
        ColumnarValue::Array(_) => Ok(ColumnarValue::Array(Arc::new(micros))),
    }
}

/// The numbers `values` in the form of `template`.
fn numbers(values: &ColumnarValue, template: &ColumnarValue, rows: usize) -> Result<ColumnarValue> {
    let scalars = matches!((values, template), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
    let rows = if scalars { 1 } else { rows };
    let target = match values.data_type() {
        decimal @ DataType::Decimal128(..) => decimal,
        integer if integer.is_integer() => DataType::Decimal128(20, 0),
        _ => DataType::Float64,
    };
    let values = cast(&values.to_array(rows)?, &target)?;
    let templates = cast(&template.to_array(rows)?, &DataType::Utf8)?;
    let templates = templates.as_string::<i32>();
    let mut last: Option<(&str, NumberTemplate)> = None;
    let mut texts: Vec<Option<String>> = Vec::with_capacity(rows);
    for row in 0..rows {
        if templates.is_null(row) {
            texts.push(None);
            continue;
        }
        let text = templates.value(row);
        let read = match last.take() {
            Some((known, read)) if known == text => read,
            _ => NumberTemplate::new(text)?,
        };
        texts.push(read.text(&values, row)?);
        last = Some((text, read));
    }
    let texts = StringArray::from(texts);
    if scalars {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&texts, 0)?));
    }
    Ok(ColumnarValue::Array(Arc::new(texts)))
}

/// The template of each row; one that repeats is read once.
struct Templates {
    texts: ArrayRef,
    last: Option<(String, Template)>,
}

impl Templates {
    fn new(value: &ColumnarValue, rows: usize) -> Result<Self> {
        Ok(Self { texts: cast(&value.to_array(rows)?, &DataType::Utf8)?, last: None })
    }

    fn of_row(&mut self, row: usize) -> Option<&Template> {
        if self.texts.is_null(row) {
            return None;
        }
        let text = self.texts.as_string::<i32>().value(row);
        if self.last.as_ref().is_none_or(|(last, _)| last != text) {
            self.last = Some((text.to_owned(), Template::parse(text)));
        }
        self.last.as_ref().map(|(_, template)| template)
    }
}

fn texts(values: &ArrayRef, templates: &mut Templates, zone: Tz, zone_name: &str) -> Result<StringArray> {
    // Arrow's zones do not know their abbreviations.
    let named: Option<chrono_tz::Tz> = zone_name.parse().ok();
    let instants = matches!(values.data_type(), DataType::Timestamp(_, Some(_)));
    let tz = instants.then(|| "UTC".into());
    let times = cast(values, &DataType::Timestamp(TimeUnit::Microsecond, tz))?;
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let mut out = Vec::with_capacity(times.len());
    for row in 0..times.len() {
        let Some(template) = templates.of_row(row).filter(|_| times.is_valid(row)) else {
            out.push(None);
            continue;
        };
        let time = DateTime::from_timestamp_micros(times.value(row)).ok_or_else(out_of_range)?.naive_utc();
        let text = if instants {
            let there = zone.from_utc_datetime(&time);
            let offset = there.offset().fix().local_minus_utc();
            write(
                template,
                there.naive_local(),
                &Place {
                    offset,
                    zone: named.map_or_else(
                        || there.format("%Z").to_string(),
                        |named| named.from_utc_datetime(&time).format("%Z").to_string(),
                    ),
                },
            )
        } else {
            write(template, time, &Place::default())
        };
        out.push(Some(text));
    }
    Ok(out.into())
}

fn times(values: &ArrayRef, templates: &mut Templates, zone: Tz, dates: bool) -> Result<ArrayRef> {
    let texts = cast(values, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let mut out = Vec::with_capacity(texts.len());
    for row in 0..texts.len() {
        let Some(template) = templates.of_row(row).filter(|_| texts.is_valid(row)) else {
            out.push(None);
            continue;
        };
        let found = read(template, texts.value(row))?;
        let seconds = match found.offset {
            _ if dates => 0,
            Some(offset) => i64::from(offset),
            None => offset_of_local(found.local, zone),
        };
        out.push(Some(found.local.and_utc().timestamp_micros() - seconds * 1_000_000));
    }
    if dates {
        let micros = TimestampMicrosecondArray::from(out);
        let days = micros
            .iter()
            .map(|micros| micros.and_then(|micros| i32::try_from(micros.div_euclid(86_400_000_000)).ok()));
        return Ok(Arc::new(days.collect::<Date32Array>()));
    }
    Ok(Arc::new(TimestampMicrosecondArray::from(out).with_timezone("UTC")))
}

fn out_of_range() -> SqlError {
    SqlError::new(sqlstate::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}
