//! Spend from a table of its own: arguments `spend` and `spend_within`.

use arrow::datatypes::{DataType, IntervalMonthDayNanoType};
use datafusion::common::{Column, JoinType, Result, ScalarValue, plan_err};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ident, lit};

use super::arguments::{AttributionArguments, TEXT};
use super::credits::conversions_of_keys;
use crate::aggregate::attribution::NamedModel;
use crate::aggregate::sum_function;
use crate::money::money_type;
use crate::table::TableCall;

pub(super) const SPEND_KEY: &str = "__spend_key";
pub(super) const SPEND_COST: &str = "__spend_cost";
const SPEND_TS: &str = "__spend_ts";
const SPEND_END: &str = "__spend_end";
const WITHIN_DAYS: i32 = 90;

/// Spend by key: rows of the table in argument `spend` after which, within `spend_within`, a conversion comes to which
/// the key led. Each row counts once, however many conversions there are. `None` if there is no such argument.
pub(super) fn spend(
    call: &mut TableCall<'_>,
    arguments: &AttributionArguments,
) -> Result<Option<LogicalPlan>> {
    let function = call.function();
    let Some(table) = call.relation("spend")? else {
        if call.is_given("spend_within") {
            return call.missing("spend", "spend_within is about its rows");
        }
        return Ok(None);
    };
    let DataType::Timestamp(_, _) = arguments.ts_type else {
        return plan_err!(
            "{function}: argument spend needs a timestamp or a date as ts, got an integer; convert ts with to_timestamp"
        );
    };
    let within = call.length("spend_within", &arguments.ts_type)?.unwrap_or_else(|| {
        let days = IntervalMonthDayNanoType::make_value(0, WITHIN_DAYS, 0);
        lit(ScalarValue::IntervalMonthDayNano(Some(days)))
    });
    let schema = std::sync::Arc::clone(table.schema());
    let columns: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
    let Ok([ts, key, cost]) = <[Expr; 3]>::try_from(columns) else {
        return plan_err!(
            "{function}: argument spend must have three columns: when, key and cost, as in \
             spend => (SELECT day, channel, cost FROM spend); got {}",
            schema.fields().len()
        );
    };
    let given = ts.get_type(schema.as_ref())?;
    if !matches!(given, DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64) {
        return plan_err!(
            "{function}: argument spend: its first column must be a timestamp or a date, got {given}"
        );
    }
    // A date is its midnight on the clock of the zone of ts.
    let ts = match (&given, &arguments.ts_type) {
        (DataType::Timestamp(_, _), _) | (_, DataType::Timestamp(_, None)) => ts,
        (_, DataType::Timestamp(unit, _)) => {
            ts.cast_to(&DataType::Timestamp(*unit, None), schema.as_ref())?
        }
        _ => ts,
    };
    let money = money_type(function, "spend (its third column)", &cost.get_type(schema.as_ref())?)?;
    let rows = LogicalPlanBuilder::from(table).project([
        ts.cast_to(&arguments.ts_type, schema.as_ref())?.alias(SPEND_TS),
        key.cast_to(&TEXT, schema.as_ref())?.alias(SPEND_KEY),
        cost.cast_to(&money, schema.as_ref())?.alias(SPEND_COST),
    ])?;
    let rows = rows.project([
        ident(SPEND_TS),
        (ident(SPEND_TS) + within).alias(SPEND_END),
        ident(SPEND_KEY),
        ident(SPEND_COST),
    ])?;
    let keys = (vec![Column::from_name(SPEND_KEY)], vec![Column::from_name("touch_key")]);
    let conversion = ident("conversion_ts");
    let in_time = conversion.clone().gt_eq(ident(SPEND_TS)).and(conversion.lt_eq(ident(SPEND_END)));
    let conversions = conversions_of_keys(call, &participating(arguments))?.build()?;
    let counted = rows.join(conversions, JoinType::LeftSemi, keys, Some(in_time))?;
    counted
        .aggregate([ident(SPEND_KEY)], [sum_function().call(vec![ident(SPEND_COST)]).alias(SPEND_COST)])?
        .build()
        .map(Some)
}

/// The same touches by one model only: here it matters whether a key led to a conversion, and not how much it gets.
fn participating(arguments: &AttributionArguments) -> AttributionArguments {
    let mut layout = arguments.layout.clone();
    layout.models = NamedModel::plain("participation").into_iter().collect();
    AttributionArguments {
        layout,
        person: arguments.person.clone(),
        ts: arguments.ts.clone(),
        ts_type: arguments.ts_type.clone(),
        arguments: arguments.arguments.clone(),
    }
}
