//! What is used again from slice to slice.

use arrow::array::Array;
use arrow::buffer::Buffer;
use arrow::datatypes::{ArrowNativeType, DataType};

use super::assemble::Assembled;
use super::layout::PlacedRun;
use super::persons::Persons;
use super::row_numbers::RowNumbers;

/// What slices before have left for the next one.
#[derive(Debug, Default)]
pub struct Before {
    /// The most people that one had: the next one will have about as many.
    pub(super) people: usize,
    pub(super) numbers: RowNumbers,
    /// Room for runs.
    pub(super) runs: Vec<PlacedRun>,
    /// Room for the place of each person's next row.
    pub(super) next: Vec<u32>,
    /// Room for where people's rows begin.
    pub(super) offsets: Vec<u32>,
    /// Room for people.
    pub(super) persons: Option<Persons>,
    /// The memory of each column's values.
    values: Vec<Option<Buffer>>,
}

impl Before {
    /// Takes back the memory of a slice that is done with, as far as nobody else has it.
    pub fn take_back(&mut self, done: Assembled) {
        let Assembled { batch, offsets, persons } = done;
        (self.offsets, self.persons) = (offsets, Some(persons));
        let (_, columns, _) = batch.into_parts();
        self.values = columns
            .into_iter()
            .map(|column| {
                let data = column.to_data();
                drop(column);
                match data.data_type() {
                    DataType::Dictionary(_, _) => data.buffers().first().cloned(),
                    of if of.is_primitive() => data.buffers().first().cloned(),
                    _ => None,
                }
            })
            .collect();
    }

    /// `rows` values for the column at `index`, of which each is to be overwritten.
    pub(super) fn values<T: ArrowNativeType>(&mut self, index: usize, rows: usize) -> Vec<T> {
        let kept = self.values.get_mut(index).and_then(Option::take);
        let mut values: Vec<T> = kept.and_then(|kept| kept.into_vec().ok()).unwrap_or_default();
        values.resize(rows, T::default());
        values
    }
}
