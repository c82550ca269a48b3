//! PostgreSQL's SQL made plannable: the rewriting of statements between parsing and planning.
//!
//! Every rule works on the tree and keeps the meaning of any statement, whoever sent it: there is no list of statements
//! of certain clients. Rules for one construct each are in the modules below and in datafusion-pg-catalog.

mod between;
mod casts;
mod empty_catalogs;
mod forms;
mod functions;
mod lateral;
mod lateral_sets;
mod numbers;
mod ordered_input;
mod outer_columns;
mod overlaps;
mod predicates;
mod recursion;
mod sets;
mod similar;
mod small_integers;
mod subqueries;
mod system_columns;
mod tables;
mod templates;
mod temporal;
mod type_names;
mod value_lists;
mod varchar;
mod whole_rows;

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType as SqlType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, LimitClause,
    ObjectName, ObjectNamePart, Query, Statement, Value, ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};
use datafusion_pg_catalog::sql::rules::{
    AliasDuplicatedProjectionRewrite, CurrentUserVariableToSessionUserFunctionCall,
    RewriteArrayAnyAllOperation, RewritePgCatalogOperator, SqlStatementRewriteRule, StripCallableQualifier,
    StripCollate,
};
use pgwire::api::Type;

use super::names::separate_names;
use super::params::type_of_cast;
pub(crate) use between::SYMMETRIC;
pub(super) use casts::call;

/// Functions that ask the catalog, beside those whose names begin with `pg_` or `has_`.
const CATALOG_FUNCTIONS: [&str; 15] = [
    "regtype",
    "to_regtype",
    "regnamespace",
    "to_regnamespace",
    "regrole",
    "to_regrole",
    "obj_description",
    "col_description",
    "regclass",
    "regproc",
    "regprocedure",
    "to_regclass",
    "to_regproc",
    "to_regprocedure",
    "shobj_description",
];

/// Functions with such names that ask nothing of it: what ends a statement must not wait for a look at the store.
const OTHER_FUNCTIONS: [&str; 5] =
    ["pg_backend_pid", "pg_cancel_backend", "pg_is_in_recovery", "pg_sleep", "pg_terminate_backend"];

/// Rewrites statements; one for the whole server.
#[derive(Debug)]
pub(crate) struct Rewriter {
    rules: Vec<Arc<dyn SqlStatementRewriteRule>>,
    subqueries: subqueries::SubQueries,
}

impl Rewriter {
    pub(crate) fn new() -> Self {
        Self {
            rules: vec![
                Arc::new(RewriteArrayAnyAllOperation),
                Arc::new(StripCallableQualifier),
                Arc::new(CurrentUserVariableToSessionUserFunctionCall),
                Arc::new(StripCollate),
                Arc::new(RewritePgCatalogOperator),
            ],
            subqueries: subqueries::SubQueries::new(),
        }
    }

    /// Rewrites `statement`.
    pub(crate) fn rewrite(&self, statement: EngineStatement) -> EngineStatement {
        match statement {
            EngineStatement::Statement(inner) => {
                EngineStatement::Statement(Box::new(self.rewrite_sql(*inner)))
            }
            EngineStatement::Explain(mut explain) => {
                explain.statement = Box::new(self.rewrite(*explain.statement));
                EngineStatement::Explain(explain)
            }
            other => other,
        }
    }

    fn rewrite_sql(&self, statement: Statement) -> Statement {
        let mut statement = self.rules.iter().fold(statement, |statement, rule| rule.rewrite(statement));
        let _ = VisitMut::visit(&mut statement, &mut CatalogNames);
        empty_catalogs::rewrite(&mut statement);
        system_columns::rewrite(&mut statement);
        sets::rewrite(&mut statement, self.subqueries.scalar_functions());
        type_names::rewrite(&mut statement);
        whole_rows::rewrite(&mut statement);
        functions::rewrite(&mut statement);
        tables::rewrite(&mut statement);
        lateral_sets::rewrite(&mut statement);
        lateral::rewrite(&mut statement);
        ordered_input::rewrite(&mut statement);
        forms::rewrite(&mut statement);
        casts::to_functions(&mut statement);
        self.subqueries.rewrite(&mut statement);
        predicates::rewrite(&mut statement);
        if mentions_catalog_table(&statement) {
            statement = AliasDuplicatedProjectionRewrite.rewrite(statement);
        }
        separate_names(&mut statement);
        statement
    }
}

