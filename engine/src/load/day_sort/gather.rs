//! Columns of many batches in another order.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, StringArray, downcast_primitive,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// Bytes that are copied for a short text, whatever its length: one instruction or two instead of a call.
const WIDE: usize = 32;
/// Texts that are looked up before they are copied.
const AT_ONCE: usize = 32;

/// Where a row is: the place of its batch, and its place there.
pub(super) type Place = (u32, u32);

/// The values at `places` of columns of one type. As [`interleave`], at less cost for what a load has most of: numbers that
/// are all there, and short texts. O(bytes).
///
/// # Errors
/// If texts come to 2 GiB or more.
pub(super) fn gather(columns: &[&ArrayRef], places: &[Place]) -> Result<ArrayRef, ArrowError> {
    let others = || {
        let arrays: Vec<&dyn Array> = columns.iter().map(|column| column.as_ref()).collect();
        let places: Vec<(usize, usize)> =
            places.iter().map(|(array, row)| (*array as usize, *row as usize)).collect();
        interleave(&arrays, &places)
    };
    let Some(data_type) = columns.first().map(|column| column.data_type()) else { return others() };
    if *data_type == DataType::Utf8 {
        let texts: Vec<&StringArray> = columns.iter().map(|column| column.as_string()).collect();
        return Ok(Arc::new(gather_text(&texts, places)?));
    }
    if columns.iter().any(|column| column.null_count() > 0) {
        return others();
    }
    macro_rules! numbers {
        ($type:ty) => {
            gather_numbers::<$type>(columns, places, data_type)
        };
    }
    downcast_primitive! {
        data_type => (numbers),
        _ => others(),
    }
}

fn gather_numbers<T: ArrowPrimitiveType>(
    columns: &[&ArrayRef],
    places: &[Place],
    data_type: &DataType,
) -> Result<ArrayRef, ArrowError> {
    let sources: Vec<&[T::Native]> =
        columns.iter().map(|column| column.as_primitive::<T>().values().as_ref()).collect();
    let values: Vec<T::Native> =
        places.iter().map(|(array, row)| sources[*array as usize][*row as usize]).collect();
    Ok(Arc::new(PrimitiveArray::<T>::try_new(values.into(), None)?.with_data_type(data_type.clone())))
}

fn gather_text(arrays: &[&StringArray], places: &[Place]) -> Result<StringArray, ArrowError> {
    let sources: Vec<(&[i32], &[u8])> =
        arrays.iter().map(|array| (array.value_offsets(), array.value_data())).collect();
    let mut bytes = Vec::with_capacity((places.len() + 1) * WIDE);
    let mut ends = Vec::with_capacity(places.len() + 1);
    ends.push(0);
    // Where texts stand is looked up for many of them before the first is copied, so that the processor waits for all of
    // these places of memory at once.
    let mut found: Vec<(usize, usize, &[u8])> = Vec::with_capacity(AT_ONCE);
    for places in places.chunks(AT_ONCE) {
        found.clear();
        let mut first_bytes = 0_u8;
        for (array, row) in places {
            let (offsets, data) = sources[*array as usize];
            let row = *row as usize;
            let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
            first_bytes ^= data.get(from).copied().unwrap_or_default();
            found.push((from, to, data));
        }
        black_box(first_bytes);
        for (from, to, data) in &found {
            match data[*from..].first_chunk::<WIDE>() {
                Some(wide) if to - from <= WIDE => {
                    let end = bytes.len() + to - from;
                    bytes.extend_from_slice(wide);
                    bytes.truncate(end);
                }
                _ => bytes.extend_from_slice(&data[*from..*to]),
            }
            ends.push(i32::try_from(bytes.len()).map_err(|_| ArrowError::OffsetOverflowError(bytes.len()))?);
        }
    }
    let has_nulls = arrays.iter().any(|array| array.null_count() > 0);
    let nulls = has_nulls.then(|| {
        let is_valid = |at: usize| {
            let (array, row) = places[at];
            arrays[array as usize].is_valid(row as usize)
        };
        NullBuffer::new(BooleanBuffer::collect_bool(places.len(), is_valid))
    });
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(ends)), Buffer::from_vec(bytes), nulls)
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Decimal128Array, TimestampMicrosecondArray, UInt16Array};
    use proptest::prelude::*;

    use super::*;

    /// Some rows as a column of a kind.
    fn column(kind: u8, rows: &[Option<String>]) -> ArrayRef {
        let number = |text: &String| text.len() as u16;
        match kind {
            0 => Arc::new(StringArray::from_iter(rows)),
            1 => Arc::new(UInt16Array::from_iter_values(rows.iter().flatten().map(number))),
            2 => Arc::new(UInt16Array::from_iter(rows.iter().map(|row| row.as_ref().map(number)))),
            3 => Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.as_ref().map(|t| t.len() > 3)))),
            4 => {
                let times = rows.iter().flatten().map(|text| i64::from(number(text)));
                Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
            }
            _ => {
                let amounts =
                    Decimal128Array::from_iter_values(rows.iter().flatten().map(|t| i128::from(number(t))));
                Arc::new(amounts.with_precision_and_scale(18, 4).expect("money"))
            }
        }
    }

    proptest! {
        #[test]
        fn values_are_those_at_the_places(
            kind in 0_u8..6,
            texts in prop::collection::vec(
                prop::collection::vec(prop::option::weighted(0.9, "[a-dé]{0,40}"), 1..30),
                1..4,
            ),
            picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..90),
            cut in any::<bool>(),
        ) {
            let columns = texts.iter().map(|rows| column(kind, rows));
            let mut columns: Vec<ArrayRef> = columns.filter(|column| !column.is_empty()).collect();
            prop_assume!(!columns.is_empty());
            if cut && columns[0].len() > 2 {
                columns[0] = columns[0].slice(1, columns[0].len() - 2);
            }
            let places: Vec<Place> = picks
                .iter()
                .map(|(array, row)| {
                    let array = array.index(columns.len());
                    (array as u32, row.index(columns[array].len()) as u32)
                })
                .collect();
            let found = gather(&columns.iter().collect::<Vec<_>>(), &places).expect("values");
            if places.is_empty() {
                prop_assert_eq!(found.len(), 0);
            } else {
                let arrays: Vec<&dyn Array> = columns.iter().map(|array| array.as_ref()).collect();
                let places: Vec<(usize, usize)> =
                    places.iter().map(|(array, row)| (*array as usize, *row as usize)).collect();
                prop_assert_eq!(&found, &interleave(&arrays, &places).expect("values"));
            }
        }
    }
}
