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
use crate::store::layout;

/// Entries of a part that is sorted at once, on average, and log2 of the most parts.
const PART_ENTRIES: usize = 64;
const MAX_PART_BITS: u32 = 12;

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
        for part in distribute(&mut self.entries) {
            part.sort_unstable_by(|a, b| (a.key, a.ts).cmp(&(b.key, b.ts)).then_with(|| by_text(a, b)));
        }
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

/// Brings entries into the order of the first bits of their keys, which are hashes and so spread evenly; gives the parts
/// whose entries have these bits in common. A small part is sorted in the cache, with few comparisons. O(entries).
fn distribute(entries: &mut [Entry]) -> impl Iterator<Item = &mut [Entry]> {
    let bits = (entries.len() / PART_ENTRIES).checked_ilog2().unwrap_or_default().min(MAX_PART_BITS);
    let part_of = move |entry: &Entry| match bits {
        0 => 0,
        bits => (layout::ordered(entry.key) >> (u64::BITS - bits)) as usize,
    };
    let mut ends = vec![0; 1 << bits];
    for entry in entries.iter() {
        ends[part_of(entry)] += 1;
    }
    let mut next = Vec::with_capacity(ends.len());
    let mut end = 0;
    for count in &mut ends {
        next.push(end);
        end += *count;
        *count = end;
    }
    // What stands in the wrong part changes places with the next of the part where it belongs.
    for part in 0..ends.len() {
        while next[part] < ends[part] {
            let at = next[part];
            let belongs = part_of(&entries[at]);
            entries.swap(at, next[belongs]);
            next[belongs] += 1;
        }
    }
    let mut rest = entries;
    let mut start = 0;
    ends.into_iter().map(move |end| {
        let part = rest.split_off_mut(..end - start).unwrap_or_default();
        start = end;
        part
    })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_follow_each_other_and_lose_nothing(keys in prop::collection::vec(any::<i64>(), 0..2_000)) {
            let entry = |(row, key): (usize, &i64)| Entry { key: *key, ts: 0, batch: 0, row: row as u32 };
            let mut entries: Vec<Entry> = keys.iter().enumerate().map(entry).collect();
            let mut found = Vec::new();
            for part in distribute(&mut entries) {
                part.sort_unstable_by_key(|entry| (entry.key, entry.row));
                found.extend(part.iter().map(|entry| (entry.key, entry.row)));
            }
            let mut wanted: Vec<(i64, u32)> = keys.iter().enumerate().map(|(row, key)| (*key, row as u32)).collect();
            wanted.sort_unstable();
            prop_assert_eq!(found, wanted);
        }
    }
}
