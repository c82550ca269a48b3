//! Text of timestamps and intervals in the styles that `DateStyle` and `IntervalStyle` name.

use std::fmt::Write;

use arrow::array::timezone::Tz;
use arrow::datatypes::IntervalMonthDayNano;
use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeZone, Timelike};
use chrono_tz::OffsetName;

/// How dates are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DateLayout {
    style: Style,
    day_first: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Iso,
    Sql,
    Postgres,
    German,
}

impl DateLayout {
    /// The layout of a `DateStyle` such as `ISO, MDY`.
    pub(crate) fn new(date_style: &str) -> Self {
        let (style, order) = date_style.split_once(", ").unwrap_or((date_style, "MDY"));
        let style = match style {
            "SQL" => Style::Sql,
            "Postgres" => Style::Postgres,
            "German" => Style::German,
            _ => Style::Iso,
        };
        Self { style, day_first: order == "DMY" }
    }
}

/// A time zone with the abbreviations of its offsets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Zone {
    zone: Tz,
    named: Option<chrono_tz::Tz>,
}

impl Zone {
    /// The zone that the engine calls `name`; `None` if there is none.
    pub(crate) fn new(name: &str) -> Option<Self> {
        Some(Self { zone: name.parse().ok()?, named: name.parse().ok() })
    }
}

/// A timestamp in microseconds since the epoch, in `zone` if it has one; `None` out of range.
pub(crate) fn timestamp_text(micros: i64, zone: Option<&Zone>, layout: DateLayout) -> Option<String> {
    match micros {
        i64::MAX => return Some("infinity".to_owned()),
        i64::MIN => return Some("-infinity".to_owned()),
        _ => {}
    }
    let utc = DateTime::from_timestamp_micros(micros)?.naive_utc();
    let Some(zone) = zone else {
        return Some(with_era(&utc, local_text(&utc, layout)));
    };
    let offset = zone.zone.offset_from_utc_datetime(&utc).fix();
    let local = utc.checked_add_offset(offset)?;
    let mut text = local_text(&local, layout);
    let numbers = offset_text(offset.local_minus_utc());
    match layout.style {
        Style::Iso => text.push_str(&numbers),
        _ => {
            text.push(' ');
            match zone.named {
                Some(named) => match named.offset_from_utc_datetime(&utc).abbreviation() {
                    Some(letters) if letters.starts_with(char::is_alphabetic) => text.push_str(letters),
                    // Zones without letters are abbreviated by their offset.
                    _ => text.push_str(&numbers.replace(':', "")),
                },
                None => text.push_str(&numbers),
            }
        }
    }
    Some(with_era(&local, text))
}

fn local_text(time: &NaiveDateTime, layout: DateLayout) -> String {
    let year = if time.year() > 0 { time.year() } else { 1 - time.year() };
    let (month, day) = (time.month(), time.day());
    let mut clock = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    push_fraction(&mut clock, i64::from(time.nanosecond() / 1_000));
    match (layout.style, layout.day_first) {
        (Style::Iso, _) => format!("{year:04}-{month:02}-{day:02} {clock}"),
        (Style::Sql, true) => format!("{day:02}/{month:02}/{year:04} {clock}"),
        (Style::Sql, false) => format!("{month:02}/{day:02}/{year:04} {clock}"),
        (Style::German, _) => format!("{day:02}.{month:02}.{year:04} {clock}"),
        (Style::Postgres, true) => {
            format!("{} {day:02} {} {clock} {year:04}", time.format("%a"), time.format("%b"))
        }
        (Style::Postgres, false) => {
            format!("{} {} {day:02} {clock} {year:04}", time.format("%a"), time.format("%b"))
        }
    }
}

/// The era stands after the zone.
fn with_era(time: &NaiveDateTime, text: String) -> String {
    if time.year() > 0 { text } else { text + " BC" }
}

/// `+01`, `+05:30`.
fn offset_text(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.unsigned_abs();
    let mut text = format!("{sign}{:02}", seconds / 3600);
    if !seconds.is_multiple_of(3600) {
        text.push_str(&format!(":{:02}", seconds / 60 % 60));
    }
    if !seconds.is_multiple_of(60) {
        text.push_str(&format!(":{:02}", seconds % 60));
    }
    text
}

/// Appends microseconds as a fraction without zeros at its end.
fn push_fraction(text: &mut String, micros: i64) {
    if micros != 0 {
        let fraction = format!(".{:06}", micros.unsigned_abs());
        text.push_str(fraction.trim_end_matches('0'));
    }
}

