//! Rows that come late, by minutes or by decades, lie in their own day and are seen by the next statement.

use std::path::Path;

use crate::support::{directory_engine, lines, load, session};

fn csv(path: &Path, rows: &[(&str, &str)]) -> std::path::PathBuf {
    let mut text = "event_id,user_id,ts,event\n".to_owned();
    for (id, ts) in rows {
        text += &format!("{id},ana,{ts},view\n");
    }
    std::fs::write(path, text).expect("a file");
    path.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_those_of_all_rows() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let engine = directory_engine(&store).await;
    let session = session(&engine);
    let sessions = "SELECT start_ts, events FROM journey.sessions ORDER BY start_ts";
    let file = |name: &str| directory.path().join(name);
    // Two visits, an hour apart.
    load(&engine, &[csv(&file("a.csv"), &[("a", "2026-01-01T10:00:00Z"), ("b", "2026-01-01T11:00:00Z")])])
        .await;
    let seen = lines(&session, sessions).await;
    assert_eq!(seen.len(), 2, "{seen:?}");
    // What comes late joins them to one.
    load(&engine, &[csv(&file("b.csv"), &[("c", "2026-01-01T10:20:00Z"), ("d", "2026-01-01T10:40:00Z")])])
        .await;
    let seen = lines(&session, sessions).await;
    assert!(seen.len() == 1 && seen[0].ends_with("|4"), "{seen:?}");
    // Other ages.
    let ages =
        [("e", "1970-01-01T00:00:00Z"), ("f", "1999-12-31T23:59:59Z"), ("g", "2025-12-31T23:59:59.999999Z")];
    load(&engine, &[csv(&file("c.csv"), &ages)]).await;
    assert_eq!(lines(&session, sessions).await.len(), 4);
    for day in ["1970-01-01", "1999-12-31", "2025-12-31", "2026-01-01"] {
        assert!(store.join(format!("touchpoints/day={day}")).is_dir(), "{day}");
    }
    let first = "SELECT min(ts), max(ts), count(*) FROM touchpoints";
    assert_eq!(lines(&session, first).await, ["1970-01-01 00:00:00+00|2026-01-01 11:00:00+00|7"]);
}
