//! The bytes of a block of rows on disk.
//!
//! Column after column: how long each of its three parts is (eight bytes each), then the parts, which are bits of what is
//! not NULL, offsets of text, and values. Each part begins at a multiple of [`ALIGNMENT`], so that a block that was read is
//! used as it is.

use arrow::array::{Array, ArrayData, ArrayDataBuilder, RecordBatch, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

/// Enough for every type, and a cache line.
pub(super) const ALIGNMENT: usize = 64;
/// Parts of a column.
const PARTS: usize = 3;

/// Appends the rows of a batch to `out`, which is empty. O(bytes).
///
/// # Errors
/// For column types that touchpoint tables cannot have.
pub(super) fn encode(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    for column in batch.columns() {
        encode_column(&column.to_data(), out)?;
    }
    Ok(())
}

fn encode_column(data: &ArrayData, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let header = out.len();
    out.resize(header + ALIGNMENT, 0);
    let mut part = |number: usize, append: &dyn Fn(&mut Vec<u8>)| {
        let start = out.len();
        append(out);
        let length = (out.len() - start) as u64;
        let at = header + number * size_of::<u64>();
        out[at..at + size_of::<u64>()].copy_from_slice(&length.to_le_bytes());
        out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
    };
    let (start, rows) = (data.offset(), data.len());
    if let Some(nulls) = data.nulls().filter(|nulls| nulls.null_count() > 0) {
        part(0, &|out| out.extend_from_slice(&nulls.inner().sliced()));
    }
    let unknown = || ArrowError::NotYetImplemented(format!("columns of type {} on disk", data.data_type()));
    match (data.data_type(), data.buffers()) {
        (DataType::Utf8, [buffer, text]) => {
            let offsets = &buffer.typed_data::<i32>()[start..=start + rows];
            let (first, last) = (offsets[0], offsets[rows]);
            part(1, &|out| {
                if first == 0 {
                    out.extend_from_slice(&buffer[start * size_of::<i32>()..][..size_of_val(offsets)]);
                    return;
                }
                out.reserve(size_of_val(offsets));
                for offset in offsets {
                    out.extend_from_slice(&(offset - first).to_ne_bytes());
                }
            });
            part(2, &|out| out.extend_from_slice(&text[first as usize..last as usize]));
        }
        (DataType::Boolean, [bits]) => {
            let bits = BooleanBuffer::new(bits.clone(), start, rows);
            part(2, &|out| out.extend_from_slice(&bits.sliced()));
        }
        (numbers, [values]) => {
            let width = numbers.primitive_width().ok_or_else(unknown)?;
            part(2, &|out| out.extend_from_slice(&values[start * width..(start + rows) * width]));
        }
        _ => return Err(unknown()),
    }
    Ok(())
}

/// The rows of a block. O(bytes of text), which is looked through.
///
/// # Errors
/// For bytes that [`encode`] did not give for this schema and number of rows.
pub(super) fn decode(bytes: &Buffer, schema: &SchemaRef, rows: usize) -> Result<RecordBatch, ArrowError> {
    let cut_off = || ArrowError::ComputeError("a block was cut off".to_owned());
    let mut at = 0;
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let header = bytes.get(at..at + ALIGNMENT).ok_or_else(cut_off)?;
        at += ALIGNMENT;
        let (lengths, _) = header.as_chunks::<{ size_of::<u64>() }>();
        let mut parts = Vec::with_capacity(PARTS);
        for length in &lengths[..PARTS] {
            let length = u64::from_le_bytes(*length) as usize;
            let end = at.checked_add(length).filter(|end| *end <= bytes.len()).ok_or_else(cut_off)?;
            parts.push(bytes.slice_with_length(at, length));
            at = end.next_multiple_of(ALIGNMENT);
        }
        let nulls = Some(&parts[0]).filter(|bits| !bits.is_empty());
        if nulls.is_some_and(|bits| bits.len() * 8 < rows) {
            return Err(cut_off());
        }
        let nulls = nulls.map(|bits| NullBuffer::new(BooleanBuffer::new(bits.clone(), 0, rows)));
        let first = if *field.data_type() == DataType::Utf8 { 1 } else { 2 };
        let column = ArrayDataBuilder::new(field.data_type().clone())
            .len(rows)
            .nulls(nulls)
            .buffers(parts.split_off(first))
            .build()?;
        columns.push(make_array(column));
    }
    RecordBatch::try_new(SchemaRef::clone(schema), columns)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringArray, UInt16Array,
    };
    use arrow::datatypes::{Field, Schema};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever part of a batch is written, it is read as it was.
        #[test]
        fn what_is_written_is_read(
            rows in prop::collection::vec(
                (any::<u16>(), any::<i64>(), prop::option::of("[a-cé]{0,9}"), prop::option::of(any::<bool>())),
                0..60,
            ),
            from in 0..60_usize,
            count in 0..60_usize,
        ) {
            let columns: Vec<ArrayRef> = vec![
                Arc::new(UInt16Array::from_iter_values(rows.iter().map(|row| row.0))),
                Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.3.map(|_| row.1)))),
                Arc::new(StringArray::from_iter(rows.iter().map(|row| row.2.as_deref()))),
                Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.3))),
                Arc::new(Decimal128Array::from_iter(rows.iter().map(|row| row.3.map(|_| i128::from(row.1) << 20)))),
                Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.1 as f64))),
            ];
            let fields: Vec<Field> =
                columns.iter().map(|column| Field::new("c", column.data_type().clone(), true)).collect();
            let schema = Arc::new(Schema::new(fields));
            let batch = RecordBatch::try_new(SchemaRef::clone(&schema), columns).expect("batch");
            let from = from.min(rows.len());
            let batch = batch.slice(from, count.min(rows.len() - from));
            let mut bytes = Vec::new();
            encode(&batch, &mut bytes).expect("bytes");
            let bytes = Buffer::from_slice_ref(&bytes);
            prop_assert_eq!(decode(&bytes, &schema, batch.num_rows()).expect("rows"), batch.clone());
            for end in (0..bytes.len()).step_by(97) {
                let cut = bytes.slice_with_length(0, end);
                // What is cut off is at most what follows the last part.
                if let Ok(found) = decode(&cut, &schema, batch.num_rows()) {
                    prop_assert_eq!(&found, &batch);
                }
            }
        }
    }
}
