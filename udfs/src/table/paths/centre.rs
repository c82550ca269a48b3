//! The arguments of a centre that is a row of a match: `pattern` and what goes with it.

use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Expr, lit};

use super::arguments::node_condition;
use crate::aggregate::sequence::{compared_text, items};
use crate::arguments::is_text;
use crate::journey::paths::PatternCentre;
use crate::journey::sequence::{Conditions, Pattern, Which};
use crate::length::tick_unit;
use crate::table::TableCall;

/// The arguments that mean nothing without `pattern`.
const OF_PATTERN: [&str; 4] = ["conditions", "which", "element", "keep_unmatched"];

/// The largest place of an element, from either end.
const MAX_ELEMENT: i64 = 1_000_000;

/// Names of conditions and their numbers.
type Names = Vec<(String, usize)>;

/// Reads the pattern and its conditions, over rows whose node is `node` and whose time has type `ts`.
///
/// # Errors
/// A plan error that names the argument: also for a pattern whose match has no such element, whatever the data.
pub(super) fn read(
    call: &mut TableCall<'_>,
    node: &Expr,
    ts: &DataType,
) -> Result<Option<(PatternCentre, Vec<Expr>)>> {
    let function = call.function();
    let Some(text) = call.text("pattern")? else {
        return match OF_PATTERN.into_iter().find(|name| call.is_given(name)) {
            Some(name) => {
                plan_err!("{function}: argument {name} goes with argument pattern only, which is missing")
            }
            None => Ok(None),
        };
    };
    let (conditions, names) = conditions(call, &text, node)?;
    let unit = match ts {
        DataType::Timestamp(unit, _) => Some(tick_unit(*unit)),
        _ => None,
    };
    let known = Conditions { count: conditions.len(), names: &names };
    let pattern = match Pattern::parse(&text, known, unit) {
        Ok(pattern) => pattern,
        Err(error) => return plan_err!("{function}: argument {error}"),
    };
    if pattern.is_nullable() {
        return plan_err!(
            "{function}: argument pattern: '{text}' matches without any row, so that there is none for the centre; write \
             the condition that it must meet, as in '(?1)'"
        );
    }
    let element = element(call, &text, &pattern)?;
    let centre = PatternCentre {
        pattern,
        conditions: conditions.len(),
        which: call.choice("which", &Which::NAMES)?.unwrap_or_default(),
        element,
        keeps_unmatched: call.boolean("keep_unmatched")?.unwrap_or(false),
    };
    Ok(Some((centre, conditions)))
}

fn element(call: &mut TableCall<'_>, text: &str, pattern: &Pattern) -> Result<i64> {
    let function = call.function();
    let element = call.integer("element", -MAX_ELEMENT..=MAX_ELEMENT)?.unwrap_or(1);
    if element == 0 {
        return plan_err!(
            "{function}: argument element must not be 0: 1 is the first row of the match that meets a condition of the \
             pattern, -1 the last"
        );
    }
    let is_beyond = |most: &usize| usize::try_from(element.unsigned_abs()).is_ok_and(|number| number > *most);
    match pattern.most_rows().filter(is_beyond) {
        Some(0) => plan_err!(
            "{function}: argument pattern: no row of a match of '{text}' meets a condition, so that there is none for the \
             centre"
        ),
        Some(most) => plan_err!(
            "{function}: argument element is {element}, but at most {most} rows of a match of '{text}' meet a condition"
        ),
        None => Ok(element),
    }
}

/// The conditions of the pattern, and the names of those that have one with their numbers. Where none are given each name
/// in the pattern is that of a node.
fn conditions(call: &mut TableCall<'_>, text: &str, node: &Expr) -> Result<(Vec<Expr>, Names)> {
    let function = call.function();
    let given: Vec<(Expr, Option<String>)> = match call.expr_list("conditions")? {
        None => nodes(function, text)?.into_iter().map(|name| (lit(name.clone()), Some(name))).collect(),
        // A struct alone: its fields are names.
        Some(given) => match given.as_slice() {
            [one] => items(one).unwrap_or_else(|| vec![(one.clone(), condition_name(one))]),
            several => several.iter().map(|one| (one.clone(), condition_name(one))).collect(),
        },
    };
    if given.is_empty() {
        return plan_err!(
            "{function}: argument conditions is empty; list those of the pattern, as in conditions => ['view', 'buy']"
        );
    }
    let names =
        given.iter().zip(1..).filter_map(|((_, name), number)| Some((name.clone()?, number))).collect();
    let conditions = given
        .into_iter()
        .map(|(expr, _)| node_condition(call, "conditions", node, expr))
        .collect::<Result<_>>()?;
    Ok((conditions, names))
}

/// The names in a pattern without conditions.
fn nodes(function: &str, text: &str) -> Result<Vec<String>> {
    let names = match Pattern::names(text) {
        Ok(names) => names,
        Err(error) => return plan_err!("{function}: argument {error}"),
    };
    let is_number = |name: &&String| !name.is_empty() && name.chars().all(|c| c.is_ascii_digit());
    if let Some(number) = names.iter().find(is_number) {
        return plan_err!(
            "{function}: argument conditions is missing: '{text}' has condition {number}; list them, as in \
             conditions => ['view', 'buy'], or write the names of nodes into the pattern, as in '(?view).*(?buy)'"
        );
    }
    if names.is_empty() {
        return plan_err!(
            "{function}: argument pattern: '{text}' has no condition, so that there is no row for the centre; write one, as in \
             '(?view).*(?buy)'"
        );
    }
    Ok(names)
}

/// The name of a condition: that of the node, or the text that something is compared with.
fn condition_name(condition: &Expr) -> Option<String> {
    match condition {
        Expr::Literal(value, _) if is_text(&value.data_type()) => {
            value.try_as_str().flatten().map(str::to_owned)
        }
        other => compared_text(other),
    }
}
