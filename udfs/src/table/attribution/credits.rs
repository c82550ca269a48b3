//! `attribution(data, conversion => ..., ...)`: a row for each conversion, touch and model.

use std::sync::LazyLock;

use datafusion::common::Result;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::{
    AggregateUDF, Documentation, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr,
    ident, lit, when,
};

use super::arguments::{AttributionArguments, TEXT, Wanted};
use super::docs;
use super::models::models;
use crate::aggregate::attribution::Credits;
use crate::aggregate::buffered::BufferedAggregate;
use crate::table::groups::unnested_groups;
use crate::table::{TableCall, TableFunction};

const LIST: &str = "credit_rows";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(docs::attribution);

/// The `attribution` table function.
#[derive(Debug)]
pub(super) struct Attribution;

impl TableFunction for Attribution {
    fn name(&self) -> &'static str {
        "attribution"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::ATTRIBUTION_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let models = models(call)?;
        let arguments =
            AttributionArguments::read(call, models, Wanted { event_id: true, ..Wanted::default() })?;
        let columns = [
            "conversion_ts",
            "conversion_value",
            "model",
            "touch_key",
            "touch_event_id",
            "touch_ts",
            "position",
            "touches",
            "credit",
            "value",
        ];
        let rows = rows(call, &arguments)?;
        let id = conversion_id(&rows, LIST)?;
        let fields = columns.into_iter().map(|name| get_field(ident(LIST), name).alias(name));
        rows.project([id, ident("user_id")].into_iter().chain(fields))?.build()
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}

/// Each person's rows: the person and the elements of the list.
fn rows(call: &TableCall<'_>, arguments: &AttributionArguments) -> Result<LogicalPlanBuilder> {
    let function = AggregateUDF::from(BufferedAggregate::new(Credits(arguments.layout.clone())));
    let list = function.call(arguments.arguments.clone()).alias(LIST);
    unnested_groups(arguments.data(call)?, vec![arguments.person.clone().alias("user_id")], list, LIST)
}

/// Keys and times of conversions: a row for each key that led to a conversion.
pub(super) fn conversions_of_keys(
    call: &TableCall<'_>,
    arguments: &AttributionArguments,
) -> Result<LogicalPlanBuilder> {
    let columns = ["touch_key", "conversion_ts"].map(|name| get_field(ident(LIST), name).alias(name));
    rows(call, arguments)?.project(columns)
}

/// The id of a conversion: that of its row, else the person, `@` and its time.
pub(super) fn conversion_id(rows: &LogicalPlanBuilder, list: &str) -> Result<Expr> {
    let event = get_field(ident(list), "conversion_event");
    let person = ident("user_id").cast_to(&TEXT, rows.schema())?;
    let name = binary_expr(person, Operator::StringConcat, lit("@"));
    let name = binary_expr(name, Operator::StringConcat, get_field(ident(list), "conversion_name"));
    let name = name.cast_to(&TEXT, rows.schema())?;
    Ok(when(event.clone().is_not_null(), event).otherwise(name)?.alias("conversion_id"))
}
