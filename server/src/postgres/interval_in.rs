//! Texts of intervals as PostgreSQL reads them: `1 year 2 mons -3 days 04:05:06.7`, `90 minutes`, `1-2`, `2 hours ago`,
//! `P1Y2M3DT4H5M6S`.

use arrow::datatypes::IntervalMonthDayNano;

use super::time_in::{Wrong, fraction_micros};

const DAY: f64 = 86_400e6;

/// The parts of an interval. Time is in microseconds.
#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    months: i64,
    days: i64,
    micros: i64,
}

impl Sum {
    /// Adds `whole` and a fraction of the same sign of a unit; fractions of months are days, of days time.
    fn add(&mut self, whole: i64, fraction: f64, unit: Unit) -> Result<(), Wrong> {
        let scaled = |factor: i64| whole.checked_mul(factor).ok_or(Wrong::Field);
        match unit {
            Unit::Months(factor) => {
                self.months = plus(self.months, scaled(factor)?)?;
                let months = fraction * factor as f64;
                if factor > 1 {
                    // As PostgreSQL: fractions of years are whole months.
                    self.months = plus(self.months, months.round_ties_even() as i64)?;
                } else {
                    self.add_days(months * 30.0)?;
                }
            }
            Unit::Days(factor) => {
                self.days = plus(self.days, scaled(factor)?)?;
                self.add_days(fraction * factor as f64)?;
            }
            Unit::Micros(factor) => {
                let micros = (fraction * factor as f64).round_ties_even() as i64;
                self.micros = plus(self.micros, plus(scaled(factor)?, micros)?)?;
            }
        }
        Ok(())
    }

    fn add_days(&mut self, days: f64) -> Result<(), Wrong> {
        self.days = plus(self.days, days.trunc() as i64)?;
        self.micros = plus(self.micros, (days.fract() * DAY).round_ties_even() as i64)?;
        Ok(())
    }

    fn interval(self) -> Result<IntervalMonthDayNano, Wrong> {
        let small = |value: i64| i32::try_from(value).map_err(|_| Wrong::Field);
        let nanos = self.micros.checked_mul(1_000).ok_or(Wrong::Field)?;
        Ok(IntervalMonthDayNano::new(small(self.months)?, small(self.days)?, nanos))
    }
}

fn plus(a: i64, b: i64) -> Result<i64, Wrong> {
    a.checked_add(b).ok_or(Wrong::Field)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Months(i64),
    Days(i64),
    Micros(i64),
}

/// Reads an interval.
///
/// # Errors
/// [`Wrong::Syntax`] for what is none, [`Wrong::Field`] if a part does not fit.
pub(crate) fn interval(text: &str) -> Result<IntervalMonthDayNano, Wrong> {
    let text = text.trim();
    if let Some(iso) = text.strip_prefix(['P', 'p']) {
        return iso_interval(iso);
    }
    let mut sum = Sum::default();
    let mut pending: Option<(i64, f64)> = None;
    let mut found = false;
    let mut ago = false;
    let spaced = with_blanks(text);
    let mut words = spaced.split_whitespace().peekable();
    if words.peek() == Some(&"@") {
        words.next();
    }
    for word in words {
        if ago {
            return Err(Wrong::Syntax);
        }
        if word.contains(':') {
            // `1 02:03:04` is a day and a time.
            if let Some((days, fraction)) = pending.take() {
                sum.add(days, fraction, Unit::Days(1))?;
            }
            sum.micros = plus(sum.micros, clock(word)?)?;
            found = true;
        } else if let Some((years, months)) = year_month(word) {
            sum.months = plus(sum.months, plus(years.checked_mul(12).ok_or(Wrong::Field)?, months)?)?;
            found = true;
        } else if word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
            if pending.is_some() {
                return Err(Wrong::Syntax);
            }
            pending = Some(number(word)?);
        } else if word.eq_ignore_ascii_case("ago") {
            ago = true;
        } else {
            let (whole, fraction) = pending.take().ok_or(Wrong::Syntax)?;
            sum.add(whole, fraction, unit(word).ok_or(Wrong::Syntax)?)?;
            found = true;
        }
    }
    if let Some((whole, fraction)) = pending {
        // A number alone counts seconds.
        sum.add(whole, fraction, Unit::Micros(1_000_000))?;
        found = true;
    }
    if !found {
        return Err(Wrong::Syntax);
    }
    if ago {
        let negative = |part: i64| part.checked_neg().ok_or(Wrong::Field);
        sum = Sum { months: negative(sum.months)?, days: negative(sum.days)?, micros: negative(sum.micros)? };
    }
    sum.interval()
}

/// Blanks between numbers and the units behind them: `1day2h`.
fn with_blanks(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut last = ' ';
    for character in text.chars() {
        let to_letter = last.is_ascii_digit() && character.is_alphabetic();
        let to_number =
            last.is_alphabetic() && (character.is_ascii_digit() || matches!(character, '+' | '-'));
        if to_letter || to_number {
            out.push(' ');
        }
        out.push(character);
        last = character;
    }
    out
}

/// A number with its fraction, which has the same sign.
fn number(word: &str) -> Result<(i64, f64), Wrong> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err(Wrong::Syntax);
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| Wrong::Field)? };
    let fraction: f64 = format!("0.{fraction}0").parse().map_err(|_| Wrong::Syntax)?;
    Ok((sign * whole, sign as f64 * fraction))
}

