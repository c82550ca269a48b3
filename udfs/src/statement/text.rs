//! What is changed in the text before it is parsed: spellings of arguments that the parser takes for something else.

use std::borrow::Cow;

use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::{IsTableFunction, Positions};

const TABLE: &str = "TABLE";
const ASSIGNMENT: &str = ":=";
const ARROW: &str = "=>";
/// As long as [`TABLE`].
const BLANK: &str = "     ";
const VIEW: &str = "VIEW";
const RENAME: &str = "RENAME";
/// Name of the first argument of every table function.
pub(super) const DATA: &str = "data";

/// Rewrites spellings that the parser does not know, or takes for something else. Positions in the text stay, but for those
/// in a line behind a view that is renamed.
///
/// - The word `TABLE` becomes spaces where it stands before the data of a table function: in `f(TABLE t)`,
///   `f(TABLE(t))`, `f((TABLE t))`, `f(TABLE (SELECT ..))` and `f(data => TABLE t)`. Every other `TABLE` stays:
///   `CREATE TABLE`, the statement `TABLE t`, `FROM TABLE(f(..))`.
/// - `:=` behind the name of an argument becomes `=>`. The parser would read `f(c := a = 1 AND b)` as
///   `f(((c := a) = 1) AND b)`.
///
/// - `ALTER VIEW v RENAME TO w` becomes `ALTER TABLE v RENAME TO w`, which PostgreSQL takes for views as well.
///
/// Text that has no tokens (an open quote) comes back as it is: the parser says why. O(n).
pub fn rewrite_text<'a>(
    sql: &'a str,
    dialect: &dyn Dialect,
    is_table_function: IsTableFunction<'_>,
) -> Cow<'a, str> {
    let mentions = |word| contains_ignoring_case(sql, word);
    let renames_view = mentions(RENAME) && mentions(VIEW);
    if !mentions(TABLE) && !sql.contains(ASSIGNMENT) && !renames_view {
        return Cow::Borrowed(sql);
    }
    let Ok(tokens) = Tokenizer::new(dialect, sql).tokenize_with_location() else {
        return Cow::Borrowed(sql);
    };
    let tokens: Vec<&TokenWithSpan> =
        tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let mut edits = edits(&tokens, is_table_function);
    edits.extend(renamed_views(&tokens));
    edits.sort_by_key(|edit| edit.place);
    if edits.is_empty() {
        return Cow::Borrowed(sql);
    }
    let mut positions = Positions::new(sql);
    let mut text = String::with_capacity(sql.len());
    let mut copied = 0;
    for Edit { place, length, new } in edits {
        let start = positions.byte_index(place);
        text.push_str(sql.get(copied..start).unwrap_or_default());
        text.push_str(new);
        copied = start + length;
    }
    text.push_str(sql.get(copied..).unwrap_or_default());
    Cow::Owned(text)
}

/// What an open bracket belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    /// The arguments of a table function.
    Call,
    /// Parentheses around its data.
    Data,
    /// Anything else.
    Other,
}

/// What is written in the place of how many bytes.
struct Edit {
    place: Location,
    length: usize,
    new: &'static str,
}

impl Edit {
    /// One that takes as many bytes as it gives.
    fn over(place: Location, new: &'static str) -> Self {
        Self { place, length: new.len(), new }
    }
}

/// The word `VIEW` of each statement that renames one.
fn renamed_views(tokens: &[&TokenWithSpan]) -> Vec<Edit> {
    let is_word = |token: &Token, wanted: Keyword| matches!(token, Token::Word(word) if word.keyword == wanted && word.quote_style.is_none());
    let statements = tokens.split(|token| token.token == Token::SemiColon);
    let renamed = statements.filter_map(|statement| {
        let [alter, view, rest @ ..] = statement else { return None };
        let name = match rest {
            [first, second, name @ ..]
                if is_word(&first.token, Keyword::IF) && is_word(&second.token, Keyword::EXISTS) =>
            {
                name
            }
            name => name,
        };
        let end = name.iter().position(|token| !matches!(token.token, Token::Word(_) | Token::Period));
        let words = &name[..end.unwrap_or(name.len())];
        let renames = words
            .windows(2)
            .any(|pair| is_word(&pair[0].token, Keyword::RENAME) && is_word(&pair[1].token, Keyword::TO));
        let is_one = is_word(&alter.token, Keyword::ALTER) && is_word(&view.token, Keyword::VIEW) && renames;
        is_one.then(|| Edit { place: view.span.start, length: VIEW.len(), new: TABLE })
    });
    renamed.collect()
}

/// The edits of arguments, each as long as what it is written over.
fn edits(tokens: &[&TokenWithSpan], is_table_function: IsTableFunction<'_>) -> Vec<Edit> {
    let mut found = Vec::new();
    let mut open = Vec::new();
    // Whether the data of a table function may begin at this token.
    let mut at_data = false;
    for (index, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen => {
                let bracket = if at_data {
                    Bracket::Data
                } else if is_call(&tokens[..index], is_table_function) {
                    Bracket::Call
                } else {
                    Bracket::Other
                };
                open.push(bracket);
                at_data = bracket != Bracket::Other;
            }
            Token::RParen => {
                open.pop();
                at_data = false;
            }
            Token::RArrow | Token::Assignment => {
                if token.token == Token::Assignment && follows_argument_name(&tokens[..index]) {
                    found.push(Edit::over(token.span.start, ARROW));
                }
                at_data = open.last() == Some(&Bracket::Call) && is_data(&tokens[..index]);
            }
            Token::Word(word) if at_data && word.keyword == Keyword::TABLE && word.quote_style.is_none() => {
                let next = tokens.get(index + 1).map(|token| &token.token);
                if matches!(next, Some(Token::Word(_) | Token::LParen | Token::SingleQuotedString(_))) {
                    found.push(Edit::over(token.span.start, BLANK));
                }
            }
            _ => at_data = false,
        }
    }
    found
}

