//! From an SQL interval to the window that the journey algorithms use.

use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit, TimestampSecondType};
use datafusion::common::{DataFusionError, Result, ScalarValue, internal_err, plan_err};

use crate::arguments::LengthArgument;
use crate::journey::time::{FixedWindow, TickUnit, Window};
use crate::zone;

const NANOS_PER_DAY: i128 = 86_400_000_000_000;

/// A window of constant length, or one that follows the calendar.
#[derive(Debug, Clone)]
pub(crate) enum Length {
    Fixed(FixedWindow),
    Calendar(CalendarLength),
}

impl Length {
    /// Converts the constant `value` for times of type `ts`, both as
    /// [`LengthArgument::coerce`] leaves them.
    ///
    /// Months follow the calendar, and so do days where `ts` has a zone that may change its clock;
    /// elsewhere a day is 24 hours.
    ///
    /// # Errors
    /// A plan error if the value is NULL or negative.
    pub(crate) fn try_new(argument: LengthArgument, value: &ScalarValue, ts: &DataType) -> Result<Self> {
        let LengthArgument { function, name } = argument;
        if value.is_null() {
            return plan_err!("{function}: {name} must not be NULL");
        }
        let length = match (value, ts) {
            (ScalarValue::Int64(Some(ticks)), DataType::Int64) => FixedWindow::new(*ticks).map(Self::Fixed),
            (ScalarValue::IntervalMonthDayNano(Some(interval)), DataType::Timestamp(unit, zone)) => {
                let zone = zone.as_deref();
                let unit = tick_unit(*unit);
                let days_vary = interval.days != 0 && zone.is_some_and(|zone| !is_fixed(zone));
                if interval.months != 0 || days_vary {
                    CalendarLength::try_new(*interval, unit, zone)?.map(Self::Calendar)
                } else {
                    let nanos = i128::from(interval.days) * NANOS_PER_DAY + i128::from(interval.nanoseconds);
                    FixedWindow::from_nanos(nanos, unit).map(Self::Fixed)
                }
            }
            _ => return internal_err!("{name} was not coerced: {value:?} for ts of type {ts}"),
        };
        match length {
            Some(length) => Ok(length),
            None => plan_err!("{function}: {name} must not be negative, got {}", shown(value)),
        }
    }
}

/// The value as SQL shows it, `-1 days` and not its fields.
fn shown(value: &ScalarValue) -> String {
    match value.cast_to(&DataType::Utf8) {
        Ok(ScalarValue::Utf8(Some(text))) => text,
        _ => value.to_string(),
    }
}

impl Window for Length {
    fn end(&self, start: i64) -> i64 {
        match self {
            Self::Fixed(fixed) => fixed.end(start),
            Self::Calendar(calendar) => calendar.end(start),
        }
    }
}

/// Ticks of a second where `ts`, as [`LengthArgument::coerce`] leaves it, has a unit; else 1.
pub(crate) fn ticks_per_second(ts: &DataType) -> i64 {
    match ts {
        DataType::Timestamp(unit, _) => tick_unit(*unit).per_second(),
        _ => 1,
    }
}

pub(crate) fn tick_unit(unit: TimeUnit) -> TickUnit {
    match unit {
        TimeUnit::Second => TickUnit::Second,
        TimeUnit::Millisecond => TickUnit::Millisecond,
        TimeUnit::Microsecond => TickUnit::Microsecond,
        TimeUnit::Nanosecond => TickUnit::Nanosecond,
    }
}

/// Zones whose clock never changes: the same answer as the calendar, without its cost.
fn is_fixed(zone: &str) -> bool {
    zone.starts_with(['+', '-']) || ["UTC", "Etc/UTC", "GMT", "Z"].contains(&zone)
}

/// Months and days by the wall clock of a zone, then an exact rest.
#[derive(Debug, Clone)]
pub(crate) struct CalendarLength {
    interval: IntervalMonthDayNano,
    unit: TickUnit,
    zone: Tz,
    utc: Tz,
}

impl CalendarLength {
    /// Returns `None` if a field is negative: with mixed signs, whether the sum is negative
    /// depends on the start.
    fn try_new(interval: IntervalMonthDayNano, unit: TickUnit, zone: Option<&str>) -> Result<Option<Self>> {
        if interval.months < 0 || interval.days < 0 || interval.nanoseconds < 0 {
            return Ok(None);
        }
        let parse = |zone: &str| zone.parse::<Tz>().map_err(DataFusionError::from);
        Ok(Some(Self { interval, unit, zone: parse(zone.unwrap_or("+00:00"))?, utc: parse("+00:00")? }))
    }

    /// `None` beyond the range of the calendar or of `i64`.
    fn checked_end(&self, start: i64) -> Option<i64> {
        let per_second = self.unit.per_second();
        let start_s = start.div_euclid(per_second);
        let rest = start.rem_euclid(per_second);

        let local_start_s = start_s.checked_add(self.offset_s(start_s)?)?;
        let months_and_days = IntervalMonthDayNano::new(self.interval.months, self.interval.days, 0);
        let local_end_s = TimestampSecondType::add_month_day_nano(local_start_s, months_and_days, self.utc)?;
        let end_s = self.utc_of_local(local_end_s)?;

        let exact_rest = self.interval.nanoseconds / self.unit.nanos();
        end_s.checked_mul(per_second)?.checked_add(rest)?.checked_add(exact_rest)
    }

