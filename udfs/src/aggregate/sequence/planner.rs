//! What happens to calls of the sequence functions before their arguments have types: arrays and structs of conditions
//! are taken apart, and names in the pattern become numbers.

use std::ops::Range;

use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr, RawWindowExpr};
use datafusion::logical_expr::{BinaryExpr, Cast, Operator, WindowFunctionDefinition, lit};
use datafusion::prelude::Expr;

use super::{Kind, next_node};
use crate::arguments::list_items;
use crate::journey::sequence::{Conditions, Pattern};

/// Reads names, and refuses DISTINCT and names that no condition has.
#[derive(Debug)]
pub(crate) struct SequencePlanner;

impl ExprPlanner for SequencePlanner {
    fn plan_aggregate(&self, mut expr: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        expr.args = planned(expr.func.name(), expr.args, expr.distinct)?;
        Ok(PlannerResult::Original(expr))
    }

    fn plan_window(&self, mut expr: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        if let WindowFunctionDefinition::AggregateUDF(function) = &expr.func_def {
            let name = function.name().to_owned();
            expr.args = planned(&name, expr.args, expr.distinct)?;
        }
        Ok(PlannerResult::Original(expr))
    }
}

fn planned(name: &str, args: Vec<Expr>, distinct: bool) -> Result<Vec<Expr>> {
    let kind = Kind::of(name);
    if kind.is_none() && name != next_node::NAME {
        return Ok(args);
    }
    if distinct {
        return plan_err!("{name} does not take DISTINCT: leave it out");
    }
    match kind {
        Some(kind) => numbered(kind, taken_apart(args)),
        None => Ok(unpacked(args)),
    }
}

/// Conditions one by one.
pub(super) fn unpacked(args: Vec<Expr>) -> Vec<Expr> {
    taken_apart(args).into_iter().map(|(arg, _)| arg).collect()
}

/// The arguments, those from an array or a struct in its place; each with the name that it has in a struct.
fn taken_apart(args: Vec<Expr>) -> Vec<(Expr, Option<String>)> {
    let last = args.len().saturating_sub(1);
    let mut all = Vec::with_capacity(args.len());
    for (position, arg) in args.into_iter().enumerate() {
        // Conditions come last, behind a pattern and a time.
        let items = if position == last && position > 1 { items(&arg) } else { None };
        match items {
            Some(items) => all.extend(items.into_iter().map(|(item, name)| (typed(item), name))),
            None => all.push((arg, None)),
        }
    }
    all
}

/// The items of a list or a struct that is written out, those of a struct with their names; `None` for other expressions.
pub(crate) fn items(arg: &Expr) -> Option<Vec<(Expr, Option<String>)>> {
    if let Expr::ScalarFunction(function) = arg
        && function.name() == "named_struct"
    {
        let pairs = function.args.chunks(2).map(|pair| match pair {
            [name, value] => Some((value.clone(), Some(text(name)?.to_owned()))),
            _ => None,
        });
        return pairs.collect();
    }
    let items = list_items(arg).filter(|items| !items.is_empty())?;
    Some(items.into_iter().map(|item| (item, None)).collect())
}

/// NULL among the items is a condition that is never met.
fn typed(item: Expr) -> Expr {
    match item {
        Expr::Literal(ScalarValue::Null, metadata) => Expr::Literal(ScalarValue::Boolean(None), metadata),
        item => item,
    }
}

/// Puts numbers in place of names where the conditions have names of their own, as in a struct.
fn numbered(kind: Kind, args: Vec<(Expr, Option<String>)>) -> Result<Vec<Expr>> {
    let names = args.iter().filter_map(|(_, name)| name.clone());
    let names: Vec<(String, usize)> = names.zip(1..).collect();
    let args = args.into_iter().map(|(arg, _)| arg).collect();
    if names.is_empty() { Ok(args) } else { with_numbers(kind, args, names.len(), &names) }
}

/// Puts numbers in place of names: a condition `event = 'view'` has the name `view`.
///
/// # Errors
/// A plan error for a name that no condition has, or several.
pub(super) fn resolved(kind: Kind, conditions: Range<usize>, args: Vec<Expr>) -> Result<Vec<Expr>> {
    let Some(given) = args.get(conditions) else {
        return Ok(args);
    };
    let count = given.len();
    let names: Vec<(String, usize)> =
        given.iter().zip(1..).filter_map(|(arg, number)| Some((compared_text(arg)?, number))).collect();
    with_numbers(kind, args, count, &names)
}

fn with_numbers(
    kind: Kind,
    mut args: Vec<Expr>,
    count: usize,
    names: &[(String, usize)],
) -> Result<Vec<Expr>> {
    let Some(pattern) = args.first_mut() else {
        return Ok(args);
    };
    if let Some(text) = text(pattern) {
        match Pattern::numbered(text, Conditions { count, names }) {
            Ok(numbered) if numbered == text => {}
            Ok(numbered) => *pattern = lit(numbered),
            Err(error) => return plan_err!("{}: {error}", kind.name()),
        }
    }
    Ok(args)
}

/// The text that a condition compares something with for equality.
pub(crate) fn compared_text(condition: &Expr) -> Option<String> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else {
        return None;
    };
    match (text(left), text(right)) {
        (Some(name), None) | (None, Some(name)) => Some(name.to_owned()),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        Expr::Cast(Cast { expr, .. }) => text(expr),
        _ => None,
    }
}
