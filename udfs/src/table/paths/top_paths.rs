//! `top_paths(data, node => ..., ...)`: whole paths and how often they come.

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Documentation, Expr, LogicalPlan, ident, lit};

use super::arguments::PathArguments;
use super::compare::compared;
use super::docs;
use super::figures::{Limits, by_as_given, count, figure, summed};
use crate::aggregate::paths::{GraphKind, durations_median, field};
use crate::table::{TableCall, TableFunction};

pub(super) const DEFAULT_SEPARATOR: &str = " > ";

/// The table function.
#[derive(Debug)]
pub(super) struct TopPaths;

impl TableFunction for TopPaths {
    fn name(&self) -> &'static str {
        "top_paths"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::TOP_PATHS_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let limits = Limits::read(call)?;
        let separator = call.text("separator")?.unwrap_or_else(|| DEFAULT_SEPARATOR.to_owned());
        let arguments = PathArguments::read(call)?;
        let (by_type, compares) = (arguments.by_type.clone(), arguments.compares);
        let ticks_per_second = arguments.ticks_per_second();
        let has_value = arguments.has_value();
        let has_conversion = arguments.has_conversion();

        let rows = arguments.figures(call, GraphKind::Paths { separator })?;
        let mut keys: Vec<Expr> = by_type.iter().map(|_| figure(field::SEGMENT).alias("by")).collect();
        keys.push(figure(field::PATH).alias(field::PATH));
        let mut sums = [field::PERSONS, field::COUNT, field::CONVERSIONS, field::VALUE].map(summed).to_vec();
        let durations = [field::DURATIONS, field::WEIGHTS].map(figure).to_vec();
        sums.push(durations_median(self.name(), durations).alias("median_seconds"));
        let paths = rows.aggregate(keys, sums)?;
        if compares {
            let keys = [field::PATH];
            let paths = compared(paths, self.name(), &keys, &[], field::COUNT, &[field::PERSONS])?;
            return limits.apply_to_both(paths, field::COUNT, &keys);
        }

        let mut columns: Vec<Expr> = by_type.iter().map(|_| ident("by")).collect();
        let none = |data_type: DataType| ScalarValue::try_from(&data_type).map(lit);
        columns.extend([
            ident(field::PATH),
            count(field::PERSONS),
            count(field::COUNT),
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
            (ident("median_seconds") / lit(ticks_per_second as f64)).alias("median_seconds"),
        ]);
        let paths = paths.project(by_as_given(columns, by_type.as_ref()))?;
        let ties = ["by", field::PATH];
        limits.apply(paths, field::COUNT, if by_type.is_some() { &ties } else { &ties[1..] })
    }

    fn documentation(&self) -> &Documentation {
        &docs::TOP_PATHS
    }
}
