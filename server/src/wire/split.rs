//! Cuts a query message into statements.
//!
//! Works on tokens, so that semicolons in strings, quoted names, comments and dollar quotes do not cut.

use std::ops::Range;

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};
use pgwire::error::{ErrorInfo, PgWireResult};

use wayfare_engine::limits::Limit;
use wayfare_engine::statement::Positions;

use super::place;
use super::rewrite::SYMMETRIC;
use crate::error::{error_info, from_engine, sqlstate, user_error};

/// One statement of a query message.
#[derive(Debug, Clone)]
pub(crate) struct StatementText {
    /// The text, without the semicolon. Never logged.
    pub text: String,
    /// Bytes of the message before `text`.
    offset_bytes: usize,
    /// Characters of the message before `text`.
    pub offset_chars: usize,
    /// The tokens of `text` without white space and comments.
    pub tokens: Vec<Token>,
    // Where each token stands in `text`, in bytes.
    places: Vec<Range<usize>>,
}

impl StatementText {
    /// Token `index` as it was written.
    pub(crate) fn token_text(&self, index: usize) -> Option<&str> {
        self.text.get(self.places.get(index)?.clone())
    }

    /// The position of token `index` in the message, or of the end, counted in characters from 1.
    pub(crate) fn position(&self, index: usize) -> usize {
        let start = self.places.get(index).map_or(self.text.len(), |place| place.start);
        self.offset_chars + self.text.get(..start).unwrap_or_default().chars().count() + 1
    }

    /// The statement with a mark of the same length for `SYMMETRIC` behind each `BETWEEN`, which the engine's parser does
    /// not know; `None` if there is none.
    pub(crate) fn symmetric_marked(&self) -> Option<Self> {
        let is_word = |token: &Token, known: &str| match token {
            Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(known),
            _ => false,
        };
        let mut text = self.text.clone();
        for (pair, place) in self.tokens.windows(2).zip(self.places.iter().skip(1)) {
            if is_word(&pair[0], "BETWEEN") && is_word(&pair[1], "SYMMETRIC") {
                text.replace_range(place.clone(), SYMMETRIC);
            }
        }
        (text != self.text).then(|| Self { text, ..self.clone() })
    }

    /// The text with `SELECT * FROM t` for each `TABLE t`, which the engine's parser does not know; `None` if there is
    /// none.
    pub(crate) fn without_table_commands(&self) -> Option<String> {
        let is_word = |token: &Token, words: &[&str]| match token {
            Token::Word(word) if word.quote_style.is_none() => {
                words.iter().any(|known| word.value.eq_ignore_ascii_case(known))
            }
            _ => false,
        };
        let mut text = String::new();
        let mut copied = 0;
        for (index, token) in self.tokens.iter().enumerate() {
            let begins = match index.checked_sub(1).and_then(|before| self.tokens.get(before)) {
                None => true,
                Some(Token::LParen) => {
                    // Not the data of a table function, `f(TABLE t)`.
                    let outside = self.tokens.iter().take(index).rev().find(|token| **token != Token::LParen);
                    match outside {
                        Some(Token::Word(word)) => {
                            word.quote_style.is_none()
                                && BEFORE_QUERIES.iter().any(|known| word.value.eq_ignore_ascii_case(known))
                        }
                        _ => true,
                    }
                }
                Some(before) => is_word(before, &["UNION", "EXCEPT", "INTERSECT", "ALL"]),
            };
            let names = matches!(self.tokens.get(index + 1), Some(Token::Word(_)));
            if begins && names && is_word(token, &["TABLE"]) {
                let place = self.places.get(index)?;
                text.push_str(self.text.get(copied..place.start)?);
                text.push_str("SELECT * FROM");
                copied = place.end;
            }
        }
        text.push_str(self.text.get(copied..)?);
        (copied > 0).then_some(text)
    }

