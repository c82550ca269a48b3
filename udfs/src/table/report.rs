//! The plan of a report over people: rows, what each person contributes, the rows of the report.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Column, Result, ScalarValue, UnnestOptions, plan_err};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{
    DocumentationBuilder, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, col, ident, lit,
};

use super::TableCall;
use crate::aggregate::report::{Report, person_cells, report_rows};
use crate::calendar::Calendar;
use crate::journey::period::{Period, WeekStart};

/// Arguments that all reports over people share, behind their own.
pub(super) const SHARED: [&str; 9] =
    ["timezone", "week_start", "by", "from", "to", "as_of", "per", "ts", "event"];

const PERIODS: [&str; 6] = ["hour", "day", "week", "month", "quarter", "year"];

/// Reads arguments `period`, `week_start` and `timezone`.
///
/// # Errors
/// A plan error for a value that is not one of those allowed, and for times that have no calendar.
pub(super) fn calendar(call: &mut TableCall<'_>, default: Period) -> Result<Calendar> {
    let week_start = call.choice("week_start", &WeekStart::NAMES)?;
    let week = Period::Week(week_start.unwrap_or_default());
    let kinds = [Period::Hour, Period::Day, week, Period::Month, Period::Quarter, Period::Year];
    let choices: Vec<(&str, Period)> = PERIODS.into_iter().zip(kinds).collect();
    let period = if call.is_given("period") { call.choice("period", &choices)? } else { None };
    let period = period.unwrap_or(default);
    if week_start.is_some() && period != week {
        return plan_err!("{}: argument week_start is for period => 'week' only", call.function());
    }
    let timezone = call.text("timezone")?;
    let ts = call.ts()?;
    Calendar::try_new(call.function(), &call.type_of(&ts)?, period, timezone.as_deref())
}

/// A condition in argument `name`; NULL is not met. `None` if it is not given.
pub(super) fn condition(call: &mut TableCall<'_>, name: &str) -> Result<Option<Expr>> {
    let Some(condition) = call.condition(name)? else {
        return Ok(None);
    };
    Ok(Some(match call.type_of(&condition.expr)? {
        DataType::Null => lit(ScalarValue::Boolean(None)),
        _ => condition.expr,
    }))
}

const SHARED_ARGUMENTS: [(&str, &str); 8] = [
    (
        "timezone",
        "Zone of the periods, such as `'Europe/Berlin'`. Default: the zone of `ts`, else UTC. Times without a zone are \
         taken as UTC, dates as they are.",
    ),
    ("week_start", "`'monday'` (default, as ISO 8601) or `'sunday'`; for `period => 'week'`."),
    ("by", "Groups: an expression over the columns of the data."),
    (
        "from, to",
        "The range: from an instant, inclusive, to another, exclusive; timestamps or dates, read on the clock of \
         `timezone`.",
    ),
    (
        "as_of",
        "The instant until which the data is known; later rows are left out. Default: the latest time in the data.",
    ),
    ("per", "Who: default column `user_id`."),
    ("ts", "When: a timestamp of any unit and zone, or a date; default column `ts`."),
    ("event", "What event names in quotes are compared with: default column `event`."),
];

/// Adds those arguments of [`SHARED`] that are among `parameters` to an entry of the SQL reference.
pub(super) fn documented(entry: DocumentationBuilder, parameters: &[&str]) -> DocumentationBuilder {
    let is_known = |name: &str| name.split(", ").all(|name| parameters.contains(&name));
    SHARED_ARGUMENTS
        .into_iter()
        .filter(|(name, _)| is_known(name))
        .fold(entry, |entry, (name, description)| entry.with_argument(name, description))
}

