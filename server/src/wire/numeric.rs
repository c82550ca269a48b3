//! PostgreSQL's `numeric` on the wire, from and to an `i128` with a decimal scale.
//!
//! arrow-pg goes through a 96-bit decimal, which quotients of money columns do not fit.
//! Binary form: count, weight, sign and display scale as 16-bit integers, then base-10000 digits; the value is
//! `sum(digit[i] * 10000^(weight - i))`.

use std::fmt::Write;

use bytes::{Buf, BufMut, BytesMut};

const BASE: u128 = 10_000;
const SIGN_POSITIVE: u16 = 0x0000;
const SIGN_NEGATIVE: u16 = 0x4000;
/// Most decimal digits of an `i128` decimal.
pub(crate) const MAX_PRECISION: u8 = 38;

/// Appends the binary form of `value / 10^scale`.
pub(crate) fn put_binary(value: i128, scale: i8, out: &mut BytesMut) {
    let (magnitude, display_scale) = if scale < 0 {
        let factor = 10_u128.pow(u32::from(scale.unsigned_abs()));
        (value.unsigned_abs().saturating_mul(factor), 0_u16)
    } else {
        (value.unsigned_abs(), u16::from(scale.unsigned_abs()))
    };
    // The decimal point must stand between two base-10000 digits, so split there and fill the fraction up.
    let fraction_digits = usize::from(display_scale);
    let unit = 10_u128.checked_pow(u32::from(display_scale));
    let (mut whole, fraction) = match unit {
        Some(unit) => (magnitude / unit, magnitude % unit),
        None => (0, magnitude),
    };

    let mut digits: Vec<u16> = Vec::with_capacity(20);
    while whole > 0 {
        digits.push(base_digit(whole % BASE));
        whole /= BASE;
    }
    digits.reverse();
    let mut weight = i16::try_from(digits.len()).unwrap_or(i16::MAX) - 1;

    let mut text = format!("{fraction:0fraction_digits$}");
    while text.len() % 4 != 0 {
        text.push('0');
    }
    if fraction_digits > 0 {
        for group in text.as_bytes().chunks(4) {
            digits.push(group.iter().fold(0, |n, byte| n * 10 + u16::from(byte - b'0')));
        }
    }

    let leading = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..leading);
    weight -= i16::try_from(leading).unwrap_or(i16::MAX);
    while digits.last() == Some(&0) {
        digits.pop();
    }
    if digits.is_empty() {
        weight = 0;
    }

    out.put_u16(u16::try_from(digits.len()).unwrap_or(u16::MAX));
    out.put_i16(weight);
    out.put_u16(if value < 0 { SIGN_NEGATIVE } else { SIGN_POSITIVE });
    out.put_u16(display_scale);
    for digit in digits {
        out.put_u16(digit);
    }
}

fn base_digit(value: u128) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

/// Appends the text of `value / 10^scale`, with all `scale` digits after the point.
pub(crate) fn put_text(value: i128, scale: i8, out: &mut BytesMut) {
    let scale_digits = usize::from(scale.max(0).unsigned_abs());
    let mut text = String::with_capacity(48);
    if value < 0 {
        text.push('-');
    }
    let digits = value.unsigned_abs().to_string();
    if scale_digits == 0 {
        text.push_str(&digits);
        text.extend(std::iter::repeat_n('0', usize::from(scale.min(0).unsigned_abs())));
    } else {
        let whole = digits.len().saturating_sub(scale_digits);
        text.push_str(if whole == 0 { "0" } else { &digits[..whole] });
        // Writing to a string cannot fail.
        let _ = write!(text, ".{:0>scale_digits$}", &digits[whole..]);
    }
    out.put_slice(text.as_bytes());
}

