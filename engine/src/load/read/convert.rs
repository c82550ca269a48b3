//! One column of a file to the type of a table column, whatever the file's type, with the rows that do not fit.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Decimal128Array, Float64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Field, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;

use super::json_text::compact_object;
use super::number::{ExactNumber, NumberError, parse_decimal};
use super::rejected::shorten;
use super::text_column::TextColumn;
use super::timestamp::{TimestampError, TimestampRule, in_range};
use super::unchanged::unchanged;
use crate::schema;

/// A value that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// Row within the batch.
    pub(super) row: usize,
    /// `None` where the value is missing.
    pub(super) value: Option<String>,
    pub(super) reason: String,
}

/// The column as a whole cannot be converted.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConvertError {
    #[error("has type {found}; expected {expected}")]
    Type { found: DataType, expected: &'static str },
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

type Converted = Result<ArrayRef, ConvertError>;

/// Converts `array` to what `target` holds. Rows that do not fit are NULL in the result and told in `problems`,
/// in row order. NULL in a required column is a problem too.
///
/// # Errors
/// [`ConvertError`] if no value of the array's type could fit.
pub(super) fn convert(
    target: &Field,
    array: &ArrayRef,
    rule: &TimestampRule,
    problems: &mut Vec<Problem>,
) -> Converted {
    let canonical = schema::load_schema();
    if canonical.field_with_name(target.name()).is_err() {
        return extra(target, array, rule, problems);
    }
    match unchanged(target, array) {
        Some(array) => Ok(array),
        None => one_by_one(target, array, rule, problems),
    }
}

/// As [`convert`] for a canonical column, value by value.
fn one_by_one(
    target: &Field,
    array: &ArrayRef,
    rule: &TimestampRule,
    problems: &mut Vec<Problem>,
) -> Converted {
    match (target.name().as_str(), target.data_type()) {
        (_, DataType::Timestamp(_, _)) => time(target, array, rule, problems),
        (_, DataType::Decimal128(precision, scale)) => decimal(array, *precision, *scale, problems),
        (_, DataType::Float64) => score(array, problems),
        ("currency", _) => map_text(array, problems, currency),
        (schema::PROPERTIES, _) => {
            map_text(array, problems, |text| compact_object(text).map_err(|error| error.to_string()))
        }
        (schema::EVENT_ID, _) => {
            let texts = texts(array, problems)?;
            if may_be_empty(&texts) && texts.iter().any(|text| text == Some("")) {
                let filled: StringArray = texts.iter().map(|text| text.filter(|t| !t.is_empty())).collect();
                return Ok(Arc::new(filled));
            }
            Ok(Arc::new(texts))
        }
        _ => {
            let before = problems.len();
            let texts = texts(array, problems)?;
            if !target.is_nullable() && may_be_empty(&texts) {
                // Bytes that are no text were told already.
                let unreadable: Vec<usize> = problems[before..].iter().map(|p| p.row).collect();
                for (row, text) in texts.iter().enumerate() {
                    if text.is_none_or(str::is_empty) && unreadable.binary_search(&row).is_err() {
                        problems.push(missing(target, row));
                    }
                }
            }
            Ok(Arc::new(texts))
        }
    }
}

/// Whether one of the texts is empty or NULL. O(rows), many at a time.
fn may_be_empty(texts: &StringArray) -> bool {
    let ends = texts.value_offsets();
    texts.null_count() > 0 || ends.iter().zip(&ends[1..]).fold(false, |any, (from, to)| any | (from == to))
}

fn missing(target: &Field, row: usize) -> Problem {
    Problem { row, value: None, reason: format!("{} is missing", target.name()) }
}

pub(super) fn currency(text: &str) -> Result<Cow<'_, str>, String> {
    let code = text.trim_ascii();
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Err("not a currency; expected three letters such as EUR".to_owned());
    }
    if code.bytes().all(|b| b.is_ascii_uppercase()) {
        return Ok(Cow::Borrowed(code));
    }
    Ok(Cow::Owned(code.to_ascii_uppercase()))
}

