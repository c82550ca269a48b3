//! Functions that give several values: in FROM, in the select list, and in `ARRAY(SELECT ...)` over one of them.
//!
//! The engine has the same functions with an array as their value. `generate_subscripts(a, 1)` is
//! `unnest(pg_subscripts(a))`, `FROM string_to_array(...) s` a sub-query of one row, and `ARRAY(SELECT f(x) FROM unnest(a)
//! x)` is `array_transform(a, x -> f(x))`, which needs no sub-query that sees the outer row.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, LambdaFunction,
    LambdaFunctionParameter, LambdaSyntax, ObjectName, OneOrManyWithParens, Query, SelectItem, SetExpr,
    Statement, TableAlias, TableFactor, TableFunctionArgs, UnaryOperator, Value, VisitMut, VisitorMut,
};

use super::casts::call;
use super::subqueries::folded;
use super::templates::{query, select_mut};

/// Functions whose schema says nothing.
const SCHEMAS: [&str; 2] = ["pg_catalog", "information_schema"];

/// Functions that give several values, and no table.
const SETS: [&str; 4] = ["unnest", "generate_series", "generate_subscripts", "range"];

/// Rewrites the calls of `statement`; `scalar` are the functions that give one value for each row.
pub(super) fn rewrite(statement: &mut Statement, scalar: &HashSet<String>) {
    let _ = VisitMut::visit(statement, &mut Sets(scalar));
}

struct Sets<'a>(&'a HashSet<String>);

impl VisitorMut for Sets<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let SetExpr::Select(select) = query.body.as_mut() else { return ControlFlow::Continue(()) };
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                && is_series(expr)
            {
                *expr = call("unnest", vec![expr.clone()]);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        plain(factor);
        if let Some(replacement) = in_from(factor, self.0) {
            *factor = replacement;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundFieldAccess { root, access_chain } = expr
            && let [AccessExpr::Dot(Expr::Identifier(field))] = access_chain.as_slice()
            && matches!(root.as_ref(), Expr::Nested(inner)
                if matches!(inner.as_ref(), Expr::Function(_) | Expr::CompoundIdentifier(_)))
        {
            let field = Expr::Value(Value::SingleQuotedString(folded(field)).with_empty_span());
            *expr = call("get_field", vec![root.as_ref().clone(), field]);
            return ControlFlow::Continue(());
        }
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let Some(name) = bare_name(&function.name) else { return ControlFlow::Continue(()) };
        let replacement =
            match (name.as_str(), &function.args) {
                ("generate_subscripts", FunctionArguments::List(_)) => first_argument(function)
                    .map(|array| call("unnest", vec![call("pg_subscripts", vec![array])])),
                ("_pg_expandarray", FunctionArguments::List(_)) => first_argument(function)
                    .map(|array| call("unnest", vec![call("pg_expanded", vec![array])])),
                ("array", FunctionArguments::Subquery(query)) => over_elements(query),
                _ => None,
            };
        if let Some(replacement) = replacement {
            *expr = replacement;
        }
        ControlFlow::Continue(())
    }
}

pub(super) fn first_argument(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.first()? {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    }
}

/// Whether `expr` is a call of `generate_series`.
fn is_series(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(function) if bare_name(&function.name).as_deref() == Some("generate_series"))
}

/// The name of a function without a schema of the system; `None` if it has any other.
fn bare_name(name: &ObjectName) -> Option<String> {
    let parts: Option<Vec<String>> =
        name.0.iter().map(|part| part.as_ident().map(|ident| ident.value.to_lowercase())).collect();
    match parts?.as_slice() {
        [name] => Some(name.clone()),
        [schema, name] if SCHEMAS.contains(&schema.as_str()) => Some(name.clone()),
        _ => None,
    }
}

/// `LATERAL f(..)` as `f(..)`: functions in FROM see what stands before them either way.
fn plain(factor: &mut TableFactor) {
    let TableFactor::Function { name, args, with_ordinality, alias, .. } = factor else { return };
    let Some(name) = bare_name(name) else { return };
    if !SETS.contains(&name.as_str()) {
        return;
    }
    *factor = TableFactor::Table {
        name: ObjectName::from(vec![Ident::new(name)]),
        alias: alias.take(),
        args: Some(TableFunctionArgs { args: std::mem::take(args), settings: None }),
        with_hints: Vec::new(),
        version: None,
        with_ordinality: *with_ordinality,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    };
}

