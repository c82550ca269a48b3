//! `serve --maintain` as a process: it merges the files of small loads while it is asked.

use tokio_postgres::NoTls;

use crate::process::{ServerProcess, SmallStore};

/// Loads beyond the first, each with a row of the same day: enough for that day to be due.
const LOADS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn the_server_merges_small_files_and_answers_the_same() {
    let store = SmallStore::new();
    for number in 0..LOADS {
        let file = format!("more{number}.csv");
        let row = format!("user_id,ts,event\nuser{number},2026-01-01T12:00:0{number}Z,view\n");
        std::fs::write(store.dir.path().join(&file), row).unwrap();
        store.ok(&["load", &file]);
    }
    let day = store.dir.path().join("store/touchpoints/day=2026-01-01");
    let files = || walk(&day).len();
    assert!(files() > LOADS, "{} files", files());
    let args = [
        "--no-auth",
        "--maintain",
        "--maintain-every",
        "1s",
        "--maintain-quiet",
        "1s",
        "--log-level",
        "info",
    ];
    let server = ServerProcess::start(store, &args);
    let mut config = tokio_postgres::Config::new();
    config.host(server.address.ip().to_string()).port(server.address.port()).user("tester");
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    let question = "SELECT count(*), count(DISTINCT user_id), max(ts)::text FROM touchpoints";
    let answer = async || {
        let row = client.query_one(question, &[]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, String>(2))
    };
    let before = answer().await;
    assert_eq!((before.0, before.1), (3 + LOADS as i64, 2 + LOADS as i64));
    server.wait_for_log("days merged").await;
    assert_eq!(answer().await, before);
    server.assert_running();
    let log = server.stop();
    assert!(log.contains("days=1") && log.contains(&format!("rows={}", 2 + LOADS)), "{log}");
}

/// Data files below a directory.
fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(walk(&path)),
            false => found.push(path),
        }
    }
    found
}
