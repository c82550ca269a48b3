//! `ALTER VIEW v RENAME TO w` and `ALTER TABLE v RENAME TO w`, where `v` is a view of the store: what tools end with that build a view beside the old one.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{DFSchema, DFSchemaRef, DataFusionError, Result, TableReference, plan_err};
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{EmptyRelation, Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::sql::parser::Statement;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{
    AlterTableOperation, ObjectName, RenameTableNameKind, Statement as SqlStatement,
};

use super::provider::PUBLIC_SCHEMA;
use super::store_schema::StatementScope;
use crate::access::Action;
use crate::error::Error;
use crate::store::views::PutView;

/// The plan of a statement that gives a view another name; no rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct RenameView {
    from: String,
    to: String,
    schema: DFSchemaRef,
}

impl PartialOrd for RenameView {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (&self.from, &self.to).partial_cmp(&(&other.from, &other.to))
    }
}

impl UserDefinedLogicalNodeCore for RenameView {
    fn name(&self) -> &str {
        "RenameView"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RenameView: {} to {}", self.from, self.to)
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, _inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(self.clone())
    }
}

/// The plan of `statement` if it is one that renames; `None` for any other.
///
/// # Errors
/// There is no such view, or it is a table.
pub(crate) fn plan(statement: &Statement, scope: &StatementScope) -> Result<Option<LogicalPlan>> {
    let Statement::Statement(statement) = statement else { return Ok(None) };
    let SqlStatement::AlterTable(alter) = statement.as_ref() else { return Ok(None) };
    let [AlterTableOperation::RenameTable { table_name: RenameTableNameKind::To(to) }] =
        alter.operations.as_slice()
    else {
        return Ok(None);
    };
    let (from, to) = (reference(&alter.name)?, reference(to)?);
    let name = from.table();
    if let Some(schema) = to.schema()
        && schema != from.schema().unwrap_or(PUBLIC_SCHEMA)
    {
        return plan_err!("a view is not renamed into another schema");
    }
    let is_public = from.schema().unwrap_or(PUBLIC_SCHEMA) == PUBLIC_SCHEMA;
    if is_public && scope.is_stored_view(name) {
        let schema = Arc::new(DFSchema::empty());
        let rename = RenameView { from: name.to_owned(), to: to.table().to_owned(), schema };
        return Ok(Some(LogicalPlan::Extension(Extension { node: Arc::new(rename) })));
    }
    if is_public && scope.is_stored(name) {
        let message = format!("relation \"{name}\" is a table of the store: statements rename views alone");
        return Err(DataFusionError::NotImplemented(message));
    }
    if alter.if_exists {
        let nothing = EmptyRelation { produce_one_row: false, schema: Arc::new(DFSchema::empty()) };
        return Ok(Some(LogicalPlan::EmptyRelation(nothing)));
    }
    plan_err!("table '{from}' not found")
}

fn reference(name: &ObjectName) -> Result<TableReference> {
    object_name_to_table_reference(name.clone(), true)
}

/// Runs `plan` if it renames a view; whether it was one. The view is there under both names for a moment, and never under
/// none.
///
/// # Errors
/// The new name is taken, the role is not enough, or the store cannot be written.
pub(crate) async fn run(
    plan: &LogicalPlan,
    scope: &StatementScope,
    context: &SessionContext,
) -> Result<bool> {
    let LogicalPlan::Extension(extension) = plan else { return Ok(false) };
    let Some(RenameView { from, to, .. }) = extension.node.as_any().downcast_ref() else { return Ok(false) };
    scope.role().require(Action::Define).map_err(Error::from)?;
    let Some(view) = scope.store().view(from).await? else { return plan_err!("table '{from}' not found") };
    if context.table_exist(TableReference::partial(PUBLIC_SCHEMA, to.as_str()))? {
        return plan_err!("relation \"{to}\" already exists");
    }
    match scope.store().put_view(to, &view, false).await? {
        PutView::Done => {}
        PutView::Exists => return plan_err!("relation \"{to}\" already exists"),
    }
    scope.store().drop_view(from).await?;
    Ok(true)
}
