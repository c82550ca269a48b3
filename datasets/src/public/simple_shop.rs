//! simple_shop: the event log of an online shop (retentioneering-tools, 2020, Mozilla Public License 2.0).
//!
//! 35,381 rows of 3,751 users with the columns `user_id`, `event` and `timestamp` (no zone, read as UTC). It has no
//! `event_id`; a load maps `ts` to `timestamp`. Origin, columns and definitions: `data/simple_shop/README.md`.

use std::io;
use std::path::{Path, PathBuf};

/// Name of the bundled file.
pub const FILE_NAME: &str = "simple_shop.csv.gz";
/// Data rows, the header line not counted.
pub const ROWS: u64 = 35_381;
/// Distinct users.
pub const USERS: u64 = 3_751;

/// Licence of the file: the full text of the Mozilla Public License 2.0.
pub const LICENCE: &str = include_str!("../../data/simple_shop/LICENSE");
/// Origin, copyright notice, columns and definitions.
pub const README: &str = include_str!("../../data/simple_shop/README.md");

/// Returns the file as it is bundled: CSV, compressed with gzip.
pub fn csv_gz() -> &'static [u8] {
    include_bytes!("../../data/simple_shop/simple_shop.csv.gz")
}

/// Returns the expected results of journey functions on this file, a JSON object.
pub fn answers_json() -> &'static str {
    include_str!("../../data/simple_shop/answers.json")
}

/// Writes [`FILE_NAME`] into a directory, which is created if needed, and returns the path of the file.
/// A file of that name is replaced in one step.
///
/// # Errors
/// Those of the file system.
pub fn write_to(dir: &Path) -> io::Result<PathBuf> {
    super::write_file(dir, FILE_NAME, csv_gz())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io::Read;

    use super::*;

    #[test]
    fn the_bundled_file_is_complete() {
        let mut text = String::new();
        flate2::read::GzDecoder::new(csv_gz()).read_to_string(&mut text).unwrap();
        assert_eq!((csv_gz().len(), text.len()), (368_056, 1_597_726));
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("user_id,event,timestamp"));
        let rows: Vec<&str> = lines.collect();
        assert_eq!(rows.len() as u64, ROWS);
        let users: HashSet<&str> = rows.iter().filter_map(|row| row.split(',').next()).collect();
        assert_eq!(users.len() as u64, USERS);
        let lost = rows.iter().filter(|row| row.split(',').nth(1) == Some("lost")).count();
        assert_eq!(lost, 3098);
    }

    #[test]
    fn licence_and_notice_are_bundled() {
        assert!(LICENCE.starts_with("Mozilla Public License Version 2.0"));
        assert!(LICENCE.contains("Exhibit B"));
        assert!(README.contains("Copyright (C) 2019 Maxim Godzi, Anatoly Zaytsev, Dmitrii Kiselev"));
        assert!(answers_json().contains("\"rows_all\": 35381"));
    }

    #[test]
    fn the_file_is_written_as_it_is_bundled() {
        let dir = tempfile::tempdir().unwrap();
        let path = write_to(dir.path()).unwrap();
        assert_eq!(path.file_name().unwrap(), FILE_NAME);
        assert_eq!(std::fs::read(path).unwrap(), csv_gz());
    }
}
