//! Which rows of a load are duplicates: an index over event keys that spills.
//!
//! Identity is `(day, event_id)`: within a load the first row in input order stays, against the table the
//! table's row stays. Each reader has an index of its own: 24 bytes per row in 256 buckets by hash, in pieces that are never
//! copied to grow; a piece that is full when there is no room for another goes to the end of a temporary file. Resolving takes
//! one bucket a thread at a time, and sorts those that seem to have the same key twice: O(n log n) time at most, memory of two
//! buckets a thread plus a bit per row.
//!
//! Of a key's 128 bits 104 are kept, mixed: two of n rows with other ids are taken for one with a chance of n² to 2^105, which is
//! 10^-13 for two thousand million rows.

use std::fs::File;
use std::io::Result;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::load::row_identity::EventKey;

const BUCKETS: usize = 256;
const RECORD_BYTES: usize = 24;
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

/// One row, without the bits of its identity that are those of its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    /// Hash and day.
    identity: [u32; 3],
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
        self.push(day, key.hash, order, occurrence)
    }

    /// Adds a row that the table already has.
    pub fn add_existing(&mut self, day: i32, key: EventKey) -> Result<()> {
        self.push(day, key.hash, 0, key.occurrence)
    }

    fn push(&mut self, day: i32, hash: u128, order: u64, occurrence: u32) -> Result<()> {
        let Self { buckets, room, budget, temp_dir, spilled } = self;
        let (bucket, identity) = identity_of(day, hash);
        let record = Record { identity, order, occurrence };
        let Bucket { open, full, parts } = &mut buckets[bucket];
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
                let mut pieces = Vec::new();
                for (bucket, spilled) in std::mem::take(bucket).into_iter().zip(&files) {
                    bucket.move_to(&mut pieces, spilled.as_ref())?;
                }
                if may_repeat(&pieces) {
                    let mut records = pieces.concat();
                    drop(pieces);
                    records.sort_unstable();
                    for group in records.chunk_by(|a, b| a.identity == b.identity) {
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

/// The bucket of a key, and the bits that tell it from others there.
///
/// Made ids say their hash themselves and may be anything, such as numbers that follow each other: all their bits have a say
/// in those that are kept. One key on two days never looks the same.
fn identity_of(day: i32, hash: u128) -> (usize, [u32; 3]) {
    /// 2^128 by the golden ratio, odd.
    const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let mixed = (hash ^ (hash >> 64)).wrapping_mul(SPREAD);
    let word = |number: u32| (mixed >> (24 + 32 * number)) as u32;
    ((mixed >> 120) as usize, [word(2), word(1), word(0) ^ day.cast_unsigned()])
}

/// Whether two records may have the same identity, as hardly any have. O(records).
fn may_repeat(pieces: &[Vec<Record>]) -> bool {
    let mut seen: HashTable<u64> = HashTable::with_capacity(pieces.iter().map(Vec::len).sum());
    pieces.iter().flatten().any(|record| {
        let [_, high, low] = record.identity;
        let short = u64::from(high) << 32 | u64::from(low);
        match seen.entry(short, |other| *other == short, |other| *other) {
            Entry::Occupied(_) => true,
            Entry::Vacant(place) => {
                place.insert(short);
                false
            }
        }
    })
}

/// `group`: the records of one identity, those of the table first, then in input order.
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
    /// Adds its records, piece by piece.
    fn move_to(self, pieces: &mut Vec<Vec<Record>>, spilled: Option<&SpilledRecords>) -> Result<()> {
        pieces.push(self.open);
        pieces.extend(self.full);
        let Some(spilled) = spilled else { return Ok(()) };
        let mut bytes = Vec::new();
        let mut records = Vec::with_capacity(self.parts.iter().map(|(_, count)| count).sum());
        for (offset, count) in self.parts {
            bytes.resize(count * RECORD_BYTES, 0);
            spilled.file.read_exact_at(&mut bytes, offset)?;
            let (chunks, _) = bytes.as_chunks::<RECORD_BYTES>();
            records.extend(chunks.iter().map(Record::from_bytes));
        }
        pieces.push(records);
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
        bytes[..8].copy_from_slice(&self.order.to_le_bytes());
        let (words, _) = bytes[8..].as_chunks_mut::<4>();
        let [first, second, third] = self.identity;
        for (word, number) in words.iter_mut().zip([first, second, third, self.occurrence]) {
            *word = number.to_le_bytes();
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> Self {
        let mut order = [0; 8];
        order.copy_from_slice(&bytes[..8]);
        let (words, _) = bytes[8..].as_chunks::<4>();
        let word = |number: usize| u32::from_le_bytes(words[number]);
        Self { identity: [word(0), word(1), word(2)], order: u64::from_le_bytes(order), occurrence: word(3) }
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

    /// Made ids are numbers that anybody may give.
    #[test]
    fn keys_that_differ_in_any_bit_or_day_differ() {
        let keys =
            (0..128).map(|bit| 1_u128 << bit).chain((0..70_000).map(|number| number * 3)).chain([u128::MAX]);
        let keys: HashSet<u128> = keys.collect();
        let mut seen = HashSet::new();
        for key in &keys {
            for day in [-1, 0, 1, 20_000, i32::MIN, i32::MAX] {
                assert!(seen.insert(identity_of(day, *key)), "{key} on {day}");
            }
        }
    }

    #[test]
    fn records_on_disk_are_as_they_were() {
        let record = Record { identity: [1, u32::MAX, 3], order: u64::MAX - 7, occurrence: 9 };
        assert_eq!(Record::from_bytes(&record.to_bytes()), record);
        assert_eq!(size_of::<Record>(), RECORD_BYTES);
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
