//! `avg` of whole numbers and of `numeric`, which is `numeric`, exact and rounded; every other average is the engine's.
//!
//! The scale is 16, or that of the numbers if it is more (see [`super::quotients`]).

use std::collections::HashSet;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, Int64Array, ListArray,
    PrimitiveArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
    Volatility,
};

use super::quotients::{DIGITS, SCALE, out_of_range, within};

/// Digits of `bigint`.
const WHOLE: u8 = 20;

pub(super) fn function() -> AggregateUDF {
    let engine = avg_udaf();
    AggregateUDF::from(Average { engine, signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Average {
    engine: Arc<AggregateUDF>,
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
            None => self.engine.return_type(arguments),
        }
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
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
            Some(scale) if arguments.is_distinct => Ok(Box::new(Distinct { values: HashSet::new(), scale })),
            Some(scale) => Ok(Box::new(Running { sum: 0, count: 0, scale })),
            None => self.engine.accumulator(arguments),
        }
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        match arguments.expr_fields.first().and_then(|field| scale_of(field.data_type())) {
            Some(_) => self.accumulator(arguments),
            None => self.engine.create_sliding_accumulator(arguments),
        }
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        match arguments.expr_fields.first().and_then(|field| scale_of(field.data_type())) {
            Some(_) => !arguments.is_distinct,
            None => self.engine.groups_accumulator_supported(arguments),
        }
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        match arguments.expr_fields.first().and_then(|field| scale_of(field.data_type())) {
            Some(scale) => Ok(Box::new(Groups { sums: Vec::new(), counts: Vec::new(), scale })),
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

fn is_kept(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

fn added(sum: i128, value: i128) -> Result<i128> {
    Ok(sum.checked_add(value).ok_or_else(out_of_range)?)
}

fn decimal(value: Option<i128>, scale: i8) -> ScalarValue {
    ScalarValue::Decimal128(value, DIGITS, scale)
}

#[derive(Debug)]
struct Running {
    sum: i128,
    count: i64,
    scale: i8,
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
struct Distinct {
    values: HashSet<i128>,
    scale: i8,
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

/// All groups at once.
#[derive(Debug)]
struct Groups {
    sums: Vec<i128>,
    counts: Vec<i64>,
    scale: i8,
}

impl Groups {
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
