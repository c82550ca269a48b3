//! Dates and times written after a template, as `to_char` does.

use chrono::{Datelike, NaiveDateTime, Timelike};

use super::date_patterns::{Case, Field, FieldPart, Part, Template};

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
pub(super) const ROMAN: [&str; 12] =
    ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];
/// The Julian day of the day before 0001-01-01.
pub(super) const JULIAN_OF_ZERO: i32 = 1_721_425;

/// Where a local time is.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// Seconds east of UTC.
    pub(super) offset: i32,
    /// The zone's abbreviation; empty for times without a zone.
    pub(super) zone: String,
}

/// Writes `time`, local at `place`. O(length of the template).
pub(super) fn write(template: &Template, time: NaiveDateTime, place: &Place) -> String {
    let mut out = String::new();
    for part in &template.0 {
        match part {
            Part::Text(character) => out.push(*character),
            Part::Field(field) => field_text(&mut out, *field, time, place),
        }
    }
    out
}

fn field_text(out: &mut String, part: FieldPart, time: NaiveDateTime, place: &Place) {
    let number = |value: i64, width: usize| match part.bare {
        true => value.to_string(),
        false => format!("{value:0width$}"),
    };
    let padded = |text: String, width: usize| match part.bare {
        true => text,
        false => format!("{text:<width$}"),
    };
    let year = |year: i32| i64::from(if year > 0 { year } else { 1 - year });
    let last = |value: i64, digits: u8| match digits {
        4 => value,
        digits => value % 10_i64.pow(u32::from(digits)),
    };
    let week = time.iso_week();
    let month = time.month0() as usize;
    let day = time.weekday().num_days_from_sunday() as usize;
    let text = match part.field {
        Field::Era | Field::EraDots => {
            let dots = part.field == Field::EraDots;
            let era = match (time.year() > 0, dots) {
                (true, false) => "AD",
                (true, true) => "A.D.",
                (false, false) => "BC",
                (false, true) => "B.C.",
            };
            cased(era, part.case)
        }
        Field::Half | Field::HalfDots => {
            let half = match (time.hour() < 12, part.field == Field::HalfDots) {
                (true, false) => "AM",
                (true, true) => "A.M.",
                (false, false) => "PM",
                (false, true) => "P.M.",
            };
            cased(half, part.case)
        }
        Field::Century => {
            let year = i64::from(time.year());
            let century = if year > 0 { (year - 1) / 100 + 1 } else { -(-year / 100 + 1) };
            number(century, 2)
        }
        Field::DayName => padded(cased(DAYS[day], part.case), 9),
        Field::DayShort => cased(&DAYS[day][..3], part.case),
        Field::DayOfYear => number(i64::from(time.ordinal()), 3),
        Field::Day => number(i64::from(time.day()), 2),
        Field::DayOfWeek => number(day as i64 + 1, 1),
        Field::Fraction(digits) => {
            let micros = i64::from(time.nanosecond() % 1_000_000_000 / 1_000);
            let value = micros / 10_i64.pow(6 - u32::from(digits.min(6)));
            format!("{value:0width$}", width = usize::from(digits))
        }
        Field::Hour24 => number(i64::from(time.hour()), 2),
        Field::Hour12 => number(i64::from(time.hour12().1), 2),
        Field::IsoDayOfYear => number(i64::from(week.week0() * 7 + time.weekday().number_from_monday()), 3),
        Field::IsoDay => number(i64::from(time.weekday().number_from_monday()), 1),
        Field::IsoWeek => number(i64::from(week.week()), 2),
        Field::IsoYear(digits) => number(last(year(week.year()), digits), usize::from(digits)),
        Field::Julian => number(i64::from(time.date().num_days_from_ce() + JULIAN_OF_ZERO), 1),
        Field::Minute => number(i64::from(time.minute()), 2),
        Field::Month => number(month as i64 + 1, 2),
        Field::MonthName => padded(cased(MONTHS[month], part.case), 9),
        Field::MonthShort => cased(&MONTHS[month][..3], part.case),
        Field::MonthRoman => padded(cased(ROMAN[month], part.case), 4),
        Field::Offset => match place.offset.abs() % 3_600 / 60 {
            0 => hours(place.offset),
            minutes => format!("{}:{minutes:02}", hours(place.offset)),
        },
        Field::OffsetHours => hours(place.offset),
        Field::OffsetMinutes => format!("{:02}", place.offset.abs() % 3_600 / 60),
        Field::Quarter => number(month as i64 / 3 + 1, 1),
        Field::SecondOfDay => number(i64::from(time.num_seconds_from_midnight()), 1),
        Field::Second => number(i64::from(time.second()), 2),
        Field::Zone if part.case == Case::Lower => place.zone.to_lowercase(),
        Field::Zone => place.zone.clone(),
        Field::Week => number(i64::from(time.ordinal0() / 7 + 1), 2),
        Field::WeekOfMonth => number(i64::from(time.day0() / 7 + 1), 1),
        Field::YearComma => {
            let year = year(time.year());
            format!("{},{:03}", year / 1_000, year % 1_000)
        }
        Field::Year(digits) => number(last(year(time.year()), digits), usize::from(digits)),
    };
    out.push_str(&text);
    if let Some(case) = part.ordinal {
        out.push_str(&cased(ordinal(&text), case));
    }
}

fn hours(offset: i32) -> String {
    format!("{}{:02}", if offset < 0 { '-' } else { '+' }, offset.abs() / 3_600)
}

fn ordinal(number: &str) -> &'static str {
    let tens = number.len() > 1 && number.as_bytes()[number.len() - 2] == b'1';
    match number.as_bytes().last() {
        Some(b'1') if !tens => "ST",
        Some(b'2') if !tens => "ND",
        Some(b'3') if !tens => "RD",
        Some(digit) if digit.is_ascii_digit() => "TH",
        _ => "",
    }
}

/// `text` in letters of this case.
pub(super) fn cased(text: &str, case: Case) -> String {
    match case {
        Case::Upper => text.to_uppercase(),
        Case::Lower => text.to_lowercase(),
        Case::Capital => {
            let mut letters = text.chars();
            let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
            first + &letters.as_str().to_lowercase()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What PostgreSQL 15 answers.
    #[test]
    fn fields_as_postgres_writes_them() {
        let time = "2026-01-05T14:03:09.012345".parse().unwrap();
        let place = Place { offset: 19_800, zone: "IST".to_owned() };
        for (template, expected) in [
            ("YYYY-MM-DD HH24:MI:SS Dy", "2026-01-05 14:03:09 Mon"),
            ("yyyy-mm-dd hh:mi am", "2026-01-05 02:03 pm"),
            ("Day|DAY|FMDay", "Monday   |MONDAY   |Monday"),
            ("FMMonth FMDDth, YYYY", "January 5th, 2026"),
            ("MS US FF2 SSSS", "012 012345 01 50589"),
            ("IYYY-\"W\"IW-ID DDD Q WW W D", "2026-W02-1 005 1 01 1 2"),
            ("CC J Y,YYY RM|", "21 2461046 2,026 I   |"),
            ("OF TZH:TZM TZ", "+05:30 +05:30 IST"),
            ("DDTH", "05TH"),
        ] {
            assert_eq!(write(&Template::parse(template), time, &place), expected, "{template}");
        }
    }
}
