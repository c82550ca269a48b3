//! The table of a `COPY ... FROM STDIN`, and the load that brings its rows in.

use std::path::PathBuf;
use std::sync::Arc;

use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::error::PgWireResult;
use wayfare_engine::load::read::{Compression, InputFormat, ReadOptions, Rejected, SourceFile};
use wayfare_engine::load::{Dedup, LoadRequest, NoProgress, OnError};
use wayfare_engine::store::table::TableKind;
use wayfare_engine::{Engine, Error as EngineError};

use super::super::cancel::Interrupt;
use super::super::connection::Connection;
use super::super::session::{Prepared, SqlSession};
use super::super::split::split;
use super::input::ActiveCopy;
use super::stage::{StageColumn, StagedCopy};
use super::{CopyIn, TableName, chosen_columns};
use crate::error::{error, error_info, from_engine, sqlstate, user_error};

/// Columns without which there is no touchpoint.
const REQUIRED: [&str; 3] = ["user_id", "ts", "event"];
/// The schema of tables that can be loaded.
const PUBLIC: &str = "public";
/// What history calls the source of such rows.
const SOURCE: &str = "COPY FROM STDIN";

/// Where rows go, and what they look like.
#[derive(Debug)]
pub(super) struct Target {
    pub table: String,
    pub columns: Vec<StageColumn>,
    /// A required column that no row has.
    pub absent: Option<String>,
    pub time_zone: String,
    pub temp_dir: PathBuf,
}

impl SqlSession {
    /// Names and types of the columns of `table`.
    ///
    /// # Errors
    /// 42P01.
    pub(crate) async fn table_columns(
        &self,
        table: &TableName,
        format: super::super::session::Presentation,
    ) -> PgWireResult<Vec<(String, Type)>> {
        let select = format!("SELECT * FROM {}", table.to_sql());
        let Some(text) = split(&select)?.pop() else {
            return Ok(Vec::new());
        };
        let statement = self.on_planning_thread(move |session| session.prepare_query(text)).await?;
        let description = self.describe(statement, Vec::new(), format).await.map_err(without_position)?;
        Ok(description.fields.iter().map(|f| (f.name().to_owned(), f.datatype().clone())).collect())
    }
}

/// Positions inside a statement that the client did not write mean nothing to it.
pub(crate) fn without_position(failure: pgwire::error::PgWireError) -> pgwire::error::PgWireError {
    let mut info = pgwire::error::ErrorInfo::from(failure);
    info.position = None;
    user_error(info)
}

impl Connection {
    /// Begins a copy into a table; `rest` is what follows in the message of the simple protocol.
    ///
    /// # Errors
    /// 42P01, 42703, 42701; 0A000 for a table that is not of touchpoints; 25006 in a read-only transaction.
    pub(crate) async fn begin_copy_in(
        &self,
        copy: &CopyIn,
        interrupt: Interrupt,
        rest: Option<Vec<Prepared>>,
    ) -> PgWireResult<(ActiveCopy, usize)> {
        self.check_writable("COPY FROM")?;
        let sql = self.sql()?;
        let presentation = self.presentation(Format::UnifiedText);
        let time_zone = presentation.options.time_zone.clone();
        let target = async {
            let all = sql.table_columns(&copy.table, presentation).await?;
            check_kind(&self.shared.engine, &copy.table).await?;
            target(&self.shared.engine, copy, &all, time_zone)
        };
        let target = interrupt.guard(target).await??;
        let columns = target.columns.len();
        Ok((ActiveCopy::start(sql, target, copy.options.clone(), interrupt, rest), columns))
    }

    /// Loads rows: one commit, everything or nothing.
    ///
    /// # Errors
    /// Rows that the table does not take, with their place; those of the store.
    pub(crate) async fn load(&self, staged: Vec<StagedCopy>) -> PgWireResult<()> {
        let staged: Vec<StagedCopy> = staged.into_iter().filter(|copy| copy.rows > 0).collect();
        let Some(first) = staged.first() else {
            return Ok(());
        };
        if staged.iter().any(|copy| copy.table != first.table) {
            return Err(error(
                sqlstate::FEATURE_NOT_SUPPORTED,
                "COPY FROM into more than one table in a transaction is not supported: commit in between",
            ));
        }
        let engine = Arc::clone(&self.shared.engine);
        self.sql()?.on_cpu(async move { load_all(&engine, &staged).await }).await
    }

