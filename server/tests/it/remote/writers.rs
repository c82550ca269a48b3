//! Processes that load into one store at the same time, while others read.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use super::emulators::{Emulator, Kind};
use super::files::{ROWS, csv};
use crate::cli::support::{Finished, figure};

const WRITERS: u64 = 4;
const FILES_EACH: u64 = 5;

#[test]
fn on_this_machine() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store").display().to_string();
    counts_grow_by_whole_files(directory.path(), &|args| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wayfare"));
        command.args(["--threads", "2", "--store", &store]).args(args).stdin(Stdio::null());
        command
    });
}

#[test]
fn in_s3() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("bucket")).unwrap();
    let Some(emulator) = Emulator::start(Kind::S3, &directory.path().join("bucket")) else { return };
    let store = emulator.url("store");
    counts_grow_by_whole_files(directory.path(), &|args| {
        emulator.command(&[&["--store", &store], args].concat())
    });
}

fn counts_grow_by_whole_files(directory: &Path, wayfare: &(dyn Fn(&[&str]) -> Command + Sync)) {
    let file = |number: u64| {
        let path = directory.join(format!("f{number}.csv"));
        std::fs::write(&path, csv(number)).unwrap();
        path.display().to_string()
    };
    let ok = |args: &[&str]| Finished::of(&mut wayfare(args)).succeeded(args);
    // One file first, so that the store is there for the readers.
    ok(&["load", &file(1000)]);
    let whole = "SELECT count(*), count(*) FILTER (WHERE n <> 5) FROM (SELECT count(*) AS n FROM touchpoints GROUP BY campaign)";
    let count = || {
        let answer = ok(&["query", "--format", "csv", whole]);
        let (files, torn) = answer.lines().nth(1).unwrap().split_once(',').unwrap();
        assert_eq!(torn, "0", "a file is there in part or twice");
        files.parse::<u64>().unwrap()
    };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut last, mut looks) = (0, 0);
                    while !done.load(Ordering::Relaxed) {
                        let files = count();
                        assert!(files >= last, "{files} after {last}");
                        (last, looks) = (files, looks + 1);
                    }
                    looks
                })
            })
            .collect();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (file, ok) = (&file, &ok);
                scope.spawn(move || {
                    for number in 0..FILES_EACH {
                        let report = ok(&["load", "--dedup", "none", &file(writer * FILES_EACH + number)]);
                        assert_eq!(figure(&report, "rows loaded"), ROWS, "{report}");
                    }
                })
            })
            .collect();
        let outcomes: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Ordering::Relaxed);
        for outcome in outcomes {
            outcome.expect("no failure of a writer");
        }
        for reader in readers {
            assert!(reader.join().expect("no failure of a reader") > 0);
        }
    });
    assert_eq!(count(), 1 + WRITERS * FILES_EACH);

    let same = file(2000);
    let loaded: u64 = std::thread::scope(|scope| {
        let loads: Vec<_> = (0..WRITERS)
            .map(|_| scope.spawn(|| figure(&ok(&["load", "--dedup", "none", &same]), "rows loaded")))
            .collect();
        loads.into_iter().map(|load| load.join().expect("no failure")).sum()
    });
    assert_eq!(loaded, ROWS, "one of them");
    assert_eq!(count(), 2 + WRITERS * FILES_EACH);
}
