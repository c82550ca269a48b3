//! Dates and times read after a template, as `to_timestamp` and `to_date` do.

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Weekday};
use datafusion::common::Result;

use super::date_patterns::{Field, FieldPart, Part, Template};
use super::date_write::{DAYS, JULIAN_OF_ZERO, MONTHS, ROMAN, cased};
use crate::error::{SqlError, sqlstate};

/// A time as a text says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) local: NaiveDateTime,
    /// Seconds east of UTC, if the text says it.
    pub(super) offset: Option<i32>,
}

#[derive(Debug, Default)]
struct Values {
    year: Option<i32>,
    before_christ: bool,
    century: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    week: Option<u32>,
    week_of_month: Option<u32>,
    iso_year: Option<i32>,
    iso_week: Option<u32>,
    iso_day: Option<u32>,
    julian: Option<i32>,
    hour: u32,
    twelve: bool,
    afternoon: bool,
    minute: u32,
    second: u32,
    second_of_day: Option<u32>,
    micros: i64,
    offset_hours: Option<i32>,
    offset_minutes: i32,
}

/// Reads `text`. O(length).
///
/// # Errors
/// 22007 for text that the template does not describe, 22008 for a time that there is not.
pub(super) fn read(template: &Template, text: &str) -> Result<Read> {
    let mut values = Values::default();
    let mut rest = text;
    for (index, part) in template.0.iter().enumerate() {
        if rest.is_empty() {
            break;
        }
        match part {
            Part::Text(character) => rest = after_character(rest, *character),
            Part::Field(field) => {
                rest = rest.trim_start();
                let next_is_digits = matches!(template.0.get(index + 1), Some(Part::Field(next)) if next.field.digits().is_some());
                rest = values.field(*field, rest, next_is_digits)?;
            }
        }
    }
    values.time(text)
}

/// A separator stands for any one or for none; another character is skipped with what stands in its place.
fn after_character(rest: &str, character: char) -> &str {
    let separator = |character: char| !character.is_alphanumeric();
    if !separator(character) {
        let mut letters = rest.chars();
        letters.next();
        return letters.as_str();
    }
    let trimmed = rest.trim_start();
    match trimmed.chars().next() {
        // A sign is a number's own, unless the template has it.
        Some(first) if separator(first) && (character != ' ' || !matches!(first, '-' | '+')) => {
            &trimmed[first.len_utf8()..]
        }
        _ => trimmed,
    }
}

