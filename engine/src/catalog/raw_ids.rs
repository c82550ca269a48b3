//! Touchpoints under the ids that they came with: what `SET wayfare.ids = raw` makes of a table.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::{Column, Result};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};

use crate::schema;

/// `touchpoints` with the id before identity resolution as `user_id`; itself if no row ever had another.
pub fn with_raw_ids(name: &str, touchpoints: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let columns = touchpoints.schema();
    if columns.index_of(schema::RAW_USER_ID).is_err() {
        return Ok(touchpoints);
    }
    let column = |name: &str| Expr::Column(Column::from_name(name));
    let shown = columns.fields().iter().map(|field| match field.name().as_str() {
        schema::USER_ID => {
            coalesce(vec![column(schema::RAW_USER_ID), column(schema::USER_ID)]).alias(schema::USER_ID)
        }
        other => column(other),
    });
    let plan = LogicalPlanBuilder::scan(name, provider_as_source(touchpoints), None)?;
    Ok(Arc::new(ViewTable::new(plan.project(shown)?.build()?, None)))
}
