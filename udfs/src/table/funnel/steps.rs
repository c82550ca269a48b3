//! `funnel(data, steps, ...)`: one row for each step.

use std::sync::LazyLock;

use datafusion::common::Result;
use datafusion::logical_expr::{Documentation, LogicalPlan};

use super::arguments::FunnelArguments;
use super::docs::{self, COMMON, with_common};
use super::outcomes::{BY, PERIOD};
use super::plan::{outcomes, report};
use super::report::{Kind, Report};
use super::trend::period;
use crate::table::{TableCall, TableFunction};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    with_common(docs::builder(docs::FUNNEL, "funnel(data, steps => [...], ...)"))
        .with_argument("interval", docs::STEPS_INTERVAL)
        .with_argument("timezone", docs::TIMEZONE)
        .with_sql_example(docs::FUNNEL_EXAMPLE)
        .build()
});

static PARAMETERS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| COMMON.iter().copied().chain(["interval", "timezone"]).collect());

/// The `funnel` table function.
#[derive(Debug)]
pub(super) struct Funnel;

impl TableFunction for Funnel {
    fn name(&self) -> &'static str {
        "funnel"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let mut arguments = FunnelArguments::read(call)?;
        let period = match call.is_given("interval") {
            true => Some(period(call, &arguments)?),
            false if call.is_given("timezone") => {
                return call.missing("interval", "timezone tells intervals apart; write interval => 'day'");
            }
            false => None,
        };
        arguments.layout.has_period = period.is_some();
        let figures = Report {
            function: self.name(),
            kind: Kind::Steps(arguments.names.clone()),
            optional: arguments.layout.optional.clone(),
            ticks_per_second: arguments.ticks_per_second(),
        };
        let groups = [(arguments.layout.has_by, BY), (arguments.layout.has_period, PERIOD)];
        let groups: Vec<&str> = groups.into_iter().filter_map(|(has, name)| has.then_some(name)).collect();
        report(outcomes(call, &arguments, period)?, &groups, figures)
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}
