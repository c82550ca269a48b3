//! `shapley_attribution(data, ...)`: Shapley values.

use std::sync::LazyLock;

use datafusion::common::Result;
use datafusion::logical_expr::{Documentation, LogicalPlan};

use super::arguments::{integer, seed};
use super::docs;
use super::plan::plan;
use crate::aggregate::data_driven::{Kind, Reduce};
use crate::journey::shapley::Worth;
use crate::table::{TableCall, TableFunction};

const DEFAULT_PAIRS: i64 = 10_000;
const MAX_PAIRS: i64 = 1_000_000;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(docs::shapley);

/// The `shapley_attribution` table function.
#[derive(Debug)]
pub(super) struct ShapleyAttribution;

impl TableFunction for ShapleyAttribution {
    fn name(&self) -> &'static str {
        "shapley_attribution"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::SHAPLEY_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let ordered = call.boolean("ordered")?.unwrap_or(false);
        let pairs = integer(call, "samples", 2..=MAX_PAIRS, DEFAULT_PAIRS)?;
        let kind = Kind::Shapley {
            worth: call.choice("worth", &Worth::NAMES)?.unwrap_or_default(),
            ordered,
            pairs: usize::try_from(pairs).unwrap_or(2),
            seed: seed(call)?,
        };
        plan(call, kind, if ordered { Reduce::Sequence } else { Reduce::Set })
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}
