//! Funnels as reports: how many came how far, when, in which group, and who.
//!
//! All functions stand on one plan: an aggregate over the rows of each person gives outcomes
//! ([`outcomes`]), and a second one their figures ([`report`]). So the persons that
//! `funnel_persons` lists are those that `funnel` counts.

mod arguments;
mod docs;
mod explain;
mod explanation;
mod layout;
mod outcomes;
mod persons;
mod plan;
mod report;
mod step_names;
mod steps;
mod time_to_convert;
mod trend;
mod windows;

use std::sync::Arc;

use super::TableFunction;

/// The table functions of this family.
pub(super) fn functions() -> Vec<Arc<dyn TableFunction>> {
    vec![
        Arc::new(steps::Funnel),
        Arc::new(trend::FunnelTrend),
        Arc::new(time_to_convert::FunnelTimeToConvert),
        Arc::new(persons::FunnelPersons),
        Arc::new(explanation::FunnelExplain),
    ]
}
