//! Sorts the rows of a load into layout order, day by day, in bounded memory.
//!
//! Rows are held as they come, with a list per day of where they are. Beyond the budget days are written to a file, those
//! days first that have got no rows for the longest time. Rows that came together are written as they lie, as long as
//! that makes a day no larger than what can be put together at once; others are sorted, and written in small blocks of
//! which each is a range of `user_key`. At the end one day after the other is put together, from memory and from its
//! blocks, sorted by numbers and gathered once: nothing is merged row by row. A day beyond the budget is taken in ranges
//! of `user_key`; one whose people do not divide goes through the external sort of [`crate::load::sort`].

mod block;
mod bucket;
mod gather;
mod short;
mod spill;
mod spilled_day;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, SchemaRef};
use arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::error::{Error, StoreError};
use crate::load::coded::Codes;
use crate::load::rows::{WORK_DAY, WORK_ROW, required};
use crate::load::sort::{self, Sorters};
use crate::store::writer::SORT_COLUMNS;
use bucket::{Bucket, ENTRY_BYTES, Entry, first_bits, size_in_memory};
use spill::{Block, SpillFile};
use spilled_day::SpilledDay;

/// Rows of a sorted batch.
const OUT_ROWS: usize = 8192;
/// Rows of a block on disk on average, at least: few enough that a block is a narrow range of people.
const BLOCK_ROWS: usize = 2048;
/// Blocks that fit into the memory for a range of people, about: few large rows may come to more than a block is to have.
const BLOCKS_PER_RANGE: usize = 8;
/// The most rows of a block.
const MAX_BLOCK_ROWS: usize = 4 * BLOCK_ROWS;
/// Bytes of rows that are gathered at once, or an eighth of the budget if that is less: the more, the better is each
/// column used while it is in the processor's cache.
const GATHER_BYTES: usize = 8 << 20;
/// Bytes that a held row takes beside its batch, if its neighbours are of other days.
const ROW_BYTES: usize = size_of::<RowRun>();
/// The share of the budget that rows may take before they are spilled; the rest is for putting a day together.
const HELD_SHARE: f64 = 0.5;
/// From so many neighbouring rows of one day on they are written as they lie.
const LEAST_RUN_ROWS: u32 = if cfg!(test) { 4 } else { 512 };
/// A day is taken in at most `2^MAX_RANGE_BITS` ranges.
const MAX_RANGE_BITS: u8 = 12;
/// Ranges are made so small where no block is read twice for that: what is put together at once then stays in a large
/// cache of the processor.
const RANGE_BYTES: usize = 16 << 20;

/// What a sorter needs to know.
#[derive(Debug, Clone)]
pub struct SortSettings {
    /// The schema of working batches before columns are coded.
    pub work_schema: SchemaRef,
    /// The codes of coded columns.
    pub codes: Arc<Codes>,
    /// Memory for rows.
    pub budget_bytes: usize,
    /// Where rows are spilled.
    pub temp_dir: PathBuf,
    /// For the external sort.
    pub external: Sorters,
}

impl SortSettings {
    fn held_budget(&self) -> usize {
        (self.budget_bytes as f64 * HELD_SHARE) as usize
    }

    fn range_budget(&self) -> usize {
        // Columns that are joined to be gathered come on top.
        self.budget_bytes.saturating_sub(self.held_budget()) * 2 / 3
    }

    fn gather_bytes(&self) -> usize {
        GATHER_BYTES.min(self.budget_bytes / 8)
    }
}

/// Where rows are held that came one after the other.
#[derive(Debug, Clone, Copy)]
struct RowRun {
    batch: u32,
    start: u32,
    rows: u32,
}

/// Sorts what arrives on `input` by `(day, user_key, user_id, ts, event_id, row)` and hands it on. Blocks; needs a runtime
/// for the external sort.
///
/// Nothing is sent before all input has been read. Ends early when nobody takes the result.
pub fn run(
    settings: SortSettings,
    mut input: Receiver<RecordBatch>,
    output: &Sender<Result<RecordBatch, Error>>,
) {
    let mut sorter = DaySorter::new(settings);
    let mut sort = || {
        while let Some(batch) = input.blocking_recv() {
            sorter.push(batch)?;
        }
        sorter.finish(output)
    };
    if let Err(error) = sort() {
        // Without a receiver the load has failed already and says why elsewhere.
        let _ = output.blocking_send(Err(error));
    }
}

