//! `INSERT` and `CREATE TABLE` on the store, for sessions that may write: each one commit, or nothing.
//!
//! Rows for a touchpoint table go through a temporary file and the loader: the same identities, checks, duplicates and
//! layout as any load. Rows for a reference table are appended as one file. A new table appears with its rows.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::TableReference;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{CreateMemoryTable, DdlStatement, DmlStatement, LogicalPlan, WriteOp};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;

use super::provider::PUBLIC_SCHEMA;
use super::store_schema::StatementScope;
use super::view_statements::no_rows;
use crate::config::EngineConfig;
use crate::error::{Error, Result, StoreError};
use crate::load::error::LoadError;
use crate::load::read::{Compression, ExtraColumns, InputFormat, ReadOptions, SourceFile};
use crate::load::reference::stored_schema;
use crate::load::{self, Dedup, LoadRequest, NoProgress, OnError};
use crate::store::commit::{self, Append, Outcome};
use crate::store::history;
use crate::store::snapshot::TableSnapshot;
use crate::store::table::{self, TableDefinition, TableKind};
use crate::store::writer::ReferenceWriter;

/// What history and messages call the source of rows.
const SOURCE: &str = "INSERT";

/// The table of the store that `plan` writes, if it is one of these statements.
pub(crate) fn written_table<'a>(plan: &'a LogicalPlan, scope: &StatementScope) -> Option<&'a str> {
    match plan {
        LogicalPlan::Dml(DmlStatement { table_name, op: WriteOp::Insert(InsertOp::Append), .. }) => {
            public_name(table_name).filter(|name| scope.is_stored(name))
        }
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) if !create.temporary => {
            public_name(&create.name)
        }
        _ => None,
    }
}

/// Takes `TEMP` out of a `CREATE TABLE`, which DataFusion's planner refuses; whether it was there.
pub(crate) fn take_temporary(statement: &mut Statement) -> bool {
    let Statement::Statement(inner) = statement else { return false };
    match inner.as_mut() {
        SqlStatement::CreateTable(create) => std::mem::take(&mut create.temporary),
        _ => false,
    }
}

/// The plan of a `CREATE TABLE` with `TEMP`.
pub(crate) fn make_temporary(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => {
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(CreateMemoryTable { temporary: true, ..create }))
        }
        other => other,
    }
}

/// Runs `plan` if it is one of these statements; an insert answers with the number of rows that are new.
///
/// # Errors
/// Rows that the table does not take, a name that is taken; nothing is written then.
pub(crate) async fn run(
    plan: &LogicalPlan,
    scope: &StatementScope,
    context: &SessionContext,
    config: &EngineConfig,
) -> Result<Option<SendableRecordBatchStream>> {
    let Some(name) = written_table(plan, scope) else { return Ok(None) };
    match plan {
        LogicalPlan::Dml(insert) => {
            scope.store().require_writable().await?;
            let snapshot = scope.store().newest(name).await?.ok_or_else(|| StoreError::NoTable {
                table: name.to_owned(),
                url: scope.store().location().display(),
            })?;
            let rows = context.execute_logical_plan(insert.input.as_ref().clone()).await?;
            let rows = rows.execute_stream().await?;
            let count = match snapshot.kind() {
                TableKind::Touchpoints => insert_touchpoints(name, rows, scope, config).await?,
                TableKind::Reference => insert_reference(name, &snapshot, rows, scope).await?,
            };
            Ok(Some(count_of_rows(count)?))
        }
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => {
            scope.store().require_writable().await?;
            self::create(name, create, scope, context).await?;
            Ok(Some(no_rows()))
        }
        _ => Ok(None),
    }
}

fn public_name(name: &TableReference) -> Option<&str> {
    let schema = name.schema().unwrap_or(PUBLIC_SCHEMA);
    (schema == PUBLIC_SCHEMA).then(|| name.table())
}

/// One row with one number, as changes of tables answer.
pub(super) fn count_of_rows(count: u64) -> Result<SendableRecordBatchStream> {
    let schema = Arc::new(Schema::new(vec![Field::new("count", DataType::UInt64, false)]));
    let column: ArrayRef = Arc::new(UInt64Array::from(vec![count]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).map_err(DataFusionError::from)?;
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter([Ok(batch)]))))
}

