//! The reference table `identities`: loading links into it, reading them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use datafusion::error::DataFusionError;
use futures::TryStreamExt;

use crate::error::{Error, Result, StoreError};
use crate::identity::blocked::is_blocked;
use crate::identity::{IDENTITIES, IdentityLimits, Link, Resolver};
use crate::load::error::LoadError;
use crate::load::known::{self, Identify, NewFiles, select_new_files};
use crate::load::read::{self, ExtraColumns, ReadOptions, SourceFile};
use crate::load::rows::required;
use crate::load::{LoadReport, NoProgress};
use crate::maintain::read as files;
use crate::schema;
use crate::storage::ObjectStores;
use crate::store::commit::{self, Append, Outcome};
use crate::store::snapshot::TableSnapshot;
use crate::store::suppression::Suppression;
use crate::store::table::{TableDefinition, TableKind};
use crate::store::writer::ReferenceWriter;
use crate::store::{Store, history};

/// The column of a file of links that says since when.
pub const VALID_FROM: &str = "valid_from";
const BATCH_ROWS: usize = 8192;
/// How often a load of links starts again because somebody was erased meanwhile.
const MAX_RESTARTS: usize = 20;

/// Files of links to load.
#[derive(Debug, Clone)]
pub struct IdentifyRequest {
    /// Files, directories, glob patterns or URLs with the columns `anonymous_id`, `user_id` and `valid_from`.
    pub inputs: Vec<String>,
    /// How they are read; `mapping` gives their columns the names above.
    pub read: ReadOptions,
    /// Since when the links are valid, as text, if the files do not say.
    pub valid_from: Option<String>,
    /// Loads files whose content was loaded before.
    pub force: bool,
}

/// How loading links ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentifyReport {
    /// Version of `identities` with the links; `None` if there was nothing new.
    pub version: Option<u64>,
    /// Files left out because the same content had been loaded before.
    pub files_already_loaded: Vec<String>,
    /// Links loaded.
    pub links: u64,
    /// Links left out because one of their ids identifies nobody.
    pub links_blocked: u64,
    /// Links left out because they name somebody who was erased.
    pub links_erased: u64,
    /// Time taken.
    pub elapsed: Duration,
}

fn definition() -> TableDefinition {
    let fields = vec![
        Field::new(schema::ANONYMOUS_ID, DataType::Utf8, true),
        Field::new(schema::USER_ID, DataType::Utf8, true),
        Field::new(VALID_FROM, schema::timestamp_type(), true),
    ];
    TableDefinition { kind: TableKind::Reference, schema: Arc::new(Schema::new(fields)) }
}

/// Loads links in one commit.
///
/// # Errors
/// The first bad row ends it with its place and reason; nothing is loaded then.
pub async fn identify(
    store: &Store,
    stores: &ObjectStores,
    request: &IdentifyRequest,
) -> Result<IdentifyReport> {
    let started = Instant::now();
    let options = Arc::new(reading(request));
    let files = read::discover(&request.inputs, &options, stores).await?;
    let before = snapshot(store).await?;
    let identities =
        known::identify(&files, before.as_deref(), request.force, Identify::Now, &NoProgress).await?;
    let table = store.table_or_create(IDENTITIES, &definition()).await?;
    for _ in 0..MAX_RESTARTS {
        let snapshot = snapshot(store).await?.ok_or_else(|| StoreError::TableKind {
            table: IDENTITIES.to_owned(),
            found: "different".to_owned(),
            advice: "links need its columns anonymous_id, user_id and valid_from; move what is in it to another name"
                .to_owned(),
        })?;
        let mut loaded = LoadReport::default();
        let NewFiles { files: new, ids: transaction_ids, .. } =
            select_new_files(&snapshot, &files, &identities, request.force, &mut loaded).await?;
        let mut report =
            IdentifyReport { files_already_loaded: loaded.files_already_loaded, ..IdentifyReport::default() };
        let erased = Suppression::of_store(store, &snapshot).await?;
        let mut writer = ReferenceWriter::new(table.clone(), Arc::clone(snapshot.schema()))?;
        for file in &new {
            for batch in parsed(file.clone(), Arc::clone(&options)).await? {
                let links = chosen(&batch, &erased, &mut report)?;
                writer.write(&to_columns(&links, snapshot.schema())?).await?;
            }
        }
        report.elapsed = started.elapsed();
        if report.links == 0 {
            writer.abort();
            return Ok(report);
        }
        let sources: Vec<String> = new.iter().map(|f| f.display.clone()).collect();
        let append = Append {
            adds: vec![writer.finish().await?],
            transaction_ids,
            info: vec![
                (history::INFO_OPERATION.to_owned(), "identify".into()),
                (history::INFO_SOURCES.to_owned(), sources.into()),
            ],
            new_schema: None,
        };
        let no_days = std::collections::HashSet::new();
        match commit::append(&table, snapshot, &append, Some(&no_days)).await? {
            Outcome::Committed(version) => {
                report.version = Some(version);
                report.elapsed = started.elapsed();
                return Ok(report);
            }
            Outcome::Stale => commit::discard(&table, &append.adds).await,
        }
    }
    Err(StoreError::Contention { table: IDENTITIES.to_owned(), attempts: MAX_RESTARTS }.into())
}

