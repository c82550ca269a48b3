//! The accumulators: for all groups at once, and for one group.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, internal_err, resources_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::order::SortedRows;
use super::rows::Rows;
use super::{Call, Kept, state};
use crate::arguments::true_rows;

/// Keeps the rows of all groups until results are asked for.
#[derive(Debug)]
pub(super) struct BufferedGroups {
    call: Arc<dyn Call>,
    pub(super) group_count: usize,
    rows: Rows,
}

impl BufferedGroups {
    pub(super) fn new(call: Arc<dyn Call>, kept_types: Vec<DataType>) -> Self {
        Self { call, group_count: 0, rows: Rows::new(kept_types) }
    }

    pub(super) fn call(&self) -> &Arc<dyn Call> {
        &self.call
    }

    /// Types of the columns that are kept.
    pub(super) fn kept_types(&self) -> &[DataType] {
        self.rows.types()
    }

    fn add(
        &mut self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
        groups: impl Iterator<Item = usize>,
    ) -> Result<()> {
        let (columns, keep) = keep(self.call.as_ref(), values, filter)?;
        check_group_count(self.call.name(), self.group_count)?;
        let all: Vec<u32> = groups.map(|group| group as u32).collect();
        let groups = match &keep {
            Some(keep) => keep.set_indices().map(|row| all[row]).collect(),
            None => all,
        };
        self.rows.push(&columns, keep.as_ref(), groups)
    }

    /// Removes the groups to emit and returns their rows.
    fn take(&mut self, emit_to: EmitTo) -> Result<SortedRows> {
        let (group_count, (groups, columns)) = match emit_to {
            EmitTo::All => (std::mem::take(&mut self.group_count), self.rows.take()?),
            EmitTo::First(count) => {
                self.group_count = self.group_count.saturating_sub(count);
                (count, self.rows.take_first(count)?)
            }
        };
        SortedRows::new(self.call.name(), &groups, &columns, group_count, !self.call.needs_order())
    }
}

/// The kept columns, and the kept rows that `filter` lets through.
pub(super) fn keep(
    call: &dyn Call,
    values: &[ArrayRef],
    filter: Option<&BooleanArray>,
) -> Result<(Vec<ArrayRef>, Option<BooleanBuffer>)> {
    let Kept { columns, rows } = call.keep(values)?;
    let filter = filter.map(true_rows);
    Ok((
        columns,
        match (rows, filter) {
            (Some(rows), Some(filter)) => Some(&rows & &filter),
            (rows, filter) => rows.or(filter),
        },
    ))
}

/// One value for each group.
pub(super) fn evaluate(call: &dyn Call, rows: &SortedRows) -> Result<ArrayRef> {
    let values = call.evaluate(rows)?;
    if values.len() != rows.group_count() {
        return internal_err!(
            "{} gave {} values for {} groups",
            call.name(),
            values.len(),
            rows.group_count()
        );
    }
    Ok(values)
}

/// Groups are numbered in 32 bits.
fn check_group_count(name: &str, count: usize) -> Result<()> {
    if u32::try_from(count).is_err() {
        return resources_err!("{name}: more than {} groups in one partition; use more partitions", u32::MAX);
    }
    Ok(())
}

impl GroupsAccumulator for BufferedGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.group_count = total_num_groups;
        self.add(values, opt_filter, group_indices.iter().copied())
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.group_count = total_num_groups;
        let name = self.call.name();
        let (positions, columns) = state::from_lists(name, values, self.rows.types())?;
        check_group_count(name, total_num_groups)?;
        let groups = positions.into_iter().map(|position| group_indices[position] as u32).collect();
        self.rows.push(&columns, None, groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let rows = self.take(emit_to)?;
        evaluate(self.call.as_ref(), &rows)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let rows = self.take(emit_to)?;
        state::to_lists(self.call.name(), rows)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let mut each_row = Self::new(Arc::clone(&self.call), self.rows.types().to_vec());
        each_row.group_count = values.first().map_or(0, |column| column.len());
        each_row.add(values, opt_filter, 0..each_row.group_count)?;
        each_row.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.rows.allocated_bytes()
    }
}

/// Keeps the rows of one group: without GROUP BY, and as a window function.
#[derive(Debug)]
pub(super) struct BufferedOne(BufferedGroups);

impl BufferedOne {
    pub(super) fn new(call: Arc<dyn Call>, kept_types: Vec<DataType>) -> Self {
        Self(BufferedGroups::new(call, kept_types))
    }

    fn sorted(&mut self) -> Result<SortedRows> {
        let call = Arc::clone(&self.0.call);
        let (groups, columns) = self.0.rows.joined_rows()?;
        SortedRows::new(call.name(), groups, columns, 1, !call.needs_order())
    }
}

impl Accumulator for BufferedOne {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |column| column.len());
        self.0.add(values, None, std::iter::repeat_n(0, rows))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let count = states.first().map_or(0, |column| column.len());
        self.0.merge_batch(states, &vec![0; count], 1)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let rows = self.sorted()?;
        let lists = state::to_lists(self.0.call.name(), rows)?;
        lists.iter().map(|list| ScalarValue::try_from_array(list, 0)).collect()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let rows = self.sorted()?;
        let value = self.0.call.evaluate(&rows)?;
        ScalarValue::try_from_array(&value, 0)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
