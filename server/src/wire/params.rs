//! Bind parameters: from the bytes of a client to values of a plan.
//!
//! Each parameter has one PostgreSQL type, decided before (see [`super::session`]); it comes in text or in binary form.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use bytes::{Buf, Bytes};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType as SqlType, ExactNumberInfo, TimezoneInfo};
use pgwire::api::Type;
use pgwire::api::results::FieldFormat;
use pgwire::error::{PgWireError, PgWireResult};

use super::array_text::array_items;
use super::encode::{POSTGRES_EPOCH_US, array_type};
use super::numeric;
use crate::error::{error, sqlstate, user_error};
use crate::postgres::time_in::Wrong;
use crate::postgres::{interval_in, text_in, time_in};

/// Days from the Unix epoch to 2000-01-01.
const POSTGRES_EPOCH_DAYS: i32 = 10_957;
/// The zone of stored timestamps.
const UTC: &str = "UTC";

/// Whether values of this type are lists.
pub(crate) fn is_array(pg_type: &Type) -> bool {
    element_type(pg_type).is_some()
}

/// Whether values of this type are taken as they stand and fit wherever a text literal does.
///
/// A client that declares its parameters as text means "as I would write it": JDBC does so for every string.
pub(crate) fn is_text(pg_type: &Type) -> bool {
    matches!(*pg_type, Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN)
}

/// The SQL type to which a parameter of `pg_type` is cast in the statement; `None` to leave it as it is.
pub(crate) fn cast_type(pg_type: &Type) -> Option<SqlType> {
    let array =
        |element: SqlType| Some(SqlType::Array(ArrayElemTypeDef::SquareBracket(Box::new(element), None)));
    Some(match *pg_type {
        Type::BOOL => SqlType::Boolean,
        Type::INT2 => SqlType::SmallInt(None),
        Type::INT4 => SqlType::Integer(None),
        Type::INT8 | Type::OID => SqlType::BigInt(None),
        Type::FLOAT4 => SqlType::Real,
        Type::FLOAT8 => SqlType::DoublePrecision,
        Type::DATE => SqlType::Date,
        Type::TIME => SqlType::Time(None, TimezoneInfo::None),
        Type::TIMESTAMP => SqlType::Timestamp(Some(6), TimezoneInfo::None),
        Type::TIMESTAMPTZ => SqlType::Timestamp(Some(6), TimezoneInfo::WithTimeZone),
        Type::INTERVAL => SqlType::Interval { fields: None, precision: None },
        Type::BYTEA => SqlType::Bytea,
        Type::JSON => SqlType::JSON,
        Type::JSONB => SqlType::JSONB,
        Type::BOOL_ARRAY => return array(SqlType::Boolean),
        Type::INT2_ARRAY => return array(SqlType::SmallInt(None)),
        Type::INT4_ARRAY => return array(SqlType::Integer(None)),
        Type::INT8_ARRAY | Type::OID_ARRAY => return array(SqlType::BigInt(None)),
        Type::FLOAT4_ARRAY => return array(SqlType::Real),
        Type::FLOAT8_ARRAY => return array(SqlType::DoublePrecision),
        Type::DATE_ARRAY => return array(SqlType::Date),
        Type::TIME_ARRAY => return array(SqlType::Time(None, TimezoneInfo::None)),
        Type::TIMESTAMP_ARRAY => return array(SqlType::Timestamp(Some(6), TimezoneInfo::None)),
        Type::TIMESTAMPTZ_ARRAY => return array(SqlType::Timestamp(Some(6), TimezoneInfo::WithTimeZone)),
        Type::INTERVAL_ARRAY => return array(SqlType::Interval { fields: None, precision: None }),
        Type::BYTEA_ARRAY => return array(SqlType::Bytea),
        Type::UUID_ARRAY | Type::JSON_ARRAY | Type::JSONB_ARRAY | Type::BPCHAR_ARRAY | Type::NAME_ARRAY => {
            return array(SqlType::Text);
        }
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY => return array(SqlType::Text),
        _ => return None,
    })
}

