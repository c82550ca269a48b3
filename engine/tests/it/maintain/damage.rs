//! Damage to files: the right answer, or an error that names the file. Never another number.

use std::path::{Path, PathBuf};

use wayfare_engine::maintain::erase::EraseRequest;
use wayfare_engine::maintain::optimize::OptimizeRequest;
use wayfare_engine::{Engine, EngineConfig};

use super::{config, with_loads};
use crate::support::{batches, lines, session};

const SUMS: &str =
    "SELECT count(event_id), sum(revenue), min(ts), max(ts), count(DISTINCT user_id) FROM touchpoints";

/// A fresh engine, as a process that has read nothing yet, which checks files.
async fn fresh(store: &Path) -> Engine {
    let config = EngineConfig { verify_files: true, ..config(store) };
    Engine::open(config).await.expect("the store")
}

fn files(directory: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).expect("a directory").map(|e| e.expect("an entry").path()));
        } else if path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
    found.sort();
    found
}

type Harm = fn(&mut Vec<u8>);

/// Ways to spoil the bytes of a data file. Empty means that the file goes.
const HARMS: [(&str, Harm); 6] = [
    ("a flipped bit among the values", |bytes| bytes[60] ^= 4),
    ("a flipped bit in the middle", |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    }),
    ("a flipped bit in the footer", |bytes| {
        let footer = bytes.len() - 40;
        bytes[footer] ^= 64;
    }),
    ("cut off", |bytes| bytes.truncate(bytes.len() - 100)),
    ("zeros in the place of a block", |bytes| bytes[100..400].fill(0)),
    ("missing", Vec::clear),
];

#[tokio::test(flavor = "multi_thread")]
async fn damaged_data_files_are_named_by_all_that_read_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    drop(with_loads(directory.path(), 900, 2).await);
    let file = files(&store.join("touchpoints"), ".parquet").remove(0);
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    let whole = std::fs::read(&file).expect("a file");
    for (what, harm) in HARMS {
        let mut bytes = whole.clone();
        harm(&mut bytes);
        if bytes.is_empty() {
            std::fs::remove_file(&file).expect("the file goes");
        } else {
            assert_ne!(bytes, whole, "{what}");
            std::fs::write(&file, bytes).expect("a file");
        }
        let engine = fresh(&store).await;
        let query = batches(&session(&engine), SUMS).await.expect_err(what).to_string();
        assert!(query.contains(&name), "{what}: {query}");
        let request = OptimizeRequest { table: "touchpoints".to_owned(), days: None };
        let compaction = engine.optimize(&request).await.expect_err(what).to_string();
        assert!(compaction.contains(&name), "{what}: {compaction}");
        let check = engine.check("touchpoints").await.expect("a report");
        assert_eq!(check.problems.len(), 1, "{what}: {:?}", check.problems);
        assert!(check.problems[0].contains(&name), "{what}: {:?}", check.problems);
        assert_eq!(
            engine.history("touchpoints").await.expect("history").len(),
            3,
            "{what}: nothing was committed"
        );
    }
    std::fs::write(&file, &whole).expect("a file");
    let engine = fresh(&store).await;
    assert!(engine.check("touchpoints").await.expect("a report").problems.is_empty());
    assert_eq!(lines(&session(&engine), "SELECT count(event_id) FROM touchpoints").await, ["900"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_does_not_rewrite_a_damaged_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let engine = with_loads(directory.path(), 300, 1).await;
    let user = lines(&session(&engine), "SELECT min(user_id) FROM touchpoints").await.remove(0);
    // Among the values of `ts`, where no decoder can notice it.
    for file in files(&store.join("touchpoints"), ".parquet") {
        let mut bytes = std::fs::read(&file).expect("a file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&file, bytes).expect("a file");
    }
    let request = EraseRequest { ids: [user].into(), ..EraseRequest::default() };
    let error = engine.erase(&request).await.expect_err("damage").to_string();
    assert!(error.contains(".parquet") && error.contains("damaged"), "{error}");
}

/// Log files that are cut off, overwritten or gone.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_log_files_are_named_or_do_no_harm() {
    let harms: [(&str, Harm); 3] = [
        ("cut off", |bytes| bytes.truncate(bytes.len() / 2)),
        ("overwritten", |bytes| bytes.fill(b'x')),
        ("missing", Vec::clear),
    ];
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    drop(with_loads(directory.path(), 300, 3).await);
    let commit = store.join("touchpoints/_delta_log/00000000000000000002.json");
    let whole = std::fs::read(&commit).expect("a commit");
    for (what, harm) in harms {
        let mut bytes = whole.clone();
        harm(&mut bytes);
        if bytes.is_empty() {
            std::fs::remove_file(&commit).expect("the file goes");
        } else {
            std::fs::write(&commit, bytes).expect("a file");
        }
        let engine = fresh(&store).await;
        let error = match batches(&session(&engine), SUMS).await {
            Err(error) => error.to_string(),
            Ok((_, rows)) => panic!("{what}: {rows:?}"),
        };
        assert!(error.contains("touchpoints"), "{what}: {error}");
        std::fs::write(&commit, &whole).expect("a file");
    }
    assert_eq!(
        lines(&session(&fresh(&store).await), "SELECT count(event_id) FROM touchpoints").await,
        ["300"]
    );
}
