//! Shorter forms of what a block has much of: values that are nearly all the same or near each other, and short texts.

use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::ArrowNativeType;
use arrow::util::bit_iterator::BitIndexIterator;

/// Values that are looked at before all of a column are.
const SAMPLES: usize = 16;
/// Columns of fewer values stay as they are.
const LEAST_VALUES: usize = 4 * SAMPLES;

/// Numbers in a shorter form.
#[derive(Debug)]
pub(super) enum Short<T> {
    /// At least half of the values are `usual`; `places` are bits of the others, which are `values`.
    Rare {
        usual: T,
        places: Buffer,
        values: Vec<T>,
    },
    /// What the values are above the least of them.
    Above16(T, Vec<u16>),
    Above32(T, Vec<u32>),
}

impl Short<u64> {
    /// The shorter form of numbers of eight bytes, whatever they mean; `None` if there is none. O(values).
    pub(super) fn of(values: &[u64]) -> Option<Self> {
        if values.len() < LEAST_VALUES {
            return None;
        }
        if let Some(rare) = Self::rare(values) {
            return Some(rare);
        }
        let signed = || values.iter().map(|value| value.cast_signed());
        let (least, most) = (signed().min()?.cast_unsigned(), signed().max()?.cast_unsigned());
        let range = most.wrapping_sub(least);
        let above = values.iter().map(|value| value.wrapping_sub(least));
        if range <= u64::from(u16::MAX) {
            Some(Self::Above16(least, above.map(|above| above as u16).collect()))
        } else if range <= u64::from(u32::MAX) {
            Some(Self::Above32(least, above.map(|above| above as u32).collect()))
        } else {
            None
        }
    }
}

impl<T: ArrowNativeType> Short<T> {
    /// [`Self::Rare`], if at least half of the values are the same, as a sample of them is. O(values).
    pub(super) fn rare(values: &[T]) -> Option<Self> {
        if values.len() < LEAST_VALUES {
            return None;
        }
        let samples: Vec<T> = values.iter().step_by(values.len() / SAMPLES).copied().collect();
        let count = |all: &[T], wanted: T| all.iter().filter(|value| **value == wanted).count();
        let usual = *samples.iter().find(|value| count(&samples, **value) * 2 > samples.len())?;
        let rows = values.len();
        let others = rows - count(values, usual);
        if others * 2 > rows {
            return None;
        }
        let places = MutableBuffer::collect_bool(rows, |row| values[row] != usual);
        let mut rare = Vec::with_capacity(others);
        rare.extend(values.iter().filter(|value| **value != usual));
        Some(Self::Rare { usual, places: places.into(), values: rare })
    }
}

/// What [`Short::Rare`] stands for; `None` if it does not fit `rows` values.
pub(super) fn spread<T: ArrowNativeType>(
    usual: T,
    places: &[u8],
    values: &[T],
    rows: usize,
) -> Option<Buffer> {
    let mut all = vec![usual; rows];
    if places.len() * 8 < rows {
        return None;
    }
    let mut values = values.iter();
    for row in BitIndexIterator::new(places, 0, rows) {
        all[row] = *values.next()?;
    }
    values.next().is_none().then(|| Buffer::from_vec(all))
}

/// What [`Short::Above16`] and [`Short::Above32`] stand for.
pub(super) fn raise<T: ArrowNativeType + Into<u64>>(least: u64, above: &[T]) -> Buffer {
    Buffer::from_vec(above.iter().map(|above| least.wrapping_add((*above).into())).collect::<Vec<u64>>())
}

/// The lengths of texts, if a byte is enough for each. O(texts).
pub(super) fn text_lengths(offsets: &[i32]) -> Option<Vec<u8>> {
    let lengths = || offsets.windows(2).map(|pair| pair[1] - pair[0]);
    if lengths().fold(0, i32::max) > i32::from(u8::MAX) {
        return None;
    }
    Some(lengths().map(|length| length as u8).collect())
}

/// The offsets of texts of these lengths, from 0. O(texts).
pub(super) fn text_offsets(lengths: &[u8]) -> Buffer {
    let mut end = 0;
    let mut offsets = Vec::with_capacity(lengths.len() + 1);
    offsets.push(0);
    offsets.extend(lengths.iter().map(|length| {
        end += i32::from(*length);
        end
    }));
    Buffer::from_vec(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which form numbers take, and what it stands for.
    fn form(values: &[u64]) -> (&'static str, Option<Vec<u64>>) {
        let rows = values.len();
        let (name, buffer) = match Short::of(values) {
            None => return ("plain", None),
            Some(Short::Rare { usual, places, values }) => ("rare", spread(usual, &places, &values, rows)),
            Some(Short::Above16(least, above)) => ("above 16", Some(raise(least, &above))),
            Some(Short::Above32(least, above)) => ("above 32", Some(raise(least, &above))),
        };
        (name, buffer.map(|buffer| buffer.typed_data::<u64>().to_vec()))
    }

    #[test]
    fn numbers_take_the_form_that_fits_them() {
        let spread_out = |row: u64| row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let below_zero = |row: u64| (row.cast_signed() - 50).cast_unsigned();
        let of = |number: &dyn Fn(u64) -> u64, rows: u64| (0..rows).map(number).collect::<Vec<u64>>();
        let cases = [
            ("rare", of(&|row| if row % 9 == 5 { spread_out(row) } else { 1 << 63 }, 300)),
            ("rare", of(&|_| 7, LEAST_VALUES as u64)),
            ("above 16", of(&|row| (1 << 50) + row * 200, 300)),
            ("above 16", of(&below_zero, 300)),
            ("above 32", of(&|row| (1 << 50) + row * 400_000, 300)),
            ("plain", of(&spread_out, 300)),
            ("plain", of(&|_| 7, LEAST_VALUES as u64 - 1)),
        ];
        for (wanted, values) in cases {
            let (name, found) = form(&values);
            assert_eq!(name, wanted);
            assert!(found.is_none_or(|found| found == values), "{wanted}");
        }
    }

    #[test]
    fn lengths_of_a_byte_give_the_offsets() {
        assert_eq!(text_lengths(&[3, 3, 258]), Some(vec![0, 255]));
        assert_eq!(text_lengths(&[0, 256]), None);
        assert_eq!(text_offsets(&[0, 255]).typed_data::<i32>(), [0, 0, 255]);
    }

    #[test]
    fn what_does_not_fit_the_rows_is_refused() {
        assert_eq!(
            spread::<u64>(1, &[0b101], &[8, 9], 3).map(|b| b.typed_data::<u64>().to_vec()),
            Some(vec![8, 1, 9])
        );
        assert!(spread::<u64>(1, &[0b101], &[8], 3).is_none());
        assert!(spread::<u64>(1, &[0b101], &[8, 9, 10], 3).is_none());
        assert!(spread::<u64>(1, &[0b101], &[8, 9], 9).is_none());
    }
}
