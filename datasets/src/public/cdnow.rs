//! cdnow: the purchases that new customers of CDNOW made in eighteen months (Lifetimes 0.11.3, MIT licence).
//!
//! Everybody who first bought in the first quarter of 1997, until June 1998: 69,659 purchases of 23,570 customers with
//! the columns `customer_id`, `date` (YYYYMMDD), `number_of_cds` and `dollar_value`; a sample of a tenth of the
//! customers; and a published summary of that sample. A load maps `ts`, `user_id` and `revenue`, sets `event` and
//! needs `--ts-unit yyyymmdd`. Origin, oddities and definitions: `data/cdnow/README.md`.

use std::io;
use std::path::Path;

/// Name of the bundled file of all purchases.
pub const MASTER_FILE_NAME: &str = "cdnow_master.csv.zst";
/// Name of the bundled file of the purchases of a tenth of the customers.
pub const SAMPLE_FILE_NAME: &str = "cdnow_sample.csv.zst";
/// Name of the bundled file with one published row for each customer of the sample.
pub const SUMMARY_FILE_NAME: &str = "cdnow_customers_summary_published.csv.zst";
/// Purchases.
pub const ROWS: u64 = 69_659;
/// Distinct customers.
pub const CUSTOMERS: u64 = 23_570;
/// Purchases in the sample.
pub const SAMPLE_ROWS: u64 = 6_919;
/// Distinct customers of the sample, rows of the summary.
pub const SAMPLE_CUSTOMERS: u64 = 2_357;

/// Licence of the package that the files are from: the MIT licence with its copyright notice.
pub const LICENCE: &str = include_str!("../../data/cdnow/LICENSE");
/// Origin, whom to cite, changes, columns and definitions.
pub const README: &str = include_str!("../../data/cdnow/README.md");

/// Returns all purchases as they are bundled: CSV, compressed with zstd.
pub fn master_csv_zst() -> &'static [u8] {
    include_bytes!("../../data/cdnow/cdnow_master.csv.zst")
}

/// Returns the sample as it is bundled: CSV, compressed with zstd. It has one more column, `sample_id`.
pub fn sample_csv_zst() -> &'static [u8] {
    include_bytes!("../../data/cdnow/cdnow_sample.csv.zst")
}

/// Returns the published summary as it is bundled: CSV with `ID`, `frequency`, `recency` and `T`, compressed with zstd.
pub fn summary_csv_zst() -> &'static [u8] {
    include_bytes!("../../data/cdnow/cdnow_customers_summary_published.csv.zst")
}

/// Returns the expected results of journey functions on these files, a JSON object.
pub fn answers_json() -> &'static str {
    include_str!("../../data/cdnow/answers.json")
}

/// Writes the three files into a directory, which is created if needed. A file of the same name is replaced in one
/// step.
///
/// # Errors
/// Those of the file system.
pub fn write_to(dir: &Path) -> io::Result<()> {
    for (name, bytes) in files() {
        super::write_file(dir, name, bytes)?;
    }
    Ok(())
}

fn files() -> [(&'static str, &'static [u8]); 3] {
    [
        (MASTER_FILE_NAME, master_csv_zst()),
        (SAMPLE_FILE_NAME, sample_csv_zst()),
        (SUMMARY_FILE_NAME, summary_csv_zst()),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Header, rows, and how many different values the first column has.
    fn content(compressed: &[u8]) -> (String, u64, u64) {
        let text = String::from_utf8(zstd::decode_all(compressed).unwrap()).unwrap();
        let mut lines = text.lines();
        let header = lines.next().unwrap().to_owned();
        let rows: Vec<&str> = lines.collect();
        let people: HashSet<&str> = rows.iter().filter_map(|row| row.split(',').next()).collect();
        (header, rows.len() as u64, people.len() as u64)
    }

    #[test]
    fn the_bundled_files_are_complete() {
        let header = "customer_id,date,number_of_cds,dollar_value";
        assert_eq!(content(master_csv_zst()), (header.to_owned(), ROWS, CUSTOMERS));
        let header = "customer_id,sample_id,date,number_of_cds,dollar_value";
        assert_eq!(content(sample_csv_zst()), (header.to_owned(), SAMPLE_ROWS, SAMPLE_CUSTOMERS));
        let header = "ID,frequency,recency,T";
        assert_eq!(content(summary_csv_zst()), (header.to_owned(), SAMPLE_CUSTOMERS, SAMPLE_CUSTOMERS));
        let sizes: Vec<usize> = files().iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(sizes, [329_322, 39_743, 7_810]);
    }

    #[test]
    fn licence_and_notice_are_bundled() {
        assert!(LICENCE.starts_with("The MIT License (MIT)"));
        assert!(LICENCE.contains("Copyright (c) 2015, Cameron Davidson-Pilon"));
        assert!(README.contains("Fader") && README.contains("Hardie"));
        assert!(answers_json().contains("\"transactions\": 69659"));
    }

    #[test]
    fn the_files_are_written_as_they_are_bundled() {
        let dir = tempfile::tempdir().unwrap();
        write_to(dir.path()).unwrap();
        for (name, bytes) in files() {
            assert_eq!(std::fs::read(dir.path().join(name)).unwrap(), bytes, "{name}");
        }
    }
}
