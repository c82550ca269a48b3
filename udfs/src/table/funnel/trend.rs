//! `funnel_trend(data, steps, interval, ...)`: conversion by interval of entry.

use std::sync::{Arc, LazyLock};

use arrow::array::timezone::Tz;
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Documentation, Expr, ExprSchemable, LogicalPlan, lit};

use super::arguments::FunnelArguments;
use super::docs::{self, with_common};
use super::outcomes::{BY, PERIOD};
use super::plan::{outcomes, report};
use super::report::{Kind, Report};
use super::step_names::step;
use crate::table::{TableCall, TableFunction};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let builder = docs::builder(docs::TREND, "funnel_trend(data, steps => [...], interval => 'day', ...)")
        .with_argument("interval", docs::INTERVAL)
        .with_argument("timezone", docs::TIMEZONE)
        .with_argument("from_step, to_step", docs::FROM_TO);
    with_common(builder).with_sql_example(docs::TREND_EXAMPLE).build()
});

/// The `funnel_trend` table function.
#[derive(Debug)]
pub(super) struct FunnelTrend;

impl TableFunction for FunnelTrend {
    fn name(&self) -> &'static str {
        "funnel_trend"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::TREND_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let mut arguments = FunnelArguments::read(call)?;
        let (from, to) = from_and_to(call, &arguments)?;
        let period = period(call, &arguments)?;
        arguments.layout.has_period = true;
        let figures = Report {
            function: self.name(),
            kind: Kind::Conversion { from, to },
            optional: arguments.layout.optional.clone(),
            ticks_per_second: arguments.ticks_per_second(),
        };
        let groups: &[&str] = if arguments.layout.has_by { &[BY, PERIOD] } else { &[PERIOD] };
        report(outcomes(call, &arguments, Some(period))?, groups, figures)
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}

/// Arguments `from_step` and `to_step`: the first and the last if not given.
pub(super) fn from_and_to(call: &mut TableCall<'_>, arguments: &FunnelArguments) -> Result<(usize, usize)> {
    let mut read = |argument: &str, default: usize| match call.expr(argument)? {
        None => Ok(default),
        Some(expr) => step(call, argument, &arguments.names, &expr),
    };
    let last = arguments.names.len();
    let (from, to) = (read("from_step", 1)?, read("to_step", last)?);
    if from > to || (from == to && last > 1) {
        return plan_err!(
            "{}: argument to_step must be a step after from_step; got from step {from} to step {to}",
            call.function()
        );
    }
    Ok((from, to))
}

/// Start of the interval that a row lies in, by the clock of the time zone.
pub(super) fn period(call: &mut TableCall<'_>, arguments: &FunnelArguments) -> Result<Expr> {
    let units = ["hour", "day", "week", "month"].map(|unit| (unit, unit));
    let unit = call.choice("interval", &units)?.unwrap_or("day");
    let DataType::Timestamp(tick, zone) = &arguments.ts_type else {
        return plan_err!(
            "{}: ts must be a timestamp or a date, not an integer; convert it with to_timestamp",
            call.function()
        );
    };
    let mut ts = arguments.ts.clone();
    if let Some(timezone) = call.text("timezone")? {
        if timezone.parse::<Tz>().is_err() {
            return plan_err!(
                "{}: argument timezone must be a time zone such as 'Europe/Berlin' or '+02:00', got '{timezone}'",
                call.function()
            );
        }
        // A time without a zone is UTC.
        let utc = zone.clone().unwrap_or_else(|| Arc::from("UTC"));
        ts = ts.cast_to(&DataType::Timestamp(*tick, Some(utc)), call.schema())?;
        ts = ts.cast_to(&DataType::Timestamp(*tick, Some(timezone.into())), call.schema())?;
    }
    Ok(crate::date_trunc().call(vec![lit(unit), ts]))
}
