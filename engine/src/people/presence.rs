//! Columns of which only matters in which rows any of them has a value.
//!
//! A session comes from the first row that tells a channel, a source or a campaign. Where only the channel is shown, the
//! others say no more than whether a row without a channel is that row: one bit, which mostly no row has.

use std::sync::Arc;

use arrow::array::{Array, DictionaryArray, Int32Array, RecordBatch, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion::common::Result;

/// Columns of a batch that are looked at together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// The first of those whose values nobody sees, which tells of all of them; text as codes.
    pub told_by: usize,
    /// The rest of those whose values nobody sees.
    pub others: Vec<usize>,
    /// Those whose values are shown. Where one of them has a value the hidden ones do not matter.
    pub shown: Vec<usize>,
}

impl Presence {
    /// `batch` with an empty text in the place of [`Self::told_by`] where a hidden column has a value and no shown one
    /// has, and NULL elsewhere. O(rows).
    ///
    /// # Errors
    /// If the column has not the type that was promised.
    pub(super) fn told(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let any_of = |columns: &mut dyn Iterator<Item = &usize>| {
            let none = BooleanBuffer::new_unset(rows);
            columns.fold(none, |any, column| match batch.column(*column).logical_nulls() {
                Some(nulls) => &any | nulls.inner(),
                None => BooleanBuffer::new_set(rows),
            })
        };
        let shown = any_of(&mut self.shown.iter());
        let hidden = any_of(&mut std::iter::once(&self.told_by).chain(&self.others));
        let told = NullBuffer::new(&hidden & &!&shown);
        let codes = Int32Array::new(vec![0; rows].into(), Some(told));
        let mut columns = batch.columns().to_vec();
        let text = StringArray::from_iter_values([""]);
        columns[self.told_by] = Arc::new(DictionaryArray::try_new(codes, Arc::new(text))?);
        Ok(RecordBatch::try_new(batch.schema(), columns)?)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, AsArray, StringViewArray};
    use arrow::datatypes::Int32Type;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tells_of_rows_that_only_hidden_columns_know(
            rows in prop::collection::vec(any::<[bool; 4]>(), 1..200),
            shown_count in 0_usize..3,
        ) {
            let codes = |column: usize| -> ArrayRef {
                Arc::new(rows.iter().map(|row| row[column].then_some("v")).collect::<DictionaryArray<Int32Type>>())
            };
            let text = rows.iter().map(|row| row[2].then_some("v")).collect::<StringViewArray>();
            let columns =
                [("a", codes(0)), ("b", codes(1)), ("c", Arc::new(text) as ArrayRef), ("d", codes(3))];
            let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap();
            let presence = Presence { told_by: 1, others: vec![0], shown: [2, 3][..shown_count].to_vec() };
            let told = presence.told(&batch).unwrap();
            prop_assert_eq!(told.schema(), batch.schema());
            let found: Vec<bool> = told.column(1).as_dictionary::<Int32Type>().keys().iter().map(|key| key.is_some()).collect();
            let is_shown = |row: &[bool; 4]| [row[2], row[3]][..shown_count].contains(&true);
            let wanted: Vec<bool> = rows.iter().map(|row| (row[0] || row[1]) && !is_shown(row)).collect();
            prop_assert_eq!(found, wanted);
            for column in [0, 2, 3] {
                prop_assert_eq!(told.column(column), batch.column(column));
            }
        }
    }
}
