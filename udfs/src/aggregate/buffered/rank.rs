//! How many bits are set before a place, and the values whose bits are set.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Int64Type, UInt64Type};

/// Bits of a word.
const WORD: usize = u64::BITS as usize;
/// Set bits of a word up to which they are sought one by one.
const FEW_BITS: u32 = 8;

/// Bits, with the number of those set before each word.
#[derive(Debug)]
pub(super) struct Rank {
    words: Vec<(u64, usize)>,
    /// How many are set.
    count: usize,
    len: usize,
}

impl Rank {
    /// That of `bits`. O(bits / 64).
    pub(super) fn of(bits: &BooleanBuffer) -> Self {
        let mut count = 0;
        let words = bits.bit_chunks();
        let words = words.iter_padded().map(|word| {
            let set = count;
            count += word.count_ones() as usize;
            (word, set)
        });
        let words = words.collect();
        Self { words, count, len: bits.len() }
    }

    /// How many bits are set.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many bits are set before `place`, which is at most their number. O(1).
    pub(super) fn before(&self, place: usize) -> usize {
        // There always is a last word that is not full.
        let (word, before) = self.words[place / WORD];
        before + (word & ((1 << (place % WORD)) - 1)).count_ones() as usize
    }

    /// The values of a column of 64-bit numbers without NULLs, one for each bit, whose bits are set; `None` for another
    /// column. O(rows), with no branch that depends on a bit, unless few are set.
    pub(super) fn numbers(&self, column: &ArrayRef) -> Option<ArrayRef> {
        self.primitive::<Int64Type>(column).or_else(|| self.primitive::<UInt64Type>(column))
    }

    fn primitive<T: ArrowPrimitiveType>(&self, column: &ArrayRef) -> Option<ArrayRef> {
        let is_plain = |column: &&PrimitiveArray<T>| column.null_count() == 0 && column.len() == self.len;
        let column = column.as_primitive_opt::<T>().filter(is_plain)?;
        Some(Arc::new(PrimitiveArray::<T>::new(self.of_values(column.values()).into(), None)))
    }

    fn of_values<T: Copy + Default>(&self, values: &[T]) -> Vec<T> {
        // Room to write a whole word of values at any place.
        let mut found = vec![T::default(); self.count + WORD];
        for (values, (word, before)) in values.chunks(WORD).zip(&self.words) {
            let Some(places) = found[*before..].first_chunk_mut::<WORD>() else { break };
            let mut word = *word;
            if word.count_ones() <= FEW_BITS {
                for place in &mut places[..word.count_ones() as usize] {
                    *place = values[word.trailing_zeros() as usize];
                    word &= word - 1;
                }
                continue;
            }
            let mut next = 0;
            for value in values {
                // A value that is not wanted is overwritten by the next one.
                places[next % WORD] = *value;
                next += (word & 1) as usize;
                word >>= 1;
            }
        }
        found.truncate(self.count);
        found
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Int64Array, StringArray, UInt64Array};
    use arrow::compute::filter;
    use proptest::prelude::*;

    use super::*;

    /// Bits that begin anywhere in a byte, in words with few, with some, and with all bits.
    fn bits() -> impl Strategy<Value = BooleanBuffer> {
        let weight = prop_oneof![Just(0.03), Just(0.5), Just(1.0)];
        let word = weight.prop_flat_map(|weight| prop::collection::vec(prop::bool::weighted(weight), 64));
        let rest = prop_oneof![Just(Vec::new()), prop::collection::vec(any::<bool>(), 0..64)];
        let cut = prop_oneof![Just(0_usize), 0_usize..70];
        (prop::collection::vec(word, 0..5), rest, cut).prop_map(|(words, rest, cut)| {
            let all = BooleanBuffer::from([words.concat(), rest].concat());
            let cut = cut.min(all.len());
            all.slice(cut, all.len() - cut)
        })
    }

    proptest! {
        #[test]
        fn counts_what_is_set_before(bits in bits()) {
            let rank = Rank::of(&bits);
            prop_assert_eq!(rank.count(), bits.count_set_bits());
            for place in 0..=bits.len() {
                prop_assert_eq!(rank.before(place), bits.slice(0, place).count_set_bits());
            }
        }

        #[test]
        fn numbers_are_those_that_a_filter_lets_through(bits in bits()) {
            let rank = Rank::of(&bits);
            let numbers = 0..=bits.len() as i64;
            let columns: [ArrayRef; 2] = [
                Arc::new(Int64Array::from_iter_values(numbers.clone()).slice(1, bits.len())),
                Arc::new(UInt64Array::from_iter_values(numbers.map(i64::cast_unsigned)).slice(1, bits.len())),
            ];
            for column in &columns {
                let wanted = filter(column, &BooleanArray::new(bits.clone(), None)).unwrap();
                prop_assert_eq!(&rank.numbers(column).unwrap(), &wanted);
            }
        }
    }

    #[test]
    fn other_columns_are_left_to_a_filter() {
        let rank = Rank::of(&BooleanBuffer::new_set(2));
        assert!(rank.numbers(&(Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef)).is_none());
        assert!(rank.numbers(&(Arc::new(Int64Array::from(vec![1])) as ArrayRef)).is_none());
        assert!(rank.numbers(&(Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef)).is_none());
    }
}
