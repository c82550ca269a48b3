//! What each role may do.

use wayfare_server::ServeOptions;

use super::{PASSWORD, log_in, server_with_users};
use crate::support::{failure, text_value};

#[tokio::test(flavor = "multi_thread")]
async fn readers_read_loaders_define() {
    let server = server_with_users(ServeOptions::default()).await;
    let reader = log_in(server.address, "reader", PASSWORD, "wayfare").await.unwrap();
    assert_eq!(text_value(&reader, "SELECT count(*) FROM touchpoints").await.as_deref(), Some("0"));
    for sql in [
        "CREATE TABLE t AS SELECT 1 AS a",
        "CREATE VIEW v AS SELECT 1 AS a",
        "DROP VIEW v",
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
    assert_ne!(
        failure(&admin, "DELETE FROM touchpoints").await.0,
        "42501",
        "not supported, but not for the role"
    );
}
