//! Numbers as text, exactly: no float stands between the file and a decimal.

/// A decimal number as written: `mantissa * 10^exponent`, negative if so marked.
///
/// The mantissa has no trailing zero, so `-exponent` is the number of decimal places that are really used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExactNumber {
    pub(super) negative: bool,
    pub(super) mantissa: u128,
    pub(super) exponent: i32,
}

/// Why a text is not a value of a decimal column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NumberError {
    #[error("not a number")]
    NotANumber,
    #[error("has more than {0} decimal places; round it first")]
    TooManyDecimals(i8),
    #[error("too large: at most {0} digits fit before the decimal point")]
    TooLarge(u8),
}

/// Exponents beyond this are as good as infinite for every column.
const EXPONENT_LIMIT: i64 = 100_000;

impl ExactNumber {
    /// Parses `[+-]digits[.digits][e[+-]digits]` with white space around it; `None` for anything else, for more
    /// than 38 significant digits, and for exponents beyond 100,000. O(length).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.trim_ascii().as_bytes();
        let (negative, bytes) = match bytes.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, bytes),
        };
        let mut mantissa: u128 = 0;
        // Zeros join the mantissa only when another digit follows.
        let mut zeros: u32 = 0;
        let mut decimals: i64 = 0;
        let mut digits = 0_usize;
        let mut seen_point = false;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'0'..=b'9' => {
                    digits += 1;
                    decimals += i64::from(seen_point);
                    if byte == b'0' {
                        zeros += 1;
                    } else {
                        let shift = if mantissa == 0 { 1 } else { 10_u128.checked_pow(zeros + 1)? };
                        mantissa = mantissa.checked_mul(shift)?.checked_add(u128::from(byte - b'0'))?;
                        zeros = 0;
                    }
                }
                b'.' if !seen_point => seen_point = true,
                b'e' | b'E' => break,
                _ => return None,
            }
            at += 1;
        }
        if digits == 0 {
            return None;
        }
        let written_exponent = match bytes.get(at) {
            Some(_) => parse_exponent(&bytes[at + 1..])?,
            None => 0,
        };
        if mantissa == 0 {
            return Some(Self { negative, mantissa, exponent: 0 });
        }
        let exponent = i32::try_from(i64::from(zeros) - decimals + written_exponent).ok()?;
        Some(Self { negative, mantissa, exponent })
    }

    /// The value `unscaled / 10^scale`.
    pub(super) fn from_unscaled(unscaled: i128, scale: i8) -> Self {
        let mut mantissa = unscaled.unsigned_abs();
        let mut exponent = -i32::from(scale);
        if mantissa == 0 {
            return Self { negative: false, mantissa, exponent: 0 };
        }
        while mantissa.is_multiple_of(10) {
            mantissa /= 10;
            exponent += 1;
        }
        Self { negative: unscaled < 0, mantissa, exponent }
    }

    /// The value times `10^scale`, if that is an integer of at most `precision` digits.
    pub(super) fn to_decimal(self, precision: u8, scale: i8) -> Result<i128, NumberError> {
        let too_large = NumberError::TooLarge(precision.saturating_sub(scale.unsigned_abs()));
        let shift = self.exponent.saturating_add(i32::from(scale));
        let Ok(shift) = u32::try_from(shift) else {
            return Err(NumberError::TooManyDecimals(scale));
        };
        if self.mantissa == 0 {
            return Ok(0);
        }
        let scaled = 10_u128
            .checked_pow(shift)
            .and_then(|factor| self.mantissa.checked_mul(factor))
            .filter(|scaled| 10_u128.checked_pow(u32::from(precision)).is_none_or(|limit| *scaled < limit))
            .and_then(|scaled| i128::try_from(scaled).ok())
            .ok_or(too_large)?;
        Ok(if self.negative { -scaled } else { scaled })
    }

    /// The largest integer not above the value times `10^power`; `None` beyond 128 bits.
    pub(super) fn floor_scaled(self, power: i32) -> Option<i128> {
        let shift = self.exponent.saturating_add(power);
        let magnitude = i128::try_from(self.mantissa).ok()?;
        let value = if self.negative { -magnitude } else { magnitude };
        if value == 0 {
            return Some(0);
        }
        let factor = 10_i128.checked_pow(shift.unsigned_abs());
        if shift >= 0 {
            return value.checked_mul(factor?);
        }
        // A divisor beyond 128 bits leaves less than one: 0, or -1 below zero.
        Some(factor.map_or(-i128::from(self.negative), |divisor| value.div_euclid(divisor)))
    }
}

