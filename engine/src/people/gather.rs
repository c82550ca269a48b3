//! From a bucket to the rows of its people.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::common::{DataFusionError, Result, exec_err, internal_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::{BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::{StreamExt, TryStreamExt};

use super::assemble::{Assembled, Assembler, Gathered};
use super::buckets::{Bucket, Part};
use super::reader::Reader;
use super::repeats::without_repeats;
use crate::schema;
use crate::store::layout::KeyPrefix;

/// Batches of row groups whose bytes are fetched ahead of the one that is decoded.
const FETCH_AHEAD: usize = 2;
/// Row groups are fetched together up to so many rows: small ones would cost more in fetching than in reading.
const FETCHED_ROWS: u64 = 32 * 1024;
/// And up to so many row groups.
const FETCHED_PARTS: usize = 8;

/// Gathers rows for one partition of an operator.
pub struct Gatherer {
    reader: Arc<Reader>,
    /// Reads everything but what only tells rows of one instant apart.
    lean: Option<Arc<Reader>>,
    /// Whether a person with two rows of one instant was met: then the lean reader is of no use.
    ties_met: AtomicBool,
    /// Rows that do not pass are dropped.
    filter: Option<Arc<dyn PhysicalExpr>>,
    /// The memory of the rows in work.
    pub reservation: MemoryReservation,
    /// Time and output of the operator.
    pub baseline: BaselineMetrics,
    rows_read: Count,
    rows_kept: Count,
    /// Whether a row that is equal to the one before it may be left out.
    drops_repeats: bool,
}

/// How far a partition is with its buckets.
#[derive(Debug)]
pub struct Progress {
    /// Numbers of the buckets to come.
    buckets: VecDeque<usize>,
    work: Option<Work>,
}

#[derive(Debug)]
struct Work {
    bucket: usize,
    gathered: Gathered,
    /// Whether what only tells rows of one instant apart was not read.
    is_lean: bool,
    next_slice: usize,
}

impl Progress {
    /// Nothing done of the buckets that partition `partition` of `partitions` has among `count`.
    pub fn of(partition: usize, partitions: usize, count: usize) -> Self {
        Self { buckets: (partition..count).step_by(partitions.max(1)).collect(), work: None }
    }
}

impl Gatherer {
    /// Gathers with `reader` for `partition` of the operator called `name`.
    pub fn new(
        name: &str,
        partition: usize,
        reader: Arc<Reader>,
        filter: Option<Arc<dyn PhysicalExpr>>,
        metrics: &ExecutionPlanMetricsSet,
        context: &TaskContext,
    ) -> Self {
        Self {
            reader,
            lean: None,
            ties_met: AtomicBool::new(false),
            filter,
            reservation: MemoryConsumer::new(format!("{name}[{partition}]")).register(context.memory_pool()),
            baseline: BaselineMetrics::new(metrics, partition),
            rows_read: MetricBuilder::new(metrics).counter("rows_read", partition),
            rows_kept: MetricBuilder::new(metrics).counter("rows_kept", partition),
            drops_repeats: false,
        }
    }

    /// The same for a task to which equal rows of a person say no more than one.
    pub fn dropping_repeats(mut self, drops_repeats: bool) -> Self {
        self.drops_repeats = drops_repeats;
        self
    }

    /// The same, which reads with `lean` what has no two rows of one person and one instant.
    pub fn with_lean_reader(mut self, lean: Option<Arc<Reader>>) -> Self {
        self.lean = lean;
        self
    }

    /// The next slice of the people of `buckets`, each with all its rows; `None` when all were given. The memory of the
    /// bucket in work is reserved.
    ///
    /// # Errors
    /// Those of reading, and of memory.
    pub async fn next(&self, buckets: &[Bucket], progress: &mut Progress) -> Result<Option<Assembled>> {
        loop {
            if let Some(work) = &mut progress.work {
                if work.next_slice < work.gathered.slices() {
                    let _timer = self.baseline.elapsed_compute().timer();
                    let rows = work.gathered.assemble(work.next_slice)?;
                    if work.is_lean && !rows.are_times_distinct() {
                        self.ties_met.store(true, Ordering::Relaxed);
                        let (bucket, next_slice) = (work.bucket, work.next_slice);
                        progress.work = None;
                        // The same rows, so that slices are the same too.
                        let gathered = self.read(&self.reader, &buckets[bucket]).await?;
                        progress.work = Some(Work { bucket, gathered, is_lean: false, next_slice });
                        continue;
                    }
                    work.next_slice += 1;
                    self.rows_kept.add(rows.batch.num_rows());
                    return Ok(Some(rows));
                }
                progress.work = None;
                self.reservation.try_resize(0)?;
            }
            let Some(bucket) = progress.buckets.pop_front() else {
                return Ok(None);
            };
            let lean = self.lean.as_ref().filter(|_| !self.ties_met.load(Ordering::Relaxed));
            let gathered = self.read(lean.unwrap_or(&self.reader), &buckets[bucket]).await?;
            progress.work = Some(Work { bucket, gathered, is_lean: lean.is_some(), next_slice: 0 });
        }
    }

