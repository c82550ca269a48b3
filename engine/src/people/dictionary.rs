//! One dictionary in the place of those of all row groups.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use datafusion::common::Result;
use hashbrown::HashMap;

use super::chunk::{Chunk, codes_of};

/// One dictionary in the place of those of all chunks.
#[derive(Debug)]
pub(super) struct Dictionary {
    pub(super) values: ArrayRef,
    /// For each chunk the new code of each of its codes.
    pub(super) codes: Vec<Vec<i32>>,
}

impl Dictionary {
    /// That of a column, which has codes in all `chunks`.
    pub(super) fn of(chunks: &[Chunk], column: usize) -> Result<Self> {
        let mut known: HashMap<&str, i32> = HashMap::new();
        let mut values: Vec<&str> = Vec::new();
        let mut codes = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let (_, text) = codes_of(&chunk.columns[column])?;
            // Codes are counted in 32 bits, as in the files.
            let of_chunk = (0..text.len()).map(|value| {
                let value = text.value(value);
                *known.entry(value).or_insert_with(|| {
                    values.push(value);
                    (values.len() - 1) as i32
                })
            });
            codes.push(of_chunk.collect());
        }
        Ok(Self { values: Arc::new(StringArray::from_iter_values(values)), codes })
    }
}
