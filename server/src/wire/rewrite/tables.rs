//! Functions in FROM: names of their columns, and `WITH ORDINALITY`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DataType as SqlType, Expr, Ident, Statement, TableAlias, TableAliasColumnDef, TableFactor, VisitMut,
    VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Rewrites the functions in the FROM clauses of `statement`.
pub(super) fn rewrite(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Tables);
}

struct Tables;

impl VisitorMut for Tables {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } = factor else {
            return ControlFlow::Continue(());
        };
        let [array] = array_exprs.as_slice() else { return ControlFlow::Continue(()) };
        if *with_ordinality {
            if let Some(numbered) = numbered(array, alias.as_ref()) {
                *factor = numbered;
            }
            return ControlFlow::Continue(());
        }
        // The one column of scalars is called as the table is, and that as the function.
        if is_of_scalars(array) {
            let alias = alias.get_or_insert_with(|| table_alias(Ident::new("unnest")));
            if alias.columns.is_empty() {
                alias.columns = vec![column(alias.name.clone())];
            }
        }
        ControlFlow::Continue(())
    }
}

fn table_alias(name: Ident) -> TableAlias {
    TableAlias { explicit: true, name, columns: Vec::new(), at: None }
}

fn column(name: Ident) -> TableAliasColumnDef {
    TableAliasColumnDef { name, data_type: None }
}

/// Whether the items of `array` are no rows, as far as it says itself.
fn is_of_scalars(array: &Expr) -> bool {
    match array {
        Expr::Array(_) => true,
        Expr::Nested(inner) => is_of_scalars(inner),
        Expr::Cast { data_type, .. } => matches!(data_type, SqlType::Array(_)),
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            matches!(name.as_str(), "string_to_array" | "current_schemas" | "make_array" | "array_remove")
        }
        _ => false,
    }
}

/// `unnest(array) WITH ORDINALITY` as a sub-query that numbers the items.
fn numbered(array: &Expr, alias: Option<&TableAlias>) -> Option<TableFactor> {
    let sql = format!(
        "SELECT u.item AS item, CAST(row_number() OVER () AS BIGINT) AS ordinality FROM unnest({array}) AS u(item)"
    );
    let query = Parser::new(&PostgreSqlDialect {}).try_with_sql(&sql).ok()?.parse_query().ok()?;
    let mut alias = alias.cloned().unwrap_or_else(|| table_alias(Ident::new("unnest")));
    if alias.columns.is_empty() {
        alias.columns.push(column(alias.name.clone()));
    }
    if alias.columns.len() == 1 {
        alias.columns.push(column(Ident::new("ordinality")));
    }
    Some(TableFactor::Derived { lateral: false, subquery: query, alias: Some(alias), sample: None })
}
