//! The average of intervals: their sum, divided as PostgreSQL divides an interval.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, IntervalUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::StateFieldsArgs;
use datafusion::logical_expr::{Accumulator, AggregateUDF};

use super::super::intervals::scaled;

pub(super) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// The parts of a partial average: how many there are, and their sum's.
pub(super) fn state_fields(sum: &AggregateUDF, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
    let count = Field::new(format!("{}[averaged]", arguments.name), DataType::Int64, true);
    let mut fields = vec![Arc::new(count)];
    fields.extend(sum.state_fields(arguments)?);
    Ok(fields)
}

/// `avg(x)` of intervals, also of a frame that slides.
#[derive(Debug)]
pub(super) struct IntervalAverage {
    sum: Box<dyn Accumulator>,
    count: i64,
}

impl IntervalAverage {
    pub(super) fn new(sum: Box<dyn Accumulator>) -> Self {
        Self { sum, count: 0 }
    }
}

/// How many values are not NULL.
fn valid(values: &[ArrayRef]) -> i64 {
    i64::try_from(values[0].len() - values[0].null_count()).unwrap_or(i64::MAX)
}

impl Accumulator for IntervalAverage {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count += valid(values);
        self.sum.update_batch(values)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count -= valid(values);
        self.sum.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.sum.supports_retract_batch()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.count += states[0].as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        self.sum.merge_batch(&states[1..])
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut state = vec![ScalarValue::from(self.count)];
        state.extend(self.sum.state()?);
        Ok(state)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.sum.evaluate()? {
            ScalarValue::IntervalMonthDayNano(Some(sum)) => {
                let average = scaled(sum, self.count as f64, true)?;
                Ok(ScalarValue::IntervalMonthDayNano(Some(average)))
            }
            none => Ok(none),
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.sum.size()
    }
}
