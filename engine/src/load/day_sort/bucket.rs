//! Rows of one day that are sorted together.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::interleave;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow::error::ArrowError;
use datafusion::error::Result;

use crate::load::coded::Codes;
use crate::load::rows::{WORK_ROW, required};
use crate::schema;

/// One row by what nearly always decides its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) key: i64,
    ts: i64,
    batch: u32,
    row: u32,
}

/// Batches, and which of their rows in which order.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    codes: Arc<Codes>,
    batches: Vec<RecordBatch>,
    entries: Vec<Entry>,
}

impl Bucket {
    pub(super) fn new(codes: Arc<Codes>) -> Self {
        Self { codes, batches: Vec::new(), entries: Vec::new() }
    }

    /// The rows, in order once [`Self::sort`] was called.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Adds a batch without its rows; gives its place.
    pub(super) fn add_batch(&mut self, batch: RecordBatch) -> usize {
        self.batches.push(batch);
        self.batches.len() - 1
    }

    /// Adds rows of the batch at `place`.
    pub(super) fn add_rows(&mut self, place: usize, rows: impl Iterator<Item = u32>) -> Result<()> {
        let columns = SortColumns::of(&self.batches[place])?;
        self.entries.extend(rows.map(|row| columns.entry(place, row)));
        Ok(())
    }

    /// Adds the rows of the batch at `place` whose `user_key` is wanted.
    pub(super) fn add_rows_where(&mut self, place: usize, is_wanted: impl Fn(i64) -> bool) -> Result<()> {
        let columns = SortColumns::of(&self.batches[place])?;
        let rows = 0..columns.keys.len() as u32;
        let entries = rows.map(|row| columns.entry(place, row)).filter(|entry| is_wanted(entry.key));
        self.entries.extend(entries);
        Ok(())
    }

    /// The part of a sorted bucket whose keys compare as equal; `compare` follows the order of keys.
    pub(super) fn part(&self, compare: impl Fn(i64) -> Ordering) -> Self {
        let start = self.entries.partition_point(|e| compare(e.key) == Ordering::Less);
        let length = self.entries[start..].partition_point(|e| compare(e.key) == Ordering::Equal);
        Self {
            codes: Arc::clone(&self.codes),
            batches: self.batches.clone(),
            entries: self.entries[start..start + length].to_vec(),
        }
    }

    /// Sorts by `(user_key, user_id, ts, event_id, row)` and makes the columns of the batches alike. O(n log n) on
    /// numbers; text is looked at where they are equal.
    pub(super) fn sort(&mut self) -> Result<(), ArrowError> {
        self.codes.make_alike(&mut self.batches)?;
        let columns: Result<Vec<SortColumns<'_>>> = self.batches.iter().map(SortColumns::of).collect();
        let columns = columns?;
        let at = |entry: &Entry| (&columns[entry.batch as usize], entry.row as usize);
        let by_text = |a: &Entry, b: &Entry| {
            let ((left, i), (right, j)) = (at(a), at(b));
            let ids = || left.ids.value(i).as_bytes().cmp(right.ids.value(j).as_bytes());
            ids().then_with(|| left.rows[i].cmp(&right.rows[j]))
        };
        // People in the order of their ids are rare within one key: they are set right afterwards.
        self.entries.sort_unstable_by(|a, b| (a.key, a.ts).cmp(&(b.key, b.ts)).then_with(|| by_text(a, b)));
        let user = |entry: &Entry| {
            let (columns, row) = at(entry);
            columns.users.value(row).as_bytes()
        };
        for run in self.entries.chunk_by_mut(|a, b| a.key == b.key) {
            if run.windows(2).any(|pair| user(&pair[0]) != user(&pair[1])) {
                // Stable: within a person the order stays.
                run.sort_by(|a, b| user(a).cmp(user(b)));
            }
        }
        Ok(())
    }

    /// The rows of some entries, in their order.
    pub(super) fn gather(&self, entries: &[Entry]) -> Result<RecordBatch, ArrowError> {
        let Some(first) = entries.first() else {
            return Err(ArrowError::ComputeError("no rows to gather".to_owned()));
        };
        let schema = self.batches[first.batch as usize].schema();
        let indices: Vec<(usize, usize)> =
            entries.iter().map(|e| (e.batch as usize, e.row as usize)).collect();
        let columns: Result<Vec<ArrayRef>, ArrowError> = (0..schema.fields().len())
            .map(|column| {
                let arrays: Vec<&dyn Array> =
                    self.batches.iter().map(|batch| batch.column(column).as_ref()).collect();
                interleave(&arrays, &indices)
            })
            .collect();
        RecordBatch::try_new(schema, columns?)
    }
}

/// The columns that a working batch is sorted by.
struct SortColumns<'a> {
    keys: &'a [i64],
    users: &'a StringArray,
    times: &'a [i64],
    ids: &'a StringArray,
    rows: &'a [u64],
}

impl<'a> SortColumns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self> {
        Ok(Self {
            keys: required(batch, schema::USER_KEY)?.as_primitive::<Int64Type>().values(),
            users: required(batch, schema::USER_ID)?.as_string(),
            times: required(batch, schema::TS)?.as_primitive::<TimestampMicrosecondType>().values(),
            ids: required(batch, schema::EVENT_ID)?.as_string(),
            rows: required(batch, WORK_ROW)?.as_primitive::<UInt64Type>().values(),
        })
    }

    fn entry(&self, place: usize, row: u32) -> Entry {
        let at = row as usize;
        Entry { key: self.keys[at], ts: self.times[at], batch: place as u32, row }
    }
}
