//! `funnel_time_to_convert(data, steps, ...)`: how long the way from one step to another takes.

use std::sync::LazyLock;

use datafusion::common::Result;
use datafusion::logical_expr::{Documentation, LogicalPlan};

use super::arguments::FunnelArguments;
use super::docs::{self, with_common};
use super::outcomes::BY;
use super::plan::{outcomes, report};
use super::report::{Kind, Report};
use super::trend::from_and_to;
use crate::table::{TableCall, TableFunction};

/// More bars than anybody looks at.
const MAX_BINS: i64 = 10_000;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let syntax = "funnel_time_to_convert(data, steps => [...], ...)";
    let builder = docs::builder(docs::TIME_TO_CONVERT, syntax)
        .with_argument("from_step, to_step", docs::FROM_TO)
        .with_argument("bins", docs::BINS);
    with_common(builder).with_sql_example(docs::TIME_TO_CONVERT_EXAMPLE).build()
});

/// The `funnel_time_to_convert` table function.
#[derive(Debug)]
pub(super) struct FunnelTimeToConvert;

impl TableFunction for FunnelTimeToConvert {
    fn name(&self) -> &'static str {
        "funnel_time_to_convert"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::TIME_TO_CONVERT_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let arguments = FunnelArguments::read(call)?;
        let (from, to) = from_and_to(call, &arguments)?;
        let bins = call.integer("bins", 1..=MAX_BINS)?.and_then(|bins| usize::try_from(bins).ok());
        let figures = Report {
            function: self.name(),
            kind: Kind::TimeToConvert { from, to, bins },
            optional: arguments.layout.optional.clone(),
            ticks_per_second: arguments.ticks_per_second(),
        };
        let groups: &[&str] = if arguments.layout.has_by { &[BY] } else { &[] };
        report(outcomes(call, &arguments, None)?, groups, figures)
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}
