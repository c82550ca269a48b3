//! The session rules as SQL arguments: what the window functions and `sessions` share.

mod argument;
mod call;
mod columns;
mod id;
mod parameters;
pub(crate) mod span;

pub(crate) use argument::Argument;
pub(crate) use call::{Call, SessionCall, limit};
pub(crate) use columns::{Columns, Marks, RowReader};
pub(crate) use id::{session_id, session_start};
pub(crate) use parameters::{Parameter, RULES, Role, is_per_row};
