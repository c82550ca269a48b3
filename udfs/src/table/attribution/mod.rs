//! Rule attribution as reports: which touches led to conversions, how much each gets, and why.
//!
//! All functions read the same arguments ([`arguments`]) and stand on one aggregate over the rows of each person, so
//! that a summary adds up what `attribution` lists.

mod arguments;
mod credits;
mod docs;
mod explain;
mod lookback;
mod models;
mod spend;
mod summary;

use std::sync::Arc;

pub(super) use arguments::{AttributionArguments, Wanted, amount};

use super::TableFunction;

/// The table functions of this family.
pub(super) fn functions() -> Vec<Arc<dyn TableFunction>> {
    vec![
        Arc::new(credits::Attribution),
        Arc::new(summary::AttributionSummary),
        Arc::new(explain::AttributionExplain),
    ]
}
