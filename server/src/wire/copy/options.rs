//! The options of `COPY`, in their old and new spelling.

use datafusion::sql::sqlparser::tokenizer::Token;
use pgwire::error::{PgWireError, PgWireResult};

use super::super::settings::boolean;
use super::super::tokens::{Tokens, string_value};
use super::names;
use crate::error::{error, sqlstate};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyFormat {
    Text,
    Csv,
    Binary,
}

/// The line of column names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    Off,
    On,
    /// There, and its names must be those of the columns.
    Match,
}

/// Columns that an option names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chosen {
    All,
    Named(Vec<String>),
}

impl Chosen {
    /// Whether `column` is one of them.
    pub(crate) fn has(&self, column: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == column),
        }
    }

    /// Refuses names that are not in `columns`.
    ///
    /// # Errors
    /// 42703.
    pub(crate) fn check(&self, columns: &[String]) -> PgWireResult<()> {
        let Self::Named(names) = self else {
            return Ok(());
        };
        match names.iter().find(|name| !columns.contains(name)) {
            Some(name) => Err(error(sqlstate::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"))),
            None => Ok(()),
        }
    }
}

/// How rows are written and read. Delimiter, quote and escape are single bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyOptions {
    pub format: CopyFormat,
    pub header: Header,
    pub delimiter: u8,
    /// What stands for NULL.
    pub null: String,
    pub quote: u8,
    pub escape: u8,
    /// Columns whose values are always quoted when written.
    pub force_quote: Chosen,
    /// Columns in which nothing read is NULL.
    pub force_not_null: Chosen,
    /// Columns in which what stands for NULL is NULL even in quotes.
    pub force_null: Chosen,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            format: CopyFormat::Text,
            header: Header::Off,
            delimiter: b'\t',
            null: "\\N".to_owned(),
            quote: b'"',
            escape: b'"',
            force_quote: Chosen::Named(Vec::new()),
            force_not_null: Chosen::Named(Vec::new()),
            force_null: Chosen::Named(Vec::new()),
        }
    }
}

/// Options as they were written.
#[derive(Default)]
struct Written {
    format: Option<CopyFormat>,
    header: Option<Header>,
    delimiter: Option<String>,
    null: Option<String>,
    quote: Option<String>,
    escape: Option<String>,
    force_quote: Option<Chosen>,
    force_not_null: Option<Chosen>,
    force_null: Option<Chosen>,
    encoding: Option<String>,
    freeze: Option<bool>,
}

impl CopyOptions {
    /// Takes options up to `WHERE` or the end. `binary`: the word stood before the table. `out`: rows go out.
    ///
    /// # Errors
    /// 42601, 22023 and 0A000 as PostgreSQL answers them.
    pub(crate) fn parse(tokens: &mut Tokens<'_>, binary: bool, out: bool) -> PgWireResult<Self> {
        let mut written = Written { format: binary.then_some(CopyFormat::Binary), ..Written::default() };
        let _ = tokens.accept("WITH");
        if tokens.accept_token(&Token::LParen) {
            loop {
                written.take_new(tokens)?;
                if tokens.accept_token(&Token::RParen) {
                    break;
                }
                tokens.expect_token(&Token::Comma)?;
            }
        } else {
            while written.take_old(tokens)? {}
        }
        written.check(out)
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> PgWireResult<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(syntax("conflicting or redundant options")),
    }
}

fn syntax(message: impl Into<String>) -> PgWireError {
    error(sqlstate::SYNTAX_ERROR, message)
}

