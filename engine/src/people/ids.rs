//! The ids of the people of runs, one behind the other.

use std::ops::Range;

use arrow::array::StringArray;
use datafusion::common::{Result, exec_datafusion_err};

/// Takes ids out of a dictionary. Mostly one is behind the other there too: those are copied together.
#[derive(Debug)]
pub(super) struct Ids<'a> {
    values: &'a StringArray,
    text: String,
    /// Values that follow each other, to be copied.
    waiting: Range<usize>,
    /// Bytes of all that were taken.
    bytes: usize,
}

impl<'a> Ids<'a> {
    /// Takes ids out of `values`, with room for `expected_bytes`.
    pub(super) fn of(values: &'a StringArray, expected_bytes: usize) -> Self {
        Self { values, text: String::with_capacity(expected_bytes), waiting: 0..0, bytes: 0 }
    }

    /// Takes a value.
    ///
    /// # Errors
    /// If the dictionary is not text, which no file of ours can have.
    pub(super) fn take(&mut self, value: usize) -> Result<&'a str> {
        if self.waiting.end != value {
            self.copy()?;
            self.waiting = value..value;
        }
        self.waiting.end = value + 1;
        let id = self.values.value(value);
        self.bytes += id.len();
        Ok(id)
    }

    /// Bytes of all that were taken.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All that were taken.
    ///
    /// # Errors
    /// As those of [`Self::take`].
    pub(super) fn finish(mut self) -> Result<String> {
        self.copy()?;
        Ok(self.text)
    }

    fn copy(&mut self) -> Result<()> {
        let offsets = self.values.value_offsets();
        let (start, end) = (offsets[self.waiting.start] as usize, offsets[self.waiting.end] as usize);
        let text = std::str::from_utf8(&self.values.value_data()[start..end])
            .map_err(|error| exec_datafusion_err!("the ids of people are not text: {error}"))?;
        self.text.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_are_those_of_the_dictionary(
            values in prop::collection::vec("[a-zä]{0,4}", 1..20),
            steps in prop::collection::vec(prop_oneof![4 => Just(1_usize), 1 => 0_usize..20], 0..60),
            cut in 0_usize..3,
        ) {
            let all = StringArray::from(values);
            let cut = cut.min(all.len() - 1);
            let values = all.slice(cut, all.len() - cut);
            let mut ids = Ids::of(&values, 0);
            let mut expected = String::new();
            let mut value = 0;
            for step in steps {
                value = (value + step) % values.len();
                prop_assert_eq!(ids.take(value).unwrap(), values.value(value));
                expected.push_str(values.value(value));
                prop_assert_eq!(ids.bytes(), expected.len());
            }
            prop_assert_eq!(ids.finish().unwrap(), expected);
        }
    }
}
