//! `EXISTS` and `IN` over sub-queries as values of the select list, which the engine has in conditions alone.
//!
//! `EXISTS (SELECT ... )` is `(SELECT count(*) > 0 ...)`. `x IN (SELECT ...)` asks the array of the sub-query's values;
//! like PostgreSQL's it is NULL where `x` is not found and `x` or one of the values is NULL.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Query, SelectItem, SetExpr, Statement, TableFactor, UnaryOperator, VisitMut,
    VisitorMut,
};

use super::templates::{query, select_mut};

/// Rewrites the select lists of `statement`.
pub(super) fn rewrite(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Queries);
}

struct Queries;

impl VisitorMut for Queries {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        in_body(&mut query.body);
        ControlFlow::Continue(())
    }
}

fn in_body(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                    let _ = VisitMut::visit(expr, &mut Predicates { depth: 0 });
                }
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            in_body(left);
            in_body(right);
        }
        _ => {}
    }
}

/// Predicates of one expression, those inside of sub-queries left alone.
struct Predicates {
    depth: usize,
}

impl VisitorMut for Predicates {
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
        if self.depth == 0 {
            let replacement = match expr {
                Expr::Exists { subquery, negated } => exists(subquery, *negated),
                Expr::InSubquery { expr, subquery, negated } => is_in(expr, subquery, *negated),
                _ => None,
            };
            if let Some(replacement) = replacement {
                *expr = replacement;
            }
        }
        ControlFlow::Continue(())
    }
}

fn exists(subquery: &Query, negated: bool) -> Option<Expr> {
    let mut counted = query(if negated {
        "SELECT count(*) = 0 FROM (SELECT 1) AS rows_of_it"
    } else {
        "SELECT count(*) > 0 FROM (SELECT 1) AS rows_of_it"
    })?;
    let outer = select_mut(&mut counted)?;
    match subquery.body.as_ref() {
        // So that a condition on the outer row stays where the engine can take it out.
        SetExpr::Select(select)
            if subquery.with.is_none()
                && subquery.limit_clause.is_none()
                && subquery.fetch.is_none()
                && select.having.is_none()
                && select.distinct.is_none()
                && matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty())
                && !select.from.is_empty()
                && select.projection.iter().all(is_no_aggregate) =>
        {
            outer.from = select.from.clone();
            outer.selection = select.selection.clone();
        }
        _ => put_derived(outer, subquery),
    }
    Some(Expr::Subquery(counted))
}

/// Whether the item is a literal, a column or a wildcard, and so no aggregate, which would give a row for none.
fn is_no_aggregate(item: &SelectItem) -> bool {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            matches!(expr, Expr::Value(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        }
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        _ => false,
    }
}

fn put_derived(outer: &mut datafusion::sql::sqlparser::ast::Select, subquery: &Query) {
    if let Some(from) = outer.from.first_mut()
        && let TableFactor::Derived { subquery: place, .. } = &mut from.relation
    {
        **place = subquery.clone();
    }
}

fn is_in(value: &Expr, subquery: &Query, negated: bool) -> Option<Expr> {
    let over_values = |sql: &str| {
        let mut outer = query(sql)?;
        put_derived(select_mut(&mut outer)?, subquery);
        Some(Expr::Subquery(outer))
    };
    let values = over_values("SELECT array_agg(v) FROM (SELECT 1) AS values_of_it(v)")?;
    let has_null = over_values("SELECT bool_or(v IS NULL) FROM (SELECT 1) AS values_of_it(v)")?;
    let mut whole = query(
        "SELECT CASE WHEN array_has(v_values, v_value) THEN true WHEN v_has_null IS NULL THEN false \
         WHEN v_value IS NULL OR v_has_null THEN NULL ELSE false END",
    )?;
    let Some(SelectItem::UnnamedExpr(mut case)) = select_mut(&mut whole)?.projection.pop() else {
        return None;
    };
    let parts = [("v_values", values), ("v_value", value.clone()), ("v_has_null", has_null)];
    let _ = VisitMut::visit(&mut case, &mut Fill(&parts));
    let case = Expr::Nested(Box::new(case));
    Some(if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(case) } } else { case })
}

/// Puts expressions in the place of names.
struct Fill<'a>(&'a [(&'static str, Expr)]);

impl VisitorMut for Fill<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(ident) = expr
            && let Some((_, value)) = self.0.iter().find(|(name, _)| *name == ident.value)
        {
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
    fn predicates_of_the_select_list_are_values() {
        assert_eq!(
            rewritten("SELECT exists (SELECT 1 FROM d WHERE d.id = t.id), a FROM t"),
            "SELECT (SELECT count(*) > 0 FROM d WHERE d.id = t.id), a FROM t"
        );
        assert_eq!(
            rewritten("SELECT NOT EXISTS (SELECT max(a) FROM d)"),
            "SELECT (SELECT count(*) = 0 FROM (SELECT max(a) FROM d) AS rows_of_it)"
        );
        assert!(rewritten("SELECT a IN (SELECT b FROM d) FROM t").starts_with(
            "SELECT (CASE WHEN array_has((SELECT array_agg(v) FROM (SELECT b FROM d) AS values_of_it (v)), a) THEN true"
        ));
        for same in ["SELECT a FROM t WHERE EXISTS (SELECT 1 FROM d)", "SELECT a IN (1, 2) FROM t"] {
            assert_eq!(rewritten(same), same);
        }
    }
}
