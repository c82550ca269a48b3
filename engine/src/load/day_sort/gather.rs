//! Text of many batches in another order.

use arrow::array::{Array, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::error::ArrowError;

/// Bytes that are copied for a short text, whatever its length: one instruction or two instead of a call.
const WIDE: usize = 32;

/// The texts at `indices`, which name an array and a row. As [`arrow::compute::interleave`], at less cost for short texts.
/// O(bytes).
///
/// # Errors
/// If they come to 2 GiB or more.
pub(super) fn gather_text(
    arrays: &[&StringArray],
    indices: &[(usize, usize)],
) -> Result<StringArray, ArrowError> {
    let sources: Vec<(&[i32], &[u8])> =
        arrays.iter().map(|array| (array.value_offsets(), array.value_data())).collect();
    let mut bytes = vec![0; (indices.len() + 1) * WIDE];
    let mut ends = Vec::with_capacity(indices.len() + 1);
    ends.push(0);
    let mut end = 0;
    for (array, row) in indices {
        let (offsets, data) = sources[*array];
        let (from, to) = (offsets[*row] as usize, offsets[*row + 1] as usize);
        let length = to - from;
        if bytes.len() - end < length.max(WIDE) {
            bytes.resize((bytes.len() * 2).max(end + length + WIDE), 0);
        }
        match (data[from..].first_chunk::<WIDE>(), bytes[end..].first_chunk_mut::<WIDE>()) {
            // What is too much is overwritten by the next text, or cut off.
            (Some(source), Some(target)) if length <= WIDE => *target = *source,
            _ => bytes[end..end + length].copy_from_slice(&data[from..to]),
        }
        end += length;
        ends.push(i32::try_from(end).map_err(|_| ArrowError::OffsetOverflowError(end))?);
    }
    bytes.truncate(end);
    let has_nulls = arrays.iter().any(|array| array.null_count() > 0);
    let nulls = has_nulls.then(|| {
        let is_valid = |at: usize| arrays[indices[at].0].is_valid(indices[at].1);
        NullBuffer::new(BooleanBuffer::collect_bool(indices.len(), is_valid))
    });
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(ends)), Buffer::from_vec(bytes), nulls)
}

#[cfg(test)]
mod tests {
    use arrow::compute::interleave;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_those_at_the_places(
            texts in prop::collection::vec(
                prop::collection::vec(prop::option::weighted(0.9, "[a-dé]{0,40}"), 1..30),
                1..4,
            ),
            picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..90),
            cut in any::<bool>(),
        ) {
            let mut arrays: Vec<StringArray> = texts.into_iter().map(StringArray::from).collect();
            if cut && arrays[0].len() > 2 {
                arrays[0] = arrays[0].slice(1, arrays[0].len() - 2);
            }
            let indices: Vec<(usize, usize)> = picks
                .iter()
                .map(|(array, row)| {
                    let array = array.index(arrays.len());
                    (array, row.index(arrays[array].len()))
                })
                .collect();
            let found = gather_text(&arrays.iter().collect::<Vec<_>>(), &indices).expect("texts");
            if indices.is_empty() {
                prop_assert_eq!(found.len(), 0);
            } else {
                let arrays: Vec<&dyn Array> = arrays.iter().map(|array| array as &dyn Array).collect();
                let wanted = interleave(&arrays, &indices).expect("texts");
                prop_assert_eq!(&found as &dyn Array, wanted.as_ref());
            }
        }
    }
}
