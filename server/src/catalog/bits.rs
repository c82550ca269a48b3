//! What casts to `"char"` and of bit strings do.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ScalarUDF, Volatility};

use super::row_function::{RowFunction, integer_of, returns, text, text_of};
use crate::error::{SqlError, sqlstate};
use crate::wire::types::PG_CHAR_KEY;

/// `x::"char"`.
pub(crate) const TO_CHAR_TYPE: &str = "pg_to_char_type";
/// `x::bit(n)::bigint`, of `x` and `n`.
pub(crate) const TO_BITS: &str = "pg_bits_to_int8";

/// The functions.
pub(super) fn all() -> Vec<ScalarUDF> {
    let mark = (PG_CHAR_KEY.to_owned(), "1".to_owned());
    let char_type: Field = returns(DataType::Utf8).with_metadata([mark].into());
    vec![
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
    fn bit_strings_are_numbers() {
        // As PostgreSQL: select 'xff'::bit(8)::bigint, 'x8000000000000000ff'::bit(64)::bigint, '101'::bit(4)::bigint
        assert_eq!(bits("xff", 8).unwrap(), 255);
        assert_eq!(bits("x8000000000000000ff", 64).unwrap(), i64::MIN);
        assert_eq!(bits("101", 4).unwrap(), 10);
        assert!(bits("xg", 8).is_err());
    }
}
