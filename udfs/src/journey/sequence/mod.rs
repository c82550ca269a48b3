//! Patterns of rows: `(?1).*(?2)` and what it matches among a person's rows.
//!
//! [`Pattern::parse`] reads the text and compiles it to conditions and the links between them (Glushkov 1961: one
//! state for each condition in the text, no empty moves). [`Search`] looks for matches; time and memory are bounded by
//! rows times states, whatever the pattern, because what can follow a row is worked out once, from the last row to the
//! first. A chain of conditions with `.*` between them needs one pass and no table.
//!
//! Which match: the one that begins first; after each of its rows the next one comes as early as the pattern can still
//! be completed, and among conditions met by the same row the one that stands first in the pattern; it ends as soon as
//! the pattern is complete. Further matches begin behind the last row of the one before.
//!
//! Source of the pattern language: ClickHouse's `sequenceMatch`. Names, `(?!N)`, `{m,n}`, `|`, groups, `!=`, units and
//! `(?T<=n)` are additions.

mod compile;
mod error;
mod fragment;
mod marked;
mod next_node;
mod parse;
mod pattern;
mod search;
mod table;
mod time;

pub use error::PatternError;
pub use next_node::{Base, Direction, NextNode};
pub use pattern::{Conditions, Pattern};
pub use search::{Match, Search, Which};

#[cfg(test)]
mod tests;
