//! Aggregate functions.

pub(crate) mod buffered;
mod intersect_count;
pub(crate) mod report;
mod retention;
mod window_funnel;

pub use intersect_count::IntersectCount;
pub use retention::Retention;
pub use window_funnel::WindowFunnel;
