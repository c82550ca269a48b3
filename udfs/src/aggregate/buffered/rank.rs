//! How many bits are set before a place.

use arrow::buffer::BooleanBuffer;

/// Bits of a word.
const WORD: usize = u64::BITS as usize;

/// Bits, with the number of those set before each word.
#[derive(Debug)]
pub(super) struct Rank {
    words: Vec<(u64, usize)>,
}

impl Rank {
    /// That of `bits`. O(bits / 64).
    pub(super) fn of(bits: &BooleanBuffer) -> Self {
        let mut before = 0;
        let words = bits.bit_chunks();
        let words = words.iter_padded().map(|word| {
            let set = before;
            before += word.count_ones() as usize;
            (word, set)
        });
        Self { words: words.collect() }
    }

    /// How many bits are set before `place`, which is at most their number. O(1).
    pub(super) fn before(&self, place: usize) -> usize {
        // There always is a last word that is not full.
        let (word, before) = self.words[place / WORD];
        before + (word & ((1 << (place % WORD)) - 1)).count_ones() as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_what_is_set_before(bits in prop::collection::vec(any::<bool>(), 0..300), cut in 0_usize..70) {
            let all = BooleanBuffer::from(bits);
            let cut = cut.min(all.len());
            let bits = all.slice(cut, all.len() - cut);
            let rank = Rank::of(&bits);
            for place in 0..=bits.len() {
                prop_assert_eq!(rank.before(place), bits.slice(0, place).count_set_bits());
            }
        }
    }
}
