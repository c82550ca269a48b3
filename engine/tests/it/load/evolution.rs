//! Columns that come with later files, and values that do not fit those that are there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use wayfare_engine::load::read::{ExtraColumns, ReadOptions};
use wayfare_engine::load::{LoadReport, LoadRequest, NoProgress};
use wayfare_engine::{Engine, Result};

use crate::support::{lines, memory_engine, request, session};

/// One row with the column `n`.
fn parquet(path: &Path, event_id: &str, n: ArrayRef) -> PathBuf {
    let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let columns = [
        ("event_id", text(event_id)),
        ("user_id", text("ana")),
        ("ts", text("2026-01-01T00:00:00Z")),
        ("event", text("view")),
        ("n", n),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("a row");
    writer.close().expect("an end");
    path.to_owned()
}

async fn load(engine: &Engine, file: &Path) -> Result<LoadReport> {
    let read = ReadOptions { extra: ExtraColumns::Columns, ..ReadOptions::default() };
    engine.load(&LoadRequest { read, ..request(&[file]) }, Arc::new(NoProgress)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_column_is_null_in_what_was_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = memory_engine().await;
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let head = "event_id,user_id,ts,event";
    let files = [
        write("a.csv", &format!("{head}\na,ana,2026-01-01T00:00:00Z,view\n")),
        write("b.csv", &format!("{head},plan\nb,ana,2026-01-01T00:00:01Z,view,pro\n")),
        write("c.csv", &format!("{head},seats\nc,ana,2026-01-01T00:00:02Z,view,3\n")),
    ];
    // A session that has seen the old columns sees the new ones in its next statement.
    let session = session(&engine);
    for file in &files {
        load(&engine, file).await.expect("a load");
        lines(&session, "SELECT * FROM touchpoints").await;
    }
    let rows = lines(&session, "SELECT event_id, plan, seats FROM touchpoints ORDER BY event_id").await;
    assert_eq!(rows, ["a|NULL|NULL", "b|pro|NULL", "c|NULL|3"]);
    let columns =
        lines(&session, "SELECT event_id FROM touchpoints WHERE plan IS NULL ORDER BY event_id").await;
    assert_eq!(columns, ["a", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wider_numbers_are_kept_and_narrower_columns_refuse() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = memory_engine().await;
    let path = |name: &str| directory.path().join(name);
    let small = parquet(&path("small.parquet"), "a", Arc::new(Int32Array::from(vec![7])));
    let wide = parquet(&path("wide.parquet"), "b", Arc::new(Int64Array::from(vec![i64::MAX])));
    let broken = parquet(&path("broken.parquet"), "c", Arc::new(Float64Array::from(vec![1.5])));
    let text = parquet(&path("text.parquet"), "d", Arc::new(StringArray::from(vec!["many"])));
    load(&engine, &small).await.expect("a load");
    load(&engine, &wide).await.expect("a wider type");
    for file in [&broken, &text] {
        let error = load(&engine, file).await.expect_err("it does not fit").to_string();
        let name = file.file_name().expect("a name").to_string_lossy();
        assert!(error.contains(&*name) && error.contains("\"n\""), "{error}");
    }
    let rows = lines(&session(&engine), "SELECT event_id, n FROM touchpoints ORDER BY event_id").await;
    assert_eq!(rows, ["a|7", &format!("b|{}", i64::MAX)]);
}