    /// Converts seconds on the zone's wall clock to seconds since the epoch.
    ///
    /// An hour that the clock shows twice means the later one, an hour that it skips means as much
    /// later: the window is never shorter than the calendar says.
    fn utc_of_local(&self, local_s: i64) -> Option<i64> {
        // Offsets differ by less than a day, and no zone changes twice in two days: one of the
        // offsets a day before and a day after holds at the local time in question.
        let day_s = 86_400;
        let before = local_s.checked_sub(self.offset_s(local_s.checked_sub(day_s)?)?)?;
        let after = local_s.checked_sub(self.offset_s(local_s.checked_add(day_s)?)?)?;
        let is_valid =
            |utc_s: i64| -> Option<bool> { Some(utc_s.checked_add(self.offset_s(utc_s)?)? == local_s) };
        let later = before.max(after);
        let earlier = before.min(after);
        match (is_valid(later)?, is_valid(earlier)?) {
            (false, true) => Some(earlier),
            _ => Some(later),
        }
    }

    fn offset_s(&self, utc_s: i64) -> Option<i64> {
        zone::offset_s(self.zone, utc_s)
    }
}

impl Window for CalendarLength {
    fn end(&self, start: i64) -> i64 {
        self.checked_end(start).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, TimestampSecondArray};
    use arrow::compute::cast;

    use super::*;

    const WINDOW: LengthArgument = LengthArgument { function: "f", name: "window" };

    fn interval(months: i32, days: i32, nanos: i64) -> ScalarValue {
        ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(months, days, nanos)))
    }

    fn seconds_in(zone: Option<&str>) -> DataType {
        DataType::Timestamp(TimeUnit::Second, zone.map(Into::into))
    }

    fn second(text: &str) -> i64 {
        let array =
            cast(&arrow::array::StringArray::from(vec![text]), &DataType::Timestamp(TimeUnit::Second, None))
                .unwrap();
        array.as_primitive::<TimestampSecondType>().value(0)
    }

    fn text(second: i64) -> String {
        let array = TimestampSecondArray::from(vec![second]);
        let text = cast(&array, &DataType::Utf8).unwrap();
        assert_eq!(text.len(), 1);
        text.as_string::<i32>().value(0).to_owned()
    }

    fn end(value: &ScalarValue, zone: Option<&str>, start: &str) -> String {
        let length = Length::try_new(WINDOW, value, &seconds_in(zone)).unwrap();
        text(length.end(second(start)))
    }

    #[test]
    fn months_follow_the_calendar() {
        let month = interval(1, 0, 0);
        assert_eq!(end(&month, None, "2024-01-31T10:00:00"), "2024-02-29T10:00:00");
        assert_eq!(end(&month, None, "2023-01-31T10:00:00"), "2023-02-28T10:00:00");
        assert_eq!(
            end(&interval(12, 0, 5_000_000_000), Some("UTC"), "2024-02-29T00:00:00"),
            "2025-02-28T00:00:05"
        );
    }

    #[test]
    fn days_follow_the_clock_of_the_zone() {
        let day = interval(0, 1, 0);
        // The clock goes forward on 2024-03-31 and back on 2024-10-27, both at 01:00 UTC.
        let berlin = Some("Europe/Berlin");
        assert_eq!(end(&day, berlin, "2024-03-30T12:00:00"), "2024-03-31T11:00:00");
        assert_eq!(end(&day, berlin, "2024-10-26T12:00:00"), "2024-10-27T13:00:00");
        assert_eq!(end(&day, Some("UTC"), "2024-03-30T12:00:00"), "2024-03-31T12:00:00");
        assert_eq!(end(&day, Some("+02:00"), "2024-03-30T12:00:00"), "2024-03-31T12:00:00");
        assert_eq!(end(&day, None, "2024-03-30T12:00:00"), "2024-03-31T12:00:00");
        // 02:30 does not exist on that day: 03:30 summer time.
        assert_eq!(end(&day, berlin, "2024-03-30T01:30:00"), "2024-03-31T01:30:00");
        // 02:30 happens twice: the later one.
        assert_eq!(end(&day, berlin, "2024-10-26T00:30:00"), "2024-10-27T01:30:00");
    }

    #[test]
    fn overflow_has_no_limit() {
        let length = Length::try_new(WINDOW, &interval(i32::MAX, 0, 0), &seconds_in(None)).unwrap();
        assert_eq!(length.end(0), i64::MAX);
        let length = Length::try_new(WINDOW, &interval(1, 0, 0), &seconds_in(None)).unwrap();
        assert_eq!(length.end(i64::MAX - 1), i64::MAX);
    }

    #[test]
    fn null_and_negative_are_plan_errors() {
        for (value, expected) in [
            (interval(0, -1, 0), "f: window must not be negative"),
            (interval(-1, 0, 0), "f: window must not be negative"),
            (interval(0, 0, -1), "f: window must not be negative"),
            (interval(1, -40, 0), "f: window must not be negative"),
            (ScalarValue::IntervalMonthDayNano(None), "f: window must not be NULL"),
        ] {
            let error = Length::try_new(WINDOW, &value, &seconds_in(None)).unwrap_err();
            assert!(matches!(error, DataFusionError::Plan(_)), "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert!(Length::try_new(WINDOW, &interval(0, 0, 0), &seconds_in(None)).is_ok());
        // A day less an hour has a length of its own where days are fixed.
        let mixed = interval(0, 1, -3_600_000_000_000);
        assert_eq!(end(&mixed, None, "2024-01-01T00:00:00"), "2024-01-01T23:00:00");
    }
}
