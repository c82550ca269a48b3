//! The types that the columns of a plan have when it runs.
//!
//! The planner takes the type of a `CASE` from its first branch and that of a `UNION` from its first input, and does not ask
//! analyzer rules for that of an array's elements; the analyzer then finds one that all of them fit. Who is told the columns
//! of a plan before it runs (a client, a catalog, the planner of a statement over a view) must be told the latter.

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Cast, Expr, LogicalPlan, LogicalPlanBuilder};

/// `plan` with the types of its columns as they will be. Plans that have no `CASE`, `UNION` or `ARRAY[...]` stay as they are,
/// and so do those that do not pass the analyzer: running them says why.
///
/// # Errors
/// Those of the plan builder.
pub(crate) fn settled(plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    let is_query = !matches!(
        plan,
        LogicalPlan::Ddl(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::DescribeTable(_)
    );
    if !is_query || !is_open(&plan)? {
        return Ok(plan);
    }
    let analyzed = state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {});
    let Ok(analyzed) = analyzed else { return Ok(plan) };
    let types = || plan.schema().iter().zip(analyzed.schema().fields());
    // Text is text, however it lies in memory.
    let is_same = |planned: &DataType, analyzed: &DataType| {
        planned == analyzed || planned.is_string() && analyzed.is_string()
    };
    let is_right = types().all(|((_, planned), analyzed)| is_same(planned.data_type(), analyzed.data_type()));
    if is_right || plan.schema().fields().len() != analyzed.schema().fields().len() {
        return Ok(plan);
    }
    let columns: Vec<Expr> = types()
        .map(|((qualifier, planned), analyzed)| {
            let column = Expr::from((qualifier, planned));
            if is_same(planned.data_type(), analyzed.data_type()) {
                return column;
            }
            let settled = Expr::Cast(Cast::new(Box::new(column), analyzed.data_type().clone()));
            settled.alias_qualified(qualifier.cloned(), planned.name())
        })
        .collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// Whether types of `plan` may be other than they look. O(size of the plan).
fn is_open(plan: &LogicalPlan) -> Result<bool> {
    let mut is_open = false;
    plan.apply_with_subqueries(|node| {
        is_open |= matches!(node, LogicalPlan::Union(_));
        node.apply_expressions(|expr| {
            is_open = is_open || expr.exists(|part| Ok(is_open_expr(part)))?;
            Ok(if is_open { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        Ok(if is_open { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(is_open)
}

fn is_open_expr(expr: &Expr) -> bool {
    match expr {
        Expr::Case(_) => true,
        Expr::ScalarFunction(call) => call.name() == "make_array",
        _ => false,
    }
}
