//! Where in a statement an error is, and what the words around that place add to its message.
//!
//! The planner knows names but not places, so the place is looked for among the tokens of the statement: the first
//! column, relation, call or literal of that name. Runs for failed statements only; O(tokens).

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};
use pgwire::error::ErrorInfo;

use crate::error::{between, sqlstate};

/// Tokens after which a relation is named.
const BEFORE_RELATIONS: [&str; 6] = ["FROM", "JOIN", "INTO", "UPDATE", "TABLE", "USING"];

/// Finds the place of `info` in `text`, and corrects its wording by what stands there.
pub(super) fn locate(info: &mut ErrorInfo, text: &str) -> Option<Location> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().ok()?;
    let tokens: Vec<TokenWithSpan> = tokens
        .into_iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
        .collect();
    let tokens = Tokens(&tokens);
    let index = match info.code.as_str() {
        sqlstate::UNDEFINED_TABLE => tokens.relation(info)?,
        sqlstate::UNDEFINED_COLUMN => tokens.column(&column_name(&info.message)?)?,
        sqlstate::AMBIGUOUS_COLUMN => tokens.column(&[between(&info.message, "\"", "\"")?.to_owned()])?,
        sqlstate::GROUPING_ERROR => tokens.grouping(&info.message)?,
        sqlstate::UNDEFINED_FUNCTION if info.message.starts_with("operator does not exist: ") => {
            tokens.operator(info)?
        }
        sqlstate::UNDEFINED_FUNCTION => tokens.function(info)?,
        sqlstate::UNDEFINED_OBJECT if info.message.starts_with("type \"") => {
            let name = between(&info.message, "\"", "\"")?;
            tokens.literal(name).or_else(|| tokens.words().find(|i| tokens.is(*i, name)))?
        }
        sqlstate::DATATYPE_MISMATCH => tokens.boolean(&info.message)?,
        "42P10" => tokens.position(&info.message)?,
        code if code.starts_with("22") || code == "3F000" => tokens.value(info)?,
        _ => return None,
    };
    Some(tokens.0.get(index)?.span.start)
}

/// The parts of the column in `column "a" does not exist` or `column t.a does not exist`.
fn column_name(message: &str) -> Option<Vec<String>> {
    let rest = message.strip_prefix("column ")?.strip_suffix(" does not exist")?;
    match rest.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(name) => Some(vec![name.to_owned()]),
        None => Some(rest.split('.').map(str::to_owned).collect()),
    }
}

struct Tokens<'a>(&'a [TokenWithSpan]);

