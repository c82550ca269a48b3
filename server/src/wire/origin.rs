//! What is known of a result's columns beyond their types in the engine: the column of a table that each is, and the type
//! that a `CASE` takes from its branches.

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use super::types::{OID_ALIAS_KEY, PG_CHAR_KEY, PG_TYPE_KEY};
use crate::catalog::relation_oid;
use wayfare_engine::catalog::provider::PUBLIC_SCHEMA;

/// A column of a table, as `RowDescription` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub table: i32,
    /// From 1.
    pub column: i16,
}

/// The column of a table that column `index` of `plan` shows as it is; `None` if it is computed. O(depth of the plan).
pub(super) fn origin(plan: &LogicalPlan, index: usize) -> Option<Origin> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let name = scan.projected_schema.fields().get(index)?.name();
            let column = scan.source.schema().index_of(name).ok()?;
            let table =
                relation_oid(scan.table_name.schema().unwrap_or(PUBLIC_SCHEMA), scan.table_name.table())?;
            Some(Origin { table: table.cast_signed(), column: i16::try_from(column + 1).ok()? })
        }
        LogicalPlan::Projection(projection) => {
            let Expr::Column(column) = unaliased(projection.expr.get(index)?) else { return None };
            let index = projection.input.schema().index_of_column(column).ok()?;
            origin(&projection.input, index)
        }
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            if index < left { origin(&join.left, index) } else { origin(&join.right, index - left) }
        }
        LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Window(_) => {
            let input = *plan.inputs().first()?;
            (index < input.schema().fields().len()).then(|| origin(input, index))?
        }
        _ => None,
    }
}

/// The columns of `plan`, with the marks that a `CASE` has from its branches.
pub(super) fn result_schema(plan: &LogicalPlan) -> Schema {
    let schema = plan.schema().as_arrow().clone();
    let marked = schema.fields().iter().enumerate().map(|(index, field)| {
        let Some(branch) = case_branch(plan, index, field.data_type()) else { return field.as_ref().clone() };
        Field::new(field.name(), branch.data_type().clone(), true).with_metadata(branch.metadata().clone())
    });
    Schema::new(marked.collect::<Vec<Field>>())
}

/// The branch with a mark of the `CASE` that column `index` of `plan` is, if it is one of type `whole`.
fn case_branch(plan: &LogicalPlan, index: usize, whole: &DataType) -> Option<FieldRef> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let input = projection.input.schema();
            // A cast of the whole to the type that was found for it changes nothing of what it is.
            let shown = match unaliased(projection.expr.get(index)?) {
                Expr::Cast(cast) if matches!(*cast.expr, Expr::Column(_)) => &cast.expr,
                shown => shown,
            };
            match shown {
                Expr::Column(column) => {
                    let index = input.index_of_column(column).ok()?;
                    case_branch(&projection.input, index, whole)
                }
                Expr::Case(case) => {
                    // PostgreSQL begins at ELSE.
                    let thens = case.when_then_expr.iter().map(|(_, then)| then);
                    let branches = case.else_expr.iter().chain(thens);
                    let mut fields = branches.filter_map(|branch| branch.to_field(input.as_ref()).ok());
                    let found =
                        fields.find(|(_, field)| is_marked(field) && goes_with(field.data_type(), whole));
                    found.map(|(_, field)| field)
                }
                _ => None,
            }
        }
        LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_) => case_branch(plan.inputs().first()?, index, whole),
        _ => None,
    }
}

fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}

fn is_marked(field: &Field) -> bool {
    [OID_ALIAS_KEY, PG_CHAR_KEY, PG_TYPE_KEY].iter().any(|key| field.metadata().contains_key(*key))
}

/// Whether values of a `CASE` whose type is `whole` are those of the branch: an identifier beside a literal is widened.
fn goes_with(branch: &DataType, whole: &DataType) -> bool {
    branch == whole || branch.is_string() && whole.is_string() || branch.is_integer() && whole.is_integer()
}
