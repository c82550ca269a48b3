//! Operators that the engine's planner has not, or with another meaning: those of `jsonb` (`#>`, `#>>`, `@>`, `<@`, `?|`,
//! `?&`), intervals times and divided by numbers, a date with an interval, which is a timestamp, the days between two dates.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, Result, exec_datafusion_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, Operator, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::{intervals, json};

/// Plans arithmetic with intervals.
#[derive(Debug)]
pub(super) struct IntervalOperators;

impl ExprPlanner for IntervalOperators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let (Ok(left), Ok(right)) = (expr.left.get_type(schema), expr.right.get_type(schema)) else {
            return Ok(PlannerResult::Original(expr));
        };
        let is_interval = |one: &DataType| matches!(one, DataType::Interval(_) | DataType::Duration(_));
        let is_date = |one: &DataType| matches!(one, DataType::Date32 | DataType::Date64);
        let call = |name: &str, interval: Expr, number: Expr| {
            let function = intervals::all().into_iter().find(|function| function.name() == name);
            let function = function.ok_or_else(|| exec_datafusion_err!("no function {name}"))?;
            let call = ScalarFunction::new_udf(Arc::new(function), vec![interval, number]);
            Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
        };
        let midnight = |date: Expr| {
            Expr::Cast(Cast::new(Box::new(date), DataType::Timestamp(TimeUnit::Microsecond, None)))
        };
        match expr.op {
            BinaryOperator::Multiply if is_interval(&left) && right.is_numeric() => {
                call(intervals::TIMES, expr.left, expr.right)
            }
            BinaryOperator::Multiply if left.is_numeric() && is_interval(&right) => {
                call(intervals::TIMES, expr.right, expr.left)
            }
            BinaryOperator::Divide if is_interval(&left) && right.is_numeric() => {
                call(intervals::DIVIDED, expr.left, expr.right)
            }
            // Days, as an `integer`.
            BinaryOperator::Minus if left == DataType::Date32 && right == DataType::Date32 => {
                let days = BinaryExpr::new(Box::new(expr.left), Operator::Minus, Box::new(expr.right));
                let days = Cast::new(Box::new(Expr::BinaryExpr(days)), DataType::Int32);
                Ok(PlannerResult::Planned(Expr::Cast(days)))
            }
            BinaryOperator::Plus | BinaryOperator::Minus if is_date(&left) && is_interval(&right) => {
                Ok(PlannerResult::Original(RawBinaryExpr { left: midnight(expr.left), ..expr }))
            }
            BinaryOperator::Plus if is_interval(&left) && is_date(&right) => {
                Ok(PlannerResult::Original(RawBinaryExpr { right: midnight(expr.right), ..expr }))
            }
            _ => Ok(PlannerResult::Original(expr)),
        }
    }
}

/// Plans the operators of `jsonb` as calls.
#[derive(Debug)]
pub(super) struct JsonOperators;

impl ExprPlanner for JsonOperators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let (name, swapped) = match expr.op {
            BinaryOperator::HashArrow => (json::PATH, false),
            BinaryOperator::HashLongArrow => (json::PATH_TEXT, false),
            BinaryOperator::AtArrow => (json::CONTAINS, false),
            BinaryOperator::ArrowAt => (json::CONTAINS, true),
            BinaryOperator::QuestionPipe => (json::EXISTS_ANY, false),
            BinaryOperator::QuestionAnd => (json::EXISTS_ALL, false),
            _ => return Ok(PlannerResult::Original(expr)),
        };
        // Containment of arrays is the engine's.
        let is_text = |side: &Expr| side.get_type(schema).is_ok_and(|data_type| data_type.is_string());
        let json_side = if swapped { &expr.right } else { &expr.left };
        if !is_text(json_side) {
            return Ok(PlannerResult::Original(expr));
        }
        let Some(function) = json::all().into_iter().find(|function| function.name() == name) else {
            return Ok(PlannerResult::Original(expr));
        };
        let arguments = if swapped { vec![expr.right, expr.left] } else { vec![expr.left, expr.right] };
        let function: Arc<ScalarUDF> = Arc::new(function);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(function, arguments))))
    }
}
