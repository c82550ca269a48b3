//! Cuts a query message into statements, and counts what makes a statement too heavy to plan.
//!
//! Works on tokens, so that semicolons in strings, quoted names, comments and dollar quotes do not cut.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};
use pgwire::error::{ErrorInfo, PgWireResult};

use crate::error::{error_info, sqlstate, user_error};
use crate::limits::{MAX_STATEMENT_BYTES, MAX_STATEMENT_JOINS, MAX_STATEMENT_OPERATORS};

/// One statement of a query message.
#[derive(Debug, Clone)]
pub(crate) struct StatementText {
    /// The text, without the semicolon. Never logged.
    pub text: String,
    /// Characters of the message before `text`.
    pub offset_chars: usize,
    /// The tokens of `text` without white space and comments.
    pub tokens: Vec<Token>,
}

/// Cuts `message` into its statements; none if it holds white space, comments and semicolons only.
///
/// # Errors
/// 54000 for a message that is too long, 54001 for a statement with too many operators or joins, 42601 for text that
/// has no tokens (an open quote). O(n) time and memory.
pub(crate) fn split(message: &str) -> PgWireResult<Vec<StatementText>> {
    if message.len() > MAX_STATEMENT_BYTES {
        return Err(user_error(error_info(
            sqlstate::PROGRAM_LIMIT_EXCEEDED,
            format!(
                "statement of {} bytes is too long: at most {MAX_STATEMENT_BYTES} are accepted",
                message.len()
            ),
        )));
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, message).tokenize_with_location().map_err(|e| {
        let mut info = error_info(sqlstate::SYNTAX_ERROR, format!("syntax error: {}", e.message));
        info.position = Positions::new(message).char_index(e.location).map(|index| (index + 1).to_string());
        user_error(info)
    })?;

    let positions = Positions::new(message);
    let mut statements = Vec::new();
    let mut current: Vec<Token> = Vec::new();
    let mut start = 0;
    for token in tokens {
        match token.token {
            Token::SemiColon => {
                let end = positions.byte_index(token.span.start);
                push_statement(&mut statements, message, start..end, std::mem::take(&mut current))?;
                start = positions.byte_index(token.span.end);
            }
            Token::Whitespace(_) | Token::EOF => {}
            other => current.push(other),
        }
    }
    push_statement(&mut statements, message, start..message.len(), current)?;
    Ok(statements)
}

fn push_statement(
    statements: &mut Vec<StatementText>,
    message: &str,
    bytes: std::ops::Range<usize>,
    tokens: Vec<Token>,
) -> PgWireResult<()> {
    if tokens.is_empty() {
        return Ok(());
    }
    check_weight(&tokens)?;
    let before = message.get(..bytes.start).unwrap_or_default();
    statements.push(StatementText {
        text: message.get(bytes).unwrap_or_default().to_owned(),
        offset_chars: before.chars().count(),
        tokens,
    });
    Ok(())
}

fn check_weight(tokens: &[Token]) -> PgWireResult<()> {
    let mut operators = 0_usize;
    let mut joins = 0_usize;
    for token in tokens {
        match token {
            Token::Word(word) => match word.keyword {
                Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::CASE | Keyword::BETWEEN => {
                    operators += 1
                }
                Keyword::JOIN | Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT => joins += 1,
                _ => {}
            },
            Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::Mod
            | Token::StringConcat
            | Token::Eq
            | Token::Neq
            | Token::Lt
            | Token::Gt
            | Token::LtEq
            | Token::GtEq
            | Token::DoubleColon
            | Token::Pipe
            | Token::Ampersand
            | Token::Caret
            | Token::Arrow
            | Token::LongArrow => operators += 1,
            _ => {}
        }
    }
    let too_many = |what: &str, found: usize, limit: usize| {
        Err(user_error(error_info(
            sqlstate::STATEMENT_TOO_COMPLEX,
            format!("statement has {found} {what}, at most {limit} are accepted"),
        )))
    };
    if operators > MAX_STATEMENT_OPERATORS {
        return too_many("operators", operators, MAX_STATEMENT_OPERATORS);
    }
    if joins > MAX_STATEMENT_JOINS {
        return too_many("joins and set operations", joins, MAX_STATEMENT_JOINS);
    }
    Ok(())
}

/// Replaces a `line:column` position of a parse error by the character position in the client's message.
pub(crate) fn place_error(mut info: ErrorInfo, statement: &StatementText) -> ErrorInfo {
    let Some(position) = info.position.take() else {
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

/// From the tokenizer's lines and columns (both from 1, columns in characters) to places in the text.
struct Positions<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Positions<'a> {
    fn new(text: &'a str) -> Self {
        let mut line_starts = vec![0];
        line_starts.extend(text.match_indices('\n').map(|(index, _)| index + 1));
        Self { text, line_starts }
    }

    fn byte_index(&self, location: Location) -> usize {
        let line = usize::try_from(location.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let column = usize::try_from(location.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(line_start) = self.line_starts.get(line) else {
            return self.text.len();
        };
        let rest = self.text.get(*line_start..).unwrap_or_default();
        rest.char_indices().nth(column).map_or(self.text.len(), |(index, _)| line_start + index)
    }

    fn char_index(&self, location: Location) -> Option<usize> {
        if location.line == 0 {
            return None;
        }
        let before = self.text.get(..self.byte_index(location))?;
        Some(before.chars().count())
    }
}

#[cfg(test)]
mod tests {
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
    fn heavy_statements_are_refused() {
        let sum = format!("SELECT 1{}", "+1".repeat(MAX_STATEMENT_OPERATORS + 1));
        assert!(split(&sum).unwrap_err().to_string().contains("54001"));
        let long = format!("SELECT '{}'", "x".repeat(MAX_STATEMENT_BYTES));
        assert!(split(&long).unwrap_err().to_string().contains("54000"));
        // A long IN list is wide, not deep.
        let wide = format!("SELECT 1 WHERE 1 IN ({}1)", "1,".repeat(100_000));
        assert_eq!(split(&wide).unwrap().len(), 1);
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
