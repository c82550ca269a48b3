//! `attribution_summary(data, conversion => ..., ...)`: what each key gets by each model, and what it cost.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion::common::{Column, JoinType, Result, UnnestOptions, plan_err};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::{
    AggregateUDF, Documentation, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ident, lit,
};

use super::arguments::{AttributionArguments, Wanted};
use super::docs;
use super::models::models;
use super::spend::{self, SPEND_COST, SPEND_KEY};
use crate::aggregate::attribution::{Summary, Totals};
use crate::aggregate::buffered::BufferedAggregate;
use crate::table::groups::unnested_groups;
use crate::table::{TableCall, TableFunction};

const SUMS: &str = "sums";
const ROWS: &str = "summary_rows";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(docs::summary);

/// The `attribution_summary` table function.
#[derive(Debug)]
pub(super) struct AttributionSummary;

impl TableFunction for AttributionSummary {
    fn name(&self) -> &'static str {
        "attribution_summary"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &docs::SUMMARY_PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let function = self.name();
        if call.is_given("spend") && call.is_given("cost") {
            return plan_err!(
                "{function}: arguments cost and spend both say what touches cost; leave one out"
            );
        }
        let models = models(call)?;
        let arguments = AttributionArguments::read(call, models, Wanted { cost: true, ..Wanted::default() })?;
        let totals = AggregateUDF::from(BufferedAggregate::new(Totals(arguments.layout.clone())));
        let totals = totals.call(arguments.arguments.clone()).alias(SUMS);
        let person = vec![arguments.person.clone().alias("user_id")];
        let sums = unnested_groups(arguments.data(call)?, person, totals, SUMS)?;

        let models = arguments.layout.models.iter().map(|model| model.name).collect();
        let summary = AggregateUDF::from(BufferedAggregate::new(Summary { function, models }));
        let fields = ["touch_key", "model", "credit", "value", "cost", "low", "high"];
        let rows = summary.call(fields.map(|name| get_field(ident(SUMS), name)).to_vec()).alias(ROWS);
        let rows = sums.aggregate(Vec::<Expr>::new(), [rows])?.unnest_column_with_options(
            Column::from_name(ROWS),
            UnnestOptions::new().with_preserve_nulls(false),
        )?;
        let names = [
            "model",
            "touch_key",
            "conversions",
            "value",
            "share",
            "cost",
            "conversions_low",
            "conversions_high",
        ];
        let rows = rows.project(names.map(|name| get_field(ident(ROWS), name).alias(name)))?;
        let (rows, cost) = match spend::spend(call, &arguments)? {
            None => (rows, ident("cost")),
            Some(spend) => {
                let keys = (vec![Column::from_name("touch_key")], vec![Column::from_name(SPEND_KEY)]);
                (rows.join(spend, JoinType::Left, keys, None)?, ident(SPEND_COST))
            }
        };
        with_ratios(rows, cost)
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}

/// Adds cost per conversion and return on cost.
fn with_ratios(rows: LogicalPlanBuilder, cost: Expr) -> Result<LogicalPlan> {
    let number = |expr: Expr| expr.cast_to(&DataType::Float64, rows.schema());
    let positive = |expr: Expr| -> Result<Expr> {
        let is_positive = expr.clone().gt(lit(0.0));
        datafusion::logical_expr::when(is_positive, expr).end()
    };
    let (spent, value) = (number(cost.clone())?, number(ident("value"))?);
    let columns = [
        ident("model"),
        ident("touch_key"),
        ident("conversions"),
        ident("value"),
        ident("share"),
        cost.alias("cost"),
        (spent.clone() / positive(ident("conversions"))?).alias("cpa"),
        (value / positive(spent)?).alias("roas"),
        ident("conversions_low"),
        ident("conversions_high"),
    ];
    rows.project(columns)?.build()
}
