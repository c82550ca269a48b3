//! Rows of one day that are sorted together.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt32Array,
};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow::error::ArrowError;
use datafusion::error::{DataFusionError, Result};

use super::gather::{Place, gather};
use crate::error::Error;
use crate::load::coded::Codes;
use crate::load::rows::{WORK_DAY, WORK_ROW, required};
use crate::schema;
use crate::store::layout;

/// Entries of a part that is sorted at once, on average, and log2 of the most parts.
const PART_ENTRIES: usize = 64;
const MAX_PART_BITS: u32 = 12;
/// Rows that are gathered at once, at most.
const MAX_GATHER_ROWS: usize = 1 << 16;

/// Columns are joined to be gathered if their rows are at most so many for each one that is wanted.
const DENSE_ROWS: usize = 2;

/// Columns of all batches of a bucket one behind the other: a row is then found by one number instead of two.
struct Joined {
    /// Where the rows of each batch begin.
    starts: Vec<u32>,
    /// `None` for text and what entries say, and for all columns if few of their rows are wanted.
    columns: Vec<Option<ArrayRef>>,
}

/// One row by what nearly always decides its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) key: i64,
    ts: i64,
    batch: u32,
    row: u32,
}

impl Entry {
    fn numbers(&self) -> (i64, i64) {
        (self.key, self.ts)
    }
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

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.entries.len()
    }

    /// What the rows take in memory, about: that of the batches by their share of the rows. O(batches).
    pub(super) fn bytes(&self) -> usize {
        let (bytes, rows) = self.held();
        (bytes as f64 * self.rows() as f64 / rows.max(1) as f64) as usize
    }

    /// Bytes and rows of the batches.
    fn held(&self) -> (usize, usize) {
        let all = self.batches.iter().map(|batch| (size_in_memory(batch), batch.num_rows()));
        all.fold((0, 0), |(bytes, rows), (more, rows_more)| (bytes + more, rows + rows_more))
    }

    /// Makes room for as many rows more.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.entries.reserve_exact(rows);
    }

    /// Adds a batch with all its rows.
    pub(super) fn add_whole(&mut self, batch: RecordBatch) -> Result<()> {
        let rows = 0..batch.num_rows() as u32;
        let place = self.add_batch(batch);
        self.add_rows(place, rows)
    }

    /// Adds the rows of a batch whose `user_key` is wanted.
    pub(super) fn add_rows_where(
        &mut self,
        batch: RecordBatch,
        is_wanted: impl Fn(i64) -> bool,
    ) -> Result<()> {
        let place = self.add_batch(batch);
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

    /// Sorts by `(user_key, ts, event_id, row)` and makes the columns of the batches alike. O(n log n) on numbers; text is
    /// looked at where they are equal.
    pub(super) fn sort(&mut self) -> Result<(), ArrowError> {
        self.codes.make_alike(&mut self.batches)?;
        let columns: Result<Vec<SortColumns<'_>>> = self.batches.iter().map(SortColumns::of).collect();
        let columns = columns?;
        let by_text = |a: &Entry, b: &Entry| {
            let (left, i) = (&columns[a.batch as usize], a.row as usize);
            let (right, j) = (&columns[b.batch as usize], b.row as usize);
            let ids = || left.ids.value(i).as_bytes().cmp(right.ids.value(j).as_bytes());
            ids().then_with(|| left.rows[i].cmp(&right.rows[j]))
        };
        for part in distribute(&mut self.entries) {
            part.sort_unstable_by_key(Entry::numbers);
            for same in part.chunk_by_mut(|a, b| a.numbers() == b.numbers()) {
                same.sort_unstable_by(by_text);
            }
        }
        Ok(())
    }

    /// Gives the rows to `take` by `(user_key, user_id, ts, event_id, row)` if they are sorted, at most `rows` at a time
    /// and only those whose keys have the first `bits` bits in common, with their entries; `false` once that gives it.
    /// About `bytes` of rows are gathered at once.
    pub(super) fn gather_all(
        &self,
        bytes: usize,
        rows: usize,
        bits: u8,
        mut take: impl FnMut(&RecordBatch, &[Entry]) -> std::result::Result<bool, Error>,
    ) -> std::result::Result<bool, Error> {
        let (held_bytes, held_rows) = self.held();
        let joined = self.joined(held_rows)?;
        let wanted = bytes / (held_bytes / held_rows.max(1)).max(1);
        // Whole parts, so that how the rows come out does not depend on how much is gathered at once.
        let at_once = (wanted.min(MAX_GATHER_ROWS) / rows * rows).max(rows);
        let mut all = Cow::Borrowed(self.entries.as_slice());
        for start in (0..all.len()).step_by(at_once) {
            let end = all.len().min(start + at_once);
            if let Some(key) = key_across(&all, end).filter(|key| key.start >= start) {
                let sorted = self.by_people(&all[key.clone()])?;
                all.to_mut()[key].copy_from_slice(&sorted);
            }
            let mut gathered = self.gather(&all[start..end], &joined)?;
            if has_people_of_one_key(&gathered)? {
                gathered = self.gather(&self.by_people(&all[start..end])?, &joined)?;
            }
            let mut first = 0;
            let ranges = all[start..end]
                .chunk_by(|a, b| bits == 0 || first_bits(a.key, bits) == first_bits(b.key, bits));
            for entries in ranges.flat_map(|range| range.chunks(rows)) {
                if !take(&gathered.slice(first, entries.len()), entries)? {
                    return Ok(false);
                }
                first += entries.len();
            }
        }
        Ok(true)
    }

    /// Sorted entries with the people of each key one after the other, in the order of their ids.
    fn by_people(&self, entries: &[Entry]) -> Result<Vec<Entry>> {
        let columns: Result<Vec<SortColumns<'_>>> = self.batches.iter().map(SortColumns::of).collect();
        let columns = columns?;
        let user = |entry: &Entry| columns[entry.batch as usize].users.value(entry.row as usize).as_bytes();
        let mut sorted = entries.to_vec();
        for key in sorted.chunk_by_mut(|a, b| a.key == b.key) {
            // Stable: within a person the order stays.
            key.sort_by(|a, b| user(a).cmp(user(b)));
        }
        Ok(sorted)
    }

    /// The columns of all batches one behind the other, if most of their `rows` rows are wanted.
    fn joined(&self, rows: usize) -> Result<Joined> {
        let mut joined = Joined { starts: Vec::with_capacity(self.batches.len()), columns: Vec::new() };
        let Some(first) = self.batches.first() else { return Ok(joined) };
        let mut start = 0;
        for batch in &self.batches {
            joined.starts.push(start as u32);
            start += batch.num_rows();
        }
        let is_dense = rows <= DENSE_ROWS * self.entries.len() && u32::try_from(rows).is_ok();
        for (index, field) in first.schema_ref().fields().iter().enumerate() {
            let is_from_entries = matches!(field.name().as_str(), schema::USER_KEY | schema::TS | WORK_DAY);
            let columns =
                || self.batches.iter().map(|batch| batch.column(index).as_ref()).collect::<Vec<_>>();
            let is_joined = is_dense && !is_from_entries && *field.data_type() != DataType::Utf8;
            joined.columns.push(is_joined.then(|| concat(&columns())).transpose()?);
        }
        Ok(joined)
    }

    /// The rows of some entries, in their order.
    fn gather(&self, entries: &[Entry], joined: &Joined) -> Result<RecordBatch> {
        let Some(first) = entries.first() else {
            return Err(DataFusionError::Internal("no rows to gather".to_owned()));
        };
        let schema = self.batches[first.batch as usize].schema();
        let places: Vec<Place> = entries.iter().map(|entry| (entry.batch, entry.row)).collect();
        let rows = places.iter().map(|(batch, row)| joined.starts[*batch as usize] + row);
        let rows = joined.columns.iter().any(Option::is_some).then(|| UInt32Array::from_iter_values(rows));
        let mut gathered = Vec::with_capacity(schema.fields().len());
        for (index, field) in schema.fields().iter().enumerate() {
            let columns: Vec<&ArrayRef> = self.batches.iter().map(|batch| batch.column(index)).collect();
            gathered.push(match field.name().as_str() {
                // What entries say, and what is the same in all rows, need not be fetched.
                schema::USER_KEY => {
                    Arc::new(Int64Array::from_iter_values(entries.iter().map(|entry| entry.key)))
                }
                schema::TS => {
                    let times =
                        TimestampMicrosecondArray::from_iter_values(entries.iter().map(|entry| entry.ts));
                    Arc::new(times.with_data_type(field.data_type().clone())) as ArrayRef
                }
                WORK_DAY => {
                    let days = columns[first.batch as usize].as_primitive::<Int32Type>();
                    Arc::new(Int32Array::from_value(days.value(first.row as usize), entries.len()))
                }
                _ => match (&joined.columns[index], &rows) {
                    (Some(column), Some(rows)) => take(column, rows, None)?,
                    _ => gather(&columns, &places)?,
                },
            });
        }
        Ok(RecordBatch::try_new(schema, gathered)?)
    }
}

