//! The touches of one partition.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StructArray, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::Fields;
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::PartitionEvaluator;

use super::EXPIRY;
use crate::arguments::{ticks, true_rows};
use crate::journey::attribution::{Expiry, Pick, TouchLife};
use crate::length::Length;

/// Finds the touch of each row of a partition.
#[derive(Debug)]
pub(super) struct TouchEvaluator {
    name: &'static str,
    pick: Pick,
    expiry: Expiry<Length>,
    fields: Fields,
}

impl TouchEvaluator {
    pub(super) fn new(name: &'static str, pick: Pick, expiry: Expiry<Length>, fields: Fields) -> Self {
        Self { name, pick, expiry, fields }
    }
}

impl PartitionEvaluator for TouchEvaluator {
    fn evaluate_all(&mut self, values: &[ArrayRef], num_rows: usize) -> Result<ArrayRef> {
        let [ts, channel_name, channel_value, ..] = values else {
            return internal_err!("{} was called with {} columns", self.name, values.len());
        };
        let expires = match values.get(EXPIRY).map(|column| column.as_boolean_opt()) {
            None => None,
            Some(Some(condition)) => Some(true_rows(condition)),
            Some(None) => return internal_err!("{}: the condition is no boolean", self.name),
        };
        let times = ticks(ts)?;
        let mut life = TouchLife::new(self.pick, self.expiry.clone());
        let mut before = i64::MIN;
        let mut touches: Vec<Option<u64>> = Vec::with_capacity(num_rows);
        for row in 0..num_rows {
            if ts.is_null(row) {
                touches.push(None);
                continue;
            }
            if times[row] < before {
                return exec_err!(
                    "{}: times go back within a partition; write ORDER BY ts, ascending, in the OVER clause",
                    self.name
                );
            }
            before = times[row];
            let expires = expires.as_ref().is_some_and(|rows| rows.value(row));
            let touch = life.push(row, times[row], channel_value.is_valid(row), expires);
            touches.push(touch.map(|row| row as u64));
        }
        let touches = UInt64Array::from(touches);
        let columns: Vec<ArrayRef> = vec![
            take(channel_name, &touches, None)?,
            take(channel_value, &touches, None)?,
            take(ts, &touches, None)?,
            Arc::new(Float64Array::from(vec![1.0; num_rows])),
        ];
        let nulls = touches.nulls().map(|nulls| NullBuffer::new(nulls.inner().clone()));
        Ok(Arc::new(StructArray::try_new_with_length(self.fields.clone(), columns, nulls, num_rows)?))
    }
}