/// The column as text: text of any layout, integers, whole decimals, booleans.
fn texts(array: &ArrayRef, problems: &mut Vec<Problem>) -> Result<StringArray, ConvertError> {
    let type_error = || ConvertError::Type { found: array.data_type().clone(), expected: "text or integers" };
    let value_type = match array.data_type() {
        DataType::Dictionary(_, value) => value.as_ref(),
        other => other,
    };
    match value_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean | DataType::Null => {}
        DataType::Decimal32(_, 0)
        | DataType::Decimal64(_, 0)
        | DataType::Decimal128(_, 0)
        | DataType::Decimal256(_, 0) => {}
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            return binary_texts(array, problems);
        }
        integer if integer.is_integer() => {}
        _ => return Err(type_error()),
    }
    let texts = cast(array, &DataType::Utf8)?;
    texts.as_string_opt::<i32>().cloned().ok_or_else(type_error)
}

/// Old Parquet writers store text without saying that it is text.
fn binary_texts(array: &ArrayRef, problems: &mut Vec<Problem>) -> Result<StringArray, ConvertError> {
    let binary = cast(array, &DataType::Binary)?;
    let binary: &BinaryArray = binary.as_binary();
    let mut texts = Vec::with_capacity(binary.len());
    for (row, bytes) in binary.iter().enumerate() {
        let text = bytes.map(std::str::from_utf8).transpose();
        if text.is_err() {
            problems.push(Problem {
                row,
                value: bytes.map(|b| shorten(&String::from_utf8_lossy(b))),
                reason: "not valid UTF-8".to_owned(),
            });
        }
        texts.push(text.ok().flatten());
    }
    Ok(StringArray::from(texts))
}

/// Text through a function; blank text is NULL. Gives the same array if nothing changes, which is the usual case.
fn map_text(
    array: &ArrayRef,
    problems: &mut Vec<Problem>,
    convert: impl for<'t> Fn(&'t str) -> Result<Cow<'t, str>, String>,
) -> Converted {
    let texts = texts(array, problems)?;
    let mut changed: Option<TextColumn> = None;
    for (row, text) in texts.iter().enumerate() {
        let value = match text.filter(|t| !t.trim_ascii().is_empty()) {
            Some(text) => match convert(text) {
                Ok(value) => Some(value),
                Err(reason) => {
                    problems.push(Problem { row, value: Some(shorten(text)), reason });
                    None
                }
            },
            None => None,
        };
        let is_same = value.as_deref() == text;
        if changed.is_none() && !is_same {
            let mut copied = TextColumn::with_capacity(texts.len());
            texts.iter().take(row).for_each(|earlier| copied.push_option(earlier));
            changed = Some(copied);
        }
        if let Some(changed) = &mut changed {
            changed.push_option(value.as_deref());
        }
    }
    match changed {
        Some(mut changed) => Ok(Arc::new(changed.finish()?)),
        None => Ok(Arc::new(texts)),
    }
}

/// Timestamps from timestamps of any unit and zone, dates, numbers since the epoch, and text.
fn time(target: &Field, array: &ArrayRef, rule: &TimestampRule, problems: &mut Vec<Problem>) -> Converted {
    let required = !target.is_nullable();
    let mut sink = TimeSink { target, required, values: Vec::with_capacity(array.len()), problems };
    match array.data_type() {
        DataType::Timestamp(unit, zone) => {
            let has_zone = zone.is_some();
            let convert = |micros: Option<i64>| {
                let micros = micros.ok_or(TimestampError::OutOfRange)?;
                if has_zone { in_range(micros) } else { rule.local(micros) }
            };
            match unit {
                TimeUnit::Second => {
                    let values = array.as_primitive::<TimestampSecondType>();
                    sink.fill(values.iter(), |v| convert(v.checked_mul(1_000_000)));
                }
                TimeUnit::Millisecond => {
                    let values = array.as_primitive::<TimestampMillisecondType>();
                    sink.fill(values.iter(), |v| convert(v.checked_mul(1_000)));
                }
                TimeUnit::Microsecond => {
                    let values = array.as_primitive::<TimestampMicrosecondType>();
                    sink.fill(values.iter(), |v| convert(Some(*v)));
                }
                TimeUnit::Nanosecond => {
                    let values = array.as_primitive::<TimestampNanosecondType>();
                    sink.fill(values.iter(), |v| convert(Some(v.div_euclid(1_000))));
                }
            }
        }
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>();
            sink.fill(values.iter(), |days| rule.date(i64::from(*days)));
        }
        DataType::Date64 => {
            let days = cast(array, &DataType::Date32)?;
            sink.fill(days.as_primitive::<Date32Type>().iter(), |days| rule.date(i64::from(*days)));
        }
        integer if integer.is_integer() && *integer != DataType::UInt64 => {
            let values = cast(array, &DataType::Int64)?;
            sink.fill(values.as_primitive::<Int64Type>().iter(), |v| rule.epoch(*v));
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            sink.fill(values.iter(), |v| rule.parse(&v.to_string()));
        }
        _ => {
            let type_error = ConvertError::Type {
                found: array.data_type().clone(),
                expected: "a timestamp, a date, a number since the epoch or text",
            };
            if *array.data_type() == DataType::Boolean {
                return Err(type_error);
            }
            let mut unreadable = Vec::new();
            let texts = texts(array, &mut unreadable).map_err(|_| type_error)?;
            sink.problems.append(&mut unreadable);
            let filled = texts.iter().map(|text| text.filter(|t| !t.trim_ascii().is_empty()));
            sink.fill(filled, |text| rule.parse(text));
        }
    }
    let values = TimestampMicrosecondArray::from(sink.values).with_timezone(schema::UTC);
    Ok(Arc::new(values))
}

