//! Aggregate functions.

pub(crate) mod attribution;
pub(crate) mod buffered;
pub(crate) mod data_driven;
pub(crate) mod funnel;
mod intersect_count;
pub(crate) mod paths;
pub(crate) mod report;
mod retention;
pub(crate) mod sequence;
pub(crate) mod session_list;
mod sum;

pub(crate) use attribution::attribute_function;
pub(crate) use funnel::{FunnelPlanner, funnel_functions};
pub use intersect_count::IntersectCount;
pub use retention::Retention;
pub(crate) use sequence::{SequencePlanner, sequence_functions};
pub(crate) use sum::sum_function;
