//! `DECLARE`, `FETCH`, `MOVE` and `CLOSE`: what they say.

use datafusion::sql::sqlparser::tokenizer::Token;
use pgwire::error::PgWireResult;

use super::split::StatementText;
use super::tokens::Tokens;
use crate::error::{error, sqlstate};

/// What `DECLARE` says about a cursor, and where its query stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeclareText {
    pub name: String,
    pub binary: bool,
    pub scroll: bool,
    pub hold: bool,
    /// Tokens before the query.
    pub query_at: usize,
}

/// Which rows of a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// So many after the current one; before it if negative; zero is the current one again. `None` is all.
    Forward(Option<i64>),
    /// So many before the current one; after it if negative; zero is the current one again. `None` is all.
    Backward(Option<i64>),
    /// The row of this number from 1; from the end if negative; zero is before the first.
    Absolute(i64),
    /// The row so many after the current one.
    Relative(i64),
}

/// `FETCH` or `MOVE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub cursor: String,
    pub rows: Rows,
    /// Only moves: rows are counted and not sent.
    pub moves: bool,
}

/// A statement about a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CursorStatement {
    Declare(DeclareText),
    Fetch(Fetch),
    /// `None` for `ALL`.
    Close(Option<String>),
}

impl CursorStatement {
    /// Recognises a statement by its tokens; `None` if it is another one.
    ///
    /// # Errors
    /// 42601 for a malformed statement, 42P11 for a cursor that cannot be.
    pub(crate) fn parse(text: &StatementText) -> PgWireResult<Option<Self>> {
        let mut tokens = Tokens::new(text);
        let Some(first) = tokens.keyword() else {
            return Ok(None);
        };
        Ok(Some(match first.as_str() {
            "DECLARE" => Self::Declare(parse_declare(&mut tokens)?),
            "FETCH" => Self::Fetch(parse_fetch(&mut tokens, false)?),
            "MOVE" => Self::Fetch(parse_fetch(&mut tokens, true)?),
            "CLOSE" => {
                let close =
                    if tokens.accept("ALL") { Self::Close(None) } else { Self::Close(Some(tokens.name()?)) };
                tokens.end()?;
                close
            }
            _ => return Ok(None),
        }))
    }
}

fn parse_declare(tokens: &mut Tokens<'_>) -> PgWireResult<DeclareText> {
    let name = tokens.name()?;
    let (mut binary, mut scroll, mut no_scroll, mut hold) = (false, false, false, false);
    let (mut insensitive, mut asensitive) = (false, false);
    let cannot_be = |message: &str| Err(error(sqlstate::INVALID_CURSOR_DEFINITION, message));
    loop {
        if tokens.accept("BINARY") {
            binary = true;
        } else if tokens.accept("INSENSITIVE") {
            insensitive = true;
        } else if tokens.accept("ASENSITIVE") {
            asensitive = true;
        } else if tokens.accept("SCROLL") {
            scroll = true;
        } else if tokens.accept_two("NO", "SCROLL") {
            no_scroll = true;
        } else {
            break;
        }
    }
    tokens.expect("CURSOR")?;
    if tokens.accept_two("WITH", "HOLD") {
        hold = true;
    } else {
        tokens.accept_two("WITHOUT", "HOLD");
    }
    tokens.expect("FOR")?;
    if scroll && no_scroll {
        return cannot_be("cannot specify both SCROLL and NO SCROLL");
    }
    if insensitive && asensitive {
        return cannot_be("cannot specify both INSENSITIVE and ASENSITIVE");
    }
    let is_query = match tokens.peek() {
        Some(Token::LParen) => true,
        Some(Token::Word(word)) => ["SELECT", "WITH", "VALUES", "TABLE"]
            .iter()
            .any(|keyword| word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword)),
        _ => false,
    };
    if !is_query {
        return Err(tokens.syntax_error());
    }
    Ok(DeclareText { name, binary, scroll, hold, query_at: tokens.taken() })
}

fn parse_fetch(tokens: &mut Tokens<'_>, moves: bool) -> PgWireResult<Fetch> {
    let rows = direction(tokens)?;
    let _ = tokens.accept("FROM") || tokens.accept("IN");
    let cursor = tokens.name()?;
    tokens.end()?;
    Ok(Fetch { cursor, rows, moves })
}

