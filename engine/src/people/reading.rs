//! Reading the rows of one bucket, by several tasks at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, AsArray, BooleanArray, NullArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use datafusion::common::runtime::JoinSet;
use datafusion::common::{Result, exec_datafusion_err, exec_err, internal_err};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::{Count, Time};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::Mutex;

use super::assemble::Gathered;
use super::buckets::{Bucket, Part};
use super::chunk::Chunk;
use super::columns::without_values;
use super::presence::Presence;
use super::reader::{Fetched, Reader};
use super::repeats::without_repeats;
use super::slices::Slices;
use crate::schema;
use crate::store::layout::KeyPrefix;

/// Batches of row groups whose bytes are fetched ahead, for each task that decodes.
const FETCH_AHEAD: usize = 2;
/// Row groups are fetched together up to so many rows: small ones would cost more in fetching than in reading.
const FETCHED_ROWS: u64 = 64 * 1024;
/// And up to so many row groups.
const FETCHED_PARTS: usize = 8;
/// Of so many row groups at least one is expected to have rows that pass the filter; if fewer have, slices are larger than
/// they could be.
const PARTS_OF_CHUNK: usize = 8;

/// What tells the order of a person's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// They tell it themselves.
    Any,
    /// Their times: a bucket is given up as soon as two of one instant are met.
    ByDistinctTimes,
    /// Their place in the file, which is told by the column `sequence`: a bucket is given up as soon as times are met that
    /// are not in order.
    ByPlace {
        /// The column.
        sequence: usize,
    },
}

/// What is done with each row group.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    /// Rows that do not pass are dropped.
    pub(super) filter: Option<Arc<dyn PhysicalExpr>>,
    /// Whether a row that is equal to the one before it may be left out.
    pub(super) drops_repeats: bool,
    /// Columns of which only the presence of values matters.
    pub(super) presence: Option<Presence>,
    /// Columns that nobody looks at once rows have passed.
    pub(super) unseen: Vec<usize>,
    /// What tells the order.
    pub(super) order: Order,
    /// Rows read.
    pub(super) rows_read: Count,
    /// Time spent, but for waiting.
    pub(super) time: Time,
}

/// The rows of a bucket in memory.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) gathered: Gathered,
    /// Their memory.
    _reservation: MemoryReservation,
}

/// A bucket that is being read.
struct Reading {
    reader: Arc<Reader>,
    steps: Steps,
    user_id: usize,
    /// The time, if it is read.
    ts: Option<usize>,
    prefix: KeyPrefix,
    /// As many slices of the people as are expected to be wanted.
    slices: Slices,
    /// Row groups that no task has taken. One that is fetched is for whoever is free: tasks end together.
    fetched: Mutex<BoxStream<'static, Result<(usize, Fetched)>>>,
    /// Whether it was given up.
    is_given_up: AtomicBool,
    reservation: MemoryReservation,
}

/// Reads the rows of `bucket` by `tasks` tasks, for as many workers; `None` if it was given up. Dropping the future stops
/// them.
///
/// # Errors
/// Those of reading, and of memory.
pub(super) async fn read(
    reader: Arc<Reader>,
    steps: Steps,
    bucket: Bucket,
    tasks: usize,
    reservation: MemoryReservation,
) -> Result<Option<Held>> {
    let columns = reader.columns();
    let schema = Arc::clone(columns.delivered());
    let Some(user_id) = columns.position(schema::USER_ID) else {
        return internal_err!("user_id is not read");
    };
    let ts = columns.position(schema::TS);
    let prefix = bucket.prefix;
    let slices = |rows: usize, chunks: usize| Slices::of(prefix.bits, rows, chunks, tasks);
    let time = steps.time.clone();
    let rows = bucket.parts.iter().map(|part| part.range.rows).sum::<u64>();
    let least_chunks = bucket.parts.len().div_ceil(PARTS_OF_CHUNK);
    let most_slices = slices(usize::try_from(rows).unwrap_or(usize::MAX), least_chunks);
    let fetched = Mutex::new(fetched(Arc::clone(&reader), &bucket.parts, tasks));
    let is_given_up = AtomicBool::new(false);
    let reading = Arc::new(Reading {
        reader,
        steps,
        user_id,
        ts,
        prefix,
        slices: most_slices,
        fetched,
        is_given_up,
        reservation,
    });
    let mut running = JoinSet::new();
    for _ in 0..tasks.min(bucket.parts.len()) {
        running.spawn(Arc::clone(&reading).take_part());
    }
    let mut chunks = Vec::new();
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(read) => chunks.extend(read?),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => return Err(exec_datafusion_err!("reading was stopped: {error}")),
        }
    }
    let Some(reading) = Arc::into_inner(reading) else {
        return internal_err!("a task that reads has not ended");
    };
    if reading.is_given_up.into_inner() {
        return Ok(None);
    }
    let _timer = time.timer();
    // In the order of the files, which is that of the days.
    chunks.sort_unstable_by_key(|(number, _)| *number);
    let chunks: Vec<Chunk> = chunks.into_iter().map(|(_, chunk)| chunk).collect();
    let sequence = match reading.steps.order {
        Order::ByPlace { sequence } => Some(sequence),
        Order::Any | Order::ByDistinctTimes => None,
    };
    let schema = without_values(&schema, &reading.steps.unseen);
    let slices = slices(chunks.iter().map(|chunk| chunk.rows).sum(), chunks.len());
    let gathered = Gathered::new(schema, user_id, chunks, slices)?.with_sequence(sequence);
    reading.reservation.try_grow(gathered.sliced_bytes(tasks))?;
    Ok(Some(Held { gathered, _reservation: reading.reservation }))
}

