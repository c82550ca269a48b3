//! Which days are rewritten, and how finely they are divided then.

use std::collections::{BTreeMap, HashSet};

use super::DayRange;
use crate::config::EngineConfig;
use crate::store::layout::{DayDivision, KeyPrefix};
use crate::store::snapshot::{DataFile, TableSnapshot};

/// What a file takes besides its rows, and as much again for each row group: footer, column indexes.
const FOOTER_BYTES: u64 = 4 << 10;
/// What a row takes at least.
const MIN_ROW_BYTES: u64 = 16;

/// A day to rewrite.
#[derive(Debug, Clone)]
pub struct DayPlan {
    /// Days since the epoch.
    pub day: i32,
    /// Its files.
    pub files: Vec<DataFile>,
    /// How it is divided afterwards.
    pub division: DayDivision,
}

/// The files of each day of `days`, all days if it is `None`.
pub fn days_of(snapshot: &TableSnapshot, days: Option<DayRange>) -> BTreeMap<i32, Vec<DataFile>> {
    let mut by_day: BTreeMap<i32, Vec<DataFile>> = BTreeMap::new();
    for file in snapshot.files() {
        let Some(day) = file.day.filter(|day| days.is_none_or(|days| days.contains(*day))) else { continue };
        by_day.entry(day).or_default().push(file.clone());
    }
    by_day
}

/// The rewriting of `files`, all files of `day`, or `None` if it would bring nothing.
///
/// A day is in order if it has one file for each range of people, all of the same width, and that width is right or
/// next to right: a day that grows past a limit by a few rows is not worth a rewrite. `leave` are paths of files
/// of other writers that cannot be adopted.
pub fn plan_day(
    day: i32,
    files: &[DataFile],
    leave: &HashSet<String>,
    config: &EngineConfig,
) -> Option<DayPlan> {
    let files: Vec<DataFile> =
        files.iter().filter(|file| !leave.contains(&file.relative_path)).cloned().collect();
    let rows = files.iter().filter_map(|file| file.statistics.num_records).sum();
    let bytes = files.iter().map(content_bytes).sum();
    let division = DayDivision::new(rows, bytes, config.target_file_bytes, config.row_group_rows as u64);
    let is_in_order = files.is_empty() || is_in_order(&files, division);
    (!is_in_order).then_some(DayPlan { day, files, division })
}

/// About the bytes of a file that its rows take: what it takes besides is gone when it is merged.
fn content_bytes(file: &DataFile) -> u64 {
    let row_groups = file.row_groups.as_ref().map_or(1, Vec::len) as u64;
    let rows = file.statistics.num_records.unwrap_or(0);
    file.size.saturating_sub(FOOTER_BYTES * (1 + row_groups)).max(rows * MIN_ROW_BYTES)
}

fn is_in_order(files: &[DataFile], division: DayDivision) -> bool {
    let mut bits = None;
    let mut seen = HashSet::new();
    for file in files {
        let Some(prefix) = file.row_groups.as_ref().and_then(|_| KeyPrefix::of_file(&file.relative_path))
        else {
            return false;
        };
        let is_same_width = *bits.get_or_insert(prefix.bits) == prefix.bits;
        if !is_same_width || !seen.insert(prefix.prefix) {
            return false;
        }
    }
    let wanted = division.file_bits;
    // Few people can be in few of many ranges.
    let is_few = files.len() <= 1 << wanted;
    bits.is_none_or(|bits| bits.abs_diff(wanted) <= 1 || (bits > wanted && is_few))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::store::layout::RowGroup;
    use crate::store::stats::FileStatistics;

    const DAY: i32 = 20_000;

    /// A file of `rows` rows of the least size.
    fn file(bits: u8, prefix: u16, rows: u64) -> DataFile {
        let size = rows * MIN_ROW_BYTES;
        let path = KeyPrefix { bits, prefix }.file_path(DAY);
        DataFile {
            path: path.as_str().into(),
            relative_path: path,
            size,
            modified: DateTime::default(),
            day: Some(DAY),
            statistics: FileStatistics { num_records: Some(rows), ..FileStatistics::default() },
            row_groups: Some(vec![RowGroup { rows, min_key: 0, max_key: 1 }]),
            checksum: Some(0),
        }
    }

    fn bits_of(files: &[DataFile]) -> Option<u8> {
        let config = EngineConfig { target_file_bytes: 1600, ..EngineConfig::default() };
        plan_day(DAY, files, &HashSet::new(), &config).map(|plan| plan.division.file_bits)
    }

    #[test]
    fn a_day_with_one_file_for_each_range_is_in_order() {
        assert_eq!(bits_of(&[file(0, 0, 100)]), None);
        assert_eq!(bits_of(&[file(1, 0, 90), file(1, 1, 90)]), None);
        assert_eq!(bits_of(&[file(3, 5, 90)]), None, "one person, say");
        assert_eq!(bits_of(&[file(0, 0, 199)]), None, "hardly too large");
    }

    #[test]
    fn other_days_are_rewritten() {
        assert_eq!(bits_of(&[file(0, 0, 10), file(0, 0, 10)]), Some(0), "merged");
        assert_eq!(bits_of(&[file(0, 0, 390)]), Some(2), "divided more finely");
        assert_eq!(bits_of(&[file(2, 0, 10), file(2, 1, 10), file(2, 2, 10)]), Some(0), "and less");
        assert_eq!(bits_of(&[file(0, 0, 90), file(1, 0, 90)]), Some(1), "of different widths");
        let foreign = DataFile { row_groups: None, checksum: None, ..file(0, 0, 50) };
        assert_eq!(bits_of(&[foreign]), Some(0), "adopted");
    }

    #[test]
    fn a_file_that_cannot_be_adopted_is_left_alone() {
        let foreign = DataFile { row_groups: None, checksum: None, ..file(0, 0, 50) };
        let leave = HashSet::from([foreign.relative_path.clone()]);
        assert!(plan_day(DAY, &[foreign, file(0, 0, 1)], &leave, &EngineConfig::default()).is_none());
    }
}
