//! Taking people out of a table for good.
//!
//! Files that hold such rows are rewritten without them, each once; one commit exchanges them all. That commit also
//! brings the suppression list into force ([`crate::store::suppression`]): killed at any moment, an erasure has
//! happened or has not. Rows that come from elsewhere while files are rewritten are not missed: any commit that
//! adds rows makes the erasure look again, and a load that was planned before it is planned anew.

mod aliases;
mod people;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deltalake_core::protocol::DeltaOperation;
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;

use crate::config::EngineConfig;
use crate::error::{Error, Result, StoreError};
use crate::maintain::optimize::merge::{self, Job, Selection};
use crate::maintain::optimize::plan::DayPlan;
use crate::maintain::{purge, read, touchpoint_snapshot};
use crate::store::layout::{DayDivision, KeyPrefix};
use crate::store::replace::{self, Replacement, Terms};
use crate::store::snapshot::{DataFile, TableSnapshot};
use crate::store::suppression::{self, ErasureRecord};
use crate::store::{Store, commit, history};
pub use people::People;

/// How often an erasure starts again because rows came meanwhile.
const MAX_RESTARTS: usize = 20;
/// Rows of a batch in which rows are looked for.
const PROBE_ROWS: usize = 8192;
/// Commit information: how many ids were erased, and rows.
const INFO_IDS: &str = "wayfareErasedIds";
const INFO_ROWS: &str = "wayfareErasedRows";

/// Whom to erase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EraseRequest {
    /// The touchpoint table; all of the store if `None`.
    pub table: Option<String>,
    /// Their ids.
    pub ids: BTreeSet<String>,
    /// Whether rows under other ids of the same people go too: the `anonymous_id` of their rows, and so on.
    pub include_aliases: bool,
    /// Whether the files of older versions go too, so that no byte of theirs is left.
    pub purge: bool,
}

/// What an erasure did to one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EraseReport {
    /// The table.
    pub table: String,
    /// Its version without them.
    pub version: u64,
    /// Ids named.
    pub ids: u64,
    /// Ids found to be theirs.
    pub aliases: u64,
    /// Rows taken away.
    pub rows: u64,
    /// Files rewritten.
    pub files: u64,
    /// Bytes of the files that were read for it.
    pub bytes_removed: u64,
    /// Bytes of the files in their place.
    pub bytes_added: u64,
    /// Files of older versions deleted.
    pub files_purged: u64,
    /// Time taken.
    pub elapsed: Duration,
}

/// Erases people from each table that `request` names.
///
/// # Errors
/// The table at which it stopped is as it was; those before it are done.
pub async fn erase(store: &Store, config: &EngineConfig, request: &EraseRequest) -> Result<Vec<EraseReport>> {
    if request.ids.is_empty() || request.ids.iter().any(String::is_empty) {
        return Err(Error::InvalidArgument(
            "there is no id to erase: name at least one, and none empty".into(),
        ));
    }
    let names = match &request.table {
        Some(name) => vec![name.clone()],
        None => touchpoint_tables(store).await?,
    };
    let mut reports = Vec::new();
    for name in names {
        reports.push(erase_from(store, config, request, &name).await?);
    }
    Ok(reports)
}

async fn touchpoint_tables(store: &Store) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for name in store.table_names().await? {
        let kind = store.newest(&name).await?.map(|snapshot| snapshot.kind());
        if kind == Some(crate::store::table::TableKind::Touchpoints) {
            names.push(name);
        }
    }
    Ok(names)
}

async fn erase_from(
    store: &Store,
    config: &EngineConfig,
    request: &EraseRequest,
    name: &str,
) -> Result<EraseReport> {
    let started = Instant::now();
    for _ in 0..MAX_RESTARTS {
        let snapshot = touchpoint_snapshot(store, name).await?;
        let aliases = match request.include_aliases {
            true => aliases::find(&snapshot, &request.ids).await?,
            false => BTreeSet::new(),
        };
        let people = People::new(&request.ids, &aliases);
        let rewritten = rewrite(config, &snapshot, Arc::new(people.clone()), people.reading()).await?;
        let rows = rewritten.rows_removed();
        let hasher = suppression::key_or_create(store).await?;
        let id = commit::new_id();
        let record = ErasureRecord {
            time: chrono::Utc::now().to_rfc3339(),
            ids: request.ids.len() as u64,
            aliases: aliases.len() as u64,
            rows,
            hashes: suppression::hashes_of(&hasher, people.ids()),
        };
        suppression::write_record(snapshot.table(), &id, &record).await?;
        let terms = Terms {
            operation: DeltaOperation::Delete { predicate: None },
            data_change: true,
            needs_all_rows: true,
            info: vec![
                (history::INFO_OPERATION.to_owned(), "erase".into()),
                (INFO_IDS.to_owned(), Value::from(record.ids + record.aliases)),
                (INFO_ROWS.to_owned(), Value::from(rows)),
            ],
            transaction_ids: vec![suppression::transaction_id(&id)],
        };
        let mut report = EraseReport {
            table: name.to_owned(),
            ids: record.ids,
            aliases: record.aliases,
            rows,
            ..rewritten.report()
        };
        match rewritten.commit(&snapshot, &terms).await? {
            None => suppression::discard_record(snapshot.table(), &id).await,
            Some(version) => {
                report.version = version;
                if request.purge {
                    let newest = touchpoint_snapshot(store, name).await?;
                    report.files_purged = purge::purge(&newest, &people).await?;
                }
                report.elapsed = started.elapsed();
                return Ok(report);
            }
        }
    }
    Err(StoreError::Contention { table: name.to_owned(), attempts: MAX_RESTARTS }.into())
}

