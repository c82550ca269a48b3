//! Texts of dates and times as PostgreSQL reads them.
//!
//! Dates come as `2026-01-31`, `20260131`, `31 Jan 2026` and their like; times as `12:00`, `12:00:05.25`, `1:30 pm`;
//! zones as `Z`, `+02`, `+05:30` or a name of the time zone database. What depends on `DateStyle` (`1/2/2026`) is not
//! read: it would mean one thing to one session and another to the next.

use std::str::FromStr;

use arrow::array::timezone::Tz;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::timezone::offset_of_local;

const DAY_MICROS: i64 = 86_400_000_000;

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is no date or time.
    Syntax,
    /// A field is out of its range.
    Field,
}

type Read<T> = Result<T, Wrong>;

/// The parts of a text.
#[derive(Debug, Default)]
struct Parts {
    date: Option<NaiveDate>,
    /// Microseconds of the day.
    time: Option<i64>,
    zone: Option<Zone>,
    infinite: Option<bool>,
}

#[derive(Debug, Clone, Copy)]
enum Zone {
    /// Seconds east of UTC.
    Offset(i64),
    Named(Tz),
}

/// Days since the epoch.
pub(crate) fn date(text: &str) -> Read<i32> {
    let parts = parts(text)?;
    let date = parts.date.ok_or(Wrong::Syntax)?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).map_err(|_| Wrong::Field)
}

/// Microseconds of the day; a zone is ignored.
pub(crate) fn time(text: &str) -> Read<i64> {
    parts(text)?.time.ok_or(Wrong::Syntax)
}

/// A time of the day with its zone, in PostgreSQL's own form; `local` is the zone of a text without one.
pub(crate) fn timetz(text: &str, local: Tz) -> Read<String> {
    let parts = parts(text)?;
    let time = parts.time.ok_or(Wrong::Syntax)?;
    let date = parts.date.unwrap_or_else(|| chrono::Utc::now().date_naive());
    Ok(timetz_text(time, east(parts.zone.unwrap_or(Zone::Named(local)), date.and_time(NaiveTime::MIN))))
}

