//! Small functions that clients call: quoting, kinds of types, locks that are never taken.

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ScalarUDF, Volatility};

use super::typed::typed;
use crate::catalog::row_function::{RowFunction, returns, text};

pub(super) fn all() -> Vec<ScalarUDF> {
    let pure = |name, counts: &[usize], result, evaluate: fn(&[ScalarValue]) -> Result<ScalarValue>| {
        RowFunction::udf(name, counts, result, Volatility::Immutable, evaluate)
    };
    vec![
        pure("quote_literal", &[1], returns(DataType::Utf8), |a| {
            Ok(as_text(&a[0])?.map_or(ScalarValue::Null, |value| text(quoted(&value))))
        }),
        pure("quote_nullable", &[1], returns(DataType::Utf8), |a| {
            Ok(text(as_text(&a[0])?.map_or_else(|| "NULL".to_owned(), |value| quoted(&value))))
        }),
        // Takes the mark of a type off.
        pure("text", &[1], returns(DataType::Utf8), |a| Ok(as_text(&a[0])?.map_or(ScalarValue::Null, text))),
        // Nothing here is ever locked.
        RowFunction::udf("pg_advisory_unlock_all", &[0], typed("void"), Volatility::Volatile, |_| {
            Ok(text(""))
        }),
        RowFunction::udf("gen_random_uuid", &[0], typed("uuid"), Volatility::Volatile, |_| {
            Ok(text(random_uuid()))
        }),
    ]
}

pub(super) fn as_text(value: &ScalarValue) -> Result<Option<String>> {
    match value.cast_to(&DataType::Utf8)? {
        ScalarValue::Utf8(text) => Ok(text),
        _ => Ok(None),
    }
}

/// `value` as a literal of a statement.
pub(super) fn quoted(value: &str) -> String {
    let doubled = value.replace('\'', "''");
    if value.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// A version 4 UUID.
fn random_uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_quoted() {
        assert_eq!(quoted("it's"), "'it''s'");
        assert_eq!(quoted("a\\b"), "E'a\\\\b'");
    }
}
