//! The codes of a column of a row group, in as few bytes as tell its values apart.

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::Int32Type;
use datafusion::common::{Result, internal_err};

use super::bits::bits_of;

/// Stands for NULL where codes of all row groups are meant.
pub(super) const NO_VALUE: i32 = -1;

/// For each row a code of its value. NULL is a code too: the one behind those of the values.
#[derive(Debug)]
pub(super) struct Codes {
    pub(super) keys: Keys,
    /// The text that codes stand for.
    pub(super) values: StringArray,
    pub(super) has_nulls: bool,
}

/// Rows wait in memory for those of other days: one byte instead of four is that much less to fetch.
#[derive(Debug)]
pub(super) enum Keys {
    Bytes(Vec<u8>),
    Numbers(ScalarBuffer<i32>),
    /// No row has a value.
    Missing,
}

impl Keys {
    /// Bytes of each row.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Bytes(_) => size_of::<u8>(),
            Self::Numbers(_) => size_of::<i32>(),
            Self::Missing => 0,
        }
    }
}

impl Codes {
    /// The codes of `column`. O(rows).
    ///
    /// # Errors
    /// If it has none.
    pub(super) fn of(column: &ArrayRef) -> Result<Self> {
        let (codes, values) = codes_of(column)?;
        let nulls = codes.nulls().filter(|nulls| nulls.null_count() > 0);
        if nulls.is_some_and(|nulls| nulls.null_count() == codes.len()) {
            let values = StringArray::from_iter_values(std::iter::empty::<&str>());
            return Ok(Self { keys: Keys::Missing, values, has_nulls: true });
        }
        let null = values.len();
        let missing = nulls.map(|nulls| !nulls.inner());
        let missing = missing.iter().flat_map(BooleanBuffer::set_indices);
        let keys = codes.keys().values();
        let keys = match u8::try_from(null) {
            // Codes of values are below that of NULL.
            Ok(null) => {
                let mut bytes: Vec<u8> = keys.iter().map(|key| *key as u8).collect();
                missing.for_each(|row| bytes[row] = null);
                Keys::Bytes(bytes)
            }
            Err(_) if nulls.is_none() => Keys::Numbers(keys.clone()),
            Err(_) => {
                // Codes are counted in 32 bits, as in the files.
                let mut numbers = keys.to_vec();
                missing.for_each(|row| numbers[row] = null as i32);
                Keys::Numbers(numbers.into())
            }
        };
        Ok(Self { keys, values: values.clone(), has_nulls: codes.logical_null_count() > 0 })
    }

    /// Bytes that they occupy.
    pub(super) fn allocated_bytes(&self) -> usize {
        let keys = match &self.keys {
            Keys::Bytes(bytes) => bytes.capacity(),
            Keys::Numbers(numbers) => numbers.inner().capacity(),
            Keys::Missing => 0,
        };
        keys + self.values.get_array_memory_size()
    }
}

/// The codes of a column and the text that they stand for.
pub(super) fn codes_of(column: &ArrayRef) -> Result<(&DictionaryArray<Int32Type>, &StringArray)> {
    let codes = column.as_dictionary_opt::<Int32Type>();
    let values = codes.and_then(|codes| codes.values().as_string_opt::<i32>());
    match (codes, values) {
        (Some(codes), Some(values)) => Ok((codes, values)),
        _ => internal_err!("a column has type {} instead of codes of text", column.data_type()),
    }
}

/// `codes` and the `values` that they stand for, as a column.
///
/// # Errors
/// If a code stands for no value.
pub(super) fn coded(codes: Int32Array, values: ArrayRef) -> Result<DictionaryArray<Int32Type>> {
    // Arrow looks at one after the other; the largest of all is found for several at once. As a number without a sign
    // `NO_VALUE`, like everything below zero, is larger than all codes.
    let largest = codes.values().iter().fold(0, |largest, code| largest.max(code.cast_unsigned()));
    if (largest as usize) < values.len().min(i32::MAX as usize) {
        #[expect(unsafe_code, reason = "the same check a second time takes 4 % of a funnel's time")]
        // SAFETY: all codes, those under NULLs too, are numbers of values.
        return Ok(unsafe { DictionaryArray::new_unchecked(codes, values) });
    }
    Ok(DictionaryArray::try_new(codes, values)?)
}

