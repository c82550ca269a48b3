//! Plan nodes that compare without an expression of their own: sorting, grouping, joining.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DFSchemaRef, Result, plan_err};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment, Sort as SortKey};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprSchemable, Join, JoinConstraint, LogicalPlan, Projection,
};

use super::expressions::{measured_if_interval, pair, refuse_nested};
use super::length::{is_interval, length};

/// Makes `plan` compare intervals by length; `schema` is that of its inputs.
///
/// # Errors
/// A plan error where that is not possible.
pub(super) fn rewrite(plan: LogicalPlan, schema: &DFSchema) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Sort(mut sort) if has_interval(sort.expr.iter().map(|key| &key.expr), schema)? => {
            sort.expr = measured_keys(sort.expr, schema)?;
            Ok(Transformed::yes(LogicalPlan::Sort(sort)))
        }
        LogicalPlan::Aggregate(aggregate) if has_interval(&aggregate.group_expr, schema)? => {
            grouped(aggregate, schema).map(Transformed::yes)
        }
        LogicalPlan::Distinct(Distinct::All(input)) if has_interval_field(input.schema()) => {
            distinct(input).map(Transformed::yes)
        }
        LogicalPlan::Distinct(Distinct::On(mut on)) => {
            on.on_expr = measured_all(on.on_expr, schema)?;
            on.sort_expr = on.sort_expr.map(|keys| measured_keys(keys, schema)).transpose()?;
            Ok(Transformed::yes(LogicalPlan::Distinct(Distinct::On(on))))
        }
        LogicalPlan::Join(join) => joined(join),
        LogicalPlan::RecursiveQuery(query)
            if query.is_distinct && has_interval_field(query.static_term.schema()) =>
        {
            plan_err!("not supported: WITH RECURSIVE .. UNION over an interval; write UNION ALL")
        }
        other => Ok(Transformed::no(other)),
    }
}

fn has_interval<'a>(exprs: impl IntoIterator<Item = &'a Expr>, schema: &DFSchema) -> Result<bool> {
    for expr in exprs {
        if let Expr::GroupingSet(set) = expr {
            if has_interval(set.distinct_expr(), schema)? {
                return plan_err!(
                    "not supported: GROUPING SETS, ROLLUP or CUBE over an interval; group by \
                     date_part('epoch', x), its length in seconds"
                );
            }
        } else if is_interval(&expr.get_type(schema)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_interval_field(schema: &DFSchema) -> bool {
    schema.fields().iter().any(|field| is_interval(field.data_type()))
}

fn measured_all(exprs: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    exprs.into_iter().map(|expr| measured_if_interval(expr, schema)).collect()
}

fn measured_keys(keys: Vec<SortKey>, schema: &DFSchema) -> Result<Vec<SortKey>> {
    let one = |key: SortKey| Ok(SortKey { expr: measured_if_interval(key.expr, schema)?, ..key });
    keys.into_iter().map(one).collect()
}

/// Groups by length, and shows of each group's intervals the least one by its fields.
fn grouped(aggregate: Aggregate, schema: &DFSchema) -> Result<LogicalPlan> {
    let Aggregate { input, group_expr, aggr_expr, schema: old_schema, .. } = aggregate;
    let keys = group_expr.len();
    let mut group_by = Vec::with_capacity(keys);
    let mut aggregates = aggr_expr;
    // For each column of the old result, its place in the new one.
    let mut places: Vec<usize> = (0..keys + aggregates.len()).collect();
    for (index, expr) in group_expr.into_iter().enumerate() {
        if is_interval(&expr.get_type(schema)?) {
            places[index] = keys + aggregates.len();
            aggregates.push(shown(&expr));
            group_by.push(length(expr, schema));
        } else {
            group_by.push(expr);
        }
    }
    let aggregate = LogicalPlan::Aggregate(Aggregate::try_new(input, group_by, aggregates)?);
    restored(aggregate, &places, &old_schema)
}

fn shown(expr: &Expr) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(
        first_value_udaf(),
        vec![expr.clone()],
        false,
        None,
        vec![SortKey::new(expr.clone(), true, false)],
        Some(NullTreatment::IgnoreNulls),
    ))
}

/// The columns of `plan` at `places` under the names that they have in `schema`.
fn restored(plan: LogicalPlan, places: &[usize], schema: &DFSchemaRef) -> Result<LogicalPlan> {
    let found = Arc::clone(plan.schema());
    let columns = places
        .iter()
        .enumerate()
        .map(|(column, place)| {
            let (relation, field) = schema.qualified_field(column);
            Expr::from(found.qualified_field(*place)).alias_qualified(relation.cloned(), field.name())
        })
        .collect();
    Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(plan))?))
}

fn distinct(input: Arc<LogicalPlan>) -> Result<LogicalPlan> {
    let schema = Arc::clone(input.schema());
    let all = schema.columns().into_iter().map(Expr::Column).collect();
    grouped(Aggregate::try_new(input, all, Vec::new())?, &schema)
}

fn joined(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let mut changed = false;
    for (left, right) in &mut join.on {
        let (left_schema, right_schema) = (join.left.schema(), join.right.schema());
        refuse_nested(left, left_schema)?;
        if !is_interval(&left.get_type(left_schema)?) && !is_interval(&right.get_type(right_schema)?) {
            continue;
        }
        if join.join_constraint == JoinConstraint::Using {
            return plan_err!("not supported: JOIN .. USING ({left}), an interval; write ON a.x = b.x");
        }
        let mut both = left_schema.as_ref().clone();
        both.merge(right_schema);
        (*left, *right) = pair(left.clone(), right.clone(), &both);
        changed = true;
    }
    let join = LogicalPlan::Join(join);
    Ok(if changed { Transformed::yes(join) } else { Transformed::no(join) })
}
