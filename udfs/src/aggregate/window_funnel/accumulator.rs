//! `window_funnel` for one group: without GROUP BY, and as a window function.

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Accumulator;

use super::call::FunnelCall;
use super::state::{States, to_lists};
use crate::journey::event::EventLog;
use crate::journey::funnel::FunnelState;

/// Keeps the rows of one group until the result is asked for.
#[derive(Debug)]
pub(super) struct FunnelAccumulator {
    call: FunnelCall,
    rows: EventLog,
    funnel: FunnelState,
}

impl FunnelAccumulator {
    pub(super) fn new(call: FunnelCall) -> Self {
        Self { rows: EventLog::new(call.words()), funnel: call.new_state(), call }
    }
}

impl Accumulator for FunnelAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = &mut self.rows;
        self.call.for_each_row(values, None, |_, time, set| {
            rows.push(time, set);
            Ok(())
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let states = States::try_new(states, self.call.words())?;
        for index in 0..states.len() {
            let (times, sets) = states.rows(index)?;
            self.rows.extend(times, sets);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (times, sets) = self.rows.take();
        let lists = to_lists(&[0, times.len()], times, sets, self.call.words())?;
        Ok(lists.map(|list| ScalarValue::List(Arc::new(list))).to_vec())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        // Sorting in place loses nothing, and makes the next call of a running window cheaper.
        self.rows.sort();
        let depth = self.call.depth(&mut self.funnel, self.rows.times(), self.rows.sets())?;
        Ok(ScalarValue::Int64(Some(depth)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.rows.allocated_bytes() + self.funnel.allocated_bytes()
    }
}