/// The first bits of a key, in the order of the layout. 0 without bits.
pub(super) fn first_bits(key: i64, bits: u8) -> u64 {
    layout::ordered(key).checked_shr(u64::BITS - u32::from(bits)).unwrap_or_default()
}

/// The entries of the key that stands on both sides of `end`, if there is one.
fn key_across(entries: &[Entry], end: usize) -> Option<Range<usize>> {
    let key = entries.get(end)?.key;
    let other = |entry: &Entry| entry.key != key;
    let start = entries[..end].iter().rposition(other).map_or(0, |last| last + 1);
    let after = entries[end..].iter().position(other).map_or(entries.len(), |first| end + first);
    (start < end).then_some(start..after)
}

/// Whether neighbours have one key and are not one person, which is rare: keys are hashes. O(rows), and in the order in
/// which the rows lie.
fn has_people_of_one_key(batch: &RecordBatch) -> Result<bool> {
    let columns = SortColumns::of(batch)?;
    let keys = columns.keys.windows(2).enumerate();
    let mut same_key = keys.filter(|(_, pair)| pair[0] == pair[1]).map(|(row, _)| row);
    Ok(same_key.any(|row| columns.users.value(row) != columns.users.value(row + 1)))
}

/// The bytes of the rows of a batch, without what else its buffers hold. O(columns).
pub(super) fn size_in_memory(batch: &RecordBatch) -> usize {
    let sizes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size());
    // Types whose size is not known do not get here: they could not be written either.
    sizes.map(Result::unwrap_or_default).sum()
}

/// Bytes that an entry takes while it is sorted: see [`distribute`].
pub(super) const ENTRY_BYTES: usize = 2 * size_of::<Entry>();

/// Brings entries into the order of the first bits of their keys, which are hashes and so spread evenly; gives the parts
/// whose entries have these bits in common. A small part is sorted in the cache, with few comparisons. O(entries), and
/// as much memory again.
fn distribute(entries: &mut [Entry]) -> impl Iterator<Item = &mut [Entry]> {
    let bits = (entries.len() / PART_ENTRIES).checked_ilog2().unwrap_or_default().min(MAX_PART_BITS) as u8;
    let part_of = move |entry: &Entry| first_bits(entry.key, bits) as usize;
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
    // Into other memory: no step waits for the one before, as it would if entries changed places.
    let from = entries.to_vec();
    for entry in &from {
        let place = &mut next[part_of(entry)];
        entries[*place] = *entry;
        *place += 1;
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
