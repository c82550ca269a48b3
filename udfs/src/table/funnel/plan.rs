//! The plan that every funnel function is built on: one row for each outcome of a person.

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, col};

use super::arguments::FunnelArguments;
use super::outcomes::{BY, DEPTH, ENTERED_TS, LAST_TS, Outcomes, PERIOD, TIMES, UNTIL};
use super::report::Report;
use crate::aggregate::buffered::BufferedAggregate;
use crate::table::TableCall;
use crate::table::groups::unnested_groups;

pub(super) const PERSON: &str = "person";
pub(super) const OPEN: &str = "open";
const OUTCOMES: &str = "outcomes";
const HORIZON: &str = "horizon";
const ROWS: &str = "rows";

/// The data as of the time asked for, rows without a person left out.
pub(super) fn data(call: &TableCall<'_>, arguments: &FunnelArguments) -> Result<LogicalPlanBuilder> {
    let mut wanted = arguments.person.clone().is_not_null();
    if let Some(as_of) = &arguments.as_of {
        wanted = wanted.and(arguments.ts.clone().lt_eq(as_of.clone()));
    }
    LogicalPlanBuilder::from(call.input().clone()).filter(wanted)
}

/// One row for each outcome: person, group and interval if there are any, depth, times, and whether it is open.
pub(super) fn outcomes(
    call: &TableCall<'_>,
    arguments: &FunnelArguments,
    period: Option<Expr>,
) -> Result<LogicalPlanBuilder> {
    let layout = arguments.layout.clone();
    let (has_by, has_period) = (layout.has_by, layout.has_period);
    let function = AggregateUDF::from(BufferedAggregate::new(Outcomes(layout)));
    let outcomes = function.call(arguments.aggregate_arguments(call.schema(), period, None)?).alias(OUTCOMES);
    let person = vec![arguments.person.clone().alias(PERSON)];
    let people = unnested_groups(data(call, arguments)?, person, outcomes, OUTCOMES)?;
    let until = get_field(col(OUTCOMES), UNTIL);
    let (people, horizon) = match &arguments.as_of {
        Some(as_of) => (people, as_of.clone()),
        None => {
            let latest = LogicalPlanBuilder::from(call.input().clone())
                .aggregate(Vec::<Expr>::new(), [max(arguments.ts.clone()).alias(HORIZON)])?;
            (people.cross_join(latest.build()?)?, col(HORIZON))
        }
    };
    let horizon = horizon.cast_to(&DataType::Int64, people.schema())?;
    let open = until.clone().is_not_null().and(until.gt(horizon));
    let mut columns = vec![col(PERSON)];
    columns.extend(has_by.then(|| get_field(col(OUTCOMES), BY).alias(BY)));
    columns.extend(has_period.then(|| get_field(col(OUTCOMES), PERIOD).alias(PERIOD)));
    for field in [DEPTH, ENTERED_TS, LAST_TS, TIMES] {
        columns.push(get_field(col(OUTCOMES), field).alias(field));
    }
    columns.push(open.alias(OPEN));
    people.project(columns)
}

/// The figures of `report` over outcomes, by the columns `groups`.
pub(super) fn report(outcomes: LogicalPlanBuilder, groups: &[&str], report: Report) -> Result<LogicalPlan> {
    let fields = report.fields();
    let function = AggregateUDF::from(BufferedAggregate::new(report));
    let rows = function.call(vec![col(OPEN), col(TIMES)]).alias(ROWS);
    let by: Vec<Expr> = groups.iter().map(|name| col(*name)).collect();
    let rows = unnested_groups(outcomes, by.clone(), rows, ROWS)?;
    let figures = fields.iter().map(|field| get_field(col(ROWS), field.name().as_str()).alias(field.name()));
    rows.project(by.into_iter().chain(figures))?.build()
}
