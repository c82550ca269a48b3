//! Sub-queries beside a catalog that never has rows.
//!
//! psql asks for the columns of publications by sub-queries that the engine cannot plan. There are no publications: a
//! SELECT that joins one of these catalogs gives no row, and what its sub-queries would give is never seen.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, CastKind, DataType as SqlType, Expr, FunctionArg, FunctionArgExpr,
    FunctionArguments, JoinOperator, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Value,
    VisitMut, VisitorMut,
};

/// Catalogs of what this server does not have.
pub(super) const EMPTY: [&str; 13] = [
    "pg_attrdef",
    "pg_constraint",
    "pg_enum",
    "pg_index",
    "pg_inherits",
    "pg_policy",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_rewrite",
    "pg_sequence",
    "pg_statistic_ext",
    "pg_trigger",
];

/// Puts NULL in the place of sub-queries in the columns of SELECTs without rows.
pub(super) fn rewrite(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Queries);
}

struct Queries;

impl VisitorMut for Queries {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        rewrite_set(&mut query.body);
        ControlFlow::Continue(())
    }
}

fn rewrite_set(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) if has_no_rows(select) => {
            let _ = VisitMut::visit(&mut select.projection, &mut SubQueries);
        }
        SetExpr::SetOperation { left, right, .. } => {
            rewrite_set(left);
            rewrite_set(right);
        }
        _ => {}
    }
}

/// Whether FROM never has a row.
pub(super) fn has_no_rows(select: &Select) -> bool {
    select.from.iter().any(|from| {
        let joined = from.joins.iter().filter(|join| {
            matches!(
                join.join_operator,
                JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_)
            )
        });
        let keeps_first = |operator: &JoinOperator| {
            !matches!(
                operator,
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_)
            )
        };
        // An outer join to the right brings rows back.
        from.joins.iter().all(|join| keeps_first(&join.join_operator))
            && std::iter::once(&from.relation).chain(joined.map(|join| &join.relation)).any(is_empty)
    })
}

fn is_empty(relation: &TableFactor) -> bool {
    let TableFactor::Table { name, .. } = relation else { return false };
    let mut parts =
        name.0.iter().filter_map(|part| part.as_ident()).map(|part| part.value.to_ascii_lowercase());
    let (schema, table) = (parts.next(), parts.next());
    schema.as_deref() == Some("pg_catalog") && table.is_some_and(|table| EMPTY.contains(&table.as_str()))
}

struct SubQueries;

impl VisitorMut for SubQueries {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Subquery(query) = expr {
            *expr = cast(Expr::Value(Value::Null.with_empty_span()), type_of(query));
        } else if let Expr::Function(function) = expr
            && let FunctionArguments::List(list) = &mut function.args
            && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument @ Expr::Subquery(_)))] =
                list.args.as_mut_slice()
            && function.name.to_string().eq_ignore_ascii_case("unnest")
        {
            *argument = texts(Expr::Value(Value::Null.with_empty_span()));
        }
        ControlFlow::Continue(())
    }
}

/// The type to which `query` casts its one value; else text.
fn type_of(query: &Query) -> SqlType {
    let SetExpr::Select(select) = query.body.as_ref() else { return SqlType::Text };
    match select.projection.as_slice() {
        [
            SelectItem::UnnamedExpr(Expr::Cast { data_type, .. })
            | SelectItem::ExprWithAlias { expr: Expr::Cast { data_type, .. }, .. },
        ] => data_type.clone(),
        _ => SqlType::Text,
    }
}

/// `CAST(NULL AS TEXT)`.
pub(super) fn null_text() -> Expr {
    cast(Expr::Value(Value::Null.with_empty_span()), SqlType::Text)
}

/// `CAST(ARRAY[] AS TEXT[])`.
pub(super) fn no_texts() -> Expr {
    texts(Expr::Array(Array { elem: Vec::new(), named: true }))
}

fn texts(array: Expr) -> Expr {
    cast(array, SqlType::Array(ArrayElemTypeDef::SquareBracket(Box::new(SqlType::Text), None)))
}

fn cast(expr: Expr, data_type: SqlType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn rewritten(sql: &str) -> String {
        testing::rewritten(sql, rewrite)
    }

    #[test]
    fn only_where_there_are_no_rows() {
        assert_eq!(
            rewritten(
                "SELECT 1 UNION SELECT (SELECT 2) FROM pg_catalog.pg_class JOIN pg_catalog.pg_policy ON true"
            ),
            "SELECT 1 UNION SELECT CAST(NULL AS TEXT) FROM pg_catalog.pg_class JOIN pg_catalog.pg_policy ON true"
        );
        assert_eq!(
            rewritten("SELECT (SELECT x::VARCHAR) FROM pg_catalog.pg_policy"),
            "SELECT CAST(NULL AS VARCHAR) FROM pg_catalog.pg_policy"
        );
        assert_eq!(
            rewritten("SELECT unnest((SELECT array_agg(2))) FROM pg_catalog.pg_policy"),
            "SELECT unnest(CAST(NULL AS TEXT[])) FROM pg_catalog.pg_policy"
        );
        for same in [
            "SELECT (SELECT 2) FROM pg_catalog.pg_class",
            "SELECT (SELECT 2) FROM pg_catalog.pg_class LEFT JOIN pg_catalog.pg_policy ON true",
            "SELECT (SELECT 2) FROM pg_catalog.pg_policy RIGHT JOIN pg_catalog.pg_class ON true",
            "SELECT (SELECT 2) FROM public.pg_policy",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
