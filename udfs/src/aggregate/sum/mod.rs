//! `sum` that is exact or an error: DataFusion's own wraps, so that large numbers add up to a negative one.
//!
//! Whole numbers, decimals and durations are added up here (see [`total`]): what a sum is depends neither on the order of
//! rows nor on partitions, even where it leaves the range in between. Intervals are added field by field. Everything else,
//! which is floating-point numbers, is DataFusion's; so are the types of arguments and results.

mod distinct;
mod groups;
mod intervals;
mod running;
mod total;

use std::sync::Arc;

use arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Field, FieldRef, Int64Type,
    IntervalUnit, TimeUnit, UInt64Type,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, Operator,
    ReversedUDAF, SetMonotonicity, Signature,
};

use distinct::Distinct;
use groups::Groups;
use intervals::IntervalSum;
use running::Running;

/// Calls `$with!` with the Arrow type of sums of `$data_type`, if such sums are formed here.
macro_rules! exact {
    ($data_type:expr, $with:ident, $otherwise:expr) => {
        match $data_type {
            DataType::Int64 => $with!(Int64Type),
            DataType::UInt64 => $with!(UInt64Type),
            DataType::Decimal32(_, _) => $with!(Decimal32Type),
            DataType::Decimal64(_, _) => $with!(Decimal64Type),
            DataType::Decimal128(_, _) => $with!(Decimal128Type),
            DataType::Decimal256(_, _) => $with!(Decimal256Type),
            DataType::Duration(TimeUnit::Second) => $with!(DurationSecondType),
            DataType::Duration(TimeUnit::Millisecond) => $with!(DurationMillisecondType),
            DataType::Duration(TimeUnit::Microsecond) => $with!(DurationMicrosecondType),
            DataType::Duration(TimeUnit::Nanosecond) => $with!(DurationNanosecondType),
            _ => $otherwise,
        }
    };
}

/// The function.
pub(crate) fn sum_function() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Sum { engine: sum_udaf() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    engine: Arc<AggregateUDF>,
}

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// The type of partial sums of results of `data_type`, which may have more digits than the result.
fn partial_type(data_type: &DataType) -> DataType {
    use arrow::datatypes::{
        DECIMAL32_MAX_PRECISION, DECIMAL64_MAX_PRECISION, DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION,
    };
    match data_type {
        DataType::Decimal32(_, scale) => DataType::Decimal32(DECIMAL32_MAX_PRECISION, *scale),
        DataType::Decimal64(_, scale) => DataType::Decimal64(DECIMAL64_MAX_PRECISION, *scale),
        DataType::Decimal128(_, scale) => DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale),
        DataType::Decimal256(_, scale) => DataType::Decimal256(DECIMAL256_MAX_PRECISION, *scale),
        other => other.clone(),
    }
}

fn is_exact(data_type: &DataType) -> bool {
    macro_rules! yes {
        ($type:ty) => {
            true
        };
    }
    exact!(data_type, yes, false)
}

impl AggregateUDFImpl for Sum {
    // DataFusion's rules know it by this name, and what they do with it holds for this one.
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.engine.return_type(arguments)
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let result = arguments.return_field.data_type();
        let named = |part: &str, data_type| {
            Arc::new(Field::new(format_state_name(arguments.name, part), data_type, true))
        };
        if result == &INTERVAL && !arguments.is_distinct {
            return Ok(intervals::state_types().map(|(part, data_type)| named(part, data_type)).to_vec());
        }
        if !is_exact(result) {
            return self.engine.state_fields(arguments);
        }
        if arguments.is_distinct {
            let item = Arc::new(Field::new_list_field(partial_type(result), true));
            return Ok(vec![named("sum distinct", DataType::List(item))]);
        }
        Ok(vec![named("sum", partial_type(result)), named("carry", DataType::Int64)])
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let result = arguments.return_field.data_type();
        if result == &INTERVAL && !arguments.is_distinct {
            return Ok(Box::new(IntervalSum::default()));
        }
        macro_rules! accumulator {
            ($type:ty) => {
                if arguments.is_distinct {
                    Ok(Box::new(Distinct::<$type>::new(result.clone())))
                } else {
                    Ok(Box::new(Running::<$type>::new(result.clone())))
                }
            };
        }
        exact!(result, accumulator, self.engine.accumulator(arguments))
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let result = arguments.return_field.data_type();
        if is_exact(result) || (result == &INTERVAL && !arguments.is_distinct) {
            return self.accumulator(arguments);
        }
        self.engine.create_sliding_accumulator(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        !arguments.is_distinct && arguments.return_field.data_type() != &INTERVAL
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let result = arguments.return_field.data_type();
        macro_rules! groups {
            ($type:ty) => {
                Ok(Box::new(Groups::<$type>::new(result.clone())))
            };
        }
        exact!(result, groups, self.engine.create_groups_accumulator(arguments))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.engine.inner().set_monotonicity(data_type)
    }

    // `sum(x + 1)` as `sum(x) + count(x)` comes after the rule that checks additions, so that this one would wrap.
    fn simplify_expr_op_literal(
        &self,
        call: &AggregateFunction,
        argument: &Expr,
        operator: Operator,
        literal: &Expr,
        argument_is_left: bool,
    ) -> Result<Option<Expr>> {
        if !matches!(literal, Expr::Literal(ScalarValue::Float32(_) | ScalarValue::Float64(_), _)) {
            return Ok(None);
        }
        let engine = self.engine.inner();
        engine.simplify_expr_op_literal(call, argument, operator, literal, argument_is_left)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engine.documentation()
    }
}
