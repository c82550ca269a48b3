//! weblog_2015: 10,000 requests of a public web site (elastic/examples, 2015, Apache License 2.0).
//!
//! Real requests with bots among them, four days of May 2015, parsed from the combined log format, in the order of
//! the log, which is not the order of time. Columns: `line_no`, `client_ip`, `time_utc`, `method`, `path`, `protocol`,
//! `status`, `bytes`, `referrer`, `user_agent`. A load maps `ts`, `user_id`, `page` and `event_id`.
//! Origin, oddities and definitions: `data/weblog_2015/README.md`.

use std::io;
use std::path::{Path, PathBuf};

/// Name of the bundled file.
pub const FILE_NAME: &str = "weblog_2015.csv.zst";
/// Data rows, the header line not counted.
pub const ROWS: u64 = 10_000;
/// Distinct client addresses.
pub const ADDRESSES: u64 = 1_753;

/// Licence of the file: the full text of the Apache License 2.0, as it stands beside the original.
pub const LICENCE: &str = include_str!("../../data/weblog_2015/LICENSE");
/// Origin, changes, columns and definitions.
pub const README: &str = include_str!("../../data/weblog_2015/README.md");

/// Returns the file as it is bundled: CSV, compressed with zstd.
pub fn csv_zst() -> &'static [u8] {
    include_bytes!("../../data/weblog_2015/weblog_2015.csv.zst")
}

/// Returns the expected results of journey functions on this file, a JSON object.
pub fn answers_json() -> &'static str {
    include_str!("../../data/weblog_2015/answers.json")
}

/// Writes [`FILE_NAME`] into a directory, which is created if needed, and returns the path of the file.
/// A file of that name is replaced in one step.
///
/// # Errors
/// Those of the file system.
pub fn write_to(dir: &Path) -> io::Result<PathBuf> {
    super::write_file(dir, FILE_NAME, csv_zst())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_bundled_file_is_complete() {
        let text = String::from_utf8(zstd::decode_all(csv_zst()).unwrap()).unwrap();
        assert_eq!((csv_zst().len(), text.len()), (146_276, 2_247_324));
        let mut lines = text.lines();
        let header = "line_no,client_ip,time_utc,method,path,protocol,status,bytes,referrer,user_agent";
        assert_eq!(lines.next(), Some(header));
        let rows: Vec<&str> = lines.collect();
        assert_eq!(rows.len() as u64, ROWS);
        let addresses: HashSet<&str> = rows.iter().filter_map(|row| row.split(',').nth(1)).collect();
        assert_eq!(addresses.len() as u64, ADDRESSES);
        let numbers = rows.iter().filter_map(|row| row.split(',').next()?.parse::<u64>().ok());
        assert!(numbers.eq(1..=ROWS));
    }

    #[test]
    fn licence_and_notice_are_bundled() {
        assert!(LICENCE.starts_with("Apache License"));
        assert!(LICENCE.contains("Version 2.0, January 2004"));
        assert!(README.contains("elastic/examples"));
        assert!(answers_json().contains("\"unique_client_ip\": 1753"));
    }

    #[test]
    fn the_file_is_written_as_it_is_bundled() {
        let dir = tempfile::tempdir().unwrap();
        let path = write_to(dir.path()).unwrap();
        assert_eq!(path.file_name().unwrap(), FILE_NAME);
        assert_eq!(std::fs::read(path).unwrap(), csv_zst());
    }
}
