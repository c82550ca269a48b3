//! What happens to calls of the funnel functions before their arguments have types.

use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::WindowFunctionDefinition;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr, RawWindowExpr};
use datafusion::prelude::Expr;

use super::Kind;
use super::call::check_literals;
use crate::arguments::list_items;

/// Takes arrays of conditions apart, `[a, b]` to `a, b`, and refuses DISTINCT and constants that are wrong as they
/// stand. Constants that must be computed first are checked when they are, by [`check`](super::call::check), which
/// is not asked about calls with OVER.
#[derive(Debug)]
pub(crate) struct FunnelPlanner;

impl ExprPlanner for FunnelPlanner {
    fn plan_aggregate(&self, mut expr: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        if let Some(kind) = Kind::of(expr.func.name()) {
            expr.args = planned(kind, expr.args, expr.distinct)?;
        }
        Ok(PlannerResult::Original(expr))
    }

    fn plan_window(&self, mut expr: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        if let WindowFunctionDefinition::AggregateUDF(function) = &expr.func_def
            && let Some(kind) = Kind::of(function.name())
        {
            expr.args = planned(kind, expr.args, expr.distinct)?;
        }
        Ok(PlannerResult::Original(expr))
    }
}

fn planned(kind: Kind, args: Vec<Expr>, distinct: bool) -> Result<Vec<Expr>> {
    if distinct {
        return plan_err!("{} does not take DISTINCT: leave it out", kind.name());
    }
    check_literals(kind, &args)?;
    Ok(unpacked(args))
}

/// Replaces an array that is written out by its items; it stands behind the window and the time.
pub(super) fn unpacked(args: Vec<Expr>) -> Vec<Expr> {
    let Some(place) = args.iter().skip(2).position(|arg| items(arg).is_some()) else {
        return args;
    };
    let mut unpacked = Vec::with_capacity(args.len());
    let mut rest = args.into_iter();
    unpacked.extend(rest.by_ref().take(place + 2));
    let Some(list) = rest.next() else {
        return unpacked;
    };
    // What follows the array is an event id: it goes before the conditions.
    unpacked.extend(rest);
    match items(&list) {
        Some(items) => unpacked.extend(items.into_iter().map(typed)),
        None => unpacked.push(list),
    }
    unpacked
}

/// The items of an array that is written out and not empty.
fn items(expr: &Expr) -> Option<Vec<Expr>> {
    list_items(expr).filter(|items| !items.is_empty())
}

/// NULL among the items is a condition that is never met, whenever the array is taken apart.
fn typed(item: Expr) -> Expr {
    match item {
        Expr::Literal(ScalarValue::Null, metadata) => Expr::Literal(ScalarValue::Boolean(None), metadata),
        item => item,
    }
}
