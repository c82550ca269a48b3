//! The bytes of a block of rows on disk.
//!
//! Column after column: a header of eight-byte words (how long each of its three parts is, the form, a number that the form
//! needs), then the parts, which are bits of what is not NULL, how texts or rare values lie, and values. Each part begins at a
//! multiple of [`ALIGNMENT`], so that what is in the plain form is used as it was read.
//!
//! Much of what a load spills repeats: money that few touchpoints have, the day, the numbers of rows that came one after the
//! other. Such columns are written in a shorter form (`short.rs`), since each byte on disk costs more than to shorten it.

use arrow::array::{Array, ArrayData, ArrayDataBuilder, RecordBatch, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::{ArrowNativeType, DataType, SchemaRef, ToByteSlice};
use arrow::error::ArrowError;

use super::short::{self, Short};

/// Enough for every type, and a cache line.
pub(super) const ALIGNMENT: usize = 64;
/// Parts of a column.
const PARTS: usize = 3;
/// Words of a header that follow the lengths of parts: the form, and its number.
const FORM: usize = PARTS;
const NUMBER: usize = PARTS + 1;
/// Forms: as Arrow has it, the lengths of texts in a byte each, and those of [`Short`].
const PLAIN: u64 = 0;
const SHORT_TEXTS: u64 = 1;
const RARE: u64 = 2;
const ABOVE_16: u64 = 3;
const ABOVE_32: u64 = 4;

/// Appends the rows of a batch to `out`, which is empty; gives the bytes that they take in memory beside these when they are
/// read. O(bytes).
///
/// # Errors
/// For column types that touchpoint tables cannot have.
pub(super) fn encode(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<usize, ArrowError> {
    let mut lengthened = 0;
    for column in batch.columns() {
        lengthened += encode_column(&column.to_data(), out)?;
    }
    Ok(lengthened)
}

/// A column that is being appended.
struct Column<'a> {
    out: &'a mut Vec<u8>,
    header: usize,
    /// Bytes of what is in a shorter form, as Arrow has it.
    lengthened: usize,
}

impl<'a> Column<'a> {
    fn start(out: &'a mut Vec<u8>) -> Self {
        let header = out.len();
        out.resize(header + ALIGNMENT, 0);
        Self { out, header, lengthened: 0 }
    }

    fn set(&mut self, word: usize, value: u64) {
        let at = self.header + word * size_of::<u64>();
        self.out[at..at + size_of::<u64>()].copy_from_slice(&value.to_le_bytes());
    }

    fn part(&mut self, number: usize, append: impl FnOnce(&mut Vec<u8>)) {
        let start = self.out.len();
        append(self.out);
        let length = (self.out.len() - start) as u64;
        self.out.resize(self.out.len().next_multiple_of(ALIGNMENT), 0);
        self.set(number, length);
    }

    fn text(&mut self, offsets: &[i32], text: &[u8]) {
        let (first, last) =
            (offsets.first().copied().unwrap_or_default(), offsets.last().copied().unwrap_or_default());
        if let Some(lengths) = short::text_lengths(offsets) {
            self.set(FORM, SHORT_TEXTS);
            self.lengthened = size_of_val(offsets);
            self.part(1, |out| out.extend(lengths));
        } else {
            self.part(1, |out| out.extend(offsets.iter().flat_map(|offset| (offset - first).to_ne_bytes())));
        }
        self.part(2, |out| out.extend_from_slice(&text[first as usize..last as usize]));
    }

    fn numbers(&mut self, short: Option<Short<impl ArrowNativeType + Into<u64>>>, plain: &[u8]) {
        let Some(short) = short else { return self.part(2, |out| out.extend_from_slice(plain)) };
        let (form, number) = match &short {
            Short::Rare { usual, .. } => (RARE, *usual),
            Short::Above16(least, _) => (ABOVE_16, *least),
            Short::Above32(least, _) => (ABOVE_32, *least),
        };
        self.set(FORM, form);
        self.lengthened = plain.len();
        self.set(NUMBER, number.into());
        match short {
            Short::Rare { places, values, .. } => {
                self.part(1, |out| out.extend_from_slice(&places));
                self.part(2, |out| out.extend_from_slice(values.to_byte_slice()));
            }
            Short::Above16(_, above) => self.part(2, |out| out.extend_from_slice(above.to_byte_slice())),
            Short::Above32(_, above) => self.part(2, |out| out.extend_from_slice(above.to_byte_slice())),
        }
    }
}

/// Gives the bytes of what is in a shorter form, as Arrow has it.
fn encode_column(data: &ArrayData, out: &mut Vec<u8>) -> Result<usize, ArrowError> {
    let mut column = Column::start(out);
    let (start, rows) = (data.offset(), data.len());
    if let Some(nulls) = data.nulls().filter(|nulls| nulls.null_count() > 0) {
        column.part(0, |out| out.extend_from_slice(&nulls.inner().sliced()));
    }
    let unknown = || ArrowError::NotYetImplemented(format!("columns of type {} on disk", data.data_type()));
    match (data.data_type(), data.buffers()) {
        (DataType::Utf8, [offsets, text]) => {
            column.text(&offsets.typed_data::<i32>()[start..=start + rows], text)
        }
        (DataType::Boolean, [bits]) => {
            let bits = BooleanBuffer::new(bits.clone(), start, rows);
            column.part(2, |out| out.extend_from_slice(&bits.sliced()));
        }
        (numbers, [values]) => {
            let width = numbers.primitive_width().ok_or_else(unknown)?;
            let plain = &values[start * width..(start + rows) * width];
            match width {
                4 => column.numbers(Short::rare(&values.typed_data::<u32>()[start..start + rows]), plain),
                8 => column.numbers(Short::of(&values.typed_data::<u64>()[start..start + rows]), plain),
                _ => column.part(2, |out| out.extend_from_slice(plain)),
            }
        }
        _ => return Err(unknown()),
    }
    Ok(column.lengthened)
}

/// The rows of a block. O(rows and bytes of text), which is looked through.
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
        let (words, _) = header.as_chunks::<{ size_of::<u64>() }>();
        let word = |number: usize| u64::from_le_bytes(words[number]);
        let mut part = |number: usize| {
            let length = word(number) as usize;
            let end = at.checked_add(length).filter(|end| *end <= bytes.len()).ok_or_else(cut_off)?;
            let part = bytes.slice_with_length(at, length);
            at = end.next_multiple_of(ALIGNMENT);
            Ok::<_, ArrowError>(part)
        };
        let (nulls, places, values) = (part(0)?, part(1)?, part(2)?);
        let nulls = Some(nulls).filter(|bits| !bits.is_empty());
        if nulls.as_ref().is_some_and(|bits| bits.len() * 8 < rows) {
            return Err(cut_off());
        }
        let nulls = nulls.map(|bits| NullBuffer::new(BooleanBuffer::new(bits, 0, rows)));
        let number = word(NUMBER);
        let is_whole = |width: usize| values.len().is_multiple_of(width);
        let buffers = match (word(FORM), field.data_type().primitive_width()) {
            (PLAIN, None) if *field.data_type() == DataType::Utf8 => vec![places, values],
            (PLAIN, _) => vec![values],
            (SHORT_TEXTS, None) => vec![short::text_offsets(&places), values],
            (RARE, Some(4)) if is_whole(4) => {
                vec![short::spread(number as u32, &places, values.typed_data(), rows).ok_or_else(cut_off)?]
            }
            (RARE, Some(8)) if is_whole(8) => {
                vec![short::spread(number, &places, values.typed_data(), rows).ok_or_else(cut_off)?]
            }
            (ABOVE_16, Some(8)) if is_whole(2) => vec![short::raise::<u16>(number, values.typed_data())],
            (ABOVE_32, Some(8)) if is_whole(4) => vec![short::raise::<u32>(number, values.typed_data())],
            _ => return Err(cut_off()),
        };
        let column = ArrayDataBuilder::new(field.data_type().clone())
            .len(rows)
            .nulls(nulls)
            .buffers(buffers)
            .build()?;
        columns.push(make_array(column));
    }
    RecordBatch::try_new(SchemaRef::clone(schema), columns)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray,
        UInt16Array, UInt64Array,
    };
    use arrow::datatypes::{Field, Float64Type, Schema};
    use proptest::prelude::*;

    use super::*;

    /// As it is compared: doubles by their bits.
    fn bits(batch: &RecordBatch) -> Vec<ArrayRef> {
        let columns = batch.columns().iter().map(|column| match column.as_primitive_opt::<Float64Type>() {
            Some(numbers) => {
                Arc::new(UInt64Array::from_iter(numbers.iter().map(|number| number.map(f64::to_bits))))
                    as ArrayRef
            }
            None => Arc::clone(column),
        });
        columns.collect()
    }

    proptest! {
        /// Whatever part of a batch is written, it is read as it was.
        #[test]
        fn what_is_written_is_read(
            rows in prop::collection::vec(
                (any::<u16>(), any::<i64>(), prop::option::of("[a-cé]{0,9}"), prop::option::of(any::<bool>())),
                0..200,
            ),
            long in prop::option::of(200..300_usize),
            from in 0..60_usize,
            count in 0..200_usize,
        ) {
            let mut rows = rows;
            if let (Some(long), Some(first)) = (long, rows.first_mut()) {
                first.2 = Some("x".repeat(long));
            }
            let columns: Vec<ArrayRef> = vec![
                Arc::new(UInt16Array::from_iter_values(rows.iter().map(|row| row.0))),
                Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.3.map(|_| row.1)))),
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1 % 100 / 99))),
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| i64::MAX - i64::from(row.0)))),
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| (row.1 >> 32) + (1 << 50)))),
                Arc::new(Int32Array::from_iter_values(rows.iter().map(|_| 20_454))),
                Arc::new(StringArray::from_iter(rows.iter().map(|row| row.2.as_deref()))),
                Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.3))),
                Arc::new(Decimal128Array::from_iter(rows.iter().map(|row| row.3.map(|_| i128::from(row.1) << 20)))),
                Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.1 as f64))),
                Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| match row.0 % 40 {
                    0 => -0.0,
                    1 => f64::NAN,
                    _ => 0.0,
                }))),
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
            let found = decode(&bytes, &schema, batch.num_rows()).expect("rows");
            prop_assert_eq!(bits(&found), bits(&batch));
            for end in (0..bytes.len()).step_by(97) {
                let cut = bytes.slice_with_length(0, end);
                // What is cut off is at most what follows the last part.
                if let Ok(found) = decode(&cut, &schema, batch.num_rows()) {
                    prop_assert_eq!(bits(&found), bits(&batch));
                }
            }
        }
    }
}
