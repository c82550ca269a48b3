//! How many copies of one value a statement puts together.
//!
//! `a || a` over `a || a` over ... doubles with each level: forty levels of a one-letter text are a terabyte, built
//! before anything can count it. So the copies are counted in the plan: a column or literal is one, what a function
//! returns is all that it was given, unless its type has a fixed size.

use std::collections::HashMap;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator, RecursiveQuery};

use crate::error::Result;
use crate::limits::Limit;

/// Refuses a plan that puts too many copies together. O(size of the plan), without the sub-queries of expressions.
///
/// # Errors
/// [`crate::Error::Limit`].
pub(crate) fn check(plan: &LogicalPlan) -> Result<()> {
    Copies::default().of_plan(plan).map(|_| ())
}

/// Copies per column of each open recursive query's working table, by its name.
#[derive(Default)]
struct Copies {
    working_tables: HashMap<String, Vec<usize>>,
    /// What a column of any other table counts.
    base: Option<usize>,
}

impl Copies {
    fn of_plan(&mut self, plan: &LogicalPlan) -> Result<Vec<usize>> {
        let columns = plan.schema().fields().len();
        let copies = match plan {
            LogicalPlan::RecursiveQuery(query) => self.of_recursion(query)?,
            LogicalPlan::TableScan(scan) => match self.working_tables.get(scan.table_name.table()) {
                Some(of_columns) => of_columns.clone(),
                None => vec![self.base.unwrap_or(1); columns],
            },
            LogicalPlan::Projection(projection) => {
                let input = self.of_plan(&projection.input)?;
                self.of_expressions(&projection.expr, projection.input.schema(), &input)?
            }
            LogicalPlan::Aggregate(aggregate) => {
                let input = self.of_plan(&aggregate.input)?;
                let schema = aggregate.input.schema();
                let mut copies = self.of_expressions(&aggregate.group_expr, schema, &input)?;
                copies.extend(self.of_expressions(&aggregate.aggr_expr, schema, &input)?);
                copies
            }
            LogicalPlan::Window(window) => {
                let mut copies = self.of_plan(&window.input)?;
                let of_windows = self.of_expressions(&window.window_expr, window.input.schema(), &copies)?;
                copies.extend(of_windows);
                copies
            }
            LogicalPlan::Union(union) => {
                let mut copies = vec![0; columns];
                for input in &union.inputs {
                    for (most, found) in copies.iter_mut().zip(self.of_plan(input)?) {
                        *most = found.max(*most);
                    }
                }
                copies
            }
            LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => vec![self.base.unwrap_or(1); columns],
            other => {
                let mut copies = Vec::new();
                for input in other.inputs() {
                    copies.extend(self.of_plan(input)?);
                }
                copies
            }
        };
        Ok(fit(copies, columns))
    }

    /// What a round of a recursive query takes from the round before must not grow by a factor.
    fn of_recursion(&mut self, query: &RecursiveQuery) -> Result<Vec<usize>> {
        let columns = query.schema.fields().len();
        let start = self.of_plan(&query.static_term)?;
        let outer_base = self.base.replace(0);
        let outer = self.working_tables.insert(query.name.clone(), vec![1; columns]);
        let growth = self.of_plan(&query.recursive_term);
        self.base = outer_base;
        match outer {
            Some(outer) => self.working_tables.insert(query.name.clone(), outer),
            None => self.working_tables.remove(&query.name),
        };
        let growth = growth?;
        let worst = growth.iter().copied().max().unwrap_or_default();
        Limit::RecursiveCopies.check(worst)?;
        Ok(start)
    }

    fn of_expressions(&self, expressions: &[Expr], schema: &DFSchema, input: &[usize]) -> Result<Vec<usize>> {
        let mut all = Vec::with_capacity(expressions.len());
        for expression in expressions {
            let copies = self.of_expression(expression, schema, input);
            Limit::Copies.check(copies)?;
            all.push(copies);
        }
        Ok(all)
    }

    fn of_expression(&self, expression: &Expr, schema: &DFSchema, input: &[usize]) -> usize {
        let of = |expression: &Expr| self.of_expression(expression, schema, input);
        let sum = |expressions: &[Expr]| expressions.iter().map(of).fold(0_usize, usize::saturating_add);
        let grown = match expression {
            Expr::Alias(alias) => return of(&alias.expr),
            Expr::Column(column) => {
                return schema
                    .maybe_index_of_column(column)
                    .and_then(|index| input.get(index).copied())
                    .unwrap_or_else(|| self.base.unwrap_or(1));
            }
            Expr::Cast(cast) => of(&cast.expr),
            Expr::TryCast(cast) => of(&cast.expr),
            Expr::BinaryExpr(binary) if binary.op == Operator::StringConcat => {
                of(&binary.left).saturating_add(of(&binary.right))
            }
            Expr::ScalarFunction(call) => sum(&call.args),
            Expr::HigherOrderFunction(call) => sum(&call.args),
            Expr::AggregateFunction(call) => sum(&call.params.args),
            Expr::WindowFunction(call) => sum(&call.params.args),
            Expr::Case(case) => {
                let branches = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
                branches.chain(case.else_expr.as_deref()).map(of).max().unwrap_or_default()
            }
            _ => return self.base.unwrap_or(1),
        };
        // Most expressions are one copy: their types need not be asked for.
        if grown <= 1 || !is_fixed_size(expression, schema) { grown } else { self.base.unwrap_or(1) }
    }
}

fn is_fixed_size(expression: &Expr, schema: &DFSchema) -> bool {
    expression
        .get_type(schema)
        .is_ok_and(|data_type: DataType| data_type.is_primitive() || data_type == DataType::Boolean)
}

/// Operators that show other columns than their inputs have.
fn fit(mut copies: Vec<usize>, columns: usize) -> Vec<usize> {
    if copies.len() != columns {
        let most = copies.iter().copied().max().unwrap_or(1);
        copies = vec![most; columns];
    }
    copies
}
