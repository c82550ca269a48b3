//! SQL functions for customer journeys: the algorithms and their DataFusion faces.
//!
//! [`journey`] holds the algorithms in plain Rust. The functions around them convert Arrow columns
//! and SQL arguments, and nothing else: no files, no network, no session. A function is a type that
//! implements one of DataFusion's traits; [`register_all`] adds all of them to a session.

mod aggregate;
mod arguments;
pub mod by_person;
mod calendar;
pub mod checked;
mod docs;
pub mod guarded;
pub mod interval;
pub mod journey;
mod length;
mod money;
mod scalar;
mod session;
pub mod statement;
pub mod table;
pub mod unnest;
mod window;
mod zone;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub use aggregate::{IntersectCount, Retention};
pub use docs::reference_markdown;
pub use window::{SessionFunction, TouchFunction};

/// Adds every function of this crate to `registry`, replacing functions of the same name.
///
/// # Errors
/// Those of the registry: one that is read-only refuses, and one that takes no expression planners.
pub fn register_all(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in all_aggregate_functions() {
        registry.register_udaf(function)?;
    }
    for function in all_window_functions() {
        registry.register_udwf(function)?;
    }
    for function in all_scalar_functions() {
        registry.register_udf(function)?;
    }
    registry.register_udf(Arc::new(date_trunc()))?;
    registry.register_udaf(aggregate::sum_function())?;
    registry.register_expr_planner(Arc::new(aggregate::FunnelPlanner))?;
    registry.register_expr_planner(Arc::new(aggregate::SequencePlanner))
}

/// Returns the aggregate functions of this crate.
pub fn all_aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    let mut functions = aggregate::funnel_functions();
    functions.extend(aggregate::sequence_functions());
    functions.extend(aggregate::paths::path_list_functions());
    functions.push(Arc::new(AggregateUDF::from(Retention::new())));
    functions.push(Arc::new(AggregateUDF::from(IntersectCount::new())));
    functions.push(Arc::new(aggregate::attribute_function()));
    functions
}

/// Returns the window functions of this crate.
pub fn all_window_functions() -> Vec<Arc<WindowUDF>> {
    let sessions = window::session::all().map(WindowUDF::from);
    let neighbours = window::neighbour::all().map(WindowUDF::from);
    let touches = window::touch::all().map(WindowUDF::from);
    sessions.chain(neighbours).chain(touches).map(Arc::new).collect()
}

/// Returns DataFusion's `date_trunc`, faster for times with a zone.
pub fn date_trunc() -> ScalarUDF {
    ScalarUDF::from(scalar::DateTrunc::new())
}

/// Returns the scalar functions of this crate.
pub fn all_scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![Arc::new(ScalarUDF::from(scalar::PathTransform::new()))]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use datafusion::prelude::SessionContext;

    use super::*;

    #[test]
    fn names_and_aliases_are_unique() {
        let mut names = Vec::new();
        for function in all_aggregate_functions() {
            names.push(function.name().to_owned());
            names.extend_from_slice(function.aliases());
        }
        for function in all_window_functions() {
            names.push(function.name().to_owned());
            names.extend_from_slice(function.aliases());
        }
        for function in all_scalar_functions() {
            names.push(function.name().to_owned());
            names.extend_from_slice(function.aliases());
        }
        let unique: HashSet<&String> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{names:?}");
    }

    #[test]
    fn nothing_of_datafusion_is_replaced() {
        let mut context = SessionContext::new();
        let known: HashSet<String> =
            context.udafs().into_iter().chain(context.udwfs()).chain(context.udfs()).collect();
        register_all(&mut context).unwrap();
        for name in ["window_funnel", "sessionize"] {
            assert!(!known.contains(name), "{name}");
        }
        assert!(context.udaf("window_funnel").is_ok());
        assert!(context.udwf("sessionize").is_ok());
    }
}
