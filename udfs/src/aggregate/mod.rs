//! Aggregate functions.

pub(crate) mod buffered;
mod funnel;

pub(crate) use funnel::{FunnelPlanner, funnel_functions};
