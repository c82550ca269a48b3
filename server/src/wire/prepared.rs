//! `PREPARE` and `EXECUTE`, and the names under which a session knows its prepared statements: those of the protocol
//! and those of SQL share them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use pgwire::api::{DEFAULT_NAME, Type};
use pgwire::error::{PgWireError, PgWireResult};

use super::params::type_of_cast;
use super::session::Prepared;
use super::split::StatementText;
use super::tokens::{Tokens, string_value};
use crate::error::{error, sqlstate};

/// What a statement that can be prepared begins with.
const PREPARABLE: [&str; 8] = ["SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE"];

/// What `PREPARE` says, and where its statement stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PrepareText {
    pub name: String,
    /// The whole statement, as `pg_prepared_statements` shows it.
    pub text: String,
    /// Types of its first parameters; `None` where it leaves them open.
    pub types: Vec<Option<Type>>,
    /// Tokens before the statement.
    pub statement_at: usize,
}

/// What `EXECUTE` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExecuteText {
    pub name: String,
    pub arguments: Vec<Argument>,
}

/// A value for a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Argument {
    Null,
    /// A literal without a type of its own.
    Literal(String),
    /// An expression, as it was written.
    Expression(String),
}

/// Recognises a `PREPARE`; `None` if `text` is another statement.
///
/// # Errors
/// 42601 for a malformed statement, 42704 for a type that there is not.
pub(crate) fn parse_prepare(text: &StatementText) -> PgWireResult<Option<PrepareText>> {
    let mut tokens = Tokens::new(text);
    if !tokens.accept("PREPARE") {
        return Ok(None);
    }
    let name = tokens.name()?;
    let mut types = Vec::new();
    if tokens.accept_token(&Token::LParen) {
        for range in list(&mut tokens)? {
            types.push(type_named(&text.inner(range).text)?);
        }
    }
    tokens.expect("AS")?;
    let is_preparable = match tokens.peek() {
        Some(Token::LParen) => true,
        Some(Token::Word(word)) => {
            word.quote_style.is_none()
                && PREPARABLE.iter().any(|first| word.value.eq_ignore_ascii_case(first))
        }
        _ => false,
    };
    if !is_preparable {
        return Err(tokens.syntax_error());
    }
    let whole = text.text.trim().to_owned();
    Ok(Some(PrepareText { name, text: whole, types, statement_at: tokens.taken() }))
}

/// Recognises an `EXECUTE`; `None` if `text` is another statement.
///
/// # Errors
/// 42601 for a malformed statement.
pub(crate) fn parse_execute(text: &StatementText) -> PgWireResult<Option<ExecuteText>> {
    let mut tokens = Tokens::new(text);
    if !tokens.accept("EXECUTE") {
        return Ok(None);
    }
    let name = tokens.name()?;
    let mut arguments = Vec::new();
    if tokens.accept_token(&Token::LParen) {
        for range in list(&mut tokens)? {
            let inner = text.inner(range);
            arguments.push(match inner.tokens.as_slice() {
                [Token::Word(word)]
                    if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("null") =>
                {
                    Argument::Null
                }
                [one] => match string_value(one) {
                    Some(literal) => Argument::Literal(literal),
                    None => Argument::Expression(inner.text),
                },
                _ => Argument::Expression(inner.text),
            });
        }
    }
    tokens.end()?;
    Ok(Some(ExecuteText { name, arguments }))
}

/// The places of the items of a list, whose opening parenthesis has been taken; takes the closing one too.
fn list(tokens: &mut Tokens<'_>) -> PgWireResult<Vec<Range<usize>>> {
    let mut items = Vec::new();
    let mut start = tokens.taken();
    let mut open = 0_usize;
    loop {
        let at = tokens.taken();
        let ends = match tokens.peek() {
            None => return Err(tokens.syntax_error()),
            Some(Token::LParen | Token::LBracket) => {
                open += 1;
                false
            }
            Some(Token::RParen) if open == 0 => true,
            Some(Token::RParen | Token::RBracket) => {
                open = open.saturating_sub(1);
                false
            }
            Some(Token::Comma) if open == 0 => {
                if start == at {
                    return Err(tokens.syntax_error());
                }
                items.push(start..at);
                start = at + 1;
                false
            }
            Some(_) => false,
        };
        if ends && start == at {
            return Err(tokens.syntax_error());
        }
        tokens.next();
        if ends {
            items.push(start..at);
            return Ok(items);
        }
    }
}

/// The type called `name`; `None` for `unknown`, which leaves it open.
fn type_named(name: &str) -> PgWireResult<Option<Type>> {
    if name.eq_ignore_ascii_case("unknown") {
        return Ok(None);
    }
    let parsed = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(name)
        .and_then(|mut parser| parser.parse_data_type())
        .map_err(|_| error(sqlstate::SYNTAX_ERROR, format!("syntax error at or near \"{name}\"")))?;
    match type_of_cast(&parsed) {
        Some(pg_type) => Ok(Some(pg_type)),
        None => Err(error(sqlstate::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))),
    }
}