struct TimeSink<'a> {
    target: &'a Field,
    required: bool,
    values: Vec<Option<i64>>,
    problems: &'a mut Vec<Problem>,
}

impl TimeSink<'_> {
    fn fill<T: ToString>(
        &mut self,
        values: impl Iterator<Item = Option<T>>,
        convert: impl Fn(&T) -> Result<i64, TimestampError>,
    ) {
        for (row, value) in values.enumerate() {
            let micros = match value {
                Some(value) => convert(&value)
                    .map_err(|error| {
                        self.problems.push(Problem {
                            row,
                            value: Some(shorten(&value.to_string())),
                            reason: error.to_string(),
                        });
                    })
                    .ok(),
                None => {
                    if self.required {
                        self.problems.push(missing(self.target, row));
                    }
                    None
                }
            };
            self.values.push(micros);
        }
    }
}

/// Exact decimals from text, decimals, integers, and floats whose shortest text fits.
fn decimal(array: &ArrayRef, precision: u8, scale: i8, problems: &mut Vec<Problem>) -> Converted {
    let mut sink = DecimalSink { precision, scale, values: Vec::with_capacity(array.len()), problems };
    match array.data_type() {
        DataType::Decimal128(_, from_scale) => {
            let decimals: &Decimal128Array = array.as_primitive();
            for (row, value) in decimals.iter().enumerate() {
                let parsed = value.map(|v| rescale(v, *from_scale, precision, scale));
                sink.add(row, parsed, || decimals.value_as_string(row));
            }
        }
        DataType::Float64 => {
            let texts = array.as_primitive::<Float64Type>().iter().map(|v| v.map(|v| v.to_string()));
            sink.add_texts(texts);
        }
        DataType::Float32 => {
            let texts = array.as_primitive::<Float32Type>().iter().map(|v| v.map(|v| v.to_string()));
            sink.add_texts(texts);
        }
        other => {
            let castable = other.is_integer()
                || matches!(
                    other,
                    DataType::Decimal32(_, _) | DataType::Decimal64(_, _) | DataType::Decimal256(_, _)
                )
                || is_text(other)
                || *other == DataType::Null;
            if !castable {
                return Err(ConvertError::Type {
                    found: other.clone(),
                    expected: "a decimal, a number or text",
                });
            }
            let texts = cast(array, &DataType::Utf8)?;
            let filled = texts.as_string::<i32>().iter().map(|t| t.filter(|t| !t.trim_ascii().is_empty()));
            sink.add_texts(filled);
        }
    }
    let decimals = Decimal128Array::from(sink.values).with_precision_and_scale(precision, scale)?;
    Ok(Arc::new(decimals))
}

struct DecimalSink<'a> {
    precision: u8,
    scale: i8,
    values: Vec<Option<i128>>,
    problems: &'a mut Vec<Problem>,
}

impl DecimalSink<'_> {
    fn add_texts<T: AsRef<str>>(&mut self, texts: impl Iterator<Item = Option<T>>) {
        let (precision, scale) = (self.precision, self.scale);
        for (row, text) in texts.enumerate() {
            let text = text.as_ref().map(T::as_ref);
            let parsed = text.map(|t| parse_decimal(t, precision, scale));
            self.add(row, parsed, || text.unwrap_or_default().to_owned());
        }
    }

    fn add(&mut self, row: usize, parsed: Option<Result<i128, NumberError>>, shown: impl FnOnce() -> String) {
        let value = match parsed {
            Some(Ok(value)) => Some(value),
            Some(Err(error)) => {
                self.problems.push(Problem {
                    row,
                    value: Some(shorten(&shown())),
                    reason: error.to_string(),
                });
                None
            }
            None => None,
        };
        self.values.push(value);
    }
}

