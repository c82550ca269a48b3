//! `COPY`: a query or a table to the client, rows of the client into a touchpoint table.

mod binary;
mod csv;
mod input;
mod load;
mod options;
mod output;
mod stage;
mod text;

use std::ops::Range;
use std::sync::Arc;

use datafusion::sql::sqlparser::tokenizer::Token;
use pgwire::error::{PgWireError, PgWireResult};

pub(crate) use self::input::{ActiveCopy, Received};
pub(crate) use self::load::without_position;
pub(crate) use self::options::{CopyFormat, CopyOptions};
pub(crate) use self::output::CopyWriter;
pub(crate) use self::stage::StagedCopy;
use super::session::SqlStatement;
use super::split::StatementText;
use super::tokens::Tokens;
use crate::error::{error, error_info, sqlstate, user_error};

/// The name of a table, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    pub schema: Option<String>,
    pub table: String,
}

impl TableName {
    /// As SQL, with quotes.
    pub(crate) fn to_sql(&self) -> String {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        match &self.schema {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(&self.table)),
            None => quoted(&self.table),
        }
    }
}

/// A `COPY` statement as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CopyStatement {
    Query { query: Range<usize>, options: CopyOptions },
    TableOut { table: TableName, columns: Option<Vec<String>>, options: CopyOptions },
    TableIn { table: TableName, columns: Option<Vec<String>>, options: CopyOptions },
}

/// `COPY ... TO STDOUT`.
#[derive(Debug)]
pub(crate) struct CopyOut {
    pub source: CopySource,
    pub options: CopyOptions,
}

/// What is copied out.
#[derive(Debug)]
pub(crate) enum CopySource {
    Query(Arc<SqlStatement>),
    Table { table: TableName, columns: Option<Vec<String>> },
}

/// `COPY ... FROM STDIN`.
#[derive(Debug)]
pub(crate) struct CopyIn {
    pub table: TableName,
    pub columns: Option<Vec<String>>,
    pub options: CopyOptions,
}

impl CopyStatement {
    /// Recognises a `COPY` by its tokens; `None` if it is another statement.
    ///
    /// # Errors
    /// 42601 for a malformed statement, 42501 for files and programs of the server, those of its options.
    pub(super) fn parse(text: &StatementText) -> PgWireResult<Option<Self>> {
        let mut tokens = Tokens::new(text);
        if !tokens.accept("COPY") {
            return Ok(None);
        }
        let binary = tokens.accept("BINARY");
        if tokens.accept_token(&Token::LParen) {
            let query = brackets(&mut tokens)?;
            tokens.expect("TO")?;
            target(&mut tokens, "STDOUT", "STDIN")?;
            let options = CopyOptions::parse(&mut tokens, binary, true)?;
            tokens.end()?;
            return Ok(Some(Self::Query { query, options }));
        }
        let first = tokens.name()?;
        let table = if tokens.accept_token(&Token::Period) {
            TableName { schema: Some(first), table: tokens.name()? }
        } else {
            TableName { schema: None, table: first }
        };
        let columns = match tokens.accept_token(&Token::LParen) {
            true => Some(names(&mut tokens)?),
            false => None,
        };
        if tokens.accept("TO") {
            target(&mut tokens, "STDOUT", "STDIN")?;
            let options = CopyOptions::parse(&mut tokens, binary, true)?;
            if tokens.accept("WHERE") {
                return Err(error(sqlstate::SYNTAX_ERROR, "WHERE clause not allowed with COPY TO"));
            }
            tokens.end()?;
            return Ok(Some(Self::TableOut { table, columns, options }));
        }
        tokens.expect("FROM")?;
        target(&mut tokens, "STDIN", "STDOUT")?;
        let options = CopyOptions::parse(&mut tokens, binary, false)?;
        if tokens.accept("WHERE") {
            return Err(error(
                sqlstate::FEATURE_NOT_SUPPORTED,
                "COPY FROM with WHERE is not supported: leave rows out before they are sent",
            ));
        }
        tokens.end()?;
        Ok(Some(Self::TableIn { table, columns, options }))
    }
}