impl Written {
    /// Takes one option inside brackets.
    fn take_new(&mut self, tokens: &mut Tokens<'_>) -> PgWireResult<()> {
        let name = tokens.name()?;
        match name.as_str() {
            "format" => {
                let format = word(tokens, &name)?;
                let format = match format.as_str() {
                    "text" => CopyFormat::Text,
                    "csv" => CopyFormat::Csv,
                    "binary" => CopyFormat::Binary,
                    _ => return Err(invalid(format!("COPY format \"{format}\" not recognized"))),
                };
                once(&mut self.format, format)
            }
            "header" => {
                let header = match optional_word(tokens) {
                    None => Header::On,
                    Some(value) if value.eq_ignore_ascii_case("match") => Header::Match,
                    Some(value) => match boolean(&value) {
                        Some("on") => Header::On,
                        Some(_) => Header::Off,
                        None => return Err(syntax("header requires a Boolean value or \"match\"")),
                    },
                };
                once(&mut self.header, header)
            }
            "delimiter" => once(&mut self.delimiter, word(tokens, &name)?),
            "null" => once(&mut self.null, word(tokens, &name)?),
            "quote" => once(&mut self.quote, word(tokens, &name)?),
            "escape" => once(&mut self.escape, word(tokens, &name)?),
            "encoding" => once(&mut self.encoding, word(tokens, &name)?),
            "freeze" => {
                let freeze = match optional_word(tokens) {
                    None => true,
                    Some(value) => match boolean(&value) {
                        Some(value) => value == "on",
                        None => return Err(syntax("freeze requires a Boolean value")),
                    },
                };
                once(&mut self.freeze, freeze)
            }
            "force_quote" => once(&mut self.force_quote, bracketed(tokens, &name)?),
            "force_not_null" => once(&mut self.force_not_null, bracketed(tokens, &name)?),
            "force_null" => once(&mut self.force_null, bracketed(tokens, &name)?),
            _ => Err(syntax(format!("option \"{name}\" not recognized"))),
        }
    }

    /// Takes one option in the spelling without brackets; `false` if there is none.
    fn take_old(&mut self, tokens: &mut Tokens<'_>) -> PgWireResult<bool> {
        let text = |tokens: &mut Tokens<'_>| {
            tokens.accept("AS");
            tokens.string()
        };
        if tokens.accept("BINARY") {
            once(&mut self.format, CopyFormat::Binary)?;
        } else if tokens.accept("CSV") {
            once(&mut self.format, CopyFormat::Csv)?;
        } else if tokens.accept("HEADER") {
            once(&mut self.header, Header::On)?;
        } else if tokens.accept("FREEZE") {
            once(&mut self.freeze, true)?;
        } else if tokens.accept("DELIMITER") {
            once(&mut self.delimiter, text(tokens)?)?;
        } else if tokens.accept("NULL") {
            once(&mut self.null, text(tokens)?)?;
        } else if tokens.accept("QUOTE") {
            once(&mut self.quote, text(tokens)?)?;
        } else if tokens.accept("ESCAPE") {
            once(&mut self.escape, text(tokens)?)?;
        } else if tokens.accept("ENCODING") {
            once(&mut self.encoding, tokens.string()?)?;
        } else if tokens.accept("FORCE") {
            if tokens.accept("QUOTE") {
                once(&mut self.force_quote, listed(tokens)?)?;
            } else if tokens.accept_two("NOT", "NULL") {
                once(&mut self.force_not_null, listed(tokens)?)?;
            } else {
                tokens.expect("NULL")?;
                once(&mut self.force_null, listed(tokens)?)?;
            }
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn check(self, out: bool) -> PgWireResult<CopyOptions> {
        let format = self.format.unwrap_or(CopyFormat::Text);
        let csv = format == CopyFormat::Csv;
        if format == CopyFormat::Binary {
            if self.delimiter.is_some() {
                return Err(syntax("cannot specify DELIMITER in BINARY mode"));
            }
            if self.null.is_some() {
                return Err(syntax("cannot specify NULL in BINARY mode"));
            }
            if self.header.is_some_and(|header| header != Header::Off) {
                return Err(unsupported("cannot specify HEADER in BINARY mode"));
            }
        }
        let delimiter = match &self.delimiter {
            Some(text) => one_byte(text, "delimiter")?,
            None if csv => b',',
            None => b'\t',
        };
        if matches!(delimiter, b'\n' | b'\r') {
            return Err(invalid("COPY delimiter cannot be newline or carriage return"));
        }
        let null = self.null.unwrap_or_else(|| if csv { String::new() } else { "\\N".to_owned() });
        if null.contains(['\n', '\r']) {
            return Err(invalid("COPY null representation cannot use newline or carriage return"));
        }
        if !csv && (b"\\.abcdefghijklmnopqrstuvwxyz0123456789".contains(&delimiter)) {
            return Err(invalid(format!("COPY delimiter cannot be \"{}\"", char::from(delimiter))));
        }
        if self.header == Some(Header::Match) && out {
            return Err(unsupported("cannot use \"match\" with HEADER in COPY TO"));
        }
        let only_csv = |given: bool, what: &str| match given && !csv {
            true => Err(unsupported(format!("COPY {what} available only in CSV mode"))),
            false => Ok(()),
        };
        only_csv(self.quote.is_some(), "quote")?;
        let quote = match &self.quote {
            Some(text) => one_byte(text, "quote")?,
            None => b'"',
        };
        if csv && delimiter == quote {
            return Err(invalid("COPY delimiter and quote must be different"));
        }
        only_csv(self.escape.is_some(), "escape")?;
        let escape = match &self.escape {
            Some(text) => one_byte(text, "escape")?,
            None => quote,
        };
        let direction = |given: bool, allowed: bool, what: &str, way: &str| match given && !allowed {
            true => Err(unsupported(format!("COPY {what} only available using COPY {way}"))),
            false => Ok(()),
        };
        only_csv(self.force_quote.is_some(), "force quote")?;
        direction(self.force_quote.is_some(), out, "force quote", "TO")?;
        only_csv(self.force_not_null.is_some(), "force not null")?;
        direction(self.force_not_null.is_some(), !out, "force not null", "FROM")?;
        only_csv(self.force_null.is_some(), "force null")?;
        direction(self.force_null.is_some(), !out, "force null", "FROM")?;
        if null.as_bytes().contains(&delimiter) {
            return Err(unsupported("COPY delimiter must not appear in the NULL specification"));
        }
        if csv && null.as_bytes().contains(&quote) {
            return Err(unsupported("CSV quote character must not appear in the NULL specification"));
        }
        if let Some(encoding) = &self.encoding {
            match encoding.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
                "utf8" | "unicode" | "sqlascii" => {}
                _ => {
                    return Err(unsupported(format!(
                        "COPY encoding \"{encoding}\" is not supported: use UTF8"
                    )));
                }
            }
        }
        let nothing = || Chosen::Named(Vec::new());
        Ok(CopyOptions {
            format,
            header: self.header.unwrap_or(Header::Off),
            delimiter,
            null,
            quote,
            escape,
            force_quote: self.force_quote.unwrap_or_else(nothing),
            force_not_null: self.force_not_null.unwrap_or_else(nothing),
            force_null: self.force_null.unwrap_or_else(nothing),
        })
    }
}

