//! `paths(data, node => ..., ...)`: the edges of a flow diagram, step by step.

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{Documentation, Expr, LogicalPlan, ident, lit};

use super::arguments::PathArguments;
use super::compare::compared;
use super::docs;
use super::figures::{Limits, by_as_given, count, figure, mean_seconds, summed};
use crate::aggregate::paths::{GraphKind, field};
use crate::table::{TableCall, TableFunction};

/// Nodes of a path if nothing else is asked for.
const DEFAULT_DEPTH: usize = 5;

/// The table function.
#[derive(Debug)]
pub(super) struct Paths;

impl TableFunction for Paths {
    fn name(&self) -> &'static str {
        "paths"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::PATHS_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let limits = Limits::read(call)?;
        let ends = call.boolean("ends")?.unwrap_or(false);
        let mut arguments = PathArguments::read(call)?;
        arguments.depth.get_or_insert(DEFAULT_DEPTH);
        let (by_type, compares) = (arguments.by_type.clone(), arguments.compares);
        let ticks_per_second = arguments.ticks_per_second();
        let has_value = arguments.has_value();
        let has_conversion = arguments.has_conversion();
        let steps = Some(arguments.direction);

        let rows = arguments.figures(call, GraphKind::Edges { steps, ends })?;
        let rows = rows.filter(figure(field::SOURCE).is_not_null())?;
        let mut keys: Vec<Expr> = by_type.iter().map(|_| figure(field::SEGMENT).alias("by")).collect();
        keys.extend([field::STEP, field::SOURCE, field::TARGET].map(|name| figure(name).alias(name)));
        let sums =
            [field::COUNT, field::PERSONS, field::TIMED, field::TICKS, field::CONVERSIONS, field::VALUE]
                .map(summed);
        let edges = rows.aggregate(keys, sums)?;
        if compares {
            let keys = [field::STEP, field::SOURCE, field::TARGET];
            let others = [field::PERSONS];
            let edges = compared(edges, self.name(), &keys, &keys[..2], field::COUNT, &others)?;
            return limits.apply_to_both(edges, field::COUNT, &keys);
        }

        let mut columns: Vec<Expr> = by_type.iter().map(|_| ident("by")).collect();
        columns.extend([field::STEP, field::SOURCE, field::TARGET].map(ident));
        let none = |data_type: DataType| datafusion::common::ScalarValue::try_from(&data_type).map(lit);
        columns.extend([
            count(field::PERSONS),
            count(field::COUNT).unalias().alias("weight"),
            mean_seconds(ticks_per_second)?,
            if has_conversion {
                count(field::CONVERSIONS)
            } else {
                none(DataType::Int64)?.alias(field::CONVERSIONS)
            },
            if has_value {
                ident(field::VALUE)
            } else {
                none(DataType::Decimal128(38, 0))?.alias(field::VALUE)
            },
        ]);
        let edges = edges.project(by_as_given(columns, by_type.as_ref()))?;
        let ties = ["by", field::STEP, field::SOURCE, field::TARGET];
        limits.apply(edges, "weight", if by_type.is_some() { &ties } else { &ties[1..] })
    }

    fn documentation(&self) -> &Documentation {
        &docs::PATHS
    }
}
