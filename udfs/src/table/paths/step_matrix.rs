//! `step_matrix(data, node => ..., ...)`: where paths are at each step.

use datafusion::common::Result;
use datafusion::logical_expr::{Documentation, Expr, LogicalPlan, ident};

use super::arguments::PathArguments;
use super::compare::compared;
use super::docs;
use super::figures::{by_as_given, count, figure, ratio, sum_over, summed, windows};
use crate::aggregate::paths::{GraphKind, field};
use crate::table::{TableCall, TableFunction};

const DEFAULT_STEPS: u16 = 10;

/// The table function.
#[derive(Debug)]
pub(super) struct StepMatrix;

impl TableFunction for StepMatrix {
    fn name(&self) -> &'static str {
        "step_matrix"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::STEP_MATRIX_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let steps = call.integer("steps", 1..=1_000)?;
        let steps = steps.and_then(|steps| u16::try_from(steps).ok()).unwrap_or(DEFAULT_STEPS);
        let arguments = PathArguments::read(call)?;
        let (by_type, compares) = (arguments.by_type.clone(), arguments.compares);
        let by: Vec<Expr> = by_type.iter().map(|_| ident("by")).collect();

        let centred = arguments.is_centred();
        let rows = arguments.figures(call, GraphKind::Steps { steps, centred })?;
        let mut keys: Vec<Expr> = by_type.iter().map(|_| figure(field::SEGMENT).alias("by")).collect();
        keys.extend([field::STEP, field::NODE].map(|name| figure(name).alias(name)));
        let counts = rows.aggregate(keys, [summed(field::COUNT)])?;
        if compares {
            return compared(
                counts,
                self.name(),
                &[field::STEP, field::NODE],
                &[field::STEP],
                field::COUNT,
                &[],
            )?
            .build();
        }
        let mut partition = by.clone();
        partition.push(ident(field::STEP));
        let counts = windows(counts, [sum_over(ident(field::COUNT), partition)?.alias("__all")])?;
        let mut columns = by;
        columns.extend([
            ident(field::STEP),
            ident(field::NODE),
            count(field::COUNT).unalias().alias("paths"),
            ratio(ident(field::COUNT), ident("__all"))?.alias("share"),
        ]);
        counts.project(by_as_given(columns, by_type.as_ref()))?.build()
    }

    fn documentation(&self) -> &Documentation {
        &docs::STEP_MATRIX
    }
}
