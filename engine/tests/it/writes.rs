//! `INSERT` and `CREATE TABLE` on the store, in sessions that may write.

use wayfare_engine::{Engine, Session, SessionOptions};

use crate::support::{batches, lines, memory_engine, session, value};

fn writer(engine: &Engine) -> Session {
    let options = SessionOptions { allow_writes: true, ..SessionOptions::default() };
    engine.session(&options).expect("a session")
}

/// The number of rows that `sql` says it has changed.
async fn changed(session: &Session, sql: &str) -> String {
    value(session, sql).await
}

async fn refused(session: &Session, sql: &str, part: &str) {
    let error = batches(session, sql).await.expect_err(sql).to_string();
    assert!(error.contains(part), "{sql}: {error}");
}

const COUNT: &str = "SELECT count(*) FROM touchpoints";

#[tokio::test(flavor = "multi_thread")]
async fn touchpoints_are_inserted_as_a_load_would() {
    let engine = memory_engine().await;
    let (writer, reader) = (writer(&engine), session(&engine));
    let insert = "INSERT INTO touchpoints (event_id, user_id, ts, event, revenue) VALUES \
        ('a', 'ana', TIMESTAMP '2026-01-01 10:00:00', 'view', 1.25), ('b', 'ben', TIMESTAMP '1999-01-02 10:00:00', 'buy', NULL)";
    assert_eq!(changed(&writer, insert).await, "2");
    assert_eq!(changed(&writer, insert).await, "0", "the same ids are there");
    let rows = "SELECT event_id, user_id, ts, event, revenue FROM touchpoints ORDER BY event_id";
    assert_eq!(
        lines(&reader, rows).await,
        ["a|ana|2026-01-01 10:00:00+00|view|1.2500", "b|ben|1999-01-02 10:00:00+00|buy|NULL"]
    );
    let copied = "INSERT INTO touchpoints (event_id, user_id, ts, event, properties) \
        SELECT event_id || '2', user_id, ts + INTERVAL '1 day', event, '{\"k\": 1}' FROM touchpoints";
    assert_eq!(changed(&writer, copied).await, "2");
    assert_eq!(value(&reader, COUNT).await, "4");
    // Rows without an id get one, and count as the same when they come again.
    let unnamed = "INSERT INTO touchpoints (user_id, ts, event) SELECT 'cy', TIMESTAMP '2026-03-01 00:00:00', 'x' \
        FROM generate_series(1, 3)";
    assert_eq!(changed(&writer, unnamed).await, "3", "rows alike in one statement all stay");
    assert_eq!(changed(&writer, unnamed).await, "0");
    assert_eq!(changed(&writer, "INSERT INTO touchpoints SELECT * FROM touchpoints").await, "0");
    // The fast path reads what was inserted: the layout is that of loads.
    let people = "SELECT user_id, count(*) FROM touchpoints GROUP BY user_id ORDER BY user_id";
    assert_eq!(lines(&reader, people).await, ["ana|2", "ben|2", "cy|3"]);
    assert!(engine.check("touchpoints").await.expect("a check").problems.is_empty());
    assert_eq!(engine.history("touchpoints").await.expect("history").len(), 4, "creation and three commits");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_row_leaves_nothing() {
    let engine = memory_engine().await;
    let writer = writer(&engine);
    let wrong = "INSERT INTO touchpoints (user_id, ts, event, currency) VALUES \
        ('ana', now(), 'view', 'EUR'), ('ben', now(), 'view', 'euros')";
    refused(&writer, wrong, "row 2 of INSERT").await;
    refused(&writer, "INSERT INTO touchpoints (user_id, ts) VALUES ('ana', now())", "event").await;
    refused(
        &writer,
        "INSERT INTO touchpoints (user_id, ts, event) SELECT user_id, ts, 1 / (length(event) - 4) FROM \
        (SELECT 'a' AS user_id, now() AS ts, 'view' AS event)",
        "ivide by zero",
    )
    .await;
    refused(&writer, "INSERT INTO touchpoints (user_id, no_column) VALUES ('a', 'b')", "no_column").await;
    refused(&writer, "UPDATE touchpoints SET event = 'x'", "").await;
    assert_eq!(value(&writer, COUNT).await, "0");
    assert_eq!(engine.history("touchpoints").await.expect("history").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn reference_tables_are_created_with_their_rows_and_appended_to() {
    let engine = memory_engine().await;
    let (writer, reader) = (writer(&engine), session(&engine));
    batches(
        &writer,
        "CREATE TABLE spend AS SELECT DATE '2026-01-01' AS day, 'ads' AS channel, 12.50 AS cost",
    )
    .await
    .expect("a table");
    assert_eq!(lines(&reader, "SELECT * FROM spend").await, ["2026-01-01|ads|12.5"]);
    assert_eq!(
        changed(
            &writer,
            "INSERT INTO spend VALUES (DATE '2026-01-02', 'mail', 3), (DATE '2026-01-03', NULL, 4.25)"
        )
        .await,
        "2"
    );
    assert_eq!(changed(&writer, "INSERT INTO spend (cost) SELECT cost + 1 FROM spend").await, "3");
    assert_eq!(value(&reader, "SELECT sum(cost) FROM spend").await, "42.5");
    assert_eq!(engine.history("spend").await.expect("history").len(), 3);

    batches(&writer, "CREATE TABLE empty (id INT, name TEXT)").await.expect("a table without rows");
    assert_eq!(value(&reader, "SELECT count(*) FROM empty").await, "0");
    assert_eq!(changed(&writer, "INSERT INTO empty VALUES (1, 'x')").await, "1");
    refused(&writer, "INSERT INTO empty VALUES ('no number', 'x')", "no number").await;
    assert_eq!(lines(&reader, "SELECT * FROM empty").await, ["1|x"]);

    refused(&writer, "CREATE TABLE spend AS SELECT 1 AS a", "already exists").await;
    refused(&writer, "CREATE OR REPLACE TABLE spend AS SELECT 1 AS a", "already exists").await;
    batches(&writer, "CREATE TABLE IF NOT EXISTS spend AS SELECT 1 AS a").await.expect("nothing to do");
    refused(&writer, "CREATE TABLE lists AS SELECT [1, 2] AS a", "cannot hold").await;
    refused(&writer, "CREATE TABLE \"Upper\" AS SELECT 1 AS a", "cannot name a table").await;
    refused(
        &writer,
        "CREATE TABLE broken AS SELECT 1 / (n - 2) AS a FROM generate_series(1, 3) AS g (n)",
        "ivide by zero",
    )
    .await;
    refused(&reader, "SELECT * FROM broken", "broken").await;
    let names: Vec<String> = engine.tables().await.expect("tables").into_iter().map(|t| t.name).collect();
    assert_eq!(names, ["empty", "spend", "touchpoints"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sessions_change_nothing() {
    let engine = memory_engine().await;
    let reader = session(&engine);
    refused(
        &reader,
        "INSERT INTO touchpoints (user_id, ts, event) VALUES ('a', now(), 'x')",
        "not supported",
    )
    .await;
    batches(&reader, "CREATE TABLE mine AS SELECT 1 AS a").await.expect("a table of the session");
    assert_eq!(engine.tables().await.expect("tables").len(), 1);
    let writer = writer(&engine);
    let plan = |sql: &'static str| {
        let writer = &writer;
        async move {
            let statement = writer.parse(sql).expect("a statement").remove(0);
            writer.written_table(&writer.plan(statement).await.expect("a plan"))
        }
    };
    assert_eq!(plan("INSERT INTO touchpoints (user_id) VALUES ('a')").await.as_deref(), Some("touchpoints"));
    assert_eq!(plan("CREATE TABLE t AS SELECT 1 AS a").await.as_deref(), Some("t"));
    assert_eq!(plan("SELECT 1").await, None);
}
