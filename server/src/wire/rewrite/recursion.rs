//! Recursive sub-queries that begin at the outer row.
//!
//! `(WITH RECURSIVE r(a) AS (SELECT s.a FROM s WHERE s.id = t.id UNION ALL ...) SELECT a FROM r ...)` begins at each row of
//! `t` anew, which the engine cannot plan. The same recursion begun at all rows of `s`, each with its `id` as one more
//! column, needs no outer row: what belongs to `t.id` is then selected from it.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Cte, Expr, Ident, Query, SelectItem, SetExpr, TableAliasColumnDef, TableFactor,
};

use super::subqueries::{and, conjuncts, folded, relations, side};

/// The column that tells the recursions apart.
const KEY: &str = "key_of_recursion";

/// Makes the recursion of `query` independent of the outer row, where it is a single one that begins at an equality.
pub(super) fn take_out_key(query: &mut Query) {
    let Some(changed) = without_key(query) else { return };
    *query = changed;
}

fn without_key(query: &Query) -> Option<Query> {
    let mut query = query.clone();
    let with = query.with.as_mut().filter(|with| with.recursive)?;
    let [cte] = with.cte_tables.as_mut_slice() else { return None };
    let name = cte.alias.name.clone();
    let outer = split_recursion(cte)?;
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let [from] = select.from.as_slice() else { return None };
    let reads_it = matches!(&from.relation, TableFactor::Table { name: table, alias: None, args: None, .. }
        if table.0.last().and_then(|part| part.as_ident()).is_some_and(|ident| folded(ident) == folded(&name)));
    if !reads_it || !from.joins.is_empty() {
        return None;
    }
    let key = Expr::CompoundIdentifier(vec![name, Ident::new(KEY)]);
    let belongs = Expr::BinaryOp { left: Box::new(key), op: BinaryOperator::Eq, right: Box::new(outer) };
    select.selection = Some(match select.selection.take() {
        Some(selection) => and(selection, belongs),
        None => belongs,
    });
    Some(query)
}

/// Gives the recursion its key; returns the outer column that the first part was bound to.
fn split_recursion(cte: &mut Cte) -> Option<Expr> {
    if cte.alias.columns.is_empty() {
        return None;
    }
    let name = folded(&cte.alias.name);
    let SetExpr::SetOperation { left, right, .. } = cte.query.body.as_mut() else { return None };
    let (SetExpr::Select(first), SetExpr::Select(next)) = (left.as_mut(), right.as_mut()) else {
        return None;
    };
    let own = relations(first);
    let mut conditions = Vec::new();
    conjuncts(first.selection.clone()?, &mut conditions);
    let at = conditions.iter().position(|condition| link(condition, &own).is_some())?;
    let (inner, outer) = link(&conditions.remove(at), &own)?;
    let known = relations(next);
    // The name under which the second part reads the first.
    let again = next
        .from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    let again = again.filter_map(|factor| match factor {
        TableFactor::Table { name: table, alias, .. } => {
            let is_it = table.0.last()?.as_ident().is_some_and(|ident| folded(ident) == name);
            is_it.then(|| alias.as_ref().map_or(cte.alias.name.clone(), |alias| alias.name.clone()))
        }
        _ => None,
    });
    let again = again.collect::<Vec<_>>();
    let [again] = again.as_slice() else { return None };
    if !known.contains(&folded(again)) {
        return None;
    }
    first.selection = conditions.into_iter().reduce(and);
    first.projection.insert(0, SelectItem::ExprWithAlias { expr: inner, alias: Ident::new(KEY) });
    let passed = Expr::CompoundIdentifier(vec![again.clone(), Ident::new(KEY)]);
    next.projection.insert(0, SelectItem::UnnamedExpr(passed));
    cte.alias.columns.insert(0, TableAliasColumnDef { name: Ident::new(KEY), data_type: None });
    Some(outer)
}

/// The inner and the outer column of an equality between them.
fn link(condition: &Expr, own: &HashSet<String>) -> Option<(Expr, Expr)> {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = condition else { return None };
    match (side(left, own)?, side(right, own)?) {
        (true, false) => Some((left.as_ref().clone(), right.as_ref().clone())),
        (false, true) => Some((right.as_ref().clone(), left.as_ref().clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::templates;
    use super::*;

    #[test]
    fn a_recursion_is_begun_at_all_rows() {
        let mut query = templates::query(
            "WITH RECURSIVE up(id, depth) AS (SELECT s.parent AS id, 0 FROM s WHERE s.id = t.id \
             UNION ALL SELECT s.parent, u.depth + 1 FROM s, up u WHERE u.id = s.id) \
             SELECT id FROM up ORDER BY depth DESC LIMIT 1",
        )
        .unwrap();
        take_out_key(&mut query);
        assert_eq!(
            query.to_string(),
            "WITH RECURSIVE up (key_of_recursion, id, depth) AS (SELECT s.id AS key_of_recursion, s.parent AS id, 0 \
             FROM s UNION ALL SELECT u.key_of_recursion, s.parent, u.depth + 1 FROM s, up u WHERE u.id = s.id) \
             SELECT id FROM up WHERE up.key_of_recursion = t.id ORDER BY depth DESC LIMIT 1"
        );
    }
}
