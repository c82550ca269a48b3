//! Conditions of rows as sets: a bit for each condition.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, UInt64Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Int32Type;
use datafusion::common::{Result, internal_err};

use crate::arguments::true_rows;

/// Conditions in a word.
const WORD: usize = u64::BITS as usize;
/// Values of a byte.
const BYTE_VALUES: usize = 256;

/// Packs conditions into columns of 64 each; NULL is not met.
///
/// A condition is a boolean for each row, or codes into a dictionary of booleans. Those with the same codes are packed
/// together, once for each value of the dictionary. O(rows x conditions), or O(rows) with codes.
pub(crate) fn condition_columns(conditions: &[ArrayRef]) -> Result<Vec<UInt64Array>> {
    let words = conditions.chunks(WORD).map(|conditions| word_of(conditions).map(UInt64Array::from));
    words.collect()
}

/// The rows in which a bit of `sets` is set.
pub(crate) fn rows_that_meet_any(sets: &[UInt64Array], rows: usize) -> BooleanBuffer {
    match sets {
        [only] => {
            let set = only.values();
            BooleanBuffer::collect_bool(rows, |row| set[row] != 0)
        }
        sets => BooleanBuffer::collect_bool(rows, |row| sets.iter().any(|set| set.value(row) != 0)),
    }
}

fn word_of(conditions: &[ArrayRef]) -> Result<Vec<u64>> {
    let rows = conditions.first().map_or(0, |condition| condition.len());
    let mut by_row: Vec<(u64, &BooleanArray)> = Vec::new();
    let mut by_code: Vec<Coded> = Vec::new();
    for (number, condition) in conditions.iter().enumerate() {
        let bit = 1 << number;
        if let Some(booleans) = condition.as_boolean_opt() {
            by_row.push((bit, booleans));
            continue;
        }
        let codes = condition.as_dictionary_opt::<Int32Type>();
        let values = codes.and_then(|codes| codes.values().as_boolean_opt());
        let (Some(codes), Some(values)) = (codes, values) else {
            return internal_err!("a condition has type {}", condition.data_type());
        };
        let place = by_code.iter().position(|coded| coded.has_codes_of(codes));
        let place = place.unwrap_or_else(|| {
            by_code.push(Coded { codes, sets: Vec::new() });
            by_code.len() - 1
        });
        by_code[place].add(bit, values);
    }
    let mut by_code = by_code.iter();
    let mut sets = by_code.next().map_or_else(|| vec![0; rows], Coded::of_rows);
    for coded in by_code {
        sets.iter_mut().zip(coded.of_rows()).for_each(|(set, other)| *set |= other);
    }
    for (bit, booleans) in by_row {
        true_rows(booleans).set_indices().for_each(|row| sets[row] |= bit);
    }
    Ok(sets)
}

/// Conditions with the same codes.
struct Coded<'a> {
    codes: &'a DictionaryArray<Int32Type>,
    /// For each code the conditions that it meets.
    sets: Vec<u64>,
}

impl Coded<'_> {
    fn has_codes_of(&self, other: &DictionaryArray<Int32Type>) -> bool {
        let (keys, others) = (self.codes.keys(), other.keys());
        let are_same = keys.values().inner().ptr_eq(others.values().inner()) && keys.len() == others.len();
        are_same
            && match (keys.nulls(), others.nulls()) {
                (Some(nulls), Some(others)) => nulls.inner().ptr_eq(others.inner()),
                (nulls, others) => nulls.is_none() && others.is_none(),
            }
    }

    fn add(&mut self, bit: u64, values: &BooleanArray) {
        self.sets.resize(self.sets.len().max(values.len()), 0);
        true_rows(values).set_indices().for_each(|code| self.sets[code] |= bit);
    }

    /// The conditions that each row meets.
    fn of_rows(&self) -> Vec<u64> {
        let keys = self.codes.keys();
        let mut sets: Vec<u64> = if self.sets.len() <= BYTE_VALUES {
            let mut all = [0; BYTE_VALUES];
            all.iter_mut().zip(&self.sets).for_each(|(all, set)| *all = *set);
            // Codes are below the number of values, but that of a NULL may be any.
            keys.values().iter().map(|key| all[usize::from(*key as u8)]).collect()
        } else {
            let set = |key: &i32| self.sets.get(*key as usize).copied().unwrap_or(0);
            keys.values().iter().map(set).collect()
        };
        if let Some(nulls) = keys.nulls().filter(|nulls| nulls.null_count() > 0) {
            (!nulls.inner()).set_indices().for_each(|row| sets[row] = 0);
        }
        sets
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int32Array;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn coded_conditions_are_those_of_the_rows(
            rows in prop::collection::vec(prop::option::weighted(0.9, 0_usize..300), 0..200),
            others in prop::collection::vec(0_i32..3, 200),
            conditions in prop::collection::vec((0_u8..3, prop::collection::vec(any::<Option<bool>>(), 1..5)), 0..70),
            values in prop_oneof![3_usize..9, 255_usize..258],
        ) {
            let keys: Int32Array = rows.iter().map(|row| row.map(|row| (row % values) as i32)).collect();
            let others: Int32Array = others[..rows.len()].to_vec().into();
            let mut given: Vec<ArrayRef> = Vec::new();
            let mut wanted: Vec<BooleanArray> = Vec::new();
            for (form, some) in conditions {
                let booleans: BooleanArray = (0..values).map(|value| some[value % some.len()]).collect();
                let keys = if form == 1 { &others } else { &keys };
                let plain = arrow::compute::take(&booleans, keys, None).unwrap();
                wanted.push(plain.as_boolean().clone());
                given.push(match form {
                    0 | 1 => Arc::new(DictionaryArray::new(keys.clone(), Arc::new(booleans))),
                    _ => plain,
                });
            }
            let sets = condition_columns(&given).unwrap();
            prop_assert_eq!(sets.len(), wanted.len().div_ceil(WORD));
            for row in 0..rows.len() {
                for (number, condition) in wanted.iter().enumerate() {
                    let is_met = condition.is_valid(row) && condition.value(row);
                    prop_assert_eq!(sets[number / WORD].value(row) >> (number % WORD) & 1 == 1, is_met);
                }
                let any = sets.iter().any(|set| set.value(row) != 0);
                prop_assert_eq!(rows_that_meet_any(&sets, rows.len()).value(row), any);
            }
        }
    }
}
