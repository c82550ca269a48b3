//! From the text of a pattern to a tree.

use super::error::PatternError;
use super::marked::Inner;
use super::pattern::{Conditions, Test};
use super::time::Comparison::{AtMost, Less};
use super::time::Elapsed;
use crate::journey::time::TickUnit;

/// Groups inside groups; more would only cost stack.
const MAX_DEPTH: usize = 100;

/// The largest number in `{m,n}`.
const MAX_REPEATS: usize = 1_000;

const IN_GROUP: &str = "(?T...) is about the whole pattern and cannot stand in a group";
const BEHIND_ALL: &str = "nothing may follow (?T...), which is about the whole pattern";

/// A part of a pattern. Places are those of its first character, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Row(Test),
    AnyRows,
    /// Time between the row before and the row behind it: one of these ranges.
    Gate {
        ranges: Vec<Elapsed>,
        place: usize,
    },
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Repeat {
        node: Box<Node>,
        min: usize,
        max: Option<usize>,
        place: usize,
    },
}

/// A whole pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) root: Node,
    /// Ticks from the first row to the last.
    pub(super) within: Option<u64>,
}

pub(super) fn parse(
    text: &str,
    conditions: Conditions<'_>,
    unit: Option<TickUnit>,
) -> Result<Tree, PatternError> {
    let mut parser = Parser::new(text, conditions, unit);
    if text.trim().is_empty() {
        return parser.error(
            0,
            "the pattern is empty; write what to look for, as in '(?1).*(?2)', or '.' for any row",
        );
    }
    let root = parser.choice(0)?;
    match parser.peek() {
        None => Ok(Tree { root, within: parser.within }),
        Some(found) => parser.error(parser.at, format!("'{found}' has no matching '('")),
    }
}

