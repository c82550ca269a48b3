//! Google's client, as far as a service without its conditions goes: files are read, and a store is refused.

use super::emulators::{Emulator, Kind};
use super::files::{ROWS, write_files};
use crate::cli::support::{Finished, figure};

#[test]
fn files_are_read_and_a_store_without_conditional_put_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("bucket");
    write_files(&bucket.join("in"), 22);
    // A store that another service could write lies there: it may be read.
    let local = bucket.join("known").display().to_string();
    let Some(emulator) = Emulator::start(Kind::Gcs, &bucket) else { return };
    let report = emulator.ok(&["load", "--store", &local, "gs://journeys/in/"]);
    assert_eq!(figure(&report, "rows loaded"), 22 * ROWS, "{report}");
    drop(emulator);

    let Some(emulator) = Emulator::start(Kind::Gcs, &bucket) else { return };
    let refused = |args: &[&str]| {
        let finished = Finished::of(&mut emulator.command(args));
        finished.assert_refused(&["gs://journeys/", "has no conditional put"]);
    };
    refused(&["load", "--store", "gs://journeys/new", "gs://journeys/in/"]);
    refused(&["load", "--store", "gs://journeys/known", "gs://journeys/in/"]);
    refused(&["optimize", "--store", "gs://journeys/known"]);
    refused(&["erase", "--store", "gs://journeys/known", "--user-id", "u1"]);
    let count = emulator.value("gs://journeys/known", "SELECT count(*) FROM touchpoints");
    assert_eq!(count, (22 * ROWS).to_string());
}
