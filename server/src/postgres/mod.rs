//! Functions, operators and types of PostgreSQL that the engine does not have, or has with another meaning.
//!
//! What DataFusion has is left to it. Everything here is pure: it knows neither sessions nor tables.

mod averages;
mod casts;
mod date_formats;
pub(crate) mod date_parts;
mod date_patterns;
mod date_read;
mod date_write;
pub(crate) mod float_digits;
pub(crate) mod float_operators;
pub(crate) mod inputs;
pub(crate) mod interval_in;
pub(crate) mod intervals;
pub(crate) mod json;
mod json_write;
mod jsonb_text;
mod literals;
pub(crate) mod marks;
pub(crate) mod misc;
pub(crate) mod mixed_numbers;
mod number_format;
mod operators;
pub(crate) mod outer_elements;
mod partial_functions;
pub(crate) mod quotients;
mod rounding;
mod single_value;
mod sized;
mod sleep;
mod strings;
pub(crate) mod text_casts;
mod text_format;
pub(crate) mod text_in;
pub(crate) mod time_in;
mod timezone;
mod typed;
mod whole_numbers;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::ScalarUDF;

/// All functions that give a value for each row.
fn scalar_functions() -> impl Iterator<Item = ScalarUDF> {
    typed::all()
        .into_iter()
        .chain(json::all())
        .chain(json_write::all())
        .chain(casts::all())
        .chain(strings::all())
        .chain(date_formats::all())
        .chain(date_parts::all())
        .chain(sized::all())
        .chain(intervals::all())
        .chain(misc::all())
        .chain(partial_functions::all())
        .chain(text_format::all())
        .chain(whole_numbers::all())
        .chain(mixed_numbers::all())
        .chain([timezone::function(), rounding::function(), sleep::function(), outer_elements::function()])
}

/// Their names.
pub(crate) fn scalar_names() -> impl Iterator<Item = String> {
    scalar_functions().map(|function| function.name().to_owned())
}

/// Adds everything to `context`.
///
/// # Errors
/// Those of the registry.
pub(crate) fn register_all(context: &mut SessionContext) -> Result<()> {
    for function in scalar_functions() {
        FunctionRegistry::register_udf(context, Arc::new(function))?;
    }
    let sum = context.udaf("sum")?;
    for aggregate in [single_value::function(), averages::function(sum), marks::array_agg()] {
        FunctionRegistry::register_udaf(context, Arc::new(aggregate))?;
    }
    context.register_expr_planner(Arc::new(literals::Literals))?;
    context.register_expr_planner(Arc::new(mixed_numbers::CaseOperands))?;
    context.register_expr_planner(Arc::new(quotients::Quotients))?;
    context.register_expr_planner(Arc::new(operators::IntervalOperators))?;
    context.register_expr_planner(Arc::new(operators::JsonOperators))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DataFusion copies its registry function by function, each under all its names and in any order: one that kept
    /// an alias of a replaced function would come back under that function's name now and then.
    #[test]
    fn functions_that_are_replaced_leave_no_alias_behind() {
        let context = SessionContext::new();
        for function in scalar_functions() {
            let Ok(replaced) = context.udf(function.name()) else { continue };
            for alias in std::iter::once(replaced.name()).chain(replaced.aliases().iter().map(String::as_str))
            {
                let is_kept = alias == function.name() || function.aliases().iter().any(|own| own == alias);
                assert!(is_kept, "{}: {alias}", function.name());
            }
        }
    }
}
