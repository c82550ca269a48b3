//! Files in S3.

use super::emulators::{Emulator, Kind, S3_SECRET};
use super::files::{self, ROWS, write_files};
use crate::cli::support::{Finished, figure};

const FILES: u64 = 200;

#[test]
fn a_prefix_of_files_of_every_kind_is_loaded_once() {
    prefix_is_loaded_once(Kind::S3, "s3://journeys/in/");
}

/// Loads `input` twice, then a pattern and one file of it, into stores on this machine.
pub(super) fn prefix_is_loaded_once(kind: Kind, input: &str) {
    let directory = tempfile::tempdir().unwrap();
    let names = write_files(&directory.path().join("bucket/in"), FILES);
    let Some(emulator) = Emulator::start(kind, &directory.path().join("bucket")) else { return };
    let store = directory.path().join("store").display().to_string();

    let report = emulator.ok(&["load", "--store", &store, input]);
    assert_eq!(figure(&report, "files"), FILES, "{report}");
    assert_eq!(figure(&report, "rows loaded"), FILES * ROWS, "{report}");
    let each =
        "SELECT count(*) FROM (SELECT campaign FROM touchpoints GROUP BY campaign HAVING count(*) = 5)";
    assert_eq!(emulator.value(&store, each), FILES.to_string());
    let again = emulator.ok(&["load", "--store", &store, input]);
    assert!(again.contains("nothing new: table touchpoints is unchanged"), "{again}");
    assert_eq!(figure(&again, "rows read"), 0, "{again}");

    // The folder part=1 has the files 50 to 99.
    let other = directory.path().join("other").display().to_string();
    let pattern = format!("{input}part=1/*.csv*");
    let expected = names.iter().filter(|n| n.starts_with("part=1/") && n.contains(".csv")).count() as u64;
    let report = emulator.ok(&["load", "--store", &other, &pattern]);
    assert_eq!((figure(&report, "files"), figure(&report, "rows loaded")), (expected, expected * ROWS));
    let one = emulator.ok(&["load", "--store", &other, &format!("{input}{}", names[10])]);
    assert_eq!(figure(&one, "rows loaded"), ROWS, "{one}");
    assert!(emulator.ok(&["history", "--store", &other]).contains(&names[10]));
}

#[test]
fn what_is_missing_is_named_and_secrets_are_not() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.csv"), files::csv(0)).unwrap();
    let Some(emulator) = Emulator::start(Kind::S3, directory.path()) else { return };
    let store = directory.path().join("store").display().to_string();
    let nothing = Finished::of(&mut emulator.command(&["load", "--store", &store, "s3://journeys/nothing/"]));
    nothing.assert_refused(&["s3://journeys/nothing/", "there is no such object"]);
    let mut denied = emulator.command(&["load", "--store", &store, "s3://no-such-bucket/a.csv"]);
    let denied = Finished::of(&mut denied);
    denied.assert_refused(&["s3://no-such-bucket/a.csv"]);

    let mut talkative = emulator.command(&["load", "--store", &store, "s3://journeys/a.csv"]);
    let loaded = Finished::of(talkative.env("WAYFARE_LOG", "trace"));
    assert_eq!(loaded.code, Some(0), "{}", loaded.stderr);
    assert!(loaded.stderr.len() > 1000, "it says much");
    for text in [&nothing.stderr, &denied.stderr, &loaded.stderr, &loaded.stdout] {
        assert!(!text.contains(S3_SECRET), "the secret is shown");
    }
}
