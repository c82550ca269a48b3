//! Further keys with few values: groups by a table of all their combinations instead of a hash table.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Date32Type, Int32Type};
use datafusion::common::{Result, internal_err};

/// Combinations up to this number are looked up in a table.
const MAX_COMBINATIONS: usize = 1 << 18;

/// Which group each row is in, for the persons and combinations of values that the groups are of.
#[derive(Debug)]
pub struct CodedGroups {
    /// The group of each row.
    pub indices: Vec<usize>,
    /// The person of each group.
    pub persons: Vec<u32>,
    combinations: Vec<u32>,
    columns: Vec<Values>,
}

/// The values of a column, numbered; the last number is NULL.
#[derive(Debug)]
enum Values {
    Text { values: ArrayRef },
    Days { first: i32, count: usize },
    Booleans,
}

impl Values {
    fn of(column: &ArrayRef) -> Option<Self> {
        match column.data_type() {
            DataType::Dictionary(_, _) => {
                Some(Self::Text { values: Arc::clone(column.as_dictionary_opt::<Int32Type>()?.values()) })
            }
            DataType::Date32 => {
                let days = column.as_primitive::<Date32Type>();
                let first = arrow::compute::min(days).unwrap_or(0);
                let last = arrow::compute::max(days).unwrap_or(0);
                let count = usize::try_from(i64::from(last) - i64::from(first) + 1).ok()?;
                Some(Self::Days { first, count })
            }
            DataType::Boolean => Some(Self::Booleans),
            _ => None,
        }
    }

    /// How many numbers there are, that of NULL included.
    fn count(&self) -> usize {
        1 + match self {
            Self::Text { values } => values.len(),
            Self::Days { count, .. } => *count,
            Self::Booleans => 2,
        }
    }

    /// Adds the number of each row's value to `combinations`, which are multiplied before.
    fn add(&self, column: &ArrayRef, combinations: &mut [u32]) -> Result<()> {
        // Products stay below MAX_COMBINATIONS.
        let count = self.count() as u32;
        let null = count - 1;
        let nulls = column.logical_nulls();
        let mut each = |number: &dyn Fn(usize) -> u32| {
            for (row, combination) in combinations.iter_mut().enumerate() {
                let is_null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
                *combination = *combination * count + if is_null { null } else { number(row) };
            }
        };
        match self {
            Self::Text { .. } => {
                let keys = column.as_dictionary::<Int32Type>().keys().values();
                if nulls.is_none() {
                    for (combination, key) in combinations.iter_mut().zip(keys) {
                        *combination = *combination * count + key.cast_unsigned();
                    }
                } else {
                    each(&|row| keys[row].cast_unsigned());
                }
            }
            Self::Days { first, .. } => {
                let days = column.as_primitive::<Date32Type>().values();
                each(&|row| days[row].wrapping_sub(*first).cast_unsigned());
            }
            Self::Booleans => {
                let values = column.as_boolean();
                each(&|row| u32::from(values.value(row)));
            }
        }
        Ok(())
    }

    /// The values with these numbers, in the type `wanted`.
    fn decode(&self, numbers: &[u32], wanted: &DataType) -> Result<ArrayRef> {
        let null = self.count() as u32 - 1;
        let known = |number: &u32| (*number != null).then_some(*number);
        let column: ArrayRef = match self {
            Self::Text { values } => {
                let keys: Int32Array =
                    numbers.iter().map(|number| known(number).map(u32::cast_signed)).collect();
                take(&cast(values, wanted)?, &keys, None)?
            }
            Self::Days { first, .. } => {
                let day = |number: u32| first.wrapping_add(number.cast_signed());
                Arc::new(numbers.iter().map(|number| known(number).map(day)).collect::<Date32Array>())
            }
            Self::Booleans => {
                let value = |number: u32| number == 1;
                Arc::new(numbers.iter().map(|number| known(number).map(value)).collect::<BooleanArray>())
            }
        };
        if column.data_type() != wanted {
            return internal_err!("a key has type {}, expected {wanted}", column.data_type());
        }
        Ok(column)
    }
}

