//! Everything that statements of a session can name, for catalogs and tools.

use std::collections::BTreeMap;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::SchemaProvider;
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::execution::context::SessionContext;

use super::comments;
use super::journey::{self, JOURNEY_SCHEMA};
use super::provider::{CATALOG, PUBLIC_SCHEMA};
use super::store_schema::StatementScope;
use crate::store::table::TableKind;

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    /// A table of the store.
    Table,
    /// A view of the store or a ready-made one.
    View,
    /// A table of the session alone.
    TemporaryTable,
    /// A view of the session alone.
    TemporaryView,
}

/// A table or view.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Schema in which it stands.
    pub schema: &'static str,
    /// Name in that schema.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Its columns; none for a view that cannot be planned.
    pub columns: SchemaRef,
    /// The query of a view.
    pub definition: Option<String>,
    /// What it is about, in a sentence.
    pub comment: Option<String>,
    /// What its columns are about, where it is known.
    pub column_comments: BTreeMap<String, String>,
    /// Rows, if it is a table and every file says how many it has.
    pub rows: Option<u64>,
    /// Bytes of its data files; 0 for what has none.
    pub bytes: u64,
}

/// Lists all relations as the statement that `scope` began sees them: O(relations) plans of views.
///
/// # Errors
/// The store cannot be read.
pub(crate) async fn list(scope: &StatementScope, context: &SessionContext) -> crate::Result<Vec<Relation>> {
    let mut relations = Vec::new();
    let Some(catalog) = context.catalog(CATALOG) else {
        return Ok(relations);
    };
    for schema_name in [JOURNEY_SCHEMA, PUBLIC_SCHEMA] {
        let Some(schema) = catalog.schema(schema_name) else { continue };
        for name in schema.table_names() {
            // Each view may use what a statement may.
            scope.show_physical(false);
            relations.push(relation(scope, schema.as_ref(), schema_name, name).await?);
        }
    }
    Ok(relations)
}

async fn relation(
    scope: &StatementScope,
    schema: &dyn SchemaProvider,
    schema_name: &'static str,
    name: String,
) -> crate::Result<Relation> {
    let found: Result<_> = schema.table(&name).await;
    let table = match found {
        Ok(table) => table,
        // One broken view must not hide everything else.
        Err(error) => {
            tracing::debug!(name, error = %error.strip_backtrace(), "listed without columns");
            None
        }
    };
    let mut relation = Relation {
        schema: schema_name,
        name,
        kind: RelationKind::TemporaryTable,
        columns: table.as_ref().map_or_else(|| Schema::empty().into(), |table| table.schema()),
        definition: table.as_ref().and_then(|table| table.get_table_definition().map(str::to_owned)),
        comment: None,
        column_comments: BTreeMap::new(),
        rows: None,
        bytes: 0,
    };
    if schema_name == JOURNEY_SCHEMA {
        relation.kind = RelationKind::View;
        if let Some(view) = journey::view(&relation.name) {
            relation.definition = Some(view.sql.to_owned());
            relation.comment = Some(view.description.to_owned());
        }
    } else if scope.is_stored(&relation.name) {
        relation.kind = RelationKind::Table;
        relation.comment = comments::of_table(&relation.name).map(str::to_owned);
        if let Some(snapshot) = scope.snapshot_of(&relation.name).await? {
            relation.rows = snapshot.row_count();
            relation.bytes = snapshot.files().iter().map(|file| file.size).sum();
            if snapshot.kind() == TableKind::Touchpoints {
                relation.column_comments = touchpoint_comments(&relation.columns);
            }
        }
    } else if scope.is_stored_view(&relation.name) {
        relation.kind = RelationKind::View;
        if let Some(view) = scope.store().view(&relation.name).await? {
            relation.definition = Some(view.sql);
            relation.comment = view.comment;
            relation.column_comments = view.column_comments;
        }
    } else if table.is_some_and(|table| table.table_type() == TableType::View) {
        relation.kind = RelationKind::TemporaryView;
    }
    Ok(relation)
}

fn touchpoint_comments(columns: &Schema) -> BTreeMap<String, String> {
    let described = columns.fields().iter().filter_map(|field| {
        let comment = comments::of_touchpoint_column(field.name())?;
        Some((field.name().clone(), comment.to_owned()))
    });
    described.collect()
}