impl Values {
    fn field<'a>(&mut self, part: FieldPart, text: &'a str, next_is_digits: bool) -> Result<&'a str> {
        let field = part.field;
        if let Some(width) = field.digits() {
            let width = usize::from(width);
            let most = if next_is_digits || matches!(field, Field::Fraction(_)) { width } else { 9 };
            let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
            let number: i32 = text[..digits].parse().map_err(|_| invalid(text, width, field))?;
            if next_is_digits && digits < width && text.len() < width {
                let message = format!("source string too short for \"{}\" formatting field", field.name());
                return Err(SqlError::new(sqlstate::INVALID_DATETIME_FORMAT, message).into());
            }
            self.number(field, number, digits)?;
            let ending = if part.ordinal.is_some() { 2 } else { 0 };
            return Ok(text[digits..].get(ending..).unwrap_or(""));
        }
        match field {
            Field::Era | Field::EraDots => {
                let (index, rest) = one_of(text, &["AD", "A.D.", "BC", "B.C."], part)?;
                self.before_christ = index > 1;
                Ok(rest)
            }
            Field::Half | Field::HalfDots => {
                let (index, rest) = one_of(text, &["AM", "A.M.", "PM", "P.M."], part)?;
                (self.twelve, self.afternoon) = (true, index > 1);
                Ok(rest)
            }
            Field::DayName => Ok(one_of(text, &DAYS, part)?.1),
            Field::DayShort => Ok(one_of(text, &DAYS.map(|day| &day[..3]), part)?.1),
            Field::MonthName | Field::MonthShort | Field::MonthRoman => {
                let (index, rest) = match field {
                    Field::MonthName => one_of(text, &MONTHS, part)?,
                    Field::MonthShort => one_of(text, &MONTHS.map(|month| &month[..3]), part)?,
                    // The longest first, as `I` begins most of them.
                    _ => {
                        let mut longest: Vec<usize> = (0..12).collect();
                        longest.sort_by_key(|index| std::cmp::Reverse(ROMAN[*index].len()));
                        let names: Vec<&str> = longest.iter().map(|index| ROMAN[*index]).collect();
                        let (found, rest) = one_of(text, &names, part)?;
                        (longest[found], rest)
                    }
                };
                self.month = u32::try_from(index + 1).ok();
                Ok(rest)
            }
            Field::YearComma => {
                let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b',').count();
                let plain = text[..digits].replace(',', "");
                self.year = Some(plain.parse().map_err(|_| invalid(text, 5, field))?);
                Ok(&text[digits..])
            }
            Field::OffsetHours | Field::Offset => {
                let (sign, digits) = match text.as_bytes().first() {
                    Some(b'-') => (-1, &text[1..]),
                    Some(b'+') => (1, &text[1..]),
                    _ => (1, text),
                };
                let (hours, mut rest) = two_digits(digits, field)?;
                self.offset_hours = Some(sign * hours);
                if field == Field::Offset
                    && let Some(minutes) = rest.strip_prefix(':')
                {
                    (self.offset_minutes, rest) = two_digits(minutes, field)?;
                }
                Ok(rest)
            }
            Field::OffsetMinutes => {
                let (minutes, rest) = two_digits(text, field)?;
                self.offset_minutes = minutes;
                Ok(rest)
            }
            _ => {
                let message = format!("formatting field \"{}\" is only supported in to_char", field.name());
                Err(SqlError::new(sqlstate::FEATURE_NOT_SUPPORTED, message).into())
            }
        }
    }

    fn number(&mut self, field: Field, number: i32, digits: usize) -> Result<()> {
        let count = number.unsigned_abs();
        match field {
            Field::Year(4) => self.year = Some(number),
            Field::Year(_) => self.year = Some(near_2020(number, digits)),
            Field::IsoYear(4) => self.iso_year = Some(number),
            Field::IsoYear(_) => self.iso_year = Some(near_2020(number, digits)),
            Field::Century => self.century = Some(number),
            Field::Month => self.month = Some(count),
            Field::Day => self.day = Some(count),
            Field::DayOfYear => self.day_of_year = Some(count),
            Field::IsoDayOfYear => {
                (self.iso_week, self.iso_day) =
                    (Some(count.saturating_sub(1) / 7 + 1), Some((count + 6) % 7 + 1));
            }
            Field::Week => self.week = Some(count),
            Field::WeekOfMonth => self.week_of_month = Some(count),
            Field::IsoWeek => self.iso_week = Some(count),
            Field::IsoDay => self.iso_day = Some(count),
            Field::Julian => self.julian = Some(number),
            Field::Hour24 => self.hour = count,
            Field::Hour12 => (self.hour, self.twelve) = (count, true),
            Field::Minute => self.minute = count,
            Field::Second => self.second = count,
            Field::SecondOfDay => self.second_of_day = Some(count),
            Field::Fraction(_) => {
                let digits = u32::try_from(digits.min(6)).unwrap_or(6);
                self.micros = i64::from(number) * 10_i64.pow(6 - digits);
            }
            // Neither a day of the week nor a quarter says anything beside the rest.
            _ => {}
        }
        Ok(())
    }

    fn time(&self, text: &str) -> Result<Read> {
        let out_of_range = || {
            let message = format!("date/time field value out of range: \"{text}\"");
            SqlError::new(sqlstate::DATETIME_FIELD_OVERFLOW, message)
        };
        let mut hour = self.hour;
        if self.twelve {
            if !(1..=12).contains(&hour) {
                let message = format!("hour \"{hour}\" is invalid for the 12-hour clock");
                return Err(SqlError::new(sqlstate::INVALID_DATETIME_FORMAT, message).into());
            }
            hour = hour % 12 + if self.afternoon { 12 } else { 0 };
        }
        let of_day = match self.second_of_day {
            Some(seconds) => NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0),
            None => NaiveTime::from_hms_opt(hour, self.minute, self.second),
        };
        let date = self.date().ok_or_else(out_of_range)?;
        let local = date
            .and_time(of_day.ok_or_else(out_of_range)?)
            .checked_add_signed(Duration::microseconds(self.micros))
            .ok_or_else(out_of_range)?;
        let offset = match self.offset_hours {
            Some(hours) if hours.abs() > 15 || self.offset_minutes > 59 => return Err(out_of_range().into()),
            Some(hours) => {
                let sign = if hours < 0 { -1 } else { 1 };
                Some(hours * 3_600 + sign * self.offset_minutes * 60)
            }
            None => None,
        };
        Ok(Read { local, offset })
    }

    /// `None` for a date that there is not.
    fn date(&self) -> Option<NaiveDate> {
        if let Some(julian) = self.julian {
            return NaiveDate::from_num_days_from_ce_opt(julian.checked_sub(JULIAN_OF_ZERO)?);
        }
        if let Some(week) = self.iso_week {
            let days = [
                Weekday::Mon,
                Weekday::Tue,
                Weekday::Wed,
                Weekday::Thu,
                Weekday::Fri,
                Weekday::Sat,
                Weekday::Sun,
            ];
            let day = days.get(self.iso_day.unwrap_or(1).checked_sub(1)? as usize)?;
            return NaiveDate::from_isoywd_opt(self.iso_year.or(self.year)?, week, *day);
        }
        // The year before 1 is the first before Christ.
        let year = match (self.year.or(self.iso_year), self.century) {
            (Some(year), _) if self.before_christ => 1 - year,
            (Some(year), _) => year,
            (None, Some(century)) => (century - 1) * 100 + 1,
            (None, None) => 0,
        };
        if let Some(day) = self.day_of_year {
            return NaiveDate::from_yo_opt(year, day);
        }
        if let Some(week) = self.week {
            return NaiveDate::from_yo_opt(year, week.checked_sub(1)?.checked_mul(7)? + 1);
        }
        let day = match (self.day, self.week_of_month) {
            (None, Some(week)) => week.checked_sub(1)?.checked_mul(7)? + 1,
            (day, _) => day.unwrap_or(1),
        };
        let date = NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), day)?;
        // What the types can hold.
        (date.year() < 262_000).then_some(date)
    }
}

