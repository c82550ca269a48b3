//! The sum of intervals: months, days and time each by itself, as PostgreSQL adds them.

use std::mem::size_of;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Accumulator;

use super::total::out_of_range;
use super::{INTERVAL, running::for_each_valid};

/// Digits of sums of nanoseconds.
const DIGITS: u8 = 38;

/// The parts of a partial sum.
pub(super) fn state_types() -> [(&'static str, DataType); 4] {
    let count = DataType::Int64;
    let nanoseconds = DataType::Decimal128(DIGITS, 0);
    [("count", count.clone()), ("months", count.clone()), ("days", count), ("nanoseconds", nanoseconds)]
}

/// The sum of the intervals that are in it. Its parts are wider than those of an interval: 2^31 intervals, and for
/// nanoseconds 2^63, cannot leave them.
#[derive(Debug, Default)]
pub(super) struct IntervalSum {
    count: i64,
    months: i64,
    days: i64,
    nanoseconds: i128,
}

impl IntervalSum {
    fn add(&mut self, count: i64, months: i64, days: i64, nanoseconds: i128) {
        self.count += count;
        self.months += months;
        self.days += days;
        self.nanoseconds += nanoseconds;
    }

    fn interval(&self) -> Option<IntervalMonthDayNano> {
        let (months, days) = (i32::try_from(self.months).ok()?, i32::try_from(self.days).ok()?);
        Some(IntervalMonthDayNano::new(months, days, i64::try_from(self.nanoseconds).ok()?))
    }
}

impl Accumulator for IntervalSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each_valid(values[0].as_primitive::<IntervalMonthDayNanoType>(), |value| {
            self.add(1, value.months.into(), value.days.into(), value.nanoseconds.into());
        });
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each_valid(values[0].as_primitive::<IntervalMonthDayNanoType>(), |value| {
            self.add(-1, -i64::from(value.months), -i64::from(value.days), -i128::from(value.nanoseconds));
        });
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [count, months, days] = [0, 1, 2].map(|part: usize| states[part].as_primitive::<Int64Type>());
        let nanoseconds = states[3].as_primitive::<Decimal128Type>();
        for row in (0..count.len()).filter(|row| count.is_valid(*row)) {
            self.add(count.value(row), months.value(row), days.value(row), nanoseconds.value(row));
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![
            ScalarValue::from(self.count),
            ScalarValue::from(self.months),
            ScalarValue::from(self.days),
            ScalarValue::Decimal128(Some(self.nanoseconds), DIGITS, 0),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.count == 0 {
            return Ok(ScalarValue::IntervalMonthDayNano(None));
        }
        let sum = self.interval().ok_or_else(|| out_of_range(&INTERVAL))?;
        Ok(ScalarValue::IntervalMonthDayNano(Some(sum)))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::IntervalMonthDayNanoArray;

    use super::*;

    fn array(values: &[(i32, i32, i64)]) -> [ArrayRef; 1] {
        let values =
            values.iter().map(|(months, days, ns)| Some(IntervalMonthDayNano::new(*months, *days, *ns)));
        [Arc::new(values.collect::<IntervalMonthDayNanoArray>())]
    }

    #[test]
    fn fields_are_added_by_themselves() {
        let mut sum = IntervalSum::default();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::IntervalMonthDayNano(None));
        sum.update_batch(&array(&[(1, 40, 5), (i32::MAX, -1, i64::MAX)])).unwrap();
        assert!(sum.evaluate().unwrap_err().to_string().contains("interval out of range"));
        sum.retract_batch(&array(&[(1, 40, 5)])).unwrap();
        let rest = IntervalMonthDayNano::new(i32::MAX, -1, i64::MAX);
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::IntervalMonthDayNano(Some(rest)));
        let state: Vec<ArrayRef> = sum.state().unwrap().iter().map(|part| part.to_array().unwrap()).collect();
        let mut merged = IntervalSum::default();
        merged.update_batch(&array(&[(-1, 1, -1)])).unwrap();
        merged.merge_batch(&state).unwrap();
        let whole = IntervalMonthDayNano::new(i32::MAX - 1, 0, i64::MAX - 1);
        assert_eq!(merged.evaluate().unwrap(), ScalarValue::IntervalMonthDayNano(Some(whole)));
    }
}