/// A time of the day, in microseconds, in a zone so many seconds east of UTC.
pub(crate) fn timetz_text(time: i64, east: i64) -> String {
    let (seconds, fraction) = (time / 1_000_000, time % 1_000_000);
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if fraction != 0 {
        text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
    let sign = if east < 0 { '-' } else { '+' };
    let east = east.unsigned_abs();
    text.push_str(&format!("{sign}{:02}", east / 3_600));
    if !east.is_multiple_of(3_600) {
        text.push_str(&format!(":{:02}", east / 60 % 60));
    }
    if !east.is_multiple_of(60) {
        text.push_str(&format!(":{:02}", east % 60));
    }
    text
}

/// Microseconds since the epoch; a zone is ignored. The infinities are the greatest and the least number.
pub(crate) fn timestamp(text: &str) -> Read<i64> {
    let parts = parts(text)?;
    match parts.infinite {
        Some(future) => Ok(infinity(future)),
        None => local_micros(&parts),
    }
}

/// Microseconds since the epoch; `local` is the zone of a text without one.
pub(crate) fn timestamptz(text: &str, local: Tz) -> Read<i64> {
    let parts = parts(text)?;
    if let Some(future) = parts.infinite {
        return Ok(infinity(future));
    }
    let micros = local_micros(&parts)?;
    let time = DateTime::from_timestamp_micros(micros).ok_or(Wrong::Field)?.naive_utc();
    micros.checked_sub(east(parts.zone.unwrap_or(Zone::Named(local)), time) * 1_000_000).ok_or(Wrong::Field)
}

fn infinity(future: bool) -> i64 {
    if future { i64::MAX } else { i64::MIN }
}

fn east(zone: Zone, local: NaiveDateTime) -> i64 {
    match zone {
        Zone::Offset(seconds) => seconds,
        Zone::Named(zone) => offset_of_local(local, zone),
    }
}

fn local_micros(parts: &Parts) -> Read<i64> {
    let date = parts.date.ok_or(Wrong::Syntax)?;
    let time = date
        .and_time(NaiveTime::MIN)
        .checked_add_signed(TimeDelta::microseconds(parts.time.unwrap_or(0)))
        .ok_or(Wrong::Field)?;
    Ok(time.and_utc().timestamp_micros())
}

fn parts(text: &str) -> Read<Parts> {
    let text = text.trim();
    let mut parts = Parts::default();
    match text.to_ascii_lowercase().as_str() {
        "infinity" | "+infinity" => parts.infinite = Some(true),
        "-infinity" => parts.infinite = Some(false),
        "epoch" => {
            parts.date = Some(NaiveDate::default());
            parts.time = Some(0);
            parts.zone = Some(Zone::Offset(0));
        }
        _ => {}
    }
    if parts.infinite.is_some() || parts.date.is_some() {
        return Ok(parts);
    }
    let mut words = Words::default();
    for word in text.split_whitespace() {
        words.take(word, &mut parts)?;
    }
    words.finish(&mut parts)?;
    if parts.date.is_none() && parts.time.is_none() {
        return Err(Wrong::Syntax);
    }
    Ok(parts)
}

/// Words of a date that are spread over a text.
#[derive(Debug, Default)]
struct Words {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    before_christ: bool,
    afternoon: Option<bool>,
}

impl Words {
    fn take(&mut self, word: &str, parts: &mut Parts) -> Read<()> {
        let bytes = word.as_bytes();
        let starts_with_digit = bytes.first().is_some_and(u8::is_ascii_digit);
        // `2026-01-31T12:00:00`
        if starts_with_digit
            && let Some(at) = word.find(['T', 't'])
            && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
        {
            self.take(&word[..at], parts)?;
            return take_time(&word[at + 1..], parts);
        }
        if starts_with_digit && word.contains(':') && parts.time.is_none() {
            return take_time(word, parts);
        }
        let lower = word.to_ascii_lowercase();
        match lower.as_str() {
            "bc" => self.before_christ = true,
            "ad" => {}
            "am" | "pm" => self.afternoon = Some(lower == "pm"),
            _ if starts_with_digit => return self.take_date(word, parts),
            _ if month(&lower).is_some() && self.month.is_none() => self.month = month(&lower),
            _ if weekday(lower.trim_end_matches(',')) => {}
            _ => set_zone(parts, zone(word)?)?,
        }
        Ok(())
    }

    fn take_date(&mut self, word: &str, parts: &mut Parts) -> Read<()> {
        let word = word.strip_suffix(',').unwrap_or(word);
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        let number: i32 = word[..digits].parse().map_err(|_| Wrong::Field)?;
        let rest = &word[digits..];
        if rest.is_empty() {
            if digits == 8 && self.day.is_none() {
                self.set(number / 10_000, positive(number / 100 % 100), positive(number % 100))?;
            } else if digits <= 2 && self.day.is_none() {
                self.day = Some(positive(number));
            } else if digits >= 3 && self.year.is_none() {
                self.year = Some(number);
            } else {
                return Err(Wrong::Syntax);
            }
            return Ok(());
        }
        let rest = rest.strip_prefix('-').ok_or(Wrong::Syntax)?;
        let (middle, rest) = rest.split_once('-').ok_or(Wrong::Syntax)?;
        let month = match middle.parse::<u32>() {
            Ok(number) if middle.bytes().all(|byte| byte.is_ascii_digit()) => number,
            _ => month(&middle.to_ascii_lowercase()).ok_or(Wrong::Syntax)?,
        };
        let last = rest.bytes().take_while(u8::is_ascii_digit).count();
        let last_number: i32 = rest[..last].parse().map_err(|_| Wrong::Syntax)?;
        if digits >= 3 {
            self.set(number, month, positive(last_number))?;
        } else if middle.starts_with(|c: char| c.is_alphabetic()) && last >= 3 {
            self.set(last_number, month, positive(number))?;
        } else {
            return Err(Wrong::Syntax);
        }
        match &rest[last..] {
            "" => Ok(()),
            other => set_zone(parts, zone(other)?),
        }
    }

    fn set(&mut self, year: i32, month: u32, day: u32) -> Read<()> {
        if self.year.is_some() || self.month.is_some() || self.day.is_some() {
            return Err(Wrong::Syntax);
        }
        (self.year, self.month, self.day) = (Some(year), Some(month), Some(day));
        Ok(())
    }

    fn finish(self, parts: &mut Parts) -> Read<()> {
        match (self.year, self.month, self.day) {
            (None, None, None) => {}
            (Some(year), Some(month), Some(day)) => {
                if year == 0 {
                    return Err(Wrong::Field);
                }
                let year = if self.before_christ { 1 - year } else { year };
                parts.date = Some(NaiveDate::from_ymd_opt(year, month, day).ok_or(Wrong::Field)?);
            }
            _ => return Err(Wrong::Syntax),
        }
        if let (Some(afternoon), Some(time)) = (self.afternoon, &mut parts.time) {
            const HOUR: i64 = 3_600_000_000;
            let hours = *time / HOUR;
            if !(1..=12).contains(&hours) {
                return Err(Wrong::Field);
            }
            *time += match (afternoon, hours) {
                (true, 1..=11) => 12 * HOUR,
                (false, 12) => -12 * HOUR,
                _ => 0,
            };
        } else if self.afternoon.is_some() {
            return Err(Wrong::Syntax);
        }
        Ok(())
    }
}

/// Days and months that are no such become no date.
fn positive(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn set_zone(parts: &mut Parts, zone: Zone) -> Read<()> {
    match parts.zone.replace(zone) {
        None => Ok(()),
        Some(_) => Err(Wrong::Syntax),
    }
}

/// `12:00`, `12:00:05.25+02`, `120005`.
fn take_time(text: &str, parts: &mut Parts) -> Read<()> {
    let is_time = |byte: u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.');
    let end = text.bytes().position(|byte| !is_time(byte)).unwrap_or(text.len());
    let (clock, rest) = text.split_at(end);
    if parts.time.is_some() {
        return Err(Wrong::Syntax);
    }
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let fields: Vec<&str> = match clock.len() {
        4 | 6 if !clock.contains(':') => vec![&clock[..2], &clock[2..4], clock.get(4..).unwrap_or("")],
        _ => clock.split(':').collect(),
    };
    let number = |text: &str| -> Read<i64> {
        match text.len() {
            1 | 2 => text.parse().map_err(|_| Wrong::Syntax),
            _ => Err(Wrong::Syntax),
        }
    };
    let (hours, minutes, seconds) = match fields.as_slice() {
        [hours, minutes] | [hours, minutes, ""] if fraction.is_empty() => {
            (number(hours)?, number(minutes)?, 0)
        }
        [hours, minutes, seconds] => (number(hours)?, number(minutes)?, number(seconds)?),
        _ => return Err(Wrong::Syntax),
    };
    let micros =
        hours * 3_600_000_000 + minutes * 60_000_000 + seconds * 1_000_000 + fraction_micros(fraction)?;
    if minutes > 59 || seconds > 60 || micros > DAY_MICROS {
        return Err(Wrong::Field);
    }
    parts.time = Some(micros);
    let rest = rest.trim();
    if rest.is_empty() { Ok(()) } else { set_zone(parts, zone(rest)?) }
}

/// Microseconds of the digits behind a point, rounded.
pub(super) fn fraction_micros(digits: &str) -> Read<i64> {
    if digits.is_empty() {
        return Ok(0);
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Wrong::Syntax);
    }
    let kept: String = digits.chars().chain("0000000".chars()).take(7).collect();
    let tenths: i64 = kept.parse().map_err(|_| Wrong::Syntax)?;
    Ok((tenths + 5) / 10)
}

fn zone(text: &str) -> Read<Zone> {
    let lower = text.to_ascii_lowercase();
    if matches!(lower.as_str(), "z" | "utc" | "gmt" | "zulu" | "ut") {
        return Ok(Zone::Offset(0));
    }
    if let Some(sign) = text.chars().next().filter(|sign| matches!(sign, '+' | '-')) {
        let digits = &text[1..];
        let fields: Vec<&str> = match digits.len() {
            4 if digits.bytes().all(|byte| byte.is_ascii_digit()) => vec![&digits[..2], &digits[2..]],
            _ => digits.split(':').collect(),
        };
        let mut seconds = 0;
        if fields.len() > 3 {
            return Err(Wrong::Syntax);
        }
        for (field, unit) in fields.iter().zip([3_600, 60, 1]) {
            if field.is_empty() || field.len() > 2 || !field.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Wrong::Syntax);
            }
            seconds += field.parse::<i64>().map_err(|_| Wrong::Syntax)? * unit;
        }
        // As PostgreSQL's limit.
        if seconds > 15 * 3_600 + 59 * 60 + 59 {
            return Err(Wrong::Field);
        }
        return Ok(Zone::Offset(if sign == '-' { -seconds } else { seconds }));
    }
    match text.contains('/') {
        true => Tz::from_str(text).map(Zone::Named).map_err(|_| Wrong::Syntax),
        false => Err(Wrong::Syntax),
    }
}

