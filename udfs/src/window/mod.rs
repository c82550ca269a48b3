//! Window functions.

pub(crate) mod neighbour;
pub(crate) mod session;

pub use session::SessionFunction;