/// Reads the binary form as a value and its scale; `None` if it is malformed, not a number, or has more digits than
/// an `i128` holds.
pub(crate) fn from_binary(mut bytes: &[u8]) -> Option<(i128, i8)> {
    if bytes.len() < 8 {
        return None;
    }
    let count = usize::from(bytes.get_u16());
    let weight = i32::from(bytes.get_i16());
    let sign = bytes.get_u16();
    let scale = i8::try_from(bytes.get_u16()).ok()?;
    if bytes.len() != count * 2 || (sign != SIGN_POSITIVE && sign != SIGN_NEGATIVE) {
        return None;
    }
    let mut value: i128 = 0;
    for index in 0..i32::try_from(count).ok()? {
        let digit = i128::from(bytes.get_u16());
        // This digit counts 10000^(weight - index), in units of 10^-scale.
        let exponent = (weight - index) * 4 + i32::from(scale);
        let part = if exponent >= 0 {
            digit.checked_mul(10_i128.checked_pow(u32::try_from(exponent).ok()?)?)?
        } else {
            // Digits below the display scale are zeros that fill the last group.
            digit / 10_i128.checked_pow(u32::try_from(-exponent).ok()?)?
        };
        value = value.checked_add(part)?;
    }
    Some((if sign == SIGN_NEGATIVE { -value } else { value }, scale))
}

/// Reads `[+-]digits[.digits][e[+-]digits]` as a value and its scale; `None` for anything else or too many digits.
pub(crate) fn from_text(text: &str) -> Option<(i128, i8)> {
    let text = text.trim();
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
    }
    let mut scale = i32::try_from(fraction.len()).ok()? - exponent;
    if scale < 0 {
        value = value.checked_mul(10_i128.checked_pow(scale.unsigned_abs())?)?;
        scale = 0;
    }
    let scale = i8::try_from(scale).ok()?;
    if scale.unsigned_abs() > MAX_PRECISION {
        return None;
    }
    Some((if negative { -value } else { value }, scale))
}

/// Decimal digits of `value`, at least one.
pub(crate) fn precision(value: i128) -> u8 {
    let digits = value.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1);
    u8::try_from(digits).unwrap_or(MAX_PRECISION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_form_is_that_of_postgres() {
        // As sent by PostgreSQL for 12345.678::numeric(18,4).
        let mut out = BytesMut::new();
        put_binary(123_456_780, 4, &mut out);
        assert_eq!(out.as_ref(), [0, 3, 0, 1, 0, 0, 0, 4, 0, 1, 0x09, 0x29, 0x1a, 0x7c]);
        out.clear();
        put_binary(0, 4, &mut out);
        assert_eq!(out.as_ref(), [0, 0, 0, 0, 0, 0, 0, 4]);
        out.clear();
        put_binary(-5, 3, &mut out); // -0.005
        assert_eq!(out.as_ref(), [0, 1, 0xff, 0xff, 0x40, 0, 0, 3, 0, 50]);
    }

    #[test]
    fn both_forms_round_trip() {
        for value in [0, 1, -1, 9_999, 10_000, 123_456_789, i128::MAX, i128::MIN + 1] {
            for scale in [0, 1, 3, 4, 10, 23, 38] {
                let mut out = BytesMut::new();
                put_binary(value, scale, &mut out);
                assert_eq!(from_binary(&out), Some((value, scale)), "{value} {scale}");
                out.clear();
                put_text(value, scale, &mut out);
                let text = std::str::from_utf8(&out).unwrap();
                assert_eq!(from_text(text), Some((value, scale)), "{text}");
            }
        }
    }

    #[test]
    fn text_forms() {
        let text = |value, scale| {
            let mut out = BytesMut::new();
            put_text(value, scale, &mut out);
            String::from_utf8(out.to_vec()).unwrap()
        };
        assert_eq!(text(-5, 3), "-0.005");
        assert_eq!(text(1_500, 2), "15.00");
        assert_eq!(text(15, -2), "1500");
        assert_eq!(from_text("1.5e3"), Some((1500, 0)));
        assert_eq!(from_text("15e-1"), Some((15, 1)));
        for wrong in ["", ".", "1.2.3", "abc", "NaN", "1e999"] {
            assert_eq!(from_text(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn malformed_binary_is_refused() {
        assert_eq!(from_binary(&[]), None);
        assert_eq!(from_binary(&[0, 9, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(from_binary(&[0, 0, 0, 0, 0xc0, 0, 0, 0]), None); // NaN
    }
}
