//! `FROM t, unnest(t.a) AS x`: the elements of an array of the row beside it.
//!
//! The engine has no join for that, but its select list gives a row for each element: `t` becomes `(SELECT *, unnest(t.a) AS x
//! FROM t) AS t`, and what names a column of `x` names that of `t`. For `LEFT JOIN ... ON true` an array without elements has
//! one that is NULL.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, Query, Select, SelectItem, SetExpr, Statement, TableAlias,
    TableFactor, TableWithJoins, Value, Visit, VisitMut, Visitor, VisitorMut,
};

use super::casts::call;
use super::sets::first_argument;
use super::subqueries::folded;
use super::templates::{query, select_mut};
use crate::postgres::outer_elements;

/// Rewrites such relations of `statement`.
pub(super) fn rewrite(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Queries);
}

struct Queries;

impl VisitorMut for Queries {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let Query { body, order_by, .. } = query;
        let SetExpr::Select(select) = body.as_mut() else { return ControlFlow::Continue(()) };
        while let Some(mut moved) = move_one(select) {
            let _ = VisitMut::visit(select.as_mut(), &mut moved);
            if let Some(order) = order_by {
                let _ = VisitMut::visit(order, &mut moved);
            }
        }
        ControlFlow::Continue(())
    }
}

/// A set of elements in FROM.
struct Elements {
    alias: Ident,
    column: Ident,
    array: Expr,
    /// Whether rows without elements stay.
    is_left: bool,
}

impl Elements {
    /// A call that gives a row for each element.
    fn call(&self) -> Expr {
        let array = self.array.clone();
        call("unnest", vec![if self.is_left { call(outer_elements::NAME, vec![array]) } else { array }])
    }
}

/// The elements that `factor` is; `None` for any other relation.
fn elements(factor: &TableFactor, is_left: bool) -> Option<Elements> {
    match factor {
        TableFactor::UNNEST {
            alias: Some(alias),
            array_exprs,
            with_offset: false,
            with_ordinality: false,
            ..
        } => {
            let [array] = array_exprs.as_slice() else { return None };
            let column = column_of(alias, &alias.name);
            Some(Elements { alias: alias.name.clone(), column, array: array.clone(), is_left })
        }
        TableFactor::Derived { subquery, alias: Some(alias), .. } => {
            let SetExpr::Select(select) = subquery.body.as_ref() else { return None };
            let ([SelectItem::ExprWithAlias { expr, alias: own }], true) =
                (select.projection.as_slice(), select.from.is_empty() && select.selection.is_none())
            else {
                return None;
            };
            let Expr::Function(function) = expr else { return None };
            let is_unnest = function.name.to_string().eq_ignore_ascii_case("unnest");
            let array = first_argument(function).filter(|_| is_unnest && subquery.limit_clause.is_none())?;
            let column = column_of(alias, own);
            Some(Elements { alias: alias.name.clone(), column, array, is_left })
        }
        _ => None,
    }
}

fn column_of(alias: &TableAlias, other: &Ident) -> Ident {
    alias.columns.first().map_or(other, |column| &column.name).clone()
}

/// Takes one set that depends on another relation out of FROM and into that relation.
fn move_one(select: &mut Select) -> Option<Moved> {
    let kind = |operator: &JoinOperator| {
        let (constraint, is_left) = match operator {
            JoinOperator::CrossJoin(constraint)
            | JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint) => (constraint, false),
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (constraint, true),
            _ => return None,
        };
        let is_every_row = match constraint {
            JoinConstraint::None => true,
            JoinConstraint::On(Expr::Value(value)) => value.value == Value::Boolean(true),
            _ => false,
        };
        is_every_row.then_some(is_left)
    };
    for at in 0..select.from.len() {
        for join in 0..select.from[at].joins.len() {
            let one = &select.from[at].joins[join];
            let Some(is_left) = kind(&one.join_operator) else { continue };
            let Some(set) = elements(&one.relation, is_left) else { continue };
            let Some(moved) = moved_into(&mut select.from, (at, join + 1), &set) else { continue };
            select.from[at].joins.remove(join);
            return Some(moved);
        }
        if at == 0 || !select.from[at].joins.is_empty() {
            continue;
        }
        let Some(set) = elements(&select.from[at].relation, false) else { continue };
        let Some(moved) = moved_into(&mut select.from, (at, 0), &set) else { continue };
        select.from.remove(at);
        return Some(moved);
    }
    None
}