fn invalid(message: impl Into<String>) -> PgWireError {
    error(sqlstate::INVALID_PARAMETER_VALUE, message)
}

fn unsupported(message: impl Into<String>) -> PgWireError {
    error(sqlstate::FEATURE_NOT_SUPPORTED, message)
}

fn one_byte(text: &str, what: &str) -> PgWireResult<u8> {
    match text.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(unsupported(format!("COPY {what} must be a single one-byte character"))),
    }
}

/// Takes the value of option `name`.
fn word(tokens: &mut Tokens<'_>, name: &str) -> PgWireResult<String> {
    optional_word(tokens).ok_or_else(|| syntax(format!("{name} requires a parameter")))
}

/// Takes a value, if there is one: a word, a string or a number.
fn optional_word(tokens: &mut Tokens<'_>) -> Option<String> {
    let value = match tokens.peek()? {
        Token::Word(word) if word.quote_style.is_some() => word.value.clone(),
        Token::Word(word) => word.value.to_ascii_lowercase(),
        Token::Number(number, _) => number.clone(),
        other => string_value(other)?,
    };
    tokens.next();
    Some(value)
}

/// Takes `(a, b)` or `*`.
fn bracketed(tokens: &mut Tokens<'_>, name: &str) -> PgWireResult<Chosen> {
    if tokens.accept_token(&Token::Mul) {
        return Ok(Chosen::All);
    }
    if !tokens.accept_token(&Token::LParen) {
        return Err(invalid(format!("argument to option \"{name}\" must be a list of column names")));
    }
    names(tokens).map(Chosen::Named)
}