/// The number of a month by its name or the first three letters of it.
fn month(lower: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let lower = lower.trim_end_matches(',');
    let is_name =
        |name: &str| lower == name || lower == &name[..3] || (lower == "sept" && name == "september");
    let at = MONTHS.iter().position(|name| is_name(name))?;
    u32::try_from(at + 1).ok()
}

fn weekday(lower: &str) -> bool {
    const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    DAYS.iter().any(|name| lower == *name || lower == &name[..3])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> String {
        let micros = timestamp(text).unwrap();
        DateTime::from_timestamp_micros(micros).unwrap().naive_utc().to_string()
    }

    // What PostgreSQL 15 makes of the same texts.
    #[test]
    fn timestamps_in_their_forms() {
        for (text, expected) in [
            ("2026-01-01", "2026-01-01 00:00:00"),
            ("2026-01-01 12:00", "2026-01-01 12:00:00"),
            ("2026-01-01T10:00:05.25Z", "2026-01-01 10:00:05.250"),
            ("20260105T103000", "2026-01-05 10:30:00"),
            ("Jan 5 2026 3:04 pm", "2026-01-05 15:04:00"),
            ("5 January 2026 12:30 AM", "2026-01-05 00:30:00"),
            ("05-Jan-2026", "2026-01-05 00:00:00"),
            ("Mon Jan 05 10:00:00 2026", "2026-01-05 10:00:00"),
            ("2026-01-01 24:00", "2026-01-02 00:00:00"),
            ("2026-01-01 00:00:00.1234567", "2026-01-01 00:00:00.123457"),
            ("epoch", "1970-01-01 00:00:00"),
        ] {
            assert_eq!(at(text), expected, "{text}");
        }
        assert_eq!(timestamp("infinity"), Ok(i64::MAX));
        assert_eq!(timestamp("-Infinity"), Ok(i64::MIN));
        for text in
            ["", "hello", "2026", "2026-01", "1/2/2026", "12:00", "2026-01-01 12", "2026-01-01 x", "1-2-2026"]
        {
            assert_eq!(timestamp(text), Err(Wrong::Syntax), "{text}");
        }
        for text in ["2026-13-01", "2026-02-30", "2026-01-01 25:00", "2026-01-01 12:60", "0000-01-01"] {
            assert_eq!(timestamp(text), Err(Wrong::Field), "{text}");
        }
    }

    #[test]
    fn zones_in_their_forms() {
        let berlin = Tz::from_str("Europe/Berlin").unwrap();
        let hour = 3_600_000_000;
        let noon = timestamp("2026-01-01 12:00").unwrap();
        for (text, before) in [
            ("2026-01-01 12:00", 1),
            ("2026-01-01 12:00+02", 2),
            ("2026-01-01 12:00 +0300", 3),
            ("2026-01-01 12:00 Asia/Tokyo", 9),
            ("2026-01-01 12:00 UTC", 0),
            ("2026-01-01 12:00-05:00", -5),
        ] {
            assert_eq!(timestamptz(text, berlin), Ok(noon - before * hour), "{text}");
        }
        assert_eq!(timestamptz("2026-01-01+00", berlin), Ok(noon - 12 * hour));
        assert_eq!(timetz("10:11:12.5+02", berlin).unwrap(), "10:11:12.5+02");
        assert_eq!(timetz("2026-07-01 10:11", berlin).unwrap(), "10:11:00+02");
        assert_eq!(timetz("10:11-03:30", berlin).unwrap(), "10:11:00-03:30");
    }

    #[test]
    fn dates_and_times_alone() {
        assert_eq!(date("1970-01-03 10:00"), Ok(2));
        assert_eq!(date("0044-03-15 BC"), Ok(-735_160));
        assert_eq!(time("24:00"), Ok(DAY_MICROS));
        assert_eq!(time("1:02:03.5"), Ok(3_723_500_000));
        assert_eq!(date("10:00"), Err(Wrong::Syntax));
    }
}
