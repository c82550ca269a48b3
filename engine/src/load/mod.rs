//! Bulk load: any number of files, one commit, everything or nothing.
//!
//! The life of a load: find the files ([`read::source`]), identify their content ([`read::identity`]) and leave
//! out what the log knows already, read and check rows ([`read`]), sort and de-duplicate them and write data
//! files ([`pipeline`]), commit once ([`crate::store::commit`]). If another writer changed the same days
//! meanwhile, the attempt is thrown away and made again.

mod coded;
mod day_sort;
mod duplicates;
pub mod error;
mod existing;
pub mod follow;
pub(crate) mod known;
mod pipeline;
pub mod read;
pub mod reference;
mod rejects;
pub mod request;
mod row_identity;
pub(crate) mod rows;
pub(crate) mod sort;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::{Field, SchemaRef};
use datafusion::error::DataFusionError;

use crate::config::EngineConfig;
use crate::error::{Error, Result, StoreError};
use crate::identity::links;
use crate::load::error::LoadError;
use crate::load::known::{FileIdentity, Identify, NewFiles, select_new_files};
use crate::load::pipeline::{Job, Written};
use crate::load::read::{ReadOptions, Rejected, SourceFile};
use crate::load::rejects::RejectSink;
use crate::load::sort::Sorters;
use crate::schema;
use crate::storage::ObjectStores;
use crate::store::commit::{self, Append, Outcome};
use crate::store::snapshot::TableSnapshot;
use crate::store::suppression::Suppression;
use crate::store::table::{self, Table, TableKind};
use crate::store::{Store, history, layout, writer};
pub use request::{Dedup, LoadProgress, LoadReport, LoadRequest, LoadStage, NoProgress, OnError};

/// How often a load starts again because other writers changed the same days.
const MAX_RESTARTS: usize = 20;
/// Shares of the memory limit: sorters, the duplicate index, and the row groups of Parquet files that are read. The rest is
/// for batches on their way, open row groups, the decoder of the input, and what the allocator keeps of memory given back.
const SORT_SHARE: f64 = 0.2;
const INDEX_SHARE: f64 = 0.05;
const GROUPS_SHARE: f64 = 0.0625;
/// Batches of text for which a sorter has room, at least.
const SORTER_BATCHES: usize = 4;

/// Loads what `request` names into the store.
///
/// # Errors
/// Any error leaves the table as it was.
pub async fn load(
    store: &Store,
    stores: &ObjectStores,
    config: &EngineConfig,
    request: &LoadRequest,
    progress: Arc<dyn LoadProgress>,
) -> Result<LoadReport> {
    progress.stage(LoadStage::Identify, None);
    let files = read::discover(&request.inputs, &request.read, stores).await?;
    load_files(store, config, request, files, progress).await
}

/// Loads `files` into the table that `request` names.
///
/// # Errors
/// Any error leaves the table as it was.
pub async fn load_files(
    store: &Store,
    config: &EngineConfig,
    request: &LoadRequest,
    files: Vec<SourceFile>,
    progress: Arc<dyn LoadProgress>,
) -> Result<LoadReport> {
    load_and_note(store, config, request, files, progress, false).await
}

/// As [`load_files`]; with `note_all` files of which no row is loaded count as loaded too.
async fn load_and_note(
    store: &Store,
    config: &EngineConfig,
    request: &LoadRequest,
    files: Vec<SourceFile>,
    progress: Arc<dyn LoadProgress>,
    note_all: bool,
) -> Result<LoadReport> {
    let started = Instant::now();
    progress.stage(LoadStage::Identify, None);
    progress.total_input(files.len() as u64, files.iter().map(|f| f.size).sum());
    let before = store.newest(&request.table).await?;
    let mut identities =
        known::identify(&files, before.as_deref(), request.force, Identify::WhenRead, progress.as_ref())
            .await?;
    let table = store.table_or_create(&request.table, &table::touchpoint_definition()).await?;
    for _ in 0..MAX_RESTARTS {
        let snapshot = store.newest(&request.table).await?.ok_or_else(|| missing(store, &request.table))?;
        let attempt = Attempt { store, table: &table, snapshot, config, request, note_all };
        let mut report = LoadReport { files: files.len() as u64, ..LoadReport::default() };
        let done = attempt.run(&files, &mut identities, &mut report, Arc::clone(&progress)).await?;
        if done {
            report.elapsed = started.elapsed();
            return Ok(report);
        }
        tracing::info!(table = %request.table, "another writer changed the same days; starting again");
    }
    Err(StoreError::Contention { table: request.table.clone(), attempts: MAX_RESTARTS }.into())
}