/// Takes `a, b` or `*`.
fn listed(tokens: &mut Tokens<'_>) -> PgWireResult<Chosen> {
    if tokens.accept_token(&Token::Mul) {
        return Ok(Chosen::All);
    }
    let mut names = vec![tokens.name()?];
    while tokens.accept_token(&Token::Comma) {
        names.push(tokens.name()?);
    }
    Ok(Chosen::Named(names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::split::split;

    fn parse(options: &str, out: bool) -> PgWireResult<CopyOptions> {
        if options.is_empty() {
            return Ok(CopyOptions::default());
        }
        let text = &split(options).unwrap()[0];
        let mut tokens = Tokens::new(text);
        let options = CopyOptions::parse(&mut tokens, false, out)?;
        tokens.end()?;
        Ok(options)
    }

    #[test]
    fn both_spellings_say_the_same() {
        let new = parse(
            "(FORMAT csv, HEADER true, DELIMITER ';', NULL 'NULL', QUOTE '''', ESCAPE '!', FORCE_QUOTE (a, b))",
            true,
        );
        let old = parse(
            "WITH DELIMITER AS ';' NULL AS 'NULL' CSV HEADER QUOTE AS '''' ESCAPE AS '!' FORCE QUOTE a, b",
            true,
        );
        let new = new.unwrap();
        assert_eq!(new, old.unwrap());
        assert_eq!((new.delimiter, new.quote, new.escape), (b';', b'\'', b'!'));
        assert!(new.force_quote.has("a") && !new.force_quote.has("c"));
        assert_eq!(parse("BINARY", false).unwrap().format, CopyFormat::Binary);
        assert_eq!(parse("(FORMAT csv, HEADER match)", false).unwrap().header, Header::Match);
    }

    #[test]
    fn refusals_are_those_of_postgres() {
        for (options, out, code, message) in [
            ("(header match)", true, "0A000", "cannot use \"match\" with HEADER in COPY TO"),
            ("(format bad)", true, "22023", "COPY format \"bad\" not recognized"),
            ("(nope)", true, "42601", "option \"nope\" not recognized"),
            ("(format csv, format csv)", true, "42601", "conflicting or redundant options"),
            ("(delimiter 'ab')", true, "0A000", "COPY delimiter must be a single one-byte character"),
            ("(delimiter 'a')", true, "22023", "COPY delimiter cannot be \"a\""),
            ("(delimiter E'\\n')", true, "22023", "COPY delimiter cannot be newline or carriage return"),
            ("(quote '\"')", true, "0A000", "COPY quote available only in CSV mode"),
            ("(escape '\"')", true, "0A000", "COPY escape available only in CSV mode"),
            ("(force_quote *)", true, "0A000", "COPY force quote available only in CSV mode"),
            ("(format binary, delimiter ',')", true, "42601", "cannot specify DELIMITER in BINARY mode"),
            ("(format binary, null ',')", true, "42601", "cannot specify NULL in BINARY mode"),
            ("(format binary, header)", true, "0A000", "cannot specify HEADER in BINARY mode"),
            (
                "(format csv, null ',')",
                true,
                "0A000",
                "COPY delimiter must not appear in the NULL specification",
            ),
            (
                "(format csv, null 'a\"')",
                true,
                "0A000",
                "CSV quote character must not appear in the NULL specification",
            ),
            ("(format csv, delimiter '\"')", true, "22023", "COPY delimiter and quote must be different"),
            ("(format csv, quote 'ab')", true, "0A000", "COPY quote must be a single one-byte character"),
            ("(format csv, force_null (a))", true, "0A000", "COPY force null only available using COPY FROM"),
            ("(format csv, force_quote *)", false, "0A000", "COPY force quote only available using COPY TO"),
            ("(header 'maybe')", true, "42601", "header requires a Boolean value or \"match\""),
            (
                "(null E'a\\n')",
                true,
                "22023",
                "COPY null representation cannot use newline or carriage return",
            ),
        ] {
            let refused = parse(options, out).unwrap_err();
            let PgWireError::UserError(info) = refused else {
                panic!("{refused}");
            };
            assert_eq!((info.code.as_str(), info.message.as_str()), (code, message), "{options}");
        }
    }
}
