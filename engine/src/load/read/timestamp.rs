//! Timestamps of input files to microseconds since the Unix epoch, UTC.
//!
//! Forms: RFC 3339 (`2024-02-29T12:00:00.5+01:00`), the same with a space, without an offset, without seconds or
//! as a plain date, numbers since the epoch, and dates of eight digits where the rule says so. Rules:
//! * Times without an offset are in the zone of the rule. One that the clocks skip is an error; one that they
//!   show twice means the first time (the offset before the change).
//! * Digits beyond microseconds are floored, before 1970 too.
//! * A number without a given unit is in seconds below 1e11, milliseconds below 1e14, microseconds below 1e17,
//!   else nanoseconds (by absolute value; seconds reach to the year 5138, milliseconds begin in March 1973).
//!   Eight digits that read as a date of 1900 to 2100 (`20240131`) are refused unless the unit is given: taken as
//!   seconds they would silently become a day in 1970.
//! * Results lie in the years 0001 to 9999. The second 60 is refused.

use chrono::{DateTime, MappedLocalTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::number::ExactNumber;
use super::options::NumericTime;

/// 0001-01-01T00:00:00Z.
const MIN_US: i64 = -62_135_596_800_000_000;
/// 9999-12-31T23:59:59.999999Z.
const MAX_US: i64 = 253_402_300_799_999_999;
const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// How times without an offset and numbers are understood.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimestampRule {
    /// Meaning of numbers; `None` takes a unit since the epoch from the magnitude.
    pub(super) unit: Option<NumericTime>,
    /// Zone of times without an offset.
    pub(super) zone: Tz,
}

/// Why a value is not a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TimestampError {
    #[error("not a timestamp; expected RFC 3339, YYYY-MM-DD[ HH:MM:SS[.f]] or a number since the epoch")]
    NotATimestamp,
    #[error("no such day or time of day")]
    NoSuchTime,
    #[error("outside the years 0001 to 9999")]
    OutOfRange,
    #[error(
        "this local time does not exist in {0}, the clocks skip it; give an offset or another --timezone"
    )]
    Skipped(Tz),
    #[error(
        "may be a date or epoch seconds; give --ts-unit yyyymmdd or --ts-unit s, or write dates as YYYY-MM-DD"
    )]
    MaybeDate,
    #[error("not a date of eight digits, YYYYMMDD, as --ts-unit yyyymmdd says")]
    NotACompactDate,
}

impl TimestampRule {
    /// Parses one text. White space around it is ignored. O(length), no allocation.
    pub(super) fn parse(&self, text: &str) -> Result<i64, TimestampError> {
        let bytes = text.trim_ascii().as_bytes();
        if bytes.len() >= 10 && bytes[4] == b'-' && bytes[7] == b'-' {
            return self.parse_calendar(bytes);
        }
        let number = ExactNumber::parse(text).ok_or(TimestampError::NotATimestamp)?;
        self.number(number)
    }

    /// An integer: a number since the epoch, or the digits of a date.
    pub(super) fn epoch(&self, value: i64) -> Result<i64, TimestampError> {
        let unit = match self.unit {
            Some(unit) => unit,
            None => detect_unit(i128::from(value), true)?,
        };
        let micros = match unit {
            NumericTime::Seconds => value.checked_mul(SECOND_US),
            NumericTime::Millis => value.checked_mul(1_000),
            NumericTime::Micros => Some(value),
            NumericTime::Nanos => Some(value.div_euclid(1_000)),
            NumericTime::CompactDate => return self.compact_date(i128::from(value)),
        };
        in_range(micros.ok_or(TimestampError::OutOfRange)?)
    }

    /// Days since the epoch: midnight in the rule's zone.
    pub(super) fn date(&self, days: i64) -> Result<i64, TimestampError> {
        let local_us = days.checked_mul(DAY_US).ok_or(TimestampError::OutOfRange)?;
        self.local(local_us)
    }