/// The direction, if there is one: a word that ends the statement is the name of the cursor.
fn direction(tokens: &mut Tokens<'_>) -> PgWireResult<Rows> {
    let before = *tokens;
    let rows = match tokens.keyword().as_deref() {
        Some("NEXT") => Rows::Forward(Some(1)),
        Some("PRIOR") => Rows::Backward(Some(1)),
        Some("FIRST") => Rows::Absolute(1),
        Some("LAST") => Rows::Absolute(-1),
        Some("ALL") => Rows::Forward(None),
        Some("ABSOLUTE") if !tokens.is_empty() => Rows::Absolute(tokens.integer()?),
        Some("RELATIVE") if !tokens.is_empty() => Rows::Relative(tokens.integer()?),
        Some("FORWARD") => Rows::Forward(count(tokens)?),
        Some("BACKWARD") => Rows::Backward(count(tokens)?),
        _ => {
            *tokens = before;
            return Ok(match tokens.integer() {
                Ok(count) => Rows::Forward(Some(count)),
                Err(_) => Rows::Forward(Some(1)),
            });
        }
    };
    if tokens.is_empty() {
        *tokens = before;
        return Ok(Rows::Forward(Some(1)));
    }
    Ok(rows)
}

/// How many rows: a number, `ALL`, or one.
fn count(tokens: &mut Tokens<'_>) -> PgWireResult<Option<i64>> {
    if tokens.accept("ALL") {
        return Ok(None);
    }
    let is_number = matches!(tokens.peek(), Some(Token::Number(..) | Token::Minus | Token::Plus));
    if is_number { tokens.integer().map(Some) } else { Ok(Some(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::split::split;

    fn parse(sql: &str) -> CursorStatement {
        CursorStatement::parse(&split(sql).unwrap()[0]).unwrap().unwrap()
    }

    fn refused(sql: &str) -> String {
        CursorStatement::parse(&split(sql).unwrap()[0]).unwrap_err().to_string()
    }

    #[test]
    fn cursors_are_declared() {
        let declared = |sql: &str| match parse(sql) {
            CursorStatement::Declare(declare) => declare,
            other => panic!("{other:?}"),
        };
        let full = declared("DECLARE \"C\" BINARY INSENSITIVE SCROLL CURSOR WITH HOLD FOR SELECT 1");
        assert_eq!((full.name.as_str(), full.binary, full.scroll, full.hold), ("C", true, true, true));
        assert_eq!(full.query_at, 9);
        let plain = declared("declare c no scroll cursor without hold for (values (1))");
        assert_eq!((plain.binary, plain.scroll, plain.hold), (false, false, false));
        assert!(refused("DECLARE c SCROLL NO SCROLL CURSOR FOR SELECT 1").contains("42P11"));
        assert!(refused("DECLARE c CURSOR FOR insert INTO t VALUES (1)").contains("at or near \"insert\""));
        assert!(refused("DECLARE c CURSOR").contains("at end of input"));
    }

    #[test]
    fn rows_are_named_in_every_form() {
        for (sql, rows) in [
            ("FETCH c", Rows::Forward(Some(1))),
            ("FETCH NEXT FROM c", Rows::Forward(Some(1))),
            ("FETCH PRIOR c", Rows::Backward(Some(1))),
            ("FETCH FIRST IN c", Rows::Absolute(1)),
            ("FETCH LAST c", Rows::Absolute(-1)),
            ("FETCH ABSOLUTE -2 FROM c", Rows::Absolute(-2)),
            ("FETCH RELATIVE +2 FROM c", Rows::Relative(2)),
            ("FETCH 5 c", Rows::Forward(Some(5))),
            ("FETCH -5 FROM c", Rows::Forward(Some(-5))),
            ("FETCH ALL c", Rows::Forward(None)),
            ("FETCH FORWARD c", Rows::Forward(Some(1))),
            ("FETCH FORWARD 3 FROM c", Rows::Forward(Some(3))),
            ("FETCH FORWARD ALL FROM c", Rows::Forward(None)),
            ("FETCH BACKWARD c", Rows::Backward(Some(1))),
            ("FETCH BACKWARD 3 c", Rows::Backward(Some(3))),
            ("FETCH BACKWARD ALL IN c", Rows::Backward(None)),
            ("FETCH FROM c", Rows::Forward(Some(1))),
            ("FETCH IN c", Rows::Forward(Some(1))),
        ] {
            let fetch = CursorStatement::Fetch(Fetch { cursor: "c".to_owned(), rows, moves: false });
            assert_eq!(parse(sql), fetch, "{sql}");
        }
        let named = Fetch { cursor: "next".to_owned(), rows: Rows::Forward(Some(1)), moves: true };
        assert_eq!(parse("MOVE next"), CursorStatement::Fetch(named));
        assert_eq!(parse("CLOSE ALL"), CursorStatement::Close(None));
        assert!(refused("FETCH bad bad bad").contains("at or near \"bad\""));
        assert!(refused("FETCH ABSOLUTE c FROM d").contains("at or near \"c\""));
    }
}
