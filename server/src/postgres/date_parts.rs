//! `extract(field FROM x)`, which is `numeric`, and `date_part('field', x)`, which is `double precision`, of times,
//! dates and intervals. The engine's own gives whole numbers, cuts fractions of seconds, and knows no time zone: instants
//! have the parts of the session's zone.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array};
use arrow::compute::{DatePart, cast, date_part};
use arrow::datatypes::{
    DataType, Date32Type, DurationMicrosecondType, Field, FieldRef, Int32Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::datetime;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::intervals::local_times;
use super::timezone::{offset_of_instant, zone_named};
use crate::error::{SqlError, sqlstate};

/// What `extract` becomes: `(field, x)`.
pub(crate) const EXTRACT: &str = "extract";
const DIGITS: u8 = 20;
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

pub(super) fn all() -> Vec<ScalarUDF> {
    let function = |name, aliases: &[&str], exact| {
        let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        let signature = Signature::any(2, Volatility::Stable);
        ScalarUDF::from(Parts { name, aliases, exact, signature })
    };
    vec![function(EXTRACT, &[], true), function("date_part", &["datepart"], false)]
}

/// The fields, by the names that PostgreSQL has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Of(DatePart),
    Century,
    Decade,
    Millennium,
    Second,
    Millisecond,
    Microsecond,
    Epoch,
    Zone { seconds_in_one: i64 },
}

