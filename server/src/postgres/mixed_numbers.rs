//! `double precision` beside `numeric`: PostgreSQL makes both floating-point numbers, the engine both decimals with fifteen
//! digits behind the point, for which `1e-20` is 0 and `1e20` out of range.
//!
//! Literals with a point are `numeric`, so that `score > 0.5` and `coalesce(score, 0.0)` are such cases.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::functions::core;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::type_coercion::other::get_coerce_type_for_case_expression;
use datafusion::logical_expr::{
    Between, Case, Cast, ColumnarValue, Documentation, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::inputs::rewrite_expressions;

fn is_numeric(data_type: &DataType) -> bool {
    data_type.is_decimal()
}

fn as_float(expr: Expr) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), DataType::Float64))
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

/// Plans comparisons of such numbers.
#[derive(Debug)]
pub(super) struct Comparisons;

impl ExprPlanner for Comparisons {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let compares = matches!(
            expr.op,
            BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq
        );
        if !compares {
            return Ok(PlannerResult::Original(expr));
        }
        Ok(PlannerResult::Original(match (expr.left.get_type(schema), expr.right.get_type(schema)) {
            (Ok(left), Ok(right)) if left.is_floating() && is_numeric(&right) => {
                RawBinaryExpr { right: as_float(expr.right), ..expr }
            }
            (Ok(left), Ok(right)) if is_numeric(&left) && right.is_floating() => {
                RawBinaryExpr { left: as_float(expr.left), ..expr }
            }
            _ => expr,
        }))
    }
}

/// The same for `IN`, `BETWEEN` and `CASE`. To stand before the coercion of types.
#[derive(Debug)]
pub(crate) struct MixedNumbers;

impl AnalyzerRule for MixedNumbers {
    fn name(&self) -> &str {
        "mixed_numbers"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_expressions(plan, of_one_type)
    }
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
        Expr::Case(case) => of_one_number_type(case, schema),
        other => Transformed::no(other),
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
    let whole = if types.iter().any(DataType::is_floating) {
        let are_real = types.iter().all(|of| *of == DataType::Float32);
        Some(if are_real { DataType::Float32 } else { DataType::Float64 })
    } else {
        get_coerce_type_for_case_expression(&types, None)
    };
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
        let is_mixed = arguments.iter().any(DataType::is_floating) && arguments.iter().any(is_numeric);
        let field = |one: &DataType| {
            let one = if is_mixed && is_numeric(one) { &DataType::Float64 } else { one };
            Arc::new(Field::new("value", one.clone(), true))
        };
        let fields: Vec<FieldRef> = arguments.iter().map(field).collect();
        let coerced = fields_with_udf(&fields, self.engine.as_ref())?;
        Ok(coerced.iter().map(|field| field.data_type().clone()).collect())
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
