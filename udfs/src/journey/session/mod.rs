//! Sessions: where one ends and the next begins, by any combination of rules, in one pass.
//!
//! [`SessionRules`] says what cuts, [`Sessions`] is fed with the rows of one person in ascending
//! order of time and says for each row where in which session it stands ([`SessionPlace`]).
//!
//! Rows of one instant are taken in the order in which they are pushed. The number of sessions by
//! `gap`, `midnight` and `max_length` alone does not depend on that order; with the other rules the
//! caller must fix it.

mod machine;
mod pauses;
mod rules;
#[cfg(test)]
mod tests;

pub use machine::{OutOfOrder, SessionPlace, Sessions};
pub use pauses::starts_after_pauses;
pub use rules::{Limit, SessionReason, SessionRow, SessionRules};