/// Links are read as touchpoints are, with the same checks: `valid_from` is their time.
fn reading(request: &IdentifyRequest) -> ReadOptions {
    let mut options = ReadOptions { extra: ExtraColumns::Properties, ..request.read.clone() };
    for (target, _) in &mut options.mapping {
        if target == VALID_FROM {
            schema::TS.clone_into(target);
        }
    }
    options.constants.push((schema::EVENT.to_owned(), "identify".to_owned()));
    match &request.valid_from {
        Some(time) => options.constants.push((schema::TS.to_owned(), time.clone())),
        None if !options.mapping.iter().any(|(target, _)| target == schema::TS) => {
            options.mapping.push((schema::TS.to_owned(), VALID_FROM.to_owned()));
        }
        None => {}
    }
    options
}

async fn parsed(file: SourceFile, options: Arc<ReadOptions>) -> Result<Vec<RecordBatch>> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut batches = Vec::new();
        for batch in read::open(&file, &options, &[])? {
            let batch = batch?;
            if let Some(first) = batch.rejected.into_iter().next() {
                return Err(LoadError::BadRow(Box::new(first)));
            }
            batches.push(batch.batch);
        }
        Ok(batches)
    });
    let batches: std::result::Result<_, LoadError> =
        reading.await.map_err(|e| Error::Query(DataFusionError::External(Box::new(e))))?;
    Ok(batches?)
}

/// The rows of a parsed batch that link somebody who may be linked.
fn chosen(batch: &RecordBatch, erased: &Suppression, report: &mut IdentifyReport) -> Result<RecordBatch> {
    let devices = required(batch, schema::ANONYMOUS_ID)?.as_string::<i32>();
    let users = required(batch, schema::USER_ID)?.as_string::<i32>();
    let keep: BooleanArray = (0..batch.num_rows())
        .map(|row| {
            let (device, user) = (devices.is_valid(row).then(|| devices.value(row)), users.value(row));
            if device.is_none_or(is_blocked) || is_blocked(user) {
                report.links_blocked += 1;
                return Some(false);
            }
            if erased.contains(user) || device.is_some_and(|device| erased.contains(device)) {
                report.links_erased += 1;
                return Some(false);
            }
            report.links += 1;
            Some(true)
        })
        .collect();
    Ok(filter_record_batch(batch, &keep).map_err(DataFusionError::from)?)
}

fn to_columns(links: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch> {
    let arrays = columns.fields().iter().map(|field| {
        let name = if field.name() == VALID_FROM { schema::TS } else { field.name() };
        let column = required(links, name)?;
        Ok(arrow::compute::cast(column, field.data_type())?)
    });
    let arrays = arrays.collect::<std::result::Result<Vec<_>, DataFusionError>>()?;
    Ok(RecordBatch::try_new(Arc::clone(columns), arrays).map_err(DataFusionError::from)?)
}

/// The newest version of the links, if the store has any. A table of that name with other columns holds none.
pub async fn snapshot(store: &Store) -> Result<Option<Arc<TableSnapshot>>> {
    let has_columns = |snapshot: &Arc<TableSnapshot>| {
        let columns = definition().schema;
        snapshot.kind() == TableKind::Reference
            && columns.fields().iter().all(|field| snapshot.schema().field_with_name(field.name()).is_ok())
    };
    Ok(store.newest(IDENTITIES).await?.filter(has_columns))
}

/// The people that the links of `store` make. Reads all links if they are others than the last time: O(links) time
/// and memory.
///
/// # Errors
/// A damaged file.
pub async fn resolver(store: &Store, limits: IdentityLimits) -> Result<Arc<Resolver>> {
    let Some(snapshot) = snapshot(store).await? else { return Ok(Arc::default()) };
    if let Some(known) = store.known_people(snapshot.version(), limits) {
        return Ok(known);
    }
    let mut links = Vec::new();
    let file_schema = definition().schema;
    for file in snapshot.files() {
        let mut batches = files::peek(snapshot.table(), file, &file_schema, None, BATCH_ROWS).await?;
        while let Some(batch) = batches.try_next().await? {
            let devices = required(&batch, schema::ANONYMOUS_ID)?.as_string::<i32>();
            let users = required(&batch, schema::USER_ID)?.as_string::<i32>();
            let times = required(&batch, VALID_FROM)?.as_primitive::<TimestampMicrosecondType>();
            for row in (0..batch.num_rows()).filter(|row| devices.is_valid(*row) && users.is_valid(*row)) {
                links.push(Link {
                    anonymous_id: devices.value(row).to_owned(),
                    user_id: users.value(row).to_owned(),
                    // Without a time it has always been so.
                    valid_from: if times.is_valid(row) { times.value(row) } else { i64::MIN },
                });
            }
        }
    }
    let resolver = Arc::new(Resolver::new(links, limits));
    store.keep_people(snapshot.version(), limits, Arc::clone(&resolver));
    Ok(resolver)
}
