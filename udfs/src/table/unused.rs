//! An optimizer rule: what no one asks for is neither read nor kept.
//!
//! Some table functions gather everything that they can show in one aggregate, as a list of structs; DataFusion cannot see
//! that a query looks at two of twenty columns only. This rule looks at the fields that are taken from the unnested structs
//! and lets the aggregate do without the others, and without arguments that only those need, so that their columns fall
//! out of the scan too.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::functions::core::getfield::GetFieldFunc;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr, Filter, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::{paths, sessions};

/// Lists of structs, and how the aggregate that gathers them does with fewer fields.
pub(super) struct Lists {
    /// Their column, between the aggregate and what is made of it.
    pub(super) column: &'static str,
    /// The call over an input of such a schema that gathers only the fields that are used; `None` if it is another
    /// aggregate's, or needs all that it has.
    pub(super) smaller: fn(&AggregateFunction, &DFSchema, &BTreeSet<String>) -> Result<Option<Expr>>,
}

const LISTS: [&Lists; 2] = [&sessions::LISTS, &paths::LISTS];

/// The rule.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct UnusedFields;

impl OptimizerRule for UnusedFields {
    fn name(&self) -> &str {
        "unused_list_fields"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        // Only where a node computes new columns is it certain that no other node above needs the structs.
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

/// Adds the fields that `exprs` take from the structs; false if one uses them otherwise.
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
    matches!(expr, Expr::Column(Column { relation: None, name, .. }) if LISTS.iter().any(|list| list.column == *name))
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
            let Some((list, smaller)) = smaller_aggregate(aggregate, &used)? else {
                return Ok(None);
            };
            let mut lists = LogicalPlanBuilder::from(LogicalPlan::Aggregate(smaller));
            if let Some(projection) = projection {
                lists = lists.project(projection.expr.clone())?;
            }
            let structs =
                lists.unnest_column_with_options(Column::from_name(list), unnest.options.clone())?;
            structs.build().map(Some)
        }
        _ => Ok(None),
    }
}

/// The column of the lists, and the aggregate with fewer arguments.
fn smaller_aggregate(
    aggregate: &Aggregate,
    used: &BTreeSet<String>,
) -> Result<Option<(&'static str, Aggregate)>> {
    let [Expr::Alias(alias)] = aggregate.aggr_expr.as_slice() else {
        return Ok(None);
    };
    let (Expr::AggregateFunction(call), Some(lists)) =
        (alias.expr.as_ref(), LISTS.iter().find(|lists| lists.column == alias.name))
    else {
        return Ok(None);
    };
    let Some(smaller) = (lists.smaller)(call, aggregate.input.schema(), used)? else {
        return Ok(None);
    };
    let smaller = vec![smaller.alias(lists.column)];
    let keys = aggregate.group_expr.clone();
    Ok(Some((lists.column, Aggregate::try_new(Arc::clone(&aggregate.input), keys, smaller)?)))
}