/// The first row of `file` that a load would refuse.
///
/// # Errors
/// Those of opening and reading the file.
pub async fn first_bad_row(file: SourceFile, options: ReadOptions) -> Result<Option<Rejected>> {
    let found = tokio::task::spawn_blocking(move || {
        for batch in read::open(&file, &Arc::new(options), &[])? {
            if let Some(first) = batch?.rejected.into_iter().next() {
                return Ok(Some(first));
            }
        }
        Ok(None)
    });
    let found: std::result::Result<_, LoadError> =
        found.await.map_err(|e| Error::Query(DataFusionError::External(Box::new(e))))?;
    Ok(found?)
}

/// Checks what can be checked before a store is touched: options, and that every input names files.
pub async fn check(request: &LoadRequest, config: &EngineConfig) -> Result<()> {
    check_options(request)?;
    let stores = ObjectStores::new(config.remote_deadline);
    stores.directory(&config.store_url)?;
    read::discover(&request.inputs, &request.read, &stores).await?;
    Ok(())
}

/// Checks the options of a load, without a look at its inputs.
pub fn check_options(request: &LoadRequest) -> Result<()> {
    if !table::is_valid_name(&request.table) {
        return Err(Error::InvalidArgument(format!(
            "{:?} cannot name a table: use lower-case letters, digits and underscores, at most 63",
            request.table
        )));
    }
    Ok(read::check_options(&request.read)?)
}

struct Attempt<'a> {
    store: &'a Store,
    table: &'a Table,
    snapshot: Arc<TableSnapshot>,
    config: &'a EngineConfig,
    request: &'a LoadRequest,
    note_all: bool,
}

