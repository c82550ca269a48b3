//! Functions whose result can be far larger than what they are given: how much is told before it is made.
//!
//! `repeat('x', 2000000000)` is one allocation, which no memory pool sees. The functions here say how large a result
//! would be from their arguments alone, and are refused beyond [`MAX_CALL_BYTES`](crate::limits::MAX_CALL_BYTES) for a batch of rows.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, FieldRef, Int64Type, IntervalMonthDayNanoType, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::limits::Limit;

/// What a result's size follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    /// The first argument, as often as the second says.
    Repeated,
    /// As many letters as the second argument says.
    Padded,
    /// The first argument, with the third in place of each occurrence of the second.
    Replaced,
    /// The same with a pattern, which may match everywhere.
    PatternReplaced,
    /// A list as long as the second argument says.
    Resized,
    /// Numbers or times from one argument to the next.
    Range,
    /// Time, not size: the product of two lengths.
    Distance,
}

const FUNCTIONS: [(&str, Growth); 10] = [
    ("repeat", Growth::Repeated),
    ("array_repeat", Growth::Repeated),
    ("lpad", Growth::Padded),
    ("rpad", Growth::Padded),
    ("replace", Growth::Replaced),
    ("regexp_replace", Growth::PatternReplaced),
    ("array_resize", Growth::Resized),
    ("range", Growth::Range),
    ("generate_series", Growth::Range),
    ("levenshtein", Growth::Distance),
];

/// Puts the functions of `context` that can grow behind their bounds.
pub(crate) fn install(context: &SessionContext) {
    let state = context.state();
    for (name, growth) in FUNCTIONS {
        if let Some(inner) = state.scalar_functions().get(name) {
            context.register_udf(ScalarUDF::from(Bounded { name, inner: ScalarUDF::clone(inner), growth }));
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    name: &'static str,
    inner: ScalarUDF,
    growth: Growth,
}

impl Bounded {
    fn check(&self, args: &ScalarFunctionArgs) -> Result<()> {
        let limit = match self.growth {
            Growth::Distance => Limit::CallSteps(self.name),
            _ => Limit::CallBytes(self.name),
        };
        let Some(of_row) = size_of_rows(self.growth, args)? else {
            return Ok(());
        };
        // One row, if all arguments are constants: the function makes one value then.
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let mut total: u64 = 0;
        for row in 0..if constant { 1 } else { args.number_rows } {
            total = total.saturating_add(of_row(row));
            limit.check(usize::try_from(total).unwrap_or(usize::MAX))?;
        }
        Ok(())
    }
}

type SizeOfRow<'a> = Box<dyn Fn(usize) -> u64 + 'a>;

/// The size of each row's result; `None` if the arguments are of types that the function refuses anyway.
fn size_of_rows(growth: Growth, args: &ScalarFunctionArgs) -> Result<Option<SizeOfRow<'_>>> {
    let arg = |index: usize| args.args.get(index);
    let both = |first: usize, second: usize| Some((arg(first)?, arg(second)?));
    Ok(match growth {
        Growth::Repeated | Growth::Resized => {
            let Some((value, count)) = both(0, 1) else { return Ok(None) };
            let (size, count) = (sizes(value), numbers(count)?);
            let resized = growth == Growth::Resized;
            // Of a list that is made longer, one element counts, of at least eight bytes.
            let size_of = move |row| if resized { 8 } else { size(row).max(1) };
            Some(Box::new(move |row| size_of(row).saturating_mul(count(row).max(0).unsigned_abs())))
        }
        Growth::Padded => {
            let Some(count) = arg(1) else { return Ok(None) };
            let count = numbers(count)?;
            Some(Box::new(move |row| count(row).max(0).unsigned_abs()))
        }
        Growth::Replaced | Growth::PatternReplaced => {
            let (Some((value, from)), Some(to)) = (both(0, 1), arg(2)) else { return Ok(None) };
            let (value, from, to) = (sizes(value), sizes(from), sizes(to));
            let everywhere = growth == Growth::PatternReplaced;
            let once = everywhere && arg(3).is_none();
            Some(Box::new(move |row| {
                let places = match (once, everywhere) {
                    (true, _) => 1,
                    (false, true) => value(row) + 1,
                    (false, false) => value(row) / from(row).max(1) + 1,
                };
                // What is not longer than what it takes the place of makes nothing longer.
                let longer = if everywhere { to(row) } else { to(row).saturating_sub(from(row)) };
                value(row).saturating_add(places.saturating_mul(longer))
            }))
        }
        Growth::Range => range_sizes(args)?,
        Growth::Distance => {
            let Some((one, other)) = both(0, 1) else { return Ok(None) };
            let (one, other) = (sizes(one), sizes(other));
            Some(Box::new(move |row| one(row).saturating_mul(other(row))))
        }
    })
}

/// Bytes of each row's value.
fn sizes(value: &ColumnarValue) -> SizeOfRow<'_> {
    match value {
        ColumnarValue::Scalar(scalar) => {
            let size = match scalar {
                ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
                    text.as_ref().map_or(0, String::len)
                }
                other => other.size(),
            } as u64;
            Box::new(move |_| size)
        }
        ColumnarValue::Array(array) => match array.data_type() {
            DataType::Utf8 => {
                let texts = array.as_string::<i32>();
                Box::new(|row| texts.value_length(row).unsigned_abs().into())
            }
            DataType::LargeUtf8 => {
                let texts = array.as_string::<i64>();
                Box::new(|row| texts.value_length(row).unsigned_abs())
            }
            DataType::Utf8View => {
                let texts = array.as_string_view();
                Box::new(|row| texts.value(row).len() as u64)
            }
            _ => {
                let each = (array.get_array_memory_size() / array.len().max(1)) as u64;
                Box::new(move |_| each)
            }
        },
    }
}

