//! Erasure: nobody sees the people again, no byte of theirs is left, no load brings them back.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use wayfare_engine::Engine;
use wayfare_engine::load::{LoadRequest, NoProgress};
use wayfare_engine::maintain::erase::EraseRequest;

use super::{ROW_GROUP_ROWS, all, another, config, live_adds, optimize};
use crate::load::layout::check_file;
use crate::support::{self, lines, load, request, session, value};

const ROWS: &str = "\
event_id,user_id,anonymous_id,ts,event
e1,ann-secret,,2026-01-01T10:00:00Z,view
e2,ann-secret,ann-phone,2026-01-02T10:00:00Z,view
e3,ben-stays,,2026-01-01T11:00:00Z,view
e4,ann-phone,ann-tablet,2026-01-03T10:00:00Z,view
e5,ann-tablet,,2026-01-03T10:00:01Z,view
e6,ben-stays,ann-phone,2026-01-03T10:00:02Z,view
e7,cem-stays,ann-secret,2026-01-02T10:00:00Z,view
e8,cem-stays,unknown,2026-01-04T10:00:00Z,view
";

fn erasure(ids: &[&str]) -> EraseRequest {
    EraseRequest { ids: ids.iter().map(|id| (*id).to_owned()).collect(), ..EraseRequest::default() }
}

async fn events(engine: &Engine) -> Vec<String> {
    lines(&session(engine), "SELECT event_id FROM touchpoints ORDER BY event_id").await
}

async fn loaded(directory: &Path) -> Engine {
    let engine = support::engine(config(&directory.join("store"))).await;
    let file = directory.join("rows.csv");
    std::fs::write(&file, ROWS).expect("a file");
    load(&engine, &[file]).await;
    engine
}

/// Files below `directory` with `text` in their bytes, or, for Parquet files, in their columns.
pub(super) fn files_with(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).expect("a directory").map(|e| e.expect("an entry").path()));
            continue;
        }
        let bytes = std::fs::read(&path).expect("a file");
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let mut is_found = holds(&bytes);
        if path.extension().is_some_and(|e| e == "parquet") {
            let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(
                bytes::Bytes::from(bytes),
            );
            for batch in reader.expect("a Parquet file").build().expect("a reader") {
                let printed = arrow::util::pretty::pretty_format_batches(&[batch.expect("rows")]);
                is_found |= holds(printed.expect("text").to_string().as_bytes());
            }
        }
        if is_found {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn the_next_query_shows_nothing_of_the_person() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    let reports = engine.erase(&erasure(&["ann-secret"])).await.expect("an erasure");
    assert_eq!(events(&engine).await, ["e3", "e4", "e5", "e6", "e8"]);
    assert_eq!((reports.len(), reports[0].rows, reports[0].files), (1, 3, 2));
    let store = directory.path().join("store");
    for add in live_adds(&store) {
        check_file(&store.join("touchpoints"), &add, ROW_GROUP_ROWS);
    }
    assert!(engine.check("touchpoints").await.expect("a check").problems.is_empty());
    let commits = engine.history("touchpoints").await.expect("history");
    assert_eq!(commits[0].operation, "erase", "the audit line");
}

#[tokio::test]
async fn aliases_are_followed_and_rows_of_others_stay() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    let request = EraseRequest { include_aliases: true, ..erasure(&["ann-secret"]) };
    let reports = engine.erase(&request).await.expect("an erasure");
    assert_eq!(reports[0].aliases, 2, "the phone and the tablet");
    assert_eq!(events(&engine).await, ["e3", "e6", "e8"], "ben used the phone too, and stays");
}

#[tokio::test]
async fn after_a_purge_no_byte_is_left_and_old_versions_do_not_come_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    optimize(&engine).await;
    let store = directory.path().join("store");
    assert!(!files_with(&store, "ann-secret").is_empty(), "the search finds it before");
    let request = EraseRequest { purge: true, ..erasure(&["ann-secret"]) };
    let reports = engine.erase(&request).await.expect("an erasure");
    assert!(reports[0].files_purged >= 2, "{reports:?}");
    assert_eq!(files_with(&store, "ann-secret"), Vec::<String>::new());
    assert_eq!(events(&engine).await, ["e3", "e4", "e5", "e6", "e8"]);
    let error = engine.restore("touchpoints", 1).await.expect_err("refused").to_string();
    assert!(error.contains("bring them back"), "{error}");
}

#[tokio::test]
async fn loading_again_does_not_bring_the_person_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    engine.erase(&erasure(&["ann-secret"])).await.expect("an erasure");
    let file = directory.path().join("rows.csv");
    for table in ["touchpoints", "others"] {
        let again =
            LoadRequest { force: true, table: table.to_owned(), ..request(std::slice::from_ref(&file)) };
        let report = engine.load(&again, Arc::new(NoProgress)).await.expect("a load");
        assert_eq!(report.rows_erased, 3, "{table}");
        let named = "user_id = 'ann-secret' OR anonymous_id = 'ann-secret'";
        let count = format!("SELECT count(*) FROM {table} WHERE {named}");
        assert_eq!(value(&session(&engine), &count).await, "0");
    }
    // The list is in force for whoever opens the store later.
    let later = another(&engine).await;
    let again = LoadRequest { force: true, ..request(&[file]) };
    assert_eq!(later.load(&again, Arc::new(NoProgress)).await.expect("a load").rows_erased, 3);
}

#[tokio::test]
async fn an_erasure_needs_ids() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    for ids in [&[][..], &["a", ""]] {
        let error = engine.erase(&erasure(ids)).await.expect_err("refused").to_string();
        assert!(error.contains("no id to erase"), "{error}");
    }
}

/// Loads that bring the person along, compactions and the erasure at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn erased_stays_erased_while_others_write() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    let mut tasks = Vec::new();
    for loader in 0..3 {
        let (other, directory) = (another(&engine).await, directory.path().to_owned());
        tasks.push(tokio::spawn(async move {
            for number in 0..4 {
                let file = directory.join(format!("more-{loader}-{number}.csv"));
                let row =
                    |who: &str| format!("{who}{loader}{number},{who},2026-01-0{},view\n", 1 + number % 3);
                let text = format!("event_id,user_id,ts,event\n{}{}", row("ann-secret"), row("dan"));
                std::fs::write(&file, text).expect("a file");
                load(&other, &[file]).await;
            }
        }));
    }
    let compactor = another(&engine).await;
    tasks.push(tokio::spawn(async move {
        for _ in 0..4 {
            optimize(&compactor).await;
        }
    }));
    let eraser = another(&engine).await;
    tasks.push(tokio::spawn(async move {
        eraser.erase(&erasure(&["ann-secret"])).await.expect("an erasure");
        let left =
            value(&session(&eraser), "SELECT count(*) FROM touchpoints WHERE user_id = 'ann-secret'").await;
        assert_eq!(left, "0");
    }));
    all(tasks).await;
    let by_user =
        "SELECT user_id, count(*) FROM touchpoints WHERE user_id IN ('ann-secret', 'dan') GROUP BY 1";
    assert_eq!(lines(&session(&engine), by_user).await, ["dan|12"]);
    let ids: BTreeSet<String> = events(&engine).await.into_iter().collect();
    assert_eq!(ids.len(), 5 + 12, "nothing else is lost");
}
