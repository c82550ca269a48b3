//! `avg` of whole numbers and of `numeric`, which is `numeric`, exact and rounded, and of intervals; every other average is
//! the engine's.
//!
//! The scale is 16, or that of the numbers if it is more (see [`super::quotients`]).

mod groups;
mod intervals;
mod single;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::Result;
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature, Volatility,
};

use self::groups::Groups;
use self::intervals::{INTERVAL, IntervalAverage};
use self::single::{Distinct, Running};
use super::quotients::{DIGITS, SCALE, out_of_range, within};

/// Digits of `bigint`.
const WHOLE: u8 = 20;

/// The function; `sum` is the one that intervals are added up by.
pub(super) fn function(sum: Arc<AggregateUDF>) -> AggregateUDF {
    let engine = avg_udaf();
    AggregateUDF::from(Average { engine, sum, signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Average {
    engine: Arc<AggregateUDF>,
    sum: Arc<AggregateUDF>,
    signature: Signature,
}

/// The scale of numbers whose averages are formed here; `None` for those that the engine averages.
fn scale_of(data_type: &DataType) -> Option<i8> {
    match data_type {
        DataType::Int64 => Some(0),
        DataType::Decimal128(digits, scale) if *scale >= 0 => {
            let whole = i16::from(*digits) - i16::from(*scale);
            (whole + i16::from(SCALE.max(*scale)) <= i16::from(DIGITS)).then_some(*scale)
        }
        _ => None,
    }
}

fn is_interval(arguments: &[FieldRef]) -> bool {
    arguments.first().is_some_and(|field| field.data_type() == &INTERVAL)
}

fn sum_type(scale: i8) -> DataType {
    DataType::Decimal128(DIGITS, scale)
}

impl AggregateUDFImpl for Average {
    fn name(&self) -> &str {
        "avg"
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        match arguments {
            [DataType::UInt64] => Ok(vec![DataType::Decimal128(WHOLE, 0)]),
            [one] if one.is_integer() => Ok(vec![DataType::Int64]),
            [DataType::Interval(_)] => Ok(vec![INTERVAL]),
            _ => {
                let fields: Vec<FieldRef> =
                    arguments.iter().map(|one| Arc::new(Field::new("value", one.clone(), true))).collect();
                let coerced = fields_with_udf(&fields, self.engine.as_ref())?;
                Ok(coerced.iter().map(|field| field.data_type().clone()).collect())
            }
        }
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments.first().and_then(scale_of) {
            Some(scale) => Ok(sum_type(SCALE.max(scale))),
            None if arguments.first() == Some(&INTERVAL) => Ok(INTERVAL),
            None => self.engine.return_type(arguments),
        }
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if is_interval(arguments.input_fields) {
            return intervals::state_fields(&self.sum, arguments);
        }
        let Some(scale) = arguments.input_fields.first().and_then(|field| scale_of(field.data_type())) else {
            return self.engine.state_fields(arguments);
        };
        let named = |part: &str, data_type| {
            Arc::new(Field::new(format!("{}[{part}]", arguments.name), data_type, true))
        };
        if arguments.is_distinct {
            let item = Arc::new(Field::new_list_field(sum_type(scale), true));
            return Ok(vec![named("values", DataType::List(item))]);
        }
        Ok(vec![named("count", DataType::Int64), named("sum", sum_type(scale))])
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        match arguments.expr_fields.first().and_then(|field| scale_of(field.data_type())) {
            Some(scale) if arguments.is_distinct => Ok(Box::new(Distinct::new(scale))),
            Some(scale) => Ok(Box::new(Running::new(scale))),
            None if is_interval(arguments.expr_fields) => {
                Ok(Box::new(IntervalAverage::new(self.sum.accumulator(arguments)?)))
            }
            None => self.engine.accumulator(arguments),
        }
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        match arguments.expr_fields.first().and_then(|field| scale_of(field.data_type())) {
            Some(_) => self.accumulator(arguments),
            None if is_interval(arguments.expr_fields) => self.accumulator(arguments),
            None => self.engine.create_sliding_accumulator(arguments),
        }
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        match arguments.expr_fields.first().and_then(|field| scale_of(field.data_type())) {
            Some(_) => !arguments.is_distinct,
            None if is_interval(arguments.expr_fields) => false,
            None => self.engine.groups_accumulator_supported(arguments),
        }
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        match arguments.expr_fields.first().and_then(|field| scale_of(field.data_type())) {
            Some(scale) => Ok(Box::new(Groups::new(scale))),
            None => self.engine.create_groups_accumulator(arguments),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }
}

/// The average of `count` numbers of `scale` that add up to `sum`, with the scale of the result.
fn average(sum: i128, count: i64, scale: i8) -> Result<Option<i128>> {
    if count == 0 {
        return Ok(None);
    }
    let unit = 10_i128.pow(u32::from((SCALE.max(scale) - scale).unsigned_abs()));
    let count = i128::from(count);
    // A rest is smaller than the count, which has at most 19 digits.
    let (whole, rest) = (sum / count, sum % count * unit);
    let (mut fraction, rest) = (rest / count, rest % count);
    if rest.unsigned_abs() * 2 >= count.unsigned_abs() {
        fraction += rest.signum();
    }
    let whole = whole.checked_mul(unit).ok_or_else(out_of_range)?;
    within(whole.checked_add(fraction).ok_or_else(out_of_range)?).map(Some)
}

/// Gives `add` each number of `array`, which is of a type that [`scale_of`] knows, with its row; NULLs are left out.
fn each(array: &ArrayRef, add: impl FnMut(usize, i128) -> Result<()>) -> Result<()> {
    match array.as_primitive_opt::<Int64Type>() {
        Some(whole) => each_of(whole, add),
        None => each_of(array.as_primitive::<Decimal128Type>(), add),
    }
}

fn each_of<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    mut add: impl FnMut(usize, i128) -> Result<()>,
) -> Result<()>
where
    T::Native: Into<i128>,
{
    if array.null_count() == 0 {
        return array.values().iter().enumerate().try_for_each(|(row, value)| add(row, (*value).into()));
    }
    let mut rows = array.iter().enumerate().filter_map(|(row, value)| Some((row, value?)));
    rows.try_for_each(|(row, value)| add(row, value.into()))
}

fn added(sum: i128, value: i128) -> Result<i128> {
    Ok(sum.checked_add(value).ok_or_else(out_of_range)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    // What PostgreSQL 15 answers, in units of the last digit.
    #[test]
    fn averages_are_exact() {
        assert_eq!(average(3, 2, 0).unwrap(), Some(15_000_000_000_000_000));
        assert_eq!(average(2, 3, 0).unwrap(), Some(6_666_666_666_666_667));
        assert_eq!(average(-2, 3, 0).unwrap(), Some(-6_666_666_666_666_667));
        assert_eq!(average(0, 0, 0).unwrap(), None);
        let large = i128::from(i64::MAX) * 4 + 2;
        assert_eq!(
            average(large, 4, 0).unwrap(),
            Some(i128::from(i64::MAX) * 10_i128.pow(16) + 5 * 10_i128.pow(15))
        );
        assert_eq!(average(55, 2, 1).unwrap(), Some(27_500_000_000_000_000));
    }
}
