//! `markov_transitions(data, ...)`: the transitions of a chain.

use std::sync::LazyLock;

use datafusion::common::Result;
use datafusion::logical_expr::{Documentation, LogicalPlan};

use super::docs;
use super::markov::order;
use super::plan::plan;
use crate::aggregate::data_driven::{Kind, Reduce};
use crate::table::{TableCall, TableFunction};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(docs::transitions);

/// The `markov_transitions` table function.
#[derive(Debug)]
pub(super) struct MarkovTransitions;

impl TableFunction for MarkovTransitions {
    fn name(&self) -> &'static str {
        "markov_transitions"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::TRANSITIONS_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let order = order(call)?;
        plan(call, Kind::Transitions { order }, Reduce::Transitions(order))
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}