/// Files that lost rows, and those to come in their place.
struct Rewritten {
    files: Vec<Replacement>,
}

impl Rewritten {
    fn rows_removed(&self) -> u64 {
        self.files.iter().map(|f| f.rows_before - f.rows).sum()
    }

    fn report(&self) -> EraseReport {
        EraseReport {
            files: self.files.len() as u64,
            bytes_removed: self.files.iter().flat_map(|f| &f.removes).map(|f| f.size).sum(),
            bytes_added: self.files.iter().flat_map(|f| &f.adds).map(|a| a.size.unsigned_abs()).sum(),
            ..EraseReport::default()
        }
    }

    /// Commits all of it; `None` if rows came or files went meanwhile.
    async fn commit(self, snapshot: &Arc<TableSnapshot>, terms: &Terms) -> Result<Option<u64>> {
        let table = snapshot.table();
        let replaced = replace::replace(table, Arc::clone(snapshot), self.files, terms).await?;
        for stale in &replaced.stale {
            commit::discard(table, &stale.adds).await;
        }
        Ok(replaced.version)
    }
}

/// Rewrites each file of `snapshot` with rows that `selection` chooses, without them.
async fn rewrite(
    config: &EngineConfig,
    snapshot: &Arc<TableSnapshot>,
    selection: Arc<dyn Selection>,
    columns: Option<&[&str]>,
) -> Result<Rewritten> {
    let job = Arc::new(Job::new(snapshot, config, Some(Arc::clone(&selection)))?);
    let columns: Option<Arc<[String]>> =
        columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    let plans: Vec<DayPlan> = snapshot
        .files()
        .iter()
        .map(|file| DayPlan {
            day: file.day.unwrap_or_default(),
            files: vec![file.clone()],
            division: division_of(file, config),
        })
        .collect();
    let mut work = futures::stream::iter(plans)
        .map(move |plan| {
            let (job, selection, columns) = (Arc::clone(&job), Arc::clone(&selection), columns.clone());
            tokio::spawn(rewrite_file(job, plan, selection, columns))
        })
        .buffer_unordered(config.target_partitions.max(1));
    let (mut files, mut failure) = (Vec::new(), None);
    while let Some(done) = work.next().await {
        let outcome =
            done.unwrap_or_else(|e| Err(datafusion::error::DataFusionError::External(Box::new(e)).into()));
        match outcome {
            Ok(replacement) => files.extend(replacement),
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    if let Some(error) = failure {
        for replacement in &files {
            commit::discard(snapshot.table(), &replacement.adds).await;
        }
        return Err(error);
    }
    Ok(Rewritten { files })
}

/// Rewrites the file of `plan` if it has chosen rows.
async fn rewrite_file(
    job: Arc<Job>,
    plan: DayPlan,
    selection: Arc<dyn Selection>,
    columns: Option<Arc<[String]>>,
) -> Result<Option<Replacement>> {
    for file in &plan.files {
        if !is_touched(&job, file, selection.as_ref(), columns.as_deref()).await? {
            return Ok(None);
        }
    }
    merge::merge_day(job, plan).await.map(Some)
}

/// A rewritten file stays what it was: one range of people.
fn division_of(file: &DataFile, config: &EngineConfig) -> DayDivision {
    let rows = file.statistics.num_records.unwrap_or(0);
    let target = config.target_file_bytes;
    let fresh = DayDivision::new(rows, file.size, target, config.row_group_rows as u64);
    let bits = file.row_groups.as_ref().and_then(|_| KeyPrefix::of_file(&file.relative_path)).map(|p| p.bits);
    match bits {
        None => fresh,
        // A part of the keys needs as many bits more for pieces of the same size.
        Some(bits) => {
            DayDivision { file_bits: bits, group_bits: fresh.group_bits.saturating_add(bits).min(16) }
        }
    }
}

async fn is_touched(
    job: &Job,
    file: &DataFile,
    selection: &dyn Selection,
    columns: Option<&[String]>,
) -> Result<bool> {
    let mut rows = read::peek(&job.table, file, &job.file_schema, columns, PROBE_ROWS).await?;
    while let Some(batch) = rows.try_next().await? {
        if selection.choose(file.day.unwrap_or_default(), &batch)?.true_count() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
