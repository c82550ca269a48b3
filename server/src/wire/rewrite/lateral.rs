//! `LATERAL (SELECT a.n * 10 AS m) b`: expressions over the row beside it, without a FROM of its own.
//!
//! The engine plans lateral sub-queries that it can make into joins, and here there is nothing to join: what names a column
//! of the sub-query is replaced by the column's expression.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, GroupByExpr, Ident, JoinConstraint, JoinOperator, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, Value, Visit, VisitMut, Visitor, VisitorMut,
};

use super::subqueries::folded;

/// Rewrites the lateral sub-queries of `statement`.
pub(super) fn rewrite(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Queries);
}

struct Queries;

impl VisitorMut for Queries {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let Query { body, order_by, .. } = query;
        let SetExpr::Select(select) = body.as_mut() else { return ControlFlow::Continue(()) };
        while let Some(columns) = take_one(select) {
            for item in &mut select.projection {
                substitute_item(item, &columns);
            }
            let mut fill = Fill(&columns);
            for part in [&mut select.selection, &mut select.having, &mut select.qualify].into_iter().flatten()
            {
                let _ = VisitMut::visit(part, &mut fill);
            }
            let _ = VisitMut::visit(&mut select.from, &mut fill);
            let _ = VisitMut::visit(&mut select.group_by, &mut fill);
            if let Some(order) = order_by {
                let _ = VisitMut::visit(order, &mut fill);
            }
        }
        ControlFlow::Continue(())
    }
}

/// The columns of a sub-query, by its name and theirs.
struct Columns {
    table: String,
    columns: Vec<(String, Expr)>,
}

/// Takes one such sub-query out of FROM.
fn take_one(select: &mut Select) -> Option<Columns> {
    // A wildcard of all relations would lose these columns.
    if select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_))) {
        return None;
    }
    for at in 0..select.from.len() {
        let joins = &select.from[at].joins;
        let join = joins.iter().position(|join| {
            let is_every_row = match &join.join_operator {
                JoinOperator::CrossJoin(constraint)
                | JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint) => match constraint {
                    JoinConstraint::None => true,
                    JoinConstraint::On(Expr::Value(value)) => value.value == Value::Boolean(true),
                    _ => false,
                },
                _ => false,
            };
            is_every_row && columns_of(&join.relation).is_some()
        });
        if let Some(join) = join {
            let columns = columns_of(&joins[join].relation);
            select.from[at].joins.remove(join);
            return columns;
        }
        if at > 0
            && joins.is_empty()
            && let Some(columns) = columns_of(&select.from[at].relation)
        {
            select.from.remove(at);
            return Some(columns);
        }
    }
    None
}

fn columns_of(factor: &TableFactor) -> Option<Columns> {
    let TableFactor::Derived { lateral: true, subquery, alias: Some(alias), .. } = factor else {
        return None;
    };
    let SetExpr::Select(select) = subquery.body.as_ref() else { return None };
    let is_one_row = subquery.with.is_none()
        && subquery.limit_clause.is_none()
        && subquery.fetch.is_none()
        && select.from.is_empty()
        && select.selection.is_none()
        && select.having.is_none()
        && matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    if !is_one_row || !alias.columns.is_empty() && alias.columns.len() != select.projection.len() {
        return None;
    }
    let columns: Option<Vec<(String, Expr)>> = select
        .projection
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let (expr, own) = match item {
                SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias)),
                SelectItem::UnnamedExpr(expr) => (expr, last_name(expr)),
                _ => return None,
            };
            let name = alias.columns.get(index).map(|column| &column.name).or(own)?;
            is_plain(expr).then(|| (folded(name), Expr::Nested(Box::new(expr.clone()))))
        })
        .collect();
    Some(Columns { table: folded(&alias.name), columns: columns? })
}

fn last_name(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    }
}

/// Whether `expr` means the same wherever it stands: no sub-query, no window, no function that may be an aggregate or
/// give another value each time.
fn is_plain(expr: &Expr) -> bool {
    struct Others;
    impl Visitor for Others {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => ControlFlow::Break(()),
                Expr::Function(Function { name, over: None, .. }) if is_known(&name.to_string()) => {
                    ControlFlow::Continue(())
                }
                Expr::Function(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    Visit::visit(expr, &mut Others).is_continue()
}

fn is_known(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let changes =
        ["random", "gen_random_uuid", "uuid", "clock_timestamp", "unnest", "generate_series", "pg_sleep"];
    let functions = datafusion::functions::all_default_functions();
    !changes.contains(&name.as_str())
        && functions.iter().any(|function| function.name() == name || function.aliases().contains(&name))
}

/// Puts the expressions into an item of the select list, which keeps its name.
fn substitute_item(item: &mut SelectItem, columns: &Columns) {
    let name = match item {
        SelectItem::UnnamedExpr(expr) => last_name(expr).cloned(),
        _ => None,
    };
    let mut fill = Fill(columns);
    if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
        let before = expr.clone();
        let _ = VisitMut::visit(expr, &mut fill);
        if let (Some(alias), true) = (name, before != *expr) {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

struct Fill<'a>(&'a Columns);

impl VisitorMut for Fill<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let name = match expr {
            Expr::Identifier(ident) => folded(ident),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] if folded(table) == self.0.table => folded(column),
                _ => return ControlFlow::Continue(()),
            },
            _ => return ControlFlow::Continue(()),
        };
        if let Some((_, value)) = self.0.columns.iter().find(|(known, _)| *known == name) {
            *expr = value.clone();
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn rewritten(sql: &str) -> String {
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap().remove(0);
        rewrite(&mut statement);
        statement.to_string()
    }

    #[test]
    fn expressions_stand_in_the_place_of_their_names() {
        assert_eq!(
            rewritten(
                "SELECT b.m, a.n FROM t AS a, LATERAL (SELECT a.n * 10 AS m) AS b WHERE m > 1 ORDER BY b.m"
            ),
            "SELECT (a.n * 10) AS m, a.n FROM t AS a WHERE (a.n * 10) > 1 ORDER BY (a.n * 10)"
        );
        assert_eq!(
            rewritten("SELECT m FROM t AS a LEFT JOIN LATERAL (SELECT lower(a.n)) AS b(m) ON true"),
            "SELECT (lower(a.n)) AS m FROM t AS a"
        );
        for same in [
            "SELECT * FROM t AS a, LATERAL (SELECT a.n AS m) AS b",
            "SELECT m FROM t AS a, LATERAL (SELECT max(a.n) AS m) AS b",
            "SELECT m FROM t AS a, LATERAL (SELECT d.x AS m FROM d WHERE d.y = a.n) AS b",
            "SELECT m FROM t AS a, (SELECT 1 AS m) AS b",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
