//! Loads through faults: what passes is not noticed, what lasts is an error in time, and nothing is lost or doubled.

use std::time::{Duration, Instant};

use super::emulators::{Emulator, Kind};
use super::files::{ROWS, write_files};
use super::proxy::{Fault, Proxy};
use crate::cli::support::{Finished, figure};

const FILES: u64 = 11;
const FAULTS: [Fault; 7] = [
    Fault::Status(500),
    Fault::Status(503),
    Fault::Status(429),
    Fault::Reset,
    Fault::Truncate,
    Fault::Slow,
    Fault::Hang,
];
const COUNT: &str = "SELECT count(*) FROM touchpoints";

fn with_files(test: impl FnOnce(&Emulator)) {
    let directory = tempfile::tempdir().unwrap();
    write_files(&directory.path().join("in"), FILES);
    if let Some(emulator) = Emulator::start(Kind::S3, directory.path()) {
        test(&emulator);
    }
}

fn is_whole(emulator: &Emulator, store: &str) {
    assert_eq!(emulator.value(store, COUNT), (FILES * ROWS).to_string());
    let files = "SELECT count(DISTINCT campaign) FROM touchpoints";
    assert_eq!(emulator.value(store, files), FILES.to_string());
}

#[test]
fn faults_that_pass_are_not_noticed() {
    with_files(|emulator| {
        for (index, fault) in FAULTS.into_iter().enumerate() {
            let proxy =
                Proxy::start(&emulator.address, move |request| (request.number % 7 == 1).then_some(fault));
            let store = emulator.url(&format!("store-{index}"));
            // Rows are not compared, so that a file that comes twice shows.
            let args = [
                "--store",
                &store,
                "--remote-deadline",
                "12s",
                "load",
                "--dedup",
                "none",
                "s3://journeys/in/",
            ];
            let report = Finished::of(&mut emulator.command_at(&proxy.address, &args)).succeeded(&args);
            assert_eq!(figure(&report, "rows loaded"), FILES * ROWS, "{fault:?}: {report}");
            assert!(proxy.faults() > 4, "{fault:?}");
            drop(proxy);
            is_whole(emulator, &store);
        }
    });
}

#[test]
fn faults_that_last_end_the_load_in_time_and_it_can_be_repeated() {
    const DEADLINE: Duration = Duration::from_secs(4);
    with_files(|emulator| {
        for (index, fault) in FAULTS.into_iter().enumerate() {
            // From the beginning, while files are read, and while the table is written.
            for after in [0, 20, 50] {
                let proxy = Proxy::start(&emulator.address, move |request| {
                    (request.number >= after).then_some(fault)
                });
                let store = emulator.url(&format!("store-{index}-{after}"));
                let args = [
                    "--store",
                    &store,
                    "--remote-deadline",
                    "4s",
                    "load",
                    "--dedup",
                    "none",
                    "s3://journeys/in/",
                ];
                let started = Instant::now();
                let failed = Finished::of(&mut emulator.command_at(&proxy.address, &args));
                let took = started.elapsed();
                failed.assert_refused(&[]);
                assert!(
                    failed.stderr.contains("journeys") || failed.stderr.contains("touchpoints"),
                    "{}",
                    failed.stderr
                );
                // The machine may be busy; without a deadline it would be minutes.
                assert!(took < DEADLINE * 5, "{fault:?} after {after}: {took:?}");
                drop(proxy);
                let report =
                    emulator.ok(&["--store", &store, "load", "--dedup", "none", "s3://journeys/in/"]);
                let loaded = figure(&report, "rows loaded");
                assert!(loaded == 0 || loaded == FILES * ROWS, "{report}");
                is_whole(emulator, &store);
            }
        }
    });
}
