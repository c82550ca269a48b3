//! Rows deleted by statements, and compaction in the background.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use wayfare_engine::clock::Clock;
use wayfare_engine::maintain::background::{self, Policy};
use wayfare_engine::{Engine, Error, Role, Session, SessionOptions};

use super::{ROW_GROUP_ROWS, all, another, answers, assert_same, config, live_adds, optimize, with_loads};
use crate::load::layout::check_file;
use crate::support::{self, batches, lines, load, session, value};

const ROWS: &str = "\
event_id,user_id,ts,event,channel,revenue
e1,ann,2026-01-01T10:00:00Z,view,mail,
e2,ann,2026-01-01T11:00:00Z,buy,,2.50
e3,ben,2026-01-02T10:00:00Z,view,ads,
e4,ben,2026-01-03T10:00:00Z,buy,ads,10
e5,cem,2026-01-03T11:00:00Z,view,,
";

async fn loaded(directory: &Path) -> Engine {
    let engine = support::engine(config(&directory.join("store"))).await;
    let file = directory.join("rows.csv");
    std::fs::write(&file, ROWS).expect("a file");
    load(&engine, &[file]).await;
    engine
}

fn deleting(engine: &Engine) -> Session {
    let options = SessionOptions { allow_writes: true, ..SessionOptions::default() };
    engine.session(&options).expect("a session")
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_deleted_by_their_condition() {
    // What is deleted, and what stays; a condition that is NULL is not true.
    let cases = [
        ("WHERE user_id = 'ben'", "2", "e1 e2 e5"),
        ("WHERE channel = 'ads' AND revenue > 5", "1", "e1 e2 e3 e5"),
        ("WHERE channel <> 'mail'", "2", "e1 e2 e5"),
        ("WHERE ts < '2026-01-02'", "2", "e3 e4 e5"),
        ("WHERE day = DATE '2026-01-03'", "2", "e1 e2 e3"),
        ("WHERE ts - TIMESTAMP '2026-01-01' <= INTERVAL '36 hours'", "3", "e4 e5"),
        ("WHERE user_id IN ('ann', 'cem') OR revenue IS NOT NULL", "4", "e3"),
        ("WHERE event = 'nothing'", "0", "e1 e2 e3 e4 e5"),
        ("WHERE ts < now() - INTERVAL '36500 days'", "0", "e1 e2 e3 e4 e5"),
        ("", "5", ""),
    ];
    for (condition, deleted, stay) in cases {
        let directory = tempfile::tempdir().expect("a directory");
        let engine = loaded(directory.path()).await;
        let session = deleting(&engine);
        assert_eq!(
            value(&session, &format!("DELETE FROM touchpoints {condition}")).await,
            deleted,
            "{condition}"
        );
        let left = lines(&session, "SELECT event_id FROM touchpoints ORDER BY event_id").await;
        assert_eq!(left.join(" "), stay, "{condition}");
        for add in live_adds(&directory.path().join("store")) {
            check_file(&directory.path().join("store/touchpoints"), &add, ROW_GROUP_ROWS);
        }
        assert!(engine.check("touchpoints").await.expect("a check").problems.is_empty());
        let operation = &engine.history("touchpoints").await.expect("history")[0].operation;
        assert_eq!(operation == "delete", deleted != "0", "{condition}");
    }
}

/// Files that cannot have such rows are not opened: they are made unreadable here.
#[tokio::test(flavor = "multi_thread")]
async fn files_without_such_rows_are_not_read() {
    // Days whose files are unreadable, and what is deleted from the others.
    let cases = [
        (&[1, 2][..], "ts >= '2026-01-03'", "2"),
        (&[2, 3], "day < DATE '2026-01-02'", "2"),
        (&[1], "user_id = 'ben'", "2"),
        (&[1], "user_id IN ('ben', 'cem') AND event <> 'x'", "3"),
        (&[2], "event = 'buy'", "2"),
        (&[2], "revenue > 3", "1"),
        (&[1, 2, 3], "channel = 'zzz'", "0"),
        (&[1, 2, 3], "1 = 2", "0"),
    ];
    for (unreadable, condition, deleted) in cases {
        let directory = tempfile::tempdir().expect("a directory");
        let engine = loaded(directory.path()).await;
        for day in unreadable {
            let of_day = directory.path().join(format!("store/touchpoints/day=2026-01-0{day}"));
            for file in std::fs::read_dir(of_day).expect("a day") {
                std::fs::write(file.expect("a file").path(), "unreadable").expect("a file");
            }
        }
        let sql = format!("DELETE FROM touchpoints WHERE {condition}");
        assert_eq!(value(&deleting(&engine), &sql).await, deleted, "{condition}");
        // Nor would they go unnoticed.
        if unreadable == [1] {
            let error = batches(&deleting(&engine), "DELETE FROM touchpoints WHERE event LIKE 'v%w'").await;
            let error = error.expect_err("unreadable").to_string();
            assert!(error.contains("day=2026-01-01"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_can_come_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    value(&deleting(&engine), "DELETE FROM touchpoints WHERE user_id = 'ann'").await;
    engine.restore("touchpoints", 1).await.expect("a restore");
    assert_eq!(value(&session(&engine), "SELECT count(*) FROM touchpoints").await, "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_that_cannot_be_made_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    let error = batches(&session(&engine), "DELETE FROM touchpoints").await.expect_err("not allowed");
    assert!(error.to_string().contains("changing tables by statements"), "{error}");
    let loader = SessionOptions { allow_writes: true, role: Role::Loader, ..SessionOptions::default() };
    let loader = engine.session(&loader).expect("a session");
    let error = batches(&loader, "DELETE FROM touchpoints").await.expect_err("not allowed");
    assert!(matches!(&error, Error::Denied(denied) if denied.needed() == Role::Admin), "{error}");
    let session = deleting(&engine);
    lines(&session, "CREATE TEMPORARY VIEW v AS SELECT * FROM touchpoints").await;
    let refused = [
        ("DELETE FROM touchpoints WHERE user_id IN (SELECT user_id FROM touchpoints)", "sub-query"),
        ("DELETE FROM touchpoints WHERE random() < 0.5", "same answer"),
        ("DELETE FROM touchpoints WHERE nothing = 1", "nothing"),
        ("DELETE FROM nowhere", "nowhere"),
        ("DELETE FROM v", "v"),
        ("UPDATE touchpoints SET event = 'x'", "not supported"),
    ];
    for (sql, part) in refused {
        let error = batches(&session, sql).await.expect_err(sql).to_string();
        assert!(error.contains(part), "{sql}: {error}");
    }
    assert_eq!(value(&session, "SELECT count(*) FROM touchpoints").await, "5");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deletions_race_with_loads_and_compactions() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    let mut tasks = Vec::new();
    for loader in 0..2 {
        let (other, directory) = (another(&engine).await, directory.path().to_owned());
        tasks.push(tokio::spawn(async move {
            for number in 0..4 {
                let file = directory.join(format!("more-{loader}-{number}.csv"));
                let text = format!(
                    "event_id,user_id,ts,event\nm{loader}{number},dan,2026-01-0{},view\n",
                    1 + number % 3
                );
                std::fs::write(&file, text).expect("a file");
                load(&other, &[file]).await;
            }
        }));
    }
    for who in ["ann", "ben"] {
        let deleter = another(&engine).await;
        tasks.push(tokio::spawn(async move {
            let deleted =
                value(&deleting(&deleter), &format!("DELETE FROM touchpoints WHERE user_id = '{who}'")).await;
            assert_eq!(deleted, "2", "{who}");
        }));
    }
    let compactor = another(&engine).await;
    tasks.push(tokio::spawn(async move {
        for _ in 0..4 {
            optimize(&compactor).await;
        }
    }));
    all(tasks).await;
    let by_user = "SELECT user_id, count(*), count(DISTINCT event_id) FROM touchpoints GROUP BY 1 ORDER BY 1";
    assert_eq!(lines(&session(&engine), by_user).await, ["cem|1|1", "dan|8|8"]);
}

/// Stands still at an instant.
#[derive(Debug)]
struct StoppedClock(DateTime<Utc>);

impl Clock for StoppedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_days_are_merged_in_the_background() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = with_loads(directory.path(), 600, 6).await;
    let before = answers(&engine).await;
    let store = Arc::clone(engine.store());
    let policy = Policy { min_extra_files: 3, ..Policy::default() };
    let mut settled = HashMap::new();
    let clock = StoppedClock(Utc::now());
    let early =
        background::round(&store, engine.config(), &policy, &clock, &mut settled).await.expect("a round");
    assert!(early.is_empty(), "the days are still written to");
    let clock = StoppedClock(Utc::now() + TimeDelta::seconds(301));
    let reports =
        background::round(&store, engine.config(), &policy, &clock, &mut settled).await.expect("a round");
    assert!(reports.len() == 1 && reports[0].days_rewritten >= 3, "{reports:?}");
    assert!(live_adds(&directory.path().join("store")).len() < 12);
    assert_same(&before, &answers(&engine).await);
    let again =
        background::round(&store, engine.config(), &policy, &clock, &mut settled).await.expect("a round");
    assert!(again.is_empty(), "once is enough");
}
