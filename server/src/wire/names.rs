//! Names of result columns as PostgreSQL gives them: `count` for `count(*)`, `?column?` for an expression.
//!
//! DataFusion names a column after its whole expression, which breaks clients that look columns up by name.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, Statement, Value, VisitMut, VisitorMut,
};

const NO_NAME: &str = "?column?";

/// The names of the result columns; `None` if a wildcard makes their number depend on the tables.
pub(crate) fn result_names(statement: &Statement) -> Option<Vec<String>> {
    match statement {
        Statement::Query(query) => first_select(query)?.projection.iter().map(item_name).collect(),
        _ => None,
    }
}

/// Gives repeated result columns of the statement names of their own, since a plan cannot hold two of one name.
///
/// Only names that no clause refers to are touched: those of expressions without an alias, and all but the first of
/// equal aliases. [`result_names`] of the statement before this shows the client the names as written.
pub(crate) fn separate_names(statement: &mut Statement) {
    if let Statement::Query(query) = statement {
        separate_in(&mut query.body);
    }
}

fn separate_in(body: &mut SetExpr) {
    let select = match body {
        SetExpr::Select(select) => select,
        SetExpr::Query(query) => return separate_in(&mut query.body),
        SetExpr::SetOperation { left, right, .. } => {
            separate_in(left);
            return separate_in(right);
        }
        _ => return,
    };
    let mut seen: HashSet<String> = HashSet::with_capacity(select.projection.len());
    for (index, item) in select.projection.iter_mut().enumerate() {
        let key = match item {
            SelectItem::UnnamedExpr(expr) => plan_name(expr),
            SelectItem::ExprWithAlias { alias, .. } => ident_name(alias),
            _ => continue,
        };
        if !seen.contains(&key) {
            seen.insert(key);
            continue;
        }
        let new_alias = Ident::with_quote('"', format!("{key} ({})", index + 1));
        match item {
            SelectItem::UnnamedExpr(expr) => {
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: new_alias };
            }
            SelectItem::ExprWithAlias { alias, .. } => *alias = new_alias,
            _ => {}
        }
    }
}

/// What the planner will call a column, or something that two columns of one plan name have in common: it names a
/// cast after its operand, and a column with its table, which is not known here.
fn plan_name(expr: &Expr) -> String {
    match expr {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => plan_name(expr),
        Expr::TypedString(typed) => typed.value.to_string(),
        Expr::Identifier(ident) => ident_name(ident),
        Expr::CompoundIdentifier(idents) => idents.last().map(ident_name).unwrap_or_default(),
        other => {
            let mut other = other.clone();
            let _ = VisitMut::visit(&mut other, &mut WithoutCasts);
            other.to_string()
        }
    }
}

/// Takes the casts out of an expression.
struct WithoutCasts;

impl VisitorMut for WithoutCasts {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr: operand, .. } = expr {
            *expr = operand.as_ref().clone();
        }
        ControlFlow::Continue(())
    }
}

fn first_select(query: &Query) -> Option<&Select> {
    let mut body = query.body.as_ref();
    loop {
        match body {
            SetExpr::Select(select) => return Some(select),
            SetExpr::Query(query) => body = query.body.as_ref(),
            SetExpr::SetOperation { left, .. } => body = left.as_ref(),
            _ => return None,
        }
    }
}

fn item_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) => Some(expr_name(expr).unwrap_or_else(|| NO_NAME.to_owned())),
        SelectItem::ExprWithAlias { alias, .. } => Some(ident_name(alias)),
        _ => None,
    }
}

fn expr_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(ident_name(ident)),
        Expr::CompoundIdentifier(idents) => idents.last().map(ident_name),
        Expr::Function(function) => object_name(&function.name),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => expr_name(inner),
        Expr::CompoundFieldAccess { root, .. } => expr_name(root),
        Expr::Cast { expr, data_type, .. } => {
            expr_name(expr).or_else(|| Some(type_name(&data_type.to_string())))
        }
        Expr::TypedString(typed) => Some(type_name(&typed.data_type.to_string())),
        Expr::Case { else_result, .. } => {
            else_result.as_deref().and_then(expr_name).or_else(|| Some("case".to_owned()))
        }
        Expr::Interval(_) => Some("interval".to_owned()),
        Expr::Extract { .. } => Some("extract".to_owned()),
        Expr::Substring { .. } => Some("substring".to_owned()),
        Expr::Trim { .. } => Some("btrim".to_owned()),
        Expr::Position { .. } => Some("position".to_owned()),
        Expr::Overlay { .. } => Some("overlay".to_owned()),
        Expr::Ceil { .. } => Some("ceil".to_owned()),
        Expr::Floor { .. } => Some("floor".to_owned()),
        Expr::AtTimeZone { .. } => Some("timezone".to_owned()),
        Expr::Exists { .. } => Some("exists".to_owned()),
        Expr::Array(_) => Some("array".to_owned()),
        Expr::Value(value) => match &value.value {
            Value::Boolean(_) => Some("bool".to_owned()),
            _ => None,
        },
        Expr::Subquery(query) => match first_select(query)?.projection.as_slice() {
            [item] => item_name(item),
            _ => None,
        },
        _ => None,
    }
}

fn object_name(name: &ObjectName) -> Option<String> {
    name.0.last()?.as_ident().map(ident_name)
}

fn ident_name(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// The internal name of a type, without its arguments: `int8` for `BIGINT`.
fn type_name(sql: &str) -> String {
    let bare = sql.split('(').next().unwrap_or_default().trim().to_lowercase();
    let name = match bare.as_str() {
        "bigint" => "int8",
        "int" | "integer" => "int4",
        "smallint" => "int2",
        "double precision" | "double" | "float" => "float8",
        "real" => "float4",
        "boolean" => "bool",
        "decimal" | "dec" => "numeric",
        "character varying" => "varchar",
        "character" | "char" => "bpchar",
        "timestamp with time zone" => "timestamptz",
        "timestamp without time zone" => "timestamp",
        other => other.rsplit('.').next().unwrap_or(other),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn parse(sql: &str) -> Statement {
        Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap().remove(0)
    }

    fn names(sql: &str) -> Vec<String> {
        result_names(&parse(sql)).unwrap()
    }

    #[test]
    fn names_are_those_of_postgres() {
        assert_eq!(
            names(
                "SELECT 1, a, t.b, COUNT(*), x AS \"Y\", 'a'::text, a::int, 1 + 1, pg_catalog.version(), true"
            ),
            ["?column?", "a", "b", "count", "Y", "text", "a", "?column?", "version", "bool"]
        );
        assert_eq!(
            names(
                "SELECT CASE WHEN a THEN 1 END, DATE '2024-01-01', (SELECT max(a) FROM t), 1::bigint UNION SELECT 1, 2, 3, 4"
            ),
            ["case", "date", "max", "int8"]
        );
        assert_eq!(result_names(&parse("SELECT a, * FROM t")), None);
    }

    #[test]
    fn repeated_names_are_told_apart() {
        let mut statement =
            parse("SELECT NULL, NULL::int, a AS x, b AS x, DATE '2024-01-01', '2024-01-01' FROM t");
        separate_names(&mut statement);
        assert_eq!(
            statement.to_string(),
            "SELECT NULL, NULL::INT AS \"NULL (2)\", a AS x, b AS \"x (4)\", DATE '2024-01-01', \
             '2024-01-01' AS \"'2024-01-01' (6)\" FROM t"
        );
    }
}