struct DaySorter {
    settings: SortSettings,
    /// `None` once none of their rows is held.
    batches: Vec<Option<HeldBatch>>,
    held_bytes: usize,
    days: BTreeMap<i32, HeldDay>,
    spilled: BTreeMap<i32, SpilledDay>,
    file: Option<SpillFile>,
}

struct HeldBatch {
    rows: RecordBatch,
    bytes: usize,
    /// Rows that are still held.
    left: usize,
}

/// Rows of a day that are held.
#[derive(Default)]
struct HeldDay {
    runs: Vec<RowRun>,
    rows: usize,
    /// The batch that brought the last of them.
    last_batch: u32,
}

impl DaySorter {
    fn new(settings: SortSettings) -> Self {
        Self {
            settings,
            batches: Vec::new(),
            held_bytes: 0,
            days: BTreeMap::new(),
            spilled: BTreeMap::new(),
            file: None,
        }
    }

    fn push(&mut self, batch: RecordBatch) -> Result<(), Error> {
        let days = required(&batch, WORK_DAY).map_err(Error::Query)?.as_primitive::<Int32Type>().clone();
        let days = || days.values().chunk_by(|a, b| a == b);
        let bytes = batch.get_array_memory_size() + days().count() * ROW_BYTES;
        if bytes > self.settings.budget_bytes {
            let too_little = DataFusionError::ResourcesExhausted("one batch of rows".to_owned());
            return Err(sort::error(too_little, &self.settings.temp_dir));
        }
        if self.held_bytes + bytes > self.settings.held_budget() {
            self.make_room(self.settings.held_budget().saturating_sub(bytes))?;
        }
        let number = self.batches.len() as u32;
        let mut start = 0;
        for run in days() {
            let held = self.days.entry(run[0]).or_default();
            let rows = run.len() as u32;
            held.last_batch = number;
            held.rows += run.len();
            held.runs.push(RowRun { batch: number, start, rows });
            start += rows;
        }
        let left = batch.num_rows();
        self.batches.push(Some(HeldBatch { rows: batch, bytes, left }));
        self.held_bytes += bytes;
        Ok(())
    }

    /// Writes days to the file until at most `bytes` are held: those first that have most rows, which make narrow blocks. Of days
    /// that grow by turns no other way is safe: one might fill the memory while the other is written batch by batch.
    fn make_room(&mut self, bytes: usize) -> Result<(), Error> {
        let place = |(day, held): (&i32, &HeldDay)| (Reverse(held.rows), held.last_batch, *day);
        let mut days: Vec<_> = self.days.iter().map(place).collect();
        days.sort_unstable();
        for (_, _, day) in days {
            if self.held_bytes <= bytes {
                break;
            }
            self.spill(day)?;
        }
        Ok(())
    }

