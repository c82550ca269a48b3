//! `funnel_explain(data, user_id, steps, ...)`: row by row, why one person is where.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::Field;
use datafusion::common::Result;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{AggregateUDF, Documentation, Expr, LogicalPlan, col};

use super::arguments::FunnelArguments;
use super::docs::{self, with_common};
use super::explain::Explain;
use super::plan::{PERSON, data};
use crate::aggregate::buffered::BufferedAggregate;
use crate::table::groups::unnested_groups;
use crate::table::{TableCall, TableFunction};

const ROWS: &str = "rows";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let syntax = "funnel_explain(data, user_id => 'ann', steps => [...], ...)";
    with_common(docs::builder(docs::EXPLAIN, syntax).with_argument("user_id", docs::USER_ID))
        .with_sql_example(docs::EXPLAIN_EXAMPLE)
        .build()
});

/// The `funnel_explain` table function.
#[derive(Debug)]
pub(super) struct FunnelExplain;

impl TableFunction for FunnelExplain {
    fn name(&self) -> &'static str {
        "funnel_explain"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::EXPLAIN_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let mut arguments = FunnelArguments::read(call)?;
        let Some(wanted) = call.expr("user_id")? else {
            return call.missing("user_id", "say whose rows to explain, as in user_id => 'ann'");
        };
        let wanted = match wanted {
            Expr::Placeholder(Placeholder { id, field }) => {
                let data_type = call.type_of(&arguments.person)?;
                let field = field.or_else(|| Some(Arc::new(Field::new("", data_type, true))));
                Expr::Placeholder(Placeholder::new_with_field(id, field))
            }
            other => other,
        };
        let event = match call.is_given("event") {
            true => call.expr("event")?,
            false => call.column("event"),
        };
        arguments.layout.has_event = event.is_some();
        let explain = Explain { layout: arguments.layout.clone(), names: arguments.condition_names() };
        let function = AggregateUDF::from(BufferedAggregate::new(explain));
        let has_event = event.is_some();
        let rows = function.call(arguments.aggregate_arguments(call.schema(), None, event)?).alias(ROWS);
        let person = arguments.person.clone();
        let plan = data(call, &arguments)?.filter(person.clone().eq(wanted))?;
        let plan = unnested_groups(plan, vec![person.alias(PERSON)], rows, ROWS)?;
        let mut names = vec!["ts"];
        names.extend(has_event.then_some("event"));
        names.extend(["conditions", "step_before", "step_after", "counted_as_step", "reason"]);
        plan.project(names.into_iter().map(|name| get_field(col(ROWS), name).alias(name)))?.build()
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}