    async fn read(&self, reader: &Arc<Reader>, bucket: &Bucket) -> Result<Gathered> {
        let columns = reader.columns();
        let Some(user_id) = columns.position(schema::USER_ID) else {
            return internal_err!("user_id is not read");
        };
        let mut assembler = Assembler::new(Arc::clone(columns.delivered()), user_id);
        let fetching = Arc::clone(reader);
        let fetches = batches_of(&bucket.parts).into_iter().map(move |parts| {
            let reader = Arc::clone(&fetching);
            async move { reader.fetch(parts).await }
        });
        let fetched = futures::stream::iter(fetches).buffered(FETCH_AHEAD);
        let mut fetched = fetched
            .map_ok(|parts| futures::stream::iter(parts.into_iter().map(Ok::<_, DataFusionError>)))
            .try_flatten()
            .boxed();
        while let Some(bytes) = fetched.next().await {
            let _timer = self.baseline.elapsed_compute().timer();
            let bytes = bytes?;
            let part = bytes.part;
            let mut batch = reader.decode(bytes)?;
            self.rows_read.add(batch.num_rows());
            if let Some(filter) = &self.filter {
                batch = passing(&batch, filter)?;
            }
            if self.drops_repeats {
                batch = without_repeats(&batch)?;
            }
            if batch.num_rows() == 0 {
                continue;
            }
            assembler.push(batch, |id| self.belongs(id, bucket, &part))?;
            self.reservation.try_resize(assembler.allocated_bytes())?;
        }
        let _timer = self.baseline.elapsed_compute().timer();
        assembler.finish(bucket.prefix.bits)
    }

    /// `user_key` of a person of `bucket`, `None` for one of another bucket that shares the row group.
    ///
    /// # Errors
    /// An error if the log says that the row group has no such person: then rows of the person may be elsewhere too.
    fn belongs(&self, id: &str, bucket: &Bucket, part: &Part) -> Result<Option<i64>> {
        let key = schema::user_key(id);
        if key < part.range.min_key || key > part.range.max_key {
            return exec_err!(
                "row group {} of {} holds a person outside the range of user_key that the log tells: \
                 the file is not the one that was loaded",
                part.row_group,
                self.reader.path(part)
            );
        }
        let is_here = KeyPrefix::of(key, bucket.prefix.bits) == bucket.prefix;
        Ok(is_here.then_some(key))
    }
}

/// `parts`, divided into what is fetched together.
fn batches_of(parts: &[Part]) -> Vec<Vec<Part>> {
    let mut batches: Vec<Vec<Part>> = Vec::new();
    let mut rows = u64::MAX;
    for part in parts {
        rows = rows.saturating_add(part.range.rows);
        match batches.last_mut() {
            Some(batch) if rows <= FETCHED_ROWS && batch.len() < FETCHED_PARTS => batch.push(*part),
            _ => {
                batches.push(vec![*part]);
                rows = part.range.rows;
            }
        }
    }
    batches
}

/// The rows of `batch` for which `filter` is true.
fn passing(batch: &RecordBatch, filter: &Arc<dyn PhysicalExpr>) -> Result<RecordBatch> {
    let passes = filter.evaluate(batch)?.into_array(batch.num_rows())?;
    let Some(passes) = passes.as_boolean_opt() else {
        return internal_err!("a filter has type {}", passes.data_type());
    };
    if is_all_true(passes) {
        return Ok(batch.clone());
    }
    Ok(filter_record_batch(batch, passes)?)
}

fn is_all_true(booleans: &BooleanArray) -> bool {
    booleans.null_count() == 0 && booleans.true_count() == booleans.len()
}
