//! From buckets to the rows of their people.
//!
//! The partitions of an operator work on the same bucket: it is read once, by all of them, and each then puts together
//! the rows of its slices of the people. So a row group may hold people of every partition, and days may be small.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use datafusion::common::{DataFusionError, Result, SharedResult, exec_datafusion_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::{BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use super::assemble::Assembled;
use super::before::Before;
use super::buckets::Division;
use super::presence::Presence;
use super::reader::Reader;
use super::reading::{self, Held, Order, Steps};

/// The rows of a bucket, which all who wait for them get.
type Gathering = Shared<GatheringOnce>;
type GatheringOnce = BoxFuture<'static, SharedResult<Option<Arc<Held>>>>;

/// What to gather.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Reads everything.
    pub reader: Arc<Reader>,
    /// Reads less, as long as that is enough.
    pub lean: Option<Lean>,
    /// Rows that do not pass are dropped.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// Whether equal rows of a person say no more than one of them.
    pub drops_repeats: bool,
    /// Columns of which only the presence of values matters.
    pub presence: Option<Presence>,
    /// Columns that nobody looks at once rows have passed.
    pub unseen: Vec<usize>,
}

/// Reading without the column that only tells the order of a person's rows of one instant.
#[derive(Debug, Clone)]
pub struct Lean {
    /// Reads the others.
    pub reader: Arc<Reader>,
    /// The column, if the order in which rows lie is the order that it tells.
    pub told_by_place: Option<usize>,
}

/// Gathers rows for the partitions of an operator.
#[derive(Debug)]
pub struct Gatherer {
    name: String,
    division: Division,
    reader: Arc<Reader>,
    lean: Option<Lean>,
    /// Whether a person was met whose rows cannot be brought into order so.
    lean_failed: AtomicBool,
    steps: Steps,
    pool: Arc<dyn MemoryPool>,
    /// Buckets in work, by number and whether the lean reader reads them.
    in_work: Mutex<HashMap<(usize, bool), WeakShared<GatheringOnce>>>,
}

/// The gatherer of an operator while its partitions run.
///
/// Partitions that are executed again, one by one or all of them, give the same rows: what a partition gives does not
/// depend on the others.
#[derive(Debug, Default)]
pub struct GathererSlot(Mutex<Weak<Gatherer>>);

impl GathererSlot {
    /// The gatherer that other partitions of the query use, or a new one.
    pub fn of(&self, context: &TaskContext, make: impl FnOnce() -> Gatherer) -> Arc<Gatherer> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let in_use = slot.upgrade().filter(|gatherer| Arc::ptr_eq(&gatherer.pool, context.memory_pool()));
        in_use.unwrap_or_else(|| {
            let gatherer = Arc::new(make());
            *slot = Arc::downgrade(&gatherer);
            gatherer
        })
    }
}

/// The way of one partition through the buckets.
pub struct Turn {
    gatherer: Arc<Gatherer>,
    partition: usize,
    next_bucket: usize,
    work: Option<Work>,
    before: Before,
    rows_kept: Count,
    /// The memory of what is made of the rows.
    pub reservation: MemoryReservation,
    /// Time and output of the operator.
    pub baseline: BaselineMetrics,
}

struct Work {
    bucket: usize,
    /// Keeps the rows for partitions that come later.
    _gathering: Gathering,
    held: Arc<Held>,
    /// Whether nothing tells the order of rows of one instant.
    needs_distinct_times: bool,
    next_slice: usize,
}

impl Gatherer {
    /// Gathers what is `wanted` of `division`, for the operator called `name`.
    pub fn new(
        name: &str,
        division: Division,
        wanted: Wanted,
        metrics: &ExecutionPlanMetricsSet,
        context: &TaskContext,
    ) -> Self {
        let steps = Steps {
            filter: wanted.filter,
            drops_repeats: wanted.drops_repeats,
            presence: wanted.presence,
            unseen: wanted.unseen,
            order: Order::Any,
            rows_read: MetricBuilder::new(metrics).global_counter("rows_read"),
            time: MetricBuilder::new(metrics).subset_time("reading", 0),
        };
        Self {
            name: name.to_owned(),
            division,
            reader: wanted.reader,
            lean: wanted.lean,
            lean_failed: AtomicBool::new(false),
            steps,
            pool: Arc::clone(context.memory_pool()),
            in_work: Mutex::default(),
        }
    }

