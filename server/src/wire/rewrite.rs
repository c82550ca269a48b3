//! PostgreSQL's SQL made plannable: the rewriting of statements between parsing and planning.
//!
//! Two paths. A statement that reads `pg_catalog` or `information_schema` comes from a client's introspection and gets
//! all the help that datafusion-pg-catalog has. Any other statement is an analyst's: only rules that keep its meaning
//! run on it (that crate also has one that replaces correlated sub-queries by NULL).

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType as SqlType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, LimitClause,
    ObjectName, Query, Statement, Value, ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use datafusion_pg_catalog::sql::rules::{
    CurrentUserVariableToSessionUserFunctionCall, FixArrayLiteral, RewriteArrayAnyAllOperation,
    RewritePgCatalogOperator, RewriteRegCastToSubquery, SqlStatementRewriteRule, StripCallableQualifier,
    StripCollate,
};
use pgwire::api::Type;

use super::names::separate_names;
use super::params::type_of_cast;

/// Rewrites statements; one for the whole server.
#[derive(Debug)]
pub(crate) struct Rewriter {
    introspection: PostgresCompatibilityParser,
    harmless_rules: Vec<Arc<dyn SqlStatementRewriteRule>>,
}

impl Rewriter {
    pub(crate) fn new() -> Self {
        Self {
            introspection: PostgresCompatibilityParser::new(),
            harmless_rules: vec![
                Arc::new(RewriteArrayAnyAllOperation),
                Arc::new(StripCallableQualifier),
                Arc::new(FixArrayLiteral),
                Arc::new(CurrentUserVariableToSessionUserFunctionCall),
                Arc::new(StripCollate),
                Arc::new(RewritePgCatalogOperator),
                Arc::new(RewriteRegCastToSubquery::new()),
            ],
        }
    }

    /// Rewrites `statement`, which was parsed from `text`.
    pub(crate) fn rewrite(&self, text: &str, statement: EngineStatement) -> EngineStatement {
        match statement {
            EngineStatement::Statement(inner) => {
                EngineStatement::Statement(Box::new(self.rewrite_sql(text, *inner)))
            }
            EngineStatement::Explain(mut explain) => {
                // The text is that of the EXPLAIN, so only the rules on the tree apply inside.
                if let EngineStatement::Statement(inner) = *explain.statement {
                    let inner = self.apply_harmless_rules(*inner);
                    explain.statement = Box::new(EngineStatement::Statement(Box::new(inner)));
                }
                EngineStatement::Explain(explain)
            }
            other => other,
        }
    }

    fn rewrite_sql(&self, text: &str, statement: Statement) -> Statement {
        if reads_catalog(&statement) {
            // Parses once more, because it replaces some constructs before the parser sees them.
            if let Ok(mut statements) = self.introspection.parse(text)
                && statements.len() == 1
                && let Some(rewritten) = statements.pop()
            {
                return rewritten;
            }
        }
        self.apply_harmless_rules(statement)
    }

    fn apply_harmless_rules(&self, statement: Statement) -> Statement {
        let mut statement =
            self.harmless_rules.iter().fold(statement, |statement, rule| rule.rewrite(statement));
        separate_names(&mut statement);
        statement
    }
}

fn reads_catalog(statement: &Statement) -> bool {
    struct Relations;
    impl Visitor for Relations {
        type Break = ();

        fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
            let mut parts = relation.0.iter().filter_map(|part| part.as_ident());
            let is_catalog = parts.any(|part| {
                let name = part.value.to_ascii_lowercase();
                name.starts_with("pg_") || name == "information_schema"
            });
            if is_catalog { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    statement.visit(&mut Relations).is_break()
}

/// The parameters `$1`, `$2` ... of `statement`, each with the type that its place in the statement gives it: the
/// operand of a cast, the count of `LIMIT` and `OFFSET`, the list of `= ANY`.
pub(crate) fn parameters(statement: &EngineStatement) -> Vec<Option<Type>> {
    struct Parameters(Vec<Option<Type>>);
    impl Parameters {
        fn add(&mut self, number: usize) -> &mut Option<Type> {
            if self.0.len() < number {
                self.0.resize(number, None);
            }
            &mut self.0[number - 1]
        }
    }
    impl Visitor for Parameters {
        type Break = ();

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause else {
                return ControlFlow::Continue(());
            };
            for count in limit.iter().chain(offset.iter().map(|offset| &offset.value)) {
                if let Some(number) = parameter_number(count) {
                    self.add(number).get_or_insert(Type::INT8);
                }
            }
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if let Some(number) = parameter_number(expr) {
                self.add(number);
            }
            if let Some(number) = list_parameter(expr) {
                self.add(number).get_or_insert(Type::TEXT_ARRAY);
            }
            if let Expr::Cast { expr, data_type, .. } = expr
                && let Some(number) = parameter_number(expr)
            {
                let known = self.add(number);
                *known = known.take().or_else(|| type_of_cast(data_type));
            }
            ControlFlow::Continue(())
        }
    }
    let mut found = Parameters(Vec::new());
    if let Some(statement) = sql_of(statement) {
        let _ = statement.visit(&mut found);
    }
    found.0
}

/// Casts each parameter to its type in `types`, where there is one.
pub(crate) fn cast_parameters(statement: &mut EngineStatement, types: &[Option<SqlType>]) {
    struct Casts<'a>(&'a [Option<SqlType>]);
    impl VisitorMut for Casts<'_> {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Some(number) = parameter_number(expr)
                && let Some(Some(data_type)) = self.0.get(number - 1)
            {
                *expr = Expr::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(expr.clone()),
                    data_type: data_type.clone(),
                    array: false,
                    format: None,
                };
            }
            ControlFlow::Continue(())
        }
    }
    if types.iter().all(Option::is_none) {
        return;
    }
    if let Some(statement) = sql_of_mut(statement) {
        let _ = VisitMut::visit(statement, &mut Casts(types));
    }
}