    /// Checks rows as a load would, for rows that are loaded later.
    ///
    /// # Errors
    /// Rows that the table does not take, with their place.
    pub(crate) async fn check_rows(&self, staged: &StagedCopy) -> PgWireResult<()> {
        let (engine, staged) = (Arc::clone(&self.shared.engine), staged.clone());
        self.sql()?
            .on_cpu(async move {
                let file = source(&staged, 0)?;
                match engine.first_bad_row(file, read_options()).await {
                    Ok(None) => Ok(()),
                    Ok(Some(row)) => Err(bad_row(&row, &staged)),
                    Err(failure) => Err(user_error(from_engine(&failure))),
                }
            })
            .await
    }
}

/// Refuses tables that the loader of touchpoints does not fill.
async fn check_kind(engine: &Engine, table: &TableName) -> PgWireResult<()> {
    let public = table.schema.as_deref().is_none_or(|schema| schema == PUBLIC);
    let tables = engine.tables().await.map_err(|e| user_error(from_engine(&e)))?;
    let kind = tables.iter().find(|found| public && found.name == table.table).map(|found| found.kind);
    match kind {
        Some(TableKind::Touchpoints) => Ok(()),
        Some(_) => Err(error(
            sqlstate::FEATURE_NOT_SUPPORTED,
            format!(
                "cannot copy to \"{}\": rows can be copied into touchpoint tables only; use `wayfare load --reference`",
                table.table
            ),
        )),
        None => Err(error(
            sqlstate::WRONG_OBJECT_TYPE,
            format!("cannot copy to \"{}\": it is not a table of the store", table.table),
        )),
    }
}

fn target(engine: &Engine, copy: &CopyIn, all: &[(String, Type)], time_zone: String) -> PgWireResult<Target> {
    let names: Vec<String> = all.iter().map(|(name, _)| name.clone()).collect();
    let chosen = chosen_columns(copy.columns.as_deref(), &names, &copy.table)?;
    copy.options.force_not_null.check(&names)?;
    copy.options.force_null.check(&names)?;
    let absent = REQUIRED.iter().find(|name| !chosen.iter().any(|column| column == *name));
    let columns = chosen.into_iter().filter_map(|name| {
        let pg_type = all.iter().find(|(column, _)| *column == name)?.1.clone();
        Some(StageColumn { required: REQUIRED.contains(&name.as_str()), name, pg_type })
    });
    Ok(Target {
        table: copy.table.table.clone(),
        columns: columns.collect(),
        absent: absent.map(|name| (*name).to_owned()),
        time_zone,
        temp_dir: engine.config().temp_dir.clone().unwrap_or_else(std::env::temp_dir),
    })
}

fn read_options() -> ReadOptions {
    ReadOptions { format: Some(InputFormat::Ndjson), ..ReadOptions::default() }
}

/// The rows as a file of the load, number `index` of them.
fn source(staged: &StagedCopy, index: usize) -> PgWireResult<SourceFile> {
    let size = std::fs::metadata(staged.file.as_ref())
        .map_err(|e| error(sqlstate::IO_ERROR, format!("cannot read the rows of COPY back: {e}")))?
        .len();
    let name = if index == 0 { SOURCE.to_owned() } else { format!("{SOURCE} {}", index + 1) };
    Ok(SourceFile::local(name, staged.file.to_path_buf(), size, InputFormat::Ndjson, Compression::None))
}

async fn load_all(engine: &Engine, staged: &[StagedCopy]) -> PgWireResult<()> {
    let files: PgWireResult<Vec<SourceFile>> =
        staged.iter().enumerate().map(|(index, copy)| source(copy, index)).collect();
    let files = files?;
    let names: Vec<String> = files.iter().map(|file| file.display.clone()).collect();
    let request = LoadRequest {
        table: staged.first().map(|copy| copy.table.clone()).unwrap_or_default(),
        inputs: Vec::new(),
        read: read_options(),
        on_error: OnError::Abort,
        dedup: Dedup::EventId,
        // The client sends rows, not a file: the same ones again are compared row by row.
        force: true,
    };
    let Err(failure) = engine.load_files(&request, files, Arc::new(NoProgress)).await else {
        return Ok(());
    };
    if let EngineError::Load(load) = &failure
        && let wayfare_engine::load::error::LoadError::BadRow(row) = load
        && let Some(copy) = names.iter().position(|name| **name == *row.file).and_then(|at| staged.get(at))
    {
        return Err(bad_row(row, copy));
    }
    Err(user_error(from_engine(&failure)))
}

fn bad_row(row: &Rejected, staged: &StagedCopy) -> pgwire::error::PgWireError {
    let mut info = error_info(sqlstate::INVALID_TEXT_REPRESENTATION, row.reason.clone());
    info.where_context =
        Some(staged.context(row.place.number(), row.column.as_deref(), row.value.as_deref()));
    user_error(info)
}
