//! Several engines that load into one store at the same time.

use std::sync::Arc;

use futures::future::join_all;
use wayfare_engine::load::NoProgress;

use super::{InputRow, write_csv};
use crate::support::{directory_engine, lines, request, session, value};

fn some_rows(prefix: &str, count: usize) -> Vec<InputRow> {
    (0..count)
        .map(|n| InputRow {
            event_id: (n % 3 > 0).then(|| format!("{prefix}{n}")),
            user_id: ["ana", "ben", "chloé"][n % 3],
            ts_us: n as i64 * 1_234_567_890,
            event: "visit",
            revenue_cents: Some(n as i64),
            page: Some(format!("/{prefix}/{n}")),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_file_from_two_engines_is_loaded_once() {
    for _ in 0..5 {
        let directory = tempfile::tempdir().expect("a directory");
        let file = write_csv(&directory.path().join("a.csv"), &some_rows("a", 150));
        let store = directory.path().join("store");
        let engines = [directory_engine(&store).await, directory_engine(&store).await];
        let request = request(&[&file]);
        let reports = join_all(engines.iter().map(|e| e.load(&request, Arc::new(NoProgress)))).await;
        let loaded: Vec<u64> = reports.into_iter().map(|r| r.expect("a load").rows_loaded).collect();
        assert_eq!(loaded.iter().sum::<u64>(), 150, "{loaded:?}");
        for engine in &engines {
            let counts = "SELECT count(*), count(DISTINCT event_id), count(DISTINCT page) FROM touchpoints";
            assert_eq!(lines(&session(engine), counts).await, ["150|150|150"]);
        }
        assert_eq!(
            engines[0].history("touchpoints").await.expect("history").len(),
            2,
            "creation and one load"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn different_files_of_the_same_days_are_all_loaded() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let mut requests = Vec::new();
    let mut engines = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let file = write_csv(&directory.path().join(format!("{name}.csv")), &some_rows(name, 120));
        requests.push(request(&[file]));
        engines.push(directory_engine(&store).await);
    }
    let loads =
        engines.iter().zip(&requests).map(|(engine, request)| engine.load(request, Arc::new(NoProgress)));
    for report in join_all(loads).await {
        assert_eq!(report.expect("a load").rows_loaded, 120);
    }
    let counts = "SELECT count(*), count(DISTINCT event_id), count(DISTINCT page) FROM touchpoints";
    for engine in &engines {
        assert_eq!(lines(&session(engine), counts).await, ["480|480|480"]);
    }
}

/// Both files have half of their ids in common: whoever comes second leaves those out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_two_loads_share_are_loaded_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let rows = some_rows("a", 90);
    let files = [
        write_csv(&directory.path().join("first.csv"), &rows[..60]),
        write_csv(&directory.path().join("second.csv"), &rows[30..]),
    ];
    let engines = [directory_engine(&store).await, directory_engine(&store).await];
    let requests = [request(&[&files[0]]), request(&[&files[1]])];
    let loads =
        engines.iter().zip(&requests).map(|(engine, request)| engine.load(request, Arc::new(NoProgress)));
    let loaded: u64 = join_all(loads).await.into_iter().map(|r| r.expect("a load").rows_loaded).sum();
    assert_eq!(loaded, 90);
    assert_eq!(value(&session(&engines[0]), "SELECT count(DISTINCT page) FROM touchpoints").await, "90");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_that_open_a_new_store_at_once_share_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let engines = join_all((0..4).map(|_| directory_engine(&store))).await;
    let file = write_csv(&directory.path().join("a.csv"), &some_rows("a", 10));
    crate::support::load(&engines[0], &[file]).await;
    for engine in &engines {
        assert_eq!(value(&session(engine), "SELECT count(*) FROM touchpoints").await, "10");
    }
}
