//! `counterfactual_attribution(data, ...)`: what a path loses without a touch.

use std::sync::LazyLock;

use datafusion::common::Result;
use datafusion::logical_expr::{Documentation, LogicalPlan};

use super::docs;
use super::plan::plan;
use crate::aggregate::data_driven::{Kind, Reduce};
use crate::table::{TableCall, TableFunction};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(docs::counterfactual);

/// The `counterfactual_attribution` table function.
#[derive(Debug)]
pub(super) struct CounterfactualAttribution;

impl TableFunction for CounterfactualAttribution {
    fn name(&self) -> &'static str {
        "counterfactual_attribution"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::COUNTERFACTUAL_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        plan(call, Kind::Counterfactual, Reduce::Path)
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}
