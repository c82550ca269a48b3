//! The columns that every table of PostgreSQL has beside its own: `tableoid`, `xmin`, `xmax`, `ctid`, of the catalogs.
//!
//! They are calls of functions of the first own column, which is never NULL in a row: so that an outer join without a
//! partner gives NULL.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, Query, Select, SetExpr, Statement, TableFactor, Value, VisitMut, VisitorMut,
};

use super::casts::call;
use crate::catalog::{SYSTEM_TID, SYSTEM_XID, TABLE_OID, catalog_table};

/// Puts calls in the place of system columns of catalogs in `statement`.
pub(super) fn rewrite(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut SystemColumns { scopes: Vec::new() });
}

/// A catalog under the name that it has in a query.
struct Relation {
    name: String,
    oid: u32,
    first_column: &'static str,
}

struct SystemColumns {
    // One for each query that is open, the innermost last.
    scopes: Vec<Vec<Relation>>,
}

impl VisitorMut for SystemColumns {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let mut scope = Vec::new();
        relations(&query.body, &mut scope);
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(replacement) = self.replacement(expr) {
            *expr = replacement;
        }
        ControlFlow::Continue(())
    }
}

impl SystemColumns {
    fn replacement(&self, expr: &Expr) -> Option<Expr> {
        let (relation, column) = match expr {
            Expr::Identifier(column) if is_system(column) => match self.scopes.last()?.as_slice() {
                [relation] => (relation, column),
                _ => return None,
            },
            Expr::CompoundIdentifier(parts) => {
                let (column, qualifiers) = parts.split_last()?;
                if !is_system(column) {
                    return None;
                }
                let name = folded(qualifiers.last()?);
                let mut known = self.scopes.iter().rev().flatten();
                (known.find(|relation| relation.name == name)?, column)
            }
            _ => return None,
        };
        let first = Expr::CompoundIdentifier(vec![
            Ident::with_quote('"', relation.name.as_str()),
            Ident::new(relation.first_column),
        ]);
        Some(match folded(column).as_str() {
            "tableoid" => {
                let oid = Value::Number(relation.oid.to_string(), false).with_empty_span();
                call(TABLE_OID, vec![Expr::Value(oid), first])
            }
            "ctid" => call(SYSTEM_TID, vec![first]),
            _ => call(SYSTEM_XID, vec![first]),
        })
    }
}

fn is_system(column: &Ident) -> bool {
    ["tableoid", "xmin", "xmax", "ctid"].contains(&folded(column).as_str())
}

fn relations(body: &SetExpr, out: &mut Vec<Relation>) {
    match body {
        SetExpr::Select(select) => of_select(select, out),
        SetExpr::SetOperation { left, right, .. } => {
            relations(left, out);
            relations(right, out);
        }
        _ => {}
    }
}

fn of_select(select: &Select, out: &mut Vec<Relation>) {
    for table in &select.from {
        of_factor(&table.relation, out);
        for join in &table.joins {
            of_factor(&join.relation, out);
        }
    }
}

fn of_factor(factor: &TableFactor, out: &mut Vec<Relation>) {
    match factor {
        TableFactor::Table { name, alias, args: None, .. } => {
            let Some((oid, first_column)) = catalog(name) else { return };
            let own = name.0.last().and_then(|part| part.as_ident()).map(folded).unwrap_or_default();
            let name = alias.as_ref().map_or(own, |alias| folded(&alias.name));
            out.push(Relation { name, oid, first_column });
        }
        TableFactor::NestedJoin { table_with_joins, .. } => {
            of_factor(&table_with_joins.relation, out);
            for join in &table_with_joins.joins {
                of_factor(&join.relation, out);
            }
        }
        _ => {}
    }
}

fn catalog(name: &ObjectName) -> Option<(u32, &'static str)> {
    match name.0.as_slice() {
        [schema, table] if folded(schema.as_ident()?) == "pg_catalog" => {
            catalog_table(&folded(table.as_ident()?))
        }
        _ => None,
    }
}

fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn rewritten(sql: &str) -> String {
        testing::rewritten(sql, rewrite)
    }

    #[test]
    fn catalogs_have_them_and_other_tables_have_not() {
        assert_eq!(
            rewritten("SELECT C.xmin, tableoid FROM pg_catalog.pg_class c"),
            "SELECT pg_system_xid(\"c\".oid), pg_table_oid(1259, \"c\".oid) FROM pg_catalog.pg_class c"
        );
        assert_eq!(
            rewritten(
                "SELECT (SELECT d.objoid FROM pg_catalog.pg_description d WHERE d.classoid = l.tableoid) FROM pg_catalog.pg_language l"
            ),
            "SELECT (SELECT d.objoid FROM pg_catalog.pg_description d WHERE d.classoid = pg_table_oid(2612, \"l\".oid)) \
             FROM pg_catalog.pg_language l"
        );
        for same in ["SELECT xmin FROM t", "SELECT t.xmin FROM t, pg_catalog.pg_class c"] {
            assert_eq!(rewritten(same), same);
        }
    }
}
