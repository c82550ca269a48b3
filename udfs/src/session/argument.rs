//! What is known of an argument: while planning from expressions, later from their values.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_expr::utils::collect_columns;

use crate::arguments::constant;

/// An argument of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument {
    /// Left out, or a NULL constant in its place.
    Missing,
    /// A parameter, or a constant that is not computed yet.
    Unknown,
    /// The same value for every row.
    Constant(ScalarValue),
    /// Reads columns.
    Rows,
}

impl Argument {
    fn of_value(value: ScalarValue) -> Self {
        if value.is_null() { Self::Missing } else { Self::Constant(value) }
    }

    /// The argument as the optimizer sees it, constants folded.
    pub(crate) fn of_expr(expr: &Expr) -> Result<Self> {
        if let Expr::Literal(value, _) = expr {
            return Ok(Self::of_value(value.clone()));
        }
        let mut reads_columns = false;
        expr.apply(|part| {
            reads_columns |= matches!(part, Expr::Column(_) | Expr::OuterReferenceColumn(_, _));
            Ok(if reads_columns { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        Ok(if reads_columns { Self::Rows } else { Self::Unknown })
    }

    /// The argument `name` as it runs. What is `per_row` may be volatile: only a literal is a
    /// constant there.
    pub(crate) fn of_physical(
        expr: &Arc<dyn PhysicalExpr>,
        function: &str,
        name: &str,
        per_row: bool,
    ) -> Result<Self> {
        if let Some(literal) = expr.downcast_ref::<Literal>() {
            return Ok(Self::of_value(literal.value().clone()));
        }
        if per_row || !collect_columns(expr).is_empty() {
            return Ok(Self::Rows);
        }
        Ok(Self::of_value(constant(expr, function, name)?))
    }
}
