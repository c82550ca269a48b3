//! Compaction: the layout it leaves, and that no answer changes, alone and beside loads and queries.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema};
use proptest::prelude::*;
use proptest::test_runner::Config;
use wayfare_engine::load::NoProgress;
use wayfare_engine::maintain::optimize::{DayRange, OptimizeRequest};
use wayfare_engine::{Engine, EngineConfig, Error, StoreError, schema};

use super::{
    ROW_GROUP_ROWS, all, another, answers, append_foreign, assert_same, config, inputs, live_adds, optimize,
    with_loads,
};
use crate::load::layout::check_file;
use crate::load::{input_rows, run, write_csv};
use crate::support::{self, lines, load, plan, request, session};

const COUNTS: &str = "SELECT count(*), count(DISTINCT event_id) FROM touchpoints";

#[tokio::test(flavor = "multi_thread")]
async fn many_small_files_become_few_and_no_answer_changes() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let engine = with_loads(directory.path(), 3_000, 12).await;
    let before = answers(&engine).await;
    let files_before = live_adds(&store).len();
    let report = optimize(&engine).await;
    assert_same(&before, &answers(&engine).await);

    let adds = live_adds(&store);
    assert_eq!(report.files_removed as usize, files_before);
    assert_eq!(report.files_added as usize, adds.len());
    assert!(adds.len() * 3 < files_before, "{files_before} files became {}", adds.len());
    assert_eq!((report.rows, report.files_adopted), (3_000, 0));
    let table = store.join("touchpoints");
    let rows: usize = adds.iter().map(|add| check_file(&table, add, ROW_GROUP_ROWS)).sum();
    assert_eq!(rows, 3_000);

    let session = session(&engine);
    let plan = plan(&session, "SELECT user_id, count(*) FROM touchpoints GROUP BY user_id").await;
    assert!(plan.contains("ordered: yes"), "{plan}");

    let again = optimize(&engine).await;
    assert_eq!((again.version, again.days, again.days_rewritten), (None, report.days, 0));
    let commits = engine.history("touchpoints").await.expect("history");
    assert_eq!(commits[0].operation, "optimize");
    assert_eq!(
        (commits[0].files_added, commits[0].files_removed),
        (report.files_added, report.files_removed)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn older_versions_and_repeated_loads_are_as_before() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = with_loads(directory.path(), 800, 4).await;
    let pinned = wayfare_engine::SessionOptions {
        pin: Some(wayfare_engine::VersionPin::Version(2)),
        ..wayfare_engine::SessionOptions::default()
    };
    let count = "SELECT count(*), count(DISTINCT page), max(ts) FROM touchpoints";
    let before = lines(&engine.session(&pinned).expect("a session"), count).await;
    optimize(&engine).await;
    assert_eq!(lines(&engine.session(&pinned).expect("a session"), count).await, before);
    // The content is known, and so is every event.
    for file in inputs(&directory.path().join("again"), 800, 4, 1) {
        let report = load(&engine, std::slice::from_ref(&file)).await;
        assert_eq!((report.rows_loaded, report.files_already_loaded.len()), (0, 1));
        let forced = wayfare_engine::load::LoadRequest { force: true, ..request(&[file]) };
        let report = engine.load(&forced, Arc::new(NoProgress)).await.expect("a load");
        assert_eq!((report.rows_loaded, report.rows_duplicate), (0, report.rows_read));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_days_asked_for_are_rewritten() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = with_loads(directory.path(), 400, 3).await;
    let days = lines(&session(&engine), "SELECT DISTINCT day FROM touchpoints ORDER BY 1").await;
    let day = wayfare_engine::store::layout::parse_day(&days[1]).expect("a day");
    let request =
        OptimizeRequest { table: "touchpoints".to_owned(), days: Some(DayRange { first: day, last: day }) };
    let report = engine.optimize(&request).await.expect("a compaction");
    assert_eq!((report.days, report.days_rewritten), (1, 1));
    for add in live_adds(&directory.path().join("store")) {
        let is_merged = add["dataChange"] == false;
        assert_eq!(is_merged, add["partitionValues"]["day"] == days[1].as_str(), "{add}");
    }
}

/// The rows of one day as another engine writes them: no order, no user_key, other types of text and time.
fn foreign_rows(rows: &[(&str, &str, i64)]) -> RecordBatch {
    let columns = Schema::new(vec![
        Field::new("event", DataType::LargeUtf8, true),
        Field::new("ts", schema::timestamp_type(), true),
        Field::new("user_id", DataType::LargeUtf8, true),
        Field::new("event_id", DataType::Utf8, true),
    ]);
    let events: ArrayRef = Arc::new(StringArray::from(vec!["page_view"; rows.len()]));
    let users: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.1)));
    let large = |array: &ArrayRef| arrow::compute::cast(array, &DataType::LargeUtf8).expect("text");
    let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|r| r.2));
    RecordBatch::try_new(
        Arc::new(columns),
        vec![
            large(&events),
            Arc::new(times.with_timezone("UTC")),
            large(&users),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.0))),
        ],
    )
    .expect("rows")
}

