//! Numbers as they are written.

/// Digits that a decimal of the engine holds.
const MAX_DIGITS: usize = 38;

/// `text` without an exponent: `1.5e3` is `1500`. `None` if it is no number, or has more digits than a decimal.
pub(super) fn plain(text: &str) -> Option<String> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Digits before the point, after the exponent has moved it.
    let mut point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    if !(-40..=40).contains(&point) {
        return None;
    }
    while point < 1 {
        digits.insert(0, '0');
        point += 1;
    }
    let point = usize::try_from(point).ok()?;
    while digits.len() < point {
        digits.push('0');
    }
    let (whole, fraction) = digits.split_at(point);
    let whole = whole.trim_start_matches('0');
    if whole.len() + fraction.len() > MAX_DIGITS {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    })
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn exponents_move_the_point() {
        for (written, expected) in [
            ("1.5", "1.5"),
            ("1.50", "1.50"),
            ("007", "7"),
            ("1e3", "1000"),
            ("1.5e3", "1500"),
            ("1.25e1", "12.5"),
            ("1e-10", "0.0000000001"),
            ("-2.5E-1", "-0.25"),
            (".5", "0.5"),
            ("5.", "5"),
        ] {
            assert_eq!(plain(written).as_deref(), Some(expected), "{written}");
        }
        for other in ["", "NaN", "x", "1e50", "1e", "1.2.3", "1e-39"] {
            assert_eq!(plain(other), None, "{other}");
        }
    }
}
