//! What the expressions of a plan's node are about.

use std::cell::Cell;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{Expr, LogicalPlan, ScalarUDF, Union};
use datafusion::optimizer::analyzer::type_coercion::TypeCoercionRewriter;

/// The columns that expressions of `node` see.
pub(crate) fn input_schema(node: &LogicalPlan) -> DFSchemaRef {
    match node.inputs().as_slice() {
        [] => Arc::clone(node.schema()),
        [one] => Arc::clone(one.schema()),
        [first, rest @ ..] => {
            let mut schema: DFSchema = first.schema().as_ref().clone();
            for input in rest {
                schema.merge(input.schema());
            }
            Arc::new(schema)
        }
    }
}

/// What arguments of these types are for `engine`.
///
/// # Errors
/// It does not take them.
pub(super) fn coerced(engine: &ScalarUDF, arguments: &[DataType]) -> Result<Vec<DataType>> {
    let field = |one: &DataType| Arc::new(Field::new("value", one.clone(), true));
    let fields: Vec<FieldRef> = arguments.iter().map(field).collect();
    let coerced = fields_with_udf(&fields, engine)?;
    Ok(coerced.iter().map(|field| field.data_type().clone()).collect())
}

/// `plan` with every part of every expression as `rewrite` makes it, innermost first; names of output columns stay, and
/// nodes above see the types that have come about below.
///
/// # Errors
/// Those of DataFusion for a plan that does not fit together any more.
pub(crate) fn rewrite_expressions(
    plan: LogicalPlan,
    rewrite: impl Fn(Expr, &DFSchema) -> Transformed<Expr>,
) -> Result<LogicalPlan> {
    rewrite_nodes(plan, rewrite, |node| Ok(Transformed::no(node)))
}

/// The same, and each node as `rewrite_node` makes it when that is done.
///
/// # Errors
/// Those of `rewrite_node` too.
pub(crate) fn rewrite_nodes(
    plan: LogicalPlan,
    rewrite: impl Fn(Expr, &DFSchema) -> Transformed<Expr>,
    rewrite_node: impl Fn(LogicalPlan) -> Result<Transformed<LogicalPlan>>,
) -> Result<LogicalPlan> {
    let has_changed = Cell::new(false);
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let schema = input_schema(&node);
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|expr| Ok(rewrite(expr, &schema)))?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })?;
        let node = node.transform_data(&rewrite_node)?;
        has_changed.set(has_changed.get() || node.transformed);
        if has_changed.get() { node.map_data(settle) } else { Ok(node) }
    })?;
    Ok(rewritten.data)
}

/// `node` with the types that its expressions and inputs have.
fn settle(node: LogicalPlan) -> Result<LogicalPlan> {
    match node {
        // Else its types stay those that were planned.
        LogicalPlan::Union(union) => {
            TypeCoercionRewriter::coerce_union(Union::try_new_with_loose_types(union.inputs)?)
        }
        node => node.recompute_schema(),
    }
}
