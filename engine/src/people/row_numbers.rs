//! The numbers of rows as text, where text is wanted that tells the order of rows.

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, StringViewArray};
use datafusion::common::Result;

/// Characters of a number, six bits each: they stand in the view itself.
const CHARACTERS: u32 = 8;

/// Lengths of which numbers are kept for all queries: powers of two up to 512 Ki, 16 MiB in all. Slices have more rows only
/// where there are very many small files.
const KEPT: usize = 20;

/// The numbers from 0 on, of each length that was asked for. To make them for each worker of each query took 3 % of a query
/// over small days. A length is an array of its own, since whoever counts the memory of a part counts that of the whole.
static NUMBERS: [OnceLock<StringViewArray>; KEPT] = [const { OnceLock::new() }; KEPT];

/// The text of the numbers from 0 on.
#[derive(Debug, Default)]
pub struct RowNumbers {
    /// More than are kept for all queries.
    many: Option<StringViewArray>,
}

impl RowNumbers {
    /// The first `rows` numbers: each text is greater than that before.
    ///
    /// # Errors
    /// None that can be met.
    pub fn first(&mut self, rows: usize) -> Result<ArrayRef> {
        let length = rows.next_power_of_two();
        let numbers = match NUMBERS.get(length.ilog2() as usize) {
            Some(kept) => match kept.get() {
                Some(kept) => kept.clone(),
                None => {
                    let made = numbers(length)?;
                    // Another worker may have been first meanwhile.
                    kept.get_or_init(|| made).clone()
                }
            },
            None => match self.many.take().filter(|many| many.len() >= rows) {
                Some(many) => self.many.insert(many).clone(),
                None => self.many.insert(numbers(length)?).clone(),
            },
        };
        Ok(Arc::new(numbers.slice(0, rows)))
    }
}

fn numbers(count: usize) -> Result<StringViewArray> {
    let views: Vec<u128> = (0..count as u64).map(view).collect();
    Ok(StringViewArray::try_new(views.into(), Vec::new(), None)?)
}

/// The view of a number's text: its length, then its characters, the highest bits first.
fn view(number: u64) -> u128 {
    (0..CHARACTERS).fold(u128::from(CHARACTERS), |view, place| {
        let bits = (number >> (6 * (CHARACTERS - 1 - place))) & 63;
        view | u128::from(u64::from(b'0') + bits) << (32 + 8 * place)
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;

    use super::*;

    #[test]
    fn the_order_of_the_text_is_that_of_the_numbers() {
        let mut numbers = RowNumbers::default();
        let most = 1 << (KEPT - 1);
        for rows in [5_000, 10, 0, 1, 70_000, most, most + 1, most + 9, 70_001] {
            let first = numbers.first(rows).unwrap();
            let text = first.as_string_view();
            assert_eq!(text.len(), rows);
            assert!(text.iter().is_sorted_by(|left, right| left < right));
            // Nothing is counted that others asked for.
            assert!(text.get_array_memory_size() <= 2 * rows * size_of::<u128>() + 256, "{rows}");
        }
        let first = RowNumbers::default().first(65).unwrap();
        let text = first.as_string_view();
        assert_eq!((text.value(0), text.value(63), text.value(64)), ("00000000", "0000000o", "00000010"));
    }
}