/// A prepared statement that has a name.
#[derive(Debug, Clone)]
pub(crate) struct PreparedStatement {
    pub text: String,
    pub statement: Prepared,
    /// Types of parameters, as far as the client or `PREPARE` said.
    pub declared: Vec<Option<Type>>,
    /// Types of all parameters, where they are known already.
    pub types: Vec<Type>,
    /// Whether `PREPARE` made it; the others are in the protocol's own store.
    pub from_sql: bool,
    pub since: DateTime<Utc>,
}

/// The prepared statements of a session that have names.
#[derive(Debug, Default)]
pub(crate) struct PreparedStatements(BTreeMap<String, Arc<PreparedStatement>>);

impl PreparedStatements {
    /// Adds a statement.
    ///
    /// # Errors
    /// 42P05 if there is one of that name.
    pub(crate) fn add(&mut self, name: &str, statement: PreparedStatement) -> PgWireResult<()> {
        self.check_free(name)?;
        self.0.insert(name.to_owned(), Arc::new(statement));
        Ok(())
    }

    /// Refuses a name that is taken.
    ///
    /// # Errors
    /// 42P05.
    pub(crate) fn check_free(&self, name: &str) -> PgWireResult<()> {
        if !self.0.contains_key(name) {
            return Ok(());
        }
        Err(error(
            sqlstate::DUPLICATE_PREPARED_STATEMENT,
            format!("prepared statement \"{name}\" already exists"),
        ))
    }

    /// The statement called `name`.
    ///
    /// # Errors
    /// 26000 if there is none.
    pub(crate) fn get(&self, name: &str) -> PgWireResult<Arc<PreparedStatement>> {
        self.0.get(name).cloned().ok_or_else(|| no_statement(name))
    }

    /// Removes the statement called `name`; whether there was one.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// Removes all; returns their names.
    pub(crate) fn remove_all(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0).into_keys().collect()
    }

    /// All statements by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &PreparedStatement)> {
        self.0.iter().map(|(name, statement)| (name.as_str(), statement.as_ref()))
    }
}

pub(crate) fn no_statement(name: &str) -> PgWireError {
    let message = match name {
        DEFAULT_NAME => "unnamed prepared statement does not exist".to_owned(),
        name => format!("prepared statement \"{name}\" does not exist"),
    };
    error(sqlstate::INVALID_SQL_STATEMENT_NAME, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::split::split;

    fn one(sql: &str) -> StatementText {
        split(sql).unwrap().remove(0)
    }

    #[test]
    fn types_and_arguments_are_read() {
        let text = one("PREPARE \"One\" (text, numeric(10, 2), unknown) AS SELECT $1");
        let prepare = parse_prepare(&text).unwrap().unwrap();
        assert_eq!((prepare.name.as_str(), prepare.statement_at), ("One", 15));
        assert_eq!(prepare.types, [Some(Type::TEXT), Some(Type::NUMERIC), None]);
        assert_eq!(text.inner(prepare.statement_at..text.tokens.len()).text, "SELECT $1");

        let execute = parse_execute(&one("execute A ('x', NULL, f(1, 2) + 1)")).unwrap().unwrap();
        assert_eq!(execute.name, "a");
        assert_eq!(
            execute.arguments,
            [
                Argument::Literal("x".to_owned()),
                Argument::Null,
                Argument::Expression("f(1, 2) + 1".to_owned())
            ]
        );
        assert!(parse_execute(&one("SELECT 1")).unwrap().is_none());
    }

    #[test]
    fn malformed_statements_are_refused() {
        for sql in [
            "PREPARE",
            "PREPARE a SELECT 1",
            "PREPARE a () AS SELECT 1",
            "PREPARE a (int,) AS SELECT 1",
            "PREPARE a AS BEGIN",
            "PREPARE a (int AS SELECT 1",
        ] {
            let refused = parse_prepare(&one(sql)).unwrap_err().to_string();
            assert!(refused.contains("42601"), "{sql}: {refused}");
        }
        assert!(
            parse_prepare(&one("PREPARE a (colour) AS SELECT 1")).unwrap_err().to_string().contains("42704")
        );
        for sql in ["EXECUTE", "EXECUTE a ()", "EXECUTE a (1", "EXECUTE a (,1)", "EXECUTE a b"] {
            assert!(parse_execute(&one(sql)).unwrap_err().to_string().contains("42601"), "{sql}");
        }
    }

    #[test]
    fn names_are_used_once() {
        let mut statements = PreparedStatements::default();
        let statement = PreparedStatement {
            text: String::new(),
            statement: Prepared::CloseCursor(None),
            declared: Vec::new(),
            types: Vec::new(),
            from_sql: true,
            since: Utc::now(),
        };
        statements.add("a", statement.clone()).unwrap();
        assert!(statements.add("a", statement).unwrap_err().to_string().contains("42P05"));
        assert!(statements.get("b").unwrap_err().to_string().contains("26000"));
        assert!(statements.remove("a") && !statements.remove("a"));
        assert!(statements.remove_all().is_empty());
    }
}