impl Tokens<'_> {
    fn get(&self, index: usize) -> Option<&Token> {
        self.0.get(index).map(|token| &token.token)
    }

    /// Whether token `index` is the name `name`.
    fn is(&self, index: usize, name: &str) -> bool {
        match self.get(index) {
            Some(Token::Word(word)) if word.quote_style.is_some() => word.value == name,
            Some(Token::Word(word)) => word.value.eq_ignore_ascii_case(name),
            _ => false,
        }
    }

    fn is_keyword(&self, index: usize, keyword: &str) -> bool {
        matches!(self.get(index), Some(Token::Word(word)) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword))
    }

    fn words(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.0.len()).filter(|index| matches!(self.get(*index), Some(Token::Word(_))))
    }

    fn relation(&self, info: &mut ErrorInfo) -> Option<usize> {
        if let Some(name) = between(&info.message, "missing FROM-clause entry for table \"", "\"") {
            let name = name.to_owned();
            let index = self
                .words()
                .find(|i| self.is(*i, &name) && matches!(self.get(i + 1), Some(Token::Period)))?;
            self.suggest_alias(info, &name);
            return Some(index);
        }
        let name = between(&info.message, "relation \"", "\"")?.to_owned();
        let parts: Vec<&str> = name.split('.').collect();
        let last = parts.last()?;
        if let Some(literal) = self.literal(&name) {
            return Some(literal);
        }
        let index = self.words().find(|i| self.is(*i, last) && self.names_relation(*i))?;
        let start = self.start_of_name(index);
        if start < index && parts.len() == 1 {
            let written: Vec<String> = (start..=index).step_by(2).filter_map(|i| self.name(i)).collect();
            info.message = format!("relation \"{}\" does not exist", written.join("."));
        }
        Some(start)
    }

    /// `t AS a` in FROM hides the name `t`.
    fn suggest_alias(&self, info: &mut ErrorInfo, name: &str) {
        let Some(index) = self.words().find(|i| self.is(*i, name) && self.names_relation(*i)) else { return };
        let alias = if self.is_keyword(index + 1, "AS") { index + 2 } else { index + 1 };
        if let Some(alias) = self.name(alias) {
            info.message = format!("invalid reference to FROM-clause entry for table \"{name}\"");
            info.hint = Some(format!("Perhaps you meant to reference the table alias \"{alias}\"."));
        }
    }

    fn name(&self, index: usize) -> Option<String> {
        match self.get(index)? {
            Token::Word(word) if word.quote_style.is_some() => Some(word.value.clone()),
            Token::Word(word) => Some(word.value.to_lowercase()),
            _ => None,
        }
    }

    /// The first token of the dotted name that ends at `index`.
    fn start_of_name(&self, index: usize) -> usize {
        let mut start = index;
        while start >= 2 && matches!(self.get(start - 1), Some(Token::Period)) {
            start -= 2;
        }
        start
    }

    fn names_relation(&self, index: usize) -> bool {
        match self.start_of_name(index).checked_sub(1) {
            None => false,
            Some(before) => {
                BEFORE_RELATIONS.iter().any(|keyword| self.is_keyword(before, keyword))
                    || matches!(self.get(before), Some(Token::Comma | Token::LParen))
            }
        }
    }

    fn column(&self, parts: &[String]) -> Option<usize> {
        let (last, qualifiers) = parts.split_last()?;
        self.words().find_map(|index| {
            if !self.is(index, last) || self.is_keyword(index.wrapping_sub(1), "AS") {
                return None;
            }
            if matches!(self.get(index + 1), Some(Token::LParen | Token::Period)) {
                return None;
            }
            let start = self.start_of_name(index);
            match qualifiers.last() {
                Some(qualifier) => (start < index && self.is(index - 2, qualifier)).then_some(start),
                None => (start == index).then_some(index),
            }
        })
    }

    fn grouping(&self, message: &str) -> Option<usize> {
        if let Some(name) = between(message, "column \"", "\"") {
            let parts: Vec<String> = name.split('.').map(str::to_owned).collect();
            return self.column(&parts).or_else(|| self.column(&[parts.last()?.clone()]));
        }
        if message.ends_with("in WHERE") {
            let clause = self.words().find(|i| self.is_keyword(*i, "WHERE"))?;
            return self.words().find(|i| *i > clause && matches!(self.get(i + 1), Some(Token::LParen)));
        }
        if message.ends_with("be nested") {
            let mut calls = self.words().filter(|i| matches!(self.get(i + 1), Some(Token::LParen)));
            return calls.nth(1);
        }
        None
    }

    /// The operator between two operands; what is written beside it says more about types than the plan does.
    fn operator(&self, info: &mut ErrorInfo) -> Option<usize> {
        let rest = info.message.strip_prefix("operator does not exist: ")?.to_owned();
        let mut words = rest.split(' ');
        let symbol = words.find(|word| !word.chars().any(char::is_alphanumeric))?;
        let index = match symbol {
            "~~" => self.words().find(|i| self.is_keyword(*i, "LIKE"))?,
            symbol => (1..self.0.len()).find(|i| {
                self.get(*i).is_some_and(|token| token.to_string() == symbol) && self.get(i + 1).is_some()
            })?,
        };
        let (left, right) = rest.split_once(&format!(" {symbol} "))?;
        let next = index + 1;
        if let (Some(Token::SingleQuotedString(value)), false) =
            (self.get(next), matches!(self.get(next + 1), Some(Token::DoubleColon)))
            && right == "text"
        {
            // A bare literal takes the type of the other side.
            let left = if self.is_small_integer(index - 1) { "integer" } else { left };
            info.code = sqlstate::INVALID_TEXT_REPRESENTATION.to_owned();
            info.message = format!("invalid input syntax for type {left}: \"{value}\"");
            info.hint = None;
            return Some(next);
        }
        let left = if left == "bigint" && self.is_small_integer(index - 1) { "integer" } else { left };
        let right = if right == "bigint" && self.is_small_integer(next) { "integer" } else { right };
        info.message = format!("operator does not exist: {left} {symbol} {right}");
        Some(index)
    }

    fn is_small_integer(&self, index: usize) -> bool {
        matches!(self.get(index), Some(Token::Number(number, _)) if number.parse::<i32>().is_ok())
            && !matches!(self.get(index + 1), Some(Token::DoubleColon))
    }

    fn function(&self, info: &mut ErrorInfo) -> Option<usize> {
        let name = info.message.strip_prefix("function ")?.strip_suffix(" does not exist")?;
        let (name, types) = match name.split_once('(') {
            Some((name, types)) => (name.to_owned(), Some(types.trim_end_matches(')').to_owned())),
            None => (name.trim_matches('"').to_owned(), None),
        };
        let calls = || self.words().filter(|i| matches!(self.get(i + 1), Some(Token::LParen)));
        // The plan may know the function by another of its names.
        let index =
            calls().find(|i| self.is(*i, &name)).or_else(|| types.as_ref().and_then(|_| calls().next()))?;
        let written = self.name(index)?;
        let known: Vec<&str> = types.as_deref().map(|types| types.split(", ").collect()).unwrap_or_default();
        if let Some(types) = self.argument_types(index + 1, &known) {
            info.message = format!("function {written}({}) does not exist", types.join(", "));
            if info.hint.is_none() {
                info.hint = Some(crate::error::FUNCTION_HINT.to_owned());
            }
        }
        Some(self.start_of_name(index))
    }

    /// Types of the arguments in the brackets that open at `open`: those of literals as written, others from `known`.
    fn argument_types(&self, open: usize, known: &[&str]) -> Option<Vec<String>> {
        let mut arguments: Vec<Vec<usize>> = vec![Vec::new()];
        let mut depth = 0;
        for index in open + 1.. {
            match self.get(index)? {
                Token::RParen if depth == 0 => break,
                Token::Comma if depth == 0 => arguments.push(Vec::new()),
                token => {
                    match token {
                        Token::LParen => depth += 1,
                        Token::RParen => depth -= 1,
                        _ => {}
                    }
                    arguments.last_mut()?.push(index);
                }
            }
        }
        if matches!(arguments.as_slice(), [only] if only.is_empty()) {
            return Some(Vec::new());
        }
        let types = arguments.iter().enumerate().map(|(position, tokens)| {
            let literal = match tokens.as_slice() {
                [one] => match self.get(*one)? {
                    Token::Number(number, _) if number.parse::<i32>().is_ok() => Some("integer"),
                    Token::Number(number, _) if number.parse::<i64>().is_ok() => Some("bigint"),
                    Token::Number(..) => Some("numeric"),
                    Token::SingleQuotedString(_) => Some("unknown"),
                    Token::Word(word)
                        if word.value.eq_ignore_ascii_case("true")
                            || word.value.eq_ignore_ascii_case("false") =>
                    {
                        Some("boolean")
                    }
                    _ => None,
                },
                _ => None,
            };
            literal.map(str::to_owned).or_else(|| known.get(position).map(|known| (*known).to_owned()))
        });
        types.collect()
    }

    fn literal(&self, value: &str) -> Option<usize> {
        (0..self.0.len()).find(|index| match self.get(*index) {
            Some(Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text)) => text == value,
            _ => false,
        })
    }

    /// The literal that a message quotes at its end, or the only one of the statement.
    fn value(&self, info: &mut ErrorInfo) -> Option<usize> {
        let quoted = info.message.rsplit_once(": \"").and_then(|(_, rest)| rest.strip_suffix('"'));
        let quoted = quoted.or_else(|| between(&info.message, "value \"", "\" is out of range"));
        let quoted = quoted.or_else(|| between(&info.message, "schema \"", "\""));
        let index = match quoted {
            Some(value) => self.literal(value)?,
            None if info.message == "invalid input syntax for type json" => {
                let mut literals = (0..self.0.len())
                    .filter(|index| matches!(self.get(*index), Some(Token::SingleQuotedString(_))));
                let first = literals.next()?;
                if literals.next().is_some() {
                    return None;
                }
                first
            }
            None => return None,
        };
        let cast =
            matches!(self.get(index + 1), Some(Token::DoubleColon)).then(|| self.name(index + 2)).flatten();
        if cast.as_deref() == Some("timestamptz") {
            info.message = info.message.replace("type timestamp:", "type timestamp with time zone:");
        }
        let beside_small = |near: usize| self.is_small_integer(near);
        if info.message.contains("for type bigint") && cast.is_none() {
            let array_or_list = index.checked_sub(2).is_some_and(beside_small);
            if array_or_list {
                info.message = info.message.replace("for type bigint", "for type integer");
            }
        }
        Some(index)
    }

    fn boolean(&self, message: &str) -> Option<usize> {
        let clause = between(message, "argument of ", " must be type boolean")?;
        match clause {
            "WHERE" | "NOT" => Some(self.words().find(|i| self.is_keyword(*i, clause))? + 1),
            "AND" | "OR" => self.words().find(|i| self.is_keyword(*i, clause))?.checked_sub(1),
            _ => None,
        }
    }

    fn position(&self, message: &str) -> Option<usize> {
        let (clause, number) = message.split_once(" position ")?;
        let number = number.split(' ').next()?;
        let by = self.words().find(|i| {
            self.is_keyword(*i, clause.split(' ').next().unwrap_or_default()) && self.is_keyword(i + 1, "BY")
        })?;
        (by..self.0.len()).find(|i| matches!(self.get(*i), Some(Token::Number(found, _)) if found == number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::error_info;

    fn column_of(code: &str, message: &str, sql: &str) -> (Option<u64>, String) {
        let mut info = error_info(code, message);
        let place = locate(&mut info, sql).map(|location| location.column);
        (place, info.message)
    }

    #[test]
    fn names_are_found_where_they_are_used() {
        let (place, _) =
            column_of("42703", "column \"b\" does not exist", "SELECT a AS b FROM t WHERE b = 1");
        assert_eq!(place, Some(28));
        let (place, _) = column_of("42703", "column t.b does not exist", "SELECT b, t.b FROM t");
        assert_eq!(place, Some(11));
        let (place, message) =
            column_of("42P01", "relation \"nope\" does not exist", "SELECT nope FROM public.nope");
        assert_eq!((place, message.as_str()), (Some(18), "relation \"public.nope\" does not exist"));
    }

    #[test]
    fn literals_say_more_than_the_plan() {
        let (place, message) =
            column_of("42883", "operator does not exist: boolean + bigint", "SELECT true + 1");
        assert_eq!((place, message.as_str()), (Some(13), "operator does not exist: boolean + integer"));
        let (place, message) = column_of("42883", "function nope does not exist", "SELECT nope('a', 1.5)");
        assert_eq!((place, message.as_str()), (Some(8), "function nope(unknown, numeric) does not exist"));
    }
}
