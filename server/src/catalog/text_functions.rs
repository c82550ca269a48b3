//! `format(text, ...)`, and what casts to `"char"` and of bit strings do.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ScalarUDF, Volatility};

use super::objects::quoted;
use super::row_function::{RowFunction, integer_of, returns, text, text_of};
use crate::error::{SqlError, sqlstate};
use crate::wire::types::PG_CHAR_KEY;

/// `x::"char"`.
pub(crate) const TO_CHAR_TYPE: &str = "pg_to_char_type";
/// `x::bit(n)::bigint`, of `x` and `n`.
pub(crate) const TO_BITS: &str = "pg_bits_to_int8";

/// Most values that `format` takes.
const MAX_VALUES: usize = 32;

/// The functions.
pub(super) fn all() -> Vec<ScalarUDF> {
    let counts: Vec<usize> = (1..=MAX_VALUES + 1).collect();
    let mark = (PG_CHAR_KEY.to_owned(), "1".to_owned());
    let char_type: Field = returns(DataType::Utf8).with_metadata([mark].into());
    vec![
        RowFunction::udf("format", &counts, returns(DataType::Utf8), Volatility::Stable, |arguments| {
            let Some(pattern) = text_of(&arguments[0]) else { return Ok(ScalarValue::Null) };
            let values: Result<Vec<Option<String>>> = arguments[1..].iter().map(text_form).collect();
            Ok(text(format(pattern, &values?)?))
        }),
        RowFunction::udf(TO_CHAR_TYPE, &[1], char_type, Volatility::Immutable, |arguments| {
            Ok(match text_form(&arguments[0])? {
                Some(value) => text(value.chars().take(1).collect::<String>()),
                None => ScalarValue::Null,
            })
        }),
        RowFunction::udf(TO_BITS, &[2], returns(DataType::Int64), Volatility::Immutable, |arguments| {
            let (Some(digits), Some(length)) = (text_of(&arguments[0]), integer_of(&arguments[1])) else {
                return Ok(ScalarValue::Null);
            };
            Ok(ScalarValue::Int64(Some(bits(digits, length)?)))
        }),
    ]
}

fn text_form(value: &ScalarValue) -> Result<Option<String>> {
    match value.cast_to(&DataType::Utf8)? {
        ScalarValue::Utf8(value) => Ok(value),
        _ => Ok(None),
    }
}

/// `%s`, `%I` and `%L` with the values in turn, `%2$s` with the second; `%%` is a percent sign.
fn format(pattern: &str, values: &[Option<String>]) -> Result<String> {
    let wrong = |message: String| SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, message);
    let mut out = String::with_capacity(pattern.len());
    let mut characters = pattern.chars().peekable();
    let mut next = 0;
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let mut number = String::new();
        while let Some(digit) = characters.next_if(char::is_ascii_digit) {
            number.push(digit);
        }
        if !number.is_empty() {
            if characters.next() != Some('$') {
                return Err(wrong("widths in format() are not supported".to_owned()).into());
            }
            next = number.parse::<usize>().unwrap_or(0).wrapping_sub(1);
        }
        let kind =
            characters.next().ok_or_else(|| wrong("unterminated format() type specifier".to_owned()))?;
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value = values.get(next).ok_or_else(|| wrong("too few arguments for format()".to_owned()))?;
        next += 1;
        match (kind, value) {
            ('s', Some(value)) => out.push_str(value),
            ('s', None) => {}
            ('I', Some(value)) => out.push_str(&quoted(value)),
            ('I', None) => {
                return Err(wrong("null values cannot be formatted as an SQL identifier".to_owned()).into());
            }
            ('L', Some(value)) => {
                out.push('\'');
                out.push_str(&value.replace('\'', "''"));
                out.push('\'');
            }
            ('L', None) => out.push_str("NULL"),
            (other, _) => {
                return Err(wrong(format!("unrecognized format() type specifier \"{other}\"")).into());
            }
        }
    }
    Ok(out)
}

/// The first `length` bits of `x1f` (hexadecimal) or `101` (binary), with zeros behind where there are fewer, as a signed
/// number.
fn bits(digits: &str, length: i64) -> Result<i64> {
    if !(1..=64).contains(&length) {
        let message = format!("bit strings of {length} bits cannot be cast to bigint");
        return Err(SqlError::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, message).into());
    }
    let (radix, width, digits) = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => (16, 4, digits),
        None => (2, 1, digits.strip_prefix(['b', 'B']).unwrap_or(digits)),
    };
    let mut value: u64 = 0;
    let mut left = length;
    for digit in digits.chars() {
        let Some(digit) = digit.to_digit(radix) else {
            let kind = if radix == 16 { "hexadecimal" } else { "binary" };
            let message = format!("\"{digit}\" is not a valid {kind} digit");
            return Err(SqlError::new(sqlstate::INVALID_TEXT_REPRESENTATION, message).into());
        };
        let taken = left.min(width);
        value = value.checked_shl(u32::try_from(taken).unwrap_or(0)).unwrap_or(0)
            | u64::from(digit >> (width - taken));
        left -= taken;
        if left == 0 {
            break;
        }
    }
    value = value.checked_shl(u32::try_from(left).unwrap_or(0)).unwrap_or(0);
    // Shorter strings are not filled with their sign.
    Ok(value.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let values = [Some("a b".to_owned()), Some("it's".to_owned()), None];
        assert_eq!(format("%I.%L %s%% %1$s", &values).unwrap(), "\"a b\".'it''s' % a b");
        assert!(format("%s", &[]).is_err());
        assert!(format("%q", &values).is_err());
        assert!(format("%", &values).is_err());
    }

    #[test]
    fn bit_strings_are_numbers() {
        // As PostgreSQL: select 'xff'::bit(8)::bigint, 'x8000000000000000ff'::bit(64)::bigint, '101'::bit(4)::bigint
        assert_eq!(bits("xff", 8).unwrap(), 255);
        assert_eq!(bits("x8000000000000000ff", 64).unwrap(), i64::MIN);
        assert_eq!(bits("101", 4).unwrap(), 10);
        assert!(bits("xg", 8).is_err());
    }
}
