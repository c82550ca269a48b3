//! Numbers for names, the same in all partitions of a query.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, StringViewArray, UInt32Array};
use arrow::datatypes::Int32Type;
use datafusion::common::{Result, internal_err, resources_err};

use crate::aggregate::buffered::kept_column;
use crate::journey::paths::{BuildNumberHasher, node};

/// A text of up to this length is part of its view.
const INLINE_BYTES: u32 = 12;
/// Values of a byte.
const BYTE_VALUES: usize = 256;

/// Names and their numbers. Clones share them; two of them are equal if they are clones of one.
///
/// Numbers depend on the order in which names are seen: nothing that is shown may depend on numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Names {}

impl Hash for Names {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl Names {
    fn number(&self, name: &str) -> Result<u32> {
        if let Some(number) = self.read().0.numbers.get(name) {
            return Ok(*number);
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.numbers.get(name) {
            return Ok(*number);
        }
        let number = match u32::try_from(known.names.len()) {
            Ok(number) if number < node::LIMIT => number,
            _ => return resources_err!("paths: more than {} different nodes", node::LIMIT),
        };
        let name: Arc<str> = Arc::from(name);
        known.names.push(Arc::clone(&name));
        known.numbers.insert(name, number);
        Ok(number)
    }

    /// The names as they are now.
    pub(super) fn read(&self) -> NamesGuard<'_> {
        NamesGuard(self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Names while no others are added.
#[derive(Debug)]
pub(super) struct NamesGuard<'a>(RwLockReadGuard<'a, Known>);

impl NamesGuard<'_> {
    /// The name of a number, also of those that stand for no name; `None` for [`node::NONE`].
    pub(super) fn name(&self, number: u32) -> Option<&str> {
        match self.0.names.get(number as usize) {
            Some(name) => Some(name),
            None => node::special_name(number),
        }
    }
}

/// Looks up names for one partition; remembers short ones without a lock.
#[derive(Debug)]
pub(super) struct Numbering {
    names: Names,
    short: Mutex<HashMap<u128, u32, BuildNumberHasher>>,
}

impl Numbering {
    pub(super) fn new(names: Names) -> Self {
        Self { names, short: Mutex::default() }
    }

    /// The number of each text; [`node::NONE`] for NULL. Codes cost one look-up for each value that rows have, unless the
    /// dictionary has more values than there are rows.
    pub(super) fn numbers(&self, column: &ArrayRef) -> Result<UInt32Array> {
        match column.as_dictionary_opt::<Int32Type>() {
            Some(codes) if codes.values().len() <= codes.len() => self.of_codes(codes),
            _ => self.of_texts(&kept_column(column)?, |_| true),
        }
    }

    fn of_codes(&self, codes: &DictionaryArray<Int32Type>) -> Result<UInt32Array> {
        let keys = codes.keys();
        if keys.null_count() == 0 && codes.values().len() <= BYTE_VALUES {
            return self.of_few_codes(codes);
        }
        let mut has_rows = vec![false; codes.values().len()];
        // Those of rows without a value may be any.
        for key in keys.iter().flatten() {
            if let Some(has_rows) = usize::try_from(key).ok().and_then(|key| has_rows.get_mut(key)) {
                *has_rows = true;
            }
        }
        let of_values = self.of_texts(&kept_column(codes.values())?, |value| has_rows[value])?;
        let number = |key: &i32| {
            let key = usize::try_from(*key).unwrap_or(usize::MAX);
            of_values.values().get(key).copied().unwrap_or(node::NONE)
        };
        let mut numbers: Vec<u32> = keys.values().iter().map(number).collect();
        if let Some(nulls) = codes.nulls() {
            for row in (!nulls.inner()).set_indices() {
                numbers[row] = node::NONE;
            }
        }
        Ok(UInt32Array::from(numbers))
    }

    /// The same for codes of one byte, which each row has.
    fn of_few_codes(&self, codes: &DictionaryArray<Int32Type>) -> Result<UInt32Array> {
        let keys = codes.keys().values();
        let mut has_rows = [false; BYTE_VALUES];
        keys.iter().for_each(|key| has_rows[usize::from(*key as u8)] = true);
        let of_values = self.of_texts(&kept_column(codes.values())?, |value| has_rows[value])?;
        let mut numbers = [node::NONE; BYTE_VALUES];
        numbers.iter_mut().zip(of_values.values()).for_each(|(number, of_value)| *number = *of_value);
        Ok(UInt32Array::from_iter_values(keys.iter().map(|key| numbers[usize::from(*key as u8)])))
    }

    fn of_texts(&self, column: &ArrayRef, is_wanted: impl Fn(usize) -> bool) -> Result<UInt32Array> {
        let Some(texts) = column.as_string_view_opt() else {
            return internal_err!("names have type {}", column.data_type());
        };
        let mut short = self.short();
        let mut numbers = Vec::with_capacity(texts.len());
        let mut previous: Option<(u128, u32)> = None;
        for row in 0..texts.len() {
            if texts.is_null(row) || !is_wanted(row) {
                numbers.push(node::NONE);
                continue;
            }
            let view = texts.views()[row];
            let number = match previous {
                Some((before, number)) if before == view => number,
                _ => self.lookup(texts, row, view, &mut short)?,
            };
            previous = Some((view, number));
            numbers.push(number);
        }
        Ok(UInt32Array::from(numbers))
    }

    fn lookup(
        &self,
        texts: &StringViewArray,
        row: usize,
        view: u128,
        short: &mut HashMap<u128, u32, BuildNumberHasher>,
    ) -> Result<u32> {
        // The lowest four bytes of a view are the length.
        if view as u32 > INLINE_BYTES {
            return self.names.number(texts.value(row));
        }
        if let Some(number) = short.get(&view) {
            return Ok(*number);
        }
        let number = self.names.number(texts.value(row))?;
        short.insert(view, number);
        Ok(number)
    }

    fn short(&self) -> MutexGuard<'_, HashMap<u128, u32, BuildNumberHasher>> {
        self.short.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn codes_have_the_numbers_of_their_texts(
            rows in prop_oneof![
                prop::collection::vec(prop::option::of(0_usize..9), 0..40),
                prop::collection::vec((0_usize..9).prop_map(Some), 0..40),
            ],
            values in prop::collection::vec(prop::option::of("[ab]{0,2}|a long name of a node"), 1..9),
        ) {
            let keys: Int32Array = rows.iter().map(|row| row.map(|row| (row % values.len()) as i32)).collect();
            let codes = DictionaryArray::new(keys, Arc::new(StringArray::from(values.clone())));
            let names = Names::default();
            let numbering = Numbering::new(names.clone());
            let text_of = |row: &Option<usize>| row.and_then(|row| values[row % values.len()].as_deref());
            let texts: ArrayRef = Arc::new(rows.iter().map(text_of).collect::<StringViewArray>());
            let of_codes = numbering.numbers(&(Arc::new(codes) as ArrayRef)).unwrap();
            // Names that no row has get no number.
            let met: std::collections::HashSet<&str> = rows.iter().filter_map(text_of).collect();
            prop_assert_eq!(names.read().0.names.len(), met.len());
            prop_assert_eq!(of_codes, numbering.numbers(&texts).unwrap());
        }
    }
}
