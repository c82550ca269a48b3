//! Rewriting one day: its files merged into the layout.
//!
//! ```text
//! large files of ours, sorted already --(one stream each)-----------------\
//! small files of ours, files of others --(sorter, spills)--(one stream)---- merge --(order checked)--> writer
//! ```
//! Memory is bounded by the pool of the sorters, by the row groups of the large files, of which only as many get a
//! stream of their own as a budget allows, and by one open row group of the writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::sorts::streaming_merge::StreamingMergeBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinHandle;

use super::plan::DayPlan;
use crate::config::EngineConfig;
use crate::error::{Error, Result, StoreError};
use crate::load::sort::{self, Sorters};
use crate::maintain::order::OrderCheck;
use crate::maintain::read;
use crate::store::replace::Replacement;
use crate::store::snapshot::{DataFile, TableSnapshot};
use crate::store::table::Table;
use crate::store::writer::{self, LayoutWriter, SORT_COLUMNS};

/// Rows per batch of a stream that is merged.
const BATCH_ROWS: usize = 4096;
/// Batches that may wait for the sorter.
const CHANNEL_BATCHES: usize = 4;
/// Smaller files are sorted together: they are cheaper so than as a stream each.
const MIN_STREAM_BYTES: u64 = 4 << 20;
/// Memory that a row group takes while it is read, relative to its size in the file: its pages and one batch.
const DECODED_SHARE: u64 = 3;

/// Shares of the memory limit: sorters, and the large files that are merged as they are.
const SORT_SHARE: f64 = 0.4;
const STREAM_SHARE: f64 = 0.4;

/// What the rewriting of all days has in common.
#[derive(Debug)]
pub struct Job {
    /// The table.
    pub table: Table,
    /// Columns of data files.
    pub file_schema: SchemaRef,
    /// Rows per row group.
    pub row_group_rows: usize,
    /// Memory for the large files of one day that is rewritten.
    pub stream_budget_bytes: u64,
    /// Memory and directory of the sorters.
    pub sorters: Sorters,
    /// Where the sorters spill, for errors.
    pub temp_dir: std::path::PathBuf,
    /// What is changed on the way, if anything.
    pub edit: Option<Arc<dyn Edit>>,
}

/// Changes rows while they are rewritten.
pub trait Edit: std::fmt::Debug + Send + Sync {
    /// The columns that tell which rows are changed; all if `None`.
    fn reading(&self) -> Option<&[String]>;

    /// The files of a version that can hold such rows, by what the log says about them.
    ///
    /// # Errors
    /// Those of evaluating a condition.
    fn files<'a>(&self, snapshot: &'a TableSnapshot) -> Result<Vec<&'a DataFile>> {
        Ok(snapshot.files().iter().collect())
    }

    /// Whether what stays keeps its order and its range of people.
    fn keeps_order(&self) -> bool;

    /// Whether rows of a batch of a day are changed.
    ///
    /// # Errors
    /// Those of evaluating a condition.
    fn touches(&self, day: i32, batch: &RecordBatch) -> Result<bool>;

    /// The rows that come along, as they are afterwards.
    ///
    /// # Errors
    /// Those of evaluating a condition.
    fn apply(&self, day: i32, batch: RecordBatch) -> Result<RecordBatch>;
}

/// Takes away the rows that a selection chooses.
#[derive(Debug)]
pub struct Without<S>(pub S);

impl<S: Selection> Edit for Without<S> {
    fn reading(&self) -> Option<&[String]> {
        self.0.reading()
    }

    fn files<'a>(&self, snapshot: &'a TableSnapshot) -> Result<Vec<&'a DataFile>> {
        self.0.files(snapshot)
    }

    fn keeps_order(&self) -> bool {
        true
    }

    fn touches(&self, day: i32, batch: &RecordBatch) -> Result<bool> {
        Ok(self.0.choose(day, batch)?.true_count() > 0)
    }

    fn apply(&self, day: i32, batch: RecordBatch) -> Result<RecordBatch> {
        let keep = not(&self.0.choose(day, &batch)?).map_err(DataFusionError::from)?;
        Ok(filter_record_batch(&batch, &keep).map_err(DataFusionError::from)?)
    }
}

/// Chooses rows by their columns.
pub trait Selection: std::fmt::Debug + Send + Sync {
    /// The columns by which rows are chosen; all if `None`.
    fn reading(&self) -> Option<&[String]>;

