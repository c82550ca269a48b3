//! What a list of sessions does without.

use std::collections::BTreeSet;

use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, lit};

use super::LIST;
use crate::aggregate::session_list::{
    COLUMN_NAMES, DIMENSIONS, Position, WantedFields, is_session_list, session_list,
};
use crate::session::Role;
use crate::table::unused::Lists;

/// The lists of sessions.
pub(in crate::table) const LISTS: Lists = Lists { column: LIST, smaller };

/// `call` with fewer fields and arguments; `None` if it is none of ours or needs all that it has.
fn smaller(call: &AggregateFunction, input: &DFSchema, used: &BTreeSet<String>) -> Result<Option<Expr>> {
    if !is_session_list(&call.func) {
        return Ok(None);
    }
    let mut args = call.params.args.clone();
    let types = args.iter().map(|arg| arg.get_type(input)).collect::<Result<Vec<_>>>()?;
    let function = session_list(WantedFields::of(&types, |field| used.contains(field))?);
    let mut changed = call.func.as_ref() != function.as_ref();
    let has_float_revenue = types[Position::REVENUE].is_floating();
    for (position, nothing) in unused(&args, used, has_float_revenue) {
        changed |= args[position] != nothing;
        args[position] = nothing;
    }
    let smaller = || AggregateFunction::new_udf(function, args, false, None, vec![], None);
    Ok(changed.then(|| Expr::AggregateFunction(smaller())))
}

/// Arguments that none of the `used` fields needs, and what to put in their place.
fn unused(args: &[Expr], used: &BTreeSet<String>, has_float_revenue: bool) -> Vec<(usize, Expr)> {
    let is_used = |names: &[&str]| names.iter().any(|name| used.contains(*name));
    let nothing = || lit(ScalarValue::Null);
    let mut unused = Vec::new();
    for (index, column) in COLUMN_NAMES.into_iter().enumerate() {
        // Channel, source and campaign come from one row, which is looked for in all three.
        let origin = ["channel", "source", "campaign"];
        let feeds = |name: &str| name == column || (origin.contains(&name) && origin.contains(&column));
        let shown = DIMENSIONS.iter().filter(|(name, ..)| feeds(name)).map(|(_, shown, _)| *shown);
        if !is_used(&shown.collect::<Vec<_>>()) {
            unused.push((Position::COLUMNS + index, nothing()));
        }
    }
    let has_revenue = is_used(&["revenue"]);
    if !has_revenue {
        unused.push((Position::REVENUE, nothing()));
    }
    if !is_used(&["page_views", "is_bounce", "is_engaged"]) {
        unused.push((Position::PAGE_VIEW, lit(false)));
    }
    if !is_used(&["conversions", "is_engaged"]) {
        unused.push((Position::CONVERSION, lit(false)));
    }
    // Rows of one instant may come in any order if no rule tells them apart, no value of a single row is shown, and
    // nothing is added that rounds.
    let shows_rows = DIMENSIONS.iter().any(|(_, shown, _)| used.contains(*shown));
    let is_null = |position: usize| matches!(&args[position], Expr::Literal(value, _) if value.is_null());
    let by_time_alone =
        [Role::Inclusive, Role::StartIf, Role::EndIf, Role::Separator, Role::SplitOn, Role::MaxEvents]
            .into_iter()
            .all(|role| is_null(Position::of(role)));
    if by_time_alone && !shows_rows && !(has_revenue && has_float_revenue) {
        unused.push((Position::SEQUENCE, nothing()));
    }
    unused
}