/// The number of the parameter that is the list of `x = ANY ($1)`, which the rules have made `array_contains($1, x)`.
fn list_parameter(expr: &Expr) -> Option<usize> {
    let Expr::Function(function) = expr else {
        return None;
    };
    let FunctionArguments::List(arguments) = &function.args else {
        return None;
    };
    match arguments.args.first() {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(list)))
            if function.name.to_string().eq_ignore_ascii_case("array_contains") =>
        {
            parameter_number(list)
        }
        _ => None,
    }
}

/// The number of a positional parameter, from 1. Numbers above the protocol's 65,535 are left to the planner to refuse.
fn parameter_number(expr: &Expr) -> Option<usize> {
    let Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) = expr else {
        return None;
    };
    let number: u16 = name.strip_prefix('$')?.parse().ok()?;
    (number > 0).then_some(usize::from(number))
}

fn sql_of(statement: &EngineStatement) -> Option<&Statement> {
    match statement {
        EngineStatement::Statement(statement) => Some(statement),
        EngineStatement::Explain(explain) => sql_of(&explain.statement),
        _ => None,
    }
}

fn sql_of_mut(statement: &mut EngineStatement) -> Option<&mut Statement> {
    match statement {
        EngineStatement::Statement(statement) => Some(statement),
        EngineStatement::Explain(explain) => sql_of_mut(&mut explain.statement),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParser;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

    use super::*;

    fn parse(sql: &str) -> EngineStatement {
        DFParser::parse_sql_with_dialect(sql, &PostgreSqlDialect {}).unwrap().pop_front().unwrap()
    }

    fn rewritten(sql: &str) -> String {
        Rewriter::new().rewrite(sql, parse(sql)).to_string()
    }

    #[test]
    fn an_analysts_statement_keeps_its_meaning() {
        let correlated = "SELECT (SELECT max(s.ts) FROM s WHERE s.user_id = t.user_id) AS latest FROM t";
        assert_eq!(rewritten(correlated), correlated);
        assert_eq!(rewritten("SELECT pg_catalog.version()"), "SELECT version()");
        assert_eq!(rewritten("SELECT 1, 1"), "SELECT 1, 1 AS \"1 (2)\"");
    }

    #[test]
    fn introspection_gets_all_rules() {
        assert_eq!(rewritten("SELECT relname FROM pg_class"), "SELECT relname FROM pg_catalog.pg_class");
    }

    #[test]
    fn parameters_are_counted_and_typed_by_casts() {
        let statement = parse("SELECT $2::bigint FROM t WHERE a = $3 LIMIT $1");
        assert_eq!(parameters(&statement), [Some(Type::INT8), Some(Type::INT8), None]);
        let any = Rewriter::new().rewrite("", parse("SELECT a FROM t WHERE a = ANY($1)"));
        assert_eq!(parameters(&any), [Some(Type::TEXT_ARRAY)]);
        assert!(parameters(&parse("SELECT '$1'")).is_empty());
        assert_eq!(parameters(&parse("EXPLAIN SELECT $1")), [None]);
    }

    #[test]
    fn casts_are_put_around_parameters() {
        let mut statement = parse("SELECT a FROM t WHERE b > $1 AND c = $2 LIMIT $1");
        cast_parameters(&mut statement, &[Some(SqlType::BigInt(None)), None]);
        assert_eq!(
            statement.to_string(),
            "SELECT a FROM t WHERE b > CAST($1 AS BIGINT) AND c = $2 LIMIT CAST($1 AS BIGINT)"
        );
    }
}
