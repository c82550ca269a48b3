//! `double precision` beside `numeric`: PostgreSQL makes both floating-point numbers, the engine both decimals with fifteen
//! digits behind the point, for which `1e-20` is 0 and `1e20` out of range.
//!
//! Literals with a point are `numeric`, so that `score > 0.5` and `coalesce(score, 0.0)` are such cases.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::functions::core;
use datafusion::logical_expr::expr::{InList, InSubquery, ScalarFunction};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::type_coercion::other::get_coerce_type_for_case_expression;
use datafusion::logical_expr::{
    Between, BinaryExpr, Case, Cast, ColumnarValue, Documentation, Expr, ExprSchemable, Join, LogicalPlan,
    LogicalPlanBuilder, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Union,
    Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::inputs::{coerced, rewrite_nodes};
use super::quotients;

/// The function behind `ARRAY[...]`.
const ARRAY: &str = "make_array";

fn is_numeric(data_type: &DataType) -> bool {
    data_type.is_decimal()
}

fn as_float(expr: Expr) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), DataType::Float64))
}

/// What numbers of `types` are together, if one is a floating-point number: `double precision` if one is that, else `real`.
fn float_of<'a>(types: impl IntoIterator<Item = &'a DataType>) -> Option<DataType> {
    let floats = types.into_iter().filter(|of| of.is_floating());
    floats.max_by_key(|of| of.primitive_width()).cloned()
}

/// Gives the `CASE`s in operands their type before other planners ask for it: the planner takes it from the first result, so
/// that `CASE ... THEN 0 ELSE 2.50 END / 4` would be a quotient of whole numbers.
#[derive(Debug)]
pub(super) struct CaseOperands;

impl ExprPlanner for CaseOperands {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let inner = |expr: Expr| {
            Ok(match expr {
                Expr::Case(case) => of_one_number_type(case, schema),
                other => Transformed::no(other),
            })
        };
        let typed = |operand: Expr| {
            let typed = operand.transform_down(|part| {
                let part = match part {
                    Expr::Case(_) => part.transform_up(inner)?,
                    other => Transformed::no(other),
                };
                // Operands of operators below were here when those were planned.
                let is_done = matches!(part.data, Expr::Case(_) | Expr::BinaryExpr(_));
                let next = if is_done { TreeNodeRecursion::Jump } else { TreeNodeRecursion::Continue };
                Ok(Transformed { tnr: next, ..part })
            });
            typed.map(|typed| typed.data)
        };
        let (left, right) = (typed(expr.left)?, typed(expr.right)?);
        Ok(PlannerResult::Original(RawBinaryExpr { left, right, ..expr }))
    }
}

/// Comparisons, `IN`, `BETWEEN`, `CASE`, `ARRAY`, `UNION` and joins of such numbers, and quotients by the types that come of
/// them. To stand before the coercion of types.
#[derive(Debug)]
pub(crate) struct MixedNumbers;

impl AnalyzerRule for MixedNumbers {
    fn name(&self) -> &str {
        "mixed_numbers"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_nodes(plan, of_one_type, of_one_float_type)
    }
}

/// Unions and the keys of joins.
fn of_one_float_type(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Union(union) => settled_union(union),
        LogicalPlan::Join(join) => Ok(with_float_keys(join)),
        node => Ok(Transformed::no(node)),
    }
}

/// A union whose inputs differ in a type: nodes above it look at what comes of them. Floating-point numbers beside decimals
/// are floating-point numbers in all inputs.
fn settled_union(union: Union) -> Result<Transformed<LogicalPlan>> {
    let types = |column: usize| {
        let fields = union.inputs.iter().filter_map(move |input| input.schema().fields().get(column));
        fields.map(|field| field.data_type())
    };
    let width = union.schema.fields().len();
    let differs = |column: usize| types(column).zip(types(column).skip(1)).any(|(one, next)| one != next);
    if !(0..width).any(differs) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    // For each column the type that its decimals become.
    let float = |column: usize| float_of(types(column)).filter(|_| types(column).any(is_numeric));
    let floats: Vec<Option<DataType>> = (0..width).map(float).collect();
    if floats.iter().all(Option::is_none) {
        return Ok(Transformed::yes(LogicalPlan::Union(union)));
    }
    let inputs = union.inputs.iter().map(|input| with_floats(input, &floats).map(Arc::new));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    Ok(Transformed::yes(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?)))
}

/// `USING`, `EXCEPT` and `INTERSECT` compare so.
fn with_float_keys(mut join: Join) -> Transformed<LogicalPlan> {
    let (left, right) = (Arc::clone(join.left.schema()), Arc::clone(join.right.schema()));
    let mut has_changed = false;
    for (left_key, right_key) in &mut join.on {
        let (Ok(left_type), Ok(right_type)) = (left_key.get_type(&left), right_key.get_type(&right)) else {
            continue;
        };
        let decimal = match (is_numeric(&left_type), is_numeric(&right_type)) {
            (true, false) if right_type.is_floating() => left_key,
            (false, true) if left_type.is_floating() => right_key,
            _ => continue,
        };
        *decimal = as_float(decimal.clone());
        has_changed = true;
    }
    Transformed::new_transformed(LogicalPlan::Join(join), has_changed)
}