    /// The files of a version that can hold chosen rows, by what the log says about them.
    ///
    /// # Errors
    /// Those of evaluating a condition.
    fn files<'a>(&self, snapshot: &'a TableSnapshot) -> Result<Vec<&'a DataFile>> {
        Ok(snapshot.files().iter().collect())
    }

    /// For each row of a batch of data-file columns of a day whether it is chosen; never NULL.
    ///
    /// # Errors
    /// Those of evaluating a condition.
    fn choose(&self, day: i32, batch: &RecordBatch) -> Result<BooleanArray>;
}

impl<S: Selection + ?Sized> Selection for Arc<S> {
    fn reading(&self) -> Option<&[String]> {
        self.as_ref().reading()
    }

    fn files<'a>(&self, snapshot: &'a TableSnapshot) -> Result<Vec<&'a DataFile>> {
        self.as_ref().files(snapshot)
    }

    fn choose(&self, day: i32, batch: &RecordBatch) -> Result<BooleanArray> {
        self.as_ref().choose(day, batch)
    }
}

impl Job {
    /// The job of rewriting files of `snapshot`.
    pub fn new(snapshot: &TableSnapshot, config: &EngineConfig) -> Self {
        let sorters = config.target_partitions.max(1);
        let share = |part: f64| (config.memory_limit_bytes as f64 * part) as usize;
        let temp_dir = config.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
        Self {
            table: snapshot.table().clone(),
            file_schema: writer::file_schema(&snapshot.extra_fields()),
            row_group_rows: config.row_group_rows,
            stream_budget_bytes: (share(STREAM_SHARE) / sorters) as u64,
            sorters: Sorters::new(share(SORT_SHARE), sorters, &temp_dir),
            temp_dir,
            edit: None,
        }
    }

    /// The rows of `open` that come along.
    fn rows(
        self: &Arc<Self>,
        open: read::OpenFile,
        day: i32,
        dropped: &Arc<AtomicU64>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let rows = open.rows_as(Arc::clone(&self.file_schema), BATCH_ROWS)?;
        let Some(edit) = self.edit.clone() else { return Ok(rows) };
        let dropped = Arc::clone(dropped);
        let kept = rows.map(move |batch| {
            let batch = batch?;
            let rows = batch.num_rows();
            let edited = edit.apply(day, batch)?;
            dropped.fetch_add((rows - edited.num_rows()) as u64, Ordering::Relaxed);
            Ok(edited)
        });
        Ok(kept.boxed())
    }
}

/// Rewrites files of a day, with the job's changes. New files are invisible until they are committed; on an error they
/// are deleted.
pub async fn merge_day(job: Arc<Job>, plan: DayPlan) -> Result<Replacement> {
    let mut writer = LayoutWriter::new(job.table.clone(), Arc::clone(&job.file_schema), job.row_group_rows);
    match write_merged(&job, &plan, &mut writer).await {
        Ok((rows_before, rows)) => {
            let adds = writer.finish().await?;
            Ok(Replacement { removes: plan.files, adds, rows_before, rows })
        }
        Err(error) => {
            writer.abort().await;
            Err(error)
        }
    }
}