async fn insert_touchpoints(
    table: &str,
    mut rows: SendableRecordBatchStream,
    scope: &StatementScope,
    config: &EngineConfig,
) -> Result<u64> {
    let dir = config.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
        StoreError::io("write to", dir.display().to_string(), e)
    };
    let mut file = tempfile::Builder::new()
        .prefix("wayfare-insert-")
        .suffix(".parquet")
        .tempfile_in(&dir)
        .map_err(|e| failed(e.into()))?;
    let mut writer =
        ArrowWriter::try_new(file.as_file_mut(), rows.schema(), None).map_err(|e| failed(e.into()))?;
    let mut count = 0;
    while let Some(batch) = rows.try_next().await? {
        count += batch.num_rows() as u64;
        writer.write(&batch).map_err(|e| failed(e.into()))?;
    }
    writer.close().map_err(|e| failed(e.into()))?;
    if count == 0 {
        return Ok(0);
    }
    let size = file.as_file().metadata().map_err(|e| failed(e.into()))?.len();
    let source = SourceFile::local(
        SOURCE.to_owned(),
        file.path().to_owned(),
        size,
        InputFormat::Parquet,
        Compression::None,
    );
    let request = LoadRequest {
        table: table.to_owned(),
        inputs: Vec::new(),
        read: ReadOptions {
            format: Some(InputFormat::Parquet),
            extra: ExtraColumns::Columns,
            ..ReadOptions::default()
        },
        on_error: OnError::Abort,
        dedup: Dedup::EventId,
        // Rows, not a file: the same ones again are compared row by row.
        force: true,
    };
    let loaded = load::load_files(scope.store(), config, &request, vec![source], Arc::new(NoProgress)).await;
    match loaded {
        Ok(report) => Ok(report.rows_loaded),
        Err(Error::Load(LoadError::BadRow(row))) => Err(Error::InvalidArgument(format!(
            "row {} of INSERT{}: {}",
            row.place.number(),
            row.column.as_deref().map(|column| format!(", column {column:?}")).unwrap_or_default(),
            row.reason
        ))),
        Err(error) => Err(error),
    }
}

async fn insert_reference(
    name: &str,
    snapshot: &Arc<TableSnapshot>,
    mut rows: SendableRecordBatchStream,
    scope: &StatementScope,
) -> Result<u64> {
    let table = scope.store().table(name)?;
    let mut writer = ReferenceWriter::new(table.clone(), Arc::clone(snapshot.schema()))?;
    let written = copy(&mut rows, &mut writer, snapshot.schema()).await;
    let count = match written {
        Ok(count) => count,
        Err(error) => {
            writer.abort();
            return Err(error);
        }
    };
    if count == 0 {
        writer.abort();
        return Ok(0);
    }
    let append = Append {
        adds: vec![writer.finish().await?],
        transaction_ids: Vec::new(),
        info: vec![(history::INFO_OPERATION.to_owned(), "insert".into())],
        new_schema: None,
    };
    // Rows are only added: commits of others do not disturb, unless they change the columns.
    match commit::append(&table, Arc::clone(snapshot), &append, Some(&HashSet::new())).await? {
        Outcome::Committed(_) => Ok(count),
        Outcome::Stale => {
            commit::discard(&table, &append.adds).await;
            Err(StoreError::Contention { table: name.to_owned(), attempts: 1 }.into())
        }
    }
}

/// Writes `rows` as `columns`, by place; how many there are.
async fn copy(
    rows: &mut SendableRecordBatchStream,
    writer: &mut ReferenceWriter,
    columns: &SchemaRef,
) -> Result<u64> {
    let mut count = 0;
    while let Some(batch) = rows.try_next().await? {
        let arrays = batch
            .columns()
            .iter()
            .zip(columns.fields())
            .map(|(column, field)| cast(column, field.data_type()))
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(DataFusionError::from)?;
        let stored = RecordBatch::try_new(Arc::clone(columns), arrays).map_err(DataFusionError::from)?;
        count += stored.num_rows() as u64;
        writer.write(&stored).await?;
    }
    Ok(count)
}

async fn create(
    name: &str,
    create: &CreateMemoryTable,
    scope: &StatementScope,
    context: &SessionContext,
) -> Result<()> {
    let exists = scope.is_stored_view(name) || context.table_exist(create.name.clone())?;
    if exists && create.if_not_exists {
        return Ok(());
    }
    if exists {
        return Err(taken(name));
    }
    let plain = create.constraints.is_empty() && create.column_defaults.is_empty();
    if !table::is_valid_name(name) || !plain {
        return Err(Error::InvalidArgument(match plain {
            true => format!(
                "{name:?} cannot name a table of the store: use lower-case letters, digits and underscores, at most 63"
            ),
            false => "tables of the store have neither constraints nor defaults: leave them out".to_owned(),
        }));
    }
    let rows = context.execute_logical_plan(create.input.as_ref().clone()).await?;
    let mut rows = rows.execute_stream().await?;
    let schema = stored_schema("CREATE TABLE", &rows.schema())?;
    let new = scope.store().table(name)?;
    let mut writer = ReferenceWriter::new(new.clone(), Arc::clone(&schema))?;
    let count = match copy(&mut rows, &mut writer, &schema).await {
        Ok(count) => count,
        Err(error) => {
            writer.abort();
            return Err(error);
        }
    };
    let add = match count {
        0 => {
            writer.abort();
            None
        }
        _ => Some(writer.finish().await?),
    };
    let definition = TableDefinition { kind: TableKind::Reference, schema };
    if new.create_with(&definition, add.clone()).await? {
        return Ok(());
    }
    commit::discard(&new, add.as_slice()).await;
    Err(taken(name))
}

fn taken(name: &str) -> Error {
    DataFusionError::Plan(format!("relation \"{name}\" already exists")).into()
}
