//! The text of `jsonb`: keys by length and then by bytes, the last of equal keys, one space behind colons and commas,
//! numbers with the digits that they came with.

use std::collections::BTreeMap;

use datafusion::common::Result;
use serde_json::value::RawValue;

use crate::error::{SqlError, sqlstate};

/// A key in the order of `jsonb`.
#[derive(Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Key(pub String);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.len(), &self.0).cmp(&(other.0.len(), &other.0))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Refuses what is no JSON.
///
/// # Errors
/// 22P02.
pub(super) fn check(value: &str) -> Result<()> {
    match serde_json::from_str::<serde::de::IgnoredAny>(value) {
        Ok(_) => Ok(()),
        Err(_) => Err(invalid().into()),
    }
}

fn invalid() -> SqlError {
    SqlError::new(sqlstate::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
}

/// `value` as `jsonb` writes it. O(n log n).
///
/// # Errors
/// 22P02 for what is no JSON, or is nested more than 127 deep.
pub(super) fn normalized(value: &str) -> Result<String> {
    check(value)?;
    let mut out = String::with_capacity(value.len() + value.len() / 8);
    write(value.trim(), &mut out).ok_or_else(invalid)?;
    Ok(out)
}

fn write(raw: &str, out: &mut String) -> Option<()> {
    match raw.as_bytes().first()? {
        b'{' => {
            let members: BTreeMap<Key, &RawValue> = serde_json::from_str(raw).ok()?;
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(&serde_json::to_string(&key.0).ok()?);
                out.push_str(": ");
                write(member.get(), out)?;
            }
            out.push('}');
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write(item.get(), out)?;
            }
            out.push(']');
        }
        b'"' => {
            let text: String = serde_json::from_str(raw).ok()?;
            out.push_str(&serde_json::to_string(&text).ok()?);
        }
        b't' | b'f' | b'n' => out.push_str(raw),
        _ => number(raw, out)?,
    }
    Some(())
}

/// Most digits that an exponent may make of a number.
const MAX_EXPONENT: i32 = 1_000;

/// A number without an exponent, as `numeric` writes it.
fn number(raw: &str, out: &mut String) -> Option<()> {
    let (mantissa, exponent) = match raw.split_once(['e', 'E']) {
        None => {
            out.push_str(if raw == "-0" { "0" } else { raw });
            return Some(());
        }
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
    };
    if exponent.abs() > MAX_EXPONENT {
        return None;
    }
    let (sign, digits) = mantissa.strip_prefix('-').map_or(("", mantissa), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let length = i32::try_from(all.len()).ok()?;
    let text = if point <= 0 {
        format!("0.{}{all}", "0".repeat(usize::try_from(-point).ok()?))
    } else if point >= length {
        format!("{all}{}", "0".repeat(usize::try_from(point - length).ok()?))
    } else {
        let (whole, fraction) = all.split_at(usize::try_from(point).ok()?);
        format!("{whole}.{fraction}")
    };
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let whole = whole.trim_start_matches('0');
    out.push_str(sign);
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_postgres_does() {
        for (json, jsonb) in [
            (r#" {"bb":1,"a":[1,2.50,"x\u00e4"],"a":{"z":null}} "#, r#"{"a": {"z": null}, "bb": 1}"#),
            (r#"[1e2, -1.5E-2, 12.30e1, 0.0, true]"#, "[100, -0.015, 123.0, 0.0, true]"),
            (r#""a\/b""#, r#""a/b""#),
            ("{}", "{}"),
        ] {
            assert_eq!(normalized(json).unwrap(), jsonb);
        }
        for wrong in ["", "{", "{a:1}", "[1,]", "nope"] {
            assert!(normalized(wrong).is_err(), "{wrong}");
        }
    }
}