    /// The statement that the tokens of `range` make inside this one.
    pub(crate) fn inner(&self, range: Range<usize>) -> Self {
        let places = self.places.get(range.clone()).unwrap_or_default();
        let start = places.first().map_or(self.text.len(), |place| place.start);
        let end = places.last().map_or(start, |place| place.end);
        Self {
            text: self.text.get(start..end).unwrap_or_default().to_owned(),
            offset_bytes: self.offset_bytes + start,
            offset_chars: self.position(range.start) - 1,
            places: places.iter().map(|place| place.start - start..place.end - start).collect(),
            tokens: self.tokens.get(range).unwrap_or_default().to_vec(),
        }
    }
}

/// Words that a query in brackets follows on, while other words before a bracket are names of functions.
const BEFORE_QUERIES: [&str; 16] = [
    "ALL",
    "ANY",
    "ARRAY",
    "AS",
    "BY",
    "COPY",
    "EXCEPT",
    "EXISTS",
    "FROM",
    "IN",
    "INTERSECT",
    "JOIN",
    "LATERAL",
    "SELECT",
    "SOME",
    "UNION",
];

/// Cuts `message` into its statements; none if it holds white space, comments and semicolons only.
///
/// # Errors
/// 54000 for a message that is too long or has too many statements, 42601 for text that has no tokens (an open quote). O(n) time and memory.
pub(crate) fn split(message: &str) -> PgWireResult<Vec<StatementText>> {
    Limit::Bytes.check(message.len()).map_err(|e| user_error(from_engine(&e)))?;
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, message).tokenize_with_location().map_err(|e| {
        let mut info = match e.message.starts_with("Unterminated string literal") {
            true => {
                let start = Positions::new(message).byte_index(e.location);
                let rest = message.get(start..).unwrap_or_default();
                error_info(
                    sqlstate::SYNTAX_ERROR,
                    format!("unterminated quoted string at or near \"{rest}\""),
                )
            }
            false => error_info(sqlstate::SYNTAX_ERROR, format!("syntax error: {}", e.message)),
        };
        info.position = Positions::new(message).char_index(e.location).map(|index| (index + 1).to_string());
        user_error(info)
    })?;

    let mut positions = Positions::new(message);
    let mut statements = Vec::new();
    let mut current: Vec<(Token, Range<usize>)> = Vec::new();
    let mut start = 0;
    for token in tokens {
        match token.token {
            Token::SemiColon => {
                let end = positions.byte_index(token.span.start);
                push_statement(&mut statements, message, start..end, std::mem::take(&mut current));
                Limit::Statements.check(statements.len()).map_err(|e| user_error(from_engine(&e)))?;
                start = positions.byte_index(token.span.end);
            }
            Token::Whitespace(_) | Token::EOF => {}
            other => {
                let begin = positions.byte_index(token.span.start);
                current.push((other, begin..positions.byte_index(token.span.end)));
            }
        }
    }
    push_statement(&mut statements, message, start..message.len(), current);
    Ok(statements)
}

fn push_statement(
    statements: &mut Vec<StatementText>,
    message: &str,
    bytes: Range<usize>,
    tokens: Vec<(Token, Range<usize>)>,
) {
    if tokens.is_empty() {
        return;
    }
    let start = bytes.start;
    let (tokens, places): (Vec<Token>, Vec<Range<usize>>) = tokens.into_iter().unzip();
    // From the statement before, so that a message of many statements is read once.
    let (counted_bytes, counted_chars) =
        statements.last().map_or((0, 0), |last| (last.offset_bytes, last.offset_chars));
    let between = message.get(counted_bytes..bytes.start).unwrap_or_default();
    statements.push(StatementText {
        offset_bytes: bytes.start,
        offset_chars: counted_chars + between.chars().count(),
        text: message.get(bytes).unwrap_or_default().to_owned(),
        tokens,
        places: places.into_iter().map(|place| place.start - start..place.end - start).collect(),
    });
}

