//! One sum, also of a frame that slides.

use std::mem::size_of;

use arrow::array::{Array, ArrayRef, ArrowNumericType, AsArray, PrimitiveArray};
use arrow::compute::sum_checked;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Accumulator;

use super::partial_type;
use super::total::{NumberType, Total};

/// The sum of the numbers that are in it. O(1) memory.
#[derive(Debug)]
pub(super) struct Running<T: NumberType> {
    total: Total<T::Native>,
    /// How many numbers are in it: the sum of none is NULL.
    count: usize,
    result: DataType,
}

impl<T: NumberType> Running<T> {
    pub(super) fn new(result: DataType) -> Self {
        Self { total: Total::default(), count: 0, result }
    }
}

/// Gives `each` the numbers of `values`.
pub(super) fn for_each_valid<T: ArrowNumericType>(
    values: &PrimitiveArray<T>,
    mut each: impl FnMut(T::Native),
) {
    if values.null_count() == 0 {
        values.values().iter().for_each(|value| each(*value));
    } else {
        values.iter().flatten().for_each(each);
    }
}

impl<T: NumberType> Accumulator for Running<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<T>();
        self.count += values.len() - values.null_count();
        match sum_checked(values) {
            Ok(sum) => self.total.add(sum.unwrap_or_default()),
            Err(_) => for_each_valid(values, |value| self.total.add(value)),
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<T>();
        self.count -= values.len() - values.null_count();
        for_each_valid(values, |value| self.total.subtract(value));
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (lows, carries) = (states[0].as_primitive::<T>(), states[1].as_primitive::<Int64Type>());
        for (low, carry) in lows.iter().zip(carries) {
            if let (Some(low), Some(carry)) = (low, carry) {
                self.total.merge(Total { low, carry });
                self.count += 1;
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let low = (self.count > 0).then_some(self.total.low);
        Ok(vec![
            ScalarValue::new_primitive::<T>(low, &partial_type(&self.result))?,
            ScalarValue::from(self.total.carry),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = if self.count > 0 { Some(self.total.exact(&self.result)?) } else { None };
        ScalarValue::new_primitive::<T>(sum, &self.result)
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;

    use super::*;

    fn array(values: &[Option<i64>]) -> [ArrayRef; 1] {
        [Arc::new(Int64Array::from(values.to_vec()))]
    }

    #[test]
    fn a_frame_that_slides_beyond_the_range_comes_back() {
        let mut sum = Running::<Int64Type>::new(DataType::Int64);
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(None));
        sum.update_batch(&array(&[Some(i64::MAX), None, Some(i64::MAX)])).unwrap();
        assert!(sum.evaluate().is_err());
        sum.retract_batch(&array(&[Some(i64::MAX), None])).unwrap();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(Some(i64::MAX)));
        sum.retract_batch(&array(&[Some(i64::MAX)])).unwrap();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(None));
    }

    #[test]
    fn partial_sums_beyond_the_range_are_merged_exactly() {
        let states = [[i64::MAX, i64::MAX], [i64::MIN, 7]].map(|values| {
            let mut part = Running::<Int64Type>::new(DataType::Int64);
            part.update_batch(&array(&values.map(Some))).unwrap();
            part.state().unwrap()
        });
        let mut whole = Running::<Int64Type>::new(DataType::Int64);
        for state in states {
            let state: Vec<ArrayRef> = state.iter().map(|part| part.to_array().unwrap()).collect();
            whole.merge_batch(&state).unwrap();
        }
        let mut none = Running::<Int64Type>::new(DataType::Int64);
        let none: Vec<ArrayRef> = none.state().unwrap().iter().map(|part| part.to_array().unwrap()).collect();
        whole.merge_batch(&none).unwrap();
        // 2 * MAX + MIN + 7
        assert!(whole.evaluate().is_err());
        whole.update_batch(&array(&[Some(-10)])).unwrap();
        assert_eq!(whole.evaluate().unwrap(), ScalarValue::Int64(Some(i64::MAX - 4)));
    }
}
