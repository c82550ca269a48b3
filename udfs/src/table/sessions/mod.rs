//! `sessions(data, gap => ..., ...)`: one row per session.

mod docs;
mod unused;

pub(super) use unused::LISTS;

use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment};
use datafusion::logical_expr::{
    Documentation, Expr, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr, cast, ident, lit,
};

use super::groups::unnested_groups;
use super::{TableCall, TableFunction};
use crate::aggregate::session_list::{COLUMN_NAMES, DIMENSIONS, Position, WantedFields, session_list};
use crate::arguments::is_text;
use crate::session::{RULES, Role};

const NAME: &str = "sessions";

/// Column of the lists, between the aggregate and the result.
const LIST: &str = "session";

const PARAMETERS: [&str; 24] = [
    "gap",
    "inclusive",
    "start_if",
    "end_if",
    "max_length",
    "max_events",
    "split_on",
    "midnight",
    "click_lag",
    "separator",
    "conversion",
    "page_view",
    "engaged_after",
    "user_id",
    "ts",
    "sequence",
    "event",
    "page",
    "channel",
    "source",
    "campaign",
    "device",
    "country",
    "revenue",
];

/// The table function.
#[derive(Debug)]
pub(super) struct SessionsTable;

impl TableFunction for SessionsTable {
    fn name(&self) -> &'static str {
        NAME
    }

    fn parameters(&self) -> &'static [&'static str] {
        &PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let person = call.expr_or_column("user_id", "user_id")?;
        let person_type = call.type_of(&person)?;
        let list = Expr::AggregateFunction(AggregateFunction::new_udf(
            session_list(WantedFields::ALL),
            arguments(call)?,
            false,
            None,
            vec![],
            None::<NullTreatment>,
        ));
        let session = |field: &str| get_field(ident(LIST), field);
        let user_id = ident("user_id");
        let name = if is_text(&person_type) { user_id.clone() } else { cast(user_id.clone(), TEXT) };
        let name = binary_expr(name, Operator::StringConcat, lit("@"));
        let mut columns = vec![
            user_id,
            binary_expr(name, Operator::StringConcat, session("session_start")).alias("session_id"),
        ];
        let fields = ["session_number", "start_ts", "end_ts", "duration_seconds", "events", "page_views"];
        let fields = fields.into_iter().chain(DIMENSIONS.iter().map(|(_, name, _)| *name));
        let fields = fields.chain(["is_bounce", "is_engaged", "conversions", "revenue", "cut_reason"]);
        columns.extend(fields.map(|field| session(field).alias(field)));
        let rows = LogicalPlanBuilder::from(call.input().clone()).filter(person.clone().is_not_null())?;
        unnested_groups(rows, vec![person.alias("user_id")], list.alias(LIST), LIST)?
            .project(columns)?
            .build()
    }

    fn documentation(&self) -> &Documentation {
        docs::entry()
    }
}

const TEXT: arrow::datatypes::DataType = arrow::datatypes::DataType::Utf8View;

/// The arguments of the aggregate.
fn arguments(call: &mut TableCall<'_>) -> Result<Vec<Expr>> {
    let missing = || lit(ScalarValue::Null);
    let ts = call.ts()?;
    let ts_type = call.type_of(&ts)?;
    let mut arguments = vec![missing(); Position::COUNT];
    for (position, (role, name)) in RULES.into_iter().enumerate() {
        let given = match role {
            Role::Ts => Some(ts.clone()),
            Role::Gap | Role::MaxLength | Role::ClickLag => call.length(name, &ts_type)?,
            Role::StartIf | Role::EndIf | Role::Separator => {
                call.condition(name)?.map(|condition| condition.expr)
            }
            _ => call.expr(name)?,
        };
        if let Some(given) = given {
            arguments[position] = given;
        }
    }
    let has_rule = RULES.iter().any(|(role, name)| role.is_rule() && call.is_given(name));
    if !has_rule {
        if ts_type.is_integer() {
            return plan_err!(
                "{NAME}: gap is missing: ts is an integer, so there is no default; write gap => 1800"
            );
        }
        arguments[Position::of(Role::Gap)] = lit(ScalarValue::new_interval_mdn(0, 0, 1_800_000_000_000));
    }
    arguments[Position::SEQUENCE] = call.sequence()?.unwrap_or_else(missing);
    arguments[Position::PAGE_VIEW] = counted(call, "page_view", "page_view")?;
    arguments[Position::CONVERSION] = counted(call, "conversion", "purchase")?;
    arguments[Position::ENGAGED_AFTER] = match call.length("engaged_after", &ts_type)? {
        Some(length) => length,
        None if ts_type.is_integer() => lit(10_i64),
        None => lit(ScalarValue::new_interval_mdn(0, 0, 10_000_000_000)),
    };
    arguments[Position::REVENUE] = column(call, "revenue")?.unwrap_or_else(missing);
    for (index, name) in COLUMN_NAMES.into_iter().enumerate() {
        arguments[Position::COLUMNS + index] = column(call, name)?.unwrap_or_else(missing);
    }
    Ok(arguments)
}

/// The argument `name`, or else the column of that name, if there is one.
fn column(call: &mut TableCall<'_>, name: &str) -> Result<Option<Expr>> {
    Ok(call.expr(name)?.or_else(|| call.column(name)))
}

/// A condition whose rows are counted; by default those of one event, if the data tells events.
fn counted(call: &mut TableCall<'_>, name: &str, event: &str) -> Result<Expr> {
    if let Some(condition) = call.condition(name)? {
        return Ok(condition.expr);
    }
    Ok(column(call, "event")?.map_or(lit(false), |column| column.eq(lit(event))))
}
