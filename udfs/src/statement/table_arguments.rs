//! The data of a table function: from a name to a sub-query.

use std::ops::ControlFlow;

use datafusion::common::{Result, internal_err};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, Query, SetExpr, Statement,
    TableFactor, TableFunctionArgs, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::IsTableFunction;
use super::text::DATA;

/// Schema that may stand before the name of a table function.
const SCHEMA: &str = "journey";

/// Brings every call of a table function in `statement` to one form that can be planned.
///
/// `f(..)`, `TABLE(f(..))` and `LATERAL f(..)`, with schema `journey` or none, become `f(..)`. The data (the first
/// argument without a name, or the one named `data`) becomes `(SELECT * FROM name)` where it is a name, a text that
/// holds a name, either of them in parentheses, or a call of a table function. Other arguments are left alone.
///
/// # Errors
/// None that a statement can cause.
pub fn name_tables(
    statement: &mut Statement,
    dialect: &dyn Dialect,
    is_table_function: IsTableFunction<'_>,
) -> Result<()> {
    let mut tables = Tables { template: template()?, dialect, is_table_function };
    let _ = VisitMut::visit(statement, &mut tables);
    Ok(())
}

/// Whether `name` is that of a table function: alone, or in schema `journey`.
fn is_function(name: &ObjectName, is_table_function: IsTableFunction<'_>) -> bool {
    let mut parts = name.0.iter().map(|part| part.as_ident().map(|ident| ident.value.as_str()));
    match (parts.next().flatten(), parts.next().flatten(), parts.next()) {
        (Some(function), None, None) if name.0.len() == 1 => is_table_function(function),
        (Some(schema), Some(function), None) => {
            schema.eq_ignore_ascii_case(SCHEMA) && is_table_function(function)
        }
        _ => false,
    }
}

struct Tables<'a> {
    /// `SELECT * FROM t`.
    template: Query,
    dialect: &'a dyn Dialect,
    is_table_function: IsTableFunction<'a>,
}

impl VisitorMut for Tables<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        self.unify(factor);
        if let TableFactor::Table { name, args: Some(args), .. } = factor
            && is_function(name, self.is_table_function)
            && let Some(data) = data(&mut args.args)
        {
            self.relation(data);
        }
        ControlFlow::Continue(())
    }
}

impl Tables<'_> {
    /// Makes the other two spellings of a call the plain one.
    fn unify(&self, factor: &mut TableFactor) {
        let (name, args, alias, with_ordinality) = match factor {
            TableFactor::Function { name, args, alias, with_ordinality, .. } => {
                (name, args, alias, *with_ordinality)
            }
            TableFactor::TableFunction { expr: Expr::Function(function), alias } => {
                let Some((name, args)) = plain_call(function) else {
                    return;
                };
                (name, args, alias, false)
            }
            _ => return,
        };
        if is_function(name, self.is_table_function) {
            *factor = TableFactor::Table {
                name: name.clone(),
                alias: alias.take(),
                args: Some(TableFunctionArgs { args: std::mem::take(args), settings: None }),
                with_hints: Vec::new(),
                version: None,
                with_ordinality,
                partitions: Vec::new(),
                json_path: None,
                sample: None,
                index_hints: Vec::new(),
            };
        }
    }

    /// Makes `data` a sub-query, if it names a relation.
    fn relation(&self, data: &mut Expr) {
        match data {
            Expr::Nested(inner) => {
                self.relation(inner);
                if matches!(**inner, Expr::Subquery(_)) {
                    let inner = std::mem::replace(&mut **inner, Expr::Tuple(Vec::new()));
                    *data = inner;
                }
            }
            Expr::Identifier(name) => *data = self.all_of(ObjectName::from(vec![name.clone()]), None),
            Expr::CompoundIdentifier(names) => *data = self.all_of(ObjectName::from(names.clone()), None),
            Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => {
                if let Some(name) = self.name_in(text) {
                    *data = self.all_of(name, None);
                }
            }
            Expr::Function(function) => {
                if let Some((name, args)) = plain_call(function)
                    && is_function(name, self.is_table_function)
                {
                    let args = TableFunctionArgs { args: std::mem::take(args), settings: None };
                    *data = self.all_of(name.clone(), Some(args));
                }
            }
            _ => {}
        }
    }

    fn name_in(&self, text: &str) -> Option<ObjectName> {
        let mut parser = Parser::new(self.dialect).try_with_sql(text).ok()?;
        let name = parser.parse_object_name(false).ok()?;
        let is_all = parser.peek_token_ref().token == Token::EOF;
        is_all.then_some(name)
    }

    fn all_of(&self, relation: ObjectName, arguments: Option<TableFunctionArgs>) -> Expr {
        let mut query = self.template.clone();
        if let Some(TableFactor::Table { name, args, .. }) = only_relation(&mut query) {
            *name = relation;
            *args = arguments;
        }
        Expr::Subquery(Box::new(query))
    }
}

/// The argument that is the data, if it is an expression.
fn data(args: &mut [FunctionArg]) -> Option<&mut Expr> {
    let named = args.iter().position(|arg| match arg {
        FunctionArg::Named { name, .. } | FunctionArg::ExprNamed { name: Expr::Identifier(name), .. } => {
            name.value.eq_ignore_ascii_case(DATA)
        }
        _ => false,
    });
    let index = named.or_else(|| args.iter().position(|arg| matches!(arg, FunctionArg::Unnamed(_))))?;
    match args.get_mut(index)? {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
        | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }
        | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(expr), .. } => Some(expr),
        _ => None,
    }
}

