//! Expressions that compare intervals.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{
    AggregateFunction, AggregateFunctionParams, Case, InSubquery, NullTreatment, ScalarFunction,
    SetComparison, Sort, WindowFunction,
};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlanBuilder, Operator, Subquery, lit,
};

use super::extreme::extreme;
use super::length::{holds_interval, is_interval, length, lengths};

/// Functions that compare the elements of lists.
const COMPARING_LISTS: [&str; 22] = [
    "array_has",
    "array_has_all",
    "array_has_any",
    "array_position",
    "array_positions",
    "array_remove",
    "array_remove_n",
    "array_remove_all",
    "array_replace",
    "array_replace_n",
    "array_replace_all",
    "array_distinct",
    "array_sort",
    "array_union",
    "array_intersect",
    "array_except",
    "array_max",
    "array_min",
    "arrays_overlap",
    "array_contains",
    "list_sort",
    "list_distinct",
];

/// Makes `expr` and all expressions in it compare intervals by length.
///
/// # Errors
/// A plan error where that is not possible.
pub(super) fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr.transform_up(|expr| one(expr, schema))
}

fn one(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let interval = |expr: &Expr| expr.get_type(schema).map(|given| is_interval(&given));
    Ok(Transformed::yes(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) => {
            let (left, right) = if interval(&left)? || interval(&right)? {
                pair(*left, *right, schema)
            } else {
                refuse_nested(&left, schema)?;
                return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
            };
            Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) })
        }
        Expr::Between(mut between) if interval(&between.expr)? => {
            let mut all = lengths(vec![*between.expr, *between.low, *between.high], schema).into_iter();
            let (Some(expr), Some(low), Some(high)) = (all.next(), all.next(), all.next()) else {
                return changed_number();
            };
            (between.expr, between.low, between.high) = (Box::new(expr), Box::new(low), Box::new(high));
            Expr::Between(between)
        }
        Expr::InList(mut list) if interval(&list.expr)? => {
            let all = std::iter::once(*list.expr).chain(list.list).collect();
            let mut all = lengths(all, schema).into_iter();
            let Some(expr) = all.next() else {
                return changed_number();
            };
            (list.expr, list.list) = (Box::new(expr), all.collect());
            Expr::InList(list)
        }
        Expr::Case(case) => return case_of(case, schema),
        Expr::InSubquery(InSubquery { expr, subquery, negated }) if interval(&expr)? => {
            let expr = Box::new(length(*expr, schema));
            Expr::InSubquery(InSubquery { expr, subquery: measured(subquery)?, negated })
        }
        Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) if interval(&expr)? => {
            let expr = Box::new(length(*expr, schema));
            Expr::SetComparison(SetComparison { expr, subquery: measured(subquery)?, op, quantifier })
        }
        Expr::ScalarFunction(function) => return scalar(function, schema),
        Expr::AggregateFunction(function) => return aggregate(function, schema),
        Expr::WindowFunction(function) => return window(*function, schema),
        other => return Ok(Transformed::no(other)),
    }))
}

