//! Time zones by the names that PostgreSQL takes.
//!
//! A zone is a name of the IANA data base, a number of hours east of Greenwich, or a POSIX zone such as `<+03>-03` or
//! `UTC+2`, whose sign counts west. The engine knows names and offsets `+HH:MM` only.

use std::str::FromStr;

use arrow::array::timezone::Tz;

/// Hours that a zone may differ from Greenwich, and a bit, as in PostgreSQL.
const MAX_MINUTES: i32 = 167 * 60;

/// `value` in the form in which `SHOW` prints it; `None` if it is no zone.
pub(super) fn canonical(value: &str) -> Option<String> {
    let value = value.trim();
    if let Some(name) = iana_name(value) {
        return Some(name);
    }
    if let Ok(hours) = value.parse::<f64>() {
        let minutes = (hours * 60.0).round();
        return (minutes.abs() < f64::from(MAX_MINUTES)).then(|| posix_name(minutes as i32));
    }
    posix_minutes(value).map(|_| value.to_owned())
}

/// The zone of an interval, as `SET TIME ZONE INTERVAL '+05:45'` gives it: its sign counts east.
pub(crate) fn of_interval(value: &str) -> Option<String> {
    offset_minutes(value.trim()).map(posix_name)
}

/// What the engine calls the zone that [`canonical`] gave.
pub(super) fn for_engine(canonical: &str) -> String {
    match posix_minutes(canonical) {
        Some(minutes) if iana_name(canonical).is_none() => offset_text(minutes),
        _ => canonical.to_owned(),
    }
}

fn iana_name(value: &str) -> Option<String> {
    // Offsets are zones of the engine, but their sign means something else to PostgreSQL.
    if !value.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    if value.eq_ignore_ascii_case("utc") || value.eq_ignore_ascii_case("gmt") {
        return Some(value.to_ascii_uppercase());
    }
    if Tz::from_str(value).is_ok() {
        return Some(value.to_owned());
    }
    let zone = chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(value))?;
    Some(zone.name().to_owned())
}

/// `+02:00` or `2` as minutes.
fn offset_minutes(text: &str) -> Option<i32> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let plain = |text: &str| !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    if !plain(hours) || !plain(minutes) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total < MAX_MINUTES).then_some(if negative { -total } else { total })
}

/// Minutes east of Greenwich of `<name>offset`, `NAMEoffset` or an offset alone; the offset counts west.
fn posix_minutes(zone: &str) -> Option<i32> {
    let offset = match zone.strip_prefix('<') {
        Some(rest) => rest.split_once('>')?.1,
        None => zone.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
    };
    let named = offset.len() < zone.len();
    if !named && !offset.contains(':') {
        return None;
    }
    offset_minutes(offset).map(|minutes| -minutes)
}

fn posix_name(minutes: i32) -> String {
    format!("<{}>{}", short_offset(minutes), short_offset(-minutes))
}

fn short_offset(minutes: i32) -> String {
    let text = offset_text(minutes);
    text.strip_suffix(":00").map(str::to_owned).unwrap_or(text)
}

fn offset_text(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_those_of_postgres() {
        for (value, shown, engine) in [
            ("europe/berlin", "Europe/Berlin", "Europe/Berlin"),
            ("utc", "UTC", "UTC"),
            ("gmt", "GMT", "GMT"),
            ("EST5EDT", "EST5EDT", "EST5EDT"),
            ("+3", "<+03>-03", "+03:00"),
            ("-7.5", "<-07:30>+07:30", "-07:30"),
            ("-03:30", "-03:30", "+03:30"),
            ("<+02>-02", "<+02>-02", "+02:00"),
            ("UTC+2", "UTC+2", "-02:00"),
        ] {
            assert_eq!(canonical(value).as_deref(), Some(shown), "{value}");
            assert_eq!(for_engine(shown), engine, "{value}");
        }
        for wrong in ["mars", "z9z", "", "+99999", "1:99", "<+02"] {
            assert_eq!(canonical(wrong), None, "{wrong}");
        }
        assert_eq!(of_interval("+05:45").as_deref(), Some("<+05:45>-05:45"));
    }
}
