//! Which rows of a load are duplicates: an index over 128-bit event keys that spills.
//!
//! Identity is `(day, event_id)`: within a load the first row in input order stays, against the table the
//! table's row stays. Each reader has an index of its own: 32 bytes per row in 256 buckets by hash, in pieces that are never
//! copied to grow; a piece that is full when there is no room for another goes to the end of a temporary file. Resolving takes
//! one bucket a thread at a time, and sorts those that have the same key twice: O(n log n) time at most, memory of a bucket a
//! thread plus a bit per row.

use std::fs::File;
use std::hash::BuildHasher;
use std::io::Result;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::load::row_identity::EventKey;

const BUCKETS: usize = 256;
const RECORD_BYTES: usize = 32;
/// Records that every bucket has room for, whatever the budget.
const LEAST_RECORDS: usize = 4;
/// Records of a full piece of a bucket.
const PIECE_RECORDS: usize = if cfg!(test) { 16 } else { 1024 };
/// Occurrence of a row whose id is still to be made.
const UNNUMBERED: u32 = u32::MAX;

/// Where a row came from: input file and row within it, in input order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowNumber(u64);

impl RowNumber {
    const FILE_SHIFT: u32 = 40;
    const MADE_BIT: u64 = 1 << 63;

    /// Row `row` of input file `file`; `made` if its event id is made from the row.
    ///
    /// Holds 2^23 files of 2^40 rows; more wrap and are refused by the caller.
    pub fn new(file: usize, row: u64, made: bool) -> Self {
        let made = if made { Self::MADE_BIT } else { 0 };
        Self(made | ((file as u64) << Self::FILE_SHIFT) | row)
    }

    /// From the number that a batch carries.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The number that a batch carries.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether the event id is made from the row.
    pub fn is_made(self) -> bool {
        self.0 & Self::MADE_BIT != 0
    }

    fn file(self) -> usize {
        ((self.0 & !Self::MADE_BIT) >> Self::FILE_SHIFT) as usize
    }

    fn row(self) -> u64 {
        self.0 & ((1 << Self::FILE_SHIFT) - 1)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    hash: u128,
    day: i32,
    /// 0 for a row of the table, else 1 + position in the input.
    order: u64,
    occurrence: u32,
}

/// Collects the event keys of a load and of the table's days it touches.
#[derive(Debug)]
pub struct DuplicateIndex {
    buckets: Vec<Bucket>,
    /// Records that there is room for, and the most that there may be room for.
    room: usize,
    budget: usize,
    temp_dir: PathBuf,
    /// `None` until the first bucket has no room.
    spilled: Option<SpilledRecords>,
}

#[derive(Debug, Default)]
struct Bucket {
    /// The piece that is filled, which grows to a full one.
    open: Vec<Record>,
    full: Vec<Vec<Record>>,
    /// Where more of them begin in the file, and how many follow there.
    parts: Vec<(u64, usize)>,
}

/// Records of all buckets on disk, one full bucket behind the other.
#[derive(Debug)]
struct SpilledRecords {
    file: File,
    end: u64,
    buffer: Vec<u8>,
}

impl DuplicateIndex {
    /// An index that keeps at most `budget_bytes` in memory and the rest in `temp_dir`.
    pub fn new(budget_bytes: usize, temp_dir: PathBuf) -> Self {
        Self {
            buckets: std::iter::repeat_with(Bucket::default).take(BUCKETS).collect(),
            room: 0,
            budget: budget_bytes / RECORD_BYTES,
            temp_dir,
            spilled: None,
        }
    }

    /// Adds a row of the load. `key.occurrence` is ignored for a made id: it is numbered by [`Self::resolve`].
    pub fn add_input(&mut self, day: i32, key: EventKey, row: RowNumber) -> Result<()> {
        let occurrence = if row.is_made() { UNNUMBERED } else { key.occurrence };
        let order = (row.bits() & !RowNumber::MADE_BIT) + 1;
        self.push(Record { hash: key.hash, day, order, occurrence })
    }

    /// Adds a row that the table already has.
    pub fn add_existing(&mut self, day: i32, key: EventKey) -> Result<()> {
        self.push(Record { hash: key.hash, day, order: 0, occurrence: key.occurrence })
    }

    fn push(&mut self, record: Record) -> Result<()> {
        let Self { buckets, room, budget, temp_dir, spilled } = self;
        let Bucket { open, full, parts } = &mut buckets[(record.hash >> 120) as usize];
        let held = open.len();
        if held == open.capacity() {
            // Grows by as much as it has, then by another piece.
            let more = held.max(LEAST_RECORDS);
            if held == 0 || *room + more <= *budget {
                if held < PIECE_RECORDS {
                    open.reserve_exact(more);
                    *room += open.capacity() - held;
                } else {
                    full.push(std::mem::replace(open, Vec::with_capacity(PIECE_RECORDS)));
                    *room += PIECE_RECORDS;
                }
            } else {
                let file = match spilled {
                    Some(file) => file,
                    empty => empty.insert(SpilledRecords::create(temp_dir)?),
                };
                parts.push(file.write(open)?);
                open.clear();
            }
        }
        open.push(record);
        Ok(())
    }

