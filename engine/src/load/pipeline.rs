//! One attempt of a load: read, check, sort, drop duplicates, write files.
//!
//! ```text
//! reader threads --(working batches, by day)--> sorters (spill) --> writers --> files, not yet visible
//!        \--(event keys)--> duplicate index (spills) --resolve--> which rows the writers drop
//! ```
//! Nothing here commits. Memory is bounded by the budgets of the sorters and of the index, the values of coded
//! columns, a few batches per channel and one open row group per writer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Int32Type, SchemaRef, UInt64Type};
use datafusion::error::DataFusionError;
use deltalake_core::kernel::Add;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;

use crate::error::{Error, Result, StoreError};
use crate::identity::{self, Resolver};
use crate::load::coded::Codes;
use crate::load::day_sort::{self, SortSettings};
use crate::load::duplicates::{Dropped, DuplicateIndex, RowNumber};
use crate::load::error::LoadError;
use crate::load::existing;
use crate::load::read::{self, ParsedBatch, ReadOptions, Rejected, SourceFile};
use crate::load::rejects::RejectSink;
use crate::load::request::{LoadProgress, LoadStage};
use crate::load::rows::{self, OccurrenceNumbers, RowPreparer, WORK_DAY, WORK_ROW};
use crate::load::sort::Sorters;
use crate::schema;
use crate::store::layout::DayDivision;
use crate::store::snapshot::TableSnapshot;
use crate::store::suppression::Suppression;
use crate::store::table::Table;
use crate::store::writer::LayoutWriter;

/// Batches that may wait between reader and sorter.
const CHANNEL_BATCHES: usize = 2;
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
}

