//! Literals that take the type of what stands beside them, as PostgreSQL resolves them.
//!
//! `relispartition = 't'` compares booleans, and `attnum - 1` is an `integer`: the engine has text and `bigint`.

use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use arrow::datatypes::DataType;

/// Gives literals their types.
#[derive(Debug)]
pub(super) struct Literals;

impl ExprPlanner for Literals {
    fn plan_binary_op(
        &self,
        mut expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let types = (expr.left.get_type(schema), expr.right.get_type(schema));
        let (Ok(left), Ok(right)) = types else { return Ok(PlannerResult::Original(expr)) };
        match expr.op {
            BinaryOperator::Eq | BinaryOperator::NotEq => {
                if left == DataType::Boolean {
                    to_boolean(&mut expr.right);
                } else if right == DataType::Boolean {
                    to_boolean(&mut expr.left);
                }
            }
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo => {
                let is_small = |data_type: &DataType| matches!(data_type, DataType::Int16 | DataType::Int32);
                if is_small(&left) {
                    to_integer(&mut expr.right);
                } else if is_small(&right) {
                    to_integer(&mut expr.left);
                }
            }
            _ => {}
        }
        Ok(PlannerResult::Original(expr))
    }
}

fn to_boolean(expr: &mut Expr) {
    if let Expr::Literal(value, _) = expr
        && let Some(Some(text)) = value.try_as_str()
        && let Some(found) = boolean(text)
    {
        *expr = Expr::Literal(ScalarValue::Boolean(Some(found)), None);
    }
}

/// `t`, `off` and the other spellings, each cut short or not.
fn boolean(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    let begins = |word: &str, least: usize| text.len() >= least && word.starts_with(&text);
    if begins("true", 1) || begins("yes", 1) || text == "on" || text == "1" {
        return Some(true);
    }
    (begins("false", 1) || begins("no", 1) || begins("off", 2) || text == "0").then_some(false)
}

fn to_integer(expr: &mut Expr) {
    if let Expr::Literal(ScalarValue::Int64(Some(number)), _) = expr
        && let Ok(number) = i32::try_from(*number)
    {
        *expr = Expr::Literal(ScalarValue::Int32(Some(number)), None);
    }
}

#[cfg(test)]
mod tests {
    use super::boolean;

    #[test]
    fn spellings_of_booleans() {
        for (text, value) in [
            ("t", Some(true)),
            (" TRUE ", Some(true)),
            ("y", Some(true)),
            ("on", Some(true)),
            ("o", None),
            ("of", Some(false)),
            ("n", Some(false)),
            ("0", Some(false)),
            ("", None),
            ("truth", None),
        ] {
            assert_eq!(boolean(text), value, "{text}");
        }
    }
}