/// Takes the tokens up to the bracket that closes the one just taken; returns their range.
fn brackets(tokens: &mut Tokens<'_>) -> PgWireResult<Range<usize>> {
    let start = tokens.taken();
    let mut depth = 1;
    loop {
        let end = tokens.taken();
        match tokens.next() {
            Some(Token::LParen) => depth += 1,
            Some(Token::RParen) => depth -= 1,
            Some(_) => {}
            None => return Err(tokens.syntax_error()),
        }
        if depth == 0 {
            return Ok(start..end);
        }
    }
}

/// Takes `name, name)`.
fn names(tokens: &mut Tokens<'_>) -> PgWireResult<Vec<String>> {
    let mut names = vec![tokens.name()?];
    while tokens.accept_token(&Token::Comma) {
        names.push(tokens.name()?);
    }
    tokens.expect_token(&Token::RParen)?;
    Ok(names)
}

/// Takes the place to copy to or from, which is the client: either name means that, as in PostgreSQL.
fn target(tokens: &mut Tokens<'_>, name: &str, other: &str) -> PgWireResult<()> {
    if tokens.accept(name) || tokens.accept(other) {
        return Ok(());
    }
    let refused = |what: &str| {
        let mut info = error_info(
            sqlstate::INSUFFICIENT_PRIVILEGE,
            format!("permission denied to COPY to or from {what}"),
        );
        info.hint = Some(
            "Only COPY to stdout or from stdin is allowed. psql's \\copy command reads and writes files of the client."
                .to_owned(),
        );
        user_error(info)
    };
    if tokens.accept("PROGRAM") {
        tokens.string()?;
        return Err(refused("an external program"));
    }
    tokens.string()?;
    Err(refused("a file of the server"))
}

/// 42703 for a column that `table` lacks.
pub(super) fn no_column(column: &str, table: &TableName) -> PgWireError {
    error(
        sqlstate::UNDEFINED_COLUMN,
        format!("column \"{column}\" of relation \"{}\" does not exist", table.table),
    )
}

/// The columns to copy: those asked for, else all; each must be one of `all`.
///
/// # Errors
/// 42703 for an unknown column, 42701 for one that is named twice.
pub(crate) fn chosen_columns(
    asked: Option<&[String]>,
    all: &[String],
    table: &TableName,
) -> PgWireResult<Vec<String>> {
    let Some(asked) = asked else {
        return Ok(all.to_vec());
    };
    for (index, column) in asked.iter().enumerate() {
        if !all.contains(column) {
            return Err(no_column(column, table));
        }
        if asked[..index].contains(column) {
            return Err(error(
                sqlstate::DUPLICATE_COLUMN,
                format!("column \"{column}\" specified more than once"),
            ));
        }
    }
    Ok(asked.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::split::split;

    fn parse(sql: &str) -> PgWireResult<CopyStatement> {
        CopyStatement::parse(&split(sql).unwrap()[0]).map(Option::unwrap)
    }

    #[test]
    fn sources_and_targets() {
        let statement = &split("COPY (SELECT (1), ')') TO STDOUT").unwrap()[0];
        match CopyStatement::parse(statement).unwrap().unwrap() {
            CopyStatement::Query { query, .. } => assert_eq!(statement.inner(query).text, "SELECT (1), ')'"),
            other => panic!("{other:?}"),
        }
        let table = TableName { schema: Some("public".to_owned()), table: "T".to_owned() };
        let columns = Some(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(
            parse("COPY public.\"T\" (A, b) FROM STDIN").unwrap(),
            CopyStatement::TableIn { table, columns, options: CopyOptions::default() }
        );
        for (sql, code) in [
            ("COPY t TO '/tmp/x'", "42501"),
            ("COPY t FROM '/etc/passwd' CSV", "42501"),
            ("COPY t FROM PROGRAM 'ls'", "42501"),
            ("COPY (SELECT 1) FROM STDIN", "42601"),
            ("COPY (SELECT 1 TO STDOUT", "42601"),
            ("COPY t TO STDOUT WHERE a = 1", "42601"),
            ("COPY t FROM STDIN WHERE a = 1", "0A000"),
            ("COPY t", "42601"),
        ] {
            let refused = parse(sql).unwrap_err().to_string();
            assert!(refused.contains(code), "{sql}: {refused}");
        }
    }
}
