//! From the figures of partitions to the rows of a report.

use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::expr::{Sort, WindowFunction};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, cast, ident, lit, when,
};

use super::arguments::FIGURES;
use crate::aggregate::paths::field;
use crate::aggregate::sum_function;
use crate::table::TableCall;

/// Digits of the decimals in which counts are added up: no sum of BIGINTs is wrong.
const SUM: DataType = DataType::Decimal128(38, 0);

/// A field of the figures.
pub(super) fn figure(name: &str) -> Expr {
    get_field(ident(FIGURES), name)
}

/// The sum of a figure, under its name.
pub(super) fn summed(name: &str) -> Expr {
    let figure = figure(name);
    let exact = if name == field::TICKS || name == field::VALUE { figure } else { cast(figure, SUM) };
    sum_function().call(vec![exact]).alias(name)
}

/// A summed count as BIGINT.
pub(super) fn count(name: &str) -> Expr {
    cast(ident(name), DataType::Int64).alias(name)
}

/// The sum of `of` over all rows that are equal in `partition`.
pub(super) fn sum_over(of: Expr, partition: Vec<Expr>) -> Result<Expr> {
    Expr::from(WindowFunction::new(sum_function(), vec![of])).partition_by(partition).build()
}

/// Adds columns of window functions, whose partitions may differ.
pub(super) fn windows(
    rows: LogicalPlanBuilder,
    columns: impl IntoIterator<Item = Expr>,
) -> Result<LogicalPlanBuilder> {
    // One plan for each: those in one plan must have the same partitions.
    columns.into_iter().try_fold(rows, |rows, column| rows.window([column]))
}

/// `part / whole` as DOUBLE; NULL where the whole is 0.
pub(super) fn ratio(part: Expr, whole: Expr) -> Result<Expr> {
    let real = |expr: Expr| cast(expr, DataType::Float64);
    when(whole.clone().not_eq(lit(0)), real(part) / real(whole)).end()
}

/// Mean seconds of a summed edge; NULL where no times are known.
pub(super) fn mean_seconds(ticks_per_second: i64) -> Result<Expr> {
    let seconds = ratio(ident(field::TICKS), ident(field::TIMED))?;
    Ok((seconds / lit(ticks_per_second as f64)).alias("mean_seconds"))
}

/// The columns with `by`, if it is the first, in the type in which it was given.
pub(super) fn by_as_given(mut columns: Vec<Expr>, by_type: Option<&DataType>) -> Vec<Expr> {
    if let (Some(by_type), Some(by)) = (by_type, columns.first_mut()) {
        *by = cast(ident("by"), by_type.clone()).alias("by");
    }
    columns
}

/// Limits on a count: `min_weight`, `max_weight`, and the `top` of rows in the order of `order`.
#[derive(Debug)]
pub(super) struct Limits {
    min: Option<i64>,
    max: Option<i64>,
    top: Option<usize>,
}

impl Limits {
    pub(super) fn read(call: &mut TableCall<'_>) -> Result<Self> {
        let min = call.integer("min_weight", 0..=i64::MAX)?;
        let max = call.integer("max_weight", 0..=i64::MAX)?;
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            return plan_err!(
                "{}: argument min_weight is above max_weight: {min} and {max}",
                call.function()
            );
        }
        let top = call.integer("top", 1..=i64::from(i32::MAX))?;
        Ok(Self { min, max, top: top.and_then(|top| usize::try_from(top).ok()) })
    }

    /// Keeps the rows whose `weight` is within the limits, and of those the first in descending order of it; where it
    /// is equal in the order of `ties`.
    pub(super) fn apply(
        &self,
        mut rows: LogicalPlanBuilder,
        weight: &str,
        ties: &[&str],
    ) -> Result<LogicalPlan> {
        if let Some(min) = self.min {
            rows = rows.filter(ident(weight).gt_eq(lit(min)))?;
        }
        if let Some(max) = self.max {
            rows = rows.filter(ident(weight).lt_eq(lit(max)))?;
        }
        if let Some(top) = self.top {
            let ties = ties.iter().map(|column| Sort::new(ident(*column), true, true));
            let order: Vec<Sort> =
                std::iter::once(Sort::new(ident(weight), false, false)).chain(ties).collect();
            // Two plans: a limit that is part of a sort goes away when the result is sorted once more.
            rows = rows.sort(order)?.limit(0, Some(top))?;
        }
        rows.build()
    }

    /// The same for rows with a measure of two segments: its sum is the weight.
    pub(super) fn apply_to_both(
        &self,
        rows: LogicalPlanBuilder,
        measure: &str,
        ties: &[&str],
    ) -> Result<LogicalPlan> {
        let columns: Vec<Expr> = rows.schema().columns().into_iter().map(Expr::Column).collect();
        let both = ["a", "b"].map(|segment| ident(format!("{measure}_{segment}")));
        let both = both.into_iter().reduce(|a, b| a + b).map(|both| both.alias("__both"));
        let rows = rows.project(columns.iter().cloned().chain(both))?;
        let limited = self.apply(rows, "__both", ties)?;
        LogicalPlanBuilder::from(limited).project(columns)?.build()
    }
}
