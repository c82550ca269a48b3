//! Aggregate functions.

pub(crate) mod buffered;
pub(crate) mod report;
mod retention;
mod window_funnel;

pub use retention::Retention;
pub use window_funnel::WindowFunnel;
