//! Quotients of `numeric`: rounded, and with the digits that PostgreSQL shows.
//!
//! PostgreSQL chooses the scale of each quotient by its value, for at least 16 significant digits. Columns here have one
//! scale: 16, which is that of quotients from 1 to 9,999. Where both numbers are literals it is PostgreSQL's own.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, i256};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::error::{SqlError, sqlstate};

/// The function that divides; its second argument may be 0.
pub(crate) const NAME: &str = "pg_quotient";
/// Digits of all results.
pub(super) const DIGITS: u8 = 38;
/// Digits behind the point that columns get.
pub(super) const SCALE: i8 = 16;
/// Digits of whole numbers as decimals.
const WHOLE: u8 = 20;

/// Plans quotients.
#[derive(Debug)]
pub(super) struct Quotients;

impl ExprPlanner for Quotients {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::Divide {
            return Ok(PlannerResult::Original(expr));
        }
        Ok(match quotient(&expr.left, &expr.right, schema) {
            Some(quotient) => PlannerResult::Planned(quotient),
            None => PlannerResult::Original(expr),
        })
    }
}

/// `expr`, if it divides, by the types that its operands have come to: the planner sees others where they are columns of a
/// sub-query with a `CASE` or a `UNION`.
pub(super) fn settled(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let (left, right, is_quotient) = match &expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right }) => {
            (left.as_ref(), right.as_ref(), false)
        }
        Expr::ScalarFunction(call) if call.name() == NAME => match call.args.as_slice() {
            [left, right] => (left, right, true),
            _ => return Transformed::no(expr),
        },
        _ => return Transformed::no(expr),
    };
    match quotient(left, right, schema) {
        Some(quotient) if quotient != expr => Transformed::yes(quotient),
        None if is_quotient => Transformed::yes(left.clone() / right.clone()),
        _ => Transformed::no(expr),
    }
}

/// The quotient of exact numbers of which one is `numeric`.
fn quotient(left: &Expr, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    let (left_type, right_type) = (left.get_type(schema).ok()?, right.get_type(schema).ok()?);
    let (left_scale, right_scale) = (scale_of(&left_type)?, scale_of(&right_type)?);
    if left_type.is_integer() && right_type.is_integer() {
        return None;
    }
    let scale = match (constant(left), constant(right)) {
        (Some(left), Some(right)) => scale_of_quotient(left, right),
        _ => SCALE.max(left_scale).max(right_scale),
    };
    let function = Quotient { scale, signature: Signature::any(2, Volatility::Immutable) };
    let arguments = vec![left.clone(), right.clone()];
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::from(function)), arguments)))
}

/// The scale of numbers that are exact, and not wider than those of this module.
fn scale_of(data_type: &DataType) -> Option<i8> {
    match data_type {
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => {
            (0..=30).contains(scale).then_some(*scale)
        }
        other => other.is_integer().then_some(0),
    }
}

