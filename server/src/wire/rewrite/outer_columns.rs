//! Columns of the outer query in a sub-query: where the engine can take them out, and what stands for them where it cannot.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, Select, SelectItem, SetExpr, Value, Visit, VisitMut, Visitor, VisitorMut,
};

use super::subqueries::{and, conjuncts, relations, side};

/// Conditions of WHERE as the engine can take them out of a sub-query: equalities of an inner and an outer column.
///
/// An outer column in any other condition is replaced by the inner one that it equals; conditions about outer columns
/// alone are taken out and returned.
pub(super) fn outer_conditions(select: &mut Select, known: &HashSet<String>) -> Vec<Expr> {
    let Some(selection) = select.selection.take() else { return Vec::new() };
    let mut conditions = Vec::new();
    conjuncts(selection, &mut conditions);
    let equal = equalities(&conditions, known);
    let mut outer = Vec::new();
    let mut inner = Vec::new();
    for mut condition in conditions {
        let is_link = matches!(&condition, Expr::BinaryOp { left, op: BinaryOperator::Eq, right }
            if side(left, known).is_some() && side(right, known).is_some() && side(left, known) != side(right, known));
        if is_link {
            inner.push(condition);
        } else if is_outer(&condition, known) {
            outer.push(condition);
        } else {
            let _ = VisitMut::visit(&mut condition, &mut Replace(&equal));
            inner.push(condition);
        }
    }
    select.selection = inner.into_iter().reduce(and);
    outer
}

/// Outer columns with the inner ones that they equal.
fn equalities(conditions: &[Expr], known: &HashSet<String>) -> Vec<(Expr, Expr)> {
    conditions
        .iter()
        .filter_map(|condition| match condition {
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                match (side(left, known), side(right, known)) {
                    (Some(true), Some(false)) => Some((right.as_ref().clone(), left.as_ref().clone())),
                    (Some(false), Some(true)) => Some((left.as_ref().clone(), right.as_ref().clone())),
                    _ => None,
                }
            }
            _ => None,
        })
        .collect()
}

/// Puts inner columns in the place of outer ones in what a sub-query selects: the engine cannot take those out.
pub(super) fn inner_columns(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let Some(selection) = select.selection.clone() else { return };
    let mut conditions = Vec::new();
    conjuncts(selection, &mut conditions);
    let equal = equalities(&conditions, &relations(select));
    let _ = VisitMut::visit(&mut select.projection, &mut Replace(&equal));
}

/// Whether all columns of `condition` are outer ones, and there is one.
fn is_outer(condition: &Expr, known: &HashSet<String>) -> bool {
    struct Columns<'a>(&'a HashSet<String>, bool);
    impl Visitor for Columns<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(_) | Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
                    ControlFlow::Break(())
                }
                Expr::CompoundIdentifier(_) => match side(expr, self.0) {
                    Some(false) => {
                        self.1 = true;
                        ControlFlow::Continue(())
                    }
                    _ => ControlFlow::Break(()),
                },
                _ => ControlFlow::Continue(()),
            }
        }
    }
    let mut columns = Columns(known, false);
    Visit::visit(condition, &mut columns).is_continue() && columns.1
}

/// Puts inner columns in the place of the outer ones that they equal.
struct Replace<'a>(&'a [(Expr, Expr)]);

impl VisitorMut for Replace<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some((_, inner)) = self.0.iter().find(|(outer, _)| outer == expr) {
            *expr = inner.clone();
        }
        ControlFlow::Continue(())
    }
}

/// What the query selects, if a column of the outer query is in it, and the inner ones of it: such an expression belongs into
/// the outer query, where that column is what it is. One that it equals may be of another type, and be shown otherwise.
///
/// `None` if there is none, or if it cannot be told which columns are the outer ones.
pub(super) fn selected_outer(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] =
        select.projection.as_slice()
    else {
        return None;
    };
    struct Sides {
        known: HashSet<String>,
        has_outer: bool,
    }
    impl Visitor for Sides {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(_)
                | Expr::Subquery(_)
                | Expr::Exists { .. }
                | Expr::InSubquery { .. }
                | Expr::Lambda(_) => return ControlFlow::Break(()),
                Expr::CompoundIdentifier(_) => match side(expr, &self.known) {
                    Some(is_inner) => self.has_outer |= !is_inner,
                    None => return ControlFlow::Break(()),
                },
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut sides = Sides { known: relations(select), has_outer: false };
    (Visit::visit(expr, &mut sides).is_continue() && sides.has_outer).then(|| expr.clone())
}

/// `expr` of the query's select list as it stands outside: each inner column is the sub-query that selects it, made by
/// `alone`.
pub(super) fn outside(query: &Query, mut expr: Expr, alone: &dyn Fn(Query) -> Expr) -> Expr {
    struct Inner<'a> {
        known: HashSet<String>,
        query: &'a Query,
        alone: &'a dyn Fn(Query) -> Expr,
    }
    impl VisitorMut for Inner<'_> {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if side(expr, &self.known) == Some(true) {
                *expr = (self.alone)(selecting(self.query, expr.clone()));
            }
            ControlFlow::Continue(())
        }
    }
    let known = match query.body.as_ref() {
        SetExpr::Select(select) => relations(select),
        _ => HashSet::new(),
    };
    let _ = VisitMut::visit(&mut expr, &mut Inner { known, query, alone });
    expr
}

/// The query with `expr` as its only column.
pub(super) fn selecting(query: &Query, expr: Expr) -> Query {
    let mut query = query.clone();
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = vec![SelectItem::UnnamedExpr(expr)];
    }
    query
}

/// `true`.
pub(super) fn truth() -> Expr {
    Expr::Value(Value::Boolean(true).with_empty_span())
}
