//! Arrays on the wire, of any number of dimensions.

use arrow::array::{Array, ListArray};
use bytes::{BufMut, BytesMut};
use pgwire::api::Type;
use pgwire::api::results::{FieldFormat, FieldInfo};
use pgwire::error::{PgWireError, PgWireResult};

use super::{Column, put_value};
use crate::error::{error, sqlstate};

/// A column of arrays, ready to be encoded.
pub(crate) struct Lists {
    pub(super) lists: ListArray,
    pub(super) values: Box<Column>,
    /// The innermost element.
    pub(super) element: FieldInfo,
}

impl Lists {
    /// Appends array `index`.
    ///
    /// # Errors
    /// 2202E if sub-arrays differ in length.
    pub(super) fn put(&self, index: usize, out: &mut BytesMut) -> PgWireResult<()> {
        if self.lists.is_null(index) {
            out.put_i32(-1);
            return Ok(());
        }
        let mut dimensions = Vec::new();
        self.measure(index, 0, &mut dimensions)?;
        let mut outcome = Ok(());
        put_value(out, |out| {
            outcome = match self.element.format() {
                FieldFormat::Text => self.text(index, out),
                FieldFormat::Binary => self.binary(index, &dimensions, out),
            };
        });
        outcome
    }

    fn items(&self, index: usize) -> std::ops::Range<usize> {
        let offsets = self.lists.value_offsets();
        let place = |offset: i32| usize::try_from(offset).unwrap_or_default();
        place(offsets[index])..place(offsets[index + 1])
    }

    /// Notes the lengths of array `index`, which is `depth` arrays deep.
    fn measure(&self, index: usize, depth: usize, dimensions: &mut Vec<usize>) -> PgWireResult<()> {
        let items = self.items(index);
        match dimensions.get(depth) {
            None => dimensions.push(items.len()),
            Some(length) if *length == items.len() => {}
            Some(_) => return Err(ragged()),
        }
        if let Column::List(inner) = self.values.as_ref() {
            for item in items {
                if inner.lists.is_null(item) {
                    return Err(ragged());
                }
                inner.measure(item, depth + 1, dimensions)?;
            }
        }
        Ok(())
    }

    fn text(&self, index: usize, out: &mut BytesMut) -> PgWireResult<()> {
        out.put_u8(b'{');
        let mut cell = BytesMut::new();
        for (number, item) in self.items(index).enumerate() {
            if number > 0 {
                out.put_u8(b',');
            }
            if let Column::List(inner) = self.values.as_ref() {
                inner.text(item, out)?;
                continue;
            }
            cell.clear();
            self.values.put_alone(item, &self.element, &mut cell)?;
            match cell.get(4..) {
                Some(text) if !cell.starts_with(&[0xff; 4]) => put_item(text, out),
                _ => out.put_slice(b"NULL"),
            }
        }
        out.put_u8(b'}');
        Ok(())
    }

    fn binary(&self, index: usize, dimensions: &[usize], out: &mut BytesMut) -> PgWireResult<()> {
        let is_empty = dimensions.contains(&0);
        let count = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
        out.put_i32(if is_empty { 0 } else { count(dimensions.len()) });
        let has_nulls = out.len();
        out.put_i32(0);
        out.put_u32(self.element.datatype().oid());
        if is_empty {
            return Ok(());
        }
        for length in dimensions {
            out.put_i32(count(*length));
            // Indexes begin at one.
            out.put_i32(1);
        }
        let mut nulls = false;
        self.binary_items(index, out, &mut nulls)?;
        out[has_nulls + 3] = u8::from(nulls);
        Ok(())
    }

    fn binary_items(&self, index: usize, out: &mut BytesMut, nulls: &mut bool) -> PgWireResult<()> {
        for item in self.items(index) {
            if let Column::List(inner) = self.values.as_ref() {
                inner.binary_items(item, out, nulls)?;
                continue;
            }
            let start = out.len();
            self.values.put_alone(item, &self.element, out)?;
            *nulls |= out[start..].starts_with(&[0xff; 4]);
        }
        Ok(())
    }
}

/// An item of an array's text, quoted where it must be.
fn put_item(text: &[u8], out: &mut BytesMut) {
    let is_special =
        |byte: &u8| matches!(byte, b'{' | b'}' | b',' | b'"' | b'\\') || byte.is_ascii_whitespace();
    if !text.is_empty() && !text.iter().any(is_special) && !text.eq_ignore_ascii_case(b"null") {
        out.put_slice(text);
        return;
    }
    out.put_u8(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}

fn ragged() -> PgWireError {
    error(
        sqlstate::ARRAY_SUBSCRIPT_ERROR,
        "multidimensional arrays must have array expressions with matching dimensions",
    )
}

/// The type of arrays of `element`; `None` if there is none here.
pub(crate) fn array_type(element: &Type) -> Option<Type> {
    Some(match *element {
        Type::BOOL => Type::BOOL_ARRAY,
        Type::BYTEA => Type::BYTEA_ARRAY,
        Type::CHAR => Type::CHAR_ARRAY,
        Type::NAME => Type::NAME_ARRAY,
        Type::INT2 => Type::INT2_ARRAY,
        Type::INT4 => Type::INT4_ARRAY,
        Type::INT8 => Type::INT8_ARRAY,
        Type::FLOAT4 => Type::FLOAT4_ARRAY,
        Type::FLOAT8 => Type::FLOAT8_ARRAY,
        Type::NUMERIC => Type::NUMERIC_ARRAY,
        Type::TEXT => Type::TEXT_ARRAY,
        Type::VARCHAR => Type::VARCHAR_ARRAY,
        Type::BPCHAR => Type::BPCHAR_ARRAY,
        Type::DATE => Type::DATE_ARRAY,
        Type::TIME => Type::TIME_ARRAY,
        Type::TIMETZ => Type::TIMETZ_ARRAY,
        Type::TIMESTAMP => Type::TIMESTAMP_ARRAY,
        Type::TIMESTAMPTZ => Type::TIMESTAMPTZ_ARRAY,
        Type::INTERVAL => Type::INTERVAL_ARRAY,
        Type::UUID => Type::UUID_ARRAY,
        Type::JSON => Type::JSON_ARRAY,
        Type::JSONB => Type::JSONB_ARRAY,
        Type::OID => Type::OID_ARRAY,
        _ => return None,
    })
}
