//! Aggregate functions.

pub(crate) mod buffered;
pub(crate) mod report;
mod retention;
pub(crate) mod session_list;
mod window_funnel;

pub use retention::Retention;
pub use window_funnel::WindowFunnel;