/// The number that `expr` is, and its scale.
fn constant(expr: &Expr) -> Option<(i128, i8)> {
    match expr {
        Expr::Literal(ScalarValue::Decimal128(value, _, scale), _) => Some(((*value)?, *scale)),
        Expr::Literal(value, _) if value.data_type().is_integer() => {
            match value.cast_to(&DataType::Decimal128(WHOLE, 0)).ok()? {
                ScalarValue::Decimal128(value, _, _) => Some((value?, 0)),
                _ => None,
            }
        }
        Expr::Negative(inner) => constant(inner).map(|(value, scale)| (-value, scale)),
        Expr::Cast(cast) => {
            let Expr::Literal(value, _) = cast.expr.as_ref() else { return None };
            match value.cast_to(cast.field.data_type()).ok()? {
                ScalarValue::Decimal128(value, _, scale) => Some((value?, scale)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The scale that PostgreSQL gives a quotient: 16 significant digits by groups of four.
fn scale_of_quotient(left: (i128, i8), right: (i128, i8)) -> i8 {
    let ((left_weight, left_first), (right_weight, right_first)) = (leading(left), leading(right));
    let mut weight = left_weight - right_weight;
    if left_first <= right_first {
        weight -= 1;
    }
    let scale = (16 - weight * 4).max(i32::from(left.1)).max(i32::from(right.1)).max(0);
    // What Arrow has room for, with the digits before the point.
    let room = 37 - ((weight + 2) * 4).max(0);
    i8::try_from(scale.min(room.max(0))).unwrap_or(SCALE)
}

/// The place of the first group of four digits, counted from the point, and its value.
fn leading((value, scale): (i128, i8)) -> (i32, u128) {
    let value = value.unsigned_abs();
    let Some(digits) = value.checked_ilog10() else { return (0, 0) };
    let weight = (i32::try_from(digits).unwrap_or(0) - i32::from(scale)).div_euclid(4);
    let below = i32::from(scale) + weight * 4;
    let power = 10_u128.pow(below.unsigned_abs());
    (weight, if below >= 0 { value / power } else { value * power })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Quotient {
    scale: i8,
    signature: Signature,
}

impl ScalarUDFImpl for Quotient {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(DIGITS, self.scale))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalars = arguments.args.iter().all(|one| matches!(one, ColumnarValue::Scalar(_)));
        let rows = if scalars { 1 } else { arguments.number_rows };
        let (left, left_scale) = decimals(&arguments.args[0].to_array(rows)?)?;
        let (right, right_scale) = decimals(&arguments.args[1].to_array(rows)?)?;
        let shift = u32::try_from(i32::from(self.scale) - i32::from(left_scale) + i32::from(right_scale));
        let shift = shift.map_err(|_| out_of_range())?;
        let quotients: Result<Decimal128Array> = left
            .iter()
            .zip(&right)
            .map(|(left, right)| match (left, right) {
                (Some(left), Some(right)) => divided(left, right, shift).map(Some),
                _ => Ok(None),
            })
            .collect();
        let quotients: ArrayRef = Arc::new(quotients?.with_precision_and_scale(DIGITS, self.scale)?);
        if scalars {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&quotients, 0)?));
        }
        Ok(ColumnarValue::Array(quotients))
    }
}

fn decimals(array: &ArrayRef) -> Result<(Decimal128Array, i8)> {
    let Some(scale) = scale_of(array.data_type()) else {
        return internal_err!("{NAME} got {}", array.data_type());
    };
    let digits = if array.data_type().is_integer() { WHOLE } else { DIGITS };
    let decimals = cast(array, &DataType::Decimal128(digits, scale))?;
    Ok((decimals.as_primitive::<Decimal128Type>().clone(), scale))
}

/// `left * 10^shift / right`, from the middle away from zero.
fn divided(left: i128, right: i128, shift: u32) -> Result<i128> {
    if right == 0 {
        return Err(SqlError::new(sqlstate::DIVISION_BY_ZERO, "division by zero").into());
    }
    let power = 10_i128.checked_pow(shift);
    if let Some(scaled) = power.and_then(|power| left.checked_mul(power)) {
        let (quotient, rest) = (scaled / right, scaled % right);
        let up = rest.unsigned_abs() >= right.unsigned_abs() - rest.unsigned_abs();
        let away = if (scaled < 0) == (right < 0) { 1 } else { -1 };
        return within(if up { quotient + away } else { quotient });
    }
    let power = i256::from_i128(10).checked_pow(shift).ok_or_else(out_of_range)?;
    let scaled = i256::from_i128(left).checked_mul(power).ok_or_else(out_of_range)?;
    let divisor = i256::from_i128(right);
    let quotient =
        scaled.checked_div(divisor).ok_or_else(out_of_range)?.to_i128().ok_or_else(out_of_range)?;
    let rest = scaled.checked_rem(divisor).and_then(i256::to_i128).ok_or_else(out_of_range)?;
    let up = rest.unsigned_abs() >= right.unsigned_abs() - rest.unsigned_abs();
    let away = if (left < 0) == (right < 0) { 1 } else { -1 };
    within(if up { quotient.checked_add(away).ok_or_else(out_of_range)? } else { quotient })
}

/// `value`, if it has at most as many digits as a decimal may have.
pub(super) fn within(value: i128) -> Result<i128> {
    if value.unsigned_abs() < 10_u128.pow(u32::from(DIGITS)) { Ok(value) } else { Err(out_of_range().into()) }
}

pub(super) fn out_of_range() -> SqlError {
    let message = "a quotient has more than 38 digits: round the numbers, or cast them to double precision";
    SqlError::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    // What PostgreSQL 15 answers.
    #[test]
    fn scales_are_those_of_postgres() {
        for (left, right, scale) in [
            ((20, 1), (30, 1), 20),
            ((10, 0), (40, 1), 16),
            ((100_000, 0), (30, 1), 12),
            ((1, 3), (3, 0), 20),
            ((1_050, 2), (3, 1), 16),
            ((12_345_678, 3), (2, 0), 16),
        ] {
            assert_eq!(scale_of_quotient(left, right), scale, "{left:?} {right:?}");
        }
    }

    #[test]
    fn quotients_are_rounded() {
        for (left, right, shift, expected) in [
            (2, 3, 3, 667),
            (-2, 3, 3, -667),
            (1, 3, 3, 333),
            (1, 2, 0, 1),
            (-1, 2, 0, -1),
            (1, -2, 0, -1),
            (10_i128.pow(37), 3 * 10_i128.pow(20), 16, 333_333_333_333_333_333_333_333_333_333_333),
        ] {
            assert_eq!(divided(left, right, shift).unwrap(), expected, "{left} {right}");
        }
        assert!(divided(1, 0, 3).is_err());
        assert!(divided(10_i128.pow(37), 1, 16).is_err());
    }
}