/// Which of `codes` stand for a value. Those that do not get the code 0.
pub(super) fn take_nulls(codes: &mut [i32]) -> NullBuffer {
    let valid = bits_of(codes, |code| code != NO_VALUE);
    codes.iter_mut().for_each(|code| *code = (*code).max(0));
    NullBuffer::new(valid)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        // As many values as a byte has, one less, and one more.
        #[test]
        fn codes_are_those_of_the_column(
            rows in prop::collection::vec(prop::option::weighted(0.8, 0_usize..300), 0..300),
            values in 254_usize..258,
            cut in 0_usize..300,
        ) {
            // Many of the last value, which stands beside NULL.
            let rows: Vec<Option<i32>> =
                rows.into_iter().map(|row| row.map(|row| row.min(values - 1) as i32)).collect();
            let text = StringArray::from_iter_values((0..values).map(|value| format!("v{value}")));
            let column = DictionaryArray::new(Int32Array::from(rows.clone()), Arc::new(text));
            let cut = cut.min(rows.len());
            let codes = Codes::of(&(Arc::new(column.slice(cut, rows.len() - cut)) as ArrayRef)).unwrap();
            let keys: Vec<usize> = match &codes.keys {
                Keys::Bytes(bytes) => bytes.iter().map(|key| usize::from(*key)).collect(),
                Keys::Numbers(numbers) => numbers.iter().map(|key| *key as usize).collect(),
                Keys::Missing => vec![values; rows.len() - cut],
            };
            let is_missing = cut < rows.len() && rows[cut..].iter().all(Option::is_none);
            let width = if is_missing { 0 } else if values < 256 { 1 } else { 4 };
            prop_assert_eq!(codes.keys.width(), width);
            let wanted: Vec<usize> = rows[cut..].iter().map(|row| row.map_or(values, |row| row as usize)).collect();
            prop_assert_eq!(codes.has_nulls, wanted.contains(&values));
            prop_assert_eq!(keys, wanted);
        }

        #[test]
        fn columns_are_those_that_are_checked_one_by_one(
            rows in prop_oneof![
                prop::collection::vec(prop::option::weighted(0.8, 0_i32..4), 0..40),
                prop::collection::vec(prop::option::weighted(0.8, prop_oneof![8 => 0_i32..4, 1 => any::<i32>()]), 0..40),
            ],
            hidden in prop_oneof![0_i32..4, any::<i32>()],
            values in prop_oneof![0_usize..5, Just(4)],
        ) {
            let values: ArrayRef = Arc::new(StringArray::from_iter_values((0..values).map(|value| format!("v{value}"))));
            let nulls = NullBuffer::from_iter(rows.iter().map(Option::is_some));
            let codes = rows.iter().map(|row| row.unwrap_or(hidden)).collect::<Vec<_>>();
            let codes = Int32Array::new(codes.into(), Some(nulls));
            let wanted = DictionaryArray::try_new(codes.clone(), Arc::clone(&values));
            match (coded(codes, values), wanted) {
                (Ok(found), Ok(wanted)) => prop_assert_eq!(found, wanted),
                (found, wanted) => prop_assert!(found.is_err() && wanted.is_err()),
            }
        }

        #[test]
        fn nulls_are_taken_out_of_codes(rows in prop::collection::vec(prop::option::of(0_i32..9), 0..200)) {
            let mut codes: Vec<i32> = rows.iter().map(|row| row.unwrap_or(NO_VALUE)).collect();
            let nulls = take_nulls(&mut codes);
            let found: Vec<Option<i32>> = Int32Array::new(codes.into(), Some(nulls)).iter().collect();
            prop_assert_eq!(found, rows);
        }
    }
}
