//! `sum(DISTINCT x)`, also of a frame that slides.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, PrimitiveArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use datafusion::common::{HashMap, Result, ScalarValue};
use datafusion::logical_expr::Accumulator;

use super::partial_type;
use super::running::for_each_valid;
use super::total::{NumberType, Total};

/// Each number with how often it is in the frame. O(distinct numbers) memory.
#[derive(Debug)]
pub(super) struct Distinct<T: NumberType> {
    counts: HashMap<T::Native, usize>,
    total: Total<T::Native>,
    result: DataType,
}

impl<T: NumberType> Distinct<T> {
    pub(super) fn new(result: DataType) -> Self {
        Self { counts: HashMap::new(), total: Total::default(), result }
    }
}

impl<T: NumberType> Accumulator for Distinct<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each_valid(values[0].as_primitive::<T>(), |value| {
            let count = self.counts.entry(value).or_insert(0);
            *count += 1;
            if *count == 1 {
                self.total.add(value);
            }
        });
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each_valid(values[0].as_primitive::<T>(), |value| {
            let Some(count) = self.counts.get_mut(&value) else { return };
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&value);
                self.total.subtract(value);
            }
        });
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        lists.iter().flatten().try_for_each(|values| self.update_batch(&[values]))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = PrimitiveArray::<T>::from_iter_values(self.counts.keys().copied());
        let values = values.with_data_type(partial_type(&self.result));
        let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        let lengths = OffsetBuffer::from_lengths([values.len()]);
        let list = ListArray::try_new(item, lengths, Arc::new(values), None)?;
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = if self.counts.is_empty() { None } else { Some(self.total.exact(&self.result)?) };
        ScalarValue::new_primitive::<T>(sum, &self.result)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.counts.capacity() * (size_of::<(T::Native, usize)>() + 1)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::Int64Type;

    use super::*;

    fn array<const N: usize>(values: [i64; N]) -> [ArrayRef; 1] {
        [Arc::new(Int64Array::from(values.to_vec()))]
    }

    #[test]
    fn each_number_counts_once_while_it_is_in_the_frame() {
        let mut sum = Distinct::<Int64Type>::new(DataType::Int64);
        sum.update_batch(&array([i64::MAX, 5, i64::MAX])).unwrap();
        assert!(sum.evaluate().is_err());
        sum.retract_batch(&array([i64::MAX, 5])).unwrap();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(Some(i64::MAX)));
        sum.retract_batch(&array([i64::MAX])).unwrap();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(None));
    }

    #[test]
    fn what_two_partitions_share_counts_once() {
        let mut whole = Distinct::<Int64Type>::new(DataType::Int64);
        for values in [array([1, i64::MAX]), array([i64::MAX, -2])] {
            let mut part = Distinct::<Int64Type>::new(DataType::Int64);
            part.update_batch(&values).unwrap();
            let state: Vec<ArrayRef> =
                part.state().unwrap().iter().map(|part| part.to_array().unwrap()).collect();
            whole.merge_batch(&state).unwrap();
        }
        assert_eq!(whole.evaluate().unwrap(), ScalarValue::Int64(Some(i64::MAX - 1)));
    }
}
