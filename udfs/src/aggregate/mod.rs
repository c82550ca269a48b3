//! Aggregate functions.

mod window_funnel;

pub use window_funnel::WindowFunnel;
