//! Aggregates of lists over a sub-query that is sorted: `SELECT array_agg(n) FROM (SELECT n FROM t ORDER BY n) AS s`.
//!
//! PostgreSQL gives an aggregate the rows in the order of the sub-query; the engine takes a sort away that nothing asks for.
//! The order becomes that of the aggregate, by a column of the sub-query that is added where the key is none.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArgumentClause, FunctionArguments, GroupByExpr, Ident,
    OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};

use super::subqueries::folded;

/// Aggregates whose value depends on the order of the rows.
const ORDERED: [&str; 2] = ["array_agg", "string_agg"];

/// Rewrites such aggregates of `statement`.
pub(super) fn rewrite(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Queries);
}

struct Queries;

impl VisitorMut for Queries {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = query.body.as_mut() {
            in_select(select);
        }
        ControlFlow::Continue(())
    }
}

fn in_select(select: &mut Select) {
    let has_wildcard = select
        .projection
        .iter()
        .any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    let mut calls = Calls { order: &[], found: false, depth: 0 };
    let _ = VisitMut::visit(&mut select.projection, &mut calls);
    let [from] = select.from.as_mut_slice() else { return };
    if has_wildcard || !calls.found || !from.joins.is_empty() {
        return;
    }
    let TableFactor::Derived { subquery, alias: Some(alias), .. } = &mut from.relation else { return };
    if !alias.columns.is_empty() {
        return;
    }
    let Some(order) = order_of(subquery, &alias.name) else { return };
    let _ = VisitMut::visit(&mut select.projection, &mut Calls { order: &order, found: false, depth: 0 });
}

/// The keys by which `query`, known as `name`, is sorted, as columns of it.
fn order_of(query: &mut Query, name: &Ident) -> Option<Vec<OrderByExpr>> {
    let OrderByKind::Expressions(keys) = &query.order_by.as_ref()?.kind else { return None };
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let may_add = select.distinct.is_none()
        && matches!(&select.group_by, GroupByExpr::Expressions(groups, _) if groups.is_empty());
    let mut added = Vec::new();
    let order: Option<Vec<OrderByExpr>> = keys
        .iter()
        .enumerate()
        .map(|(index, key)| {
            let column = match output(select, &key.expr) {
                Some(column) => column,
                None if may_add => {
                    let column = Ident::with_quote('"', format!("order {}", index + 1));
                    added.push(SelectItem::ExprWithAlias { expr: key.expr.clone(), alias: column.clone() });
                    column
                }
                None => return None,
            };
            let expr = Expr::CompoundIdentifier(vec![name.clone(), column]);
            Some(OrderByExpr { expr, ..key.clone() })
        })
        .collect();
    let order = order?;
    select.projection.extend(added);
    Some(order)
}

/// The column of the result that a key names.
fn output(select: &Select, key: &Expr) -> Option<Ident> {
    let name_of = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(ident)) => Some(ident.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().cloned(),
        _ => None,
    };
    match key {
        Expr::Identifier(ident) => {
            select.projection.iter().filter_map(name_of).find(|name| folded(name) == folded(ident))
        }
        Expr::Value(ValueWithSpan { value: Value::Number(number, _), .. }) => {
            name_of(select.projection.get(number.parse::<usize>().ok()?.checked_sub(1)?)?)
        }
        _ => None,
    }
}

/// Finds calls without an order of their own, and gives them one.
struct Calls<'a> {
    order: &'a [OrderByExpr],
    found: bool,
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

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(Function { name, args: FunctionArguments::List(list), over: None, .. }) = expr
            && self.depth == 0
            && ORDERED.contains(&name.to_string().to_ascii_lowercase().as_str())
            && !matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct))
            && list.clauses.is_empty()
        {
            self.found = true;
            if !self.order.is_empty() {
                list.clauses.push(FunctionArgumentClause::OrderBy(self.order.to_vec()));
            }
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
    fn the_order_goes_into_the_aggregate() {
        assert_eq!(
            rewritten("SELECT string_agg(n, '') FROM (SELECT n FROM t ORDER BY n DESC) AS s"),
            "SELECT string_agg(n, '' ORDER BY s.n DESC) FROM (SELECT n FROM t ORDER BY n DESC) AS s"
        );
        assert_eq!(
            rewritten("SELECT f(array_agg(a)) FROM (SELECT a FROM t ORDER BY t.b, 1) AS s"),
            "SELECT f(array_agg(a ORDER BY s.\"order 1\", s.a)) FROM \
             (SELECT a, t.b AS \"order 1\" FROM t ORDER BY t.b, 1) AS s"
        );
        for same in [
            "SELECT array_agg(a ORDER BY b) FROM (SELECT a, b FROM t ORDER BY a) AS s",
            "SELECT array_agg(DISTINCT a) FROM (SELECT a FROM t ORDER BY a) AS s",
            "SELECT count(*) FROM (SELECT a FROM t ORDER BY b) AS s",
            "SELECT array_agg(a) FROM (SELECT DISTINCT a FROM t ORDER BY b) AS s",
            "SELECT array_agg(a) FROM (SELECT a FROM t) AS s",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
