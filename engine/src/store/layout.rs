//! How rows are laid out in files: hash-prefix ranges of `user_key`, sort order, file names and tags.
//!
//! A data file holds the rows of one day whose `user_key` lies in one prefix range, sorted by
//! `(user_key, user_id, ts, event_id)`. Prefixes are taken from the order-preserving unsigned form of the key,
//! so that a range of prefixes is a range of keys.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Version of the layout that a tagged file follows.
pub const LAYOUT_VERSION: &str = "1";
/// Tag: the layout version. Only files with it are read by `user_key` ranges.
pub const TAG_LAYOUT: &str = "wayfare.layout";
/// Tag: XXH64 (seed 0) of all bytes of the file, 16 hexadecimal digits.
pub const TAG_CHECKSUM: &str = "wayfare.xxh64";
/// Tag: row groups as JSON, see [`RowGroup`].
pub const TAG_ROW_GROUPS: &str = "wayfare.row_groups";
/// The most prefix bits a day is split by.
pub const MAX_PREFIX_BITS: u8 = 12;

/// Into how many row groups a small day is cut, so that several threads can share it.
const SMALL_DAY_GROUPS: u64 = 4;
/// A small day is not cut into smaller row groups than this: beginning with a row group costs as much as reading some
/// thousand rows.
const MIN_GROUP_ROWS: u64 = 16 * 1024;

/// Rows and key range of one row group, as the tag [`TAG_ROW_GROUPS`] lists them in file order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowGroup {
    /// Number of rows.
    pub rows: u64,
    /// Smallest `user_key`.
    pub min_key: i64,
    /// Largest `user_key`.
    pub max_key: i64,
}

/// A range of `user_key` whose top `bits` bits are `prefix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPrefix {
    /// Number of bits, `0..=MAX_PREFIX_BITS`.
    pub bits: u8,
    /// Value of those bits, below `1 << bits`.
    pub prefix: u16,
}

impl KeyPrefix {
    /// The prefix of `bits` bits that `user_key` lies in.
    pub fn of(user_key: i64, bits: u8) -> Self {
        let prefix = if bits == 0 { 0 } else { (ordered(user_key) >> (64 - u32::from(bits))) as u16 };
        Self { bits, prefix }
    }

    /// The prefix that the name of a file of ours tells of.
    pub fn of_file(relative_path: &str) -> Option<Self> {
        let name = relative_path.rsplit('/').next()?.strip_prefix('k')?;
        let mut parts = name.splitn(3, '-');
        let bits = parts.next()?.parse().ok().filter(|bits| *bits <= MAX_PREFIX_BITS)?;
        let prefix = u16::from_str_radix(parts.next()?, 16).ok().filter(|p| u32::from(*p) < 1_u32 << bits)?;
        parts.next().map(|_| Self { bits, prefix })
    }

    /// Path of a new file of this range, relative to the table.
    pub fn file_path(&self, day: i32) -> String {
        format!("day={}/k{}-{:x}-{}.parquet", day_text(day), self.bits, self.prefix, uuid::Uuid::new_v4())
    }
}

/// `user_key` as an unsigned number in the same order.
pub fn ordered(user_key: i64) -> u64 {
    user_key.cast_unsigned() ^ (1 << 63)
}

/// How finely the rows of a day are divided by their `user_key`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayDivision {
    /// Prefix bits of a file.
    pub file_bits: u8,
    /// Prefix bits of a row group, at least those of a file.
    pub group_bits: u8,
}

impl DayDivision {
    /// For a day of `rows` rows and `bytes` encoded bytes.
    ///
    /// Row groups are cut along prefixes too, so that a part of the people can be read without the others: into
    /// pieces of about `group_rows` rows, and a small day into [`SMALL_DAY_GROUPS`] pieces if they are not too small.
    pub fn new(rows: u64, bytes: u64, target_bytes: u64, group_rows: u64) -> Self {
        let file_bits = prefix_bits(bytes, target_bytes);
        let pieces = SMALL_DAY_GROUPS.min(rows / MIN_GROUP_ROWS.min(group_rows.max(1)));
        let group_bits = prefix_bits(rows, group_rows).max(prefix_bits(pieces, 1)).max(file_bits);
        Self { file_bits, group_bits }
    }
}

/// How many prefix bits a day of `bytes` encoded bytes gets so that its files have about `target_bytes`.
pub fn prefix_bits(bytes: u64, target_bytes: u64) -> u8 {
    let files = bytes.div_ceil(target_bytes.max(1)).max(1);
    let bits = u64::BITS - (files - 1).leading_zeros();
    (bits as u8).min(MAX_PREFIX_BITS)
}

/// Days since the epoch as `YYYY-MM-DD`.
pub fn day_text(day: i32) -> String {
    date_of(day).map_or_else(|| day.to_string(), |d| d.format("%Y-%m-%d").to_string())
}

