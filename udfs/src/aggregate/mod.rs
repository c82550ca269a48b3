//! Aggregate functions.

pub(crate) mod buffered;
mod retention;
mod window_funnel;

pub use retention::Retention;
pub use window_funnel::WindowFunnel;
