//! Whole rows as JSON: `row_to_json(t)`, `json_agg(t)`, where `t` is a sub-query of FROM whose columns have names.
//!
//! The engine has no value for a row of a relation: the row is `named_struct('a', t.a, 'b', t.b)`. `row_to_json((SELECT e FROM
//! (SELECT x AS a) AS e))`, which gives a row its names, is the same without the sub-queries.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, Value, VisitMut, VisitorMut,
};

use super::casts::call;
use super::subqueries::folded;

/// Functions that take a row.
const FUNCTIONS: [&str; 5] = ["row_to_json", "to_json", "to_jsonb", "json_agg", "jsonb_agg"];

/// Rewrites such calls of `statement`.
pub(super) fn rewrite(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Queries);
}

struct Queries;

impl VisitorMut for Queries {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let SetExpr::Select(select) = query.body.as_mut() else { return ControlFlow::Continue(()) };
        let rows = rows_of(select);
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                let _ = VisitMut::visit(expr, &mut Calls { rows: &rows, depth: 0 });
            }
        }
        ControlFlow::Continue(())
    }
}

/// A relation of FROM and what its row is.
type Row = (String, Expr);

fn rows_of(select: &Select) -> Vec<Row> {
    let factors = select
        .from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    factors
        .filter_map(|factor| {
            let TableFactor::Derived { subquery, alias: Some(alias), .. } = factor else { return None };
            let names: Vec<Ident> = match alias.columns.is_empty() {
                false => alias.columns.iter().map(|column| column.name.clone()).collect(),
                true => named(subquery)?.into_iter().map(|(name, _)| name).collect(),
            };
            let members = names.into_iter().map(|name| {
                let column = Expr::CompoundIdentifier(vec![alias.name.clone(), name.clone()]);
                (name, column)
            });
            Some((folded(&alias.name), row(members)))
        })
        .collect()
}

/// The columns of a query by name; `None` if one has none that is written.
fn named(query: &Query) -> Option<Vec<(Ident, Expr)>> {
    let mut body = query.body.as_ref();
    while let SetExpr::SetOperation { left, .. } = body {
        body = left.as_ref();
    }
    let SetExpr::Select(select) = body else { return None };
    select
        .projection
        .iter()
        .map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } => Some((alias.clone(), expr.clone())),
            SelectItem::UnnamedExpr(expr @ Expr::Identifier(name)) => Some((name.clone(), expr.clone())),
            SelectItem::UnnamedExpr(expr @ Expr::CompoundIdentifier(parts)) => {
                Some((parts.last()?.clone(), expr.clone()))
            }
            _ => None,
        })
        .collect()
}

fn row(members: impl Iterator<Item = (Ident, Expr)>) -> Expr {
    let pairs = members.flat_map(|(name, value)| {
        let name = Expr::Value(Value::SingleQuotedString(folded(&name)).with_empty_span());
        [name, value]
    });
    call("named_struct", pairs.collect())
}

struct Calls<'a> {
    rows: &'a [Row],
    depth: usize,
}

impl VisitorMut for Calls<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let name = function.name.to_string().to_ascii_lowercase();
        if self.depth > 0 || !FUNCTIONS.contains(&name.as_str()) {
            return ControlFlow::Continue(());
        }
        let FunctionArguments::List(list) = &mut function.args else { return ControlFlow::Continue(()) };
        if let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_mut_slice() {
            let whole = match argument {
                Expr::Identifier(ident) => self.named(ident),
                Expr::Subquery(query) => renamed(query),
                _ => None,
            };
            if let Some(whole) = whole {
                *argument = whole;
            }
        }
        ControlFlow::Continue(())
    }
}

impl Calls<'_> {
    fn named(&self, ident: &Ident) -> Option<Expr> {
        let name = folded(ident);
        // A column of the name comes first.
        let is_column = |row: &Expr| {
            let Expr::Function(function) = row else { return false };
            function.args.to_string().contains(&format!("'{name}',"))
        };
        if self.rows.iter().any(|(_, row)| is_column(row)) {
            return None;
        }
        self.rows.iter().find(|(known, _)| *known == name).map(|(_, row)| row.clone())
    }
}

/// The row that `(SELECT e FROM (SELECT x AS a, y AS b) AS e)` is.
fn renamed(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let ([SelectItem::UnnamedExpr(Expr::Identifier(name))], [from], None) =
        (select.projection.as_slice(), select.from.as_slice(), &select.selection)
    else {
        return None;
    };
    let TableFactor::Derived { subquery, alias: Some(alias), .. } = &from.relation else { return None };
    let SetExpr::Select(inner) = subquery.body.as_ref() else { return None };
    let is_one_row = inner.from.is_empty() && inner.selection.is_none() && from.joins.is_empty();
    if !is_one_row || folded(name) != folded(&alias.name) || !alias.columns.is_empty() {
        return None;
    }
    Some(row(named(subquery)?.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn rewritten(sql: &str) -> String {
        testing::rewritten(sql, rewrite)
    }

    #[test]
    fn rows_are_structs() {
        assert_eq!(
            rewritten("SELECT row_to_json(t) FROM (SELECT 1 AS a, d.b FROM d) AS t"),
            "SELECT row_to_json(named_struct('a', t.a, 'b', t.b)) FROM (SELECT 1 AS a, d.b FROM d) AS t"
        );
        assert_eq!(
            rewritten("SELECT row_to_json((SELECT e FROM (SELECT d.x AS \"A\") AS e)) FROM d"),
            "SELECT row_to_json(named_struct('A', d.x)) FROM d"
        );
        for same in [
            "SELECT json_agg(t) FROM t",
            "SELECT json_agg(a) FROM (SELECT 1 AS a) AS t",
            "SELECT json_agg(t) FROM (SELECT 1) AS t",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
