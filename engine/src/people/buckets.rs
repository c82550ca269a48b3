//! Which people are worked on together, and where their rows are.
//!
//! A bucket is a range of `user_key` with one prefix. All partitions work on a bucket at the same time. Its rows lie in
//! some row groups of each day; row groups of large days are cut along prefixes, so that a row group mostly belongs to
//! one bucket. One that spans several is read for each of them.

use crate::scan::source::ChosenFile;
use crate::store::layout::{KeyPrefix, MAX_PREFIX_BITS, RowGroup};

/// Rows that a bucket should have for each partition: enough to work in large batches, few enough to keep memory small.
const ROWS_PER_PARTITION: u64 = 512 * 1024;
/// Below this many rows another partition costs more than it saves.
const MIN_PARTITION_ROWS: u64 = 8 * 1024;
/// How many rows may be read for each row wanted, before fewer and larger buckets are better.
const MAX_READ_AGAIN: f64 = 1.3;

/// The rows of the people whose `user_key` has one prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The prefix.
    pub prefix: KeyPrefix,
    /// Row groups with rows of these people, in the order of the files: by day.
    pub parts: Vec<Part>,
}

/// The people, divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// The buckets.
    pub buckets: Vec<Bucket>,
    /// How many work on each of them.
    pub partitions: usize,
}

/// A row group to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Number of the file.
    pub file: usize,
    /// Number of the row group in the file.
    pub row_group: usize,
    /// What the log says about it.
    pub range: RowGroup,
}

/// Divides the rows of `files` into buckets for at most `partitions`; a bucket should have at most `max_rows` rows.
/// `None` if a file is of another writer, whose people can be anywhere.
pub fn divide(files: &[ChosenFile], partitions: usize, max_rows: u64) -> Option<Division> {
    let mut parts = Vec::new();
    for (file, chosen) in files.iter().enumerate() {
        for (row_group, range) in chosen.row_groups.as_ref()? {
            parts.push(Part { file, row_group: *row_group, range: *range });
        }
    }
    let rows: u64 = parts.iter().map(|part| part.range.rows).sum();
    let busy = (rows / MIN_PARTITION_ROWS).min(partitions as u64).max(1);
    let bits = bucket_bits(&parts, rows, busy, max_rows.max(1));
    let mut buckets: Vec<Bucket> = (0..1_u16 << bits)
        .map(|prefix| Bucket { prefix: KeyPrefix { bits, prefix }, parts: Vec::new() })
        .collect();
    for part in parts {
        for prefix in prefixes(&part.range, bits) {
            buckets[usize::from(prefix)].parts.push(part);
        }
    }
    buckets.retain(|bucket| !bucket.parts.is_empty());
    // No more than `partitions`, which are counted so.
    Some(Division { buckets, partitions: busy as usize })
}

fn prefixes(range: &RowGroup, bits: u8) -> std::ops::RangeInclusive<u16> {
    KeyPrefix::of(range.min_key, bits).prefix..=KeyPrefix::of(range.max_key, bits).prefix
}

/// As many bits as give buckets of the wanted size, unless row groups would be read again and again; but never fewer
/// than keep every bucket within `max_rows`.
fn bucket_bits(parts: &[Part], rows: u64, partitions: u64, max_rows: u64) -> u8 {
    let bits_for = |buckets: u64| {
        let bits = u64::BITS - buckets.max(1).saturating_sub(1).leading_zeros();
        bits.min(u32::from(MAX_PREFIX_BITS)) as u8
    };
    let least = bits_for(rows.div_ceil(max_rows));
    let wanted = bits_for(rows.div_ceil(ROWS_PER_PARTITION * partitions)).max(least);
    let read = |bits: u8| -> u64 {
        let times = |part: &Part| prefixes(&part.range, bits).count() as u64;
        parts.iter().map(|part| part.range.rows * times(part)).sum()
    };
    let affordable = |bits: &u8| read(*bits) as f64 <= rows as f64 * MAX_READ_AGAIN;
    (least..=wanted).rev().find(affordable).unwrap_or(least)
}

#[cfg(test)]
mod tests;
