//! An optimizer rule: what no one asks for is neither read nor kept.
//!
//! `sessions` gathers everything that a session can show in one aggregate; DataFusion cannot see that a query looks
//! at two of its twenty columns only. This rule looks at the fields that are taken from the unnested sessions, leaves
//! out the others, and puts NULL in the place of arguments that only those need, so that their columns fall out of the
//! scan too.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::functions::core::getfield::GetFieldFunc;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder, lit,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::LIST;
use crate::aggregate::session_list::{
    COLUMN_NAMES, DIMENSIONS, Position, WantedFields, is_session_list, session_list,
};
use crate::session::Role;

/// The rule.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::table) struct UnusedSessionFields;

impl OptimizerRule for UnusedSessionFields {
    fn name(&self) -> &str {
        "unused_session_fields"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        // Only where a node computes new columns is it certain that no other node above needs the sessions.
        if !matches!(plan, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)) {
            return Ok(Transformed::no(plan));
        }
        let inputs = plan.inputs();
        let [input] = inputs.as_slice() else {
            return Ok(Transformed::no(plan));
        };
        let mut used = BTreeSet::new();
        let exprs = plan.expressions();
        if !fields_of(&exprs, &mut used)? {
            return Ok(Transformed::no(plan));
        }
        match without_unused(input, used)? {
            Some(input) => Ok(Transformed::yes(plan.with_new_exprs(exprs, vec![input])?)),
            None => Ok(Transformed::no(plan)),
        }
    }
}

/// Adds the fields that `exprs` take from a session; false if one uses sessions otherwise.
fn fields_of(exprs: &[Expr], used: &mut BTreeSet<String>) -> Result<bool> {
    let mut is_understood = true;
    for expr in exprs {
        expr.apply(|part| {
            if let Some(field) = field_of(part) {
                used.insert(field.to_owned());
                return Ok(TreeNodeRecursion::Jump);
            }
            is_understood &= !is_list(part);
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(is_understood)
}

fn is_list(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(Column { relation: None, name, .. }) if name == LIST)
}

fn field_of(expr: &Expr) -> Option<&str> {
    let Expr::ScalarFunction(call) = expr else {
        return None;
    };
    match call.args.as_slice() {
        [list, Expr::Literal(name, _)] if call.func.inner().is::<GetFieldFunc>() && is_list(list) => {
            name.try_as_str().flatten()
        }
        _ => None,
    }
}

/// The plan with fewer arguments; `None` if it is none of ours or needs all that it has.
fn without_unused(plan: &LogicalPlan, mut used: BTreeSet<String>) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::Filter(filter) => {
            if !fields_of(std::slice::from_ref(&filter.predicate), &mut used)? {
                return Ok(None);
            }
            let Some(input) = without_unused(&filter.input, used)? else {
                return Ok(None);
            };
            Ok(Some(LogicalPlan::Filter(Filter::try_new(filter.predicate.clone(), input.into())?)))
        }
        LogicalPlan::Unnest(unnest) => {
            let (projection, grouped) = match unnest.input.as_ref() {
                LogicalPlan::Projection(projection) => (Some(projection), projection.input.as_ref()),
                grouped => (None, grouped),
            };
            let LogicalPlan::Aggregate(aggregate) = grouped else {
                return Ok(None);
            };
            let Some(smaller) = smaller_aggregate(aggregate, &used)? else {
                return Ok(None);
            };
            let mut lists = LogicalPlanBuilder::from(LogicalPlan::Aggregate(smaller));
            if let Some(projection) = projection {
                lists = lists.project(projection.expr.clone())?;
            }
            let sessions =
                lists.unnest_column_with_options(Column::from_name(LIST), unnest.options.clone())?;
            sessions.build().map(Some)
        }
        _ => Ok(None),
    }
}

fn smaller_aggregate(aggregate: &Aggregate, used: &BTreeSet<String>) -> Result<Option<Aggregate>> {
    let [Expr::Alias(alias)] = aggregate.aggr_expr.as_slice() else {
        return Ok(None);
    };
    let Expr::AggregateFunction(call) = alias.expr.as_ref() else {
        return Ok(None);
    };
    if alias.name != LIST || !is_session_list(&call.func) {
        return Ok(None);
    }
    let mut args = call.params.args.clone();
    let types = args.iter().map(|arg| arg.get_type(aggregate.input.schema())).collect::<Result<Vec<_>>>()?;
    let function = session_list(WantedFields::of(&types, |field| used.contains(field))?);
    let mut changed = call.func.as_ref() != function.as_ref();
    let revenue = args[Position::REVENUE].get_type(aggregate.input.schema())?;
    for (position, nothing) in unused(&args, used, revenue.is_floating()) {
        changed |= args[position] != nothing;
        args[position] = nothing;
    }
    if !changed {
        return Ok(None);
    }
    let smaller = AggregateFunction::new_udf(function, args, false, None, vec![], None);
    let aggregate = Aggregate::try_new(
        std::sync::Arc::clone(&aggregate.input),
        aggregate.group_expr.clone(),
        vec![Expr::AggregateFunction(smaller).alias(LIST)],
    )?;
    Ok(Some(aggregate))
}

/// Arguments that none of the `used` fields needs, and what to put in their place.
fn unused(args: &[Expr], used: &BTreeSet<String>, has_float_revenue: bool) -> Vec<(usize, Expr)> {
    let is_used = |names: &[&str]| names.iter().any(|name| used.contains(*name));
    let nothing = || lit(ScalarValue::Null);
    let mut unused = Vec::new();
    for (index, column) in COLUMN_NAMES.into_iter().enumerate() {
        // Channel, source and campaign come from one row, which is looked for in all three.
        let origin = ["channel", "source", "campaign"];
        let feeds = |name: &str| name == column || (origin.contains(&name) && origin.contains(&column));
        let shown = DIMENSIONS.iter().filter(|(name, ..)| feeds(name)).map(|(_, shown, _)| *shown);
        if !is_used(&shown.collect::<Vec<_>>()) {
            unused.push((Position::COLUMNS + index, nothing()));
        }
    }
    let has_revenue = is_used(&["revenue"]);
    if !has_revenue {
        unused.push((Position::REVENUE, nothing()));
    }
    if !is_used(&["page_views", "is_bounce", "is_engaged"]) {
        unused.push((Position::PAGE_VIEW, lit(false)));
    }
    if !is_used(&["conversions", "is_engaged"]) {
        unused.push((Position::CONVERSION, lit(false)));
    }
    // Rows of one instant may come in any order if no rule tells them apart, no value of a single row is shown, and
    // nothing is added that rounds.
    let shows_rows = DIMENSIONS.iter().any(|(_, shown, _)| used.contains(*shown));
    let is_null = |position: usize| matches!(&args[position], Expr::Literal(value, _) if value.is_null());
    let by_time_alone =
        [Role::Inclusive, Role::StartIf, Role::EndIf, Role::Separator, Role::SplitOn, Role::MaxEvents]
            .into_iter()
            .all(|role| is_null(Position::of(role)));
    if by_time_alone && !shows_rows && !(has_revenue && has_float_revenue) {
        unused.push((Position::SEQUENCE, nothing()));
    }
    unused
}