fn rescale(value: i128, from_scale: i8, precision: u8, scale: i8) -> Result<i128, NumberError> {
    if from_scale == scale
        && 10_u128.checked_pow(u32::from(precision)).is_some_and(|limit| value.unsigned_abs() < limit)
    {
        return Ok(value);
    }
    ExactNumber::from_unscaled(value, from_scale).to_decimal(precision, scale)
}

/// Finite doubles from numbers and text.
fn score(array: &ArrayRef, problems: &mut Vec<Problem>) -> Converted {
    let data_type = array.data_type();
    let mut values: Vec<Option<f64>> = Vec::with_capacity(array.len());
    if is_text(data_type) {
        let texts = cast(array, &DataType::Utf8)?;
        for (row, text) in texts.as_string::<i32>().iter().enumerate() {
            let value = text.map(str::trim_ascii).filter(|t| !t.is_empty()).and_then(|text| {
                let number = text.parse::<f64>().ok();
                let finite = number.filter(|v| v.is_finite());
                if finite.is_none() {
                    let reason = if number.is_some() { "not a finite number" } else { "not a number" };
                    problems.push(Problem { row, value: Some(shorten(text)), reason: reason.to_owned() });
                }
                finite
            });
            values.push(value);
        }
    } else if data_type.is_numeric() || *data_type == DataType::Null {
        let numbers = cast(array, &DataType::Float64)?;
        for (row, number) in numbers.as_primitive::<Float64Type>().iter().enumerate() {
            let finite = number.filter(|v| v.is_finite());
            if let (Some(number), None) = (number, finite) {
                problems.push(Problem {
                    row,
                    value: Some(number.to_string()),
                    reason: "not a finite number".to_owned(),
                });
            }
            values.push(finite);
        }
    } else {
        return Err(ConvertError::Type { found: data_type.clone(), expected: "a number or text" });
    }
    Ok(Arc::new(Float64Array::from(values)))
}

/// An extra column to the type that it has in the table.
fn extra(target: &Field, array: &ArrayRef, rule: &TimestampRule, problems: &mut Vec<Problem>) -> Converted {
    let from = array.data_type();
    let to = target.data_type();
    let type_error = |expected| ConvertError::Type { found: from.clone(), expected };
    match to {
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => return time(target, array, rule, problems),
        DataType::Decimal128(precision, scale) => return decimal(array, *precision, *scale, problems),
        _ if from == to => return Ok(Arc::clone(array)),
        DataType::Utf8 if !from.is_nested() => {
            let texts = texts(array, problems).or_else(|_| {
                let texts = cast(array, &DataType::Utf8)?;
                Ok::<_, ConvertError>(texts.as_string::<i32>().clone())
            })?;
            return Ok(Arc::new(texts));
        }
        _ => {}
    }
    let fits = is_text(from)
        || *from == DataType::Null
        || match to {
            DataType::Boolean => *from == DataType::Boolean,
            DataType::Date32 => matches!(from, DataType::Date32 | DataType::Date64),
            to if to.is_integer() => from.is_integer(),
            to if to.is_floating() => from.is_numeric(),
            _ => false,
        };
    if !fits {
        return Err(type_error("the type of this column in the table, or text"));
    }
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let source = if is_text(from) { empty_as_null(array)? } else { Arc::clone(array) };
    let converted = cast_with_options(&source, to, &options)?;
    for row in 0..source.len() {
        if converted.is_null(row) && source.is_valid(row) {
            let value = arrow::util::display::array_value_to_string(&source, row)?;
            problems.push(Problem {
                row,
                value: Some(shorten(&value)),
                reason: format!("not a value of the table's column, which has type {to}"),
            });
        }
    }
    Ok(converted)
}

fn empty_as_null(array: &ArrayRef) -> Converted {
    let texts = cast(array, &DataType::Utf8)?;
    let trimmed = texts.as_string::<i32>().iter().map(|t| t.map(str::trim_ascii).filter(|t| !t.is_empty()));
    Ok(Arc::new(trimmed.collect::<StringArray>()))
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
