//! How the people of a bucket are divided into slices, which are put together one after the other.

use crate::store::layout::{KeyPrefix, ordered};

/// Rows that are put together at once: few enough for their columns to stay in the processor's cache.
pub(super) const SLICE_ROWS: usize = 128 * 1024;
/// Rows that a slice has in a chunk, on average, at least: each chunk is at another place in memory, and going there costs
/// more than the few rows that would be copied.
const CHUNK_ROWS: usize = 256;
/// Below so many rows another slice costs more than another worker saves.
const MIN_SLICE_ROWS: usize = 8 * 1024;
/// Bits of `user_key` that a prefix can have.
const PREFIX_BITS: u8 = u16::BITS as u8;

/// The slices of a bucket: one has the people with one further prefix of `user_key`, so that no person is in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slices {
    /// Leading bits of `user_key` that all people share.
    shared: u8,
    /// Further bits that tell slices apart.
    bits: u8,
}

impl Slices {
    /// Slices for people who share `shared` bits and have so many rows in so many chunks, if so many workers put them
    /// together at the same time.
    pub fn of(shared: u8, rows: usize, chunks: usize, workers: usize) -> Self {
        let for_slices = |slices: usize| slices.max(1).next_power_of_two().ilog2();
        let by_rows = for_slices(rows.div_ceil(SLICE_ROWS));
        let by_chunks = (rows / (CHUNK_ROWS * chunks.max(1))).max(1).ilog2();
        let for_workers = for_slices(workers.min(rows / MIN_SLICE_ROWS));
        Self::with_bits(shared, by_rows.min(by_chunks).max(for_workers).try_into().unwrap_or(PREFIX_BITS))
    }

    /// The same with as many slices as `bits` tell apart, if a prefix can be so long.
    pub fn with_bits(shared: u8, bits: u8) -> Self {
        Self { shared, bits: bits.min(PREFIX_BITS.saturating_sub(shared)) }
    }

    /// One slice of all people.
    pub fn all(self) -> Self {
        Self { bits: 0, ..self }
    }

    /// These, or the finest that are whole slices of `finer`, for the same people.
    pub fn within(self, finer: Self) -> Self {
        Self { bits: self.bits.min(finer.bits), ..self }
    }

    /// How many there are.
    pub fn count(self) -> usize {
        1 << self.bits
    }

    /// Bits of `user_key` that tell slices apart.
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// The slice of a person.
    pub fn of_key(self, user_key: i64) -> usize {
        usize::from(KeyPrefix::of(user_key, self.shared + self.bits).prefix) & (self.count() - 1)
    }

    /// The bits of `user_key` that follow those that all people share, which begin with the number of the slice.
    pub fn apart(self, user_key: i64) -> u32 {
        (ordered(user_key) << self.shared >> u32::BITS) as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slices_are_ranges_of_what_tells_people_apart(keys in any::<[i64; 2]>(), shared in 0_u8..13, bits in 0_u8..9) {
            let slices = Slices::with_bits(shared, bits);
            // The shared bits of both are those of the first.
            let mask = u64::MAX.checked_shr(shared.into()).unwrap_or(0);
            let prefix = keys[0].cast_unsigned() & !mask;
            let [one, other] = keys.map(|key| (key.cast_unsigned() & mask | prefix).cast_signed());
            prop_assert!(slices.of_key(one) < slices.count());
            prop_assert_eq!(slices.apart(one).checked_shr(32 - u32::from(slices.bits())).unwrap_or(0) as usize, slices.of_key(one));
            if one <= other {
                prop_assert!(slices.apart(one) <= slices.apart(other));
            }
            for coarser in 0..=slices.bits() {
                let coarse = Slices::with_bits(shared, coarser);
                prop_assert_eq!(coarse.of_key(one), slices.of_key(one) >> (slices.bits() - coarser));
            }
        }
    }

    #[test]
    fn few_rows_are_one_slice_and_many_are_several() {
        assert_eq!(Slices::of(0, 100, 3, 2).count(), 1);
        // Another worker has something to do, though slices are small.
        assert_eq!(Slices::of(0, 2 * MIN_SLICE_ROWS, 1000, 2).count(), 2);
        assert_eq!(Slices::of(0, 8 * SLICE_ROWS, 8, 2).count(), 8);
        // Not so many that hardly a row of each is in a chunk.
        assert_eq!(Slices::of(0, 8 * SLICE_ROWS, 8 * SLICE_ROWS / CHUNK_ROWS / 4, 2).count(), 4);
        assert_eq!(Slices::of(14, usize::MAX / 2, 1, 2).count(), 4);
        assert_eq!(Slices::with_bits(0, 3).within(Slices::with_bits(0, 2)).count(), 4);
        assert_eq!(Slices::with_bits(0, 3).within(Slices::with_bits(0, 5)).count(), 8);
    }
}
