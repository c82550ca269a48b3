//! What rows of one instant mean.

use std::fmt;

/// How rows with equal times follow one another.
///
/// No policy looks at the order in which rows arrive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Ties {
    /// Rows of one instant are taken in the order of the steps that they meet.
    #[default]
    SameInstant,
    /// Rows of one instant follow a sequence column: a later step counts only in a later row.
    Order,
    /// A later step must have a later time.
    Strict,
}

impl Ties {
    /// All policies with their names in SQL.
    pub const NAMES: [(&'static str, Self); 3] =
        [("same_instant", Self::SameInstant), ("order", Self::Order), ("strict", Self::Strict)];
}

impl fmt::Display for Ties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SameInstant => "same_instant",
            Self::Order => "order",
            Self::Strict => "strict",
        })
    }
}
