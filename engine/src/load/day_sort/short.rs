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
        if let Some(rare) = Self::rare(values) {
            return Some(rare);
        }
        let signed = || values.iter().map(|value| value.cast_signed());
        let (least, most) = (signed().min()?.cast_unsigned(), signed().max()?.cast_unsigned());
        let range = most.wrapping_sub(least);
        let above = values.iter().map(|value| value.wrapping_sub(least));
        if values.len() < LEAST_VALUES {
            None
        } else if range <= u64::from(u16::MAX) {
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
