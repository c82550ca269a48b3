//! Messages of the extended protocol one after the other: pipelines, names, suspension.

use super::raw::{RawClient, said, shown};
use crate::support::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn messages_after_an_error_are_skipped_up_to_sync() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    for sql in ["SELECT 1 AS a", "SELECT nope", "SELECT 2 AS a"] {
        client.parse("", sql).await;
        client.bind("", "").await;
        client.execute("", 0).await;
    }
    assert_eq!(
        client.sync().await,
        ["1", "2", "1", "SELECT 1", "1", "2", "ERROR 42703: column \"nope\" does not exist", "I"]
    );
    client.parse("", "SELECT 3 AS a").await;
    client.bind("", "").await;
    client.execute("", 0).await;
    assert_eq!(client.sync().await, ["1", "2", "3", "SELECT 1", "I"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_one_transaction() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    for sql in ["SET work_mem = '8MB'", "SELECT nope"] {
        client.parse("", sql).await;
        client.bind("", "").await;
        client.execute("", 0).await;
    }
    client.sync().await;
    assert_eq!(said(&mut client, "SHOW work_mem").await[1], "4MB");
    // A block that the pipeline begins goes on after it.
    for sql in ["BEGIN", "SET LOCAL work_mem = '8MB'"] {
        client.parse("", sql).await;
        client.bind("", "").await;
        client.execute("", 0).await;
    }
    assert_eq!(client.sync().await, ["1", "2", "BEGIN", "1", "2", "SET", "T"]);
    assert_eq!(said(&mut client, "SHOW work_mem").await[1], "8MB");
    assert_eq!(said(&mut client, "ROLLBACK").await, ["ROLLBACK", "I"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn portals_are_suspended_and_resumed() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    client.parse("series", "SELECT g FROM generate_series(1, 5) AS s(g) ORDER BY g").await;
    client.bind("p", "series").await;
    client.execute("p", 2).await;
    client.bind("q", "series").await;
    client.execute("q", 1).await;
    client.execute("p", 2).await;
    client.execute("p", 2).await;
    client.execute("p", 2).await;
    assert_eq!(
        client.sync().await,
        [
            "1",
            "2",
            "1",
            "2",
            "suspended",
            "2",
            "1",
            "suspended",
            "3",
            "4",
            "suspended",
            "5",
            "SELECT 1",
            "SELECT 0",
            "I"
        ]
    );
    // The Sync was the end of their transaction.
    client.execute("p", 0).await;
    assert_eq!(client.sync().await, ["ERROR 34000: portal \"p\" does not exist", "I"]);
    // In a block they live until its end, or until they are closed.
    said(&mut client, "BEGIN").await;
    client.bind("p", "series").await;
    client.execute("p", 4).await;
    client.sync().await;
    client.execute("p", 0).await;
    assert_eq!(client.sync().await, ["5", "SELECT 1", "T"]);
    client.send(b'C', b"Pp\0").await;
    client.execute("p", 0).await;
    assert_eq!(client.sync().await, ["3", "ERROR 34000: portal \"p\" does not exist", "E"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_statements_and_portals() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    client.parse("s", "SELECT 1 AS a").await;
    assert_eq!(client.sync().await, ["1", "I"]);
    client.parse("s", "SELECT 2 AS a").await;
    assert_eq!(client.sync().await, ["ERROR 42P05: prepared statement \"s\" already exists", "I"]);
    // The unnamed ones are replaced.
    for value in ["1", "2"] {
        client.parse("", &format!("SELECT {value} AS a")).await;
        client.bind("", "").await;
        client.execute("", 0).await;
        assert_eq!(client.sync().await, ["1", "2", value, "SELECT 1", "I"]);
    }
    client.send(b'C', b"Ss\0").await;
    client.bind("", "s").await;
    assert_eq!(client.sync().await, ["3", "ERROR 26000: prepared statement \"s\" does not exist", "I"]);
    client.parse("", "SELECT 1; SELECT 2").await;
    assert_eq!(
        client.sync().await,
        ["ERROR 42601: cannot insert multiple commands into a prepared statement", "I"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn flush_sends_what_is_there() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    client.parse("", "SELECT 1 AS a").await;
    client.bind("", "").await;
    client.execute("", 0).await;
    client.send(b'H', b"").await;
    let mut lines = Vec::new();
    for _ in 0..4 {
        let (kind, body) = client.next().await;
        lines.push(shown(kind, &body));
    }
    assert_eq!(lines, ["1", "2", "1", "SELECT 1"]);
    assert_eq!(client.sync().await, ["I"]);
}