/// What a report reads of its data.
#[derive(Debug)]
pub(super) struct Input {
    /// Rows that start something.
    pub(super) is_start: Expr,
    /// Rows that continue it.
    pub(super) is_return: Expr,
    /// A number or ticks that the report also reads.
    pub(super) extra: Option<Expr>,
    /// Whether people are told apart in each group, in place of being put into one by a row of theirs.
    pub(super) apart: bool,
    /// Columns of the report behind `by`, with the type to cast them to.
    pub(super) columns: Vec<(&'static str, Option<DataType>)>,
}

/// Ticks of a time, as integers.
fn ticks(call: &TableCall<'_>, ts: Expr) -> Result<Expr> {
    let schema = call.schema();
    let time = match call.type_of(&ts)? {
        DataType::Date32 | DataType::Date64 => {
            ts.cast_to(&DataType::Timestamp(TimeUnit::Second, None), schema)?
        }
        _ => ts,
    };
    time.cast_to(&DataType::Int64, schema)
}

/// Ticks, as those of the calendar's times, of another time of each row; the type if it is no time.
pub(super) fn ticks_like(
    call: &TableCall<'_>,
    time: Expr,
    calendar: &Calendar,
) -> Result<std::result::Result<Expr, DataType>> {
    let schema = call.schema();
    let wanted = calendar.instant_type();
    let time = match (call.type_of(&time)?, &wanted) {
        (DataType::Timestamp(_, None), DataType::Timestamp(unit, Some(_))) => {
            // Without a zone: UTC, as the times of the data.
            time.cast_to(&DataType::Timestamp(*unit, None), schema)?
        }
        (DataType::Timestamp(_, _), _) => time.cast_to(&wanted, schema)?,
        (DataType::Date32 | DataType::Date64, DataType::Timestamp(unit, _)) => {
            time.cast_to(&DataType::Timestamp(*unit, None), schema)?.cast_to(&wanted, schema)?
        }
        (other, _) => return Ok(Err(other)),
    };
    Ok(Ok(time.cast_to(&DataType::Int64, schema)?))
}

/// An instant in argument `name` as ticks.
fn instant(call: &mut TableCall<'_>, name: &'static str, calendar: &Calendar) -> Result<Option<Expr>> {
    let Some(instant) = call.instant(name, &calendar.instant_type())? else {
        return Ok(None);
    };
    Ok(Some(instant.cast_to(&DataType::Int64, call.schema())?))
}

/// Whether no instant is at or after `from` and before `to`, as far as both are known while planning.
fn is_reversed(from: Option<&Expr>, to: Option<&Expr>) -> bool {
    match (from.and_then(known), to.and_then(known)) {
        (Some(from), Some(to)) => from.partial_cmp(to).is_some_and(|order| order.is_ge()),
        _ => false,
    }
}

fn known(instant: &Expr) -> Option<&ScalarValue> {
    match instant {
        Expr::Literal(value, _) => Some(value),
        Expr::Cast(cast) => known(&cast.expr),
        _ => None,
    }
}

/// Builds the plan.
///
/// # Errors
/// A plan error for shared arguments that do not fit.
pub(super) fn plan(
    call: &mut TableCall<'_>,
    report: &Report,
    calendar: &Calendar,
    input: Input,
) -> Result<LogicalPlan> {
    let from = instant(call, "from", calendar)?;
    let to = instant(call, "to", calendar)?;
    let as_of = instant(call, "as_of", calendar)?;
    if is_reversed(from.as_ref(), to.as_ref()) {
        return plan_err!("{}: argument to must be later than from: the range is empty", call.function());
    }
    let person = call.person()?;
    let by = call.expr("by")?;
    let by_type = by.as_ref().map(|by| call.type_of(by)).transpose()?;
    let ts = call.ts()?;
    let ticks = ticks(call, ts)?;

    // Rows without a person tell how far the data goes, and nothing else.
    let is_person = person.clone().is_not_null();
    let in_range =
        [from.clone().map(|from| ticks.clone().gt_eq(from)), to.clone().map(|to| ticks.clone().lt(to))];
    let in_range = in_range.into_iter().flatten().reduce(Expr::and).unwrap_or_else(|| lit(true));
    let none = || lit(ScalarValue::Boolean(None));
    let mut rows = LogicalPlanBuilder::from(call.input().clone()).filter(ticks.clone().is_not_null())?;
    if let Some(as_of) = &as_of {
        rows = rows.filter(ticks.clone().lt_eq(as_of.clone()))?;
    }
    let rows = rows.project([
        person.alias("__person"),
        ticks.alias("__ticks"),
        by.unwrap_or_else(none).alias("__by"),
        input.is_start.and(is_person).alias("__is_start"),
        in_range.alias("__in_range"),
        input.is_return.alias("__is_return"),
        input.extra.unwrap_or_else(none).alias("__extra"),
    ])?;

    let mut people = vec![col("__person")];
    if input.apart && by_type.is_some() {
        people.push(col("__by"));
    }
    let arguments = ["__ticks", "__by", "__is_start", "__in_range", "__is_return", "__extra"].map(col);
    let cells = person_cells(report.clone(), arguments).alias("__cells");
    let people = rows.aggregate(people, [cells, max(col("__ticks")).alias("__horizon")])?;

    let unknown = || lit(ScalarValue::Int64(None));
    let people = people.project([
        col("__cells"),
        as_of.unwrap_or_else(|| col("__horizon")).alias("__horizon"),
        from.unwrap_or_else(unknown).alias("__from"),
        to.unwrap_or_else(unknown).alias("__to"),
    ])?;
    let arguments = ["__cells", "__horizon", "__from", "__to"].map(col);
    let all = report_rows(report.clone(), arguments).alias("__rows");
    let report = people.aggregate(Vec::<Expr>::new(), [all])?.unnest_column_with_options(
        Column::from_name("__rows"),
        UnnestOptions::new().with_preserve_nulls(false),
    )?;

    let schema = std::sync::Arc::clone(report.schema());
    let mut columns = Vec::with_capacity(input.columns.len() + 1);
    let by = by_type.map(|by_type| ("by", Some(by_type)));
    for (name, data_type) in by.into_iter().chain(input.columns) {
        let column = get_field(ident("__rows"), name);
        let column = match data_type {
            Some(data_type) => column.cast_to(&data_type, &schema)?,
            None => column,
        };
        columns.push(column.alias(name));
    }
    report.project(columns)?.build()
}
