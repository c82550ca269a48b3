//! What is noted about each statement: how long it took, and its shape if that was long.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::sql::sqlparser::tokenizer::Token;

use super::activity::Activity;
use super::split::StatementText;
use crate::metrics::Metrics;

/// Longest shape that is logged; the rest is cut.
const MAX_SHAPE_BYTES: usize = 4_096;
/// Rows that a statement counts by itself before it adds them to the metrics.
const ROWS_PER_COUNT: u64 = 1_024;

/// What notes statements.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    pub(crate) metrics: Arc<Metrics>,
    /// Statements that take longer are logged.
    pub(crate) slow: Option<Duration>,
}

impl Observer {
    /// The statement `text` of a session begins; it ends when the value is dropped.
    pub(crate) fn begin(&self, text: &StatementText, activity: Arc<Activity>) -> Observed {
        self.metrics.begin_statement();
        activity.begin(&text.text);
        let shape = self.slow.map(|_| shape(&text.tokens));
        Observed { observer: self.clone(), activity, shape, started: Instant::now(), rows: 0 }
    }
}

/// A statement that runs.
#[derive(Debug)]
pub(crate) struct Observed {
    observer: Observer,
    activity: Arc<Activity>,
    shape: Option<String>,
    started: Instant,
    rows: u64,
}

impl Observed {
    /// A row of the result was taken.
    pub(crate) fn row(&mut self) {
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_PER_COUNT) {
            self.observer.metrics.rows.add(ROWS_PER_COUNT);
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        self.activity.end();
        self.observer.metrics.end_statement(took);
        self.observer.metrics.rows.add(self.rows % ROWS_PER_COUNT);
        if let (Some(limit), Some(shape)) = (self.observer.slow, &self.shape)
            && took >= limit
        {
            let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(ms, rows = self.rows, statement = shape, "slow statement");
        }
    }
}

/// The statement without its literals and comments: `SELECT * FROM t WHERE user_id = ?`. A list of literals is one.
fn shape(tokens: &[Token]) -> String {
    let mut text = String::new();
    // Whether a literal was written last, and whether a comma came behind it.
    let (mut literal, mut comma) = (false, false);
    for token in tokens {
        if text.len() > MAX_SHAPE_BYTES {
            text.push_str(" ...");
            break;
        }
        if is_literal(token) {
            if literal && comma {
                comma = false;
                continue;
            }
            separate(&mut text);
            text.push('?');
            (literal, comma) = (true, false);
            continue;
        }
        if *token == Token::Comma && literal && !comma {
            comma = true;
            continue;
        }
        if comma {
            text.push(',');
        }
        (literal, comma) = (false, false);
        match token {
            Token::Comma | Token::RParen | Token::Period => {}
            _ => separate(&mut text),
        }
        let _ = write!(text, "{token}");
    }
    text
}

fn separate(text: &mut String) {
    if !text.is_empty() && !text.ends_with(['(', '.', ' ']) {
        text.push(' ');
    }
}

fn is_literal(token: &Token) -> bool {
    matches!(
        token,
        Token::Number(..)
            | Token::Char(_)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::TripleSingleQuotedString(_)
            | Token::TripleDoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::DoubleQuotedByteStringLiteral(_)
            | Token::TripleSingleQuotedByteStringLiteral(_)
            | Token::TripleDoubleQuotedByteStringLiteral(_)
            | Token::SingleQuotedRawStringLiteral(_)
            | Token::DoubleQuotedRawStringLiteral(_)
            | Token::TripleSingleQuotedRawStringLiteral(_)
            | Token::TripleDoubleQuotedRawStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::split::split;

    #[test]
    fn literals_and_comments_are_left_out() {
        for (sql, expected) in [
            ("SELECT * FROM t WHERE user_id = 'ana' -- secret", "SELECT * FROM t WHERE user_id = ?"),
            ("select a.b, 1.5 from t where x in (1, 2,3)", "select a.b, ? from t where x in (?)"),
            ("SELECT f('a', x, E'b\\n', $$c$$, DATE '2024-01-01')", "SELECT f (?, x, ?, DATE ?)"),
            ("SELECT \"Name\" FROM t WHERE k = $1 LIMIT 10", "SELECT \"Name\" FROM t WHERE k = $1 LIMIT ?"),
        ] {
            assert_eq!(shape(&split(sql).unwrap()[0].tokens), expected);
        }
    }

    #[test]
    fn long_statements_are_cut() {
        let sql = format!("SELECT {}x", "x + ".repeat(5_000));
        assert!(shape(&split(&sql).unwrap()[0].tokens).len() < MAX_SHAPE_BYTES + 20);
    }
}