/// Whether the result of `op` follows from which side is the greater one.
fn compares(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// Both sides of a comparison, measured.
pub(super) fn pair(left: Expr, right: Expr, schema: &DFSchema) -> (Expr, Expr) {
    let mut both = lengths(vec![left.clone(), right.clone()], schema).into_iter();
    match (both.next(), both.next()) {
        (Some(left), Some(right)) => (left, right),
        _ => (left, right),
    }
}

fn changed_number<T>() -> Result<T> {
    datafusion::common::internal_err!("the number of compared intervals changed")
}

/// Rows and lists are compared as they are, with the intervals in them.
pub(super) fn refuse_nested(expr: &Expr, schema: &DFSchema) -> Result<()> {
    if holds_interval(&expr.get_type(schema)?) {
        return plan_err!(
            "not supported: comparing {expr}, a row or list with intervals in it; compare the intervals one by one"
        );
    }
    Ok(())
}

/// Names with the type of an interval are measured, others stay.
pub(super) fn measured_if_interval(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    if is_interval(&expr.get_type(schema)?) { Ok(length(expr, schema)) } else { Ok(expr) }
}

fn case_of(mut case: Case, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let operand_is_interval = match &case.expr {
        Some(operand) => is_interval(&operand.get_type(schema)?),
        None => false,
    };
    if !operand_is_interval {
        return Ok(Transformed::no(Expr::Case(case)));
    }
    case.expr = case.expr.map(|operand| Box::new(length(*operand, schema)));
    for (when, _) in &mut case.when_then_expr {
        *when = Box::new(length(std::mem::replace(when, lit(ScalarValue::Null)), schema));
    }
    Ok(Transformed::yes(Expr::Case(case)))
}

/// The lengths of the only column of a sub-query.
fn measured(subquery: Subquery) -> Result<Subquery> {
    let plan = subquery.subquery.as_ref().clone();
    let schema = Arc::clone(plan.schema());
    let columns = schema.columns().into_iter().map(|column| length(Expr::Column(column), &schema));
    let plan = LogicalPlanBuilder::from(plan).project(columns.collect::<Vec<_>>())?.build()?;
    Ok(Subquery { subquery: Arc::new(plan), ..subquery })
}

fn scalar(function: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let name = function.func.name();
    if COMPARING_LISTS.contains(&name) {
        for argument in &function.args {
            refuse_nested(argument, schema)?;
        }
    }
    if !matches!(name, "greatest" | "least" | "nullif") {
        return Ok(Transformed::no(Expr::ScalarFunction(function)));
    }
    let Some(first) = function.args.first() else {
        return Ok(Transformed::no(Expr::ScalarFunction(function)));
    };
    if !is_interval(&first.get_type(schema)?) {
        refuse_nested(first, schema)?;
        return Ok(Transformed::no(Expr::ScalarFunction(function)));
    }
    Ok(Transformed::yes(match (name, function.args.as_slice()) {
        ("nullif", [value, other]) => {
            let (left, right) = pair(value.clone(), other.clone(), schema);
            let is_equal = Expr::BinaryExpr(BinaryExpr::new(Box::new(left), Operator::Eq, Box::new(right)));
            let null = lit(ScalarValue::try_new_null(&value.get_type(schema)?)?);
            Expr::Case(Case::new(
                None,
                vec![(Box::new(is_equal), Box::new(null))],
                Some(Box::new(value.clone())),
            ))
        }
        (name, args) => extreme(name == "greatest", args.to_vec()),
    }))
}

/// `order_by` with intervals measured.
fn measured_order(order_by: Vec<Sort>, schema: &DFSchema) -> Result<Vec<Sort>> {
    let one = |sort: Sort| Ok(Sort { expr: measured_if_interval(sort.expr, schema)?, ..sort });
    order_by.into_iter().map(one).collect()
}

fn first_argument_is_interval(args: &[Expr], schema: &DFSchema) -> Result<bool> {
    match args.first() {
        Some(first) => Ok(is_interval(&first.get_type(schema)?)),
        None => Ok(false),
    }
}

fn aggregate(function: AggregateFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let AggregateFunction { func, mut params } = function;
    let name = func.name();
    params.order_by = measured_order(params.order_by, schema)?;
    if !first_argument_is_interval(&params.args, schema)? {
        if params.distinct || matches!(name, "min" | "max") {
            for argument in &params.args {
                refuse_nested(argument, schema)?;
            }
        }
        return Ok(Transformed::yes(Expr::AggregateFunction(AggregateFunction { func, params })));
    }
    if matches!(name, "min" | "max") {
        return Ok(Transformed::yes(extreme_of_group(name == "min", params, schema)));
    }
    // A constant is a parameter of the function, not a value of the rows.
    let is_constant = matches!(params.args.first(), Some(Expr::Literal(_, _)));
    if params.distinct && !is_constant {
        if name != "count" {
            return plan_err!(
                "{name}: DISTINCT is not supported for intervals; select the distinct ones in a sub-query"
            );
        }
        let measured = params.args.into_iter().map(|argument| measured_if_interval(argument, schema));
        params.args = measured.collect::<Result<_>>()?;
    }
    Ok(Transformed::yes(Expr::AggregateFunction(AggregateFunction { func, params })))
}

/// The shortest or longest interval: the first one by length, equal ones by their fields.
fn extreme_of_group(shortest: bool, params: AggregateFunctionParams, schema: &DFSchema) -> Expr {
    let order_by = params
        .args
        .iter()
        .flat_map(|value| [length(value.clone(), schema), value.clone()])
        .map(|key| Sort::new(key, shortest, false))
        .collect();
    Expr::AggregateFunction(AggregateFunction::new_udf(
        first_value_udaf(),
        params.args,
        false,
        params.filter,
        order_by,
        Some(NullTreatment::IgnoreNulls),
    ))
}

fn window(mut function: WindowFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let name = function.fun.name().to_owned();
    let params = &mut function.params;
    let takes_interval = first_argument_is_interval(&params.args, schema)?;
    if takes_interval && (matches!(name.as_str(), "min" | "max") || params.distinct) {
        return plan_err!(
            "{name}: not supported for intervals with OVER; take date_part('epoch', x), its length in seconds"
        );
    }
    let partition_by = std::mem::take(&mut params.partition_by).into_iter();
    params.partition_by = partition_by.map(|key| measured_if_interval(key, schema)).collect::<Result<_>>()?;
    Ok(Transformed::yes(Expr::WindowFunction(Box::new(function))))
}