    /// The rows of a bucket: those that another partition reads or has, or newly read.
    fn gathering(&self, bucket: usize, is_lean: bool) -> Gathering {
        let mut in_work = self.in_work.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gathering) = in_work.get(&(bucket, is_lean)).and_then(WeakShared::upgrade) {
            return gathering;
        }
        let lean = self.lean.as_ref().filter(|_| is_lean);
        let reader = lean.map_or(&self.reader, |lean| &lean.reader);
        let order = match lean.map(|lean| lean.told_by_place) {
            None => Order::Any,
            Some(None) => Order::ByDistinctTimes,
            Some(Some(column)) => Order::ByPlace { sequence: column },
        };
        let steps = Steps { order, ..self.steps.clone() };
        let consumer = MemoryConsumer::new(format!("{}: people", self.name));
        let read = reading::read(
            Arc::clone(reader),
            steps,
            self.division.buckets[bucket].clone(),
            self.division.partitions,
            consumer.register(&self.pool),
        );
        let gathering =
            async { read.await.map(|held| held.map(Arc::new)).map_err(Arc::new) }.boxed().shared();
        in_work.retain(|_, gathering| gathering.upgrade().is_some());
        if let Some(weak) = gathering.downgrade() {
            in_work.insert((bucket, is_lean), weak);
        }
        gathering
    }
}

impl Turn {
    /// The way of `partition`.
    pub fn new(
        gatherer: Arc<Gatherer>,
        partition: usize,
        metrics: &ExecutionPlanMetricsSet,
        context: &TaskContext,
    ) -> Self {
        let consumer = MemoryConsumer::new(format!("{}[{partition}]", gatherer.name));
        Self {
            gatherer,
            partition,
            next_bucket: 0,
            work: None,
            before: Before::default(),
            rows_kept: MetricBuilder::new(metrics).counter("rows_kept", partition),
            reservation: consumer.register(context.memory_pool()),
            baseline: BaselineMetrics::new(metrics, partition),
        }
    }

    /// Takes back a slice that is done with: its memory is for the next one.
    pub fn take_back(&mut self, done: Assembled) {
        self.before.take_back(done);
    }

    /// The next slice of the people, each with all its rows; `None` when all were given.
    ///
    /// # Errors
    /// Those of reading, and of memory.
    pub async fn next(&mut self) -> Result<Option<Assembled>> {
        loop {
            if let Some(work) = &mut self.work {
                if work.next_slice < work.held.gathered.slices() {
                    // A query that is ended ends here.
                    tokio::task::yield_now().await;
                    let timer = self.baseline.elapsed_compute().timer();
                    let rows = work.held.gathered.assemble(work.next_slice, &mut self.before)?;
                    timer.done();
                    // Files of one day can have rows of one instant each.
                    if work.needs_distinct_times && !rows.are_times_distinct() {
                        self.gatherer.lean_failed.store(true, Ordering::Relaxed);
                        let (bucket, next_slice) = (work.bucket, work.next_slice);
                        // The same rows, so that slices are the same too.
                        self.work = None;
                        self.work = Some(self.begin(bucket, next_slice).await?);
                        continue;
                    }
                    work.next_slice += self.gatherer.division.partitions;
                    self.rows_kept.add(rows.batch.num_rows());
                    return Ok(Some(rows));
                }
                self.work = None;
            }
            if self.next_bucket >= self.gatherer.division.buckets.len() {
                return Ok(None);
            }
            self.work = Some(self.begin(self.next_bucket, self.partition).await?);
            self.next_bucket += 1;
        }
    }

    async fn begin(&self, bucket: usize, next_slice: usize) -> Result<Work> {
        let gatherer = &self.gatherer;
        loop {
            let lean = gatherer.lean.as_ref().filter(|_| !gatherer.lean_failed.load(Ordering::Relaxed));
            let gathering = gatherer.gathering(bucket, lean.is_some());
            let Some(held) = gathering.clone().await.map_err(DataFusionError::Shared)? else {
                gatherer.lean_failed.store(true, Ordering::Relaxed);
                continue;
            };
            if gatherer.division.partitions > 1 {
                // Who is woken by a worker of the runtime waits for that worker, even when others are idle, and would
                // begin when the one that woke it has ended. Who is woken from elsewhere goes to an idle one.
                let woken = tokio::task::spawn_blocking(|| ()).await;
                woken.map_err(|error| exec_datafusion_err!("the runtime is being shut down: {error}"))?;
            }
            let needs_distinct_times = lean.is_some_and(|lean| lean.told_by_place.is_none());
            return Ok(Work { bucket, _gathering: gathering, held, needs_distinct_times, next_slice });
        }
    }
}
