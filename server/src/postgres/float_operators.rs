//! Operators of floating-point numbers, and their cast to `real`: a division by zero and a result that does not fit are errors,
//! as in PostgreSQL. The engine has infinity and zero.

use std::sync::Arc;

use arrow::array::{Array, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;

use super::inputs::rewrite_expressions;
use crate::error::{SqlError, sqlstate};

/// Puts the operators of this module in the place of the engine's.
#[derive(Debug)]
pub(crate) struct FloatOperators;

impl AnalyzerRule for FloatOperators {
    fn name(&self) -> &str {
        "float_operators"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_expressions(plan, checked)
    }
}

fn checked(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let (operation, operands) = match &expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => (Operation::of(*op), vec![left, right]),
        Expr::Cast(Cast { expr: operand, field }) if *field.data_type() == DataType::Float32 => {
            (Some(Operation::Real), vec![operand])
        }
        _ => (None, Vec::new()),
    };
    let Some(operation) = operation else { return Transformed::no(expr) };
    let of = operands.iter().map(|operand| operand.get_type(schema).ok()).collect::<Option<Vec<_>>>();
    let of = match of.as_deref() {
        Some([DataType::Float64] | [DataType::Float64, DataType::Float64]) => DataType::Float64,
        Some([DataType::Float32, DataType::Float32]) => DataType::Float32,
        _ => return Transformed::no(expr),
    };
    let operands = operands.into_iter().map(|operand| operand.as_ref().clone()).collect();
    let signature = Signature::any(if operation == Operation::Real { 1 } else { 2 }, Volatility::Immutable);
    let operator = ScalarUDF::from(FloatOperator { operation, of, signature });
    Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(operator), operands)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    Plus,
    Minus,
    Multiply,
    Divide,
    /// The cast to `real`.
    Real,
}

impl Operation {
    fn of(operator: Operator) -> Option<Self> {
        match operator {
            Operator::Plus => Some(Self::Plus),
            Operator::Minus => Some(Self::Minus),
            Operator::Multiply => Some(Self::Multiply),
            Operator::Divide => Some(Self::Divide),
            _ => None,
        }
    }

    /// Whether a result of zero can be one that was too small.
    fn can_underflow(self) -> bool {
        matches!(self, Self::Multiply | Self::Divide | Self::Real)
    }

    /// What is wrong with `result`, which is infinite, NaN or zero. What has one operand has it twice.
    fn error(self, left: f64, right: f64, result: f64) -> Option<SqlError> {
        if self == Self::Divide && right == 0.0 && !left.is_nan() {
            return Some(SqlError::new(sqlstate::DIVISION_BY_ZERO, "division by zero"));
        }
        if result.is_infinite() && left.is_finite() && right.is_finite() {
            return Some(overflow());
        }
        let is_too_small = match self {
            Self::Plus | Self::Minus => false,
            Self::Multiply => left != 0.0 && right != 0.0,
            Self::Divide => left != 0.0 && right.is_finite(),
            Self::Real => left != 0.0,
        };
        (result == 0.0 && is_too_small).then(underflow)
    }
}

/// A result is larger than the largest number.
pub(super) fn overflow() -> SqlError {
    SqlError::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

/// A result is nearer to zero than the smallest number.
pub(super) fn underflow() -> SqlError {
    SqlError::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FloatOperator {
    operation: Operation,
    of: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for FloatOperator {
    /// PostgreSQL's name of the function behind the operator.
    fn name(&self) -> &str {
        match (&self.of, self.operation) {
            (_, Operation::Real) => "float4",
            (DataType::Float32, Operation::Plus) => "float4pl",
            (DataType::Float32, Operation::Minus) => "float4mi",
            (DataType::Float32, Operation::Multiply) => "float4mul",
            (DataType::Float32, Operation::Divide) => "float4div",
            (_, Operation::Plus) => "float8pl",
            (_, Operation::Minus) => "float8mi",
            (_, Operation::Multiply) => "float8mul",
            (_, Operation::Divide) => "float8div",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(if self.operation == Operation::Real { DataType::Float32 } else { self.of.clone() })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (left, right) = match arguments.args.as_slice() {
            [only] => (only, only),
            [left, right] => (left, right),
            _ => return internal_err!("{} has one or two operands", self.name()),
        };
        let result = match self.operation {
            Operation::Plus => apply(left, right, numeric::add),
            Operation::Minus => apply(left, right, numeric::sub),
            Operation::Multiply => apply(left, right, numeric::mul),
            Operation::Divide => apply(left, right, numeric::div),
            Operation::Real => left.cast_to(&DataType::Float32, None),
        }?;
        let check = match (&self.of, self.operation) {
            (_, Operation::Real) => Self::check::<Float64Type, Float32Type>,
            (DataType::Float32, _) => Self::check::<Float32Type, Float32Type>,
            _ => Self::check::<Float64Type, Float64Type>,
        };
        check(self, left, right, &result)?;
        Ok(result)
    }
}

impl FloatOperator {
    fn check<T, R>(&self, left: &ColumnarValue, right: &ColumnarValue, result: &ColumnarValue) -> Result<()>
    where
        T: ArrowPrimitiveType<Native: Into<f64>>,
        R: ArrowPrimitiveType<Native: Into<f64>>,
    {
        let result = result.to_array(1)?;
        let result: &PrimitiveArray<R> = result.as_primitive();
        let zero_is_fine = !self.operation.can_underflow();
        let is_plain = |value: f64| value.is_finite() && (zero_is_fine || value != 0.0);
        // Without a branch for each: nearly always there is nothing to find.
        if result.values().iter().fold(true, |all, value| all & is_plain((*value).into())) {
            return Ok(());
        }
        let (left, right) = (left.to_array(result.len())?, right.to_array(result.len())?);
        let (left, right) = (left.as_primitive::<T>(), right.as_primitive::<T>());
        for row in (0..result.len()).filter(|row| result.is_valid(*row)) {
            let value = result.value(row).into();
            let (left, right) = (left.value(row).into(), right.value(row).into());
            if let Some(error) = self.operation.error(left, right, value).filter(|_| !is_plain(value)) {
                return Err(error.into());
            }
        }
        Ok(())
    }
}