async fn write_merged(job: &Arc<Job>, plan: &DayPlan, writer: &mut LayoutWriter) -> Result<(u64, u64)> {
    let keeps_order = job.edit.as_ref().is_none_or(|edit| edit.keeps_order());
    let (streamed, sorted) = match keeps_order {
        true => divide(&plan.files, job.stream_budget_bytes),
        false => (Vec::new(), plan.files.iter().collect()),
    };
    let mut streams = Vec::new();
    let (mut expected_rows, dropped) = (0, Arc::new(AtomicU64::new(0)));
    for file in streamed {
        let open = read::open(&job.table, file).await?;
        expected_rows += open.rows();
        let rows = job.rows(open, plan.day, &dropped)?.map_err(DataFusionError::from);
        let stream = RecordBatchStreamAdapter::new(Arc::clone(&job.file_schema), rows);
        streams.push(Box::pin(stream) as SendableRecordBatchStream);
    }
    let feeder = if sorted.is_empty() {
        None
    } else {
        let (sender, receiver) = channel(CHANNEL_BATCHES);
        streams.push(sort::sorted(receiver, &job.file_schema, &SORT_COLUMNS, &job.sorters)?);
        let files = sorted.into_iter().cloned().collect();
        Some(tokio::spawn(feed(Arc::clone(job), plan.day, files, sender, Arc::clone(&dropped))))
    };
    let mut merged = merge(&job.file_schema, streams)?;
    let mut order = OrderCheck::default();
    // The sorter gives nothing before it has all rows.
    let mut next = match (merged.next().await, feeder) {
        // Also of the sorter, which does not take the rest then.
        (Some(Err(error)), _) => return Err(sort::error(error, &job.temp_dir)),
        (first, Some(feeder)) => {
            expected_rows += fed_rows(feeder).await?;
            first
        }
        (first, None) => first,
    };
    while let Some(batch) = next {
        let batch = batch.map_err(|e| sort::error(e, &job.temp_dir))?;
        if let Some(row) = order.first_misplaced(&batch)? {
            return Err(unsorted(job, plan, row).into());
        }
        writer.write(plan.day, plan.division, &batch).await?;
        next = merged.next().await;
    }
    let rows_before = expected_rows;
    expected_rows -= dropped.load(Ordering::Relaxed);
    if order.rows() != expected_rows {
        let place = format!("day {} of table {}", crate::store::layout::day_text(plan.day), job.table.name());
        let problem = format!("{} rows were read and {} came out", expected_rows, order.rows());
        return Err(StoreError::io("rewrite", place, problem).into());
    }
    Ok((rows_before, order.rows()))
}

/// The files that are merged as they are, and those that are sorted.
fn divide(files: &[DataFile], budget_bytes: u64) -> (Vec<&DataFile>, Vec<&DataFile>) {
    let mut by_size: Vec<&DataFile> = files.iter().collect();
    by_size.sort_by_key(|file| std::cmp::Reverse(file.size));
    if let [only] = files {
        // Sorted already, and alone it needs no budget.
        return if only.row_groups.is_some() { (vec![only], Vec::new()) } else { (Vec::new(), vec![only]) };
    }
    let mut taken = 0;
    by_size.into_iter().partition(|file| {
        let Some(row_groups) = &file.row_groups else { return false };
        let bytes = file.size / (row_groups.len() as u64).max(1) * DECODED_SHARE;
        let is_streamed = file.size >= MIN_STREAM_BYTES && taken + bytes <= budget_bytes;
        taken += if is_streamed { bytes } else { 0 };
        is_streamed
    })
}

/// Sends the rows of `files` to the sorter and gives their number.
async fn feed(
    job: Arc<Job>,
    day: i32,
    files: Vec<DataFile>,
    sender: Sender<RecordBatch>,
    dropped: Arc<AtomicU64>,
) -> Result<u64> {
    let mut rows = 0;
    for file in &files {
        let open = read::open(&job.table, file).await?;
        rows += open.rows();
        let mut batches = job.rows(open, day, &dropped)?;
        while let Some(batch) = batches.try_next().await? {
            if sender.send(batch).await.is_err() {
                // The sorter has failed and says why itself.
                return Ok(rows);
            }
        }
    }
    Ok(rows)
}

async fn fed_rows(feeder: JoinHandle<Result<u64>>) -> Result<u64> {
    let joined = feeder.await;
    joined.map_err(|e| Error::Query(DataFusionError::External(Box::new(e))))?
}

fn merge(
    schema: &SchemaRef,
    mut streams: Vec<SendableRecordBatchStream>,
) -> Result<SendableRecordBatchStream> {
    if streams.len() == 1
        && let Some(only) = streams.pop()
    {
        return Ok(only);
    }
    let ordering = sort::ordering(schema, &SORT_COLUMNS)?;
    // Bounded already by the choice of the streams.
    let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    Ok(StreamingMergeBuilder::new()
        .with_streams(streams)
        .with_schema(Arc::clone(schema))
        .with_expressions(&ordering)
        .with_metrics(BaselineMetrics::new(&ExecutionPlanMetricsSet::new(), 0))
        .with_batch_size(BATCH_ROWS)
        .with_reservation(MemoryConsumer::new("merge of data files").register(&pool))
        .build()?)
}

fn unsorted(job: &Job, plan: &DayPlan, row: u64) -> StoreError {
    StoreError::Damaged {
        file: format!("{}day={}", job.table.location().display(), crate::store::layout::day_text(plan.day)),
        reason: format!("a file of it is not sorted (row {row} of the merged day)"),
    }
}
