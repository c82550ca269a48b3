//! The averages of all groups at once.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array};
use arrow::datatypes::Int64Type;
use datafusion::common::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use super::super::quotients::{DIGITS, SCALE};
use super::{added, average, each};

fn is_kept(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

/// All groups at once.
#[derive(Debug)]
pub(super) struct Groups {
    sums: Vec<i128>,
    counts: Vec<i64>,
    scale: i8,
}

impl Groups {
    pub(super) fn new(scale: i8) -> Self {
        Self { sums: Vec::new(), counts: Vec::new(), scale }
    }

    fn grow(&mut self, total: usize) {
        self.sums.resize(total, 0);
        self.counts.resize(total, 0);
    }

    fn taken(&mut self, emit: EmitTo) -> (Vec<i64>, Vec<i128>) {
        (emit.take_needed(&mut self.counts), emit.take_needed(&mut self.sums))
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.grow(total);
        each(&values[0], |row, value| {
            if is_kept(filter, row) {
                let group = groups[row];
                self.sums[group] = added(self.sums[group], value)?;
                self.counts[group] += 1;
            }
            Ok(())
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.grow(total);
        for (count, group) in states[0].as_primitive::<Int64Type>().iter().zip(groups) {
            self.counts[*group] += count.unwrap_or(0);
        }
        each(&states[1], |row, sum| {
            self.sums[groups[row]] = added(self.sums[groups[row]], sum)?;
            Ok(())
        })
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let scale = self.scale;
        let (counts, sums) = self.taken(emit);
        let averages: Result<Decimal128Array> =
            counts.into_iter().zip(sums).map(|(count, sum)| average(sum, count, scale)).collect();
        Ok(Arc::new(averages?.with_precision_and_scale(DIGITS, SCALE.max(scale))?))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let scale = self.scale;
        let (counts, sums) = self.taken(emit);
        let sums = Decimal128Array::from(sums).with_precision_and_scale(DIGITS, scale)?;
        Ok(vec![Arc::new(Int64Array::from(counts)), Arc::new(sums)])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let (mut counts, mut sums) = (vec![0_i64; values[0].len()], vec![0_i128; values[0].len()]);
        each(&values[0], |row, value| {
            if is_kept(filter, row) {
                (counts[row], sums[row]) = (1, value);
            }
            Ok(())
        })?;
        let sums = Decimal128Array::from(sums).with_precision_and_scale(DIGITS, self.scale)?;
        Ok(vec![Arc::new(Int64Array::from(counts)), Arc::new(sums)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.counts.capacity() * size_of::<i64>()
    }
}
