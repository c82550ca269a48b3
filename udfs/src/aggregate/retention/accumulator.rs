//! The accumulators: a bit for each group and condition.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, ListArray};
use arrow::buffer::OffsetBuffer;
use datafusion::common::{Result, ScalarValue, internal_err, resources_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::{NAME, item_field};
use crate::arguments::true_rows;
use crate::journey::retention::seen::SeenConditions;

/// What all groups have seen.
#[derive(Debug)]
pub(super) struct RetentionGroups {
    seen: SeenConditions,
}

impl RetentionGroups {
    pub(super) fn new(conditions: usize) -> Self {
        Self { seen: SeenConditions::new(conditions) }
    }

    fn add(
        &mut self,
        conditions: &[ArrayRef],
        filter: Option<&BooleanArray>,
        group_of: impl Fn(usize) -> usize,
    ) -> Result<()> {
        let filter = filter.map(true_rows);
        for (condition, array) in conditions.iter().enumerate() {
            let Some(array) = array.as_boolean_opt() else {
                return internal_err!("{NAME}: condition {} has type {}", condition + 1, array.data_type());
            };
            let mut met = true_rows(array);
            if let Some(filter) = &filter {
                met = &met & filter;
            }
            for row in met.set_indices() {
                self.seen.insert(group_of(row), condition);
            }
        }
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], group_of: impl Fn(usize) -> usize) -> Result<()> {
        let [state] = states else {
            return internal_err!("{NAME}: a state has one column, got {}", states.len());
        };
        let Some(lists) = state.as_list_opt::<i32>() else {
            return internal_err!("{NAME}: a state has type {}", state.data_type());
        };
        for position in (0..lists.len()).filter(|position| lists.is_valid(*position)) {
            let list = lists.value(position);
            let Some(list) = list.as_boolean_opt().filter(|list| list.len() == self.seen.conditions()) else {
                return internal_err!("{NAME}: a state holds {} values", list.len());
            };
            for condition in true_rows(list).set_indices() {
                self.seen.insert(group_of(position), condition);
            }
        }
        Ok(())
    }

    fn take(&mut self, emit_to: EmitTo) -> SeenConditions {
        let count = match emit_to {
            EmitTo::All => self.seen.groups(),
            EmitTo::First(count) => count,
        };
        self.seen.split_first(count)
    }
}

/// One list of booleans for each group, as `value` says for (group, condition).
fn lists(seen: &SeenConditions, value: impl Fn(usize, usize) -> bool) -> Result<ListArray> {
    let conditions = seen.conditions();
    let Some(items) = seen.groups().checked_mul(conditions).filter(|items| i32::try_from(*items).is_ok())
    else {
        return resources_err!(
            "{NAME}: {} groups of {conditions} conditions are too many for one partition; use more partitions",
            seen.groups()
        );
    };
    let mut values = BooleanBuilder::with_capacity(items);
    for group in 0..seen.groups() {
        for condition in 0..conditions {
            values.append_value(value(group, condition));
        }
    }
    let offsets = OffsetBuffer::from_repeated_length(conditions, seen.groups());
    Ok(ListArray::try_new(item_field(), offsets, Arc::new(values.finish()), None)?)
}

fn results(seen: &SeenConditions) -> Result<ListArray> {
    lists(seen, |group, condition| seen.retained(group, condition))
}

fn states(seen: &SeenConditions) -> Result<ListArray> {
    lists(seen, |group, condition| seen.contains(group, condition))
}

impl GroupsAccumulator for RetentionGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.seen.grow(total_num_groups);
        self.add(values, opt_filter, |row| group_indices[row])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.seen.grow(total_num_groups);
        self.merge(values, |position| group_indices[position])
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(results(&self.take(emit_to))?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(states(&self.take(emit_to))?)])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let mut each_row = Self::new(self.seen.conditions());
        each_row.seen.grow(values.first().map_or(0, |column| column.len()));
        each_row.add(values, opt_filter, |row| row)?;
        each_row.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.seen.allocated_bytes()
    }
}

/// What one group has seen: without GROUP BY, and as a window function.
#[derive(Debug)]
pub(super) struct RetentionOne(RetentionGroups);

impl RetentionOne {
    pub(super) fn new(conditions: usize) -> Self {
        let mut groups = RetentionGroups::new(conditions);
        groups.seen.grow(1);
        Self(groups)
    }
}

impl Accumulator for RetentionOne {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.add(values, None, |_| 0)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge(states, |_| 0)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::List(Arc::new(results(&self.0.seen)?)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::List(Arc::new(states(&self.0.seen)?))])
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