impl Reading {
    /// Reads what no other task has taken, until nothing is left. Row groups come with their number.
    async fn take_part(self: Arc<Self>) -> Result<Vec<(usize, Chunk)>> {
        let mut chunks = Vec::new();
        loop {
            let taken = self.fetched.lock().await.next().await.transpose()?;
            let Some((number, bytes)) = taken else { return Ok(chunks) };
            if self.is_given_up.load(Ordering::Relaxed) {
                return Ok(Vec::new());
            }
            if let Some(chunk) = self.chunk(bytes)? {
                self.reservation.try_grow(chunk.allocated_bytes())?;
                chunks.push((number, chunk));
            }
        }
    }

    /// The rows of a row group that belong to the bucket; `None` if there are none.
    fn chunk(&self, bytes: Fetched) -> Result<Option<Chunk>> {
        let _timer = self.steps.time.timer();
        let (part, is_sorted) = (bytes.part, bytes.is_sorted);
        let are_people = self.steps.drops_repeats && self.reader.has_only_people(&bytes);
        let mut batch =
            if are_people { self.reader.decode_people(bytes)? } else { self.reader.decode(bytes)? };
        self.steps.rows_read.add(batch.num_rows());
        if let Some(filter) = &self.steps.filter {
            batch = passing(&batch, filter)?;
        }
        if let Some(presence) = &self.steps.presence {
            batch = presence.told(&batch)?;
        }
        batch = self.without_unseen(batch)?;
        if self.steps.drops_repeats && !are_people {
            batch = without_repeats(&batch)?;
        }
        if !self.is_in_order(&batch, is_sorted) {
            self.is_given_up.store(true, Ordering::Relaxed);
            return Ok(None);
        }
        if batch.num_rows() == 0 {
            return Ok(None);
        }
        let chunk = Chunk::new(&batch, self.user_id, self.slices, |id| self.belongs(id, &part))?;
        Ok((chunk.rows > 0).then_some(chunk))
    }

    /// `batch` with NULLs only in what nobody looks at, but for the people, who tell the runs.
    fn without_unseen(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let unseen = self.steps.unseen.iter().copied().filter(|column| *column != self.user_id);
        let unseen: Vec<usize> = unseen.collect();
        if unseen.is_empty() {
            return Ok(batch);
        }
        let schema = without_values(&batch.schema(), &unseen);
        let rows = batch.num_rows();
        let (_, mut columns, _) = batch.into_parts();
        unseen.into_iter().for_each(|column| columns[column] = Arc::new(NullArray::new(rows)));
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    /// Whether the order of each person's rows is told by what was promised to tell it, in a row group that says that it
    /// is sorted or does not.
    fn is_in_order(&self, batch: &RecordBatch, is_sorted: bool) -> bool {
        let is_strict = match self.steps.order {
            Order::Any => return true,
            Order::ByDistinctTimes => true,
            Order::ByPlace { .. } if is_sorted => false,
            Order::ByPlace { .. } => return false,
        };
        let people = batch.column(self.user_id).as_dictionary_opt::<Int32Type>();
        let times = self.ts.and_then(|ts| batch.column(ts).as_primitive_opt::<TimestampMicrosecondType>());
        let (Some(people), Some(times)) = (people, times) else { return false };
        if times.null_count() > 0 {
            return false;
        }
        let (people, times) = (people.keys().values(), times.values());
        if is_strict {
            all_follow(people, times, |before, after| before < after)
        } else {
            all_follow(people, times, |before, after| before <= after)
        }
    }

    /// `user_key` of a person of the bucket, `None` for one of another bucket that shares the row group.
    ///
    /// # Errors
    /// An error if the log says that the row group has no such person: then rows of the person may be elsewhere too.
    fn belongs(&self, id: &str, part: &Part) -> Result<Option<i64>> {
        let key = schema::user_key(id);
        if key < part.range.min_key || key > part.range.max_key {
            return exec_err!(
                "row group {} of {} holds a person outside the range of user_key that the log tells: \
                 the file is not the one that was loaded",
                part.row_group,
                self.reader.path(part)
            );
        }
        let is_here = KeyPrefix::of(key, self.prefix.bits) == self.prefix;
        Ok(is_here.then_some(key))
    }
}

/// Whether the time of each row `follows` that of the row before it, if both are of one person.
fn all_follow(people: &[i32], times: &[i64], follows: impl Fn(i64, i64) -> bool) -> bool {
    let ([_, next_people @ ..], [_, next_times @ ..]) = (people, times) else { return true };
    let pairs = people.iter().zip(times).zip(next_people.iter().zip(next_times));
    // Every pair is looked at: that is one step for several of them, and a row that does not follow is rare.
    pairs.fold(true, |all, ((left, before), (right, after))| {
        all & ((left != right) | follows(*before, *after))
    })
}

/// The bytes of `parts`, fetched ahead for `tasks` tasks, with the number of each.
fn fetched(
    reader: Arc<Reader>,
    parts: &[Part],
    tasks: usize,
) -> BoxStream<'static, Result<(usize, Fetched)>> {
    let batches = futures::stream::iter(batches_of(parts));
    let fetched = batches.map(move |parts| {
        let reader = Arc::clone(&reader);
        async move { reader.fetch(parts).await }
    });
    let row_groups = fetched.buffered(FETCH_AHEAD * tasks).flat_map(|batch: Result<Vec<Fetched>>| {
        let (batch, error) = batch.map_or_else(|error| (Vec::new(), Some(Err(error))), |batch| (batch, None));
        futures::stream::iter(batch.into_iter().map(Ok).chain(error))
    });
    row_groups.enumerate().map(|(number, bytes)| Ok((number, bytes?))).boxed()
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