/// Each row's whole number; 0 for NULL.
fn numbers(value: &ColumnarValue) -> Result<Box<dyn Fn(usize) -> i64>> {
    Ok(match value.cast_to(&DataType::Int64, None)? {
        ColumnarValue::Scalar(ScalarValue::Int64(number)) => Box::new(move |_| number.unwrap_or_default()),
        ColumnarValue::Scalar(_) => Box::new(|_| 0),
        ColumnarValue::Array(array) => {
            let numbers = array.as_primitive::<Int64Type>().clone();
            Box::new(move |row| if numbers.is_null(row) { 0 } else { numbers.value(row) })
        }
    })
}

fn range_sizes(args: &ScalarFunctionArgs) -> Result<Option<SizeOfRow<'_>>> {
    let Some(first) = args.args.first() else { return Ok(None) };
    let zero = ColumnarValue::Scalar(ScalarValue::Int64(Some(0)));
    let one = ColumnarValue::Scalar(ScalarValue::Int64(Some(1)));
    let last = args.args.get(1);
    let (start, stop) = last.map_or((&zero, first), |last| (first, last));
    let data_type = stop.data_type();
    if data_type.is_integer() {
        let (start, stop) = (numbers(start)?, numbers(stop)?);
        let step = numbers(args.args.get(2).unwrap_or(&one))?;
        return Ok(Some(Box::new(move |row| list_bytes(start(row), stop(row), step(row).into()))));
    }
    let Some(step) = args.args.get(2) else { return Ok(None) };
    if !matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..)) {
        return Ok(None);
    }
    let microseconds = |value: &ColumnarValue| {
        let time = value.cast_to(&DataType::Timestamp(TimeUnit::Microsecond, None), None)?;
        numbers(&time)
    };
    let (start, stop) = (microseconds(start)?, microseconds(stop)?);
    let step = step.cast_to(&DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano), None)?;
    let step: Box<dyn Fn(usize) -> i128> = match step {
        ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(Some(step))) => {
            Box::new(move |_| least_nanoseconds(step))
        }
        ColumnarValue::Scalar(_) => return Ok(None),
        ColumnarValue::Array(array) => {
            let steps = array.as_primitive::<IntervalMonthDayNanoType>().clone();
            Box::new(move |row| least_nanoseconds(steps.value(row)))
        }
    };
    Ok(Some(Box::new(move |row| {
        let [start, stop] = [start(row), stop(row)].map(|time| i128::from(time) * 1_000);
        list_bytes_of(start, stop, step(row))
    })))
}

/// A month has 28 days at least.
fn least_nanoseconds(step: arrow::datatypes::IntervalMonthDayNano) -> i128 {
    const DAY: i128 = 86_400_000_000_000;
    (i128::from(step.months) * 28 + i128::from(step.days)) * DAY + i128::from(step.nanoseconds)
}

fn list_bytes(start: i64, stop: i64, step: i128) -> u64 {
    list_bytes_of(start.into(), stop.into(), step)
}

fn list_bytes_of(start: i128, stop: i128, step: i128) -> u64 {
    if step == 0 || (stop < start) != (step < 0) {
        return 0;
    }
    let count = (stop - start) / step + 1;
    u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(8)
}

/// Everything but the call itself is the function's own.
impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.check(&args)?;
        self.inner.inner().invoke_with_args(args)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn is_strict(&self) -> bool {
        self.inner.inner().is_strict()
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn simplify(
        &self,
        args: Vec<datafusion::logical_expr::Expr>,
        info: &datafusion::logical_expr::simplify::SimplifyContext,
    ) -> Result<datafusion::logical_expr::simplify::ExprSimplifyResult> {
        self.inner.simplify(args, info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_ranges() {
        for (start, stop, step, expected) in [
            (1, 10, 1, 80),
            (10, 1, 1, 0),
            (10, 1, -1, 80),
            (1, 10, 0, 0),
            (i64::MIN, i64::MAX, 1, u64::MAX),
            (0, 10, 3, 32),
        ] {
            assert_eq!(list_bytes(start, stop, step), expected, "{start} {stop} {step}");
        }
    }
}
