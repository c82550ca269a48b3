//! Statements that change the rows of a table.

use std::sync::Arc;

use datafusion::common::plan_err;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{DmlStatement, LogicalPlan, WriteOp};

use super::provider::PUBLIC_SCHEMA;
use super::store_schema::StatementScope;
use super::table_statements::count_of_rows;
use crate::config::EngineConfig;
use crate::error::Result;
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
/// A condition that cannot be planned, a table that is not of the store; the table is as it was.
pub(crate) async fn delete(
    statement: &DmlStatement,
    scope: &StatementScope,
    context: &SessionContext,
    config: &EngineConfig,
) -> Result<SendableRecordBatchStream> {
    let name = statement.table_name.table();
    let schema = statement.table_name.schema().unwrap_or(PUBLIC_SCHEMA);
    if schema != PUBLIC_SCHEMA || !scope.is_stored(name) {
        return Ok(plan_err!(
            "{name:?} is no table of the store: rows can be deleted from touchpoint tables only"
        )?);
    }
    scope.store().require_writable().await?;
    let condition = Condition::of(&statement.input, &context.state())?;
    let rows = delete::delete(scope.store(), config, name, Arc::new(condition)).await?;
    count_of_rows(rows)
}
