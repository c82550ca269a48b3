//! Aggregate functions.

pub(crate) mod buffered;
mod window_funnel;

pub use window_funnel::WindowFunnel;
