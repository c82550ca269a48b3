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

/// How far the clock of a zone is ahead of UTC: the calendar is asked once per day of UTC, not once per time.
#[derive(Debug, Clone)]
pub(crate) struct Offsets {
    zone: Tz,
    /// What is known of days, each at its number modulo [`REMEMBERED_DAYS`]; empty until the first time comes.
    known: Vec<(i64, OfDay)>,
}

/// Days of UTC that are remembered: more than a year.
const REMEMBERED_DAYS: usize = 512;

/// The offset on a day of UTC.
#[derive(Debug, Clone, Copy)]
enum OfDay {
    /// So many seconds all day long.
    Steady(i64),
    /// Not the same all day long, or not known.
    Changing,
}

impl Offsets {
    pub(crate) fn new(zone: Tz) -> Self {
        Self { zone, known: Vec::new() }
    }

    /// Seconds that the clock is ahead at `utc_s`; 0 beyond the range of the calendar.
    pub(crate) fn at(&mut self, utc_s: i64) -> i64 {
        let day = utc_s.div_euclid(DAY_S);
        if self.known.is_empty() {
            self.known = vec![(i64::MIN, OfDay::Changing); REMEMBERED_DAYS];
        }
        let place = day.rem_euclid(REMEMBERED_DAYS as i64) as usize;
        let (known, of_day) = self.known[place];
        if known != day {
            self.known[place] = (day, self.of_day(day));
            return self.at(utc_s);
        }
        match of_day {
            OfDay::Steady(offset_s) => offset_s,
            OfDay::Changing => offset_s(self.zone, utc_s).unwrap_or(0),
        }
    }

    fn of_day(&self, day: i64) -> OfDay {
        let first_s = day.saturating_mul(DAY_S);
        let ends = [first_s, first_s.saturating_add(DAY_S - 1)].map(|s| offset_s(self.zone, s));
        match ends {
            // No zone changes its clock twice in a day.
            [Some(first), Some(last)] if first == last => OfDay::Steady(first),
            _ => OfDay::Changing,
        }
    }
}

/// Tells the local days of times apart.
#[derive(Debug, Clone)]
pub(crate) struct LocalDays {
    unit: TickUnit,
    offsets: Offsets,
}

impl LocalDays {
    pub(crate) fn new(zone: Tz, unit: TickUnit) -> Self {
        Self { unit, offsets: Offsets::new(zone) }
    }

    /// Returns the number of days from 1970-01-01 to the local date at `time`; by UTC beyond the
    /// range of the calendar.
    pub(crate) fn day(&mut self, time: i64) -> i64 {
        let utc_s = time.div_euclid(self.unit.per_second());
        utc_s.saturating_add(self.offsets.at(utc_s)).div_euclid(DAY_S)
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
    fn offsets_are_those_of_the_calendar_in_any_order() {
        for zone in
            ["UTC", "+05:45", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]
        {
            let zone: Tz = zone.parse().unwrap();
            let mut offsets = Offsets::new(zone);
            // Steps that go round ten years, so that days take each other's places.
            let mut time_s: i64 = 1_300_000_000;
            for step in 0..40_000_i64 {
                time_s = 1_300_000_000 + (time_s - 1_300_000_000 + 7_919 * (step % 613 + 1)) % 320_000_000;
                assert_eq!(offsets.at(time_s), offset_s(zone, time_s).unwrap(), "{zone:?} at {time_s}");
            }
            for time_s in [i64::MIN, i64::MAX, -8_334_632_851_201, 8_210_298_412_800] {
                assert_eq!(offsets.at(time_s), offset_s(zone, time_s).unwrap_or(0), "{zone:?} at {time_s}");
            }
        }
    }

    #[test]
    fn unknown_zones_are_refused() {
        let error = parse("f", "midnight", "Mars/Phobos").unwrap_err().strip_backtrace();
        assert!(error.contains("f: midnight must be a time zone"), "{error}");
        assert!(error.contains("'Mars/Phobos'"), "{error}");
    }
}
