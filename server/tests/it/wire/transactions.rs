//! Transactions: what PostgreSQL 15 answered to the same messages.

use super::raw::{RawClient, said};
use crate::support::TestServer;

/// Sends each message and compares what the server answers.
async fn converse(client: &mut RawClient, conversation: &[(&str, &[&str])]) {
    for (sql, expected) in conversation {
        assert_eq!(said(client, sql).await, *expected, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn begin_and_end_in_every_form() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let outside = "WARNING 25P01: there is no transaction in progress";
    converse(
        &mut client,
        &[
            ("COMMIT", &[outside, "COMMIT", "I"]),
            ("ROLLBACK", &[outside, "ROLLBACK", "I"]),
            ("BEGIN", &["BEGIN", "T"]),
            ("BEGIN", &["WARNING 25001: there is already a transaction in progress", "BEGIN", "T"]),
            ("COMMIT AND CHAIN", &["COMMIT", "T"]),
            ("ROLLBACK AND CHAIN", &["ROLLBACK", "T"]),
            ("END TRANSACTION", &["COMMIT", "I"]),
            (
                "COMMIT AND CHAIN",
                &["ERROR 25P01: COMMIT AND CHAIN can only be used in transaction blocks", "I"],
            ),
            (
                "ROLLBACK AND CHAIN",
                &["ERROR 25P01: ROLLBACK AND CHAIN can only be used in transaction blocks", "I"],
            ),
            ("START TRANSACTION READ ONLY, ISOLATION LEVEL REPEATABLE READ", &["START TRANSACTION", "T"]),
            ("ABORT WORK", &["ROLLBACK", "I"]),
            ("BEGIN READ bad", &["ERROR 42601: syntax error at or near \"bad\"", "I"]),
            ("BEGIN ISOLATION LEVEL bad", &["ERROR 42601: syntax error at or near \"bad\"", "I"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_are_shown_and_kept() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let read_only = "SHOW transaction_read_only";
    converse(
        &mut client,
        &[
            ("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE", &["BEGIN", "T"]),
            ("SHOW transaction_isolation", &["[transaction_isolation]", "serializable", "SHOW", "T"]),
            (read_only, &["[transaction_read_only]", "on", "SHOW", "T"]),
            ("SHOW transaction_deferrable", &["[transaction_deferrable]", "on", "SHOW", "T"]),
            (
                "CREATE TABLE x AS SELECT 1 AS a",
                &["ERROR 25006: cannot execute CREATE TABLE in a read-only transaction", "E"],
            ),
            ("ROLLBACK", &["ROLLBACK", "I"]),
            ("SHOW transaction_isolation", &["[transaction_isolation]", "read committed", "SHOW", "I"]),
            ("START TRANSACTION READ ONLY", &["START TRANSACTION", "T"]),
            ("SET TRANSACTION READ WRITE", &["SET", "T"]),
            (read_only, &["[transaction_read_only]", "off", "SHOW", "T"]),
            ("SELECT 1 AS a", &["[a]", "1", "SELECT 1", "T"]),
            (
                "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                &["ERROR 25001: SET TRANSACTION ISOLATION LEVEL must be called before any query", "E"],
            ),
            ("ROLLBACK", &["ROLLBACK", "I"]),
            (
                "SET TRANSACTION READ ONLY",
                &["WARNING 25P01: SET TRANSACTION can only be used in transaction blocks", "SET", "I"],
            ),
            (
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
                &["default_transaction_read_only=on", "SET", "I"],
            ),
            (read_only, &["[transaction_read_only]", "on", "SHOW", "I"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_transaction_and_its_ends() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let aborted =
        "ERROR 25P02: current transaction is aborted, commands ignored until end of transaction block";
    let nope = "ERROR 42703: column \"nope\" does not exist";
    converse(
        &mut client,
        &[
            ("BEGIN", &["BEGIN", "T"]),
            ("SAVEPOINT a", &["SAVEPOINT", "T"]),
            ("SELECT nope", &[nope, "E"]),
            ("RELEASE a", &[aborted, "E"]),
            ("SAVEPOINT b", &[aborted, "E"]),
            ("BEGIN", &[aborted, "E"]),
            ("SHOW TimeZone", &[aborted, "E"]),
            ("ROLLBACK TO a", &["ROLLBACK", "T"]),
            ("SELECT 1 AS a", &["[a]", "1", "SELECT 1", "T"]),
            ("SELECT nope", &[nope, "E"]),
            ("COMMIT AND CHAIN", &["ROLLBACK", "T"]),
            ("SELECT 1 AS a", &["[a]", "1", "SELECT 1", "T"]),
            ("COMMIT", &["COMMIT", "I"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn savepoints_and_settings() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let shown = |value: &'static str, status: &'static str| ["[work_mem]", value, "SHOW", status];
    converse(
        &mut client,
        &[
            ("SAVEPOINT a", &["ERROR 25P01: SAVEPOINT can only be used in transaction blocks", "I"]),
            ("RELEASE a", &["ERROR 25P01: RELEASE SAVEPOINT can only be used in transaction blocks", "I"]),
            (
                "ROLLBACK TO a",
                &["ERROR 25P01: ROLLBACK TO SAVEPOINT can only be used in transaction blocks", "I"],
            ),
            ("BEGIN", &["BEGIN", "T"]),
            ("SAVEPOINT a", &["SAVEPOINT", "T"]),
            ("SET work_mem = '8MB'", &["SET", "T"]),
            ("ROLLBACK TO SAVEPOINT a", &["ROLLBACK", "T"]),
            ("SHOW work_mem", &shown("4MB", "T")),
            ("SET LOCAL work_mem = '9MB'", &["SET", "T"]),
            ("RELEASE SAVEPOINT a", &["RELEASE", "T"]),
            ("SHOW work_mem", &shown("9MB", "T")),
            ("COMMIT", &["COMMIT", "I"]),
            ("SHOW work_mem", &shown("4MB", "I")),
            (
                "SET LOCAL work_mem = '1MB'",
                &["WARNING 25P01: SET LOCAL can only be used in transaction blocks", "SET", "I"],
            ),
            ("BEGIN", &["BEGIN", "T"]),
            ("RELEASE a", &["ERROR 3B001: savepoint \"a\" does not exist", "E"]),
            ("ROLLBACK", &["ROLLBACK", "I"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_several_statements_is_one_transaction() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    converse(
        &mut client,
        &[
            (
                "SET work_mem = '8MB'; SELECT nope; SELECT 1",
                &["SET", "ERROR 42703: column \"nope\" does not exist", "I"],
            ),
            ("SHOW work_mem", &["[work_mem]", "4MB", "SHOW", "I"]),
            ("SET LOCAL work_mem = '8MB'; SHOW work_mem", &["SET", "[work_mem]", "8MB", "SHOW", "I"]),
            ("SHOW work_mem", &["[work_mem]", "4MB", "SHOW", "I"]),
            (
                "SAVEPOINT a; SELECT 1 AS a",
                &["ERROR 25P01: SAVEPOINT can only be used in transaction blocks", "I"],
            ),
            (
                "SELECT 1 AS a; DISCARD ALL",
                &[
                    "[a]",
                    "1",
                    "SELECT 1",
                    "ERROR 25001: DISCARD ALL cannot run inside a transaction block",
                    "I",
                ],
            ),
            (
                "SELECT 1 AS a; BEGIN; SELECT nope",
                &["[a]", "1", "SELECT 1", "BEGIN", "ERROR 42703: column \"nope\" does not exist", "E"],
            ),
            ("ROLLBACK", &["ROLLBACK", "I"]),
            (
                "SELECT 1 AS a; COMMIT; SELECT 2 AS a",
                &[
                    "[a]",
                    "1",
                    "SELECT 1",
                    "WARNING 25P01: there is no transaction in progress",
                    "COMMIT",
                    "[a]",
                    "2",
                    "SELECT 1",
                    "I",
                ],
            ),
            ("SET client_min_messages = error", &["SET", "I"]),
            ("COMMIT", &["COMMIT", "I"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_reads_one_version() {
    let server = TestServer::start().await;
    let mut reader = RawClient::connect(&server).await;
    let mut writer = RawClient::connect(&server).await;
    let count = "SELECT count(*) FROM touchpoints";
    let counted = |rows: &'static str, status: &'static str| ["[count]", rows, "SELECT 1", status];
    let add = |event_id: &str| format!("{event_id}\tana\t2024-01-01 00:00:00\tview\n");
    writer.copy_in("COPY touchpoints (event_id, user_id, ts, event) FROM STDIN", &add("a")).await;
    assert_eq!(said(&mut reader, count).await, counted("1", "I"));
    assert_eq!(said(&mut reader, "BEGIN").await, ["BEGIN", "T"]);
    // The version is that of the first read, not that of the BEGIN, nor of what was read before it.
    writer.copy_in("COPY touchpoints (event_id, user_id, ts, event) FROM STDIN", &add("b")).await;
    assert_eq!(said(&mut reader, count).await, counted("2", "T"));
    writer.copy_in("COPY touchpoints (event_id, user_id, ts, event) FROM STDIN", &add("c")).await;
    assert_eq!(said(&mut reader, count).await, counted("2", "T"));
    assert_eq!(said(&mut writer, count).await, counted("3", "I"));
    assert_eq!(said(&mut reader, "COMMIT AND CHAIN").await, ["COMMIT", "T"]);
    assert_eq!(said(&mut reader, count).await, counted("3", "T"));
    assert_eq!(said(&mut reader, "COMMIT").await, ["COMMIT", "I"]);
}
