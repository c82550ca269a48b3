//! A cursor over the tokens of a statement, for the statements that the engine's parser does not know.

use datafusion::sql::sqlparser::tokenizer::Token;
use pgwire::error::{PgWireError, PgWireResult};

use super::split::StatementText;
use crate::error::{error_info, sqlstate, user_error};

/// A cursor over tokens. Copies are cheap, for looking ahead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tokens<'a> {
    statement: &'a StatementText,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(statement: &'a StatementText) -> Self {
        Self { statement, at: 0 }
    }

    pub(crate) fn peek(&self) -> Option<&'a Token> {
        self.statement.tokens.get(self.at)
    }

    /// Takes the next token.
    pub(crate) fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    /// How many tokens have been taken.
    pub(crate) fn taken(&self) -> usize {
        self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.peek().is_none()
    }

    /// Takes an unquoted word, in upper case.
    pub(crate) fn keyword(&mut self) -> Option<String> {
        match self.peek()? {
            Token::Word(word) if word.quote_style.is_none() => {
                self.at += 1;
                Some(word.value.to_ascii_uppercase())
            }
            _ => None,
        }
    }

    pub(crate) fn accept(&mut self, keyword: &str) -> bool {
        match self.peek() {
            Some(Token::Word(word))
                if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword) =>
            {
                self.at += 1;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn accept_two(&mut self, first: &str, second: &str) -> bool {
        let before = self.at;
        if self.accept(first) && self.accept(second) {
            return true;
        }
        self.at = before;
        false
    }

    pub(crate) fn accept_token(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        if found {
            self.at += 1;
        }
        found
    }

    pub(crate) fn expect(&mut self, keyword: &str) -> PgWireResult<()> {
        if self.accept(keyword) { Ok(()) } else { Err(self.syntax_error()) }
    }

    pub(crate) fn expect_token(&mut self, token: &Token) -> PgWireResult<()> {
        if self.accept_token(token) { Ok(()) } else { Err(self.syntax_error()) }
    }

    /// Refuses tokens that are left.
    pub(crate) fn end(&self) -> PgWireResult<()> {
        if self.is_empty() { Ok(()) } else { Err(self.syntax_error()) }
    }

    /// Takes a name: lower case unless quoted.
    pub(crate) fn name(&mut self) -> PgWireResult<String> {
        match self.peek() {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(if word.quote_style.is_some() {
                    word.value.clone()
                } else {
                    word.value.to_ascii_lowercase()
                })
            }
            _ => Err(self.syntax_error()),
        }
    }

    /// Takes a name with dots in it, such as that of a variable.
    pub(crate) fn dotted_name(&mut self) -> PgWireResult<String> {
        let mut name = self.name()?;
        while self.accept_token(&Token::Period) {
            name.push('.');
            name.push_str(&self.name()?);
        }
        Ok(name)
    }

    /// Takes a string literal.
    pub(crate) fn string(&mut self) -> PgWireResult<String> {
        let text = self.peek().and_then(string_value).ok_or_else(|| self.syntax_error())?;
        self.at += 1;
        Ok(text)
    }

    /// Takes a whole number, with a sign or without.
    pub(crate) fn integer(&mut self) -> PgWireResult<i64> {
        let before = self.at;
        let negative = self.accept_token(&Token::Minus);
        if !negative {
            self.accept_token(&Token::Plus);
        }
        match self.peek() {
            Some(Token::Number(digits, _)) => {
                let sign = if negative { "-" } else { "" };
                let Ok(number) = format!("{sign}{digits}").parse() else {
                    return Err(self.syntax_error());
                };
                self.at += 1;
                Ok(number)
            }
            _ => {
                let error = self.syntax_error();
                self.at = before;
                Err(error)
            }
        }
    }

    /// Takes the rest as a value: words, strings and numbers, joined by commas; `None` for `DEFAULT`.
    pub(crate) fn value(&mut self) -> PgWireResult<Option<String>> {
        if self.accept("DEFAULT") && self.is_empty() {
            return Ok(None);
        }
        if self.is_empty() {
            return Err(self.syntax_error());
        }
        let mut value = String::new();
        let mut negative = false;
        while let Some(token) = self.peek() {
            match token {
                Token::Comma => value.push_str(", "),
                Token::Minus => negative = true,
                Token::Plus => {}
                // A name alone is what it names; in a list its quotes keep it apart.
                Token::Word(word) if word.quote_style.is_some() && !self.is_alone() => {
                    value.push_str(&format!("\"{}\"", word.value));
                }
                Token::Word(word) => value.push_str(&word.value),
                Token::Number(number, _) => {
                    if std::mem::take(&mut negative) {
                        value.push('-');
                    }
                    value.push_str(number);
                }
                other => match string_value(other) {
                    Some(text) => value.push_str(&text),
                    None => return Err(self.syntax_error()),
                },
            }
            self.at += 1;
        }
        Ok(Some(value))
    }

    /// Whether the next token is the only one of a value.
    fn is_alone(&self) -> bool {
        let mut behind = *self;
        behind.next();
        let before = self.at.checked_sub(1).and_then(|at| self.statement.tokens.get(at));
        behind.is_empty() && before != Some(&Token::Comma)
    }

    /// 42601 at the next token.
    pub(crate) fn syntax_error(&self) -> PgWireError {
        let mut info = match self.peek() {
            // As it was written.
            Some(token) => {
                let written =
                    self.statement.token_text(self.at).map_or_else(|| token.to_string(), str::to_owned);
                error_info(sqlstate::SYNTAX_ERROR, format!("syntax error at or near \"{written}\""))
            }
            None => error_info(sqlstate::SYNTAX_ERROR, "syntax error at end of input"),
        };
        info.position = Some(self.statement.position(self.at).to_string());
        user_error(info)
    }
}

/// The text of a string literal of any kind.
pub(crate) fn string_value(token: &Token) -> Option<String> {
    match token {
        Token::SingleQuotedString(text)
        | Token::EscapedStringLiteral(text)
        | Token::NationalStringLiteral(text) => Some(text.clone()),
        Token::DollarQuotedString(text) => Some(text.value.clone()),
        _ => None,
    }
}