    /// Writes the held rows of a day to the file.
    fn spill(&mut self, day: i32) -> Result<(), Error> {
        let runs = self.days.remove(&day).unwrap_or_default().runs;
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(SpillFile::create(&self.settings.temp_dir)?),
        };
        let spilled = self.spilled.entry(day).or_default();
        let (long, short): (Vec<RowRun>, Vec<RowRun>) =
            runs.iter().partition(|run| run.rows >= LEAST_RUN_ROWS);
        let batch_of = |run: &RowRun| {
            let held = self.batches[run.batch as usize].as_ref()?;
            Some(held.rows.slice(run.start as usize, run.rows as usize))
        };
        let as_they_lie: Vec<RecordBatch> = long.iter().filter_map(batch_of).collect();
        let with_entries = |rows: &RecordBatch| size_in_memory(rows) + rows.num_rows() * ENTRY_BYTES;
        let bytes: usize = as_they_lie.iter().map(with_entries).sum();
        let mut bucket = if spilled.has_room(bytes, self.settings.range_budget()) {
            for rows in &as_they_lie {
                spilled.add_unsorted(file.write(rows, None)?);
            }
            bucket_of(&self.settings, &self.batches, &short)?
        } else {
            let mut all = bucket_of(&self.settings, &self.batches, &runs)?;
            let unsorted = spilled.take_unsorted();
            all.reserve(rows_of(&unsorted));
            for block in unsorted {
                all.add_whole(file.read(&block)?).map_err(Error::Query)?;
            }
            all
        };
        if bucket.rows() > 0 {
            let wanted = bucket.bytes() * BLOCKS_PER_RANGE / self.settings.range_budget().max(1);
            let wanted = wanted.max(bucket.rows() / BLOCK_ROWS).min(bucket.rows());
            let bits = wanted.checked_ilog2().unwrap_or_default().min(MAX_RANGE_BITS.into()) as u8;
            let mut blocks = Vec::new();
            bucket.sort().map_err(arrow_error)?;
            bucket.gather_all(self.settings.gather_bytes(), MAX_BLOCK_ROWS, bits, |batch, entries| {
                blocks.push(file.write(batch, Some(entries))?);
                Ok(true)
            })?;
            spilled.add_sorted(blocks);
        }
        self.let_go(&runs);
        Ok(())
    }

    /// Sends all rows, day after day.
    fn finish(&mut self, output: &Sender<Result<RecordBatch, Error>>) -> Result<(), Error> {
        let mut days: Vec<i32> = self.days.keys().chain(self.spilled.keys()).copied().collect();
        days.sort_unstable();
        days.dedup();
        for day in days {
            let mut spilled = self.spilled.remove(&day).unwrap_or_default();
            let is_in_order = !self.days.contains_key(&day) && spilled.is_in_order();
            let bits = if is_in_order { Some(0) } else { spilled.range_bits(self.settings.range_budget()) };
            if bits.is_none() {
                // The external sort takes the memory that held rows have.
                self.spilled.insert(day, spilled);
                self.make_room(0)?;
                spilled = self.spilled.remove(&day).unwrap_or_default();
            }
            let runs = self.days.remove(&day).unwrap_or_default().runs;
            let blocks = spilled.into_blocks();
            let is_open = match bits {
                _ if is_in_order => self.send_blocks(&blocks, output)?,
                Some(bits) => self.send_ranges(&runs, &blocks, bits, output)?,
                None => self.send_externally(&blocks, output)?,
            };
            if !is_open {
                return Ok(());
            }
            self.let_go(&runs);
        }
        Ok(())
    }

    /// Rows are held no more.
    fn let_go(&mut self, runs: &[RowRun]) {
        for run in runs {
            let place = &mut self.batches[run.batch as usize];
            let Some(batch) = place else { continue };
            batch.left -= run.rows as usize;
            if batch.left == 0 {
                self.held_bytes -= batch.bytes;
                *place = None;
            }
        }
    }

    /// Sends blocks that are in order; `false` if nobody takes the rows.
    fn send_blocks(
        &self,
        blocks: &[Block],
        output: &Sender<Result<RecordBatch, Error>>,
    ) -> Result<bool, Error> {
        for block in blocks {
            if output.blocking_send(Ok(self.read(block)?)).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts a day together in `2^bits` ranges of people; `false` if nobody takes the rows.
    fn send_ranges(
        &self,
        held: &[RowRun],
        blocks: &[Block],
        bits: u8,
        output: &Sender<Result<RecordBatch, Error>>,
    ) -> Result<bool, Error> {
        let gather_bytes = self.settings.gather_bytes();
        let mut held = bucket_of(&self.settings, &self.batches, held)?;
        if bits == 0 || blocks.is_empty() {
            held.reserve(rows_of(blocks));
            for block in blocks {
                held.add_whole(self.read(block)?).map_err(Error::Query)?;
            }
            held.sort().map_err(arrow_error)?;
            return send(&held, gather_bytes, output);
        }
        held.sort().map_err(arrow_error)?;
        for range in 0..1_u64 << bits {
            let mut bucket = held.part(|key| first_bits(key, bits).cmp(&range));
            let (whole, others): (Vec<&Block>, Vec<&Block>) = blocks
                .iter()
                .filter(|block| block.ranges(bits).contains(&range))
                .partition(|block| block.ranges(bits) == (range..=range));
            bucket.reserve(rows_of(whole.iter().copied()));
            for block in whole {
                bucket.add_whole(self.read(block)?).map_err(Error::Query)?;
            }
            for block in others {
                let is_wanted = |key: i64| first_bits(key, bits) == range;
                bucket.add_rows_where(self.read(block)?, is_wanted).map_err(Error::Query)?;
            }
            bucket.sort().map_err(arrow_error)?;
            if !send(&bucket, gather_bytes, output)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sorts a day by merging from disk; `false` if nobody takes the rows.
    fn send_externally(
        &self,
        blocks: &[Block],
        output: &Sender<Result<RecordBatch, Error>>,
    ) -> Result<bool, Error> {
        let settings = &self.settings;
        let mut columns = SORT_COLUMNS.to_vec();
        columns.push(WORK_ROW);
        let (feed, rows) = channel(1);
        let failed = |error: DataFusionError| sort::error(error, &settings.temp_dir);
        let mut sorted =
            sort::sorted(rows, &settings.work_schema, &columns, &settings.external).map_err(failed)?;
        let feeding = async move {
            for block in blocks {
                let batch = settings.codes.decode(&self.read(block)?).map_err(arrow_error)?;
                if feed.send(batch).await.is_err() {
                    break;
                }
            }
            Ok::<_, Error>(())
        };
        let taking = async move {
            while let Some(batch) = sorted.next().await {
                if output.send(Ok(batch.map_err(failed)?)).await.is_err() {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let (fed, taken) = Handle::current().block_on(async { futures::join!(feeding, taking) });
        fed?;
        taken
    }

    fn read(&self, block: &Block) -> Result<RecordBatch, Error> {
        let missing =
            || StoreError::io("read from", self.settings.temp_dir.display().to_string(), "no spill file");
        self.file.as_ref().ok_or_else(missing)?.read(block)
    }
}

/// The rows of some runs, not yet sorted.
fn bucket_of(
    settings: &SortSettings,
    batches: &[Option<HeldBatch>],
    runs: &[RowRun],
) -> Result<Bucket, Error> {
    let mut bucket = Bucket::new(Arc::clone(&settings.codes));
    bucket.reserve(runs.iter().map(|run| run.rows as usize).sum());
    let mut places = vec![None; batches.len()];
    for runs in runs.chunk_by(|a, b| a.batch == b.batch) {
        let batch = runs[0].batch as usize;
        let place = match (places[batch], &batches[batch]) {
            (Some(place), _) => place,
            (None, Some(held)) => bucket.add_batch(held.rows.clone()),
            // Rows of a batch that is gone were written.
            (None, None) => continue,
        };
        places[batch] = Some(place);
        let rows = runs.iter().flat_map(|run| run.start..run.start + run.rows);
        bucket.add_rows(place, rows).map_err(Error::Query)?;
    }
    Ok(bucket)
}

fn rows_of<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> usize {
    blocks.into_iter().map(|block| block.rows).sum()
}

/// Sends a sorted bucket; `false` if nobody takes it.
fn send(
    bucket: &Bucket,
    gather_bytes: usize,
    output: &Sender<Result<RecordBatch, Error>>,
) -> Result<bool, Error> {
    bucket
        .gather_all(gather_bytes, OUT_ROWS, 0, |batch, _| Ok(output.blocking_send(Ok(batch.clone())).is_ok()))
}

fn arrow_error(error: ArrowError) -> Error {
    Error::Query(error.into())
}

fn spill_error(temp_dir: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    StoreError::io("spill to", temp_dir.display().to_string(), error).into()
}

#[cfg(test)]
mod tests;