/// An interval taken apart; all parts of the time of day have one sign.
struct Parts {
    years: i32,
    months: i32,
    days: i32,
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
}

impl Parts {
    fn new(interval: IntervalMonthDayNano) -> Self {
        let micros = interval.nanoseconds / 1_000;
        Self {
            years: interval.months / 12,
            months: interval.months % 12,
            days: interval.days,
            hours: micros / 3_600_000_000,
            minutes: micros / 60_000_000 % 60,
            seconds: micros / 1_000_000 % 60,
            micros: micros % 1_000_000,
        }
    }

    fn has_time(&self) -> bool {
        self.hours != 0 || self.minutes != 0 || self.seconds != 0 || self.micros != 0
    }

    fn time_is_negative(&self) -> bool {
        self.hours < 0 || self.minutes < 0 || self.seconds < 0 || self.micros < 0
    }

    /// Seconds without their sign, with two digits if `filled`.
    fn seconds_text(&self, filled: bool) -> String {
        let seconds = self.seconds.unsigned_abs();
        let mut text = if filled { format!("{seconds:02}") } else { seconds.to_string() };
        push_fraction(&mut text, self.micros);
        text
    }
}

/// An interval in the style that `IntervalStyle` names.
pub(crate) fn interval_text(interval: IntervalMonthDayNano, style: &str) -> String {
    let parts = Parts::new(interval);
    match style {
        "iso_8601" => iso_interval(&parts),
        "sql_standard" => sql_interval(&parts),
        "postgres_verbose" => verbose_interval(&parts),
        _ => postgres_interval(&parts),
    }
}

fn postgres_interval(parts: &Parts) -> String {
    let mut text = String::new();
    // A positive part after a negative one needs its sign.
    let mut after_negative = false;
    for (value, unit) in [(parts.years, "year"), (parts.months, "mon"), (parts.days, "day")] {
        if value != 0 {
            let space = if text.is_empty() { "" } else { " " };
            let sign = if after_negative && value > 0 { "+" } else { "" };
            let plural = if value == 1 { "" } else { "s" };
            // Writing to a string cannot fail.
            let _ = write!(text, "{space}{sign}{value} {unit}{plural}");
            after_negative = value < 0;
        }
    }
    if text.is_empty() || parts.has_time() {
        let space = if text.is_empty() { "" } else { " " };
        let sign = match (parts.time_is_negative(), after_negative) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let (hours, minutes) = (parts.hours.unsigned_abs(), parts.minutes.unsigned_abs());
        let _ = write!(text, "{space}{sign}{hours:02}:{minutes:02}:{}", parts.seconds_text(true));
    }
    text
}

fn verbose_interval(parts: &Parts) -> String {
    let mut text = "@".to_owned();
    // The first part says whether all of them count backwards.
    let mut ago = None;
    let units = [
        (i64::from(parts.years), "year"),
        (i64::from(parts.months), "mon"),
        (i64::from(parts.days), "day"),
        (parts.hours, "hour"),
        (parts.minutes, "min"),
    ];
    for (value, unit) in units {
        if value != 0 {
            let shown = if *ago.get_or_insert(value < 0) { -value } else { value };
            let plural = if shown == 1 { "" } else { "s" };
            let _ = write!(text, " {shown} {unit}{plural}");
        }
    }
    if parts.seconds != 0 || parts.micros != 0 {
        let negative = parts.seconds < 0 || parts.micros < 0;
        let sign = if *ago.get_or_insert(negative) == negative { "" } else { "-" };
        let plural = if parts.seconds.abs() == 1 && parts.micros == 0 { "" } else { "s" };
        let _ = write!(text, " {sign}{} sec{plural}", parts.seconds_text(false));
    }
    match ago {
        None => text.push_str(" 0"),
        Some(true) => text.push_str(" ago"),
        Some(false) => {}
    }
    text
}

fn iso_interval(parts: &Parts) -> String {
    let mut text = "P".to_owned();
    for (value, unit) in [(parts.years, 'Y'), (parts.months, 'M'), (parts.days, 'D')] {
        if value != 0 {
            let _ = write!(text, "{value}{unit}");
        }
    }
    if parts.has_time() {
        text.push('T');
    }
    for (value, unit) in [(parts.hours, 'H'), (parts.minutes, 'M')] {
        if value != 0 {
            let _ = write!(text, "{value}{unit}");
        }
    }
    if parts.seconds != 0 || parts.micros != 0 {
        let sign = if parts.seconds < 0 || parts.micros < 0 { "-" } else { "" };
        let _ = write!(text, "{sign}{}S", parts.seconds_text(false));
    }
    if text.len() == 1 { "PT0S".to_owned() } else { text }
}

