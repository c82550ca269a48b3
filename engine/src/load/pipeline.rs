//! One attempt of a load: read, check, sort, drop duplicates, write files.
//!
//! ```text
//! reader threads --(working batches, by day)--> sorters (spill) --> writers --> files, not yet visible
//!        \--(event keys)--> duplicate index (spills) --resolve--> which rows the writers drop
//! ```
//! Nothing here commits. Memory is bounded by the budgets of the sorters and of the index, the values of coded
//! columns, a few batches per channel, one row group of a Parquet file per reader and one open row group per writer.

mod reading;
mod writing;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::{Field, SchemaRef};
use datafusion::error::DataFusionError;
use deltalake_core::kernel::Add;
use tokio::sync::mpsc::channel;
use tokio::sync::watch;

use crate::error::{Error, Result, StoreError};
use crate::identity::Resolver;
use crate::load::coded::Codes;
use crate::load::day_sort::SortSettings;
use crate::load::duplicates::{Dropped, DuplicateIndex};
use crate::load::error::LoadError;
use crate::load::existing;
use crate::load::read::{ReadOptions, Rejected, SourceFile};
use crate::load::rejects::RejectSink;
use crate::load::request::{LoadProgress, LoadStage};
use crate::load::rows;
use crate::load::sort::Sorters;
use crate::store::layout::DayDivision;
use crate::store::snapshot::TableSnapshot;
use crate::store::suppression::Suppression;
use crate::store::table::Table;
use reading::read_files;
use writing::write_part;

/// Batches that may wait between reader and sorter.
const CHANNEL_BATCHES: usize = 4;
/// The same between sorter and writer: there is something to write while the next day is sorted.
const SORTED_BATCHES: usize = 8;
/// The same before each sorter: readers that are in the same days at the same time send all their rows to one of them.
const SORTER_BATCHES: usize = 12;
/// Encoded size of a row relative to its size in memory: what files of touchpoints came to, measured.
const ENCODED_SHARE: f64 = 0.25;

/// Everything that one attempt needs.
#[derive(Debug)]
pub struct Job {
    /// The table to write files for.
    pub table: Table,
    /// The state of the table that duplicates are looked for in.
    pub snapshot: Arc<TableSnapshot>,
    /// Input files, in order.
    pub files: Vec<SourceFile>,
    /// How they are read.
    pub read: Arc<ReadOptions>,
    /// Columns beyond the canonical ones.
    pub extra: Vec<Field>,
    /// Columns of the data files.
    pub file_schema: SchemaRef,
    /// Whether event ids are looked up.
    pub dedup: bool,
    /// How many readers and writers work at once.
    pub parallelism: usize,
    /// Memory for the rows of one writer before they spill.
    pub sort_budget_bytes: usize,
    /// Memory for the duplicate index before it spills.
    pub index_budget_bytes: usize,
    /// Where rows and the index spill.
    pub temp_dir: PathBuf,
    /// Rows per row group.
    pub row_group_rows: usize,
    /// Wanted size of a data file.
    pub target_file_bytes: u64,
    /// Whose rows are left out.
    pub erased: Suppression,
    /// Whose the ids are.
    pub people: Arc<Resolver>,
    /// The same before anybody was erased.
    pub people_before: Arc<Resolver>,
}

/// What one attempt wrote.
#[derive(Debug, Default)]
pub struct Written {
    /// New files, not yet committed.
    pub adds: Vec<Add>,
    /// Rows read, bad ones included.
    pub rows_read: u64,
    /// Bad rows left out.
    pub rows_rejected: u64,
    /// Rows left out because they name somebody who was erased.
    pub rows_erased: u64,
    /// Rows left out because the tool that wrote them does not count them.
    pub rows_left_out: u64,
    /// Rows that came with another id than that of their person.
    pub rows_resolved: u64,
    /// Rows dropped as duplicates.
    pub rows_duplicate: u64,
    /// Rows in `adds`.
    pub rows_loaded: u64,
    /// What files hold, by their places in the job, as far as that is known when they have been read.
    pub contents: BTreeMap<usize, String>,
}

