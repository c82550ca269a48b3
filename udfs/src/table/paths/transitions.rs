//! `transitions(data, node => ..., ...)`: how often one node follows another.

use datafusion::common::Result;
use datafusion::logical_expr::{Documentation, Expr, LogicalPlan, ident, when};

use super::arguments::PathArguments;
use super::compare::compared;
use super::docs;
use super::figures::{Limits, by_as_given, count, figure, mean_seconds, ratio, sum_over, summed, windows};
use crate::aggregate::paths::{GraphKind, field};
use crate::table::{TableCall, TableFunction};

/// The table function.
#[derive(Debug)]
pub(super) struct Transitions;

impl TableFunction for Transitions {
    fn name(&self) -> &'static str {
        "transitions"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::TRANSITIONS_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let limits = Limits::read(call)?;
        let ends = call.boolean("ends")?.unwrap_or(true);
        let arguments = PathArguments::read(call)?;
        let (by_type, compares) = (arguments.by_type.clone(), arguments.compares);
        let ticks_per_second = arguments.ticks_per_second();
        let by: Vec<Expr> = by_type.iter().map(|_| ident("by")).collect();

        let rows = arguments.figures(call, GraphKind::Edges { steps: None, ends })?;
        let mut keys: Vec<Expr> = by_type.iter().map(|_| figure(field::SEGMENT).alias("by")).collect();
        keys.extend([field::SOURCE, field::TARGET].map(|name| figure(name).alias(name)));
        let figures = [field::COUNT, field::PERSONS, field::TIMED, field::TICKS].map(summed);
        let edges = rows.aggregate(keys, figures)?;
        if compares {
            let edges = edges.filter(ident(field::SOURCE).is_not_null())?;
            let keys = [field::SOURCE, field::TARGET];
            let others = [field::PERSONS];
            let edges = compared(edges, self.name(), &keys, &[field::SOURCE], field::COUNT, &others)?;
            return limits.apply_to_both(edges, field::COUNT, &keys);
        }

        // The rows without a source count paths.
        let is_edge = || ident(field::SOURCE).is_not_null();
        let passed = || when(is_edge(), ident(field::COUNT)).end();
        let with = |column: &str| by.iter().cloned().chain([ident(column)]).collect::<Vec<_>>();
        let paths = when(is_edge().is_false(), ident(field::COUNT)).end()?;
        let columns = [
            sum_over(ident(field::COUNT), with(field::SOURCE))?.alias("__out"),
            sum_over(ident(field::COUNT), with(field::TARGET))?.alias("__in"),
            sum_over(passed()?, by.clone())?.alias("__all"),
            sum_over(paths, by.clone())?.alias("__paths"),
        ];
        let edges = windows(edges, columns)?;
        let mut columns = by;
        columns.extend([ident(field::SOURCE), ident(field::TARGET)]);
        columns.extend([
            count(field::COUNT),
            count(field::PERSONS),
            ratio(ident(field::COUNT), ident("__out"))?.alias("probability"),
            ratio(ident(field::COUNT), ident("__in"))?.alias("probability_in"),
            ratio(ident(field::COUNT), ident("__all"))?.alias("share"),
            ratio(ident(field::COUNT), ident("__paths"))?.alias("per_path"),
            mean_seconds(ticks_per_second)?,
        ]);
        let columns = by_as_given(columns, by_type.as_ref());
        let edges = edges.filter(is_edge())?.project(columns)?;
        let ties: &[&str] = if by_type.is_some() {
            &["by", field::SOURCE, field::TARGET]
        } else {
            &[field::SOURCE, field::TARGET]
        };
        limits.apply(edges, field::COUNT, ties)
    }

    fn documentation(&self) -> &Documentation {
        &docs::TRANSITIONS
    }
}
