//! Groups whose rows lie one behind the other: nothing has to be put together.

use std::any::Any;
use std::cell::OnceCell;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::FilterBuilder;
use datafusion::common::Result;
use datafusion::logical_expr::GroupsAccumulator;

use super::Call;
use super::accumulator::{BufferedGroups, evaluate, keep};
use super::order::SortedRows;
use super::rank::Rank;
use super::rows::check_types;

/// The rows of consecutive groups that a call keeps.
#[derive(Debug)]
pub struct ConsecutiveGroups {
    call: Arc<dyn Call>,
    offsets: Vec<usize>,
    columns: Vec<ArrayRef>,
}

impl ConsecutiveGroups {
    /// What the call of `accumulator`, which has seen nothing yet, keeps of the rows of `arguments` that `filter` lets
    /// through; `None` for an accumulator that keeps no rows. Group g has the rows `offsets[g]..offsets[g + 1]`.
    ///
    /// # Errors
    /// Those of the call.
    pub fn of(
        accumulator: &dyn GroupsAccumulator,
        arguments: &[ArrayRef],
        filter: Option<&BooleanArray>,
        offsets: &[u32],
    ) -> Result<Option<Self>> {
        let Some(accumulator) = (accumulator as &dyn Any).downcast_ref::<BufferedGroups>() else {
            return Ok(None);
        };
        let call = Arc::clone(accumulator.call());
        let (mut columns, kept) = keep(call.as_ref(), arguments, filter)?;
        check_types(&columns, accumulator.kept_types())?;
        let mut offsets: Vec<usize> = offsets.iter().map(|offset| *offset as usize).collect();
        let kept = kept.map(|kept| (Rank::of(&kept), kept));
        if let Some((rank, kept)) = kept.filter(|(rank, kept)| rank.count() < kept.len()) {
            offsets.iter_mut().for_each(|offset| *offset = rank.before(*offset));
            let kept = BooleanArray::new(kept, None);
            let others = OnceCell::new();
            let filter = || others.get_or_init(|| FilterBuilder::new(&kept).optimize().build());
            for column in &mut columns {
                *column = rank.numbers(column).map_or_else(|| filter().filter(column), Ok)?;
            }
        }
        Ok(Some(Self { call, offsets, columns }))
    }

    /// Bytes that the rows occupy.
    pub fn allocated_bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|column| column.get_array_memory_size()).sum();
        columns + self.offsets.capacity() * size_of::<usize>()
    }

    /// One value for each group, as the accumulator would give them. O(rows) where they come in order.
    ///
    /// # Errors
    /// Those of the call.
    pub fn evaluate(self) -> Result<ArrayRef> {
        let Self { call, offsets, columns } = self;
        evaluate(call.as_ref(), &SortedRows::of_consecutive(offsets, columns, !call.needs_order())?)
    }
}
