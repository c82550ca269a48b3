//! Window functions.

pub(crate) mod neighbour;
pub(crate) mod session;
pub(crate) mod touch;

pub use session::SessionFunction;
pub use touch::TouchFunction;