/// State that the readers share.
struct Shared {
    codes: Arc<Codes>,
    index: Option<Mutex<DuplicateIndex>>,
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
        index: job
            .dedup
            .then(|| Mutex::new(DuplicateIndex::new(job.index_budget_bytes, job.temp_dir.clone()))),
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
        progress: Arc::clone(&progress),
    });

    let (decide, decision) = watch::channel::<Option<Arc<Decision>>>(None);
    let mut senders = Vec::new();
    let mut writers = Vec::new();
    for _ in 0..job.parallelism {
        let (sender, receiver) = channel(CHANNEL_BATCHES);
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
    let readers: Vec<_> = (0..job.parallelism.min(job.files.len()).max(1))
        .map(|_| {
            let (job, shared, senders) = (Arc::clone(&job), Arc::clone(&shared), senders.clone());
            let work_schema = Arc::clone(&work_schema);
            tokio::task::spawn_blocking(move || read_files(&job, &shared, &work_schema, &senders))
        })
        .collect();
    drop(senders);
    for reader in readers {
        reader.await.map_err(join_error)?;
    }

    let failure = lock(&shared.failure).take().or_else(|| shared.misspelt_mapping());
    let decided = match failure {
        Some((_, error)) => Err(error),
        None => resolve(&job, &shared).await,
    };
    let mut written = Written {
        rows_read: shared.rows_read.load(Ordering::Relaxed),
        rows_rejected: shared.rows_rejected.load(Ordering::Relaxed),
        rows_erased: shared.rows_erased.load(Ordering::Relaxed),
        rows_left_out: shared.rows_left_out.load(Ordering::Relaxed),
        rows_resolved: shared.rows_resolved.load(Ordering::Relaxed),
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

/// Reads files until there are none left or an earlier one is bad.
fn read_files(job: &Job, shared: &Shared, work_schema: &SchemaRef, senders: &[Sender<RecordBatch>]) {
    loop {
        let file = shared.next_file.fetch_add(1, Ordering::Relaxed);
        if file >= job.files.len() || shared.first_bad_file.load(Ordering::Relaxed) < file {
            return;
        }
        if let Err(error) = read_file(job, shared, work_schema, senders, file) {
            shared.first_bad_file.fetch_min(file, Ordering::Relaxed);
            let mut failure = lock(&shared.failure);
            if failure.as_ref().is_none_or(|(earlier, _)| file < *earlier) {
                *failure = Some((file, error));
            }
            return;
        }
    }
}

/// Parses a file on a thread of its own, while this one prepares and hands on what was parsed.
fn read_file(
    job: &Job,
    shared: &Shared,
    work_schema: &SchemaRef,
    senders: &[Sender<RecordBatch>],
    file: usize,
) -> Result<()> {
    let mut reader = read::open(&job.files[file], &job.read, &job.extra)?;
    let runtime = tokio::runtime::Handle::current();
    let (parsed, batches) = std::sync::mpsc::sync_channel(CHANNEL_BATCHES);
    let progress = Arc::clone(&shared.progress);
    std::thread::scope(|scope| {
        let parser = scope.spawn(move || {
            // Files in object stores are read through the runtime.
            let _inside = runtime.enter();
            let mut told = 0;
            while let Some(batch) = reader.next() {
                let read = reader.bytes_read();
                progress.input(0, read.saturating_sub(told));
                told = read;
                // Nobody takes the next batch: the load has failed and says why elsewhere.
                if parsed.send(batch).is_err() {
                    break;
                }
            }
            progress.input(1, 0);
            reader.unseen_sources()
        });
        hand_on(job, shared, work_schema, senders, file, batches)?;
        match parser.join() {
            Ok(unseen) => shared.note_unseen(unseen),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok(())
    })
}

/// Prepares the batches of one file and sends them to the sorters.
fn hand_on(
    job: &Job,
    shared: &Shared,
    work_schema: &SchemaRef,
    senders: &[Sender<RecordBatch>],
    file: usize,
    batches: std::sync::mpsc::Receiver<std::result::Result<ParsedBatch, LoadError>>,
) -> Result<()> {
    let batch_schema = schema::load_schema_with(&job.extra);
    let mut preparer = RowPreparer::new(file, &batch_schema, Arc::clone(work_schema));
    let mut days = BTreeMap::new();
    for parsed in batches {
        if shared.first_bad_file.load(Ordering::Relaxed) < file {
            return Ok(());
        }
        let ParsedBatch { batch, rejected, rows_read, rows_left_out } = parsed?;
        shared.rows_left_out.fetch_add(rows_left_out, Ordering::Relaxed);
        shared.rows_read.fetch_add(rows_read, Ordering::Relaxed);
        shared.progress.rows(rows_read);
        shared.reject(rejected)?;
        let all_rows = batch.num_rows();
        let batch = rows::without_erased(batch, &job.erased, &job.people_before)?;
        shared.rows_erased.fetch_add((all_rows - batch.num_rows()) as u64, Ordering::Relaxed);
        if batch.num_rows() == 0 {
            continue;
        }
        // Identities of rows are made before people are found: they stay the same when more links are known.
        let (mut work, keys) = preparer.prepare(&batch)?;
        if !job.people.is_empty() {
            let resolved = identity::rows::count_changed(&job.people, &work)?;
            shared.rows_resolved.fetch_add(resolved as u64, Ordering::Relaxed);
            work = identity::rows::resolve(&job.people, &work)?;
        }
        shared.rows_good.fetch_add(keys.len() as u64, Ordering::Relaxed);
        shared.memory_bytes.fetch_add(work.get_array_memory_size() as u64, Ordering::Relaxed);
        rows::count_days(&keys, &mut days);
        if let Some(index) = &shared.index {
            let mut index = lock(index);
            for key in &keys {
                index
                    .add_input(key.day, key.key, key.row)
                    .map_err(|e| StoreError::io("write to", job.temp_dir.display().to_string(), e))?;
            }
        }
        let work = shared.codes.encode(&work).map_err(arrow_error)?;
        for (part, batch) in rows::split_by_day(&work, &keys, senders.len())? {
            if senders[part].blocking_send(batch).is_err() {
                // The sorter has failed and says why itself.
                return Err(Error::InvalidArgument("the load was stopped".to_owned()));
            }
        }
    }
    let mut all_days = lock(&shared.days);
    for (day, rows) in days {
        *all_days.entry(day).or_default() += rows;
    }
    Ok(())
}

/// Decides what is dropped and how each day is split, once all rows are known.
async fn resolve(job: &Job, shared: &Shared) -> Result<Decision> {
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
    let dropped = match &shared.index {
        None => Dropped::default(),
        Some(index) => {
            let mut index =
                std::mem::replace(&mut *lock(index), DuplicateIndex::new(0, job.temp_dir.clone()));
            let touched = days.keys().copied().collect();
            existing::add_existing(&job.snapshot, &touched, &mut index).await?;
            let threads = job.parallelism;
            tokio::task::spawn_blocking(move || index.resolve(threads))
                .await
                .map_err(join_error)?
                .map_err(|e| StoreError::io("read from", job.temp_dir.display().to_string(), e))?
        }
    };
    Ok(Decision { dropped, divisions })
}

/// Sorts the rows of some days and writes them, once the decision is there.
async fn write_part(
    job: Arc<Job>,
    input: Receiver<RecordBatch>,
    settings: SortSettings,
    mut decision: watch::Receiver<Option<Arc<Decision>>>,
    progress: Arc<dyn LoadProgress>,
) -> Result<Vec<Add>> {
    let codes = Arc::clone(&settings.codes);
    let (sender, sorted) = channel(CHANNEL_BATCHES);
    // A thread of its own: those of the runtime for blocking work may all be taken by readers that wait for this one.
    let runtime = tokio::runtime::Handle::current();
    let sorter = std::thread::Builder::new()
        .name("load-sort".to_owned())
        .spawn(move || {
            let _inside = runtime.enter();
            day_sort::run(settings, input, &sender);
        })
        .map_err(|e| StoreError::io("start", "a thread that sorts rows", e))?;
    let written = write_sorted(&job, sorted, &codes, &mut decision, progress.as_ref()).await;
    // It ends when nobody takes its rows; what it spilled is removed then.
    let ended = tokio::task::spawn_blocking(move || sorter.join()).await.map_err(join_error)?;
    if let Err(panic) = ended {
        if let Ok(adds) = &written {
            crate::store::commit::discard(&job.table, adds).await;
        }
        std::panic::resume_unwind(panic);
    }
    written
}

/// Writes sorted rows, once the decision is there.
async fn write_sorted(
    job: &Job,
    mut sorted: Receiver<Result<RecordBatch>>,
    codes: &Codes,
    decision: &mut watch::Receiver<Option<Arc<Decision>>>,
    progress: &dyn LoadProgress,
) -> Result<Vec<Add>> {
    // The first batch comes when the whole input has been read.
    let mut next = sorted.recv().await;
    if let Some(Err(error)) = next {
        // The readers stop for want of a receiver, so that no decision comes.
        return Err(unsortable(error, job));
    }
    let Ok(decided) = decision.wait_for(Option::is_some).await.map(|d| d.clone()) else {
        return Ok(Vec::new());
    };
    let Some(decided) = decided else { return Ok(Vec::new()) };

    let mut writer = LayoutWriter::new(job.table.clone(), Arc::clone(&job.file_schema), job.row_group_rows);
    let mut numbers = OccurrenceNumbers::default();
    while let Some(batch) = next {
        let outcome = match batch {
            Ok(batch) => write_batch(&batch, &decided, codes, &mut numbers, &mut writer).await,
            Err(error) => Err(unsortable(error, job)),
        };
        match outcome {
            Ok(rows) => progress.rows(rows),
            Err(error) => {
                writer.abort().await;
                return Err(error);
            }
        }
        next = sorted.recv().await;
    }
    Ok(writer.finish().await?)
}

/// Sorting failed; if for want of memory, the message names whose rows they are.
fn unsortable(error: Error, job: &Job) -> Error {
    match (error, job.files.as_slice()) {
        (Error::InvalidArgument(what), [file]) => {
            Error::InvalidArgument(format!("{:?}: {what}", file.display))
        }
        (Error::InvalidArgument(what), [file, more @ ..]) => {
            Error::InvalidArgument(format!("{:?} and {} more files: {what}", file.display, more.len()))
        }
        (error, _) => error,
    }
}

/// Writes one sorted batch and gives the number of rows that were not dropped.
async fn write_batch(
    batch: &RecordBatch,
    decision: &Decision,
    codes: &Codes,
    numbers: &mut OccurrenceNumbers,
    writer: &mut LayoutWriter,
) -> Result<u64> {
    let ids = numbers.number(batch)?;
    let mut columns = batch.columns().to_vec();
    columns[batch.schema_ref().index_of(schema::EVENT_ID).map_err(arrow_error)?] = ids;
    let mut batch = RecordBatch::try_new(batch.schema(), columns).map_err(arrow_error)?;
    if decision.dropped.count() > 0 {
        let rows = rows::required(&batch, WORK_ROW)?.as_primitive::<UInt64Type>();
        let keep: BooleanArray = rows
            .values()
            .iter()
            .map(|bits| Some(!decision.dropped.contains(RowNumber::from_bits(*bits))))
            .collect();
        if keep.true_count() < keep.len() {
            batch = filter_record_batch(&batch, &keep).map_err(arrow_error)?;
        }
    }
    let days = rows::required(&batch, WORK_DAY)?.as_primitive::<Int32Type>().clone();
    let batch = codes.as_dictionaries(&batch).map_err(arrow_error)?;
    let file_columns: Vec<usize> = (0..batch.num_columns() - 2).collect();
    let data = batch.project(&file_columns).map_err(arrow_error)?;
    let mut start = 0;
    for run in days.values().chunk_by(|a, b| a == b) {
        let day = run[0];
        let division = decision.divisions.get(&day).copied().unwrap_or_default();
        writer.write(day, division, &data.slice(start, run.len())).await?;
        start += run.len();
    }
    Ok(data.num_rows() as u64)
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
