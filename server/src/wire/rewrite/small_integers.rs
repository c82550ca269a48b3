//! Literals that are `integer`, as PostgreSQL types them; the engine has `bigint`. Columns that are made of them alone are
//! cast, in the result and in sub-queries of FROM; the engine calculates with `bigint` and the cast at the end is checked.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Query, SelectItem, SetExpr,
    Statement, TableAlias, TableFactor, UnaryOperator, Value, ValueWithSpan, VisitMut, VisitorMut,
};

use super::casts::call;
use super::templates::{query, select_mut};

/// Casts such columns of `statement`.
pub(super) fn rewrite(statement: &mut Statement) {
    if let Statement::Query(query) = statement {
        in_body(&mut query.body);
    }
    let _ = VisitMut::visit(statement, &mut Relations);
}

struct Relations;

impl VisitorMut for Relations {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let is_recursive = query.with.as_ref().is_some_and(|with| with.recursive);
        for table in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            match (is_recursive, table.query.body.as_mut()) {
                // What it begins with says which types it has; the engine casts the rest to them.
                (true, SetExpr::SetOperation { left, .. }) => in_body(left),
                (_, body) => in_body(body),
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Derived { subquery, .. } => in_body(&mut subquery.body),
            TableFactor::Table { .. } => {
                if let Some(series) = series(factor) {
                    *factor = series;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn in_body(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                    && is_small_integer(expr)
                {
                    *expr = call("int4", vec![expr.clone()]);
                }
            }
        }
        SetExpr::Query(query) => in_body(&mut query.body),
        SetExpr::SetOperation { left, right, .. } => {
            in_body(left);
            in_body(right);
        }
        _ => {}
    }
}

/// `generate_series(1, 3)` as a sub-query whose column is `integer`; `None` if a bound is none, or no literal.
fn series(factor: &TableFactor) -> Option<TableFactor> {
    let TableFactor::Table { name, alias, args: Some(args), with_ordinality: false, .. } = factor else {
        return None;
    };
    let is_small = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => is_small_integer(expr),
        _ => false,
    };
    let function = name.to_string();
    if !function.eq_ignore_ascii_case("generate_series") || !args.args.iter().all(is_small) {
        return None;
    }
    let mut alias = alias.clone().unwrap_or_else(|| TableAlias {
        explicit: true,
        name: function.as_str().into(),
        columns: Vec::new(),
        at: None,
    });
    let column = alias.columns.first().map_or(&alias.name, |column| &column.name).clone();
    alias.columns.clear();
    let mut subquery = query("SELECT int4(number) AS number FROM generate_series(1, 1) AS numbers(number)")?;
    let select = select_mut(&mut subquery)?;
    if let Some(TableFactor::Table { args: place, .. }) =
        select.from.first_mut().map(|from| &mut from.relation)
    {
        *place = Some(args.clone());
    }
    if let Some(SelectItem::ExprWithAlias { alias, .. }) = select.projection.first_mut() {
        *alias = column;
    }
    Some(TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None })
}

/// Whether `expr` is made of literals alone that are `integer`.
pub(super) fn is_small_integer(expr: &Expr) -> bool {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Number(number, _), .. }) => number.parse::<i32>().is_ok(),
        Expr::Nested(inner) => is_small_integer(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => is_small_integer(expr),
        Expr::BinaryOp { left, op, right } => {
            let is_arithmetic = matches!(
                op,
                BinaryOperator::Plus
                    | BinaryOperator::Minus
                    | BinaryOperator::Multiply
                    | BinaryOperator::Divide
                    | BinaryOperator::Modulo
            );
            is_arithmetic && is_small_integer(left) && is_small_integer(right)
        }
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("abs") => {
            match &function.args {
                FunctionArguments::List(list) => match list.args.as_slice() {
                    [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] => is_small_integer(argument),
                    _ => false,
                },
                _ => false,
            }
        }
        Expr::Case { conditions, else_result, .. } => {
            conditions.iter().all(|when| is_small_integer(&when.result))
                && else_result.as_deref().is_none_or(is_small_integer)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn rewritten(sql: &str) -> String {
        testing::rewritten(sql, rewrite)
    }

    #[test]
    fn literals_are_integers() {
        assert_eq!(
            rewritten("SELECT x, -2 FROM (SELECT 1 AS x) AS t"),
            "SELECT x, int4(-2) FROM (SELECT int4(1) AS x) AS t"
        );
        assert_eq!(
            rewritten("WITH t AS (SELECT 1) SELECT * FROM t"),
            "WITH t AS (SELECT int4(1)) SELECT * FROM t"
        );
        assert_eq!(
            rewritten("SELECT n FROM generate_series(1, 3) AS t(n)"),
            "SELECT n FROM (SELECT int4(number) AS n FROM generate_series(1, 3) AS numbers (number)) AS t"
        );
        assert_eq!(
            rewritten("WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n FROM t"),
            "WITH RECURSIVE t (n) AS (SELECT int4(1) UNION ALL SELECT n + 1 FROM t) SELECT n FROM t"
        );
        for same in [
            "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM d)",
            "SELECT n FROM generate_series(1, 3000000000) AS t (n)",
            "SELECT 3000000000",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
