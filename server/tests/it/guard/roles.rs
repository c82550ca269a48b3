//! What each role may do.

use wayfare_server::ServeOptions;

use super::{PASSWORD, log_in, server_with_users};
use crate::support::{db_error, failure, text_value};

#[tokio::test(flavor = "multi_thread")]
async fn readers_read_loaders_define() {
    let server = server_with_users(ServeOptions::default()).await;
    let reader = log_in(server.address, "reader", PASSWORD, "wayfare").await.unwrap();
    assert_eq!(text_value(&reader, "SELECT count(*) FROM touchpoints").await.as_deref(), Some("0"));
    for sql in [
        "CREATE TABLE t AS SELECT 1 AS a",
        "CREATE VIEW v AS SELECT 1 AS a",
        "INSERT INTO touchpoints (user_id) VALUES ('ana')",
        "EXPLAIN ANALYZE INSERT INTO touchpoints (user_id) VALUES ('ana')",
        "PREPARE p AS INSERT INTO touchpoints (user_id) VALUES ('ana')",
        "UPDATE touchpoints SET event = 'x'",
        "DELETE FROM touchpoints",
        "TRUNCATE touchpoints",
        "CREATE SCHEMA s",
    ] {
        assert_eq!(failure(&reader, sql).await.0, "42501", "{sql}");
        let prepared = reader.prepare(sql).await.map(drop).expect_err("refused when prepared, too");
        assert_eq!(prepared.code().map(|code| code.code().to_owned()).as_deref(), Some("42501"), "{sql}");
    }
    // The session goes on, and a block of statements stops where it is refused.
    assert_eq!(failure(&reader, "SELECT 1; DELETE FROM touchpoints").await.0, "42501");
    assert_eq!(text_value(&reader, "SELECT 2").await.as_deref(), Some("2"));

    let loader = log_in(server.address, "loader", PASSWORD, "wayfare").await.unwrap();
    loader.batch_execute("CREATE TABLE t AS SELECT 41 AS a").await.unwrap();
    assert_eq!(text_value(&loader, "SELECT a + 1 FROM t").await.as_deref(), Some("42"));
    assert_eq!(failure(&loader, "DELETE FROM touchpoints").await.0, "42501");
    let admin = log_in(server.address, "admin", PASSWORD, "wayfare").await.unwrap();
    admin.batch_execute("DELETE FROM touchpoints WHERE event = 'nothing of the kind'").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn views_of_the_store_are_for_loaders_and_ones_own_for_everybody() {
    let server = server_with_users(ServeOptions::default()).await;
    let reader = log_in(server.address, "reader", PASSWORD, "wayfare").await.unwrap();
    let loader = log_in(server.address, "loader", PASSWORD, "wayfare").await.unwrap();
    loader.batch_execute("CREATE VIEW shared AS SELECT 1 AS a").await.unwrap();
    for sql in ["DROP VIEW shared", "DROP VIEW IF EXISTS shared", "DROP VIEW public.shared"] {
        assert_eq!(failure(&reader, sql).await.0, "42501", "{sql}");
        let refused = reader.execute(sql, &[]).await.unwrap_err();
        assert_eq!(db_error(&refused).0, "42501", "{sql}");
    }
    assert_eq!(text_value(&reader, "SELECT a FROM shared").await.as_deref(), Some("1"));
    reader.batch_execute("CREATE TEMP VIEW own AS SELECT a + 1 AS b FROM shared").await.unwrap();
    assert_eq!(text_value(&reader, "SELECT b FROM own").await.as_deref(), Some("2"));
    reader.batch_execute("DROP VIEW own").await.unwrap();
    assert_eq!(failure(&reader, "SELECT b FROM own").await.0, "42P01");
    reader.batch_execute("CREATE TEMP TABLE t AS SELECT 3 AS c; DROP TABLE t").await.unwrap();
    loader.batch_execute("DROP VIEW shared").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_in_from_loaders_only() {
    let server = server_with_users(ServeOptions::default()).await;
    let sql = "COPY touchpoints (user_id, ts, event) FROM STDIN";
    let reader = log_in(server.address, "reader", PASSWORD, "wayfare").await.unwrap();
    let refused = reader.copy_in::<_, bytes::Bytes>(sql).await.map(drop).unwrap_err();
    assert_eq!(db_error(&refused).0, "42501");
    // The session goes on.
    assert_eq!(text_value(&reader, "SELECT count(*) FROM touchpoints").await.as_deref(), Some("0"));
    for (name, rows) in [("loader", "1"), ("admin", "2")] {
        let client = log_in(server.address, name, PASSWORD, "wayfare").await.unwrap();
        let row = bytes::Bytes::from(format!("{name}\t2026-01-01 10:00:00\tview\n"));
        let sink = client.copy_in(sql).await.unwrap();
        futures::pin_mut!(sink);
        futures::SinkExt::send(&mut sink, row).await.unwrap();
        assert_eq!(sink.finish().await.unwrap(), 1);
        assert_eq!(text_value(&reader, "SELECT count(*) FROM touchpoints").await.as_deref(), Some(rows));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_stopped_by_admins_only() {
    let server = server_with_users(ServeOptions::default()).await;
    let victim = log_in(server.address, "loader", PASSWORD, "wayfare").await.unwrap();
    let pid = text_value(&victim, "SELECT pg_backend_pid()").await.unwrap();
    let terminate = format!("SELECT pg_terminate_backend({pid}) AS done");
    let reader = log_in(server.address, "reader", PASSWORD, "wayfare").await.unwrap();
    assert_eq!(failure(&reader, &terminate).await.0, "42501");
    assert_eq!(text_value(&victim, "SELECT 1").await.as_deref(), Some("1"));
    let admin = log_in(server.address, "admin", PASSWORD, "wayfare").await.unwrap();
    assert_eq!(text_value(&admin, &terminate).await.as_deref(), Some("t"));
    let ended = victim.simple_query("SELECT 1").await;
    assert!(ended.is_err());
}
