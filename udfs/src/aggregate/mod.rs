//! Aggregate functions.

pub(crate) mod buffered;
pub(crate) mod session_list;
mod window_funnel;

pub use window_funnel::WindowFunnel;