    /// Decides which rows of the load are dropped, on so many threads. Together the indexes have all rows.
    pub fn resolve(indexes: Vec<Self>, threads: usize) -> Result<Dropped> {
        let mut files = Vec::with_capacity(indexes.len());
        let mut buckets: Vec<Vec<Bucket>> = std::iter::repeat_with(Vec::new).take(BUCKETS).collect();
        for index in indexes {
            files.push(index.spilled);
            for (of_all, bucket) in buckets.iter_mut().zip(index.buckets) {
                of_all.push(bucket);
            }
        }
        let share = BUCKETS.div_ceil(threads.max(1));
        let resolve_all = |buckets: &mut [Vec<Bucket>]| -> Result<Dropped> {
            let mut dropped = Dropped::default();
            for bucket in buckets {
                let mut records = Vec::with_capacity(bucket.iter().map(Bucket::len).sum());
                for (bucket, spilled) in std::mem::take(bucket).into_iter().zip(&files) {
                    bucket.move_to(&mut records, spilled.as_ref())?;
                }
                if has_repeats(&records) {
                    records.sort_unstable();
                    for group in records.chunk_by(|a, b| a.hash == b.hash && a.day == b.day) {
                        resolve_group(group, &mut dropped);
                    }
                }
            }
            Ok(dropped)
        };
        std::thread::scope(|scope| {
            let parts: Vec<_> =
                buckets.chunks_mut(share).map(|part| scope.spawn(move || resolve_all(part))).collect();
            let mut dropped = Dropped::default();
            for part in parts {
                match part.join() {
                    Ok(part) => dropped.add(part?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(dropped)
        })
    }
}

/// Whether two records have the same key and day, as hardly any do. O(records).
fn has_repeats(records: &[Record]) -> bool {
    let state = DefaultHashBuilder::default();
    let hash = |record: &Record| state.hash_one((record.hash, record.day));
    let mut table: HashTable<&Record> = HashTable::with_capacity(records.len());
    records.iter().any(|record| {
        let is_same = |other: &&Record| other.hash == record.hash && other.day == record.day;
        match table.entry(hash(record), is_same, |other| hash(other)) {
            Entry::Occupied(_) => true,
            Entry::Vacant(place) => {
                place.insert(record);
                false
            }
        }
    })
}

/// `group`: the records of one key and day, those of the table first, then in input order.
fn resolve_group(group: &[Record], dropped: &mut Dropped) {
    if group.len() == 1 {
        return;
    }
    let mut taken = std::collections::HashSet::new();
    let mut next_made = 0;
    for record in group {
        let occurrence = if record.occurrence == UNNUMBERED {
            next_made += 1;
            next_made - 1
        } else {
            record.occurrence
        };
        let is_new = taken.insert(occurrence);
        if !is_new && record.order > 0 {
            dropped.insert(RowNumber(record.order - 1));
        }
    }
}

impl Bucket {
    /// All its records.
    fn len(&self) -> usize {
        let full: usize = self.full.iter().map(Vec::len).sum();
        let written: usize = self.parts.iter().map(|(_, count)| count).sum();
        self.open.len() + full + written
    }

    fn move_to(self, records: &mut Vec<Record>, spilled: Option<&SpilledRecords>) -> Result<()> {
        records.extend(self.open);
        for piece in self.full {
            records.extend(piece);
        }
        let Some(spilled) = spilled else { return Ok(()) };
        let mut bytes = Vec::new();
        for (offset, count) in self.parts {
            bytes.resize(count * RECORD_BYTES, 0);
            spilled.file.read_exact_at(&mut bytes, offset)?;
            let (chunks, _) = bytes.as_chunks::<RECORD_BYTES>();
            records.extend(chunks.iter().map(Record::from_bytes));
        }
        Ok(())
    }
}

impl SpilledRecords {
    fn create(temp_dir: &Path) -> Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(temp_dir)?, end: 0, buffer: Vec::new() })
    }