/// `plan` with its decimals as what `floats` says for their columns.
fn with_floats(plan: &Arc<LogicalPlan>, floats: &[Option<DataType>]) -> Result<LogicalPlan> {
    let columns = plan.schema().iter().zip(floats).map(|((qualifier, field), float)| {
        let column = Expr::from((qualifier, field));
        let Some(float) = float.as_ref().filter(|_| is_numeric(field.data_type())) else { return column };
        let converted = Expr::Cast(Cast::new(Box::new(column), float.clone()));
        converted.alias_qualified(qualifier.cloned(), field.name())
    });
    let columns: Vec<Expr> = columns.collect();
    LogicalPlanBuilder::from(Arc::clone(plan)).project(columns)?.build()
}

fn of_one_type(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let is = |expr: &Expr, kind: fn(&DataType) -> bool| expr.get_type(schema).is_ok_and(|of| kind(&of));
    let floating = |expr: &Expr| is(expr, DataType::is_floating);
    let numeric = |expr: &Expr| is(expr, is_numeric);
    let converted = |expr: Box<Expr>| if numeric(&expr) { Box::new(as_float(*expr)) } else { expr };
    match expr {
        Expr::InList(list) if floating(&list.expr) && list.list.iter().any(numeric) => {
            let items = list.list.into_iter().map(|item| *converted(Box::new(item))).collect();
            Transformed::yes(Expr::InList(InList { list: items, ..list }))
        }
        Expr::Between(between)
            if floating(&between.expr) && (numeric(&between.low) || numeric(&between.high)) =>
        {
            let (low, high) = (converted(between.low), converted(between.high));
            Transformed::yes(Expr::Between(Between { low, high, ..between }))
        }
        // What has an opposite is a comparison.
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if op.negate().is_some()
                && (floating(&left) && numeric(&right) || numeric(&left) && floating(&right)) =>
        {
            let (left, right) = (converted(left), converted(right));
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::InSubquery(InSubquery { expr, mut subquery, negated }) => {
            let (is_floating, is_numeric_here) = (floating(&expr), numeric(&expr));
            let column = subquery.subquery.schema().fields().first().map(|field| field.data_type().clone());
            let has = |kind: fn(&DataType) -> bool| column.as_ref().is_some_and(kind);
            if is_numeric_here && has(DataType::is_floating) {
                return Transformed::yes(Expr::InSubquery(InSubquery {
                    expr: converted(expr),
                    subquery,
                    negated,
                }));
            }
            if is_floating
                && has(is_numeric)
                && let Ok(floats) = with_floats(&subquery.subquery, &[Some(DataType::Float64)])
            {
                subquery.subquery = Arc::new(floats);
                return Transformed::yes(Expr::InSubquery(InSubquery { expr, subquery, negated }));
            }
            Transformed::no(Expr::InSubquery(InSubquery { expr, subquery, negated }))
        }
        Expr::ScalarFunction(ScalarFunction { func, args })
            if func.name() == ARRAY && args.iter().any(floating) && args.iter().any(numeric) =>
        {
            let args = args.into_iter().map(|element| *converted(Box::new(element))).collect();
            Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
        }
        Expr::Case(case) => of_one_number_type(case, schema),
        other => quotients::settled(other, schema),
    }
}

/// A `CASE` whose results are numbers of several kinds: the one kind that all of them fit, as in PostgreSQL.
fn of_one_number_type(case: Case, schema: &DFSchema) -> Transformed<Expr> {
    let results = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
    let types = results.map(|result| result.get_type(schema)).collect::<Result<Vec<_>>>();
    let mut types = types.unwrap_or_default();
    types.retain(|of| !of.is_null());
    types.dedup();
    let are_exact = types.iter().all(DataType::is_integer);
    if types.len() < 2 || are_exact || !types.iter().all(DataType::is_numeric) {
        return Transformed::no(Expr::Case(case));
    }
    let whole = float_of(&types).or_else(|| get_coerce_type_for_case_expression(&types, None));
    let Some(whole) = whole else { return Transformed::no(Expr::Case(case)) };
    let converted = |expr: Box<Expr>| match expr.get_type(schema) {
        Ok(of) if of != whole && !of.is_null() => Box::new(Expr::Cast(Cast::new(expr, whole.clone()))),
        _ => expr,
    };
    let branches = case.when_then_expr.into_iter().map(|(when, then)| (when, converted(then)));
    let otherwise = case.else_expr.map(converted);
    Transformed::yes(Expr::Case(Case::new(case.expr, branches.collect(), otherwise)))
}

/// `coalesce`, `greatest`, `least` and `nullif`.
pub(super) fn all() -> Vec<ScalarUDF> {
    [core::coalesce(), core::greatest(), core::least(), core::nullif()]
        .into_iter()
        .map(|engine| {
            let signature = Signature::user_defined(Volatility::Immutable);
            ScalarUDF::from(Choice { engine, signature })
        })
        .collect()
}

/// One of the engine's functions that give one of their arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Choice {
    engine: Arc<ScalarUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for Choice {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let float = float_of(arguments);
        let one = |one: &DataType| float.as_ref().filter(|_| is_numeric(one)).unwrap_or(one).clone();
        coerced(&self.engine, &arguments.iter().map(one).collect::<Vec<_>>())
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.engine.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.engine.return_field_from_args(arguments)
    }

    fn simplify(&self, arguments: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.engine.simplify(arguments, info)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.engine.invoke_with_args(arguments)
    }

    fn conditional_arguments<'a>(&self, arguments: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.engine.conditional_arguments(arguments)
    }

    fn short_circuits(&self) -> bool {
        self.engine.short_circuits()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engine.documentation()
    }
}