/// A year of less than four digits, in the century that brings it next to 2020.
fn near_2020(year: i32, digits: usize) -> i32 {
    match year {
        _ if digits >= 4 => year,
        0..70 => year + 2_000,
        70..100 => year + 1_900,
        100..520 => year + 2_000,
        520..1_000 => year + 1_000,
        _ => year,
    }
}

fn two_digits(text: &str, field: Field) -> Result<(i32, &str)> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let number = text[..digits].parse().map_err(|_| invalid(text, 2, field))?;
    Ok((number, &text[digits..]))
}

fn one_of<'a>(text: &'a str, names: &[&str], part: FieldPart) -> Result<(usize, &'a str)> {
    let field = part.field;
    let found = names.iter().enumerate().find_map(|(index, name)| {
        let start = text.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then(|| (index, &text[name.len()..]))
    });
    found.ok_or_else(|| {
        let word: String = text.chars().take_while(|character| !character.is_whitespace()).collect();
        let name = match field {
            // These have a field for each case.
            Field::MonthName | Field::MonthShort | Field::DayName | Field::DayShort | Field::MonthRoman => {
                cased(field.name(), part.case)
            }
            _ => field.name().to_owned(),
        };
        wrong(&word, &name)
    })
}

fn invalid(text: &str, width: usize, field: Field) -> datafusion::common::DataFusionError {
    wrong(&text.chars().take(width).collect::<String>(), field.name())
}

fn wrong(value: &str, name: &str) -> datafusion::common::DataFusionError {
    let message = format!("invalid value \"{value}\" for \"{name}\"");
    SqlError::new(sqlstate::INVALID_DATETIME_FORMAT, message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str, template: &str) -> String {
        match read(&Template::parse(template), text) {
            Ok(read) => read.local.to_string(),
            Err(error) => error.to_string(),
        }
    }

    // What PostgreSQL 15 answers.
    #[test]
    fn texts_are_read_as_postgres_does() {
        for (text, template, expected) in [
            ("05 Jan 2026", "DD Mon YYYY", "2026-01-05 00:00:00"),
            ("2025-01-01 12:34:56.000123", "YYYY-MM-DD HH24:MI:SS.US", "2025-01-01 12:34:56.000123"),
            ("20260105", "YYYYMMDD", "2026-01-05 00:00:00"),
            ("2026/1/5", "YYYY-MM-DD", "2026-01-05 00:00:00"),
            ("5 january 26", "DD Month YY", "2026-01-05 00:00:00"),
            ("12:30 AM", "HH12:MI AM", "0000-01-01 00:30:00"),
            ("2026-032", "YYYY-DDD", "2026-02-01 00:00:00"),
            ("2026-W02-1", "IYYY-\"W\"IW-ID", "2026-01-05 00:00:00"),
            ("12.3", "SS.MS", "0000-01-01 00:00:12.300"),
        ] {
            assert_eq!(local(text, template), expected, "{text} as {template}");
        }
    }

    #[test]
    fn what_is_no_time_is_an_error() {
        for (text, template, expected) in [
            ("x", "YYYY-MM-DD", "invalid value \"x\" for \"YYYY\""),
            ("5 foo 2026", "DD Mon YYYY", "invalid value \"foo\" for \"Mon\""),
            ("2026-02-30", "YYYY-MM-DD", "date/time field value out of range: \"2026-02-30\""),
            ("13:00 PM", "HH12:MI PM", "hour \"13\" is invalid for the 12-hour clock"),
        ] {
            assert!(local(text, template).contains(expected), "{}", local(text, template));
        }
    }
}