impl Part {
    fn named(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "year" | "years" | "y" => Self::Of(DatePart::Year),
            "month" | "months" | "mon" | "mons" => Self::Of(DatePart::Month),
            "week" | "weeks" | "w" => Self::Of(DatePart::Week),
            "day" | "days" | "d" => Self::Of(DatePart::Day),
            "hour" | "hours" | "h" => Self::Of(DatePart::Hour),
            "minute" | "minutes" | "min" | "mins" | "m" => Self::Of(DatePart::Minute),
            "quarter" | "qtr" => Self::Of(DatePart::Quarter),
            "isoyear" => Self::Of(DatePart::YearISO),
            "doy" => Self::Of(DatePart::DayOfYear),
            "dow" => Self::Of(DatePart::DayOfWeekSunday0),
            "isodow" => Self::Of(DatePart::DayOfWeekMonday1),
            "century" | "centuries" | "c" => Self::Century,
            "decade" | "decades" | "dec" | "decs" => Self::Decade,
            "millennium" | "millennia" | "mil" | "mils" => Self::Millennium,
            "second" | "seconds" | "sec" | "secs" | "s" => Self::Second,
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => Self::Millisecond,
            "microsecond" | "microseconds" | "us" | "usec" | "usecs" => Self::Microsecond,
            "epoch" => Self::Epoch,
            "timezone" => Self::Zone { seconds_in_one: 1 },
            "timezone_hour" => Self::Zone { seconds_in_one: 3_600 },
            "timezone_minute" => Self::Zone { seconds_in_one: 60 },
            _ => return None,
        })
    }

    /// Digits behind the point of `extract`.
    fn scale(self, of: &DataType) -> i8 {
        match self {
            Self::Epoch if matches!(of, DataType::Date32 | DataType::Date64) => 0,
            Self::Epoch | Self::Second => 6,
            Self::Millisecond => 3,
            _ => 0,
        }
    }

    /// The part in units of its scale, from microseconds of a minute or of all.
    fn of_seconds(self, micros: i64) -> i64 {
        micros % (60 * SECOND)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Parts {
    name: &'static str,
    aliases: Vec<String>,
    /// `numeric`, not `double precision`.
    exact: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Parts {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(if self.exact { DataType::Decimal128(DIGITS, 0) } else { DataType::Float64 })
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let data_type = match self.exact {
            true => {
                let part = part_of(arguments.scalar_arguments.first().copied().flatten())?;
                let of = arguments.arg_fields.get(1).map_or(&DataType::Null, |field| field.data_type());
                DataType::Decimal128(DIGITS, part.scale(of))
            }
            false => DataType::Float64,
        };
        Ok(Arc::new(Field::new(self.name, data_type, true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let part = match &arguments.args[0] {
            ColumnarValue::Scalar(name) => part_of(Some(name))?,
            ColumnarValue::Array(_) => part_of(None)?,
        };
        let zone = arguments.config_options.execution.time_zone.as_deref().unwrap_or("UTC");
        let (values, is_scalar) = match &arguments.args[1] {
            ColumnarValue::Scalar(value) => (value.to_array()?, true),
            ColumnarValue::Array(values) => (Arc::clone(values), false),
        };
        let scale = part.scale(values.data_type());
        let units = units(part, &values, zone)?;
        let array: ArrayRef = if self.exact {
            let units: Decimal128Array = units.into_iter().map(|one| one.map(i128::from)).collect();
            Arc::new(units.with_precision_and_scale(DIGITS, scale)?)
        } else {
            let one = 10_f64.powi(i32::from(scale));
            let values: Float64Array =
                units.into_iter().map(|unit| unit.map(|unit| unit as f64 / one)).collect();
            Arc::new(values)
        };
        if is_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }

    /// A year is a range of times, by which files are left out.
    fn preimage(&self, arguments: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        let Some(Expr::Literal(name, _)) = arguments.first() else { return Ok(PreimageResult::None) };
        let zone = info.config_options().execution.time_zone.as_deref().unwrap_or("UTC");
        let is_zoned = arguments.get(1).is_some_and(|of| {
            !matches!(info.get_data_type(of), Ok(DataType::Date32 | DataType::Timestamp(_, None)))
        });
        if part_of(Some(name))? != Part::Of(DatePart::Year) || (is_zoned && !is_utc(zone)) {
            return Ok(PreimageResult::None);
        }
        let Expr::Literal(value, _) = literal else { return Ok(PreimageResult::None) };
        let Ok(year) = value.cast_to(&DataType::Int32) else { return Ok(PreimageResult::None) };
        // Half a year is none.
        if year.cast_to(&value.data_type())? != *value {
            return Ok(PreimageResult::None);
        }
        let arguments = [Expr::Literal(ScalarValue::from("year"), None), arguments[1].clone()];
        datetime::date_part().preimage(&arguments, &Expr::Literal(year, None), info)
    }
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Etc/UTC" | "GMT" | "+00:00" | "Z")
}

fn part_of(name: Option<&ScalarValue>) -> Result<Part> {
    let Some(name) = name.and_then(ScalarValue::try_as_str).flatten() else {
        let message = "the field of date_part must be a literal, like 'hour'";
        return Err(SqlError::new(sqlstate::FEATURE_NOT_SUPPORTED, message).into());
    };
    Part::named(name).ok_or_else(|| {
        SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, format!("unit \"{name}\" not recognized")).into()
    })
}

fn not_supported(part: Part, of: &DataType) -> SqlError {
    let kind = match of {
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time without time zone",
        DataType::Interval(_) | DataType::Duration(_) => "interval",
        DataType::Timestamp(_, None) => "timestamp without time zone",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        _ => {
            let message = "function date_part does not exist for these arguments: cast them";
            return SqlError::new(sqlstate::UNDEFINED_FUNCTION, message);
        }
    };
    let unit = format!("{part:?}").to_lowercase();
    let message = format!("unit \"{unit}\" not supported for type {kind}");
    SqlError::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
}

/// The part of each value, in units of its scale.
fn units(part: Part, values: &ArrayRef, zone: &str) -> Result<Vec<Option<i64>>> {
    match values.data_type() {
        DataType::Null => Ok(vec![None; values.len()]),
        DataType::Date32 | DataType::Date64 => {
            let days = cast(values, &DataType::Date32)?;
            let of_time = [Part::Second, Part::Millisecond, Part::Microsecond];
            let has_clock = matches!(part, Part::Of(DatePart::Hour | DatePart::Minute) | Part::Zone { .. });
            if has_clock || of_time.contains(&part) {
                return Err(not_supported(part, values.data_type()).into());
            }
            if part == Part::Epoch {
                let days = days.as_primitive::<Date32Type>();
                return Ok(days.iter().map(|day| day.map(|day| i64::from(day) * 86_400)).collect());
            }
            of_times(part, &days, None)
        }
        DataType::Timestamp(_, tz) => {
            let zoned = tz.is_some();
            let instants = cast(values, &DataType::Timestamp(TimeUnit::Microsecond, tz.clone()))?;
            if part == Part::Epoch {
                let instants = instants.as_primitive::<TimestampMicrosecondType>();
                return Ok(instants.iter().collect());
            }
            if let Part::Zone { seconds_in_one } = part {
                if !zoned {
                    return Err(not_supported(part, values.data_type()).into());
                }
                let zone = zone_named(zone)?;
                let instants = instants.as_primitive::<TimestampMicrosecondType>();
                return instants
                    .iter()
                    .map(|instant| instant.map(|instant| offset_of_instant(instant, zone)).transpose())
                    .map(|offset| {
                        Ok(offset?.map(|offset| match seconds_in_one {
                            60 => offset / 60 % 60,
                            one => offset / one,
                        }))
                    })
                    .collect();
            }
            let local = local_times(&instants, zone_named(zone)?)?;
            let micros = local.clone();
            let local: ArrayRef = Arc::new(local);
            of_times(part, &local, Some(&micros.iter().collect::<Vec<_>>()))
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            let times = cast(values, &DataType::Time64(TimeUnit::Microsecond))?;
            let times = times.as_primitive::<Time64MicrosecondType>();
            times.iter().map(|time| time.map(|micros| of_clock(part, micros, values)).transpose()).collect()
        }
        DataType::Duration(_) => {
            let lengths = cast(values, &DataType::Duration(TimeUnit::Microsecond))?;
            let lengths = lengths.as_primitive::<DurationMicrosecondType>();
            let part_of = |micros: i64| {
                let days = i32::try_from(micros / DAY).unwrap_or(i32::MAX);
                of_interval(part, IntervalMonthDayNano::new(0, days, micros % DAY * 1_000), values)
            };
            lengths.iter().map(|length| length.map(part_of).transpose()).collect()
        }
        DataType::Interval(_) => {
            let intervals = cast(values, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
            intervals
                .iter()
                .map(|interval| interval.map(|interval| of_interval(part, interval, values)).transpose())
                .collect()
        }
        other => Err(not_supported(part, other).into()),
    }
}

/// Parts of dates, and of local times whose microseconds are `micros`.
fn of_times(part: Part, times: &ArrayRef, micros: Option<&[Option<i64>]>) -> Result<Vec<Option<i64>>> {
    if let Part::Second | Part::Millisecond | Part::Microsecond = part {
        let micros = micros.unwrap_or_default();
        return Ok(micros.iter().map(|one| one.map(|one| part.of_seconds(one.rem_euclid(DAY)))).collect());
    }
    let (field, change): (DatePart, fn(i64) -> i64) = match part {
        Part::Of(field) => (field, |value| value),
        Part::Century => (DatePart::Year, |year| periods(year, 100)),
        Part::Millennium => (DatePart::Year, |year| periods(year, 1_000)),
        _ => (DatePart::Year, |year| year.div_euclid(10)),
    };
    let values = date_part(times, field)?;
    Ok(values
        .as_primitive::<Int32Type>()
        .iter()
        .map(|value| value.map(|value| change(value.into())))
        .collect())
}

/// The number of the century or the like: the first begins with the year 1.
fn periods(year: i64, length: i64) -> i64 {
    if year > 0 { (year + length - 1) / length } else { -((length - year) / length) }
}

fn of_clock(part: Part, micros: i64, values: &ArrayRef) -> Result<i64> {
    Ok(match part {
        Part::Of(DatePart::Hour) => micros / (3_600 * SECOND),
        Part::Of(DatePart::Minute) => micros / (60 * SECOND) % 60,
        Part::Epoch => micros,
        Part::Second | Part::Millisecond | Part::Microsecond => part.of_seconds(micros),
        other => return Err(not_supported(other, values.data_type()).into()),
    })
}

fn of_interval(part: Part, interval: IntervalMonthDayNano, values: &ArrayRef) -> Result<i64> {
    let (months, days) = (i64::from(interval.months), i64::from(interval.days));
    let micros = interval.nanoseconds / 1_000;
    Ok(match part {
        Part::Of(DatePart::Year) => months / 12,
        Part::Of(DatePart::Month) => months % 12,
        Part::Of(DatePart::Quarter) => months % 12 / 3 + 1,
        Part::Of(DatePart::Day) => days,
        Part::Decade => months / 120,
        Part::Century => months / 1_200,
        Part::Millennium => months / 12_000,
        Part::Of(DatePart::Hour) => micros / (3_600 * SECOND),
        // A year is 365 1/4 days, a month 30.
        Part::Epoch => {
            let quarters = months / 12 * 1_461;
            let seconds = quarters * 21_600 + (months % 12 * 30 + days) * 86_400;
            seconds
                .checked_mul(SECOND)
                .and_then(|seconds| seconds.checked_add(micros))
                .ok_or_else(|| SqlError::new(sqlstate::DATETIME_FIELD_OVERFLOW, "interval out of range"))?
        }
        other => return of_clock(other, micros, values),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::{interval_in, time_in};

    fn of(part: &str, values: &ArrayRef, zone: &str) -> Option<i64> {
        units(Part::named(part).unwrap(), values, zone).unwrap()[0]
    }

    fn instant(text: &str) -> ArrayRef {
        let micros = time_in::timestamp(text).unwrap();
        ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())).to_array().unwrap()
    }

    fn interval(text: &str) -> ArrayRef {
        ScalarValue::IntervalMonthDayNano(Some(interval_in::interval(text).unwrap())).to_array().unwrap()
    }

    // What PostgreSQL 15 answers, in units of the last digit.
    #[test]
    fn parts_of_instants_are_those_of_the_zone() {
        let time = || instant("2026-03-29 23:30:05.25");
        for (part, zone, expected) in [
            ("hour", "UTC", 23),
            ("hour", "Europe/Berlin", 1),
            ("day", "Europe/Berlin", 30),
            ("timezone", "Europe/Berlin", 7_200),
            ("timezone_minute", "Asia/Kolkata", 30),
            ("second", "Europe/Berlin", 5_250_000),
            ("milliseconds", "UTC", 5_250_000),
            ("epoch", "Europe/Berlin", 1_774_827_005_250_000),
            ("century", "UTC", 21),
            ("decade", "UTC", 202),
            ("isodow", "UTC", 7),
            ("dow", "UTC", 0),
        ] {
            assert_eq!(of(part, &time(), zone), Some(expected), "{part} {zone}");
        }
        assert_eq!(of("second", &instant("1969-12-31 23:59:59.5"), "UTC"), Some(59_500_000));
        assert_eq!(of("century", &instant("2000-01-01"), "UTC"), Some(20));
    }

    #[test]
    fn parts_of_intervals() {
        for (part, value, expected) in [
            ("epoch", "1 year 1 mon 1 day 00:00:01.5", 34_236_001_500_000),
            ("hour", "1 day 30:10:05", 30),
            ("day", "1 day 30:10:05", 1),
            ("year", "25 months", 2),
            ("month", "25 months", 1),
            ("quarter", "4 months", 2),
            ("second", "-00:00:01.5", -1_500_000),
        ] {
            assert_eq!(of(part, &interval(value), "UTC"), Some(expected), "{part} {value}");
        }
        let week = units(Part::Of(DatePart::Week), &interval("1 day"), "UTC");
        assert!(week.unwrap_err().to_string().contains("not supported for type interval"));
    }
}
