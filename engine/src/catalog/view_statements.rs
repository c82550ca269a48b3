//! `CREATE VIEW` and `DROP VIEW` on the store: what one session creates, all see, and it survives the process.
//!
//! Temporary views belong to their session and stay with DataFusion's own way, through
//! [`PublicSchema`](super::store_schema::PublicSchema).

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::{Result, TableReference, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{CreateMemoryTable, CreateView, DdlStatement, LogicalPlan};
use datafusion::physical_plan::EmptyRecordBatchStream;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{Query, Statement as SqlStatement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

use super::provider::PUBLIC_SCHEMA;
use super::store_schema::StatementScope;
use crate::access::Action;
use crate::error::Error;
use crate::store::views::{PutView, StoredView};

/// Runs `plan` if it creates or drops a view of the store; whether it was one.
///
/// # Errors
/// The name is taken, there is no such view, the role is not enough, or the store cannot be written.
pub(crate) async fn run(
    plan: &LogicalPlan,
    scope: &StatementScope,
    context: &SessionContext,
) -> Result<bool> {
    match plan {
        LogicalPlan::Ddl(DdlStatement::CreateView(create)) if !create.temporary => {
            let Some(name) = public_name(&create.name) else {
                return Ok(false);
            };
            scope.role().require(Action::Define).map_err(Error::from)?;
            let Some(text) = &create.definition else {
                return plan_err!("a view needs the text of its query");
            };
            if !scope.is_stored_view(name) && context.table_exist(create.name.clone())? {
                return plan_err!("relation \"{name}\" already exists");
            }
            let mut view =
                StoredView { sql: query_of(text)?, comment: None, column_comments: Default::default() };
            if create.or_replace
                && let Some(known) = scope.store().view(name).await?
            {
                view = StoredView { sql: view.sql, ..known };
            }
            match scope.store().put_view(name, &view, create.or_replace).await? {
                PutView::Done => Ok(true),
                PutView::Exists => plan_err!("relation \"{name}\" already exists"),
            }
        }
        LogicalPlan::Ddl(DdlStatement::DropView(drop)) => match public_name(&drop.name) {
            Some(name) if scope.is_stored_view(name) => {
                scope.role().require(Action::Define).map_err(Error::from)?;
                Ok(scope.store().drop_view(name).await?)
            }
            _ => Ok(false),
        },
        _ => Ok(false),
    }
}

/// A temporary view or table without that word, which DataFusion refuses: what it registers is the session's anyway.
pub(crate) fn for_the_session(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Ddl(DdlStatement::CreateView(create)) => {
            LogicalPlan::Ddl(DdlStatement::CreateView(CreateView { temporary: false, ..create }))
        }
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => {
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(CreateMemoryTable {
                temporary: false,
                ..create
            }))
        }
        other => other,
    }
}

/// The result of a statement that has none.
pub(crate) fn no_rows() -> SendableRecordBatchStream {
    Box::pin(EmptyRecordBatchStream::new(Arc::new(Schema::empty())))
}

fn public_name(name: &TableReference) -> Option<&str> {
    let schema = name.schema().unwrap_or(PUBLIC_SCHEMA);
    (schema == PUBLIC_SCHEMA).then(|| name.table())
}

/// The query in the text of a `CREATE VIEW` statement, its columns named as the statement says.
///
/// # Errors
/// The text is no `CREATE VIEW`.
pub(crate) fn query_of(text: &str) -> Result<String> {
    let mut statements = DFParser::parse_sql_with_dialect(text, &PostgreSqlDialect {})?;
    let Some(Statement::Statement(statement)) = statements.pop_front() else {
        return plan_err!("a view needs the text of its query");
    };
    let SqlStatement::CreateView(create) = *statement else {
        return Ok(text.to_owned());
    };
    if create.columns.is_empty() {
        return Ok(create.query.to_string());
    }
    let columns: Vec<String> = create.columns.iter().map(|column| column.name.to_string()).collect();
    Ok(with_columns(&create.query, &columns))
}

fn with_columns(query: &Query, columns: &[String]) -> String {
    format!("SELECT * FROM ({query}) AS view_columns ({})", columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_a_view_keeps_its_column_names() {
        assert_eq!(query_of("CREATE VIEW v AS SELECT 1 AS a").unwrap(), "SELECT 1 AS a");
        assert_eq!(
            query_of("CREATE OR REPLACE VIEW v (x, \"Y\") AS SELECT 1, 2").unwrap(),
            "SELECT * FROM (SELECT 1, 2) AS view_columns (x, \"Y\")"
        );
    }
}
