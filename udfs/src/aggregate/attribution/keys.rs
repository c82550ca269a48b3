//! Numbers for the keys of touches.

use std::collections::HashMap;

use arrow::array::{Array, StringViewArray};
use datafusion::common::{Result, resources_err};

/// Text up to this many bytes stands in its view: equal views, equal text.
const INLINE_BYTES: u32 = 12;

/// How many views are remembered beside the table of all keys.
const RECENT: usize = 256;

/// Number of rows that are no touch.
const NO_KEY: u32 = u32::MAX;

/// The keys of rows as numbers, in order of their first appearance.
#[derive(Debug)]
pub(crate) struct Keys<'a> {
    /// The key of each number.
    pub(crate) names: Vec<&'a str>,
    /// The number of each row.
    pub(crate) numbers: Vec<u32>,
}

impl<'a> Keys<'a> {
    /// Numbers the keys of the rows for which `is_touch` holds; the others get a number that no key has.
    pub(crate) fn new(
        name: &str,
        column: &'a StringViewArray,
        is_touch: impl Fn(usize) -> bool,
    ) -> Result<Self> {
        let mut names = Vec::new();
        let mut known: HashMap<&str, u32> = HashMap::new();
        let mut recent = vec![(0_u128, NO_KEY); RECENT];
        let mut numbers = Vec::with_capacity(column.len());
        for (row, view) in column.views().iter().enumerate() {
            if !is_touch(row) || column.is_null(row) {
                numbers.push(NO_KEY);
                continue;
            }
            // Keys are few and come again and again: most are found without hashing their text.
            let is_inline = (*view as u32) <= INLINE_BYTES;
            let place = ((view ^ (view >> 61) ^ (view >> 93)) % RECENT as u128) as usize;
            if is_inline && recent[place].0 == *view && recent[place].1 != NO_KEY {
                numbers.push(recent[place].1);
                continue;
            }
            let key = column.value(row);
            let number = match known.get(key) {
                Some(number) => *number,
                None => {
                    let next = match u32::try_from(names.len()) {
                        Ok(next) if next < NO_KEY => next,
                        _ => return resources_err!("{name}: more than {NO_KEY} different keys"),
                    };
                    names.push(key);
                    known.insert(key, next);
                    next
                }
            };
            if is_inline {
                recent[place] = (*view, number);
            }
            numbers.push(number);
        }
        Ok(Self { names, numbers })
    }

    /// The number of a key; one that no row has if it does not occur.
    pub(crate) fn number(&self, key: &str) -> u32 {
        let index = self.names.iter().position(|name| *name == key);
        index.and_then(|index| u32::try_from(index).ok()).unwrap_or(NO_KEY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_text_has_equal_numbers() {
        let texts: Vec<String> =
            (0..2_000).map(|row| format!("{}{}", "x".repeat(row % 15), row * 7 % 300)).collect();
        let column = StringViewArray::from_iter_values(&texts);
        let keys = Keys::new("f", &column, |row| row % 10 != 3).unwrap();
        for (row, text) in texts.iter().enumerate() {
            match keys.numbers[row] {
                NO_KEY => assert_eq!(row % 10, 3),
                number => assert_eq!(keys.names[number as usize], text),
            }
        }
        assert_eq!(keys.number("no such key"), NO_KEY);
        assert_eq!(keys.number(keys.names[5]), 5);
        let mut unique = keys.names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), keys.names.len());
    }
}
