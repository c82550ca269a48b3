//! Names of result columns as PostgreSQL gives them: `count` for `count(*)`, `?column?` for an expression.
//!
//! DataFusion names a column after its whole expression, which breaks clients that look columns up by name.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DataType as SqlType, Expr, FunctionArguments, Ident, ObjectName, OrderByExpr, OrderByKind, Query, Select,
    SelectItem, SetExpr, Statement, Value, VisitMut, VisitorMut,
};

use super::rewrite::call;

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
        if let (SetExpr::Select(select), Some(order)) = (query.body.as_mut(), &query.order_by)
            && let OrderByKind::Expressions(keys) = &order.kind
        {
            name_sorted(select, keys);
        }
        separate_in(&mut query.body);
    }
}

/// Names the casts of columns by which a result is sorted: `SELECT n::text FROM t ORDER BY n` sorts by the result, whose
/// name is that of the column, and the planner would take the column for a second one of that name.
fn name_sorted(select: &mut Select, keys: &[OrderByExpr]) {
    let sorted: Vec<&Ident> = keys
        .iter()
        .filter_map(|key| match &key.expr {
            Expr::Identifier(ident) => Some(ident),
            _ => None,
        })
        .collect();
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr @ Expr::Cast { .. }) = item
            && let Some(name) = column_below_casts(expr)
            && let Some(key) = sorted.iter().find(|key| ident_name(key) == ident_name(name))
        {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: (*key).clone() };
        }
    }
}

fn column_below_casts(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => column_below_casts(expr),
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
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
    separate_aggregates(select);
    let is_written = !select
        .projection
        .iter()
        .any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    let mut seen: HashSet<String> = HashSet::with_capacity(select.projection.len());
    for (index, item) in select.projection.iter_mut().enumerate() {
        let key = match item {
            SelectItem::UnnamedExpr(expr) => plan_name(expr),
            SelectItem::ExprWithAlias { alias, .. } => ident_name(alias),
            _ => continue,
        };
        // The planner calls some expressions by one name that are written in two ways: `2 * i` and `i * 2`.
        let is_operation =
            is_written && index > 0 && matches!(item, SelectItem::UnnamedExpr(Expr::BinaryOp { .. }));
        if !seen.contains(&key) && !is_operation {
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

/// Makes aggregates of literals that differ by a cast alone differ by a call, since the planner leaves casts out of their
/// names: `sum(1::int4), sum(1::int8)`.
fn separate_aggregates(select: &mut Select) {
    let mut seen: HashMap<String, String> = HashMap::new();
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { continue };
        if !matches!(expr, Expr::Function(_)) {
            continue;
        }
        let written = expr.to_string();
        match seen.get(&plan_name(expr)) {
            Some(known) if *known != written => {
                let _ = VisitMut::visit(expr, &mut CastsAsCalls);
            }
            _ => {
                seen.insert(plan_name(expr), written);
            }
        }
    }
}

/// Makes casts to numbers calls of the functions that do the same.
struct CastsAsCalls;

impl VisitorMut for CastsAsCalls {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr: operand, data_type, .. } = expr {
            let name = match data_type {
                SqlType::Integer(_) | SqlType::Int(_) | SqlType::Int4(_) => "int4",
                SqlType::BigInt(_) | SqlType::Int8(_) => "int8",
                SqlType::DoublePrecision | SqlType::Float8 => "float8",
                _ => return ControlFlow::Continue(()),
            };
            *expr = call(name, vec![operand.as_ref().clone()]);
        }
        ControlFlow::Continue(())
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
        // `session_user` is a call without brackets.
        Expr::Function(function) if matches!(function.args, FunctionArguments::None) => {
            format!("{}()", function.name)
        }
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
