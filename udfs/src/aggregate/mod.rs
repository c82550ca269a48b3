//! Aggregate functions.

pub(crate) mod buffered;
mod funnel;
pub(crate) mod report;
mod retention;
pub(crate) mod session_list;

pub(crate) use funnel::{FunnelPlanner, funnel_functions};
pub use retention::Retention;
