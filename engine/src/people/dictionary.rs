//! One dictionary in the place of those of all row groups.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use datafusion::common::{Result, internal_err};
use hashbrown::HashMap;

use super::chunk::Chunk;
use super::codes::NO_VALUE;

/// One dictionary in the place of those of all chunks.
#[derive(Debug)]
pub(super) struct Dictionary {
    pub(super) values: ArrayRef,
    /// For each chunk the new code of each of its codes.
    pub(super) codes: Vec<Vec<i32>>,
    /// Whether a row has no value.
    pub(super) has_nulls: bool,
}

impl Dictionary {
    /// That of a column, which has codes in all `chunks`.
    pub(super) fn of(chunks: &[Chunk], column: usize) -> Result<Self> {
        let mut known: HashMap<&str, i32> = HashMap::new();
        let mut values: Vec<&str> = Vec::new();
        let mut codes = Vec::with_capacity(chunks.len());
        let mut has_nulls = false;
        for chunk in chunks {
            let Some(of_chunk) = &chunk.codes[column] else {
                return internal_err!("column {column} has no codes");
            };
            has_nulls |= of_chunk.has_nulls;
            let text = &of_chunk.values;
            // Codes are counted in 32 bits, as in the files.
            let numbers = (0..text.len()).map(|value| {
                if text.is_null(value) {
                    return NO_VALUE;
                }
                let value = text.value(value);
                *known.entry(value).or_insert_with(|| {
                    values.push(value);
                    (values.len() - 1) as i32
                })
            });
            codes.push(numbers.chain([NO_VALUE]).collect());
        }
        Ok(Self { values: Arc::new(StringArray::from_iter_values(values)), codes, has_nulls })
    }
}
