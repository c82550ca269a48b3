//! One average.

use std::collections::HashSet;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Accumulator;

use super::super::quotients::{DIGITS, SCALE};
use super::{added, average, each, sum_type};

fn decimal(value: Option<i128>, scale: i8) -> ScalarValue {
    ScalarValue::Decimal128(value, DIGITS, scale)
}

/// `avg(x)`, also of a frame that slides.
#[derive(Debug)]
pub(super) struct Running {
    sum: i128,
    count: i64,
    scale: i8,
}

impl Running {
    pub(super) fn new(scale: i8) -> Self {
        Self { sum: 0, count: 0, scale }
    }
}

impl Accumulator for Running {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(&values[0], |_, value| {
            self.sum = added(self.sum, value)?;
            self.count += 1;
            Ok(())
        })
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(&values[0], |_, value| {
            self.sum = added(self.sum, -value)?;
            self.count -= 1;
            Ok(())
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.count += states[0].as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        each(&states[1], |_, sum| {
            self.sum = added(self.sum, sum)?;
            Ok(())
        })
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::from(self.count), decimal(Some(self.sum), self.scale)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(decimal(average(self.sum, self.count, self.scale)?, SCALE.max(self.scale)))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// `avg(DISTINCT x)`.
#[derive(Debug)]
pub(super) struct Distinct {
    values: HashSet<i128>,
    scale: i8,
}

impl Distinct {
    pub(super) fn new(scale: i8) -> Self {
        Self { values: HashSet::new(), scale }
    }
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(&values[0], |_, value| {
            self.values.insert(value);
            Ok(())
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        for row in (0..lists.len()).filter(|row| lists.is_valid(*row)) {
            self.update_batch(&[lists.value(row)])?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values: Decimal128Array = self.values.iter().copied().map(Some).collect();
        let values = values.with_precision_and_scale(DIGITS, self.scale)?;
        let item = Arc::new(Field::new_list_field(sum_type(self.scale), true));
        let lengths = OffsetBuffer::from_lengths([values.len()]);
        let list = ListArray::try_new(item, lengths, Arc::new(values), None)?;
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.values.iter().try_fold(0, |sum, value| added(sum, *value))?;
        let count = i64::try_from(self.values.len()).unwrap_or(i64::MAX);
        Ok(decimal(average(sum, count, self.scale)?, SCALE.max(self.scale)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.values.capacity() * (size_of::<i128>() + 1)
    }
}