/// A call in FROM in a form that the engine has.
fn in_from(factor: &mut TableFactor, scalar: &HashSet<String>) -> Option<TableFactor> {
    let TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } = factor else {
        return None;
    };
    let function = bare_name(name)?;
    if name.0.len() > 1 {
        *name = ObjectName::from(vec![Ident::new(function.as_str())]);
    }
    let values: Option<Vec<Expr>> = args
        .args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        })
        .collect();
    let values = values?;
    if function == "unnest" {
        return Some(TableFactor::UNNEST {
            alias: alias.clone(),
            array_exprs: values,
            with_offset: false,
            with_offset_alias: None,
            with_ordinality: *with_ordinality,
        });
    }
    let column = alias.as_ref().map_or_else(
        || Ident::new(function.as_str()),
        |alias| alias.columns.first().map_or(&alias.name, |column| &column.name).clone(),
    );
    let value = match function.as_str() {
        // The engine's own takes literals.
        series @ ("generate_series" | "range") if !values.iter().all(is_literal) => {
            call("unnest", vec![call(series, values)])
        }
        "generate_subscripts" => call("unnest", vec![call("pg_subscripts", vec![values.first()?.clone()])]),
        "generate_series" | "range" => return None,
        other if scalar.contains(other) && !*with_ordinality => call(other, values),
        _ => return None,
    };
    let name = alias.as_ref().map_or_else(|| Ident::new(function.as_str()), |alias| alias.name.clone());
    derived(value, column, name)
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) | Expr::TypedString(_) | Expr::Interval(_) => true,
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => is_literal(expr),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_literal(expr),
        _ => false,
    }
}

/// `(SELECT value AS column) AS name`.
fn derived(value: Expr, column: Ident, name: Ident) -> Option<TableFactor> {
    let mut subquery = query("SELECT 1")?;
    select_mut(&mut subquery)?.projection = vec![SelectItem::ExprWithAlias { expr: value, alias: column }];
    Some(TableFactor::Derived {
        lateral: false,
        subquery,
        alias: Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None }),
        sample: None,
    })
}

/// `ARRAY(SELECT f(x) FROM unnest(a) x)` without its sub-query; `None` for any other.
fn over_elements(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let plain = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && select.selection.is_none()
        && select.having.is_none()
        && select.distinct.is_none();
    let ([from], [SelectItem::UnnamedExpr(body) | SelectItem::ExprWithAlias { expr: body, .. }], true) =
        (select.from.as_slice(), select.projection.as_slice(), plain)
    else {
        return None;
    };
    let TableFactor::UNNEST { alias: Some(alias), array_exprs, with_ordinality: false, .. } = &from.relation
    else {
        return None;
    };
    let ([array], true) = (array_exprs.as_slice(), from.joins.is_empty()) else { return None };
    let name = alias.columns.first().map_or(&alias.name, |column| &column.name).clone();
    let lambda = Expr::Lambda(LambdaFunction {
        params: OneOrManyWithParens::One(LambdaFunctionParameter { name, data_type: None }),
        body: Box::new(body.clone()),
        syntax: LambdaSyntax::Arrow,
    });
    Some(call("array_transform", vec![array.clone(), lambda]))
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn rewritten(sql: &str) -> String {
        testing::rewritten(sql, |statement| {
            rewrite(statement, &HashSet::from(["string_to_array".to_owned(), "range".to_owned()]))
        })
    }

    #[test]
    fn sets_come_from_arrays() {
        assert_eq!(
            rewritten("SELECT generate_subscripts(k, 1) FROM t"),
            "SELECT unnest(pg_subscripts(k)) FROM t"
        );
        assert_eq!(
            rewritten("SELECT generate_series(1, k), unnest(generate_series(1, 2)) FROM t"),
            "SELECT unnest(generate_series(1, k)), unnest(generate_series(1, 2)) FROM t"
        );
        assert_eq!(
            rewritten("SELECT (information_schema._pg_expandarray(k)).n FROM t"),
            "SELECT get_field((unnest(pg_expanded(k))), 'n') FROM t"
        );
        assert_eq!(
            rewritten("SELECT 1 FROM string_to_array('a,b', ',') s, generate_series(1, f(2)) AS i"),
            "SELECT 1 FROM (SELECT string_to_array('a,b', ',') AS s) AS s, \
             (SELECT unnest(generate_series(1, f(2))) AS i) AS i"
        );
        assert_eq!(
            rewritten("SELECT ARRAY(SELECT 'toast.' || x FROM pg_catalog.unnest(t.o) x) FROM t"),
            "SELECT array_transform(t.o, x -> 'toast.' || x) FROM t"
        );
        assert_eq!(
            rewritten("SELECT 1 FROM t, LATERAL unnest(t.a) AS x, LATERAL generate_series(1, t.n) AS i"),
            "SELECT 1 FROM t, UNNEST(t.a) AS x, (SELECT unnest(generate_series(1, t.n)) AS i) AS i"
        );
        for same in [
            "SELECT 1 FROM generate_series(1, 10) AS i",
            "SELECT 1 FROM range(1, 10)",
            "SELECT 1 FROM top_paths(2)",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