    /// Appends records; gives their place.
    fn write(&mut self, records: &[Record]) -> Result<(u64, usize)> {
        self.buffer.clear();
        self.buffer.reserve(records.len() * RECORD_BYTES);
        for record in records {
            self.buffer.extend_from_slice(&record.to_bytes());
        }
        self.file.write_all_at(&self.buffer, self.end)?;
        let place = (self.end, records.len());
        self.end += self.buffer.len() as u64;
        Ok(place)
    }
}

impl Record {
    fn to_bytes(self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[..16].copy_from_slice(&self.hash.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.order.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.day.to_le_bytes());
        bytes[28..].copy_from_slice(&self.occurrence.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> Self {
        let (mut hash, mut order, mut day, mut occurrence) = ([0; 16], [0; 8], [0; 4], [0; 4]);
        hash.copy_from_slice(&bytes[..16]);
        order.copy_from_slice(&bytes[16..24]);
        day.copy_from_slice(&bytes[24..28]);
        occurrence.copy_from_slice(&bytes[28..]);
        Self {
            hash: u128::from_le_bytes(hash),
            order: u64::from_le_bytes(order),
            day: i32::from_le_bytes(day),
            occurrence: u32::from_le_bytes(occurrence),
        }
    }
}

/// A set of rows: one bit per input row up to the last dropped one.
#[derive(Debug, Default)]
pub struct Dropped {
    /// Per input file, one bit per row.
    files: Vec<Vec<u64>>,
    count: u64,
}

impl Dropped {
    /// How many rows are dropped.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether `row` is dropped.
    pub fn contains(&self, row: RowNumber) -> bool {
        let word = self.files.get(row.file()).and_then(|words| words.get((row.row() / 64) as usize));
        word.is_some_and(|word| word & (1 << (row.row() % 64)) != 0)
    }

    /// Adds the rows of `other`, of which none is in `self`.
    fn add(&mut self, other: Self) {
        if self.files.len() < other.files.len() {
            self.files.resize_with(other.files.len(), Vec::new);
        }
        for (words, more) in self.files.iter_mut().zip(other.files) {
            if words.len() < more.len() {
                words.resize(more.len(), 0);
            }
            for (word, more) in words.iter_mut().zip(more) {
                *word |= more;
            }
        }
        self.count += other.count;
    }

    fn insert(&mut self, row: RowNumber) {
        let file = row.file();
        if self.files.len() <= file {
            self.files.resize_with(file + 1, Vec::new);
        }
        let word = (row.row() / 64) as usize;
        let words = &mut self.files[file];
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        words[word] |= 1 << (row.row() % 64);
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn key(hash: u128, occurrence: u32) -> EventKey {
        EventKey { hash, occurrence }
    }

    fn index(budget: usize) -> DuplicateIndex {
        DuplicateIndex::new(budget, std::env::temp_dir())
    }

    #[test]
    fn the_first_row_of_a_day_stays() {
        let mut index = index(0);
        for (file, row, day) in [(1, 0, 5), (0, 9, 5), (0, 3, 6)] {
            index.add_input(day, key(1, 0), RowNumber::new(file, row, false)).expect("add");
        }
        let dropped = DuplicateIndex::resolve(vec![index], 2).expect("resolve");
        assert_eq!(dropped.count(), 1);
        assert!(dropped.contains(RowNumber::new(1, 0, false)));
        assert!(!dropped.contains(RowNumber::new(0, 9, false)));
    }

    #[test]
    fn identical_rows_of_one_load_stay_and_come_back_as_duplicates() {
        let mut first = index(0);
        for row in 0..3 {
            first.add_input(5, key(1, 0), RowNumber::new(0, row, true)).expect("add");
        }
        assert_eq!(DuplicateIndex::resolve(vec![first], 2).expect("resolve").count(), 0);

        let mut again = index(0);
        for occurrence in 0..3 {
            again.add_existing(5, key(1, occurrence)).expect("add");
        }
        for row in 0..4 {
            again.add_input(5, key(1, 0), RowNumber::new(0, row, true)).expect("add");
        }
        let dropped = DuplicateIndex::resolve(vec![again], 2).expect("resolve");
        assert_eq!(dropped.count(), 3, "the fourth is new");
        assert!(!dropped.contains(RowNumber::new(0, 3, true)));
    }

    proptest! {
        #[test]
        fn agrees_with_a_set_whatever_the_budget(
            rows in prop::collection::vec((0u8..6, 0i32..3, any::<bool>()), 0..900),
            budget in prop_oneof![Just(0usize), Just(1 << 13), Just(1 << 20)],
            readers in 1..4_usize,
        ) {
            let mut indexes: Vec<DuplicateIndex> = (0..readers).map(|_| index(budget)).collect();
            let mut seen = HashSet::new();
            let mut expected = Vec::new();
            for (hash, day, existing) in rows.iter().filter(|r| r.2) {
                seen.insert((*hash, *day));
                indexes[0].add_existing(*day, key(u128::from(*hash) << 122, 0)).expect("add");
                prop_assert!(*existing);
            }
            for (i, (hash, day, _)) in rows.iter().enumerate().filter(|(_, r)| !r.2) {
                let row = RowNumber::new(0, i as u64, false);
                indexes[i % readers].add_input(*day, key(u128::from(*hash) << 122, 0), row).expect("add");
                if !seen.insert((*hash, *day)) {
                    expected.push(i as u64);
                }
            }
            let dropped = DuplicateIndex::resolve(indexes, 2).expect("resolve");
            prop_assert_eq!(dropped.count(), expected.len() as u64);
            for i in expected {
                prop_assert!(dropped.contains(RowNumber::new(0, i, false)));
            }
        }
    }
}