/// Midnight of 2026-01-02 in microseconds.
const SECOND: i64 = 20_455 * 86_400_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn files_of_other_writers_are_adopted() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let engine = with_loads(directory.path(), 600, 2).await;
    let rows = [
        ("x1", "zoe", SECOND + 5),
        ("x2", "ana", SECOND + 9),
        ("x3", "zoe", SECOND),
        ("x4", "bo", SECOND + 1),
    ];
    append_foreign(&store, "2026-01-02", "part-1", &foreign_rows(&rows));
    let before = answers(&engine).await;
    let by_person = "SELECT user_id, count(*) FROM touchpoints GROUP BY user_id";
    assert!(plan(&session(&engine), by_person).await.contains("ordered: no"));
    let one = "SELECT event_id FROM touchpoints WHERE user_id = 'zoe' ORDER BY event_id";
    assert_eq!(lines(&session(&engine), one).await, ["x1", "x3"]);

    let report = optimize(&engine).await;
    assert_eq!((report.files_adopted, report.rows), (1, 604));
    assert!(report.not_adopted.is_empty());
    assert_same(&before, &answers(&engine).await);
    assert!(plan(&session(&engine), by_person).await.contains("ordered: yes"));
    assert_eq!(lines(&session(&engine), one).await, ["x1", "x3"]);
    for add in live_adds(&store) {
        check_file(&store.join("touchpoints"), &add, ROW_GROUP_ROWS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_do_not_fit_are_left_and_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let engine = with_loads(directory.path(), 600, 3).await;
    let before_midnight = [("y1", "zoe", SECOND - 1)];
    append_foreign(&store, "2026-01-02", "other-day", &foreign_rows(&before_midnight));
    let before = answers(&engine).await;
    let report = optimize(&engine).await;
    assert_eq!(report.not_adopted.len(), 1, "{:?}", report.not_adopted);
    assert!(report.not_adopted[0].contains("other-day.parquet"), "{:?}", report.not_adopted);
    assert!(report.not_adopted[0].contains("another day"), "{:?}", report.not_adopted);
    assert_same(&before, &answers(&engine).await);
    let foreign = |add: &&serde_json::Value| add["path"].as_str().is_some_and(|p| p.contains("other-day"));
    let adds = live_adds(&store);
    assert_eq!(adds.iter().filter(foreign).count(), 1);
    let second = |add: &&serde_json::Value| add["partitionValues"]["day"] == "2026-01-02";
    assert!(adds.iter().filter(second).count() <= 3, "the others of the day are merged");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_cannot_be_compacted_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = with_loads(directory.path(), 100, 1).await;
    let request = OptimizeRequest { table: "nowhere".to_owned(), days: None };
    let error = engine.optimize(&request).await.expect_err("no table");
    assert!(matches!(error, Error::Store(StoreError::NoTable { .. })), "{error}");
}

/// The rows of `engine` as lines, sorted.
async fn all_rows(engine: &Engine) -> Vec<String> {
    let mut rows = lines(&session(engine), "SELECT *, day FROM touchpoints").await;
    rows.sort();
    rows
}

async fn check_sizes(loads: &[Vec<crate::load::InputRow>], targets: &[u64]) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let engine = support::engine(config(&store)).await;
    for (i, rows) in loads.iter().enumerate() {
        let file = write_csv(&directory.path().join(format!("{i}.csv")), rows);
        load(&engine, &[file]).await;
    }
    let before = all_rows(&engine).await;
    for target in targets {
        let config = EngineConfig { target_file_bytes: *target, row_group_rows: 7, ..config(&store) };
        let engine = support::engine(config).await;
        optimize(&engine).await;
        assert_eq!(all_rows(&engine).await, before, "target {target}");
        let table = store.join("touchpoints");
        let adds = live_adds(&store);
        let rows: usize = adds.iter().map(|add| check_file(&table, add, ROW_GROUP_ROWS)).sum();
        assert_eq!(rows, before.len());
        assert_eq!(optimize(&engine).await.version, None, "once is enough");
    }
}