/// Replaces a `line:column` position of a parse error by the character position in the client's message.
pub(crate) fn place_error(mut info: ErrorInfo, statement: &StatementText) -> ErrorInfo {
    let Some(position) = info.position.take() else {
        let location = place::locate(&mut info, &statement.text);
        let index = match location {
            Some(location) => Positions::new(&statement.text).char_index(location),
            None if info.message == "syntax error at end of input" => Some(statement.text.chars().count()),
            None => None,
        };
        info.position = index.map(|index| (statement.offset_chars + index + 1).to_string());
        return info;
    };
    if let Some((line, column)) = position.split_once(':')
        && let (Ok(line), Ok(column)) = (line.parse(), column.parse())
    {
        info.position = Positions::new(&statement.text)
            .char_index(Location { line, column })
            .map(|index| (statement.offset_chars + index + 1).to_string());
    }
    info
}

#[cfg(test)]
mod tests {
    use wayfare_engine::limits::{MAX_STATEMENT_BYTES, MAX_STATEMENTS};

    use super::*;

    fn texts(message: &str) -> Vec<String> {
        split(message).unwrap().into_iter().map(|s| s.text.trim().to_owned()).collect()
    }

    #[test]
    fn semicolons_in_quotes_and_comments_do_not_cut() {
        assert_eq!(
            texts("SELECT ';' AS \"a;b\"; -- c;\nSELECT $$;$$ /* ; */;"),
            ["SELECT ';' AS \"a;b\"", "-- c;\nSELECT $$;$$ /* ; */"]
        );
        assert_eq!(texts(" ;; -- nothing\n ; "), Vec::<String>::new());
    }

    #[test]
    fn offsets_count_characters() {
        let statements = split("SELECT 'ä';\n SELECT 2").unwrap();
        assert_eq!(statements[1].offset_chars, 11);
        let mut info = error_info("42601", "syntax error");
        info.position = Some("2:9".to_owned());
        assert_eq!(place_error(info, &statements[1]).position.as_deref(), Some("21"));
    }

    #[test]
    fn inner_statements_keep_their_place() {
        let statement = &split("SELECT 'ä'; COPY (SELECT 'ö', x) TO STDOUT").unwrap()[1];
        let inner = statement.inner(2..6);
        assert_eq!(inner.text, "SELECT 'ö', x");
        assert_eq!(inner.token_text(3), Some("x"));
        assert_eq!(inner.position(3), 31);
        assert_eq!(statement.position(statement.tokens.len()), 43);
    }

    #[test]
    fn table_commands_are_queries() {
        let rewritten = |sql: &str| split(sql).unwrap()[0].without_table_commands();
        assert_eq!(rewritten("TABLE t").as_deref(), Some("SELECT * FROM t"));
        assert_eq!(rewritten("SELECT * FROM f(TABLE t) JOIN g((TABLE u)) ON true"), None);
        assert_eq!(
            rewritten("SELECT 1 FROM (table s.t) UNION ALL TABLE u").as_deref(),
            Some("SELECT 1 FROM (SELECT * FROM s.t) UNION ALL SELECT * FROM u")
        );
        for other in
            ["CREATE TABLE t AS SELECT 1", "DROP TABLE t", "SELECT '(TABLE t)'", "SELECT \"table\" FROM t"]
        {
            assert_eq!(rewritten(other), None, "{other}");
        }
    }

    #[test]
    fn long_messages_are_refused() {
        let long = format!("SELECT '{}'", "x".repeat(MAX_STATEMENT_BYTES));
        assert!(split(&long).unwrap_err().to_string().contains("54000"));
        let many = split(&"SELECT 1;".repeat(MAX_STATEMENTS)).unwrap();
        assert_eq!(many.len(), MAX_STATEMENTS);
        assert_eq!(many[900].offset_chars, 8_100);
        let more = split(&"SELECT 1;".repeat(MAX_STATEMENTS + 1)).unwrap_err().to_string();
        assert!(more.contains("54000") && more.contains("1000"), "{more}");
        assert!(split(&";".repeat(MAX_STATEMENT_BYTES)).unwrap().is_empty());
    }

    #[test]
    fn an_open_quote_is_a_syntax_error_with_its_place() {
        let error = split("SELECT 1;\nSELECT 'abc").unwrap_err();
        let pgwire::error::PgWireError::UserError(info) = error else {
            panic!("not a user error");
        };
        assert_eq!(info.code, "42601");
        assert_eq!(info.position.as_deref(), Some("18"));
    }
}
