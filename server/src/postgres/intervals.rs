//! Intervals: `age`, `justify_days` and its like, `make_interval`, and intervals times and divided by numbers.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, IntervalMonthDayNanoArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
    TimestampMicrosecondType,
};
use chrono::{DateTime, Datelike, Months, NaiveDateTime, NaiveTime, Offset, TimeZone};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use crate::catalog::row_function::{RowFunction, integer_of, returns};
use crate::error::{SqlError, sqlstate};

const DAY: i64 = 86_400_000_000;
const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
/// Names of the functions behind `*` and `/`.
pub(super) const TIMES: &str = "pg_interval_times";
pub(super) const DIVIDED: &str = "pg_interval_divided";

pub(super) fn all() -> Vec<ScalarUDF> {
    let interval = |name, kind, counts: &[usize], volatility| {
        let counts = counts.iter().map(|count| TypeSignature::Any(*count)).collect();
        ScalarUDF::from(Intervals { name, kind, signature: Signature::one_of(counts, volatility) })
    };
    vec![
        interval("age", Kind::Age, &[1, 2], Volatility::Stable),
        interval("justify_days", Kind::JustifyDays, &[1], Volatility::Immutable),
        interval("justify_hours", Kind::JustifyHours, &[1], Volatility::Immutable),
        interval("justify_interval", Kind::Justify, &[1], Volatility::Immutable),
        interval(TIMES, Kind::Times, &[2], Volatility::Immutable),
        interval(DIVIDED, Kind::Divided, &[2], Volatility::Immutable),
        RowFunction::udf(
            "make_interval",
            &[0, 1, 2, 3, 4, 5, 6, 7],
            returns(INTERVAL),
            Volatility::Immutable,
            make,
        ),
    ]
}

/// The names of the arguments of `make_interval`, in their order.
pub(crate) const MAKE_INTERVAL: [&str; 7] = ["years", "months", "weeks", "days", "hours", "mins", "secs"];

