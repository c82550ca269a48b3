//! Statements that change the rows of a table.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::plan_err;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{DmlStatement, LogicalPlan, WriteOp};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

use super::provider::PUBLIC_SCHEMA;
use super::store_schema::StatementScope;
use crate::config::EngineConfig;
use crate::error::{Error, Result};
use crate::maintain::delete::{self, Condition};

/// The statement in `plan` that deletes rows, if that is what it does.
pub(crate) fn deletion(plan: &LogicalPlan) -> Option<&DmlStatement> {
    match plan {
        LogicalPlan::Dml(statement) if statement.op == WriteOp::Delete => Some(statement),
        _ => None,
    }
}

/// Deletes rows; the result is one row with their number, as of every change.
///
/// # Errors
/// [`Error::Denied`] unless `is_allowed`; the table is as it was.
pub(crate) async fn delete(
    statement: &DmlStatement,
    scope: &StatementScope,
    context: &SessionContext,
    config: &EngineConfig,
    is_allowed: bool,
) -> Result<SendableRecordBatchStream> {
    let name = statement.table_name.table();
    if !is_allowed {
        return Err(Error::Denied(format!("permission denied for table {name}")));
    }
    let schema = statement.table_name.schema().unwrap_or(PUBLIC_SCHEMA);
    if schema != PUBLIC_SCHEMA || !scope.is_stored(name) {
        return Ok(plan_err!(
            "{name:?} is no table of the store: rows can be deleted from touchpoint tables only"
        )?);
    }
    let condition = Condition::of(&statement.input, &context.state())?;
    let rows = delete::delete(scope.store(), config, name, Arc::new(condition)).await?;
    let columns = Arc::new(Schema::new(vec![Field::new("count", DataType::UInt64, false)]));
    let batch = RecordBatch::try_new(Arc::clone(&columns), vec![Arc::new(UInt64Array::from(vec![rows]))])
        .map_err(datafusion::error::DataFusionError::from)?;
    Ok(Box::pin(RecordBatchStreamAdapter::new(columns, futures::stream::iter([Ok(batch)]))))
}
