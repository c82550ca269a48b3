//! Floating-point numbers as `numeric`: with the fifteen digits that are theirs (six for `real`), as PostgreSQL takes them, so
//! that `1.005::float8::numeric(12, 2)` is 1.01. The engine's cast multiplies, and shows what the number is in binary.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::inputs::rewrite_expressions;
use crate::error::{SqlError, sqlstate};

/// Puts the cast of this module in the place of the engine's.
#[derive(Debug)]
pub(crate) struct FloatCasts;

impl AnalyzerRule for FloatCasts {
    fn name(&self) -> &str {
        "float_casts"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_expressions(plan, exact)
    }
}

fn exact(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::Cast(Cast { expr: operand, field }) = &expr else { return Transformed::no(expr) };
    let is_float = operand.get_type(schema).is_ok_and(|of| of.is_floating());
    match field.data_type() {
        target @ DataType::Decimal128(_, 0..) if is_float => {
            Transformed::yes(call(operand.as_ref().clone(), target))
        }
        _ => Transformed::no(expr),
    }
}

/// `number`, which is a floating-point one, as a value of `target`, a decimal.
pub(super) fn call(number: Expr, target: &DataType) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    let function = ScalarUDF::from(FloatNumeric { target: target.clone(), signature });
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![number]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FloatNumeric {
    target: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for FloatNumeric {
    fn name(&self) -> &str {
        "pg_float_numeric"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.target.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        value(&arguments.args[0], &self.target)
    }
}

/// `numbers`, which are floating-point ones, as `target`, a decimal.
///
/// # Errors
/// 22003.
pub(super) fn value(numbers: &ColumnarValue, target: &DataType) -> Result<ColumnarValue> {
    match numbers {
        ColumnarValue::Array(numbers) => Ok(ColumnarValue::Array(converted(numbers, target)?)),
        ColumnarValue::Scalar(number) => {
            let array = converted(&number.to_array()?, target)?;
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
        }
    }
}

fn converted(numbers: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    let DataType::Decimal128(precision, scale) = target else { return Ok(cast(numbers, target)?) };
    let digits = if numbers.data_type() == &DataType::Float64 { 15 } else { 6 };
    let numbers = cast(numbers, &DataType::Float64)?;
    let overflow = || SqlError::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow");
    let one = |number: f64| decimal(number, digits, *precision, *scale).ok_or_else(overflow);
    let numbers = numbers.as_primitive::<Float64Type>().iter();
    let decimals: std::result::Result<Decimal128Array, SqlError> =
        numbers.map(|number| number.map(one).transpose()).collect();
    Ok(Arc::new(decimals?.with_precision_and_scale(*precision, *scale)?))
}

/// `number` by its first `digits` digits, in units of `10^-scale`, from the middle away from zero; `None` if it has more than
/// `precision` digits then.
fn decimal(number: f64, digits: usize, precision: u8, scale: i8) -> Option<i128> {
    if !number.is_finite() {
        return None;
    }
    // -1.23450000000000e-5
    let text = format!("{number:.*e}", digits - 1);
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let value: i128 = digits.parse().ok()?;
    let behind = i32::try_from(mantissa.split_once('.').map_or(0, |(_, behind)| behind.len())).ok()?;
    let shift = exponent - behind + i32::from(scale);
    let value = match u32::try_from(shift) {
        Ok(shift) => value.checked_mul(10_i128.checked_pow(shift).or((value == 0).then_some(1))?)?,
        Err(_) => match 10_i128.checked_pow(shift.unsigned_abs()) {
            Some(unit) => {
                let (whole, rest) = (value / unit, value % unit);
                if rest.abs() * 2 >= unit { whole + value.signum() } else { whole }
            }
            None => 0,
        },
    };
    (value.unsigned_abs() < 10_u128.pow(u32::from(precision))).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    // What PostgreSQL 15 answers.
    #[test]
    fn numbers_have_the_digits_that_are_theirs() {
        for (number, digits, scale, expected) in [
            (1.005, 15, 2, 101),
            (-1.005, 15, 2, -101),
            (2.675, 15, 2, 268),
            (123_456_789.123, 15, 10, 1_234_567_891_230_000_000),
            (1e15, 15, 10, 10_i128.pow(25)),
            (1e20, 15, 10, 10_i128.pow(30)),
            (1e-12, 15, 10, 0),
            (0.5, 15, 0, 1),
            (-0.5, 15, 0, -1),
            (f64::from(0.1_f32), 6, 10, 1_000_000_000),
            (0.0, 15, 10, 0),
            (-0.0, 15, 10, 0),
            (1e-300, 15, 10, 0),
        ] {
            assert_eq!(decimal(number, digits, 38, scale), Some(expected), "{number}");
        }
        assert_eq!(decimal(999.995, 15, 5, 2), None);
        for number in [f64::NAN, f64::INFINITY, 1e30, 1e300] {
            assert_eq!(decimal(number, 15, 38, 10), None, "{number}");
        }
    }
}