/// Days since the epoch from `YYYY-MM-DD`.
pub fn parse_day(text: &str) -> Option<i32> {
    let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    i32::try_from(date.signed_duration_since(chrono::NaiveDate::default()).num_days()).ok()
}

fn date_of(day: i32) -> Option<chrono::NaiveDate> {
    chrono::NaiveDate::default().checked_add_signed(chrono::Duration::days(i64::from(day)))
}

/// UTC day of an instant in microseconds since the epoch.
pub fn day_of(ts_us: i64) -> i32 {
    const DAY_US: i64 = 86_400_000_000;
    // i64 microseconds span less than 2^27 days.
    ts_us.div_euclid(DAY_US) as i32
}

/// The tags of a data file.
pub fn tags(checksum: u64, row_groups: &[RowGroup]) -> HashMap<String, Option<String>> {
    let groups: Vec<(u64, i64, i64)> = row_groups.iter().map(|g| (g.rows, g.min_key, g.max_key)).collect();
    HashMap::from([
        (TAG_LAYOUT.to_owned(), Some(LAYOUT_VERSION.to_owned())),
        (TAG_CHECKSUM.to_owned(), Some(format!("{checksum:016x}"))),
        (TAG_ROW_GROUPS.to_owned(), serde_json::to_string(&groups).ok()),
    ])
}

/// The row groups from the tags of a file; `None` for a file that another writer made.
pub fn row_groups_of(tags: &HashMap<String, Option<String>>) -> Option<Vec<RowGroup>> {
    if tags.get(TAG_LAYOUT)?.as_deref() != Some(LAYOUT_VERSION) {
        return None;
    }
    let text = tags.get(TAG_ROW_GROUPS)?.as_deref()?;
    let groups: Vec<(u64, i64, i64)> = serde_json::from_str(text).ok()?;
    Some(groups.into_iter().map(|(rows, min_key, max_key)| RowGroup { rows, min_key, max_key }).collect())
}

/// The checksum from the tags of a file; `None` for a file that another writer made.
pub fn checksum_of(tags: &HashMap<String, Option<String>>) -> Option<u64> {
    u64::from_str_radix(tags.get(TAG_CHECKSUM)?.as_deref()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_days_are_one_file() {
        assert_eq!(prefix_bits(0, 100), 0);
        assert_eq!(prefix_bits(100, 100), 0);
        assert_eq!(prefix_bits(101, 100), 1);
        assert_eq!(prefix_bits(401, 100), 3);
        assert_eq!(prefix_bits(u64::MAX, 1), MAX_PREFIX_BITS);
    }

    #[test]
    fn days_before_the_epoch_round_down() {
        assert_eq!(day_of(-1), -1);
        assert_eq!(day_of(0), 0);
        assert_eq!(parse_day(&day_text(-1)), Some(-1));
        assert_eq!(day_text(18_262), "2020-01-01");
    }

    #[test]
    fn row_groups_follow_the_rows_of_a_day() {
        let bits = |rows| DayDivision::new(rows, 0, 1, 65_536).group_bits;
        assert_eq!(bits(100), 0);
        assert_eq!(bits(27_000), 0);
        assert_eq!(bits(40_000), 1);
        assert_eq!(bits(66_000), 2);
        assert_eq!(bits(333_000), 3);
        assert_eq!(bits(1_667_000), 5);
        let large = DayDivision::new(1_000_000, 900, 100, u64::MAX);
        assert_eq!((large.file_bits, large.group_bits), (4, 4));
    }

    proptest! {
        #[test]
        fn prefixes_are_ranges_of_keys(mut keys in prop::collection::vec(any::<i64>(), 2..50), bits in 0..=MAX_PREFIX_BITS) {
            keys.sort_unstable();
            let prefixes: Vec<u16> = keys.iter().map(|k| KeyPrefix::of(*k, bits).prefix).collect();
            prop_assert!(prefixes.is_sorted());
            prop_assert!(prefixes.iter().all(|p| u32::from(*p) < 1 << bits));
        }

        #[test]
        fn names_of_files_tell_their_prefix(key in any::<i64>(), bits in 0..=MAX_PREFIX_BITS) {
            let prefix = KeyPrefix::of(key, bits);
            prop_assert_eq!(KeyPrefix::of_file(&prefix.file_path(20_000)), Some(prefix));
        }

        #[test]
        fn tags_come_back(rows in prop::collection::vec((0u64..1000, any::<i64>(), any::<i64>()), 0..5)) {
            let groups: Vec<RowGroup> = rows.iter().map(|&(rows, min_key, max_key)| RowGroup { rows, min_key, max_key }).collect();
            prop_assert_eq!(checksum_of(&tags(7, &groups)), Some(7));
            prop_assert_eq!(row_groups_of(&tags(7, &groups)), Some(groups));
        }
    }
}