/// Groups rows by person and by `columns`, `None` if their values are too many or of other types.
///
/// `offsets` has where the rows of each person begin, and the end. O(rows + combinations).
pub fn group(offsets: &[u32], columns: &[ArrayRef]) -> Result<Option<CodedGroups>> {
    let Some(values) = columns.iter().map(Values::of).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let product = values.iter().try_fold(1_usize, |product, values| product.checked_mul(values.count()));
    let Some(count) = product.filter(|count| *count <= MAX_COMBINATIONS) else {
        return Ok(None);
    };
    let rows = offsets.last().copied().unwrap_or(0) as usize;
    let mut of_rows = vec![0_u32; rows];
    for (values, column) in values.iter().zip(columns) {
        values.add(column, &mut of_rows)?;
    }
    // For each combination the person seen last with it, counted from 1, and that person's group.
    let mut seen = vec![(0_u32, 0_u32); count];
    let mut groups = CodedGroups {
        indices: Vec::with_capacity(rows),
        persons: vec![],
        combinations: vec![],
        columns: values,
    };
    for (person, range) in (0_u32..).zip(offsets.windows(2)) {
        for combination in &of_rows[range[0] as usize..range[1] as usize] {
            let seen = &mut seen[*combination as usize];
            if seen.0 != person + 1 {
                // There are no more groups than rows.
                *seen = (person + 1, groups.persons.len() as u32);
                groups.persons.push(person);
                groups.combinations.push(*combination);
            }
            groups.indices.push(seen.1 as usize);
        }
    }
    Ok(Some(groups))
}

impl CodedGroups {
    /// For each column its value in each group, in the types `wanted`.
    pub fn values(&self, wanted: &[DataType]) -> Result<Vec<ArrayRef>> {
        let mut rest = self.combinations.clone();
        let mut columns = Vec::with_capacity(self.columns.len());
        for (values, wanted) in self.columns.iter().zip(wanted).rev() {
            let count = values.count() as u32;
            let numbers: Vec<u32> = rest.iter().map(|combination| combination % count).collect();
            rest.iter_mut().for_each(|combination| *combination /= count);
            columns.push(values.decode(&numbers, wanted)?);
        }
        columns.reverse();
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::{DictionaryArray, StringViewArray};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn groups_are_those_of_a_map(
            people in prop::collection::vec(
                prop::collection::vec((prop::option::of(0_u8..3), prop::option::of(-2_i32..3), any::<Option<bool>>()), 1..8),
                0..6,
            ),
        ) {
            let rows: Vec<_> = people.iter().flatten().collect();
            let mut offsets = vec![0];
            for rows in &people {
                offsets.push(offsets[offsets.len() - 1] + rows.len() as u32);
            }
            let text: Vec<Option<String>> = rows.iter().map(|row| row.0.map(|n| format!("c{n}"))).collect();
            let columns: Vec<ArrayRef> = vec![
                Arc::new(text.iter().map(|t| t.as_deref()).collect::<DictionaryArray<Int32Type>>()),
                Arc::new(rows.iter().map(|row| row.1).collect::<Date32Array>()),
                Arc::new(rows.iter().map(|row| row.2).collect::<BooleanArray>()),
            ];
            let groups = group(&offsets, &columns).unwrap().unwrap();
            let wanted = [DataType::Utf8View, DataType::Date32, DataType::Boolean];
            let values = groups.values(&wanted).unwrap();
            let text_of = values[0].as_any().downcast_ref::<StringViewArray>().unwrap();
            let mut numbers = BTreeMap::new();
            let mut row_number = 0;
            for (person, rows) in people.iter().enumerate() {
                for row in rows {
                    let next = numbers.len();
                    let expected = *numbers.entry((person, *row)).or_insert(next);
                    prop_assert_eq!(groups.indices[row_number], expected);
                    prop_assert_eq!(groups.persons[expected] as usize, person);
                    let text = row.0.map(|n| format!("c{n}"));
                    prop_assert_eq!(text_of.is_valid(expected).then(|| text_of.value(expected)), text.as_deref());
                    let day = values[1].as_primitive::<Date32Type>();
                    prop_assert_eq!(day.is_valid(expected).then(|| day.value(expected)), row.1);
                    let flag = values[2].as_boolean();
                    prop_assert_eq!(flag.is_valid(expected).then(|| flag.value(expected)), row.2);
                    row_number += 1;
                }
            }
            prop_assert_eq!(groups.persons.len(), numbers.len());
        }
    }
}