fn make(arguments: &[ScalarValue]) -> Result<ScalarValue> {
    let mut parts = [0_i64; 6];
    let mut micros = 0;
    for (index, argument) in arguments.iter().enumerate() {
        if argument.is_null() {
            return Ok(ScalarValue::Null);
        }
        match parts.get_mut(index) {
            Some(part) => *part = integer_of(argument).ok_or_else(out_of_range)?,
            None => {
                let ScalarValue::Float64(Some(seconds)) = argument.cast_to(&DataType::Float64)? else {
                    return Ok(ScalarValue::Null);
                };
                micros = to_micros(seconds * 1e6)?;
            }
        }
    }
    let [years, months, weeks, days, hours, minutes] = parts;
    let sum = |a: i64, factor: i64, b: i64| {
        a.checked_mul(factor).and_then(|a| a.checked_add(b)).ok_or_else(out_of_range)
    };
    let time = sum(hours, 3_600_000_000, sum(minutes, 60_000_000, micros)?)?;
    let made = interval(sum(years, 12, months)?, sum(weeks, 7, days)?, time)?;
    Ok(ScalarValue::IntervalMonthDayNano(Some(made)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// Years, months, days between two times; or up to the midnight of today.
    Age,
    /// 30 days are a month.
    JustifyDays,
    /// 24 hours are a day.
    JustifyHours,
    /// Both, and one sign for all parts.
    Justify,
    Times,
    Divided,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Intervals {
    name: &'static str,
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Intervals {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let fits = match self.kind {
            Kind::Age => arguments.iter().all(|one| {
                one.is_null() || matches!(one, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
            }),
            Kind::Times | Kind::Divided => true,
            _ => arguments
                .iter()
                .all(|one| one.is_null() || matches!(one, DataType::Interval(_) | DataType::Duration(_))),
        };
        if fits {
            return Ok(INTERVAL);
        }
        let message = format!("function {} does not exist for these arguments: cast them", self.name);
        Err(SqlError::new(sqlstate::UNDEFINED_FUNCTION, message).into())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalars = arguments.args.iter().all(|one| matches!(one, ColumnarValue::Scalar(_)));
        let rows = if scalars { 1 } else { arguments.number_rows };
        let zone = arguments.config_options.execution.time_zone.as_deref().unwrap_or("UTC");
        let zone = super::timezone::zone_named(zone)?;
        let arrays: Result<Vec<ArrayRef>> = arguments.args.iter().map(|one| one.to_array(rows)).collect();
        let array = self.computed(&arrays?, zone)?;
        if scalars {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(array)))
    }
}

impl Intervals {
    fn computed(&self, arrays: &[ArrayRef], zone: Tz) -> Result<IntervalMonthDayNanoArray> {
        match (self.kind, arrays) {
            (Kind::Age, [one]) => {
                let now = chrono::Utc::now().with_timezone(&zone).date_naive().and_time(NaiveTime::MIN);
                let times = local_times(one, zone)?;
                collect(times.iter().map(|time| time.map(|time| age(now, at(time)?)).transpose()))
            }
            (Kind::Age, [to, from, ..]) => {
                let (to, from) = (local_times(to, zone)?, local_times(from, zone)?);
                collect(to.iter().zip(&from).map(|(to, from)| match (to, from) {
                    (Some(to), Some(from)) => age(at(to)?, at(from)?).map(Some),
                    _ => Ok(None),
                }))
            }
            (Kind::Times | Kind::Divided, [intervals, numbers, ..]) => {
                let intervals = as_intervals(intervals)?;
                let numbers = cast(numbers, &DataType::Float64)?;
                let numbers: &Float64Array = numbers.as_primitive::<Float64Type>();
                collect(intervals.iter().zip(numbers).map(|(interval, number)| match (interval, number) {
                    (Some(interval), Some(number)) => {
                        scaled(interval, number, self.kind == Kind::Divided).map(Some)
                    }
                    _ => Ok(None),
                }))
            }
            (kind, [one, ..]) => {
                let intervals = as_intervals(one)?;
                collect(intervals.iter().map(|value| value.map(|value| justified(value, kind)).transpose()))
            }
            (_, []) => collect(std::iter::empty()),
        }
    }
}

fn collect(
    values: impl Iterator<Item = Result<Option<IntervalMonthDayNano>>>,
) -> Result<IntervalMonthDayNanoArray> {
    values.collect()
}

fn as_intervals(array: &ArrayRef) -> Result<IntervalMonthDayNanoArray> {
    Ok(cast(array, &INTERVAL)?.as_primitive::<IntervalMonthDayNanoType>().clone())
}

/// Microseconds of local time: instants are those of `zone`.
pub(super) fn local_times(array: &ArrayRef, zone: Tz) -> Result<TimestampMicrosecondArray> {
    let has_zone = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
    let target = DataType::Timestamp(TimeUnit::Microsecond, has_zone.then(|| "UTC".into()));
    let times = cast(array, &target)?;
    let times = times.as_primitive::<TimestampMicrosecondType>();
    if !has_zone {
        return Ok(times.clone());
    }
    let local = |micros: i64| -> Result<i64> {
        let utc = at(micros)?;
        Ok(micros + i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()) * 1_000_000)
    };
    let values: Result<Vec<Option<i64>>> = times.iter().map(|time| time.map(local).transpose()).collect();
    Ok(TimestampMicrosecondArray::from(values?))
}

fn at(micros: i64) -> Result<NaiveDateTime> {
    Ok(DateTime::from_timestamp_micros(micros).ok_or_else(out_of_range)?.naive_utc())
}

/// As PostgreSQL counts: fields are subtracted, and borrow from the month of the earlier time.
fn age(to: NaiveDateTime, from: NaiveDateTime) -> Result<IntervalMonthDayNano> {
    let (late, early, sign) = if to >= from { (to, from, 1) } else { (from, to, -1) };
    let month = |time: &NaiveDateTime| i64::from(time.year()) * 12 + i64::from(time.month0());
    let clock = |time: &NaiveDateTime| {
        time.time().signed_duration_since(NaiveTime::MIN).num_microseconds().unwrap_or_default()
    };
    let mut months = month(&late) - month(&early);
    let mut days = i64::from(late.day()) - i64::from(early.day());
    let mut micros = clock(&late) - clock(&early);
    if micros < 0 {
        micros += DAY;
        days -= 1;
    }
    if days < 0 {
        months -= 1;
        days += days_of_month(&early)?;
    }
    interval(sign * months, sign * days, sign * micros)
}

fn days_of_month(time: &NaiveDateTime) -> Result<i64> {
    let first = time.date().with_day(1).ok_or_else(out_of_range)?;
    let next = first.checked_add_months(Months::new(1)).ok_or_else(out_of_range)?;
    Ok(next.signed_duration_since(first).num_days())
}

fn justified(value: IntervalMonthDayNano, kind: Kind) -> Result<IntervalMonthDayNano> {
    let (mut months, mut days) = (i64::from(value.months), i64::from(value.days));
    let mut micros = value.nanoseconds / 1_000;
    let carry_days = |micros: &mut i64, days: &mut i64| {
        *days += *micros / DAY;
        *micros %= DAY;
    };
    match kind {
        Kind::JustifyHours => {
            carry_days(&mut micros, &mut days);
            if days > 0 && micros < 0 {
                micros += DAY;
                days -= 1;
            } else if days < 0 && micros > 0 {
                micros -= DAY;
                days += 1;
            }
        }
        Kind::JustifyDays => {
            months += days / 30;
            days %= 30;
            if months > 0 && days < 0 {
                days += 30;
                months -= 1;
            } else if months < 0 && days > 0 {
                days -= 30;
                months += 1;
            }
        }
        _ => {
            carry_days(&mut micros, &mut days);
            months += days / 30;
            days %= 30;
            if months > 0 && (days < 0 || (days == 0 && micros < 0)) {
                days += 30;
                months -= 1;
            } else if months < 0 && (days > 0 || (days == 0 && micros > 0)) {
                days -= 30;
                months += 1;
            }
            if days > 0 && micros < 0 {
                micros += DAY;
                days -= 1;
            } else if days < 0 && micros > 0 {
                micros -= DAY;
                days += 1;
            }
        }
    }
    interval(months, days, micros)
}

/// Fractions of months become days and those of days time, with PostgreSQL's rounding.
pub(super) fn scaled(
    value: IntervalMonthDayNano,
    number: f64,
    divides: bool,
) -> Result<IntervalMonthDayNano> {
    if divides && number == 0.0 {
        return Err(SqlError::new(sqlstate::DIVISION_BY_ZERO, "division by zero").into());
    }
    let apply = |part: f64| if divides { part / number } else { part * number };
    let months = apply(f64::from(value.months));
    let days = apply(f64::from(value.days));
    if !months.is_finite() || !days.is_finite() {
        return Err(out_of_range().into());
    }
    let month_days = to_six_digits((months - months.trunc()) * 30.0);
    let mut rest = to_six_digits(days - days.trunc() + month_days - month_days.trunc());
    rest = to_six_digits(rest * 86_400.0);
    let mut whole_days = days.trunc() + month_days.trunc();
    if rest.abs() >= 86_400.0 {
        whole_days += (rest / 86_400.0).trunc();
        rest -= (rest / 86_400.0).trunc() * 86_400.0;
    }
    let time = to_micros(apply((value.nanoseconds / 1_000) as f64) + rest * 1e6)?;
    interval(to_whole(months)?, to_whole(whole_days)?, time)
}

fn to_six_digits(value: f64) -> f64 {
    (value * 1e6).round_ties_even() / 1e6
}

fn to_whole(value: f64) -> Result<i64> {
    if value.abs() < 3e9 { Ok(value.trunc() as i64) } else { Err(out_of_range().into()) }
}

fn to_micros(value: f64) -> Result<i64> {
    if value.abs() < 9e15 { Ok(value.round_ties_even() as i64) } else { Err(out_of_range().into()) }
}

fn interval(months: i64, days: i64, micros: i64) -> Result<IntervalMonthDayNano> {
    let small = |value: i64| i32::try_from(value).map_err(|_| out_of_range());
    let nanos = micros.checked_mul(1_000).ok_or_else(out_of_range)?;
    Ok(IntervalMonthDayNano::new(small(months)?, small(days)?, nanos))
}

fn out_of_range() -> SqlError {
    SqlError::new(sqlstate::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::{interval_in, time_in};

    fn read(text: &str) -> IntervalMonthDayNano {
        interval_in::interval(text).unwrap()
    }

    fn time(text: &str) -> NaiveDateTime {
        at(time_in::timestamp(text).unwrap()).unwrap()
    }

    // What PostgreSQL 15 answers.
    #[test]
    fn ages() {
        for (to, from, expected) in [
            ("2026-03-01", "2025-01-15", "1 year 1 mon 17 days"),
            ("2025-01-15", "2026-03-01", "-1 years -1 mons -17 days"),
            ("2026-03-31 10:00", "2026-02-28 12:00", "1 mon 2 days 22:00"),
            ("2026-03-01", "2026-01-31", "1 mon 1 day"),
            ("2026-01-31", "2026-03-01", "-1 mons -1 days"),
            ("2026-01-01", "2026-01-01", "0"),
        ] {
            assert_eq!(age(time(to), time(from)).unwrap(), read(expected), "{to} {from}");
        }
    }

    #[test]
    fn parts_are_carried() {
        for (kind, value, expected) in [
            (Kind::Justify, "35 days 25 hours", "1 mon 6 days 01:00"),
            (Kind::Justify, "1 mon -1 hour", "29 days 23:00"),
            (Kind::JustifyDays, "35 days 25 hours", "1 mon 5 days 25:00"),
            (Kind::JustifyHours, "35 days 25 hours", "36 days 01:00"),
            (Kind::JustifyHours, "1 day -1 hour", "23:00"),
        ] {
            assert_eq!(justified(read(value), kind).unwrap(), read(expected), "{value}");
        }
    }

    #[test]
    fn intervals_times_numbers() {
        for (value, number, divides, expected) in [
            ("1 hour", 1.5, false, "1:30"),
            ("1 day", 2.0, true, "12:00"),
            ("1 month", 1.5, false, "1 mon 15 days"),
            ("1 month", 3.0, true, "10 days"),
            ("1 year 1 day 1 hour", 2.0, true, "6 mons 12:30"),
            ("1 day", -1.5, false, "-1 days -12:00"),
        ] {
            assert_eq!(scaled(read(value), number, divides).unwrap(), read(expected), "{value}");
        }
        assert!(scaled(read("1 day"), 0.0, true).is_err());
    }
}
