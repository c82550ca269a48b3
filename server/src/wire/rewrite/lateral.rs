//! `LATERAL (SELECT a.n * 10 AS m) b`: expressions over the row beside it, without a FROM of its own.
//!
//! The engine plans lateral sub-queries that it can make into joins, and here there is nothing to join: what names a column
//! of the sub-query is replaced by the column's expression. A sub-query of aggregates alone, which always gives one row, is
//! one sub-query for each column in the same way; one beside a catalog that never has rows gives NULL to a left join.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, GroupByExpr, Ident, JoinConstraint, JoinOperator, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, Value, Visit, VisitMut, Visitor, VisitorMut,
};

use super::empty_catalogs::{has_no_rows, null_text};
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
            let mut fill = Fill::new(&columns);
            for part in [&mut select.selection, &mut select.having, &mut select.qualify].into_iter().flatten()
            {
                let _ = VisitMut::visit(part, &mut fill);
            }
            let _ = VisitMut::visit(&mut select.from, &mut fill);
            let _ = VisitMut::visit(&mut select.group_by, &mut fill);
            if let Some(order) = order_by {
                // A name without a table is that of a column of the result, if there is one.
                fill.outputs = select.projection.iter().filter_map(output_name).collect();
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
            let is_left = matches!(join.join_operator, JoinOperator::Left(_) | JoinOperator::LeftOuter(_));
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
            is_every_row && columns_of(&join.relation, is_left).is_some()
        });
        if let Some(join) = join {
            // A column that NULL stands for is one of a left join, as has been seen.
            let columns = columns_of(&joins[join].relation, true);
            select.from[at].joins.remove(join);
            return columns;
        }
        if at > 0
            && joins.is_empty()
            && let Some(columns) = columns_of(&select.from[at].relation, false)
        {
            select.from.remove(at);
            return Some(columns);
        }
    }
    None
}

/// How a lateral sub-query becomes expressions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It has no FROM.
    Plain,
    /// One row of aggregates.
    Aggregates,
    /// Never a row.
    Nothing,
}

/// How `query` does; `None` if it does not.
fn kind_of(query: &Query, select: &Select, is_left: bool) -> Option<Kind> {
    if query.with.is_some() || query.limit_clause.is_some() || query.fetch.is_some() {
        return None;
    }
    let has_no_keys = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    if is_left && !has_no_keys && has_no_rows(select) {
        return Some(Kind::Nothing);
    }
    if !has_no_keys || select.having.is_some() || select.distinct.is_some() || select.qualify.is_some() {
        return None;
    }
    if select.from.is_empty() {
        return select.selection.is_none().then_some(Kind::Plain);
    }
    Some(Kind::Aggregates)
}

/// Whether a call of an aggregate makes `expr` one value of all rows.
fn is_aggregate(expr: &Expr) -> bool {
    struct Aggregates(usize);
    impl Visitor for Aggregates {
        type Break = ();

        fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
            self.0 += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
            self.0 -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let Expr::Function(Function { name, over: None, .. }) = expr else {
                return ControlFlow::Continue(());
            };
            let name = name.to_string().to_ascii_lowercase();
            let functions = datafusion::functions_aggregate::all_default_aggregate_functions();
            let is_known =
                functions.iter().any(|known| known.name() == name || known.aliases().contains(&name));
            if is_known && self.0 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    Visit::visit(expr, &mut Aggregates(0)).is_break()
}

fn columns_of(factor: &TableFactor, is_left: bool) -> Option<Columns> {
    let TableFactor::Derived { lateral: true, subquery, alias: Some(alias), .. } = factor else {
        return None;
    };
    let SetExpr::Select(select) = subquery.body.as_ref() else { return None };
    let kind = kind_of(subquery, select, is_left)?;
    if !alias.columns.is_empty() && alias.columns.len() != select.projection.len() {
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
            let value = match kind {
                Kind::Plain => is_plain(expr).then(|| Expr::Nested(Box::new(expr.clone())))?,
                Kind::Aggregates => is_aggregate(expr).then(|| alone(subquery, item))?,
                Kind::Nothing => null_text(),
            };
            Some((folded(name), value))
        })
        .collect();
    Some(Columns { table: folded(&alias.name), columns: columns? })
}

/// `query` with `item` as its only column.
fn alone(query: &Query, item: &SelectItem) -> Expr {
    let mut query = query.clone();
    query.order_by = None;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = vec![item.clone()];
    }
    Expr::Subquery(Box::new(query))
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
    let mut fill = Fill::new(columns);
    if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
        let before = expr.clone();
        let _ = VisitMut::visit(expr, &mut fill);
        if let (Some(alias), true) = (name, before != *expr) {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

fn output_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) => last_name(expr).map(folded),
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

struct Fill<'a> {
    columns: &'a Columns,
    /// Names that are those of the result.
    outputs: Vec<String>,
    /// Sub-queries around the expression: names without a table may be of theirs there.
    depth: usize,
}

impl<'a> Fill<'a> {
    fn new(columns: &'a Columns) -> Self {
        Self { columns, outputs: Vec::new(), depth: 0 }
    }
}

impl VisitorMut for Fill<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let name = match expr {
            Expr::Identifier(ident) if self.depth == 0 && !self.outputs.contains(&folded(ident)) => {
                folded(ident)
            }
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] if folded(table) == self.columns.table => folded(column),
                _ => return ControlFlow::Continue(()),
            },
            _ => return ControlFlow::Continue(()),
        };
        if let Some((_, value)) = self.columns.columns.iter().find(|(known, _)| *known == name) {
            *expr = value.clone();
        }
        ControlFlow::Continue(())
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
        assert_eq!(
            rewritten(
                "SELECT a.n, b.m FROM t AS a LEFT JOIN LATERAL (SELECT max(d.x) AS m, min(d.x) AS l FROM d WHERE d.y = a.n) AS b ON true"
            ),
            "SELECT a.n, (SELECT max(d.x) AS m FROM d WHERE d.y = a.n) AS m FROM t AS a"
        );
        assert_eq!(
            rewritten(
                "SELECT m FROM t AS a LEFT JOIN LATERAL (SELECT 1 AS m FROM pg_catalog.pg_index AS i GROUP BY i.x) AS b ON true"
            ),
            "SELECT CAST(NULL AS TEXT) AS m FROM t AS a"
        );
        assert_eq!(
            rewritten(
                "SELECT a.n AS m FROM t AS a, LATERAL (SELECT -a.n AS m, 1 AS l) AS b WHERE EXISTS (SELECT 1 FROM d WHERE l = b.l) ORDER BY m, b.m"
            ),
            "SELECT a.n AS m FROM t AS a WHERE EXISTS (SELECT 1 FROM d WHERE l = (1)) ORDER BY m, (-a.n)"
        );
        for same in [
            "SELECT m FROM t AS a, LATERAL (SELECT d.x AS m FROM d WHERE d.y = a.n GROUP BY d.x) AS b",
            "SELECT * FROM t AS a, LATERAL (SELECT a.n AS m) AS b",
            "SELECT m FROM t AS a, LATERAL (SELECT d.x AS m FROM d WHERE d.y = a.n) AS b",
            "SELECT m FROM t AS a, (SELECT 1 AS m) AS b",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
