//! Several engines that load into one store at the same time.

use std::path::PathBuf;
use std::sync::{Arc, Once};

use futures::future::join_all;
use parquet::basic::Compression as Codec;
use wayfare_engine::load::{Dedup, LoadProgress, LoadRequest, LoadStage, NoProgress};

use super::samples::parquet;
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

/// Loads a file by another engine at a certain point of a load.
struct LoadedMeanwhile {
    store: PathBuf,
    request: LoadRequest,
    /// When files have been identified; or else when they are about to be read.
    when_identified: bool,
    done: Once,
}

impl LoadedMeanwhile {
    fn load(&self) {
        let load = || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            let loaded = runtime.block_on(async {
                let other = directory_engine(&self.store).await;
                other.load(&self.request, Arc::new(NoProgress)).await
            });
            assert_eq!(loaded.expect("a load").rows_loaded, 20);
        };
        // A thread may have one runtime only.
        self.done.call_once(|| std::thread::scope(|scope| scope.spawn(load).join().expect("loaded")));
    }
}

impl LoadProgress for LoadedMeanwhile {
    fn stage(&self, stage: LoadStage, _total_rows: Option<u64>) {
        if stage == LoadStage::Read && !self.when_identified {
            self.load();
        }
    }

    fn rows(&self, _rows: u64) {}

    fn input(&self, _files: u64, _bytes: u64) {
        if self.when_identified {
            self.load();
        }
    }
}

/// What a file holds becomes known when its rows have been read, and then another may have loaded it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_loaded_meanwhile_is_loaded_once() {
    let cases = [(true, false), (false, false), (true, true)];
    let formats = [("a.csv", None), ("a.parquet", Some(parquet(20, Codec::SNAPPY)))];
    for (format, (when_identified, force)) in formats.iter().flat_map(|f| cases.map(|case| (f, case))) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(format.0);
        let file = match &format.1 {
            None => write_csv(&path, &some_rows("a", 20)),
            Some(bytes) => {
                std::fs::write(&path, bytes).expect("written");
                path
            }
        };
        let store = directory.path().join("store");
        let engine = directory_engine(&store).await;
        let request = LoadRequest { dedup: Dedup::None, ..request(&[&file]) };
        let meanwhile =
            LoadedMeanwhile { store, request: request.clone(), when_identified, done: Once::new() };
        let report = engine.load(&LoadRequest { force, ..request }, Arc::new(meanwhile)).await;
        let report = report.expect("a load");
        let again = if force { 20 } else { 0 };
        assert_eq!(report.rows_loaded, again, "{when_identified}");
        assert_eq!(report.files_already_loaded.len(), usize::from(!force));
        let count = value(&session(&engine), "SELECT count(*) FROM touchpoints").await;
        assert_eq!(count, (20 + again).to_string(), "{when_identified}");
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