/// Name and arguments of a call that has nothing else: no OVER, FILTER, DISTINCT or ORDER BY.
fn plain_call(function: &mut Function) -> Option<(&mut ObjectName, &mut Vec<FunctionArg>)> {
    let plain = function.over.is_none()
        && function.filter.is_none()
        && function.within_group.is_empty()
        && function.null_treatment.is_none()
        && matches!(function.parameters, FunctionArguments::None);
    match &mut function.args {
        FunctionArguments::List(list)
            if plain && list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
        {
            Some((&mut function.name, &mut list.args))
        }
        _ => None,
    }
}

/// The query that names are put into: its many other parts are the parser's to fill.
fn template() -> Result<Query> {
    let statements = Parser::parse_sql(&GenericDialect {}, "SELECT * FROM t")?;
    match statements.into_iter().next() {
        Some(Statement::Query(query)) => Ok(*query),
        other => internal_err!("not a query: {other:?}"),
    }
}

fn only_relation(query: &mut Query) -> Option<&mut TableFactor> {
    match query.body.as_mut() {
        SetExpr::Select(select) => select.from.first_mut().map(|from| &mut from.relation),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::{DuckDbDialect, PostgreSqlDialect};

    use super::*;

    fn named_by(dialect: &dyn Dialect, sql: &str) -> String {
        let is_table_function = |name: &str| ["funnel", "sessions"].contains(&name.to_lowercase().as_str());
        let text = super::super::rewrite_text(sql, dialect, &is_table_function);
        let mut statement = Parser::parse_sql(dialect, &text).unwrap().pop().unwrap();
        name_tables(&mut statement, dialect, &is_table_function).unwrap();
        let once = statement.to_string();
        name_tables(&mut statement, dialect, &is_table_function).unwrap();
        assert_eq!(statement.to_string(), once, "a second time changes nothing");
        let again = Parser::parse_sql(dialect, &once).unwrap().pop().unwrap();
        assert_eq!(again.to_string(), once, "the text of a view says the same");
        once
    }

    fn named(sql: &str) -> String {
        named_by(&PostgreSqlDialect {}, sql)
    }

    const EXPECTED: &str = "SELECT * FROM funnel((SELECT * FROM t), steps => 1)";

    #[test]
    fn names_become_sub_queries() {
        for call in [
            "funnel(t, steps => 1)",
            "funnel(TABLE t, steps => 1)",
            "funnel(TABLE(t), steps => 1)",
            "funnel((t), steps => 1)",
            "funnel((TABLE t), steps => 1)",
            "funnel('t', steps => 1)",
            "funnel((('t')), steps => 1)",
            "funnel((SELECT * FROM t), steps => 1)",
            "funnel(TABLE (SELECT * FROM t), steps => 1)",
            "TABLE(funnel(t, steps => 1))",
            "LATERAL funnel(TABLE t, steps => 1)",
        ] {
            assert_eq!(named(&format!("SELECT * FROM {call}")), EXPECTED);
        }
        for (call, expected) in [
            ("funnel(data => t)", "funnel(data => (SELECT * FROM t))"),
            ("funnel(1 + 1, data := TABLE s.t)", "funnel(1 + 1, data => (SELECT * FROM s.t))"),
            ("journey.Funnel(s.\"T\")", "journey.Funnel((SELECT * FROM s.\"T\"))"),
            ("funnel('s.\"My table\"', x)", "funnel((SELECT * FROM s.\"My table\"), x)"),
            ("funnel(steps => a, t)", "funnel(steps => a, (SELECT * FROM t))"),
            (
                "funnel(sessions(t, gap => 1), by => x)",
                "funnel((SELECT * FROM sessions((SELECT * FROM t), gap => 1)), by => x)",
            ),
        ] {
            assert_eq!(named(&format!("SELECT * FROM {call}")), format!("SELECT * FROM {expected}"));
        }
    }

    #[test]
    fn other_dialects_name_arguments_otherwise() {
        for dialect in [&GenericDialect {} as &dyn Dialect, &DuckDbDialect {}] {
            assert_eq!(
                named_by(dialect, "SELECT * FROM funnel(data => TABLE t, by => c)"),
                "SELECT * FROM funnel(data => (SELECT * FROM t), by => c)"
            );
        }
    }

    #[test]
    fn anywhere_in_a_statement() {
        for (sql, expected) in [
            (
                "CREATE VIEW v AS SELECT * FROM funnel(t)",
                "CREATE VIEW v AS SELECT * FROM funnel((SELECT * FROM t))",
            ),
            (
                "WITH c AS (SELECT 1) SELECT * FROM c AS a JOIN funnel(c) AS b (x, y) ON a.x = b.x",
                "WITH c AS (SELECT 1) SELECT * FROM c AS a JOIN funnel((SELECT * FROM c)) AS b (x, y) ON a.x = b.x",
            ),
            (
                "SELECT 1 WHERE 1 IN (SELECT step FROM TABLE(funnel(t)) AS f)",
                "SELECT 1 WHERE 1 IN (SELECT step FROM funnel((SELECT * FROM t)) AS f)",
            ),
            ("EXPLAIN SELECT * FROM funnel(t)", "EXPLAIN SELECT * FROM funnel((SELECT * FROM t))"),
        ] {
            assert_eq!(named(sql), expected);
        }
    }

    #[test]
    fn what_is_no_table_function_is_left_alone() {
        for sql in [
            "SELECT * FROM generate_series(a, b)",
            "SELECT * FROM other.funnel(t)",
            "SELECT * FROM funnel",
            "SELECT funnel(t) FROM t",
            "SELECT * FROM funnel(1 + 1, b)",
            "SELECT * FROM funnel('two words')",
            "SELECT * FROM funnel($1)",
            "SELECT * FROM LATERAL other(t)",
        ] {
            assert_eq!(named(sql), sql);
        }
    }
}