/// Puts `set`, which stands at `place`, into the relation before it on whose columns it depends.
fn moved_into(from: &mut [TableWithJoins], place: (usize, usize), set: &Elements) -> Option<Moved> {
    let mut before: Vec<&mut TableFactor> = Vec::new();
    let mut nullable = false;
    for (at, table) in from.iter_mut().enumerate().take(place.0 + 1) {
        let last = if at == place.0 { place.1 } else { usize::MAX };
        if last > 0 {
            before.push(&mut table.relation);
        }
        for join in table.joins.iter_mut().take(last.saturating_sub(1)) {
            match &join.join_operator {
                JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_) => {
                    before.push(&mut join.relation);
                }
                JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => {
                    nullable = true;
                    // Where that relation has no row, its array is NULL and the set has none either.
                    if set.is_left {
                        before.push(&mut join.relation);
                    }
                }
                _ => return None,
            }
        }
    }
    let owner = match qualifier(&set.array)? {
        Some(name) => before
            .into_iter()
            .find(|relation| known_as(relation).as_ref().map(folded) == Some(name.clone()))?,
        // A name without a table is that of the only relation.
        None if before.len() == 1 && !nullable => before.pop()?,
        None => return None,
    };
    let alias = known_as(owner)?;
    let mut subquery = query("SELECT * FROM relation")?;
    let select = select_mut(&mut subquery)?;
    select.projection.push(SelectItem::ExprWithAlias { expr: set.call(), alias: set.column.clone() });
    std::mem::swap(&mut select.from.first_mut()?.relation, owner);
    let whole = TableAlias { explicit: true, name: alias.clone(), columns: Vec::new(), at: None };
    *owner = TableFactor::Derived { lateral: false, subquery, alias: Some(whole), sample: None };
    Some(Moved { set: folded(&set.alias), column: set.column.clone(), owner: alias })
}

/// The one relation that all columns of `expr` name, or `None` inside if they name none; `None` if there are several, no
/// columns at all, or a sub-query.
fn qualifier(expr: &Expr) -> Option<Option<String>> {
    struct Columns(Vec<Option<String>>);
    impl Visitor for Columns {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(_) => self.0.push(None),
                Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                    [table, _] => self.0.push(Some(folded(table))),
                    _ => return ControlFlow::Break(()),
                },
                Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
                    return ControlFlow::Break(());
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut columns = Columns(Vec::new());
    if Visit::visit(expr, &mut columns).is_break() {
        return None;
    }
    let mut names = columns.0.into_iter();
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

/// The name of a relation that can be wrapped.
fn known_as(relation: &TableFactor) -> Option<Ident> {
    match relation {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.clone())
        }
        TableFactor::Table { name, alias: None, args: None, .. } => name.0.last()?.as_ident().cloned(),
        _ => None,
    }
}

/// A column that belongs to another relation now.
struct Moved {
    set: String,
    column: Ident,
    owner: Ident,
}

impl VisitorMut for Moved {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [table, column] = parts.as_slice()
            && folded(table) == self.set
            && folded(column) == folded(&self.column)
        {
            *expr = Expr::CompoundIdentifier(vec![self.owner.clone(), self.column.clone()]);
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
    fn elements_are_columns_of_their_relation() {
        assert_eq!(
            rewritten("SELECT t.id, x, x.x FROM t CROSS JOIN UNNEST(a) AS x JOIN d ON d.n = x"),
            "SELECT t.id, x, t.x FROM (SELECT *, unnest(a) AS x FROM t) AS t JOIN d ON d.n = x"
        );
        assert_eq!(
            rewritten("SELECT u.e FROM d, s.t AS t, UNNEST(t.a) AS u(e) WHERE u.e > 1 ORDER BY u.e"),
            "SELECT t.e FROM d, (SELECT *, unnest(t.a) AS e FROM s.t AS t) AS t WHERE t.e > 1 ORDER BY t.e"
        );
        assert_eq!(
            rewritten("SELECT g FROM t, (SELECT unnest(generate_series(1, t.n)) AS g) AS g"),
            "SELECT g FROM (SELECT *, unnest(generate_series(1, t.n)) AS g FROM t) AS t"
        );
        assert_eq!(
            rewritten("SELECT x FROM (VALUES ('a')) AS v (t), UNNEST(f(v.t)) AS x"),
            "SELECT x FROM (SELECT *, unnest(f(v.t)) AS x FROM (VALUES ('a')) AS v (t)) AS v"
        );
        assert_eq!(
            rewritten("SELECT t.id, x.x FROM t LEFT JOIN UNNEST(t.a) AS x ON true"),
            "SELECT t.id, t.x FROM (SELECT *, unnest(pg_outer_elements(t.a)) AS x FROM t) AS t"
        );
        assert_eq!(
            rewritten("SELECT x FROM d LEFT JOIN t ON d.n = t.n LEFT JOIN UNNEST(t.a) AS x ON true"),
            "SELECT x FROM d LEFT JOIN (SELECT *, unnest(pg_outer_elements(t.a)) AS x FROM t) AS t ON d.n = t.n"
        );
        for same in [
            "SELECT x FROM t, UNNEST(ARRAY[1, 2]) AS x",
            "SELECT x FROM t, d, UNNEST(a) AS x",
            "SELECT x FROM t LEFT JOIN UNNEST(t.a) AS x ON x > 1",
            "SELECT x FROM d LEFT JOIN t ON true CROSS JOIN UNNEST(t.a) AS x",
            "SELECT x FROM t, UNNEST(t.a || d.a) AS x",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