/// Finds the tables of `pg_catalog` without their schema, as its place on every search path says.
struct CatalogNames;

impl VisitorMut for CatalogNames {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        if let [ObjectNamePart::Identifier(ident)] = relation.0.as_slice()
            && ident.value.to_ascii_lowercase().starts_with("pg_")
        {
            let schema = ObjectNamePart::Identifier(Ident::new("pg_catalog"));
            relation.0.insert(0, schema);
        }
        ControlFlow::Continue(())
    }
}

fn mentions_catalog_table(statement: &Statement) -> bool {
    struct Relations;
    impl Visitor for Relations {
        type Break = ();

        fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
            let mut parts = relation.0.iter().filter_map(|part| part.as_ident());
            let is_catalog = parts.any(|part| {
                let name = part.value.to_ascii_lowercase();
                name == "pg_catalog" || name == "information_schema"
            });
            if is_catalog { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    Visit::visit(statement, &mut Relations).is_break()
}

/// Whether `statement` asks about tables, columns or other objects.
pub(crate) fn reads_catalog(statement: &EngineStatement) -> bool {
    struct Functions;
    impl Visitor for Functions {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if let Expr::Function(function) = expr
                && let Some(ident) = function.name.0.last().and_then(|part| part.as_ident())
            {
                let name = ident.value.to_ascii_lowercase();
                let is_named_so = name.starts_with("pg_") || name.starts_with("has_");
                if is_named_so && !OTHER_FUNCTIONS.contains(&name.as_str())
                    || CATALOG_FUNCTIONS.contains(&name.as_str())
                {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        }
    }
    match statement {
        EngineStatement::Statement(inner) if is_show(inner) => true,
        _ => sql_of(statement).is_some_and(|inner| {
            mentions_catalog_table(inner) || Visit::visit(inner, &mut Functions).is_break()
        }),
    }
}

/// `SHOW TABLES` and its like, which the planner makes into queries of `information_schema`.
fn is_show(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::ShowTables { .. }
            | Statement::ShowColumns { .. }
            | Statement::ShowFunctions { .. }
            | Statement::ShowCreate { .. }
    )
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
            if let Some((number, pg_type)) = cast_function_parameter(expr) {
                self.add(number).get_or_insert(pg_type);
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
                *expr = match casts::function_of(data_type) {
                    Some(function) => call(function, vec![expr.clone()]),
                    None => Expr::Cast {
                        kind: CastKind::Cast,
                        expr: Box::new(expr.clone()),
                        data_type: data_type.clone(),
                        array: false,
                        format: None,
                    },
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

/// A parameter whose type a function says: one that the rules have put in the place of a cast, or one that takes no other.
fn cast_function_parameter(expr: &Expr) -> Option<(usize, Type)> {
    let Expr::Function(function) = expr else { return None };
    let FunctionArguments::List(arguments) = &function.args else { return None };
    let pg_type = match function.name.to_string().as_str() {
        "uuid" => Type::UUID,
        "json" => Type::JSON,
        "jsonb" => Type::JSONB,
        "numeric" => Type::NUMERIC,
        "varchar" => Type::VARCHAR,
        "bpchar" => Type::BPCHAR,
        "timetz" => Type::TIMETZ,
        "name" => Type::NAME,
        "pg_cancel_backend" | "pg_terminate_backend" => Type::INT4,
        "uuid_array" => Type::UUID_ARRAY,
        "json_array" => Type::JSON_ARRAY,
        "jsonb_array" => Type::JSONB_ARRAY,
        _ => return None,
    };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))) = arguments.args.first() else {
        return None;
    };
    let operand = match argument {
        Expr::Cast { expr, .. } => expr.as_ref(),
        other => other,
    };
    parameter_number(operand).map(|number| (number, pg_type))
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
mod testing {
    use datafusion::sql::sqlparser::ast::Statement;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    /// The statement as text after `rewrite`.
    pub(super) fn rewritten<R>(sql: &str, rewrite: impl FnOnce(&mut Statement) -> R) -> String {
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap().remove(0);
        rewrite(&mut statement);
        statement.to_string()
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
        Rewriter::new().rewrite(parse(sql)).to_string()
    }

    #[test]
    fn an_analysts_statement_keeps_its_meaning() {
        let correlated = "SELECT (SELECT max(s.ts) FROM s WHERE s.user_id = t.user_id) AS latest FROM t";
        assert_eq!(rewritten(correlated), correlated);
        assert_eq!(rewritten("SELECT pg_catalog.version()"), "SELECT version()");
        assert_eq!(rewritten("SELECT 1, 1"), "SELECT int4(1), int4(1) AS \"int4(1) (2)\"");
    }

    #[test]
    fn catalog_tables_are_found_without_their_schema() {
        assert_eq!(rewritten("SELECT relname FROM pg_class"), "SELECT relname FROM pg_catalog.pg_class");
        assert!(reads_catalog(&parse("SELECT 1 FROM pg_catalog.pg_class")));
        assert!(reads_catalog(&parse("SELECT has_table_privilege('t', 'SELECT')")));
        assert!(!reads_catalog(&parse("SELECT a FROM t")));
        assert!(!reads_catalog(&parse("SELECT pg_cancel_backend(7), pg_catalog.pg_backend_pid()")));
    }

    #[test]
    fn casts_to_types_with_a_meaning_of_their_own_become_functions() {
        assert_eq!(rewritten("SELECT 't'::regclass::oid"), "SELECT oid(regclass('t'))");
        assert_eq!(rewritten("SELECT a::pg_catalog.regtype::text FROM t"), "SELECT regtype(a)::TEXT FROM t");
        assert_eq!(rewritten("SELECT '{}'::jsonb, a::uuid FROM t"), "SELECT jsonb('{}'), uuid(a) FROM t");
        assert_eq!(
            rewritten("SELECT a::varchar(3), b::char(2), '1.50'::numeric, -'1e3'::numeric FROM t"),
            "SELECT varchar(CAST(a AS TEXT), 3), bpchar(CAST(b AS TEXT), 2), CAST(1.50 AS NUMERIC(3,2)), \
             -CAST(1000 AS NUMERIC(4,0)) FROM t"
        );
        assert_eq!(
            rewritten("SELECT a FROM t WHERE a::varchar = 'x'"),
            "SELECT a FROM t WHERE a::VARCHAR = 'x'"
        );
    }

    #[test]
    fn sub_queries_give_one_value() {
        assert_eq!(
            rewritten("SELECT (SELECT d.a FROM d WHERE d.id = t.id) FROM t"),
            "SELECT (SELECT single_value(d.a) FROM d WHERE d.id = t.id) FROM t"
        );
        assert_eq!(
            rewritten("SELECT (SELECT d.a FROM d WHERE d.id = t.id ORDER BY d.b LIMIT 1) FROM t"),
            "SELECT (SELECT first_value(d.a ORDER BY d.b) FROM d WHERE d.id = t.id) FROM t"
        );
        // A column of the outer query stays what it is, though the inner one that it equals may be of another type.
        let row = "(SELECT single_value(true) FROM d WHERE d.id = t.id)";
        assert_eq!(
            rewritten("SELECT (SELECT t.id FROM d WHERE d.id = t.id) FROM t"),
            format!("SELECT CASE WHEN {row} THEN t.id END AS id FROM t")
        );
        assert_eq!(
            rewritten("SELECT (SELECT t.id || d.a FROM d WHERE d.id = t.id) AS x FROM t"),
            format!(
                "SELECT CASE WHEN {row} THEN t.id || (SELECT single_value(d.a) FROM d WHERE d.id = t.id) END AS x FROM t"
            )
        );
        let plain = "SELECT (SELECT a FROM d) FROM t";
        assert_eq!(rewritten(plain), plain);
        assert_eq!(
            rewritten("SELECT ARRAY(SELECT d.a FROM d WHERE d.id = t.id ORDER BY 1) FROM t"),
            "SELECT (SELECT array_agg(d.a ORDER BY d.a) FROM d WHERE d.id = t.id) FROM t"
        );
    }

    #[test]
    fn parameters_are_counted_and_typed_by_casts() {
        let statement = parse("SELECT $2::bigint FROM t WHERE a = $3 LIMIT $1");
        assert_eq!(parameters(&statement), [Some(Type::INT8), Some(Type::INT8), None]);
        let any = Rewriter::new().rewrite(parse("SELECT a FROM t WHERE a = ANY($1)"));
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