fn parse_exponent(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
        if value > EXPONENT_LIMIT {
            return None;
        }
    }
    Some(if negative { -value } else { value })
}

/// Parses the text of a decimal column exactly, never rounding.
///
/// # Errors
/// [`NumberError`] for text that is no number, uses more than `scale` decimal places, or has more than
/// `precision` digits when written with `scale` places.
pub(super) fn parse_decimal(text: &str, precision: u8, scale: i8) -> Result<i128, NumberError> {
    ExactNumber::parse(text).ok_or(NumberError::NotANumber)?.to_decimal(precision, scale)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str) -> Result<i128, NumberError> {
        parse_decimal(text, 18, 4)
    }

    #[test]
    fn decimals_are_exact() {
        let cases = [
            ("0", 0),
            ("-0.0", 0),
            ("1", 10_000),
            ("19.99", 199_900),
            (" 19.990000000 ", 199_900),
            ("+.5", 5_000),
            ("5.", 50_000),
            ("-0.0001", -1),
            ("1.5e3", 15_000_000),
            ("12345e-4", 12_345),
            ("1E2", 1_000_000),
            ("0e99999", 0),
            ("99999999999999.9999", 999_999_999_999_999_999),
            ("-99999999999999.9999", -999_999_999_999_999_999),
            (
                "00000000000000000000000000000000000000000000001.10000000000000000000000000000000000000000",
                11_000,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(money(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn wrong_numbers_are_told_apart() {
        for text in [
            "",
            " ",
            "abc",
            "1,5",
            "1.2.3",
            "--1",
            "1e",
            "e5",
            ".",
            "1e9999999999",
            "NaN",
            "inf",
            "0x10",
            "1_000",
        ] {
            assert_eq!(money(text), Err(NumberError::NotANumber), "{text}");
        }
        assert_eq!(money("0.00001"), Err(NumberError::TooManyDecimals(4)));
        assert_eq!(money("1e-5"), Err(NumberError::TooManyDecimals(4)));
        assert_eq!(money("100000000000000"), Err(NumberError::TooLarge(14)));
        assert_eq!(money("1e300"), Err(NumberError::TooLarge(14)));
        assert_eq!(
            NumberError::TooManyDecimals(4).to_string(),
            "has more than 4 decimal places; round it first"
        );
    }

    #[test]
    fn unscaled_values_agree_with_their_text() {
        for (unscaled, scale, text) in [(1_200, 2, "12"), (-5, 3, "-0.005"), (7, -2, "700"), (0, 9, "0")] {
            assert_eq!(Some(ExactNumber::from_unscaled(unscaled, scale)), ExactNumber::parse(text), "{text}");
        }
    }

    #[test]
    fn floors_go_down() {
        let floor = |text: &str, power| ExactNumber::parse(text).and_then(|n| n.floor_scaled(power));
        assert_eq!(floor("1.5", 0), Some(1));
        assert_eq!(floor("-1.5", 0), Some(-2));
        assert_eq!(floor("-1e-90", 0), Some(-1));
        assert_eq!(floor("1e-90", 0), Some(0));
        assert_eq!(floor("1700000000.1234567", 6), Some(1_700_000_000_123_456));
        assert_eq!(floor("1e90", 0), None);
    }

    proptest! {
        #[test]
        fn every_money_value_survives_its_text(unscaled in -999_999_999_999_999_999_i128..=999_999_999_999_999_999) {
            let magnitude = unscaled.unsigned_abs();
            let sign = if unscaled < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:04}", magnitude / 10_000, magnitude % 10_000);
            prop_assert_eq!(money(&text), Ok(unscaled));
            let scientific = format!("{unscaled}e-4");
            prop_assert_eq!(money(&scientific), Ok(unscaled));
        }

        #[test]
        fn any_text_is_answered(text in "\\PC*") {
            let _ = money(&text);
        }

        #[test]
        fn numbers_agree_with_floats(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            let text = format!("{value:e}");
            let number = ExactNumber::parse(&text).expect("a number");
            let back = format!("{}{}e{}", if number.negative { "-" } else { "" }, number.mantissa, number.exponent);
            prop_assert_eq!(back.parse::<f64>().expect("a float"), value);
        }
    }
}
