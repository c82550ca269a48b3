//! Floating-point numbers as PostgreSQL writes them: the shortest text that reads back as the same number, with an
//! exponent of at least two digits outside a middle range (`1e+20`, `1e-05`).

/// Decimal exponents from which `double precision` is written with an exponent.
const DOUBLE_EXPONENT_LIMIT: i32 = 15;
/// The same for `real`.
const REAL_EXPONENT_LIMIT: i32 = 6;
/// Decimal exponents below which both are.
const LEAST_EXPONENT: i32 = -4;

/// The text of a `double precision`.
pub(crate) fn double_text(value: f64) -> String {
    special(value.is_nan(), value.is_infinite(), value.is_sign_negative())
        .unwrap_or_else(|| shortest(&format!("{value:e}"), DOUBLE_EXPONENT_LIMIT))
}

/// The text of a `real`.
pub(crate) fn real_text(value: f32) -> String {
    special(value.is_nan(), value.is_infinite(), value.is_sign_negative())
        .unwrap_or_else(|| shortest(&format!("{value:e}"), REAL_EXPONENT_LIMIT))
}

fn special(nan: bool, infinite: bool, negative: bool) -> Option<String> {
    match (nan, infinite, negative) {
        (true, _, _) => Some("NaN".to_owned()),
        (_, true, false) => Some("Infinity".to_owned()),
        (_, true, true) => Some("-Infinity".to_owned()),
        _ => None,
    }
}

/// Rewrites `-1.25e7`, the shortest digits that Rust gives.
fn shortest(scientific: &str, exponent_limit: i32) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific.to_owned();
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(LEAST_EXPONENT..exponent_limit).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let Ok(exponent) = usize::try_from(exponent) else {
        let zeros = usize::try_from(exponent.unsigned_abs()).unwrap_or(0) - 1;
        return format!("{sign}0.{}{digits}", "0".repeat(zeros));
    };
    let whole = exponent + 1;
    if digits.len() <= whole {
        format!("{sign}{digits:0<whole$}")
    } else {
        format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_like_those_of_postgres() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e15, "1e+15"),
            (1.25e20, "1.25e+20"),
            (1e-300, "1e-300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double_text(value), text);
        }
        assert_eq!(real_text(0.1), "0.1");
        assert_eq!(real_text(123_456.0), "123456");
        assert_eq!(real_text(1e6), "1e+06");
    }
}
