//! The plan that every function is: journeys, reduced, then one report over all of them.

use datafusion::common::{Column, Result, UnnestOptions};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ident};

use super::arguments::{Source, source};
use crate::aggregate::buffered::BufferedAggregate;
use crate::aggregate::data_driven::{FIELDS, GivenPaths, Journeys, Kind, Method, Reduce};
use crate::table::TableCall;
use crate::table::groups::unnested_groups;

const CELLS: &str = "cells";
const ROWS: &str = "method_rows";

/// Builds the plan of `kind` over journeys that are reduced to `reduce`.
pub(super) fn plan(call: &mut TableCall<'_>, kind: Kind, reduce: Reduce) -> Result<LogicalPlan> {
    let function = call.function();
    let collapse = call.boolean("collapse_repeats")?.unwrap_or(false);
    let cells = match source(call)? {
        Source::Rows(arguments, first_only) => {
            let journeys = Journeys { layout: arguments.layout.clone(), reduce, collapse, first_only };
            let cells =
                AggregateUDF::from(BufferedAggregate::new(journeys)).call(arguments.arguments.clone());
            let person = vec![arguments.person.clone().alias("user_id")];
            unnested_groups(arguments.data(call)?, person, cells.alias(CELLS), CELLS)?
        }
        Source::Paths(columns) => {
            let given = GivenPaths { function, reduce, collapse };
            let cells = AggregateUDF::from(BufferedAggregate::new(given)).call(columns);
            unnested(LogicalPlanBuilder::from(call.input().clone()), cells, CELLS)?
        }
    };
    let method = Method { function, kind };
    let fields = FIELDS.map(|name| get_field(ident(CELLS), name)).to_vec();
    let value = fields[3].get_type(cells.schema())?;
    let names = method.fields(&value);
    let rows = AggregateUDF::from(BufferedAggregate::new(method)).call(fields);
    let rows = unnested(cells, rows, ROWS)?;
    rows.project(names.iter().map(|field| get_field(ident(ROWS), field.name().as_str()).alias(field.name())))?
        .build()
}

/// One list over all rows, an element in each row.
fn unnested(rows: LogicalPlanBuilder, list: Expr, name: &str) -> Result<LogicalPlanBuilder> {
    rows.aggregate(Vec::<Expr>::new(), [list.alias(name)])?
        .unnest_column_with_options(Column::from_name(name), UnnestOptions::new().with_preserve_nulls(false))
}
