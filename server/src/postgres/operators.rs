//! Operators of `jsonb` that the engine's planner passes on: `#>`, `#>>`, `@>`, `<@`, `?|`, `?&`.

use std::sync::Arc;

use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::json;

/// Plans the operators as calls.
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
