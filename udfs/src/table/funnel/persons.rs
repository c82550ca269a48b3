//! `funnel_persons(data, steps, ...)`: who is where.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{Documentation, Expr, ExprSchemable, LogicalPlan, col, lit, when};

use super::arguments::FunnelArguments;
use super::docs::{self, COMMON, with_common};
use super::outcomes::{BY, DEPTH, ENTERED_TS, LAST_TS};
use super::plan::{OPEN, PERSON, outcomes};
use crate::table::{TableCall, TableFunction};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    with_common(docs::builder(docs::PERSONS, "funnel_persons(data, steps => [...], ...)"))
        .with_sql_example(docs::PERSONS_EXAMPLE)
        .build()
});

/// The `funnel_persons` table function.
#[derive(Debug)]
pub(super) struct FunnelPersons;

impl TableFunction for FunnelPersons {
    fn name(&self) -> &'static str {
        "funnel_persons"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &COMMON
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let arguments = FunnelArguments::read(call)?;
        let person = if call.is_given("per") { PERSON } else { "user_id" };
        let outcomes = outcomes(call, &arguments, None)?;
        let last = i64::try_from(arguments.names.len()).unwrap_or(i64::MAX);
        let status = when(col(DEPTH).eq(lit(last)), lit("converted"))
            .when(col(OPEN), lit("open"))
            .otherwise(lit("dropped"))?;
        let ticks = |name: &str| col(name).cast_to(&DataType::Int64, outcomes.schema());
        let seconds = (ticks(LAST_TS)? - ticks(ENTERED_TS)?)
            .cast_to(&DataType::Float64, outcomes.schema())?
            / lit(arguments.ticks_per_second() as f64);
        let mut columns: Vec<Expr> = Vec::new();
        columns.extend(arguments.layout.has_by.then(|| col(BY)));
        columns.push(col(PERSON).alias(person));
        columns.push(col(DEPTH).alias("step"));
        columns.push(step_name(&arguments.names)?.alias("step_name"));
        columns.push(status.alias("status"));
        columns.extend([col(ENTERED_TS), col(LAST_TS), seconds.alias("seconds")]);
        outcomes.project(columns)?.build()
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}

/// The name of the step reached.
fn step_name(names: &[String]) -> Result<Expr> {
    let mut numbered = (1_i64..).zip(names);
    let Some((first, name)) = numbered.next() else {
        return Ok(lit(""));
    };
    let mut case = when(col(DEPTH).eq(lit(first)), lit(name.as_str()));
    for (step, name) in numbered {
        case = case.when(col(DEPTH).eq(lit(step)), lit(name.as_str()));
    }
    case.end()
}
