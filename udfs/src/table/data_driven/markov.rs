//! `markov_attribution(data, ...)`: removal effects of a chain.

use std::sync::LazyLock;

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Documentation, LogicalPlan};

use super::arguments::{integer, seed, smoothing};
use super::docs;
use super::plan::plan;
use crate::aggregate::data_driven::{Kind, Reduce};
use crate::journey::markov::MAX_ORDER;
use crate::table::{TableCall, TableFunction};

const MAX_DRAWS: i64 = 10_000;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(docs::markov);

/// The `markov_attribution` table function.
#[derive(Debug)]
pub(super) struct MarkovAttribution;

impl TableFunction for MarkovAttribution {
    fn name(&self) -> &'static str {
        "markov_attribution"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::MARKOV_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let is_auto = call.word("order").is_some_and(|word| word.eq_ignore_ascii_case("auto"));
        let order = if is_auto { 0 } else { order(call)? };
        let draws = integer(call, "bootstrap", 1..=MAX_DRAWS, 0)?;
        if call.is_given("seed") && draws == 0 {
            return plan_err!("{}: argument seed is for bootstrap", self.name());
        }
        let kind = Kind::Markov {
            order,
            smoothing: smoothing(call)?.to_bits(),
            draws: usize::try_from(draws).unwrap_or(0),
            seed: seed(call)?,
        };
        // To compare orders, whole journeys are needed.
        let reduce = if is_auto { Reduce::Path } else { Reduce::Transitions(order) };
        plan(call, kind, reduce)
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}

/// Argument `order`: a number.
pub(super) fn order(call: &mut TableCall<'_>) -> Result<usize> {
    let order = integer(call, "order", 1..=i64::try_from(MAX_ORDER).unwrap_or(1), 1)?;
    Ok(usize::try_from(order).unwrap_or(1))
}