impl Attempt<'_> {
    /// Reads, writes and commits; `false` if the commit came too late and all must be planned again. Then all identities are
    /// known.
    async fn run(
        &self,
        files: &[SourceFile],
        identities: &mut [FileIdentity],
        report: &mut LoadReport,
        progress: Arc<dyn LoadProgress>,
    ) -> Result<bool> {
        if self.snapshot.kind() != TableKind::Touchpoints {
            return Err(StoreError::TableKind {
                table: self.request.table.clone(),
                found: self.snapshot.kind().as_str().to_owned(),
                advice: "load it with --reference".to_owned(),
            }
            .into());
        }
        let NewFiles { files, ids: mut transaction_ids, unread } =
            select_new_files(&self.snapshot, files, identities, self.request.force, report).await?;
        if files.is_empty() {
            return Ok(true);
        }
        report.bytes_read = files.iter().map(|f| f.size).sum();
        progress.total_input(files.len() as u64, report.bytes_read);
        let sources: Vec<String> = files.iter().map(|f| f.display.clone()).collect();
        let people = links::resolver(self.store, self.config.identity).await?;
        let (extra, new_schema) = self.columns(&files, !people.is_empty()).await?;
        let erased = Suppression::of_store(self.store, &self.snapshot).await?;
        let with_erased = people.with_erased(|id| erased.links_of(id)).map(Arc::new);
        let rejects = match &self.request.on_error {
            OnError::Abort => None,
            OnError::Skip { rejects } => Some(RejectSink::create(rejects.as_deref())?),
        };
        let temp_dir = self.config.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
        let sorters = self.config.target_partitions.max(1);
        let pool_bytes = share(self.config.memory_limit_bytes, SORT_SHARE);
        let job = Arc::new(Job {
            table: self.table.clone(),
            snapshot: Arc::clone(&self.snapshot),
            read: Arc::new(self.read_options(sorters.min(files.len()).max(1), pool_bytes / sorters)),
            files,
            file_schema: writer::file_schema(&extra),
            extra,
            dedup: self.request.dedup == Dedup::EventId,
            parallelism: sorters,
            index_budget_bytes: share(self.config.memory_limit_bytes, INDEX_SHARE),
            sort_budget_bytes: pool_bytes / sorters,
            temp_dir: temp_dir.clone(),
            row_group_rows: self.config.row_group_rows,
            target_file_bytes: self.config.target_file_bytes,
            people_before: with_erased.unwrap_or_else(|| Arc::clone(&people)),
            erased,
            people,
        });
        let sorters = Sorters::new(pool_bytes, sorters, &temp_dir);
        let (written, rejects) =
            pipeline::run(Arc::clone(&job), sorters, rejects, Arc::clone(&progress)).await?;
        match self.identify_read(&job, &written, &unread, identities).await {
            Ok(Some(ids)) => transaction_ids.extend(ids),
            not_to_be_loaded => {
                commit::discard(self.table, &written.adds).await;
                return not_to_be_loaded.map(|_| false);
            }
        }

        progress.stage(LoadStage::Commit, None);
        if !written.adds.is_empty() || self.note_all {
            let days = days_of(&written.adds);
            let append = Append {
                adds: written.adds.clone(),
                transaction_ids,
                info: vec![
                    (history::INFO_OPERATION.to_owned(), "load".into()),
                    (history::INFO_SOURCES.to_owned(), sources.into()),
                ],
                new_schema,
            };
            let touched: HashSet<i32> = days.iter().copied().collect();
            let committed =
                commit::append(self.table, Arc::clone(&self.snapshot), &append, Some(&touched)).await;
            match committed {
                Ok(Outcome::Committed(version)) => report.version = Some(version),
                Ok(Outcome::Stale) => {
                    commit::discard(self.table, &written.adds).await;
                    return Ok(false);
                }
                // The files stay: whether the commit is in the log is not known for sure. If it is not, they
                // are invisible.
                Err(error) => return Err(error.into()),
            }
            report.days = days;
        }
        report.rows_read = written.rows_read;
        report.rows_loaded = written.rows_loaded;
        report.rows_duplicate = written.rows_duplicate;
        report.rows_rejected = written.rows_rejected;
        report.rows_erased = written.rows_erased;
        report.rows_left_out = written.rows_left_out;
        report.rows_resolved = written.rows_resolved;
        report.files_written = written.adds.len() as u64;
        report.bytes_written = written.adds.iter().map(|a| a.size.unsigned_abs()).sum();
        if let Some(rejects) = rejects {
            rejects.finish()?;
        }
        Ok(true)
    }

    /// How files are read, so many at a time, for sorters that have so many bytes each.
    fn read_options(&self, readers: usize, sorter_bytes: usize) -> ReadOptions {
        let mut options = self.request.read.clone();
        // A sorter holds whole batches, which take more than their text.
        options.batch_bytes = options.batch_bytes.min(sorter_bytes / SORTER_BATCHES).max(1);
        let kept = share(self.config.memory_limit_bytes, GROUPS_SHARE) / readers;
        options.group_bytes = options.group_bytes.min(kept as u64);
        options
    }

    /// Notes what the files hold whose content was not known before they were read, `unread`, and gives their application ids;
    /// `None` if one of them was loaded by another writer before this attempt began.
    async fn identify_read(
        &self,
        job: &Job,
        written: &Written,
        unread: &[(usize, usize)],
        identities: &mut [FileIdentity],
    ) -> Result<Option<Vec<String>>> {
        let mut ids = Vec::new();
        let mut is_known = false;
        for (place, among_all) in unread {
            let content = match written.contents.get(place) {
                Some(content) => content.clone(),
                None => read::content_identity(&job.files[*place]).await?,
            };
            let identity = &mut identities[*among_all];
            identity.set_content(&content);
            if let Some(id) = identity.id_to_commit(self.request.force) {
                is_known |= self.snapshot.has_transaction(&id).await?;
                ids.push(id);
            }
        }
        Ok((!is_known).then_some(ids))
    }

    /// The extra columns that the files are read into, and the table's new schema if some are new.
    async fn columns(&self, files: &[SourceFile], resolves: bool) -> Result<(Vec<Field>, Option<SchemaRef>)> {
        let mut extra = self.snapshot.extra_fields();
        let known = extra.len();
        let (sources, options) = (files.to_vec(), self.request.read.clone());
        let found = tokio::task::spawn_blocking(move || read::extra_fields(&sources, &options))
            .await
            .map_err(|e| Error::Query(DataFusionError::External(Box::new(e))))??;
        for field in found.into_iter().chain(resolves.then(schema::raw_user_id_field)) {
            if !extra.iter().any(|f| f.name() == field.name()) {
                extra.push(field);
            }
        }
        let new_schema = (extra.len() > known).then(|| table::touchpoint_table_schema(&extra));
        Ok((extra, new_schema))
    }
}

fn share(limit: usize, part: f64) -> usize {
    (limit as f64 * part) as usize
}

fn missing(store: &Store, table: &str) -> Error {
    Error::Store(StoreError::NoTable { table: table.to_owned(), url: store.location().display() })
}

/// UTC days of new files.
fn days_of(adds: &[deltalake_core::kernel::Add]) -> BTreeSet<i32> {
    adds.iter()
        .filter_map(|add| add.partition_values.get(schema::DAY)?.as_deref())
        .filter_map(layout::parse_day)
        .collect()
}