/// The SQL type for a parameter that neither client nor statement give a type.
pub(crate) fn fallback_cast_type(pg_type: &Type) -> SqlType {
    match *pg_type {
        // Wide enough for money and rates; a literal of its own precision cannot be planned for.
        Type::NUMERIC => SqlType::Numeric(ExactNumberInfo::PrecisionAndScale(38, 10)),
        _ => SqlType::Text,
    }
}

/// The PostgreSQL type that a cast in the statement gives its parameter; `None` if it is none of ours.
pub(crate) fn type_of_cast(sql_type: &SqlType) -> Option<Type> {
    Some(match sql_type {
        SqlType::Boolean | SqlType::Bool => Type::BOOL,
        SqlType::SmallInt(_) | SqlType::Int2(_) => Type::INT2,
        SqlType::Integer(_) | SqlType::Int(_) | SqlType::Int4(_) => Type::INT4,
        SqlType::BigInt(_) | SqlType::Int8(_) => Type::INT8,
        SqlType::Real | SqlType::Float4 => Type::FLOAT4,
        SqlType::DoublePrecision | SqlType::Double(_) | SqlType::Float8 => Type::FLOAT8,
        SqlType::Numeric(_) | SqlType::Decimal(_) | SqlType::Dec(_) => Type::NUMERIC,
        SqlType::Text => Type::TEXT,
        SqlType::Varchar(_) | SqlType::CharacterVarying(_) | SqlType::CharVarying(_) => Type::VARCHAR,
        SqlType::Char(_) | SqlType::Character(_) => Type::BPCHAR,
        SqlType::Uuid => Type::UUID,
        SqlType::JSON => Type::JSON,
        SqlType::JSONB => Type::JSONB,
        SqlType::Time(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => Type::TIMETZ,
        SqlType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("name") => Type::NAME,
        SqlType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("oid") => Type::OID,
        SqlType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("timetz") => Type::TIMETZ,
        SqlType::Date => Type::DATE,
        SqlType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => Type::TIME,
        SqlType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => Type::TIMESTAMP,
        SqlType::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => Type::TIMESTAMPTZ,
        SqlType::Interval { .. } => Type::INTERVAL,
        SqlType::Bytea => Type::BYTEA,
        SqlType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("oid") => Type::OID,
        SqlType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => array_type(&type_of_cast(element)?)?,
        _ => return None,
    })
}

/// Reads parameter number `position` (from 1) of `pg_type`; `time_zone` is for timestamps without an offset.
///
/// # Errors
/// 22P02 and 22P03 for malformed text and binary values, 22003 and 22008 out of range, 0A000 naming a type that is
/// not supported. The messages quote the value: they go to the client that sent it and never into a log.
pub(crate) fn decode(
    position: usize,
    bytes: Option<&Bytes>,
    format: FieldFormat,
    pg_type: &Type,
    time_zone: &str,
) -> PgWireResult<ScalarValue> {
    let Some(bytes) = bytes else {
        return null(position, pg_type);
    };
    match format {
        FieldFormat::Text => {
            let text = std::str::from_utf8(bytes).map_err(|_| invalid_utf8(position))?;
            from_text(position, text, pg_type, time_zone)
        }
        FieldFormat::Binary => from_binary(position, bytes, pg_type),
    }
}

fn null(position: usize, pg_type: &Type) -> PgWireResult<ScalarValue> {
    let data_type = arrow_type(pg_type).ok_or_else(|| not_supported(position, pg_type))?;
    ScalarValue::try_new_null(&data_type).map_err(|_| not_supported(position, pg_type))
}

/// The type of the values that [`decode`] gives for `pg_type`; `None` if the type is not supported.
fn arrow_type(pg_type: &Type) -> Option<DataType> {
    let list = |element| DataType::List(Arc::new(Field::new_list_field(element, true)));
    Some(match *pg_type {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 => DataType::Int32,
        Type::INT8 | Type::OID => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::NUMERIC => DataType::Decimal128(numeric::MAX_PRECISION, 10),
        Type::BYTEA => DataType::Binary,
        Type::DATE => DataType::Date32,
        Type::TIME => DataType::Time64(TimeUnit::Nanosecond),
        Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        Type::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        Type::UUID | Type::JSON | Type::JSONB | Type::TIMETZ => DataType::Utf8,
        _ if is_text(pg_type) => DataType::Utf8,
        _ => list(arrow_type(&element_type(pg_type)?)?),
    })
}

fn element_type(pg_type: &Type) -> Option<Type> {
    Some(match *pg_type {
        Type::BOOL_ARRAY => Type::BOOL,
        Type::INT2_ARRAY => Type::INT2,
        Type::INT4_ARRAY => Type::INT4,
        Type::INT8_ARRAY => Type::INT8,
        Type::OID_ARRAY => Type::OID,
        Type::FLOAT4_ARRAY => Type::FLOAT4,
        Type::FLOAT8_ARRAY => Type::FLOAT8,
        Type::NUMERIC_ARRAY => Type::NUMERIC,
        Type::BYTEA_ARRAY => Type::BYTEA,
        Type::DATE_ARRAY => Type::DATE,
        Type::TIME_ARRAY => Type::TIME,
        Type::TIMESTAMP_ARRAY => Type::TIMESTAMP,
        Type::TIMESTAMPTZ_ARRAY => Type::TIMESTAMPTZ,
        Type::INTERVAL_ARRAY => Type::INTERVAL,
        Type::UUID_ARRAY => Type::UUID,
        Type::JSON_ARRAY => Type::JSON,
        Type::JSONB_ARRAY => Type::JSONB,
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY | Type::NAME_ARRAY => Type::TEXT,
        _ => return None,
    })
}

fn from_text(position: usize, text: &str, pg_type: &Type, time_zone: &str) -> PgWireResult<ScalarValue> {
    let invalid = || invalid_text(pg_type, text);
    Ok(match *pg_type {
        Type::BOOL => ScalarValue::Boolean(Some(boolean(text).ok_or_else(invalid)?)),
        Type::INT2 => ScalarValue::Int16(Some(integer(text, pg_type)?)),
        Type::INT4 => ScalarValue::Int32(Some(integer(text, pg_type)?)),
        Type::INT8 | Type::OID => ScalarValue::Int64(Some(integer(text, pg_type)?)),
        Type::FLOAT4 => ScalarValue::Float32(Some(text.trim().parse().map_err(|_| invalid())?)),
        Type::FLOAT8 => ScalarValue::Float64(Some(text.trim().parse().map_err(|_| invalid())?)),
        Type::NUMERIC => {
            let (value, scale) = numeric::from_text(text).ok_or_else(invalid)?;
            decimal(value, scale)
        }
        Type::BYTEA => ScalarValue::Binary(Some(bytea(text).ok_or_else(invalid)?)),
        Type::DATE => {
            let days = time_in::date(text).map_err(|e| wrong_time(e, pg_type, text))?;
            ScalarValue::Date32(Some(days))
        }
        Type::TIME => {
            let micros = time_in::time(text).map_err(|e| wrong_time(e, pg_type, text))?;
            ScalarValue::Time64Nanosecond(Some(micros * 1_000))
        }
        Type::TIMESTAMP => {
            // As PostgreSQL: an offset in the text is ignored.
            let micros = time_in::timestamp(text).map_err(|e| wrong_time(e, pg_type, text))?;
            ScalarValue::TimestampMicrosecond(Some(micros), None)
        }
        Type::TIMESTAMPTZ => {
            let zone = Tz::from_str(time_zone).map_err(|_| invalid())?;
            let micros = time_in::timestamptz(text, zone).map_err(|e| wrong_time(e, pg_type, text))?;
            ScalarValue::TimestampMicrosecond(Some(micros), Some(UTC.into()))
        }
        Type::INTERVAL => {
            let interval = interval_in::interval(text).map_err(|e| wrong_time(e, pg_type, text))?;
            ScalarValue::IntervalMonthDayNano(Some(interval))
        }
        Type::TIMETZ => {
            let zone = Tz::from_str(time_zone).map_err(|_| invalid())?;
            let time = time_in::timetz(text, zone).map_err(|e| wrong_time(e, pg_type, text))?;
            ScalarValue::Utf8(Some(time))
        }
        Type::UUID | Type::JSON | Type::JSONB => ScalarValue::Utf8(Some(text.to_owned())),
        _ if is_text(pg_type) => ScalarValue::Utf8(Some(text.to_owned())),
        _ => {
            let element = element_type(pg_type).ok_or_else(|| not_supported(position, pg_type))?;
            let items = array_items(text).ok_or_else(invalid)?;
            let values: PgWireResult<Vec<ScalarValue>> = items
                .into_iter()
                .map(|item| match item {
                    Some(item) => from_text(position, &item, &element, time_zone),
                    None => null(position, &element),
                })
                .collect();
            list(position, &values?, &element)?
        }
    })
}

fn from_binary(position: usize, bytes: &[u8], pg_type: &Type) -> PgWireResult<ScalarValue> {
    let invalid = || invalid_binary(position, pg_type);
    Ok(match *pg_type {
        Type::BOOL => ScalarValue::Boolean(Some(fixed::<1>(bytes).ok_or_else(invalid)?[0] != 0)),
        Type::INT2 => ScalarValue::Int16(Some(i16::from_be_bytes(fixed(bytes).ok_or_else(invalid)?))),
        Type::INT4 => ScalarValue::Int32(Some(i32::from_be_bytes(fixed(bytes).ok_or_else(invalid)?))),
        Type::INT8 => ScalarValue::Int64(Some(i64::from_be_bytes(fixed(bytes).ok_or_else(invalid)?))),
        Type::OID => {
            let oid = u32::from_be_bytes(fixed(bytes).ok_or_else(invalid)?);
            ScalarValue::Int64(Some(i64::from(oid)))
        }
        Type::FLOAT4 => ScalarValue::Float32(Some(f32::from_be_bytes(fixed(bytes).ok_or_else(invalid)?))),
        Type::FLOAT8 => ScalarValue::Float64(Some(f64::from_be_bytes(fixed(bytes).ok_or_else(invalid)?))),
        Type::NUMERIC => {
            let (value, scale) = numeric::from_binary(bytes).ok_or_else(invalid)?;
            decimal(value, scale)
        }
        Type::BYTEA => ScalarValue::Binary(Some(bytes.to_vec())),
        Type::DATE => {
            let days = i32::from_be_bytes(fixed(bytes).ok_or_else(invalid)?);
            let days = days.checked_add(POSTGRES_EPOCH_DAYS).ok_or_else(|| out_of_range("date"))?;
            ScalarValue::Date32(Some(days))
        }
        Type::TIME => {
            let micros = i64::from_be_bytes(fixed(bytes).ok_or_else(invalid)?);
            ScalarValue::Time64Nanosecond(Some(
                micros.checked_mul(1_000).ok_or_else(|| out_of_range("time"))?,
            ))
        }
        Type::TIMESTAMP => ScalarValue::TimestampMicrosecond(Some(binary_timestamp(bytes, invalid)?), None),
        Type::TIMESTAMPTZ => {
            ScalarValue::TimestampMicrosecond(Some(binary_timestamp(bytes, invalid)?), Some(UTC.into()))
        }
        Type::INTERVAL => {
            let mut bytes: &[u8] = &fixed::<16>(bytes).ok_or_else(invalid)?;
            let (micros, days, months) = (bytes.get_i64(), bytes.get_i32(), bytes.get_i32());
            let nanoseconds = micros.checked_mul(1_000).ok_or_else(|| out_of_range("interval"))?;
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano { months, days, nanoseconds }))
        }
        Type::UUID => ScalarValue::Utf8(Some(uuid_text(fixed(bytes).ok_or_else(invalid)?))),
        Type::TIMETZ => {
            let mut bytes: &[u8] = &fixed::<12>(bytes).ok_or_else(invalid)?;
            let (micros, west) = (bytes.get_i64(), bytes.get_i32());
            ScalarValue::Utf8(Some(time_in::timetz_text(
                micros,
                west.checked_neg().ok_or_else(invalid)?.into(),
            )))
        }
        Type::JSONB => {
            // One byte of version before the text.
            let text = bytes.strip_prefix(&[1]).ok_or_else(invalid)?;
            utf8(position, text)?
        }
        Type::JSON => utf8(position, bytes)?,
        _ if is_text(pg_type) => utf8(position, bytes)?,
        _ => {
            let element = element_type(pg_type).ok_or_else(|| not_supported(position, pg_type))?;
            let items = binary_array_items(bytes).ok_or_else(invalid)?;
            let values: PgWireResult<Vec<ScalarValue>> = items
                .into_iter()
                .map(|item| match item {
                    Some(item) => from_binary(position, item, &element),
                    None => null(position, &element),
                })
                .collect();
            list(position, &values?, &element)?
        }
    })
}

