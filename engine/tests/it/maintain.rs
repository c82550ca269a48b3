//! The life of a table after its loads: what maintenance leaves, and that it changes no answer.

mod damage;
mod delete;
mod erase;
mod identity;
mod optimize;
mod versions;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};
use wayfare_datasets::{GeneratorConfig, OutputFormat, write_dataset};
use wayfare_engine::maintain::optimize::{OptimizeReport, OptimizeRequest};
use wayfare_engine::{Engine, EngineConfig};

use crate::people::{BY_PERSON, WINDOWS};
use crate::support::{self, lines, load, session};

const ROW_GROUP_ROWS: usize = 60;
const TARGET_FILE_BYTES: u64 = 40_000;

/// The configuration of a store in a directory, with small files.
fn config(store: &Path) -> EngineConfig {
    EngineConfig {
        store_url: store.display().to_string(),
        row_group_rows: ROW_GROUP_ROWS,
        target_file_bytes: TARGET_FILE_BYTES,
        ..EngineConfig::default()
    }
}

/// Generated files of a few days, so that each of `parts` loads brings a file to every day.
fn inputs(directory: &Path, events: u64, parts: u32, seed: u64) -> Vec<PathBuf> {
    let generator = GeneratorConfig {
        seed,
        events,
        users: 60,
        days: 4,
        late: 0.1,
        out_of_order: 0.2,
        ..GeneratorConfig::default()
    };
    write_dataset(&generator, directory, OutputFormat::Parquet, None, parts).expect("data").files
}

/// A store with `events` rows in `loads` loads.
async fn with_loads(directory: &Path, events: u64, loads: u32) -> Engine {
    let engine = support::engine(config(&directory.join("store"))).await;
    for file in inputs(&directory.join("in"), events, loads, 1) {
        load(&engine, &[file]).await;
    }
    engine
}

async fn optimize(engine: &Engine) -> OptimizeReport {
    let request = OptimizeRequest { table: "touchpoints".to_owned(), days: None };
    engine.optimize(&request).await.expect("a compaction")
}

/// The answers of the journey queries and all rows, each sorted.
async fn answers(engine: &Engine) -> Vec<Vec<String>> {
    let session = session(engine);
    let mut answers = Vec::new();
    for sql in BY_PERSON.iter().chain(WINDOWS).chain(&["SELECT *, day FROM touchpoints"]) {
        let mut rows = lines(&session, sql).await;
        assert!(!rows.is_empty(), "{sql}");
        rows.sort();
        answers.push(rows);
    }
    answers
}

/// Asserts that two sets of answers are the same, telling the first query that differs.
fn assert_same(before: &[Vec<String>], after: &[Vec<String>]) {
    for (index, (before, after)) in before.iter().zip(after).enumerate() {
        assert!(before == after, "answer {index}: {} rows before, {} after", before.len(), after.len());
    }
}

/// Commits one more Parquet file with `rows` of one day, as another engine would: no tags, no statistics.
fn append_foreign(store: &Path, day: &str, name: &str, rows: &RecordBatch) {
    let table = store.join("touchpoints");
    let path = format!("day={day}/{name}.parquet");
    let file = table.join(&path);
    std::fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&file).expect("a file"), rows.schema(), None)
        .expect("a writer");
    writer.write(rows).expect("rows");
    writer.close().expect("a file");
    let add = json!({"add": {
        "path": path,
        "partitionValues": {"day": day},
        "size": std::fs::metadata(&file).expect("a file").len(),
        "modificationTime": 1_700_000_000_000_i64,
        "dataChange": true,
    }});
    let info = json!({"commitInfo": {"timestamp": 1_700_000_000_000_i64, "operation": "WRITE"}});
    let log = table.join("_delta_log");
    let version = std::fs::read_dir(&log)
        .expect("a log")
        .filter(|entry| entry.as_ref().is_ok_and(|e| e.path().extension().is_some_and(|x| x == "json")))
        .count();
    std::fs::write(log.join(format!("{version:020}.json")), format!("{info}\n{add}\n")).expect("a commit");
}

/// The `add` actions of the files that are in the table.
fn live_adds(store: &Path) -> Vec<Value> {
    let table = store.join("touchpoints");
    let mut commits: Vec<_> = std::fs::read_dir(table.join("_delta_log"))
        .expect("a log")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    commits.sort();
    let mut adds = Vec::new();
    for commit in commits {
        for line in std::fs::read_to_string(commit).expect("a commit").lines() {
            let mut action: Value = serde_json::from_str(line).expect("an action");
            if let Some(removed) = action.pointer("/remove/path") {
                adds.retain(|add: &Value| add["path"] != *removed);
            } else if let Some(add) = action.get_mut("add") {
                adds.push(add.take());
            }
        }
    }
    adds
}

/// Runs tasks that need an engine each at the same time.
async fn all<T: Send + 'static>(tasks: Vec<tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.expect("a task"));
    }
    done
}

/// Another engine on the same store, as another process would have.
async fn another(engine: &Engine) -> Arc<Engine> {
    Arc::new(Engine::open(engine.config().clone()).await.expect("the store"))
}
