//! Values whose type is a mark of their field and that are no text: lists of names, identifiers and codes, the vectors
//! of the catalogs, transaction identifiers.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};
use bytes::{BufMut, BytesMut};
use pgwire::api::Type;
use pgwire::api::results::FieldFormat;
use pgwire::error::PgWireResult;

use super::types::type_named;
use crate::error::{from_datafusion, user_error};

/// The values of `array`, which are of `pg_type`, as they are sent.
///
/// # Errors
/// The values are of another kind than those of the type.
pub(super) fn encoded(
    array: &ArrayRef,
    pg_type: &Type,
    format: FieldFormat,
) -> PgWireResult<Vec<Option<Vec<u8>>>> {
    let converted = |array: &ArrayRef, target: &DataType| {
        cast(array, target).map_err(|e| user_error(from_datafusion(&e.into())))
    };
    if !matches!(array.data_type(), DataType::List(_)) {
        let numbers = converted(array, &DataType::Int32)?;
        let numbers = numbers.as_primitive::<Int32Type>().iter();
        return Ok(numbers
            .map(|number| {
                number.map(|number| match format {
                    FieldFormat::Text => number.cast_unsigned().to_string().into_bytes(),
                    FieldFormat::Binary => number.to_be_bytes().to_vec(),
                })
            })
            .collect());
    }
    let is_vector = matches!(*pg_type, Type::INT2_VECTOR | Type::OID_VECTOR);
    let element = match *pg_type {
        Type::INT2_VECTOR => &Type::INT2,
        Type::OID_VECTOR => &Type::OID,
        _ => pg_type.name().strip_prefix('_').and_then(type_named).unwrap_or(&Type::TEXT),
    };
    let lists = array.as_list::<i32>();
    (0..lists.len())
        .map(|row| {
            if lists.is_null(row) {
                return Ok(None);
            }
            let items = converted(&lists.value(row), &DataType::Utf8)?;
            let items: Vec<Option<&str>> = items.as_string::<i32>().iter().collect();
            Ok(Some(match format {
                FieldFormat::Text if is_vector => vector_text(&items).into_bytes(),
                FieldFormat::Text => array_text(&items).into_bytes(),
                FieldFormat::Binary => binary(&items, element, i32::from(!is_vector)),
            }))
        })
        .collect()
}

/// `1 2 3`.
fn vector_text(items: &[Option<&str>]) -> String {
    items.iter().map(|item| item.unwrap_or("0")).collect::<Vec<_>>().join(" ")
}

/// `{a,"b c",NULL}`.
fn array_text(items: &[Option<&str>]) -> String {
    let items = items.iter().map(|item| match item {
        None => "NULL".to_owned(),
        Some(item) => {
            let is_special = |character: char| {
                matches!(character, '{' | '}' | '"' | '\\' | ',') || character.is_whitespace()
            };
            if item.is_empty() || item.eq_ignore_ascii_case("null") || item.contains(is_special) {
                format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\""))
            } else {
                (*item).to_owned()
            }
        }
    });
    format!("{{{}}}", items.collect::<Vec<_>>().join(","))
}

/// Dimensions, whether there are NULLs, the type of the elements, their number, the first subscript, the elements.
fn binary(items: &[Option<&str>], element: &Type, first: i32) -> Vec<u8> {
    let mut out = BytesMut::new();
    out.put_i32(i32::from(!items.is_empty()));
    out.put_i32(i32::from(items.contains(&None)));
    out.put_u32(element.oid());
    if !items.is_empty() {
        out.put_i32(i32::try_from(items.len()).unwrap_or(i32::MAX));
        out.put_i32(first);
    }
    for item in items {
        let Some(item) = item else {
            out.put_i32(-1);
            continue;
        };
        match *element {
            Type::INT2 => {
                out.put_i32(2);
                out.put_i16(item.parse().unwrap_or_default());
            }
            Type::OID | Type::REGTYPE | Type::XID => {
                out.put_i32(4);
                // Held as signed numbers.
                out.put_i32(item.parse().unwrap_or_default());
            }
            _ => {
                out.put_i32(i32::try_from(item.len()).unwrap_or(i32::MAX));
                out.put_slice(item.as_bytes());
            }
        }
    }
    out.to_vec()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, ListArray};

    use super::*;

    #[test]
    fn vectors_and_arrays_have_their_own_forms() {
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(3), Some(4)]),
            None,
            Some(Vec::new()),
        ]));
        let text = |pg_type: &Type| encoded(&lists, pg_type, FieldFormat::Text).unwrap();
        assert_eq!(text(&Type::OID_VECTOR), [Some(b"3 4".to_vec()), None, Some(Vec::new())]);
        assert_eq!(text(&Type::OID_ARRAY), [Some(b"{3,4}".to_vec()), None, Some(b"{}".to_vec())]);
        let binary = encoded(&lists, &Type::OID_ARRAY, FieldFormat::Binary).unwrap();
        let first = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 26, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 3];
        assert_eq!(binary[0].as_ref().unwrap()[..28], first);
        assert_eq!(array_text(&[Some("a b"), Some("null"), None, Some("\"")]), r#"{"a b","null",NULL,"\""}"#);
    }

    #[test]
    fn transaction_identifiers_are_unsigned() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(-1), None]));
        let text = encoded(&numbers, &Type::XID, FieldFormat::Text).unwrap();
        assert_eq!(text, [Some(b"4294967295".to_vec()), None]);
    }
}
