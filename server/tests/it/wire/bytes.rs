//! Messages that no driver sends, and what a driver does not show.

use super::raw::{RawClient, code, fields, kinds};
use super::row;
use crate::support::{TestServer, text_value};

#[tokio::test(flavor = "multi_thread")]
async fn text_parameters_are_read_by_their_type() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let (messages, status) = client
        .extended(
            "SELECT $1::int + 1, $2::timestamptz, $3::numeric, $4, $5::text[], $6::date, $7::bool",
            &[],
            &[
                Some("41"),
                Some("2024-01-31 12:00:00+01"),
                Some("1.50"),
                Some("x"),
                Some("{a,NULL}"),
                Some("2024-02-29"),
                Some("on"),
            ],
        )
        .await;
    assert_eq!(kinds(&messages), "12TDC");
    assert_eq!(status, b'I');
    let found = fields(&messages);
    assert_eq!(found[0].as_deref(), Some("42"));
    assert_eq!(found[1].as_deref(), Some("2024-01-31 11:00:00+00"));
    assert!(found[2].as_deref().unwrap().starts_with("1.5"));
    assert_eq!(found[3..], row(&["x", "{a,NULL}", "2024-02-29", "t"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_oids_and_wrong_values() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let (messages, _) = client.extended("SELECT $1 + 1", &[20], &[Some("41")]).await;
    assert_eq!(fields(&messages), row(&["42"]));
    let (messages, status) = client.extended("SELECT $1 + 1", &[20], &[Some("many")]).await;
    assert_eq!(code(&messages), "22P02");
    assert_eq!(status, b'I');
    // inet, which is not supported.
    let (messages, _) = client.extended("SELECT $1", &[869], &[Some("1.2.3.4")]).await;
    assert_eq!(code(&messages), "0A000");
    let (messages, _) = client.extended("SELECT $1::int", &[], &[]).await;
    assert_eq!(code(&messages), "08P01");
    // After each error the messages up to Sync were skipped.
    let (messages, _) = client.extended("SELECT 1", &[], &[]).await;
    assert_eq!(kinds(&messages), "12TDC");
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_status_is_told() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    for (sql, status) in [
        ("BEGIN\0", b'T'),
        ("SELECT 1\0", b'T'),
        ("SELECT nope\0", b'E'),
        ("SELECT 1\0", b'E'),
        ("COMMIT\0", b'I'),
        ("BEGIN; SELECT nope\0", b'E'),
        ("ROLLBACK\0", b'I'),
    ] {
        client.send(b'Q', sql.as_bytes()).await;
        assert_eq!(client.until_ready().await.1, status, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_messages_end_the_connection_only() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    client.send_bytes(b"\xff\0\0\0\x04").await;
    let (kind, _) = client.next().await;
    assert_eq!(kind, b'E');
    // Two result formats for one column.
    let mut client = RawClient::connect(&server).await;
    client.send(b'P', b"\0SELECT 1\0\0\0").await;
    client.send(b'B', b"\0\0\0\0\0\0\0\x02\0\0\0\x01").await;
    client.send(b'E', b"\0\0\0\0\0").await;
    client.send(b'S', b"").await;
    let (messages, _) = client.until_ready().await;
    assert_eq!(code(&messages), "08P01");
    let other = server.connect().await;
    assert_eq!(text_value(&other, "SELECT 1").await.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_without_rows_describe_no_data() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let (messages, _) = client.extended("SET application_name = 'x'", &[], &[]).await;
    assert_eq!(kinds(&messages), "12nSC");
    let (messages, _) = client.extended("", &[], &[]).await;
    assert_eq!(kinds(&messages), "12nI");
    let (messages, _) = client.extended("SHOW server_version_num", &[], &[]).await;
    assert_eq!(kinds(&messages), "12TDC");
    assert_eq!(fields(&messages), row(&["160006"]));
}
