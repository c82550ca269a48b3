//! Time zones: their names in arguments, their clocks.

use arrow::array::timezone::Tz;
use arrow::datatypes::TimestampSecondType;
use arrow::temporal_conversions::as_datetime_with_timezone;
use datafusion::common::{Result, plan_err};

use crate::journey::time::TickUnit;

const DAY_S: i64 = 86_400;

/// Reads the name of a zone such as `Europe/Berlin`, `UTC` or `+01:00`.
///
/// # Errors
/// A plan error if there is no such zone.
pub(crate) fn parse(function: &str, argument: &str, name: &str) -> Result<Tz> {
    match name.parse() {
        Ok(zone) => Ok(zone),
        Err(_) => plan_err!(
            "{function}: {argument} must be a time zone such as 'Europe/Berlin', 'UTC' or '+01:00', got '{name}'"
        ),
    }
}

/// Seconds that the clock of `zone` is ahead of UTC; `None` beyond the range of the calendar.
pub(crate) fn offset_s(zone: Tz, utc_s: i64) -> Option<i64> {
    let time = as_datetime_with_timezone::<TimestampSecondType>(utc_s, zone)?;
    Some(time.naive_local().and_utc().timestamp() - utc_s)
}

/// Tells the local days of ascending times apart.
///
/// Remembers the day of the latest time: the calendar is asked once per day, not once per row.
#[derive(Debug, Clone)]
pub(crate) struct LocalDays {
    zone: Tz,
    unit: TickUnit,
    known: Option<KnownDay>,
}

/// A day on which the clock does not change: its first and last second, and its number.
#[derive(Debug, Clone, Copy)]
struct KnownDay {
    first_s: i64,
    last_s: i64,
    day: i64,
}

impl LocalDays {
    pub(crate) fn new(zone: Tz, unit: TickUnit) -> Self {
        Self { zone, unit, known: None }
    }

    /// Returns the number of days from 1970-01-01 to the local date at `time`; by UTC beyond the
    /// range of the calendar.
    pub(crate) fn day(&mut self, time: i64) -> i64 {
        let utc_s = time.div_euclid(self.unit.per_second());
        if let Some(known) = self.known.filter(|known| (known.first_s..=known.last_s).contains(&utc_s)) {
            return known.day;
        }
        let Some(offset_s) = offset_s(self.zone, utc_s) else {
            return utc_s.div_euclid(DAY_S);
        };
        let day = (utc_s + offset_s).div_euclid(DAY_S);
        let first_s = day * DAY_S - offset_s;
        let last_s = first_s + DAY_S - 1;
        // No zone changes its clock twice in a day.
        let is_steady = [first_s, last_s].map(|s| self::offset_s(self.zone, s)) == [Some(offset_s); 2];
        self.known = is_steady.then_some(KnownDay { first_s, last_s, day });
        day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(zone: &str, times_s: &[i64]) -> Vec<i64> {
        let mut days = LocalDays::new(zone.parse().unwrap(), TickUnit::Second);
        times_s.iter().map(|time| days.day(*time)).collect()
    }

    #[test]
    fn days_begin_at_local_midnight() {
        assert_eq!(days("UTC", &[-1, 0, 86_399, 86_400]), [-1, 0, 0, 1]);
        assert_eq!(days("+01:00", &[-3_601, -3_600, 82_799, 82_800]), [-1, 0, 0, 1]);
        assert_eq!(days("America/New_York", &[17_999, 18_000]), [-1, 0]);
    }

    #[test]
    fn days_of_23_and_25_hours() {
        // Berlin, 2024-03-31 and 2024-10-27: 23:00 UTC to 22:00 UTC, 22:00 UTC to 23:00 UTC.
        let march = 1_711_839_600;
        assert_eq!(days("Europe/Berlin", &[march - 1, march, march + 82_799, march + 82_800]), {
            let day = 19_813;
            [day - 1, day, day, day + 1]
        });
        let october = 1_729_980_000;
        assert_eq!(days("Europe/Berlin", &[october - 1, october, october + 89_999, october + 90_000]), {
            let day = 20_023;
            [day - 1, day, day, day + 1]
        });
    }

    #[test]
    fn any_time_has_a_day() {
        let mut days = LocalDays::new("UTC".parse().unwrap(), TickUnit::Nanosecond);
        assert_eq!(days.day(i64::MIN), -106_752);
        assert_eq!(days.day(i64::MAX), 106_751);
        let mut days = LocalDays::new("UTC".parse().unwrap(), TickUnit::Second);
        assert_eq!(days.day(i64::MAX), i64::MAX / 86_400);
    }

    #[test]
    fn unknown_zones_are_refused() {
        let error = parse("f", "midnight", "Mars/Phobos").unwrap_err().strip_backtrace();
        assert!(error.contains("f: midnight must be a time zone"), "{error}");
        assert!(error.contains("'Mars/Phobos'"), "{error}");
    }
}
