//! What stands in `(?...)`: conditions by number or name, and times.

use super::error::PatternError;
use super::parse::Parser;
use super::pattern::Conditions;
use super::time::{Comparison, Elapsed, Length, UNITS};

/// The text of a pattern with the numbers of conditions in place of their names.
///
/// # Errors
/// A name that no condition has, or more than one. What else may be wrong with the text is told by [`parse`](super::parse::parse).
pub(super) fn numbered(text: &str, conditions: Conditions<'_>) -> Result<String, PatternError> {
    let mut parser = Parser::new(text, conditions, None);
    let mut numbered = String::with_capacity(text.len());
    while let Some(next) = parser.peek() {
        let start = parser.at;
        if !parser.is_marked() {
            numbered.push(next);
            parser.at += 1;
            continue;
        }
        match parser.inner(start)? {
            Inner::Condition { name, is_negated } => {
                let condition = parser.condition(&name, start)?;
                let sign = if is_negated { "!" } else { "" };
                numbered.push_str(&format!("(?{sign}{condition})"));
            }
            Inner::Time { .. } => numbered.extend(&parser.chars[start..parser.at]),
        }
    }
    Ok(numbered)
}

/// Names and numbers of conditions in the text, each once, in its order.
///
/// # Errors
/// A `(?` without its end.
pub(super) fn names(text: &str) -> Result<Vec<String>, PatternError> {
    let mut parser = Parser::new(text, Conditions { count: 0, names: &[] }, None);
    let mut names = Vec::new();
    while parser.peek().is_some() {
        let start = parser.at;
        if !parser.is_marked() {
            parser.at += 1;
            continue;
        }
        if let Inner::Condition { name, .. } = parser.inner(start)?
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// What stands between `(?` and `)`.
pub(super) enum Inner {
    Time { letter: char, comparison: Comparison, length: String },
    Condition { name: String, is_negated: bool },
}

impl Parser<'_> {
    /// Whether `(?` comes next.
    fn is_marked(&self) -> bool {
        self.chars[self.at..].starts_with(&['(', '?'])
    }

    /// Reads `(?...)` at `start`.
    pub(super) fn inner(&mut self, start: usize) -> Result<Inner, PatternError> {
        let inside = start + 2;
        let Some(length) = self.chars[inside..].iter().position(|c| *c == ')') else {
            return self.error(start, "this '(' has no matching ')'");
        };
        self.at = inside + length + 1;
        let inner: String = self.chars[inside..inside + length].iter().collect();
        let inner = inner.trim();
        for letter in ['t', 'T'] {
            if let Some((comparison, length)) = inner.strip_prefix(letter).and_then(comparison) {
                return Ok(Inner::Time { letter, comparison, length: length.trim().to_owned() });
            }
        }
        let (name, is_negated) = match inner.strip_prefix('!') {
            Some(name) => (name.trim(), true),
            None => (inner, false),
        };
        Ok(Inner::Condition { name: name.to_owned(), is_negated })
    }

    pub(super) fn condition(&self, name: &str, start: usize) -> Result<usize, PatternError> {
        let count = self.conditions.count;
        if name.is_empty() {
            return self
                .error(start, "'(?' needs a condition, its number or its name, or a time such as t<=60");
        }
        if name.chars().all(|c| c.is_ascii_digit()) {
            return match name.parse::<usize>() {
                Ok(number) if (1..=count).contains(&number) => Ok(number),
                _ => self.error(
                    start,
                    format!("there is no condition {name}; conditions are numbered from 1 to {count}"),
                ),
            };
        }
        let mut numbers =
            self.conditions.names.iter().filter(|(known, _)| known == name).map(|(_, number)| *number);
        match (numbers.next(), numbers.next()) {
            (Some(number), None) => Ok(number),
            (Some(one), Some(other)) => self.error(
                start,
                format!(
                    "'{name}' is the name of conditions {one} and {other}; use the number of the one meant"
                ),
            ),
            (None, _) if self.conditions.names.is_empty() => self.error(
                start,
                format!("there is no condition named '{name}'; none of the {count} conditions has a name"),
            ),
            (None, _) => {
                let known: Vec<String> =
                    self.conditions.names.iter().map(|(name, _)| format!("'{name}'")).collect();
                self.error(
                    start,
                    format!("there is no condition named '{name}'; there are {}", known.join(", ")),
                )
            }
        }
    }

    /// The elapsed ticks for which a comparison with `length`, a number and a unit, holds.
    pub(super) fn ranges(
        &self,
        comparison: Comparison,
        length: &str,
        start: usize,
        letter: char,
    ) -> Result<Vec<Elapsed>, PatternError> {
        let digits = length.len() - length.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (digits, unit) = length.split_at(digits);
        if digits.is_empty() {
            return self.error(
                start,
                format!("a time needs a whole number, not negative, as in (?{letter}<=60); got '{length}'"),
            );
        }
        let Ok(amount) = digits.parse::<u64>() else {
            return self.error(start, format!("{digits} is too large for a time"));
        };
        let unit = unit.trim();
        let length = match (self.unit, unit) {
            (None, "") => Length::of_ticks(amount),
            (None, unit) => {
                return self.error(
                    start,
                    format!("'{unit}': times are integers here and have no unit; leave it out"),
                );
            }
            (Some(tick), "") => Length::of_units(amount, 1_000_000_000, tick),
            (Some(tick), unit) => match UNITS.iter().find(|(name, _)| *name == unit) {
                Some((_, nanos)) => Length::of_units(amount, *nanos, tick),
                None => {
                    let known: Vec<&str> = UNITS.iter().map(|(name, _)| *name).collect();
                    return self.error(
                        start,
                        format!(
                            "'{unit}' is no unit of time; there are {}, and without one seconds",
                            known.join(", ")
                        ),
                    );
                }
            },
        };
        let ranges = comparison.ranges(length);
        if ranges.is_empty() {
            return self.error(start, "no time between two rows meets this");
        }
        Ok(ranges)
    }
}

/// The sign that `text` begins with, and what follows it.
fn comparison(text: &str) -> Option<(Comparison, &str)> {
    let text = text.trim_start();
    Comparison::SIGNS.iter().find_map(|(sign, comparison)| Some((*comparison, text.strip_prefix(sign)?)))
}
