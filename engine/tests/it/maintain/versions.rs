//! Days that are dropped, versions that come back, files that are vacuumed.

use std::time::Duration;

use wayfare_engine::maintain::vacuum::VacuumRequest;
use wayfare_engine::store::layout::parse_day;
use wayfare_engine::{Engine, SessionOptions, VersionPin};

use super::{live_adds, optimize, with_loads};
use crate::support::{batches, lines, session, value};

const COUNT: &str = "SELECT count(*) FROM touchpoints";
const BY_DAY: &str =
    "SELECT day, count(*), count(DISTINCT user_id) FROM touchpoints GROUP BY day ORDER BY day";

fn vacuum(retention_hours: u64, dry_run: bool) -> VacuumRequest {
    VacuumRequest {
        table: "touchpoints".to_owned(),
        retention: Duration::from_secs(retention_hours * 3600),
        dry_run,
    }
}

async fn at_version(engine: &Engine, version: u64) -> Result<usize, String> {
    let options = SessionOptions { pin: Some(VersionPin::Version(version)), ..SessionOptions::default() };
    let session = engine.session(&options).expect("a session");
    // All columns: a count comes from the log.
    let read = batches(&session, "SELECT * FROM touchpoints").await.map_err(|e| e.to_string())?;
    Ok(read.1.iter().map(arrow::array::RecordBatch::num_rows).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_days_are_dropped_in_one_commit() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = with_loads(directory.path(), 600, 3).await;
    let days = lines(&session(&engine), BY_DAY).await;
    let third = days[2].split('|').next().and_then(parse_day).expect("a day");
    let report = engine.expire("touchpoints", third).await.expect("an expiry");
    assert_eq!((report.version, report.days), (Some(4), 2));
    assert_eq!(lines(&session(&engine), BY_DAY).await, days[2..]);
    let again = engine.expire("touchpoints", third).await.expect("an expiry");
    assert_eq!((again.version, again.days), (None, 0));
    assert_eq!(engine.history("touchpoints").await.expect("history")[0].operation, "expire");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_comes_back_as_a_new_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = with_loads(directory.path(), 600, 3).await;
    let wanted = at_version(&engine, 2).await.expect("rows");
    optimize(&engine).await;
    assert_eq!(engine.restore("touchpoints", 2).await.expect("a restore"), Some(5));
    assert_eq!(value(&session(&engine), COUNT).await, wanted.to_string());
    assert_eq!(engine.restore("touchpoints", 2).await.expect("a restore"), None, "it is that already");
    assert_eq!(engine.restore("touchpoints", 4).await.expect("a restore"), Some(6), "and forward again");
    assert_eq!(value(&session(&engine), COUNT).await, "600");
    assert!(engine.check("touchpoints").await.expect("a check").problems.is_empty());
    engine.restore("touchpoints", 99).await.expect_err("no such version");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_deletes_what_only_old_versions_need() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let engine = with_loads(directory.path(), 600, 3).await;
    let old = live_adds(&store).len();
    optimize(&engine).await;
    let orphan = store.join("touchpoints/day=2026-01-01/k0-0-left-by-a-killed-load.parquet");
    std::fs::write(&orphan, "PAR1").expect("a file");

    assert!(engine.vacuum(&vacuum(24, false)).await.expect("a vacuum").files.is_empty(), "too young");
    let dry = engine.vacuum(&vacuum(0, true)).await.expect("a vacuum");
    assert_eq!(dry.files.len(), old);
    assert!(at_version(&engine, 1).await.is_ok(), "a dry run deletes nothing");
    let done = engine.vacuum(&vacuum(0, false)).await.expect("a vacuum");
    assert_eq!(done, dry);
    assert!(orphan.exists(), "it may be of a load that runs");
    let error = at_version(&engine, 1).await.expect_err("its files are gone");
    assert!(error.contains(".parquet"), "{error}");
    assert_eq!(value(&session(&engine), COUNT).await, "600");
    assert!(engine.check("touchpoints").await.expect("a check").problems.is_empty());
    let error = engine.restore("touchpoints", 1).await.expect_err("its files are gone").to_string();
    assert!(error.contains("was deleted") && error.contains(".parquet"), "{error}");
}
