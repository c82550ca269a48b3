//! The numbers of rows as text, where text is wanted that tells the order of rows.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, StringViewArray};
use datafusion::common::Result;

/// Characters of a number, six bits each: they stand in the view itself.
const CHARACTERS: u32 = 8;

/// Numbers that are kept for other queries at most: 8 MiB. Slices hold more rows only where there are very many small files.
const KEPT_ROWS: usize = 512 * 1024;

/// The text of the numbers from 0 on that a query has made: it is the same for all, and takes longer to make than the order
/// of a slice's rows takes to find.
static KEPT: Mutex<Option<StringViewArray>> = Mutex::new(None);

/// The text of the numbers from 0 on, kept for those who ask again.
#[derive(Debug, Default)]
pub struct RowNumbers(Option<StringViewArray>);

impl RowNumbers {
    /// The first `rows` numbers: each text is greater than that before.
    ///
    /// # Errors
    /// None that can be met.
    pub fn first(&mut self, rows: usize) -> Result<ArrayRef> {
        let known = match self.0.take().filter(|known| known.len() >= rows) {
            Some(known) => known,
            None => at_least(rows)?,
        };
        let first = known.slice(0, rows);
        self.0 = Some(known);
        Ok(Arc::new(first))
    }
}

/// `rows` numbers or more.
fn at_least(rows: usize) -> Result<StringViewArray> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kept) = kept.as_ref().filter(|kept| kept.len() >= rows) {
        return Ok(kept.clone());
    }
    let views: Vec<u128> = (0..rows.next_power_of_two() as u64).map(view).collect();
    let made = StringViewArray::try_new(views.into(), Vec::new(), None)?;
    if made.len() <= KEPT_ROWS {
        *kept = Some(made.clone());
    }
    Ok(made)
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
        for rows in [5_000, 10, 0, 70_000, KEPT_ROWS + 1, 70_001] {
            let first = numbers.first(rows).unwrap();
            let text = first.as_string_view();
            assert_eq!(text.len(), rows);
            assert!(text.iter().is_sorted_by(|left, right| left < right));
        }
        let kept = KEPT.lock().unwrap().as_ref().map_or(0, Array::len);
        assert!((131_072..=KEPT_ROWS).contains(&kept), "{kept}");
        let first = RowNumbers::default().first(65).unwrap();
        let text = first.as_string_view();
        assert_eq!((text.value(0), text.value(63), text.value(64)), ("00000000", "0000000o", "00000010"));
    }
}