fn utf8(position: usize, bytes: &[u8]) -> PgWireResult<ScalarValue> {
    let text = std::str::from_utf8(bytes).map_err(|_| invalid_utf8(position))?;
    Ok(ScalarValue::Utf8(Some(text.to_owned())))
}

fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn binary_timestamp(bytes: &[u8], invalid: impl Fn() -> PgWireError) -> PgWireResult<i64> {
    let micros = i64::from_be_bytes(fixed(bytes).ok_or_else(invalid)?);
    // The infinities, here too.
    if micros == i64::MAX || micros == i64::MIN {
        return Ok(micros);
    }
    micros.checked_add(POSTGRES_EPOCH_US).ok_or_else(|| out_of_range("timestamp"))
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "on" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn integer<T: TryFrom<i128>>(text: &str, pg_type: &Type) -> PgWireResult<T> {
    let value: i128 = text.trim().parse().map_err(|_| invalid_text(pg_type, text))?;
    T::try_from(value).map_err(|_| {
        error(
            sqlstate::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("value \"{text}\" is out of range for type {}", sql_name(pg_type)),
        )
    })
}

fn decimal(value: i128, scale: i8) -> ScalarValue {
    let precision = numeric::precision(value).max(scale.unsigned_abs()).min(numeric::MAX_PRECISION);
    ScalarValue::Decimal128(Some(value), precision, scale)
}

/// `\x0aff` or the escape format with `\\` and `\ooo`.
pub(crate) fn bytea(text: &str) -> Option<Vec<u8>> {
    if let Some(hex) = text.strip_prefix("\\x") {
        let digits: Option<Vec<u8>> = hex
            .bytes()
            .map(|byte| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let digits = digits?;
        if digits.len() % 2 != 0 {
            return None;
        }
        return Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte != b'\\' {
            bytes.push(*byte);
        } else if let Some(tail) = rest.strip_prefix(b"\\") {
            bytes.push(b'\\');
            rest = tail;
        } else {
            let (octal, tail) = rest.split_at_checked(3)?;
            let octal = std::str::from_utf8(octal).ok()?;
            bytes.push(u8::from_str_radix(octal, 8).ok()?);
            rest = tail;
        }
    }
    Some(bytes)
}

fn uuid_text(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

fn list(position: usize, values: &[ScalarValue], element: &Type) -> PgWireResult<ScalarValue> {
    let mut data_type = arrow_type(element).ok_or_else(|| not_supported(position, element))?;
    let mut values = std::borrow::Cow::Borrowed(values);
    if *element == Type::NUMERIC {
        // Items of an array have one scale.
        let scales = values.iter().filter_map(|value| match value {
            ScalarValue::Decimal128(Some(_), _, scale) => Some(*scale),
            _ => None,
        });
        data_type = DataType::Decimal128(numeric::MAX_PRECISION, scales.max().unwrap_or(0));
        let rescaled: Result<Vec<ScalarValue>, _> =
            values.iter().map(|value| value.cast_to(&data_type)).collect();
        values = rescaled.map_err(|_| out_of_range("numeric"))?.into();
    }
    let values = values.as_ref();
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(values, &data_type)))
}

/// The items of a binary array; `None` if it is malformed or has more than one dimension.
fn binary_array_items(mut bytes: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let dimensions = bytes.try_get_i32().ok()?;
    let _has_nulls = bytes.try_get_i32().ok()?;
    let _element_oid = bytes.try_get_u32().ok()?;
    match dimensions {
        0 => return Some(Vec::new()),
        1 => {}
        _ => return None,
    }
    let count = usize::try_from(bytes.try_get_i32().ok()?).ok()?;
    let _lower_bound = bytes.try_get_i32().ok()?;
    // Each item has a length of four bytes, so a false count ends here and not in an allocation.
    if count > bytes.len() / 4 {
        return None;
    }
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        let length = bytes.try_get_i32().ok()?;
        if length < 0 {
            items.push(None);
            continue;
        }
        let (item, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
        items.push(Some(item));
        bytes = rest;
    }
    bytes.is_empty().then_some(items)
}

/// The name of a type in SQL, as PostgreSQL's messages have it.
fn sql_name(pg_type: &Type) -> &str {
    match *pg_type {
        Type::BOOL => "boolean",
        Type::INT2 => "smallint",
        Type::INT4 => "integer",
        Type::INT8 => "bigint",
        Type::FLOAT4 => "real",
        Type::FLOAT8 => "double precision",
        Type::TIMESTAMPTZ => "timestamp with time zone",
        Type::TIMETZ => "time with time zone",
        _ => pg_type.name(),
    }
}

fn invalid_text(pg_type: &Type, text: &str) -> PgWireError {
    let code = match *pg_type {
        Type::DATE | Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::INTERVAL => {
            sqlstate::INVALID_DATETIME_FORMAT
        }
        _ => sqlstate::INVALID_TEXT_REPRESENTATION,
    };
    error(code, format!("invalid input syntax for type {}: \"{text}\"", sql_name(pg_type)))
}

fn wrong_time(wrong: Wrong, pg_type: &Type, text: &str) -> PgWireError {
    user_error(text_in::wrong(wrong, sql_name(pg_type), text).info())
}

fn invalid_binary(position: usize, pg_type: &Type) -> PgWireError {
    error(
        sqlstate::INVALID_BINARY_REPRESENTATION,
        format!("incorrect binary data format in bind parameter {position} of type {}", sql_name(pg_type)),
    )
}

fn invalid_utf8(position: usize) -> PgWireError {
    error(
        sqlstate::CHARACTER_NOT_IN_REPERTOIRE,
        format!("invalid byte sequence for encoding \"UTF8\" in bind parameter {position}"),
    )
}

fn out_of_range(what: &str) -> PgWireError {
    error(sqlstate::DATETIME_FIELD_OVERFLOW, format!("{what} out of range"))
}

fn not_supported(position: usize, pg_type: &Type) -> PgWireError {
    error(
        sqlstate::FEATURE_NOT_SUPPORTED,
        format!("bind parameter {position} has type {}, which is not supported", pg_type.name()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str, pg_type: &Type) -> PgWireResult<ScalarValue> {
        let bytes = Bytes::copy_from_slice(value.as_bytes());
        decode(1, Some(&bytes), FieldFormat::Text, pg_type, "Europe/Berlin")
    }

    fn binary(bytes: &[u8], pg_type: &Type) -> PgWireResult<ScalarValue> {
        let bytes = Bytes::copy_from_slice(bytes);
        decode(1, Some(&bytes), FieldFormat::Binary, pg_type, "UTC")
    }

    fn code(result: PgWireResult<ScalarValue>) -> String {
        match result.unwrap_err() {
            PgWireError::UserError(info) => info.code,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn text_values() {
        assert_eq!(text(" 42 ", &Type::INT4).unwrap(), ScalarValue::Int32(Some(42)));
        assert_eq!(text("yes", &Type::BOOL).unwrap(), ScalarValue::Boolean(Some(true)));
        assert_eq!(text("-12.50", &Type::NUMERIC).unwrap(), ScalarValue::Decimal128(Some(-1250), 4, 2));
        assert_eq!(text("0.001", &Type::NUMERIC).unwrap(), ScalarValue::Decimal128(Some(1), 3, 3));
        assert_eq!(text("1970-01-03", &Type::DATE).unwrap(), ScalarValue::Date32(Some(2)));
        assert_eq!(text("\\x0aFF", &Type::BYTEA).unwrap(), ScalarValue::Binary(Some(vec![10, 255])));
        assert_eq!(
            text("a\\\\\\001", &Type::BYTEA).unwrap(),
            ScalarValue::Binary(Some(vec![b'a', b'\\', 1]))
        );
    }

    #[test]
    fn timestamps_without_offset_are_in_the_session_zone() {
        let micros = |value: ScalarValue| match value {
            ScalarValue::TimestampMicrosecond(Some(micros), _) => micros / 1_000_000,
            other => panic!("{other}"),
        };
        let at = |value: &str, pg_type: &Type| micros(text(value, pg_type).unwrap());
        assert_eq!(at("1970-01-01 02:00:00", &Type::TIMESTAMPTZ), 3_600);
        assert_eq!(at("1970-01-01 02:00:00+00", &Type::TIMESTAMPTZ), 7_200);
        assert_eq!(at("1970-01-01T02:00:00Z", &Type::TIMESTAMPTZ), 7_200);
        assert_eq!(at("1970-01-01 02:00:00", &Type::TIMESTAMP), 7_200);
        assert_eq!(at("1970-01-01 02:00:00.5+05:30", &Type::TIMESTAMP), 7_200);
        assert_eq!(at("1970-01-02", &Type::TIMESTAMP), 86_400);
    }

    #[test]
    fn binary_values() {
        assert_eq!(binary(&[0, 0, 0, 7], &Type::INT4).unwrap(), ScalarValue::Int32(Some(7)));
        assert_eq!(
            binary(&[0; 8], &Type::TIMESTAMP).unwrap(),
            ScalarValue::TimestampMicrosecond(Some(POSTGRES_EPOCH_US), None)
        );
        assert_eq!(binary(&[0; 4], &Type::DATE).unwrap(), ScalarValue::Date32(Some(10_957)));
        assert_eq!(
            binary(&[0x11; 16], &Type::UUID).unwrap(),
            ScalarValue::Utf8(Some("11111111-1111-1111-1111-111111111111".to_owned()))
        );
        assert_eq!(binary(b"\x01{}", &Type::JSONB).unwrap(), ScalarValue::Utf8(Some("{}".to_owned())));
    }

    #[test]
    fn arrays_in_both_forms() {
        let expected = ScalarValue::List(ScalarValue::new_list_nullable(
            &[ScalarValue::Int64(Some(1)), ScalarValue::Int64(None)],
            &DataType::Int64,
        ));
        assert_eq!(text("{1,NULL}", &Type::INT8_ARRAY).unwrap(), expected);
        let bytes = [
            0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 20, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1,
            0xff, 0xff, 0xff, 0xff,
        ];
        assert_eq!(binary(&bytes, &Type::INT8_ARRAY).unwrap(), expected);
        // A count that no message could hold.
        let mut false_count = bytes;
        false_count[12] = 0x7f;
        assert_eq!(code(binary(&false_count, &Type::INT8_ARRAY)), "22P03");
    }

    #[test]
    fn wrong_values_have_their_codes() {
        assert_eq!(code(text("abc", &Type::INT8)), "22P02");
        assert_eq!(code(text("99999999999", &Type::INT4)), "22003");
        assert_eq!(code(text("2024-13-01", &Type::DATE)), "22008");
        assert_eq!(code(text("soon", &Type::DATE)), "22007");
        assert_eq!(code(binary(&[1, 2], &Type::INT8)), "22P03");
        assert_eq!(code(binary(&[0xff], &Type::TEXT)), "22021");
        assert_eq!(code(binary(&[1], &Type::POINT)), "0A000");
        assert_eq!(
            binary(&i64::MAX.to_be_bytes(), &Type::TIMESTAMPTZ).unwrap(),
            ScalarValue::TimestampMicrosecond(Some(i64::MAX), Some(UTC.into()))
        );
    }

    #[test]
    fn nulls_keep_their_type() {
        let null = decode(1, None, FieldFormat::Text, &Type::INT8, "UTC").unwrap();
        assert_eq!(null, ScalarValue::Int64(None));
    }
}