/// State that the readers share.
struct Shared {
    codes: Arc<Codes>,
    rejects: Option<Mutex<RejectSink>>,
    days: Mutex<BTreeMap<i32, u64>>,
    /// The first error in input order, by file number.
    failure: Mutex<Option<(usize, Error)>>,
    first_bad_file: AtomicUsize,
    next_file: AtomicUsize,
    rows_read: AtomicU64,
    rows_rejected: AtomicU64,
    rows_erased: AtomicU64,
    rows_left_out: AtomicU64,
    rows_resolved: AtomicU64,
    rows_good: AtomicU64,
    memory_bytes: AtomicU64,
    /// Mapped columns that no file read so far has had.
    unseen: Mutex<Option<Vec<String>>>,
    contents: Mutex<BTreeMap<usize, String>>,
    progress: Arc<dyn LoadProgress>,
}

impl Shared {
    /// Sets bad rows aside, or makes the first of them the error of the load.
    fn reject(&self, rejected: Vec<Rejected>) -> Result<()> {
        self.rows_rejected.fetch_add(rejected.len() as u64, Ordering::Relaxed);
        match (&self.rejects, rejected.into_iter()) {
            (Some(sink), rows) => Ok(lock(sink).write(rows.as_slice())?),
            (None, mut rows) => match rows.next() {
                Some(first) => Err(LoadError::BadRow(Box::new(first)).into()),
                None => Ok(()),
            },
        }
    }

    fn note_unseen(&self, columns: Vec<String>) {
        let mut unseen = lock(&self.unseen);
        match &mut *unseen {
            Some(known) => known.retain(|c| columns.contains(c)),
            none => *none = Some(columns),
        }
    }

    /// The error for a mapped column that no file has.
    fn misspelt_mapping(&self) -> Option<(usize, Error)> {
        let unseen = lock(&self.unseen);
        let column = unseen.as_ref()?.first()?;
        let text =
            format!("no row has the column {column:?} that --map names: correct the name or leave it out");
        Some((0, LoadError::Argument(text).into()))
    }
}

/// What writers must know before the first row goes out.
#[derive(Debug)]
struct Decision {
    dropped: Dropped,
    divisions: BTreeMap<i32, DayDivision>,
}

