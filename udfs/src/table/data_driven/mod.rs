//! Data-driven attribution as reports: Markov chain, its transitions, Shapley values, leave-one-out.
//!
//! All functions take either rows of people or paths with their counts ([`arguments`]), and are one aggregate over the
//! journeys that come of them.

mod arguments;
mod counterfactual;
mod docs;
mod markov;
mod plan;
mod shapley;
mod transitions;

use std::sync::Arc;

use super::TableFunction;

/// The table functions of this family.
pub(super) fn functions() -> Vec<Arc<dyn TableFunction>> {
    vec![
        Arc::new(markov::MarkovAttribution),
        Arc::new(transitions::MarkovTransitions),
        Arc::new(shapley::ShapleyAttribution),
        Arc::new(counterfactual::CounterfactualAttribution),
    ]
}
