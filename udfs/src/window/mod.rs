//! Window functions.

pub(crate) mod session;

pub use session::SessionFunction;
