//! Errors of the runner: one sentence for the person who started it.

use std::fmt;

/// Result of a step of the runner.
pub type Result<T> = std::result::Result<T, BenchError>;

/// What could not be done, and why.
#[derive(Debug)]
pub struct BenchError(String);

impl BenchError {
    /// `what` failed because of `cause`.
    pub fn new(what: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self(format!("{what}: {cause}"))
    }

    /// An error with a whole sentence of its own.
    pub fn plain(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BenchError {}
