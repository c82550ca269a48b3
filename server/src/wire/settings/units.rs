//! Numbers with units, as `SET` reads and `SHOW` writes them: `90s`, `1536MB`.

/// Why a number is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UnitError {
    NotANumber,
    UnknownUnit,
    TooLarge,
}

/// Units by size, in microseconds.
const TIMES: &[(&str, f64)] =
    &[("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("min", 6e4), ("h", 3.6e6), ("d", 8.64e7)];
const SIZES: &[(&str, f64)] =
    &[("B", 1.0), ("kB", 1024.0), ("MB", 1_048_576.0), ("GB", 1_073_741_824.0), ("TB", 1_099_511_627_776.0)];

/// Milliseconds of `value`, rounded; without a unit it counts milliseconds.
pub(super) fn milliseconds(value: &str) -> Result<i64, UnitError> {
    parse(value, TIMES, 1.0)
}

/// Units of `unit_bytes` in `value`, rounded; without a unit it counts those.
pub(super) fn size(value: &str, unit_bytes: u64) -> Result<i64, UnitError> {
    parse(value, SIZES, unit_bytes as f64)
}

fn parse(value: &str, units: &[(&str, f64)], base: f64) -> Result<i64, UnitError> {
    let value = value.trim();
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+');
    let end = value.find(|c| !is_number(c)).unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    let number: f64 = number.parse().map_err(|_| UnitError::NotANumber)?;
    let factor = match unit.trim() {
        "" => base,
        unit => units
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, size)| *size)
            .ok_or(UnitError::UnknownUnit)?,
    };
    let count = (number * factor / base).round_ties_even();
    if count.abs() > f64::from(i32::MAX) {
        return Err(UnitError::TooLarge);
    }
    // In range, as was checked.
    Ok(count as i64)
}

/// `milliseconds` in the largest unit that it is a whole number of.
pub(super) fn show_milliseconds(milliseconds: i64) -> String {
    show(milliseconds, 1.0, TIMES)
}

/// `count` units of `unit_bytes` in the largest unit that it is a whole number of.
pub(super) fn show_size(count: i64, unit_bytes: u64) -> String {
    show(count, unit_bytes as f64, SIZES)
}

fn show(count: i64, base: f64, units: &[(&str, f64)]) -> String {
    if count <= 0 {
        return count.to_string();
    }
    let value = count as f64 * base;
    // Exact: counts have 31 bits.
    let fits = units.iter().rev().find(|(_, size)| *size >= 1.0 && (value / size).fract() == 0.0);
    match fits {
        Some((name, size)) => format!("{:.0}{name}", value / size),
        None => count.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_postgres() {
        for (value, shown) in [
            ("0", "0"),
            ("1.5s", "1500ms"),
            ("90s", "90s"),
            ("100us", "0"),
            ("60min", "1h"),
            ("90061001", "90061001ms"),
            ("2 d", "2d"),
        ] {
            assert_eq!(show_milliseconds(milliseconds(value).unwrap()), shown, "{value}");
        }
        assert_eq!(milliseconds("5 weeks"), Err(UnitError::UnknownUnit));
        assert_eq!(milliseconds("soon"), Err(UnitError::NotANumber));
        assert_eq!(milliseconds("99999999d"), Err(UnitError::TooLarge));
    }

    #[test]
    fn sizes_are_those_of_postgres() {
        assert_eq!(show_size(size("8192", 1024).unwrap(), 1024), "8MB");
        assert_eq!(show_size(size("1.5GB", 1024).unwrap(), 1024), "1536MB");
        assert_eq!(size("1B", 1024), Ok(0));
        assert_eq!(show_size(4097, 1024), "4097kB");
    }
}