/// `-1:30`, `02:03:04.5` in microseconds.
fn clock(word: &str) -> Result<i64, Wrong> {
    let (sign, time) = match word.strip_prefix('-') {
        Some(time) => (-1, time),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let part = |text: &str| -> Result<i64, Wrong> {
        match text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            true => text.parse().map_err(|_| Wrong::Field),
            false => Err(Wrong::Syntax),
        }
    };
    let fields: Vec<&str> = time.split(':').collect();
    let (hours, minutes, seconds) = match fields.as_slice() {
        [hours, minutes] if fraction.is_empty() => (part(hours)?, part(minutes)?, 0),
        // `minutes:seconds.fraction`
        [minutes, seconds] => (0, part(minutes)?, part(seconds)?),
        [hours, minutes, seconds] => (part(hours)?, part(minutes)?, part(seconds)?),
        _ => return Err(Wrong::Syntax),
    };
    if minutes > 59 || seconds > 60 {
        return Err(Wrong::Field);
    }
    let micros = hours.checked_mul(3_600_000_000).ok_or(Wrong::Field)?;
    let micros = plus(micros, minutes * 60_000_000 + seconds * 1_000_000 + fraction_micros(fraction)?)?;
    Ok(sign * micros)
}

/// `1-2`: years and months of one sign.
fn year_month(word: &str) -> Option<(i64, i64)> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let (years, months) = digits.split_once('-')?;
    let part =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok())?;
    let (years, months) = (part(years)?, part(months)?);
    (months < 12).then_some((sign * years, sign * months))
}

fn unit(word: &str) -> Option<Unit> {
    const MICROS: i64 = 1_000_000;
    let lower = word.trim_end_matches(',').to_ascii_lowercase();
    Some(match lower.as_str() {
        "us" | "usec" | "usecs" | "microsecond" | "microseconds" | "usecond" | "useconds" => Unit::Micros(1),
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" | "mseconds" | "msecond" => {
            Unit::Micros(1_000)
        }
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Micros(MICROS),
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Micros(60 * MICROS),
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Micros(3_600 * MICROS),
        "d" | "day" | "days" => Unit::Days(1),
        "w" | "week" | "weeks" => Unit::Days(7),
        "mon" | "mons" | "month" | "months" => Unit::Months(1),
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Months(12),
        "dec" | "decs" | "decade" | "decades" => Unit::Months(120),
        "c" | "cent" | "century" | "centuries" => Unit::Months(1_200),
        "mil" | "mils" | "millennium" | "millennia" => Unit::Months(12_000),
        _ => return None,
    })
}

/// What stands behind the `P` of a duration of ISO 8601.
fn iso_interval(text: &str) -> Result<IntervalMonthDayNano, Wrong> {
    let mut sum = Sum::default();
    let mut in_time = false;
    let mut digits = String::new();
    let mut found = false;
    for character in text.chars() {
        let unit = match (character.to_ascii_uppercase(), in_time) {
            ('T', false) if digits.is_empty() => {
                in_time = true;
                continue;
            }
            ('Y', false) => Unit::Months(12),
            ('M', false) => Unit::Months(1),
            ('W', false) => Unit::Days(7),
            ('D', false) => Unit::Days(1),
            ('H', true) => Unit::Micros(3_600_000_000),
            ('M', true) => Unit::Micros(60_000_000),
            ('S', true) => Unit::Micros(1_000_000),
            ('0'..='9' | '.' | '+' | '-', _) => {
                digits.push(character);
                continue;
            }
            _ => return Err(Wrong::Syntax),
        };
        let (whole, fraction) = number(&digits)?;
        sum.add(whole, fraction, unit)?;
        digits.clear();
        found = true;
    }
    if !found || !digits.is_empty() {
        return Err(Wrong::Syntax);
    }
    sum.interval()
}

#[cfg(test)]
mod tests {
    use super::*;

    // What PostgreSQL 15 makes of the same texts.
    #[test]
    fn intervals_in_their_forms() {
        let second = 1_000_000_000_i64;
        let hour = 3_600 * second;
        for (text, months, days, nanos) in [
            ("3 days 4:00:00.000005", 0, 3, 4 * hour + 5_000),
            ("1 year 2 mons -3 days 04:05:06.7", 14, -3, 4 * hour + 5 * 60 * second + 6_700_000_000),
            ("1 day -02:03:04.5", 0, 1, -(2 * hour + 3 * 60 * second + 4_500_000_000)),
            ("90 minutes", 0, 0, 90 * 60 * second),
            ("1.5 days", 0, 1, 12 * hour),
            ("1.5 months", 1, 15, 0),
            ("1.5 years", 18, 0, 0),
            ("1 week", 0, 7, 0),
            ("1-2", 14, 0, 0),
            ("1:30", 0, 0, hour + 30 * 60 * second),
            ("2 hours ago", 0, 0, -2 * hour),
            ("@ 1 min", 0, 0, 60 * second),
            ("5", 0, 0, 5 * second),
            ("1 02:00:00", 0, 1, 2 * hour),
            ("1day2h", 0, 1, 2 * hour),
            ("-1.5 seconds", 0, 0, -1_500_000_000),
            ("P1Y2M3DT4H5M6.5S", 14, 3, 4 * hour + 5 * 60 * second + 6_500_000_000),
            ("PT-1H-0.5S", 0, 0, -hour - 500_000_000),
        ] {
            assert_eq!(interval(text), Ok(IntervalMonthDayNano::new(months, days, nanos)), "{text}");
        }
        for text in ["", "soon", "1 2", "day", "P", "P1", "1 day ago ago", "1:2:3:4", "1 x"] {
            assert_eq!(interval(text), Err(Wrong::Syntax), "{text}");
        }
        assert_eq!(interval("1:99"), Err(Wrong::Field));
        assert_eq!(interval("99999999999 years"), Err(Wrong::Field));
    }
}
