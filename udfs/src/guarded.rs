//! Conditions that keep others from failing: `x <> 0 AND 10 / x > 1` has an answer for every row, as in PostgreSQL.
//!
//! DataFusion evaluates both sides of `AND` and `OR` for most batches, reorders conditions that it gives to a scan, and makes
//! `AND` of a `CASE` between truth values. So what may fail gets an operand that is NULL where the conditions before it say
//! that it does not matter: `10 / CASE WHEN (x <> 0) IS NOT FALSE THEN x END > 1`. The value of the whole is the same.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, ExprSchemable, LogicalPlan, Operator};
use datafusion::optimizer::AnalyzerRule;

use crate::interval::rewrite_nodes;

/// How many conditions stand before an operand at most: those that name a column of it, the nearest.
const MAX_CONDITIONS: usize = 8;
/// How large each may be: one that is guarded itself repeats others, and chains of such would grow without bound.
const MAX_NODES: usize = 32;

/// `rules` with the one of this module behind them. Give them to `SessionStateBuilder::with_analyzer_rules`.
pub fn with_guard_rule(
    mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>>,
) -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    rules.push(Arc::new(GuardedOperands::default()));
    rules
}

/// The rule: for divisions, casts of text, and functions that it is told.
#[derive(Debug, Default, Clone, Copy)]
pub struct GuardedOperands {
    functions: &'static [(&'static str, usize)],
}

impl GuardedOperands {
    /// For these functions too, each with the place of the argument that makes it fail.
    pub fn with_functions(functions: &'static [(&'static str, usize)]) -> Self {
        Self { functions }
    }
}

impl AnalyzerRule for GuardedOperands {
    fn name(&self) -> &str {
        "guarded_operands"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_nodes(
            plan,
            |expr, schema| {
                if !self.may_guard(&expr) {
                    return Ok(Transformed::no(expr));
                }
                Guards { rule: *self, schema, conditions: Vec::new() }.guarded(expr).map(Transformed::yes)
            },
            |plan, _| Ok(Transformed::no(plan)),
        )
    }
}

impl GuardedOperands {
    /// Whether there is anything in `expr` that may fail, and a part that may keep it from that.
    fn may_guard(&self, expr: &Expr) -> bool {
        let is_choice = |expr: &Expr| match expr {
            Expr::BinaryExpr(BinaryExpr { op, .. }) => matches!(op, Operator::And | Operator::Or),
            Expr::AggregateFunction(call) => call.params.filter.is_some(),
            other => matches!(other, Expr::Case(_)),
        };
        let may_fail = |expr: &Expr| match expr {
            Expr::BinaryExpr(BinaryExpr { op, .. }) => matches!(op, Operator::Divide | Operator::Modulo),
            Expr::Cast(cast) => !cast.field.data_type().is_string(),
            Expr::ScalarFunction(call) => self.functions.iter().any(|(name, _)| *name == call.func.name()),
            _ => false,
        };
        let exists = |is: &dyn Fn(&Expr) -> bool| expr.exists(|expr| Ok(is(expr))).unwrap_or(false);
        exists(&may_fail) && exists(&is_choice)
    }
}

struct Guards<'a> {
    rule: GuardedOperands,
    schema: &'a DFSchema,
    /// Where they do not hold, the value of the expression at hand does not matter.
    conditions: Vec<Expr>,
}

