//! Text forms of numbers and times, written into byte buffers without allocation.

const DAY_US: i64 = 86_400_000_000;
const SECOND_US: u64 = 1_000_000;
/// Money is counted in 1/10,000 of the currency unit.
const MONEY_UNITS: u64 = 10_000;

/// Appends a number in decimal digits.
pub(crate) fn push_number(out: &mut Vec<u8>, value: u64) {
    push_padded(out, value, 1);
}

/// Appends a number in decimal digits, with zeros in front up to `width` (at most 20).
pub(crate) fn push_padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    let mut rest = value;
    while rest > 0 {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let start = start.min(digits.len() - width);
    out.extend_from_slice(&digits[start..]);
}

/// Appends an amount of 1/10,000 units exactly: at least two digits after the point, no further zeros at the end.
pub(crate) fn push_money(out: &mut Vec<u8>, amount_e4: i64) {
    if amount_e4 < 0 {
        out.push(b'-');
    }
    let magnitude = amount_e4.unsigned_abs();
    push_number(out, magnitude / MONEY_UNITS);
    out.push(b'.');
    let fraction = magnitude % MONEY_UNITS;
    if fraction.is_multiple_of(100) {
        push_padded(out, fraction / 100, 2);
    } else if fraction.is_multiple_of(10) {
        push_padded(out, fraction / 10, 3);
    } else {
        push_padded(out, fraction, 4);
    }
}

/// Appends cents as a JSON number in its shortest form, which survives a parse to a float and back.
pub(crate) fn push_price(out: &mut Vec<u8>, cents: u32) {
    push_number(out, u64::from(cents / 100));
    let fraction = cents % 100;
    if fraction == 0 {
        return;
    }
    out.push(b'.');
    if fraction.is_multiple_of(10) {
        push_number(out, u64::from(fraction / 10));
    } else {
        push_padded(out, u64::from(fraction), 2);
    }
}

/// Writes times in RFC 3339 with microseconds in UTC; remembers the last day, since neighbouring rows share it.
#[derive(Debug)]
pub(crate) struct TimeFormat {
    day: i64,
    day_text: [u8; 11],
}

impl TimeFormat {
    pub(crate) fn new() -> Self {
        Self { day: 0, day_text: *b"1970-01-01T" }
    }

    /// Appends a time in microseconds since 1970-01-01T00:00:00Z. Years 0001 to 9999.
    pub(crate) fn push(&mut self, out: &mut Vec<u8>, time_us: i64) {
        let day = time_us.div_euclid(DAY_US);
        if day != self.day {
            self.day = day;
            self.day_text = day_text(day);
        }
        let inside = time_us.rem_euclid(DAY_US) as u64;
        let seconds = inside / SECOND_US;
        let micros = inside % SECOND_US;
        let mut clock = *b"00:00:00.000000Z";
        put_two(&mut clock, 0, seconds / 3600);
        put_two(&mut clock, 3, seconds / 60 % 60);
        put_two(&mut clock, 6, seconds % 60);
        put_two(&mut clock, 9, micros / 10_000);
        put_two(&mut clock, 11, micros / 100 % 100);
        put_two(&mut clock, 13, micros % 100);
        out.extend_from_slice(&self.day_text);
        out.extend_from_slice(&clock);
    }
}

fn put_two(text: &mut [u8], position: usize, value: u64) {
    text[position] = b'0' + (value / 10) as u8;
    text[position + 1] = b'0' + (value % 10) as u8;
}

/// `YYYY-MM-DDT` of a day since 1970-01-01 in the proleptic Gregorian calendar.
fn day_text(day: i64) -> [u8; 11] {
    // Count from 0000-03-01, so that the leap day is the last day of a year; 146,097 days are 400 years.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March have 153 days per five.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);

    let mut text = *b"0000-00-00T";
    put_two(&mut text, 0, year.unsigned_abs() / 100);
    put_two(&mut text, 2, year.unsigned_abs() % 100);
    put_two(&mut text, 5, month.unsigned_abs());
    put_two(&mut text, 8, day_of_month.unsigned_abs());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers() {
        assert_eq!(text(|out| push_number(out, 0)), "0");
        assert_eq!(text(|out| push_number(out, u64::MAX)), "18446744073709551615");
        assert_eq!(text(|out| push_padded(out, 123, 7)), "0000123");
        assert_eq!(text(|out| push_padded(out, 12_345_678, 7)), "12345678");
    }

    #[test]
    fn money_is_exact() {
        assert_eq!(text(|out| push_money(out, 0)), "0.00");
        assert_eq!(text(|out| push_money(out, 1_299_000)), "129.90");
        assert_eq!(text(|out| push_money(out, -5)), "-0.0005");
        assert_eq!(text(|out| push_money(out, 12_340)), "1.234");
        assert_eq!(text(|out| push_price(out, 5000)), "50");
        assert_eq!(text(|out| push_price(out, 4950)), "49.5");
        assert_eq!(text(|out| push_price(out, 4905)), "49.05");
    }

    #[test]
    fn times() {
        let mut format = TimeFormat::new();
        let mut at = |time_us| text(|out| format.push(out, time_us));
        assert_eq!(at(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(at(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(at(1_767_225_600_000_001), "2026-01-01T00:00:00.000001Z");
        assert_eq!(at(951_782_400_000_000), "2000-02-29T00:00:00.000000Z");
        assert_eq!(at(-62_135_596_800_000_000), "0001-01-01T00:00:00.000000Z");
        assert_eq!(at(253_402_300_799_999_999), "9999-12-31T23:59:59.999999Z");
    }
}
