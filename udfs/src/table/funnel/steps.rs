//! `funnel(data, steps, ...)`: one row for each step.

use std::sync::LazyLock;

use datafusion::common::Result;
use datafusion::logical_expr::{Documentation, LogicalPlan};

use super::arguments::FunnelArguments;
use super::docs::{self, COMMON, with_common};
use super::outcomes::BY;
use super::plan::{outcomes, report};
use super::report::{Kind, Report};
use crate::table::{TableCall, TableFunction};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    with_common(docs::builder(docs::FUNNEL, "funnel(data, steps => [...], ...)"))
        .with_sql_example(docs::FUNNEL_EXAMPLE)
        .build()
});

/// The `funnel` table function.
#[derive(Debug)]
pub(super) struct Funnel;

impl TableFunction for Funnel {
    fn name(&self) -> &'static str {
        "funnel"
    }

    fn parameters(&self) -> &'static [&'static str] {
        COMMON
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let arguments = FunnelArguments::read(call)?;
        let figures = Report {
            function: self.name(),
            kind: Kind::Steps(arguments.names.clone()),
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
