//! `uuid(x)`, `json(x)`, `jsonb(x)`, `name(x)`: what a cast to these types does. The values are text, checked and in the
//! type's own form; the field of the result carries the type.

use std::sync::Arc;

use arrow::array::{Array, AsArray, ListArray, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ScalarUDF, Volatility};

use super::jsonb_text;
use crate::catalog::row_function::{RowFunction, text};
use crate::error::{SqlError, sqlstate};
use crate::wire::types::typed_field;

/// Bytes of a `name`, the closing zero included.
const NAME_BYTES: usize = 64;

pub(super) fn all() -> Vec<ScalarUDF> {
    let cast = |name: &'static str, read: fn(&str) -> Result<String>| {
        RowFunction::udf(name, &[1], typed(name), Volatility::Immutable, move |arguments| {
            match arguments[0].cast_to(&DataType::Utf8)? {
                ScalarValue::Utf8(Some(value)) => Ok(text(read(&value)?)),
                _ => Ok(ScalarValue::Null),
            }
        })
    };
    vec![
        cast("uuid", uuid),
        cast("json", json),
        cast("jsonb", jsonb_text::normalized),
        cast("name", |value| Ok(name(value))),
        list("uuid_array", "uuid", uuid),
        list("json_array", "json", json),
        list("jsonb_array", "jsonb", jsonb_text::normalized),
    ]
}

/// A cast of arrays of text to arrays of `item`, whose values `read` checks.
fn list(name: &'static str, item: &'static str, read: fn(&str) -> Result<String>) -> ScalarUDF {
    let item = typed_field(Field::LIST_FIELD_DEFAULT_NAME, item, true);
    let result = Field::new("result", DataType::List(Arc::new(item.clone())), true);
    RowFunction::udf(name, &[1], result, Volatility::Immutable, move |arguments| {
        let texts = arguments[0].cast_to(&DataType::List(Arc::new(item.clone())))?;
        let ScalarValue::List(texts) = texts else { return Ok(ScalarValue::Null) };
        if texts.is_null(0) {
            return Ok(ScalarValue::Null);
        }
        let texts = texts.value(0);
        let values = texts.as_string::<i32>().iter().map(|text| text.map(read).transpose());
        let values: StringArray = values.collect::<Result<_>>()?;
        let lengths = OffsetBuffer::from_lengths([values.len()]);
        let list = ListArray::try_new(Arc::new(item.clone()), lengths, Arc::new(values), None)?;
        Ok(ScalarValue::List(Arc::new(list)))
    })
}

/// A field of the type called `pg_type`.
pub(super) fn typed(pg_type: &str) -> Field {
    typed_field("result", pg_type, true)
}

/// Any of PostgreSQL's spellings of a UUID: hyphens after each four digits or none, braces around it.
fn uuid(value: &str) -> Result<String> {
    let invalid = || {
        SqlError::new(
            sqlstate::INVALID_TEXT_REPRESENTATION,
            format!("invalid input syntax for type uuid: \"{value}\""),
        )
    };
    let inner = match value.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}').ok_or_else(invalid)?,
        None => value,
    };
    let mut out = String::with_capacity(36);
    let mut digits = 0;
    let mut may_break = false;
    for character in inner.chars() {
        if character == '-' && may_break && digits < 32 {
            may_break = false;
            continue;
        }
        if !character.is_ascii_hexdigit() || digits == 32 {
            return Err(invalid().into());
        }
        if matches!(digits, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(character.to_ascii_lowercase());
        digits += 1;
        may_break = digits % 4 == 0;
    }
    if digits == 32 { Ok(out) } else { Err(invalid().into()) }
}

fn json(value: &str) -> Result<String> {
    jsonb_text::check(value)?;
    Ok(value.to_owned())
}

fn name(value: &str) -> String {
    let mut end = value.len().min(NAME_BYTES - 1);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    value[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_uuids() {
        let plain = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        for spelling in [
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        ] {
            assert_eq!(uuid(spelling).unwrap(), plain);
        }
        for wrong in [
            "",
            "a0eebc99",
            "{a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a-0eebc999c0b4ef8bb6d6bb9bd380a11",
            "g0eebc999c0b4ef8bb6d6bb9bd380a11",
        ] {
            assert!(uuid(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_cut() {
        assert_eq!(name("short"), "short");
        assert_eq!(name(&"ä".repeat(40)).len(), 62);
    }
}
