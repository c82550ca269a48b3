//! The mark of `varchar` on columns of the result.
//!
//! A cast to `varchar` is the engine's, to text, which costs nothing and lets conditions reach the files. Only where a column
//! of the result comes from one, through sub-queries of FROM and common table expressions too, a function marks it.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, Statement, TableAlias, TableFactor,
};

use super::casts::{call, varying};
use super::subqueries::folded;

/// Marks the columns of the result of `statement`.
pub(super) fn mark(statement: &mut Statement) {
    if let Statement::Query(query) = statement {
        mark_query(query, &Scope::default());
    }
}

/// Columns that are `varchar`, by relation and name.
type Scope = HashSet<(String, String)>;

fn mark_query(query: &mut Query, outer: &Scope) {
    let tables = with_tables(query, outer);
    mark_body(&mut query.body, &tables);
}

fn mark_body(body: &mut SetExpr, tables: &Scope) {
    match body {
        SetExpr::Select(select) if select.distinct.is_none() => mark_select(select, tables),
        SetExpr::Query(query) => mark_query(query, tables),
        _ => {}
    }
}

fn mark_select(select: &mut Select, tables: &Scope) {
    let columns = columns(select, tables);
    let is_all = matches!(select.projection.as_slice(), [SelectItem::Wildcard(_)]);
    if let ([from], true, true) = (select.from.as_mut_slice(), is_all, select.selection.is_none())
        && let (TableFactor::Derived { subquery, .. }, true) = (&mut from.relation, from.joins.is_empty())
    {
        return mark_query(subquery, tables);
    }
    for item in &mut select.projection {
        match item {
            SelectItem::UnnamedExpr(Expr::Subquery(query))
            | SelectItem::ExprWithAlias { expr: Expr::Subquery(query), .. } => mark_query(query, tables),
            SelectItem::UnnamedExpr(expr) if is_cast(expr) => *expr = marked(expr),
            SelectItem::ExprWithAlias { expr, .. } if is_varchar(expr, &columns) => *expr = marked(expr),
            SelectItem::UnnamedExpr(expr) if is_varchar(expr, &columns) => {
                if let Some(name) = last_name(expr).cloned() {
                    *item = SelectItem::ExprWithAlias { expr: marked(expr), alias: name };
                }
            }
            _ => {}
        }
    }
}

fn marked(expr: &Expr) -> Expr {
    call("varchar", vec![expr.clone()])
}

fn is_cast(expr: &Expr) -> bool {
    matches!(expr, Expr::Cast { data_type, .. } if matches!(varying(data_type), Some(None)))
}

/// Whether `expr` is such a cast, or a column that comes from one.
fn is_varchar(expr: &Expr, columns: &Scope) -> bool {
    match expr {
        Expr::Identifier(name) => columns.iter().any(|(_, column)| *column == folded(name)),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, column] => columns.contains(&(folded(table), folded(column))),
            _ => false,
        },
        other => is_cast(other),
    }
}

fn last_name(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    }
}

/// `outer` with the common table expressions of `query`.
fn with_tables(query: &Query, outer: &Scope) -> Scope {
    let mut tables = outer.clone();
    for table in query.with.iter().flat_map(|with| &with.cte_tables) {
        let columns = names(&table.query, Some(&table.alias), &tables);
        let name = folded(&table.alias.name);
        tables.retain(|(known, _)| *known != name);
        tables.extend(columns.into_iter().map(|column| (name.clone(), column)));
    }
    tables
}

/// The columns of FROM that are `varchar`.
fn columns(select: &Select, tables: &Scope) -> Scope {
    let mut found = Scope::new();
    for table in &select.from {
        for relation in std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
        {
            match relation {
                TableFactor::Derived { subquery, alias: Some(alias), .. } => {
                    let name = folded(&alias.name);
                    let columns = names(subquery, Some(alias), tables);
                    found.extend(columns.into_iter().map(|column| (name.clone(), column)));
                }
                TableFactor::Table { name, alias, args: None, .. } if name.0.len() == 1 => {
                    let Some(table) = name.0.last().and_then(|part| part.as_ident()).map(folded) else {
                        continue;
                    };
                    let known_as = alias.as_ref().map_or_else(|| table.clone(), |alias| folded(&alias.name));
                    let of_table = tables.iter().filter(|(known, _)| *known == table);
                    found.extend(of_table.map(|(_, column)| (known_as.clone(), column.clone())));
                }
                _ => {}
            }
        }
    }
    found
}

/// The names of the columns of `query` that are `varchar`; `alias` may rename them.
fn names(query: &Query, alias: Option<&TableAlias>, outer: &Scope) -> Vec<String> {
    let SetExpr::Select(select) = query.body.as_ref() else { return Vec::new() };
    let columns = columns(select, &with_tables(query, outer));
    let renamed = |index: usize| alias.and_then(|alias| alias.columns.get(index)).map(|column| &column.name);
    let items = select.projection.iter().enumerate().filter_map(|(index, item)| {
        let (expr, own) = match item {
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias)),
            SelectItem::UnnamedExpr(expr) => (expr, name_of(expr)),
            _ => return None,
        };
        let name = renamed(index).or(own)?;
        is_varchar(expr, &columns).then(|| folded(name))
    });
    items.collect()
}

/// The name of a column without an alias: casts keep that of their operand.
fn name_of(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Cast { expr, .. } => name_of(expr),
        other => last_name(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn rewritten(sql: &str) -> String {
        testing::rewritten(sql, mark)
    }

    #[test]
    fn columns_of_the_result_are_marked() {
        for (written, expected) in [
            (
                "SELECT a::VARCHAR, b::VARCHAR AS c, a::VARCHAR(3) FROM t",
                "SELECT varchar(a::VARCHAR), varchar(b::VARCHAR) AS c, a::VARCHAR(3) FROM t",
            ),
            (
                "SELECT s.v, w, x FROM (SELECT a::VARCHAR AS v, b AS w FROM t WHERE a::VARCHAR = 'x') AS s WHERE v > 'a'",
                "SELECT varchar(s.v) AS v, w, x FROM (SELECT a::VARCHAR AS v, b AS w FROM t WHERE a::VARCHAR = 'x') AS s WHERE v > 'a'",
            ),
            (
                "SELECT * FROM (SELECT a::VARCHAR FROM t) AS s",
                "SELECT * FROM (SELECT varchar(a::VARCHAR) FROM t) AS s",
            ),
            (
                "WITH s (n) AS (SELECT a::VARCHAR FROM t) SELECT u.n FROM s AS u JOIN d ON d.n = u.n",
                "WITH s (n) AS (SELECT a::VARCHAR FROM t) SELECT varchar(u.n) AS n FROM s AS u JOIN d ON d.n = u.n",
            ),
        ] {
            assert_eq!(rewritten(written), expected);
        }
        for same in [
            "SELECT DISTINCT a::VARCHAR FROM t",
            "SELECT a FROM t WHERE a::VARCHAR = 'x'",
            "SELECT * FROM (SELECT a::VARCHAR FROM t) AS s WHERE a = 'x'",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
