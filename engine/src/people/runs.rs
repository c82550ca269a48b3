//! Few values at a time: what is done for each run of a person's rows.

use arrow::buffer::NullBuffer;

/// Copies as many values as `from` has.
pub(super) fn copy_run<T: Copy>(to: &mut [T], from: &[T]) {
    map_run(to, from, |value| value);
}

/// Puts what `map` makes of the values of `from` into `to`, which is as long. Runs are mostly a few rows long: two pieces that
/// overlap cost less than a loop, whose end nobody can foresee.
#[inline]
pub(super) fn map_run<T: Copy, U>(to: &mut [U], from: &[T], map: impl Fn(T) -> U) {
    match from.len() {
        1 => to[0] = map(from[0]),
        2..=4 => map_ends::<T, U, 2>(to, from, map),
        5..=8 => map_ends::<T, U, 4>(to, from, map),
        9..=16 => map_ends::<T, U, 8>(to, from, map),
        _ => to.iter_mut().zip(from).for_each(|(to, from)| *to = map(*from)),
    }
}

/// The same for the first and the last N values.
#[inline]
fn map_ends<T: Copy, U, const N: usize>(to: &mut [U], from: &[T], map: impl Fn(T) -> U) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
        *to = from.map(&map);
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk::<N>()) {
        *to = from.map(&map);
    }
}

/// Which rows of a chunk have a value, to be asked for many at once.
pub(super) struct ValidBits<'a> {
    bytes: &'a [u8],
    /// Bits before the first row.
    offset: usize,
}

impl<'a> ValidBits<'a> {
    pub(super) fn of(nulls: &'a NullBuffer) -> Self {
        Self { bytes: nulls.validity(), offset: nulls.offset() }
    }

    /// A bit for each of `count` rows from `start` on, set where the row has no value; at most 64.
    pub(super) fn missing(&self, start: usize, count: usize) -> u64 {
        let first = self.offset + start;
        // 64 bits lie in at most nine bytes.
        let bytes = &self.bytes[first / 8..(first + count).div_ceil(8)];
        let mut word = [0_u8; 16];
        copy_run(&mut word[..bytes.len()], bytes);
        let bits = (u128::from_le_bytes(word) >> (first % 8)) as u64;
        let wanted = if count < 64 { (1 << count) - 1 } else { u64::MAX };
        !bits & wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_of_all_lengths_are_copied_and_mapped(values in prop::collection::vec(any::<i32>(), 0..40)) {
            let mut copy = vec![0; values.len()];
            copy_run(&mut copy, &values);
            prop_assert_eq!(&copy, &values);
            let wider = |value: i32| i64::from(value) + 1;
            let mut mapped = vec![0; values.len()];
            map_run(&mut mapped, &values, wider);
            prop_assert_eq!(mapped, values.into_iter().map(wider).collect::<Vec<_>>());
        }

        #[test]
        fn missing_values_are_told_bit_by_bit(
            valid in prop::collection::vec(any::<bool>(), 1..300),
            cut in 0_usize..300,
            start in 0_usize..300,
            count in 1_usize..=64,
        ) {
            let all = NullBuffer::from(valid);
            let cut = cut % all.len();
            let nulls = all.slice(cut, all.len() - cut);
            let start = start % nulls.len();
            let count = count.min(nulls.len() - start);
            let missing = ValidBits::of(&nulls).missing(start, count);
            for row in 0..64 {
                let is_missing = row < count && nulls.is_null(start + row);
                prop_assert_eq!(missing >> row & 1 == 1, is_missing, "row {}", row);
            }
        }
    }
}