fn sql_interval(parts: &Parts) -> String {
    let has_months = parts.years != 0 || parts.months != 0;
    let has_days_or_time = parts.days != 0 || parts.has_time();
    let negative = parts.years < 0 || parts.months < 0 || parts.days < 0 || parts.time_is_negative();
    let positive = parts.years > 0
        || parts.months > 0
        || parts.days > 0
        || (parts.has_time() && !parts.time_is_negative());
    let (years, months, days) =
        (parts.years.unsigned_abs(), parts.months.unsigned_abs(), parts.days.unsigned_abs());
    let time = format!(
        "{}:{:02}:{}",
        parts.hours.unsigned_abs(),
        parts.minutes.unsigned_abs(),
        parts.seconds_text(true)
    );
    if !negative && !positive {
        return "0".to_owned();
    }
    let sign = |negative: bool| if negative { '-' } else { '+' };
    if (negative && positive) || (has_months && has_days_or_time) {
        return format!(
            "{}{years}-{months} {}{days} {}{time}",
            sign(parts.years < 0 || parts.months < 0),
            sign(parts.days < 0),
            sign(parts.time_is_negative())
        );
    }
    let minus = if negative { "-" } else { "" };
    if has_months {
        format!("{minus}{years}-{months}")
    } else if parts.days != 0 {
        format!("{minus}{days} {time}")
    } else {
        format!("{minus}{time}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected texts are those of PostgreSQL 15 for the same values.
    #[test]
    fn timestamps_in_every_style() {
        let berlin = Zone::new("Europe/Berlin").unwrap();
        let noon = 1_706_702_400_500_000; // 2024-01-31 12:00:00.5 UTC
        // Before our era years have no zero.
        let ides = chrono::NaiveDate::from_ymd_opt(-43, 3, 15).unwrap().and_time(chrono::NaiveTime::MIN);
        let ides = ides.and_utc().timestamp_micros();
        for (style, zoned, plain) in [
            ("ISO, MDY", "2024-01-31 13:00:00.5+01", "0044-03-15 00:00:00 BC"),
            ("Postgres, YMD", "Wed Jan 31 13:00:00.5 2024 CET", "Fri Mar 15 00:00:00 0044 BC"),
            ("Postgres, DMY", "Wed 31 Jan 13:00:00.5 2024 CET", "Fri 15 Mar 00:00:00 0044 BC"),
            ("SQL, DMY", "31/01/2024 13:00:00.5 CET", "15/03/0044 00:00:00 BC"),
            ("SQL, MDY", "01/31/2024 13:00:00.5 CET", "03/15/0044 00:00:00 BC"),
            ("German, DMY", "31.01.2024 13:00:00.5 CET", "15.03.0044 00:00:00 BC"),
        ] {
            let layout = DateLayout::new(style);
            assert_eq!(timestamp_text(noon, Some(&berlin), layout).as_deref(), Some(zoned), "{style}");
            assert_eq!(timestamp_text(ides, None, layout).as_deref(), Some(plain), "{style}");
        }
        let fixed = Zone::new("+03:00").unwrap();
        let german = timestamp_text(noon, Some(&fixed), DateLayout::new("German, DMY"));
        assert_eq!(german.as_deref(), Some("31.01.2024 15:00:00.5 +03"));
    }

    #[test]
    fn intervals_in_every_style() {
        let day = 86_400_000_000_000_i64;
        let mixed = IntervalMonthDayNano::new(14, -3, 14_706_700_000_000);
        let back = IntervalMonthDayNano::new(0, -1, 0);
        let short = IntervalMonthDayNano::new(0, 0, -(day / 24) - 500_000_000);
        for (style, texts) in [
            ("postgres", ["1 year 2 mons -3 days +04:05:06.7", "-1 days", "-01:00:00.5", "00:00:00"]),
            ("iso_8601", ["P1Y2M-3DT4H5M6.7S", "P-1D", "PT-1H-0.5S", "PT0S"]),
            ("sql_standard", ["+1-2 -3 +4:05:06.7", "-1 0:00:00", "-1:00:00.5", "0"]),
            (
                "postgres_verbose",
                [
                    "@ 1 year 2 mons -3 days 4 hours 5 mins 6.7 secs",
                    "@ 1 day ago",
                    "@ 1 hour 0.5 secs ago",
                    "@ 0",
                ],
            ),
        ] {
            let found = [mixed, back, short, IntervalMonthDayNano::new(0, 0, 0)]
                .map(|interval| interval_text(interval, style));
            assert_eq!(found, texts, "{style}");
        }
    }
}
