//! Loads through faults: what passes is not noticed, what lasts is an error in time, and nothing is lost or doubled.

use std::process::Command;
use std::time::{Duration, Instant};

use super::emulators::{Emulator, Kind};
use super::files::{ROWS, write_files};
use super::proxy::{Fault, Proxy};
use crate::cli::support::{Finished, figure};
use crate::support::tell;

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
    /// For files that were written and are removed again, and for a busy machine.
    const MORE: Duration = Duration::from_secs(10);
    let mut longest = Duration::ZERO;
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
                // Which file of the input, or what of the store.
                let named = ["s3://journeys/in/", &store, "touchpoints"];
                assert!(named.iter().any(|name| failed.stderr.contains(name)), "{}", failed.stderr);
                assert!(took < DEADLINE + MORE, "{fault:?} after {after}: {took:?}");
                longest = longest.max(took);
                drop(proxy);
                let report =
                    emulator.ok(&["--store", &store, "load", "--dedup", "none", "s3://journeys/in/"]);
                let loaded = figure(&report, "rows loaded");
                assert!(loaded == 0 || loaded == FILES * ROWS, "{report}");
                is_whole(emulator, &store);
            }
        }
    });
    tell(format!("with a deadline of {DEADLINE:?} faults that lasted ended loads after {longest:?} at most"));
}

/// The engine's tests show that what is tried again ends within it.
#[test]
fn without_another_deadline_it_is_two_minutes() {
    let help = Finished::of(Command::new(env!("CARGO_BIN_EXE_wayfare")).args(["load", "--help"]))
        .succeeded(&["--help"]);
    let option = help.split("--remote-deadline").nth(1).expect("the option");
    let default = option.split("[default: ").nth(1).expect("its default");
    assert!(default.starts_with("120s]"), "{default}");
}
