//! The service does what it is asked, and the answer does not arrive.

use std::collections::HashSet;

use super::emulators::{Emulator, Kind};
use super::files::{ROWS, csv};
use super::proxy::{Fault, Proxy};
use crate::cli::support::{Finished, figure};

#[test]
fn commits_whose_answer_is_lost_count_once() {
    for kind in [Kind::S3, Kind::Azure, Kind::Gcs] {
        for fault in [Fault::LoseAnswer, Fault::DenyAnswer] {
            each_commit_counts_once(kind, fault);
        }
    }
}

/// The first answer to each put is lost: of marker, data files and commits.
fn each_commit_counts_once(kind: Kind, fault: Fault) {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..4 {
        std::fs::write(directory.path().join(format!("f{number}.csv")), csv(number)).unwrap();
    }
    let Some(emulator) = Emulator::start(kind, directory.path()) else { return };
    let mut seen = HashSet::new();
    let proxy = Proxy::start(&emulator.address, move |request| {
        (request.method == "PUT" && seen.insert(request.target.clone())).then_some(fault)
    });
    let store = emulator.url("store");
    for number in 0..4 {
        let input = emulator.url(&format!("f{number}.csv"));
        let args = ["--store", &store, "--remote-deadline", "20s", "load", "--dedup", "none", &input];
        let report = Finished::of(&mut emulator.command_at(&proxy.address, &args)).succeeded(&args);
        assert_eq!(figure(&report, "rows loaded"), ROWS, "{kind:?} {fault:?}: {report}");
    }
    assert!(proxy.faults() >= 10, "{kind:?} {fault:?}: {} faults", proxy.faults());
    drop(proxy);
    let each =
        "SELECT count(*) FROM (SELECT campaign FROM touchpoints GROUP BY campaign HAVING count(*) = 5)";
    assert_eq!(emulator.value(&store, each), "4");
    // A heading, the creation and four loads.
    let history = emulator.ok(&["--store", &store, "history"]);
    assert_eq!(history.lines().count(), 6, "{kind:?} {fault:?}: {history}");
}