proptest! {
    #![proptest_config(Config { cases: 8, failure_persistence: None, ..Config::default() })]

    /// Larger and smaller files, one after the other: prefix bits go down and up.
    #[test]
    fn any_size_keeps_every_row(
        loads in prop::collection::vec(input_rows(40), 1..4),
        targets in prop::collection::vec(prop::sample::select(vec![2_000_u64, 5_000, 1 << 20]), 1..3),
    ) {
        run(check_sizes(&loads, &targets));
    }
}

/// Loads, two compactions and queries at the same time: nothing is lost, nothing is doubled, no answer is between.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn compactions_and_loads_race() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = with_loads(directory.path(), 400, 4).await;
    let files = inputs(&directory.path().join("more"), 1_200, 8, 2);
    let mut tasks = Vec::new();
    for halves in files.chunks(4).map(<[_]>::to_vec) {
        let loader = another(&engine).await;
        tasks.push(tokio::spawn(async move {
            for file in halves {
                load(&loader, &[file]).await;
            }
        }));
    }
    for _ in 0..2 {
        let compactor = another(&engine).await;
        tasks.push(tokio::spawn(async move {
            for _ in 0..4 {
                optimize(&compactor).await;
            }
        }));
    }
    let reader = another(&engine).await;
    tasks.push(tokio::spawn(async move {
        let mut most = 0;
        for _ in 0..40 {
            let rows = support::rows(&session(&reader), COUNTS).await;
            let (count, distinct): (u64, u64) =
                (rows[0][0].parse().expect("a number"), rows[0][1].parse().expect("a number"));
            assert_eq!(count, distinct, "doubled");
            assert!(count >= most, "lost: {count} after {most}");
            most = count;
        }
    }));
    all(tasks).await;
    let distinct = lines(&session(&engine), COUNTS).await;
    let fresh = tempfile::tempdir().expect("a directory");
    let expected = support::engine(config(&fresh.path().join("store"))).await;
    let mut inputs = inputs(&directory.path().join("again"), 400, 4, 1);
    inputs.extend(files);
    load(&expected, &inputs).await;
    assert_eq!(distinct, lines(&session(&expected), COUNTS).await);
    optimize(&engine).await;
    assert_same(&answers(&expected).await, &answers(&engine).await);
}

/// Memory for the sort that is far below the rows: it spills, and the answers are the same.
#[tokio::test(flavor = "multi_thread")]
async fn little_memory_is_enough() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = with_loads(directory.path(), 40_000, 5).await;
    let before = all_rows(&engine).await;
    let small = EngineConfig { memory_limit_bytes: 24 << 20, ..engine.config().clone() };
    let report = optimize(&support::engine(small).await).await;
    assert_eq!(report.rows, 40_000);
    assert_eq!(all_rows(&engine).await, before);
}
