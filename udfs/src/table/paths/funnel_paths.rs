//! `funnel_paths(data, steps => [...], ...)`: what people did between two steps of a funnel, or instead of the later.

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{Documentation, Expr, LogicalPlan, ident, lit};

use super::arguments::PathArguments;
use super::compare::compared;
use super::docs;
use super::figures::{Limits, by_as_given, count, figure, ratio, sum_over, summed, windows};
use super::top_paths::DEFAULT_SEPARATOR;
use crate::aggregate::paths::{GraphKind, durations_median, field};
use crate::journey::paths::FunnelPart;
use crate::table::{TableCall, TableFunction};

const DEFAULT_DAYS: i32 = 14;

/// The table function.
#[derive(Debug)]
pub(super) struct FunnelPaths;

impl TableFunction for FunnelPaths {
    fn name(&self) -> &'static str {
        "funnel_paths"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::FUNNEL_PATHS_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let limits = Limits::read(call)?;
        let separator = call.text("separator")?.unwrap_or_else(|| DEFAULT_SEPARATOR.to_owned());
        let steps = steps(call)?;
        let part = part(call, steps.len())?;
        let within = within(call)?;
        let arguments = PathArguments::of_funnel(call, part, steps, within)?;
        let (by_type, compares) = (arguments.by_type.clone(), arguments.compares);
        let ticks_per_second = arguments.ticks_per_second();
        let by: Vec<Expr> = by_type.iter().map(|_| ident("by")).collect();

        let rows = arguments.figures(call, GraphKind::Paths { separator })?;
        let mut keys: Vec<Expr> = by_type.iter().map(|_| figure(field::SEGMENT).alias("by")).collect();
        keys.push(figure(field::PATH).alias(field::PATH));
        if compares {
            // Everybody has one path at most: persons are all that there is to count.
            let (paths, keys) = (rows.aggregate(keys, [summed(field::PERSONS)])?, [field::PATH]);
            let paths = compared(paths, self.name(), &keys, &[], field::PERSONS, &[])?;
            return limits.apply_to_both(paths, field::PERSONS, &keys);
        }
        let durations = [field::DURATIONS, field::WEIGHTS].map(figure).to_vec();
        let median = durations_median(self.name(), durations).alias("median_seconds");
        let paths = rows.aggregate(keys, [summed(field::PERSONS), median])?;
        let paths = windows(paths, [sum_over(ident(field::PERSONS), by.clone())?.alias("__all")])?;

        let mut columns = by;
        columns.extend([
            ident(field::PATH),
            count(field::PERSONS),
            ratio(ident(field::PERSONS), ident("__all"))?.alias("share"),
            (ident("median_seconds") / lit(ticks_per_second as f64)).alias("median_seconds"),
        ]);
        let paths = paths.project(by_as_given(columns, by_type.as_ref()))?;
        let ties = ["by", field::PATH];
        limits.apply(paths, field::PERSONS, if by_type.is_some() { &ties } else { &ties[1..] })
    }

    fn documentation(&self) -> &Documentation {
        &docs::FUNNEL_PATHS
    }
}

fn steps(call: &mut TableCall<'_>) -> Result<Vec<Expr>> {
    let Some(steps) = call.conditions("steps")? else {
        return call.missing("steps", "give a list of events or conditions, as in steps => ['view', 'buy']");
    };
    let mut conditions = Vec::with_capacity(steps.len());
    for step in steps {
        conditions.push(match call.type_of(&step.expr)? {
            DataType::Null => lit(ScalarValue::Boolean(None)),
            _ => step.expr,
        });
    }
    if conditions.len() < 2 {
        return plan_err!("{}: argument steps must have at least two steps", call.function());
    }
    Ok(conditions)
}

fn part(call: &mut TableCall<'_>, steps: usize) -> Result<FunnelPart> {
    let last = i64::try_from(steps).unwrap_or(i64::MAX);
    let from = call.integer("from_step", 1..=last - 1)?.unwrap_or(1);
    let to = call.integer("to_step", from + 1..=last)?.unwrap_or(from + 1);
    let instead = call.choice("what", &[("between", false), ("instead", true)])?.unwrap_or(false);
    let step = |number: i64| usize::try_from(number).unwrap_or(1);
    Ok(FunnelPart { steps, from: step(from), to: step(to), instead })
}

fn within(call: &mut TableCall<'_>) -> Result<Expr> {
    let ts = call.ts()?;
    let ts = call.type_of(&ts)?;
    match call.length("within", &ts)? {
        Some(within) => Ok(within),
        None if ts.is_integer() => {
            call.missing("within", "ts is an integer: give the window in its unit, as in within => 1209600")
        }
        None => Ok(lit(ScalarValue::new_interval_mdn(0, DEFAULT_DAYS, 0))),
    }
}