    /// A wall-clock time in the rule's zone, as microseconds since 1970-01-01T00:00:00 of the same clock.
    pub(super) fn local(&self, local_us: i64) -> Result<i64, TimestampError> {
        if self.zone == Tz::UTC {
            return in_range(local_us);
        }
        in_range(local_us)?;
        let naive = DateTime::from_timestamp_micros(local_us).ok_or(TimestampError::OutOfRange)?.naive_utc();
        let offset = match self.zone.offset_from_local_datetime(&naive) {
            MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => offset,
            MappedLocalTime::None => return Err(TimestampError::Skipped(self.zone)),
        };
        in_range(local_us - i64::from(offset.fix().local_minus_utc()) * SECOND_US)
    }

    fn number(&self, number: ExactNumber) -> Result<i64, TimestampError> {
        let whole = number.floor_scaled(0).ok_or(TimestampError::OutOfRange)?;
        let unit = match self.unit {
            Some(unit) => unit,
            None => detect_unit(whole, number.exponent >= 0)?,
        };
        let power = match unit {
            NumericTime::Seconds => 6,
            NumericTime::Millis => 3,
            NumericTime::Micros => 0,
            NumericTime::Nanos => -3,
            NumericTime::CompactDate if number.exponent >= 0 => return self.compact_date(whole),
            NumericTime::CompactDate => return Err(TimestampError::NotACompactDate),
        };
        let micros = number.floor_scaled(power).ok_or(TimestampError::OutOfRange)?;
        in_range(i64::try_from(micros).map_err(|_| TimestampError::OutOfRange)?)
    }

    /// `digits`: year, month and day as one number of eight digits; with six the century would be guessed.
    fn compact_date(&self, digits: i128) -> Result<i64, TimestampError> {
        if !(10_000_000..=99_999_999).contains(&digits) {
            return Err(TimestampError::NotACompactDate);
        }
        let digits = i64::try_from(digits).map_err(|_| TimestampError::NotACompactDate)?;
        self.date(days_of_compact(digits).ok_or(TimestampError::NoSuchTime)?)
    }

    /// `bytes` has at least 10 bytes, dashes at 4 and 7.
    fn parse_calendar(&self, bytes: &[u8]) -> Result<i64, TimestampError> {
        let not_a_timestamp = TimestampError::NotATimestamp;
        let century = two_digits(bytes, 0).ok_or(not_a_timestamp)?;
        let year = century * 100 + two_digits(bytes, 2).ok_or(not_a_timestamp)?;
        let month = two_digits(bytes, 5).ok_or(not_a_timestamp)?;
        let day = two_digits(bytes, 8).ok_or(not_a_timestamp)?;
        if year == 0 {
            return Err(TimestampError::OutOfRange);
        }
        let days = days_since_epoch(year, month, day).ok_or(TimestampError::NoSuchTime)?;
        let date_us = days * DAY_US;
        let Some((separator, time)) = bytes[10..].split_first() else {
            return self.local(date_us);
        };
        if !matches!(separator, b'T' | b't' | b' ') {
            return Err(not_a_timestamp);
        }
        let (time_us, zone) = parse_time(time)?;
        let offset_us = match zone.strip_prefix(b" ").unwrap_or(zone) {
            [] => return self.local(date_us + time_us),
            [b'Z' | b'z'] | b"UTC" | b"utc" | b"GMT" => 0,
            offset => parse_offset(offset)?,
        };
        in_range(date_us + time_us - offset_us)
    }
}

/// Parses `HH:MM[:SS[.f]]`; returns microseconds of the day and what follows.
fn parse_time(time: &[u8]) -> Result<(i64, &[u8]), TimestampError> {
    let not_a_timestamp = TimestampError::NotATimestamp;
    let hour = two_digits(time, 0).ok_or(not_a_timestamp)?;
    if time.get(2) != Some(&b':') {
        return Err(not_a_timestamp);
    }
    let minute = two_digits(time, 3).ok_or(not_a_timestamp)?;
    let mut second = 0;
    let mut fraction_us = 0;
    let mut end = 5;
    if time.get(5) == Some(&b':') {
        second = two_digits(time, 6).ok_or(not_a_timestamp)?;
        end = 8;
        if matches!(time.get(8), Some(b'.' | b',')) {
            let digits = time[9..].iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return Err(not_a_timestamp);
            }
            end = 9 + digits;
            // Digits beyond the sixth are dropped: the floor, since the fraction counts upwards.
            let mut weight = SECOND_US;
            for digit in &time[9..end.min(15)] {
                weight /= 10;
                fraction_us += i64::from(digit - b'0') * weight;
            }
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return Err(TimestampError::NoSuchTime);
    }
    let seconds = (hour * 60 + minute) * 60 + second;
    Ok((seconds * SECOND_US + fraction_us, &time[end..]))
}

