//! `retention_matrix(data, ...)`: of the people who began in one period, how many came back in later ones.

mod docs;

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{Documentation, Expr, ExprSchemable, LogicalPlan, lit};

use super::report::{self, Input, SHARED};
use super::{TableCall, TableFunction};
use crate::aggregate::report::{Matrix, Report};
use crate::journey::period::Period;
use crate::journey::retention::matrix::{Kind, MatrixSpec};

const NAME: &str = "retention_matrix";

/// Columns of periods where none are asked for, column 0 included.
const DEFAULT_PERIODS: i64 = 11;
const MOST_PERIODS: i64 = 10_000;

const PARAMETERS: [&str; 19] = {
    let [timezone, week_start, by, from, to, as_of, per, ts, event] = SHARED;
    [
        "target",
        "returning",
        "period",
        "periods",
        "kind",
        "mode",
        "brackets",
        "windows",
        timezone,
        week_start,
        "min_events",
        "value",
        by,
        from,
        to,
        as_of,
        per,
        ts,
        event,
    ]
};

/// The `retention_matrix` table function.
#[derive(Debug)]
pub(super) struct RetentionMatrix;

impl TableFunction for RetentionMatrix {
    fn name(&self) -> &'static str {
        NAME
    }

    fn parameters(&self) -> &'static [&'static str] {
        &PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let calendar = report::calendar(call, Period::Day)?;
        let own_windows = call.choice("windows", &[("calendar", false), ("24h", true)])?.unwrap_or_default();
        let or_after = call.choice("mode", &[("on", false), ("on_or_after", true)])?.unwrap_or_default();
        let min_events = call.integer("min_events", 1..=1_000_000)?.unwrap_or(1);
        let spec = MatrixSpec {
            kind: call.choice("kind", &Kind::NAMES)?.unwrap_or_default(),
            columns: columns(call)?,
            or_after,
            min_events: usize::try_from(min_events).unwrap_or(usize::MAX),
            period_length: if own_windows { calendar.period().fixed_hours() } else { 1 },
            own_windows,
        };
        let is_start = report::condition(call, "target")?.unwrap_or_else(|| lit(true));
        let is_return = report::condition(call, "returning")?.unwrap_or_else(|| is_start.clone());
        let value = value(call)?;
        let mut columns: Vec<(&'static str, Option<DataType>)> =
            ["cohort", "period", "cohort_size", "returned", "rate", "rate_low", "rate_high"]
                .map(|name| (name, None))
                .to_vec();
        let mut extra = None;
        if let Some((value, sum_type)) = value {
            columns.extend([("value_sum", sum_type), ("value_mean", None)]);
            extra = Some(value);
        }
        let report = Report::Matrix(Matrix { spec, calendar: calendar.clone() });
        report::plan(call, &report, &calendar, Input { is_start, is_return, extra, apart: false, columns })
    }

    fn documentation(&self) -> &Documentation {
        &docs::RETENTION_MATRIX
    }
}

/// Reads arguments `periods` and `brackets`.
fn columns(call: &mut TableCall<'_>) -> Result<Vec<(i64, i64)>> {
    let periods = call.integer("periods", 1..=MOST_PERIODS)?;
    let Some(brackets) = call.expr_list("brackets")? else {
        return Ok(MatrixSpec::single_periods(periods.unwrap_or(DEFAULT_PERIODS) - 1));
    };
    if periods.is_some() {
        return plan_err!("{NAME}: give either argument periods or argument brackets, not both");
    }
    let mut lengths = Vec::with_capacity(brackets.len());
    for bracket in &brackets {
        match bracket {
            Expr::Literal(ScalarValue::Int64(Some(length)), _) if (1..=MOST_PERIODS).contains(length) => {
                lengths.push(*length);
            }
            other => {
                return plan_err!(
                    "{NAME}: argument brackets must be a list of whole numbers from 1 to {MOST_PERIODS}, one for \
                     each column, as in [1, 6, 7]; got {other}"
                );
            }
        }
    }
    if lengths.is_empty() || lengths.len() > 1_000 {
        return plan_err!(
            "{NAME}: argument brackets must have from 1 to 1000 numbers, got {}",
            lengths.len()
        );
    }
    Ok(MatrixSpec::brackets(&lengths))
}

/// Reads argument `value`: the number to sum, and the type of the sum where it is not a double.
fn value(call: &mut TableCall<'_>) -> Result<Option<(Expr, Option<DataType>)>> {
    let Some(value) = call.expr("value")? else {
        return Ok(None);
    };
    let given = call.type_of(&value)?;
    if !given.is_numeric() {
        return plan_err!("{NAME}: argument value must be a number, got {given}");
    }
    let sum_type = match given {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Some(DataType::Decimal128(38, scale)),
        integer if integer.is_integer() => Some(DataType::Decimal128(38, 0)),
        _ => None,
    };
    Ok(Some((value.cast_to(&DataType::Float64, call.schema())?, sum_type)))
}