/// Where the text has been read to; positions count from 0, those of errors from 1.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) chars: Vec<char>,
    pub(super) at: usize,
    pub(super) conditions: Conditions<'a>,
    pub(super) unit: Option<TickUnit>,
    pub(super) within: Option<u64>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, conditions: Conditions<'a>, unit: Option<TickUnit>) -> Self {
        Self { text, chars: text.chars().collect(), at: 0, conditions, unit, within: None }
    }

    pub(super) fn error<T>(&self, at: usize, message: impl Into<String>) -> Result<T, PatternError> {
        Err(PatternError::new(self.text, at + 1, message))
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn choice(&mut self, depth: usize) -> Result<Node, PatternError> {
        let mut branches = vec![self.sequence(depth)?];
        while self.peek() == Some('|') {
            if self.within.is_some() {
                return self.error(self.at, BEHIND_ALL);
            }
            self.at += 1;
            branches.push(self.sequence(depth)?);
        }
        Ok(match branches.len() {
            1 => branches.remove(0),
            _ => Node::Choice(branches),
        })
    }

    fn sequence(&mut self, depth: usize) -> Result<Node, PatternError> {
        let mut parts = Vec::new();
        loop {
            self.skip_spaces();
            let start = self.at;
            match self.peek() {
                None | Some('|' | ')') => break,
                Some(_) if self.within.is_some() => return self.error(start, BEHIND_ALL),
                Some('.') => {
                    self.at += 1;
                    // `.*` is no row at all, but a gap.
                    if self.eat('*') {
                        self.refuse_second_quantifier()?;
                        parts.push(Node::AnyRows);
                    } else {
                        let node = self.repeated(Node::Row(Test::Any), start)?;
                        parts.push(node);
                    }
                }
                Some('(') => {
                    let node = if self.chars.get(self.at + 1) == Some(&'?') {
                        self.marked(depth)?
                    } else {
                        Some(self.group(depth)?)
                    };
                    if let Some(node) = node {
                        let node = self.repeated(node, start)?;
                        parts.push(node);
                    }
                }
                Some(sign @ ('*' | '+' | '?' | '{')) => {
                    return self
                        .error(start, format!("'{sign}' repeats what stands before it, but nothing does"));
                }
                Some(other) => {
                    return self.error(
                        start,
                        format!("'{other}' is not part of a pattern; there are (?N), (?name), (?!N), '.', '.*', (?t<=n), '|', groups in parentheses, and '*', '+', '?', {{m,n}} behind them"),
                    );
                }
            }
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Node::Sequence(parts),
        })
    }

    fn group(&mut self, depth: usize) -> Result<Node, PatternError> {
        let start = self.at;
        if depth == MAX_DEPTH {
            return self.error(start, format!("groups are nested more than {MAX_DEPTH} deep"));
        }
        self.at += 1;
        let inner = self.choice(depth + 1)?;
        if !self.eat(')') {
            return self.error(start, "this '(' has no matching ')'");
        }
        Ok(inner)
    }

    /// `(?...)`: a condition or a time; `None` for the time of the whole pattern, which is no part of it.
    fn marked(&mut self, depth: usize) -> Result<Option<Node>, PatternError> {
        let start = self.at;
        match self.inner(start)? {
            Inner::Condition { name, is_negated } => {
                let condition = self.condition(&name, start)?;
                let test = if is_negated { Test::MeetsNot(condition) } else { Test::Meets(condition) };
                Ok(Some(Node::Row(test)))
            }
            Inner::Time { letter: 't', comparison, length } => {
                let ranges = self.ranges(comparison, &length, start, 't')?;
                Ok(Some(Node::Gate { ranges, place: start + 1 }))
            }
            Inner::Time { letter, comparison, length } => {
                let ranges = self.ranges(comparison, &length, start, letter)?;
                let (AtMost | Less) = comparison else {
                    return self.error(
                        start,
                        "(?T...) limits the length of the whole match: only <= and < are possible",
                    );
                };
                if depth > 0 {
                    return self.error(start, IN_GROUP);
                }
                self.within = ranges.first().map(|range| range.max);
                Ok(None)
            }
        }
    }

    /// `node` with what says how often it may come.
    fn repeated(&mut self, node: Node, start: usize) -> Result<Node, PatternError> {
        let sign = self.at;
        let (min, max) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                let (min, max) = self.counts()?;
                self.refuse_second_quantifier()?;
                return self.repeat(node, min, max, start, sign);
            }
            _ => return Ok(node),
        };
        self.at += 1;
        self.refuse_second_quantifier()?;
        self.repeat(node, min, max, start, sign)
    }

    fn repeat(
        &self,
        node: Node,
        min: usize,
        max: Option<usize>,
        start: usize,
        sign: usize,
    ) -> Result<Node, PatternError> {
        if let Node::Gate { .. } = node {
            return self.error(sign, "a time cannot be repeated");
        }
        Ok(Node::Repeat { node: Box::new(node), min, max, place: start + 1 })
    }

    fn refuse_second_quantifier(&self) -> Result<(), PatternError> {
        match self.peek() {
            Some(sign @ ('*' | '+' | '?' | '{')) => self.error(
                self.at,
                format!("'{sign}' follows another repetition; put parentheses around what it repeats"),
            ),
            _ => Ok(()),
        }
    }

    /// `{m}`, `{m,}` or `{m,n}`.
    fn counts(&mut self) -> Result<(usize, Option<usize>), PatternError> {
        let start = self.at;
        let wrong = || "a repetition is {m}, {m,} or {m,n} with whole numbers".to_owned();
        let Some(length) = self.chars[start..].iter().position(|c| *c == '}') else {
            return self.error(start, "this '{' has no matching '}'");
        };
        let inner: String = self.chars[start + 1..start + length].iter().collect();
        self.at = start + length + 1;
        let number = |text: &str| match text.trim().parse::<usize>() {
            Ok(number) if number <= MAX_REPEATS => Ok(number),
            Ok(number) => {
                self.error(start, format!("{number} repetitions are too many, at most {MAX_REPEATS}"))
            }
            Err(_) => self.error(start, wrong()),
        };
        let (min, max) = match inner.split_once(',') {
            None => {
                let count = number(&inner)?;
                (count, Some(count))
            }
            Some((min, max)) if max.trim().is_empty() => (number(min)?, None),
            Some((min, max)) => (number(min)?, Some(number(max)?)),
        };
        if max.is_some_and(|max| max < min || max == 0) {
            return self
                .error(start, "the second number of {m,n} must be at least 1 and not below the first");
        }
        Ok((min, max))
    }
}