impl Guards<'_> {
    fn guarded(&mut self, expr: Expr) -> Result<Expr> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
                let left = self.guarded(*left)?;
                let before = self.conditions.len();
                if op == Operator::And {
                    self.each_conjunct(&left);
                } else {
                    self.conditions.push(Expr::IsNotTrue(Box::new(left.clone())));
                }
                let right = self.guarded(*right)?;
                self.conditions.truncate(before);
                Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
            }
            Expr::Case(case) if case.expr.is_none() => self.case(case),
            Expr::AggregateFunction(mut call) => {
                // What stands around an aggregate is about other rows than its arguments.
                let around = std::mem::take(&mut self.conditions);
                if let Some(filter) = &call.params.filter {
                    self.conditions.push(Expr::IsTrue(filter.clone()));
                }
                let arguments = std::mem::take(&mut call.params.args);
                call.params.args =
                    arguments.into_iter().map(|one| self.guarded(one)).collect::<Result<_>>()?;
                self.conditions = around;
                Ok(Expr::AggregateFunction(call))
            }
            Expr::WindowFunction(_) => Ok(expr),
            other => {
                let inside = other.map_children(|child| self.guarded(child).map(Transformed::yes))?.data;
                Ok(self.with_guard(inside))
            }
        }
    }

    fn each_conjunct(&mut self, condition: &Expr) {
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                self.each_conjunct(left);
                self.each_conjunct(right);
            }
            other => self.conditions.push(Expr::IsNotFalse(Box::new(other.clone()))),
        }
    }

    /// Results of a `CASE` of truth values are for the rows of their condition alone. Of others DataFusion knows that.
    fn case(&mut self, case: Case) -> Result<Expr> {
        let mut branches = Vec::with_capacity(case.when_then_expr.len());
        for (when, then) in case.when_then_expr {
            let when = self.guarded(*when)?;
            let before = self.conditions.len();
            if then.get_type(self.schema).is_ok_and(|of| of == DataType::Boolean) {
                self.conditions.push(Expr::IsTrue(Box::new(when.clone())));
            }
            let then = self.guarded(*then)?;
            self.conditions.truncate(before);
            branches.push((Box::new(when), Box::new(then)));
        }
        let otherwise = case.else_expr.map(|expr| self.guarded(*expr).map(Box::new)).transpose()?;
        Ok(Expr::Case(Case::new(None, branches, otherwise)))
    }

    fn with_guard(&self, mut expr: Expr) -> Expr {
        if self.conditions.is_empty() {
            return expr;
        }
        if let Some(operand) = self.operand(&mut expr)
            && let Some(condition) = self.condition_for(operand)
        {
            let guarded = Box::new(std::mem::take(operand));
            *operand = Expr::Case(Case::new(None, vec![(Box::new(condition), guarded)], None));
        }
        expr
    }

    /// The operand that makes `expr` fail for some of its values.
    fn operand<'e>(&self, expr: &'e mut Expr) -> Option<&'e mut Expr> {
        let type_of = |expr: &Expr| expr.get_type(self.schema).ok();
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide | Operator::Modulo, right }) => {
                let is_exact = type_of(left).is_some_and(|of| !of.is_floating());
                is_exact.then_some(right.as_mut())
            }
            Expr::Cast(cast) => {
                let reads = type_of(&cast.expr).is_some_and(|of| of.is_string());
                (reads && !cast.field.data_type().is_string()).then_some(cast.expr.as_mut())
            }
            Expr::ScalarFunction(call) => {
                let known = self.rule.functions.iter().find(|(name, _)| *name == call.func.name());
                known.and_then(|(_, place)| call.args.get_mut(*place))
            }
            _ => None,
        }
    }

    /// The nearest conditions about the columns of `operand`; `None` if there is none, or it has them already.
    fn condition_for(&self, operand: &Expr) -> Option<Expr> {
        let columns = operand.column_refs();
        let is_about = |condition: &&Expr| {
            condition.column_refs().iter().any(|column| columns.contains(column)) && is_plain(condition)
        };
        let nearest = self.conditions.iter().rev().filter(is_about).take(MAX_CONDITIONS).cloned();
        let condition = nearest.reduce(|near, far| far.and(near))?;
        let has_it = matches!(operand, Expr::Case(case)
            if case.when_then_expr.first().is_some_and(|(when, _)| **when == condition));
        (!has_it).then_some(condition)
    }
}

/// Whether `condition` can be asked twice: small, the same answer each time, and no query.
fn is_plain(condition: &Expr) -> bool {
    let mut is_plain = !condition.is_volatile();
    let mut nodes = 0;
    let _ = condition.apply(|expr| {
        let is_query = matches!(
            expr,
            Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)
        );
        nodes += 1;
        is_plain &= !is_query && nodes <= MAX_NODES;
        Ok(if !is_plain { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    is_plain
}
