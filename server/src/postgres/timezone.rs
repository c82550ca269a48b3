//! `timezone(zone, time)`, which `time AT TIME ZONE zone` means: an instant becomes the local time of the zone, and a
//! local time of the zone becomes an instant. Times that a zone skips are read with the offset before the gap, times
//! that it has twice are the later of both, as in PostgreSQL.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, Offset, TimeZone};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::catalog::row_function::text_of;
use crate::error::{SqlError, sqlstate};

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Timezone { signature: Signature::any(2, Volatility::Stable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Timezone {
    signature: Signature,
}

fn micros(zone: Option<Arc<str>>) -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, zone)
}

impl ScalarUDFImpl for Timezone {
    fn name(&self) -> &str {
        "timezone"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match &arguments[1] {
            DataType::Timestamp(_, Some(_)) => Ok(micros(None)),
            DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64 => {
                Ok(micros(Some("UTC".into())))
            }
            // A literal is an instant.
            other if other.is_string() || other.is_null() => Ok(micros(None)),
            _ => Err(SqlError::new(
                sqlstate::UNDEFINED_FUNCTION,
                "AT TIME ZONE takes a timestamp: cast to timestamp or timestamp with time zone",
            )
            .into()),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let to_local = matches!(arguments.return_field.data_type(), DataType::Timestamp(_, None));
        let zones = &arguments.args[0];
        let times = arguments.args[1].to_array(arguments.number_rows)?;
        let source = micros(to_local.then(|| "UTC".into()));
        let times = cast(&times, &source)?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let one_zone = match zones {
            ColumnarValue::Scalar(zone) => text_of(zone).map(zone_named).transpose()?,
            ColumnarValue::Array(_) => None,
        };
        let zone_texts = match zones {
            ColumnarValue::Array(zones) => Some(cast(zones, &DataType::Utf8)?),
            ColumnarValue::Scalar(_) => None,
        };
        let mut values = Vec::with_capacity(times.len());
        for row in 0..times.len() {
            let zone = match &zone_texts {
                Some(texts) if texts.is_valid(row) => Some(zone_named(texts.as_string::<i32>().value(row))?),
                Some(_) => None,
                None => one_zone,
            };
            values.push(match zone {
                Some(zone) if times.is_valid(row) => Some(converted(times.value(row), zone, to_local)?),
                _ => None,
            });
        }
        let array = TimestampMicrosecondArray::from(values);
        let array: arrow::array::ArrayRef = match to_local {
            true => Arc::new(array),
            false => Arc::new(array.with_timezone("UTC")),
        };
        if matches!(arguments.args.as_slice(), [ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)])
            && array.len() == 1
        {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

pub(super) fn zone_named(name: &str) -> Result<Tz> {
    Tz::from_str(name).map_err(|_| {
        let message = format!("time zone \"{name}\" not recognized");
        SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, message).into()
    })
}

fn converted(micros: i64, zone: Tz, to_local: bool) -> Result<i64> {
    let out_of_range = || SqlError::new(sqlstate::DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    let time = DateTime::from_timestamp_micros(micros).ok_or_else(out_of_range)?.naive_utc();
    let seconds = match to_local {
        true => i64::from(zone.offset_from_utc_datetime(&time).fix().local_minus_utc()),
        false => -offset_of_local(time, zone),
    };
    micros.checked_add(seconds * 1_000_000).ok_or_else(|| out_of_range().into())
}

/// Seconds east of UTC at the instant `micros`, in microseconds since 1970.
pub(super) fn offset_of_instant(micros: i64, zone: Tz) -> Result<i64> {
    Ok((converted(micros, zone, true)? - micros) / 1_000_000)
}

/// Seconds east of UTC at the local time `time`.
pub(super) fn offset_of_local(time: NaiveDateTime, zone: Tz) -> i64 {
    let seconds = match zone.offset_from_local_datetime(&time) {
        LocalResult::Single(offset) => offset.fix().local_minus_utc(),
        // Of the two instants the later one has the smaller offset.
        LocalResult::Ambiguous(a, b) => a.fix().local_minus_utc().min(b.fix().local_minus_utc()),
        LocalResult::None => {
            let before = time - Duration::days(1);
            zone.offset_from_utc_datetime(&before).fix().local_minus_utc()
        }
    };
    i64::from(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc().timestamp_micros()
    }

    #[test]
    fn both_ways_and_over_changes_of_the_clock() {
        let berlin = Tz::from_str("Europe/Berlin").unwrap();
        for (from, to_local, to) in [
            ("2026-01-01 12:00", true, "2026-01-01 13:00"),
            ("2026-07-01 12:00", false, "2026-07-01 10:00"),
            // Skipped by the zone, and there twice.
            ("2026-03-29 02:30", false, "2026-03-29 01:30"),
            ("2026-10-25 02:30", false, "2026-10-25 01:30"),
        ] {
            assert_eq!(converted(at(from), berlin, to_local).unwrap(), at(to), "{from}");
        }
        assert!(zone_named("Nowhere/City").is_err());
    }
}
