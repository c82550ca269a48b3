//! A bit for each row.

use arrow::buffer::{BooleanBuffer, Buffer};

/// Bits of a word, one of which belongs to each row.
const WORD: usize = u64::BITS as usize;

/// A bit for each of `values`, set where `is_set` says so.
///
/// First a byte for each, which the processor makes many of at once, then eight bytes at a time become bits.
pub(super) fn bits_of<T: Copy>(values: &[T], is_set: impl Fn(T) -> bool) -> BooleanBuffer {
    let words = values.chunks(WORD).map(|values| {
        let mut bytes = [0_u8; WORD];
        for (byte, value) in bytes.iter_mut().zip(values) {
            *byte = u8::from(is_set(*value));
        }
        word_of(&bytes)
    });
    let words: Vec<u64> = words.collect();
    BooleanBuffer::new(Buffer::from_vec(words), 0, values.len())
}

/// The lowest bit of each byte.
fn word_of(bytes: &[u8; WORD]) -> u64 {
    let (eights, _) = bytes.as_chunks::<8>();
    eights.iter().rev().fold(0, |word, eight| {
        // Byte i comes to stand at bit 56 + i; no two products meet.
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        word << 8 | bits
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_are_those_of_the_values(values in prop::collection::vec(any::<i32>(), 0..400)) {
            let bits = bits_of(&values, |value| value >= 0);
            prop_assert_eq!(bits, BooleanBuffer::collect_bool(values.len(), |row| values[row] >= 0));
        }
    }
}
