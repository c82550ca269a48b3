//! The sums of all groups at once.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::accumulate::NullState;
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::nulls::filter_to_nulls;

use super::partial_type;
use super::total::{Number, NumberType, Total, carried, out_of_range};

/// The low digits of each group's sum, and the carries from the first that was needed on.
#[derive(Debug)]
pub(super) struct Groups<T: NumberType> {
    lows: Vec<T::Native>,
    /// Empty, or one for each group: see [`super::total`].
    carries: Vec<i64>,
    nulls: NullState,
    result: DataType,
}

impl<T: NumberType> Groups<T> {
    pub(super) fn new(result: DataType) -> Self {
        Self { lows: Vec::new(), carries: Vec::new(), nulls: NullState::new(), result }
    }

    fn add(
        &mut self,
        values: &PrimitiveArray<T>,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) {
        let Self { lows, carries, nulls, .. } = self;
        lows.resize(total, T::Native::default());
        if !carries.is_empty() {
            carries.resize(total, 0);
        }
        nulls.accumulate(groups, values, filter, total, |group, value| {
            let (low, wrapped) = lows[group].plus(value);
            lows[group] = low;
            if wrapped {
                carry(carries, total, group, carried(value));
            }
        });
    }

    /// The carries of the groups that `emit` takes, if there are any. To be called before [`Self::lows`] are taken.
    fn take_carries(&mut self, emit: EmitTo) -> Option<Vec<i64>> {
        (!self.carries.is_empty()).then(|| emit.take_needed(&mut self.carries))
    }
}

#[cold]
fn carry(carries: &mut Vec<i64>, total: usize, group: usize, by: i64) {
    carries.resize(total, 0);
    carries[group] += by;
}

impl<T: NumberType> GroupsAccumulator for Groups<T> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.add(values[0].as_primitive::<T>(), groups, filter, total);
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.add(states[0].as_primitive::<T>(), groups, None, total);
        let carries = states[1].as_primitive::<Int64Type>();
        for (by, group) in carries.values().iter().zip(groups) {
            if *by != 0 {
                carry(&mut self.carries, total, *group, *by);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let carries = self.take_carries(emit);
        let lows = emit.take_needed(&mut self.lows);
        let nulls = self.nulls.build(emit);
        if carries.is_some_and(|carries| carries.iter().any(|carry| *carry != 0)) {
            return Err(out_of_range(&self.result).into());
        }
        if T::Native::limit(&self.result).is_some() {
            for low in &lows {
                Total { low: *low, carry: 0 }.exact(&self.result)?;
            }
        }
        let sums = PrimitiveArray::<T>::new(lows.into(), nulls).with_data_type(self.result.clone());
        Ok(Arc::new(sums))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let carries = self.take_carries(emit);
        let lows = emit.take_needed(&mut self.lows);
        let carries = carries.unwrap_or_else(|| vec![0; lows.len()]);
        let lows = PrimitiveArray::<T>::new(lows.into(), self.nulls.build(emit));
        let lows = lows.with_data_type(partial_type(&self.result));
        Ok(vec![Arc::new(lows), Arc::new(Int64Array::from(carries))])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<T>();
        let passed = filter.map(filter_to_nulls);
        let nulls = NullBuffer::union(values.nulls(), passed.as_ref());
        let lows = PrimitiveArray::<T>::new(values.values().clone(), nulls);
        let carries = Int64Array::from(vec![0; lows.len()]);
        Ok(vec![Arc::new(lows.with_data_type(partial_type(&self.result))), Arc::new(carries)])
    }

    fn size(&self) -> usize {
        self.lows.capacity() * size_of::<T::Native>()
            + self.carries.capacity() * size_of::<i64>()
            + self.nulls.size()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    type Row = (usize, Option<i64>, Option<bool>);

    const GROUPS: usize = 4;

    /// At least one row for each group: there is no group without.
    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let value = || {
            let value = prop_oneof![Just(i64::MAX), Just(i64::MIN), any::<i64>(), -3..3_i64];
            (option::weighted(0.8, value), option::weighted(0.8, any::<bool>()))
        };
        let more = vec((0..GROUPS, value()), 0..40);
        (vec(value(), GROUPS), more).prop_map(|(first, more)| {
            first
                .into_iter()
                .enumerate()
                .chain(more)
                .map(|(group, (value, passes))| (group, value, passes))
                .collect()
        })
    }

    fn columns(rows: &[Row]) -> (Vec<usize>, [ArrayRef; 1], BooleanArray) {
        let groups = rows.iter().map(|row| row.0).collect();
        let values: Int64Array = rows.iter().map(|row| row.1).collect();
        (groups, [Arc::new(values)], rows.iter().map(|row| row.2).collect())
    }

    /// What each group's sum is in wide numbers.
    fn expected(rows: &[Row], is_filtered: bool) -> [Option<i128>; GROUPS] {
        let mut sums = [None; GROUPS];
        for (group, value, filter) in rows {
            if let Some(value) = value
                && (!is_filtered || *filter == Some(true))
            {
                *sums[*group].get_or_insert(0) += i128::from(*value);
            }
        }
        sums
    }

    proptest! {
        #[test]
        fn sums_are_those_of_wider_numbers(
            first in rows(), second in rows(), is_filtered in any::<bool>(), is_raw in any::<bool>(),
        ) {
            let mut whole = Groups::<Int64Type>::new(DataType::Int64);
            let mut known = 0;
            for rows in [&first, &second] {
                let (groups, values, filter) = columns(rows);
                let filter = is_filtered.then_some(&filter);
                let mut part = Groups::<Int64Type>::new(DataType::Int64);
                if is_raw {
                    let state = part.convert_to_state(&values, filter).unwrap();
                    known = GROUPS;
                    whole.merge_batch(&state, &groups, known).unwrap();
                } else {
                    part.update_batch(&values, &groups, filter, GROUPS).unwrap();
                    let (mut from, all) = (0, [0, 1, 2, 3]);
                    for emit in [EmitTo::First(1), EmitTo::First(2), EmitTo::All] {
                        let state = part.state(emit).unwrap();
                        let to = from + state[0].len();
                        known = known.max(to);
                        whole.merge_batch(&state, &all[from..to], known).unwrap();
                        from = to;
                    }
                    prop_assert_eq!(from, GROUPS);
                }
            }
            let rows = [first, second].concat();
            let sums = expected(&rows, is_filtered);
            for (group, expected) in sums.into_iter().enumerate() {
                let emit = if group + 1 == GROUPS { EmitTo::All } else { EmitTo::First(1) };
                let found = whole.evaluate(emit);
                match expected {
                    Some(sum) if i64::try_from(sum).is_err() => prop_assert!(found.is_err()),
                    sum => {
                        let found = found.unwrap();
                        let found = found.as_primitive::<Int64Type>().iter().next().unwrap();
                        prop_assert_eq!(found.map(i128::from), sum);
                    }
                }
            }
        }
    }
}
