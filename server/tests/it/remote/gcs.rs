//! Google's client on the S3 service, as far as their interfaces are alike: files are listed and read.
//!
//! No emulator of Google's interface for writing is to be had as a package: what there is speaks another one, and knows no
//! conditions.

use super::emulators::{Emulator, Kind};
use super::files::{ROWS, write_files};
use crate::cli::support::figure;

#[test]
fn files_are_listed_and_read() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("bucket");
    write_files(&bucket.join("in"), 22);
    let Some(emulator) = Emulator::start(Kind::Gcs, &bucket) else { return };
    let store = directory.path().join("store").display().to_string();
    let report = emulator.ok(&["load", "--store", &store, "gs://journeys/in/"]);
    assert_eq!(figure(&report, "rows loaded"), 22 * ROWS, "{report}");
    assert!(emulator.ok(&["load", "--store", &store, "gs://journeys/in/"]).contains("nothing new"));
}
