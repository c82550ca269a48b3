//! What is wrong with the text of a pattern, and where.

use std::fmt;

/// A pattern that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    pattern: String,
    /// Place in characters, from 1.
    position: usize,
    message: String,
}

impl PatternError {
    pub(super) fn new(pattern: &str, position: usize, message: impl Into<String>) -> Self {
        Self { pattern: pattern.to_owned(), position, message: message.into() }
    }

    /// The place in the text that the message is about: characters, from 1.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pattern '{}', at character {}: {}", self.pattern, self.position, self.message)
    }
}

impl std::error::Error for PatternError {}