/// Whether the tokens end with the name of a table function that is called here, not created or filled.
fn is_call(tokens: &[&TokenWithSpan], is_table_function: IsTableFunction<'_>) -> bool {
    let mut before = tokens.iter().rev().map(|token| &token.token);
    let Some(Token::Word(name)) = before.next() else {
        return false;
    };
    if !is_table_function(&name.value) {
        return false;
    }
    let mut previous = before.next();
    if matches!(previous, Some(Token::Period)) {
        // The schema, and what stands before it.
        previous = before.nth(1);
    }
    !matches!(previous, Some(Token::Word(word))
        if matches!(word.keyword, Keyword::TABLE | Keyword::INTO | Keyword::VIEW | Keyword::EXISTS))
}

fn is_data(tokens: &[&TokenWithSpan]) -> bool {
    matches!(tokens.last().map(|token| &token.token),
        Some(Token::Word(word)) if word.value.eq_ignore_ascii_case(DATA))
}

/// Whether the tokens end with the first word of an argument: behind a bracket or a comma.
fn follows_argument_name(tokens: &[&TokenWithSpan]) -> bool {
    let mut before = tokens.iter().rev().map(|token| &token.token);
    matches!(before.next(), Some(Token::Word(_)))
        && matches!(before.next(), Some(Token::LParen | Token::Comma))
}

fn contains_ignoring_case(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

    use super::*;

    fn rewritten(sql: &str) -> String {
        let text = rewrite_text(sql, &PostgreSqlDialect {}, &|name| name.eq_ignore_ascii_case("funnel"));
        assert_eq!(text.chars().count(), sql.chars().count(), "positions stay: {sql}");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_word_goes_before_the_data() {
        for (sql, expected) in [
            ("SELECT * FROM funnel(TABLE t, 1)", "SELECT * FROM funnel( t, 1)"),
            ("SELECT * FROM Funnel ( table \"T\" )", "SELECT * FROM Funnel ( \"T\" )"),
            ("SELECT * FROM funnel(TABLE(t))", "SELECT * FROM funnel( (t))"),
            ("SELECT * FROM funnel((TABLE t))", "SELECT * FROM funnel(( t))"),
            ("SELECT * FROM funnel(TABLE (SELECT 1))", "SELECT * FROM funnel( (SELECT 1))"),
            ("SELECT * FROM journey.funnel(TABLE s.t)", "SELECT * FROM journey.funnel( s.t)"),
            ("SELECT * FROM funnel(1, data => TABLE t)", "SELECT * FROM funnel(1, data => t)"),
            ("SELECT * FROM funnel(data := TABLE (t))", "SELECT * FROM funnel(data => (t))"),
            ("SELECT 'ä', '日本' FROM funnel(/* t */ TABLE\nt)", "SELECT 'ä', '日本' FROM funnel(/* t */ t)"),
            ("SELECT * FROM TABLE(funnel(TABLE t))", "SELECT * FROM TABLE(funnel( t))"),
            ("SELECT * FROM funnel(funnel(TABLE t))", "SELECT * FROM funnel(funnel( t))"),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
    }

    #[test]
    fn assignments_become_arrows() {
        for (sql, expected) in [
            ("SELECT f(a := 1, b:=c = 1 AND d)", "SELECT f(a => 1, b=>c = 1 AND d)"),
            ("SELECT f(ts, 'ä', gap := 1)", "SELECT f(ts, 'ä', gap => 1)"),
            ("SELECT a := 1, f(a + b := 1, ':=')", "SELECT a := 1, f(a + b := 1, ':=')"),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
    }

    #[test]
    fn views_are_renamed_as_tables_are() {
        let renamed = |sql| rewrite_text(sql, &PostgreSqlDialect {}, &|_| false);
        for (sql, expected) in [
            ("ALTER VIEW v RENAME TO w", "ALTER TABLE v RENAME TO w"),
            (
                "alter view if exists \"V\".v rename to w; ALTER VIEW a RENAME TO b",
                "alter TABLE if exists \"V\".v rename to w; ALTER TABLE a RENAME TO b",
            ),
            ("SELECT 'ä'; ALTER VIEW v RENAME TO w", "SELECT 'ä'; ALTER TABLE v RENAME TO w"),
        ] {
            assert_eq!(renamed(sql), expected);
        }
        for same in [
            "ALTER VIEW v AS SELECT 1",
            "ALTER VIEW v RENAME COLUMN a TO b",
            "CREATE VIEW rename AS SELECT 1",
        ] {
            assert_eq!(renamed(same), same);
        }
    }

    #[test]
    fn every_other_word_stays() {
        for sql in [
            "CREATE TABLE funnel (a INT)",
            "CREATE TABLE IF NOT EXISTS funnel (TABLE t)",
            "DROP TABLE funnel",
            "TABLE funnel",
            "SELECT * FROM TABLE(funnel(t))",
            "SELECT * FROM other(TABLE t)",
            "SELECT * FROM funnel(t, steps => TABLE x)",
            "SELECT * FROM funnel(t, f(data => TABLE x))",
            "SELECT * FROM funnel('TABLE t')",
            "SELECT * FROM funnel(\"table\")",
            "SELECT * FROM funnel(table)",
            "SELECT * FROM funnel(t /* TABLE t */)",
            "INSERT INTO funnel (TABLE t)",
            "SELECT 'open FROM funnel(TABLE t)",
        ] {
            assert_eq!(rewritten(sql), sql);
        }
    }
}
