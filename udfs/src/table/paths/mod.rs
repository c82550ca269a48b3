//! Paths as reports: edges, transitions, whole paths, steps.
//!
//! All functions stand on one aggregate ([`path_graph`](crate::aggregate::paths::path_graph)), which runs over the rows of
//! each person and adds up figures; what is left to do is plain SQL over those.

mod arguments;
mod centre;
mod compare;
mod docs;
mod edges;
mod figures;
mod funnel_paths;
mod step_matrix;
mod top_paths;
mod transitions;
mod unused;

pub(super) use unused::LISTS;

use std::sync::Arc;

use super::TableFunction;

/// The table functions of this family.
pub(super) fn functions() -> Vec<Arc<dyn TableFunction>> {
    vec![
        Arc::new(edges::Paths),
        Arc::new(transitions::Transitions),
        Arc::new(top_paths::TopPaths),
        Arc::new(step_matrix::StepMatrix),
        Arc::new(funnel_paths::FunnelPaths),
    ]
}
