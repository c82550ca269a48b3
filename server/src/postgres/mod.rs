//! Functions, operators and types of PostgreSQL that the engine does not have, or has with another meaning.
//!
//! What DataFusion has is left to it. Everything here is pure: it knows neither sessions nor tables.

mod json;
mod jsonb_text;
mod operators;
mod single_value;
mod typed;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::context::SessionContext;

/// Adds everything to `context`.
///
/// # Errors
/// Those of the registry.
pub(crate) fn register_all(context: &mut SessionContext) -> Result<()> {
    for function in typed::all().into_iter().chain(json::all()) {
        FunctionRegistry::register_udf(context, Arc::new(function))?;
    }
    FunctionRegistry::register_udaf(context, Arc::new(single_value::function()))?;
    context.register_expr_planner(Arc::new(operators::JsonOperators))
}
