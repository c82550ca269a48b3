//! `attribution_explain(data, conversion_id => ..., ...)`: every touch, and the rule that gave or denied it credit.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{AggregateUDF, Documentation, Expr, ExprSchemable, LogicalPlan, ident, lit};

use super::arguments::{AttributionArguments, Wanted};
use super::credits::conversion_id;
use super::docs;
use super::models::models;
use crate::aggregate::attribution::Explain;
use crate::aggregate::buffered::BufferedAggregate;
use crate::table::groups::unnested_groups;
use crate::table::{TableCall, TableFunction};

const LIST: &str = "explained_rows";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(docs::explain);

/// The `attribution_explain` table function.
#[derive(Debug)]
pub(super) struct AttributionExplain;

impl TableFunction for AttributionExplain {
    fn name(&self) -> &'static str {
        "attribution_explain"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::EXPLAIN_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let models = models(call)?;
        let mut arguments =
            AttributionArguments::read(call, models, Wanted { event_id: true, ..Wanted::default() })?;
        let person_type = call.type_of(&arguments.person)?;
        let conversion = constant(call, "conversion_id", &DataType::Utf8)?;
        let person = constant(call, "user_id", &person_type)?;
        if conversion.is_none() && person.is_none() {
            return call.missing(
                "conversion_id",
                "say which conversion to explain, or whose with user_id, as in user_id => 'ann'",
            );
        }
        arguments.arguments.push(conversion.clone().unwrap_or_else(|| lit(ScalarValue::Utf8(None))));
        let function = AggregateUDF::from(BufferedAggregate::new(Explain(arguments.layout.clone())));
        let list = function.call(arguments.arguments.clone()).alias(LIST);
        let mut data = arguments.data(call)?;
        if let Some(person) = person {
            data = data.filter(arguments.person.clone().eq(person))?;
        }
        let rows = unnested_groups(data, vec![arguments.person.clone().alias("user_id")], list, LIST)?;
        let id = conversion_id(&rows, LIST)?;
        let columns = [
            "conversion_ts",
            "model",
            "touch_key",
            "touch_event_id",
            "touch_ts",
            "position",
            "credit",
            "value",
            "reason",
        ];
        let fields = columns.into_iter().map(|name| get_field(ident(LIST), name).alias(name));
        let mut rows = rows.project([id, ident("user_id")].into_iter().chain(fields))?;
        if let Some(conversion) = conversion {
            rows = rows.filter(ident("conversion_id").eq(conversion))?;
        }
        rows.build()
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}

/// A constant or a parameter of type `data_type`.
fn constant(call: &mut TableCall<'_>, name: &str, data_type: &DataType) -> Result<Option<Expr>> {
    let Some(given) = call.expr(name)? else {
        return Ok(None);
    };
    if let Expr::Placeholder(Placeholder { id, field }) = given {
        let field = field.or_else(|| Some(Arc::new(Field::new("", data_type.clone(), true))));
        return Ok(Some(Expr::Placeholder(Placeholder::new_with_field(id, field))));
    }
    if let Some(column) = given.column_refs().into_iter().min() {
        return plan_err!(
            "{}: argument {name} must be a constant, the same for every row; it reads column {column}",
            call.function()
        );
    }
    let cast = given.cast_to(data_type, call.schema())?;
    call.folded(name, cast).map(Some)
}