/// Parses `+HH`, `+HHMM`, `+HH:MM` and the same with a minus.
fn parse_offset(offset: &[u8]) -> Result<i64, TimestampError> {
    let not_a_timestamp = TimestampError::NotATimestamp;
    let (sign, digits) = match offset.split_first() {
        Some((b'+', digits)) => (1, digits),
        Some((b'-', digits)) => (-1, digits),
        _ => return Err(not_a_timestamp),
    };
    let hours = two_digits(digits, 0).ok_or(not_a_timestamp)?;
    let minutes = match digits.len() {
        2 => 0,
        4 => two_digits(digits, 2).ok_or(not_a_timestamp)?,
        5 if digits[2] == b':' => two_digits(digits, 3).ok_or(not_a_timestamp)?,
        _ => return Err(not_a_timestamp),
    };
    if hours > 23 || minutes > 59 {
        return Err(TimestampError::NoSuchTime);
    }
    Ok(sign * (hours * 60 + minutes) * 60 * SECOND_US)
}

fn two_digits(bytes: &[u8], at: usize) -> Option<i64> {
    let high = bytes.get(at)?.wrapping_sub(b'0');
    let low = bytes.get(at + 1)?.wrapping_sub(b'0');
    (high < 10 && low < 10).then(|| i64::from(high) * 10 + i64::from(low))
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, years 1 to 9999; `None` if there is no
/// such date.
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    const DAYS_BEFORE_MONTH: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let index = usize::try_from(month).ok().filter(|m| (1..=12).contains(m))?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let leap_day = i64::from(leap && month == 2);
    let month_days = DAYS_BEFORE_MONTH[index] - DAYS_BEFORE_MONTH[index - 1] + leap_day;
    if day < 1 || day > month_days {
        return None;
    }
    let past = year - 1;
    let past_days = past * 365 + past / 4 - past / 100 + past / 400;
    let after_leap_day = i64::from(leap && month > 2);
    // 719,162 days lie between 0001-01-01 and 1970-01-01.
    Some(past_days - 719_162 + DAYS_BEFORE_MONTH[index - 1] + after_leap_day + day - 1)
}

/// Days from 1970-01-01 to a date that is written as one number; `None` if there is no such date.
fn days_of_compact(digits: i64) -> Option<i64> {
    days_since_epoch(digits / 10_000, digits / 100 % 100, digits % 100)
}

fn detect_unit(whole: i128, is_integer: bool) -> Result<NumericTime, TimestampError> {
    if is_integer && (19_000_101..=21_001_231).contains(&whole) {
        let value = i64::try_from(whole).map_err(|_| TimestampError::OutOfRange)?;
        if days_of_compact(value).is_some() {
            return Err(TimestampError::MaybeDate);
        }
    }
    Ok(match whole.unsigned_abs() {
        0..100_000_000_000 => NumericTime::Seconds,
        100_000_000_000..100_000_000_000_000 => NumericTime::Millis,
        100_000_000_000_000..100_000_000_000_000_000 => NumericTime::Micros,
        _ => NumericTime::Nanos,
    })
}

/// Checks the years 0001 to 9999, UTC.
pub(super) fn in_range(micros: i64) -> Result<i64, TimestampError> {
    if (MIN_US..=MAX_US).contains(&micros) { Ok(micros) } else { Err(TimestampError::OutOfRange) }
}

#[cfg(test)]
mod tests;