/// Runs one attempt. Bad rows go to `rejects`, or end the attempt if it is `None`.
///
/// On an error all files written so far are deleted.
pub async fn run(
    job: Arc<Job>,
    sorters: Sorters,
    rejects: Option<RejectSink>,
    progress: Arc<dyn LoadProgress>,
) -> Result<(Written, Option<RejectSink>)> {
    progress.stage(LoadStage::Read, None);
    let work_schema = rows::work_schema(&job.file_schema);
    let codes = Arc::new(Codes::new(&work_schema));
    let shared = Arc::new(Shared {
        codes: Arc::clone(&codes),
        rejects: rejects.map(Mutex::new),
        days: Mutex::default(),
        failure: Mutex::default(),
        first_bad_file: AtomicUsize::new(usize::MAX),
        next_file: AtomicUsize::new(0),
        rows_read: AtomicU64::new(0),
        rows_rejected: AtomicU64::new(0),
        rows_erased: AtomicU64::new(0),
        rows_left_out: AtomicU64::new(0),
        rows_resolved: AtomicU64::new(0),
        rows_good: AtomicU64::new(0),
        memory_bytes: AtomicU64::new(0),
        unseen: Mutex::default(),
        contents: Mutex::default(),
        progress: Arc::clone(&progress),
    });

    let (decide, decision) = watch::channel::<Option<Arc<Decision>>>(None);
    let mut senders = Vec::new();
    let mut writers = Vec::new();
    for _ in 0..job.parallelism {
        let (sender, receiver) = channel(SORTER_BATCHES);
        senders.push(sender);
        writers.push(tokio::spawn(write_part(
            Arc::clone(&job),
            receiver,
            SortSettings {
                work_schema: Arc::clone(&work_schema),
                codes: Arc::clone(&codes),
                budget_bytes: job.sort_budget_bytes,
                temp_dir: job.temp_dir.clone(),
                external: sorters.clone(),
            },
            decision.clone(),
            Arc::clone(&progress),
        )));
    }
    let count = job.parallelism.min(job.files.len()).max(1);
    let readers: Vec<_> = (0..count)
        .map(|_| {
            let (job, shared, senders) = (Arc::clone(&job), Arc::clone(&shared), senders.clone());
            let work_schema = Arc::clone(&work_schema);
            // One for each reader, so that none waits for another.
            let new_index = || DuplicateIndex::new(job.index_budget_bytes / count, job.temp_dir.clone());
            let mut index = job.dedup.then(new_index);
            tokio::task::spawn_blocking(move || {
                read_files(&job, &shared, &work_schema, &senders, index.as_mut());
                index
            })
        })
        .collect();
    drop(senders);
    let mut indexes = Vec::with_capacity(count);
    for reader in readers {
        indexes.extend(reader.await.map_err(join_error)?);
    }

    let failure = lock(&shared.failure).take().or_else(|| shared.misspelt_mapping());
    let decided = match failure {
        Some((_, error)) => Err(error),
        None => resolve(&job, &shared, indexes).await,
    };
    let mut written = Written {
        rows_read: shared.rows_read.load(Ordering::Relaxed),
        rows_rejected: shared.rows_rejected.load(Ordering::Relaxed),
        rows_erased: shared.rows_erased.load(Ordering::Relaxed),
        rows_left_out: shared.rows_left_out.load(Ordering::Relaxed),
        rows_resolved: shared.rows_resolved.load(Ordering::Relaxed),
        contents: std::mem::take(&mut *lock(&shared.contents)),
        ..Written::default()
    };
    let mut failed = None;
    match decided {
        Ok(decision) => {
            written.rows_duplicate = decision.dropped.count();
            written.rows_loaded = shared.rows_good.load(Ordering::Relaxed) - written.rows_duplicate;
            progress.stage(LoadStage::Write, Some(written.rows_loaded));
            // Without a receiver a writer has failed: its error is met below.
            let _ = decide.send(Some(Arc::new(decision)));
        }
        Err(error) => failed = Some(error),
    }
    drop(decide);
    for writer in writers {
        match writer.await.map_err(join_error) {
            Ok(Ok(adds)) => written.adds.extend(adds),
            // A writer's own failure is the cause of a reader's "nobody takes my rows".
            Ok(Err(error)) | Err(error) => failed = Some(error),
        }
    }
    if let Some(error) = failed {
        crate::store::commit::discard(&job.table, &written.adds).await;
        return Err(error);
    }
    let rejects = Arc::into_inner(shared)
        .and_then(|s| s.rejects)
        .map(|m| m.into_inner().unwrap_or_else(PoisonError::into_inner));
    Ok((written, rejects))
}

/// Decides what is dropped and how each day is split, once all rows are known.
async fn resolve(job: &Job, shared: &Shared, mut indexes: Vec<DuplicateIndex>) -> Result<Decision> {
    let days = std::mem::take(&mut *lock(&shared.days));
    let rows: u64 = days.values().sum();
    let memory_bytes = shared.memory_bytes.load(Ordering::Relaxed);
    let bytes_per_row = memory_bytes as f64 / rows.max(1) as f64 * ENCODED_SHARE;
    let divisions = days
        .iter()
        .map(|(day, rows)| {
            let bytes = (*rows as f64 * bytes_per_row) as u64;
            let group_rows = job.row_group_rows as u64;
            (*day, DayDivision::new(*rows, bytes, job.target_file_bytes, group_rows))
        })
        .collect();
    let dropped = match indexes.first_mut() {
        None => Dropped::default(),
        Some(index) => {
            let touched = days.keys().copied().collect();
            existing::add_existing(&job.snapshot, &touched, index).await?;
            let threads = job.parallelism;
            tokio::task::spawn_blocking(move || DuplicateIndex::resolve(indexes, threads))
                .await
                .map_err(join_error)?
                .map_err(|e| StoreError::io("read from", job.temp_dir.display().to_string(), e))?
        }
    };
    Ok(Decision { dropped, divisions })
}

fn arrow_error(error: arrow::error::ArrowError) -> Error {
    Error::Query(error.into())
}

fn join_error(error: tokio::task::JoinError) -> Error {
    Error::Query(DataFusionError::External(Box::new(error)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
