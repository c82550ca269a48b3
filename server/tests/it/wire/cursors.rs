//! Cursors: what PostgreSQL 15 answered to the same messages.

use super::raw::{RawClient, said};
use crate::support::TestServer;

const SERIES: &str = "SELECT g FROM generate_series(1, 5) AS s(g) ORDER BY g";

/// The rows that a message gives, or its tag or error; without the status.
async fn rows(client: &mut RawClient, sql: &str) -> String {
    let lines = said(client, sql).await;
    let lines: Vec<String> = lines.into_iter().filter(|line| !line.starts_with('[')).collect();
    lines[..lines.len() - 1].join(",")
}

async fn check(client: &mut RawClient, conversation: &[(&str, &str)]) {
    for (sql, expected) in conversation {
        assert_eq!(rows(client, sql).await, *expected, "{sql}");
    }
}

const FORWARD_ONLY: &str = "ERROR 55000: cursor can only scan forward";

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_without_scroll_goes_forward() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let declare = format!("BEGIN; DECLARE c NO SCROLL CURSOR FOR {SERIES}");
    for script in [
        vec![("FETCH 0 FROM c", "FETCH 0"), ("FETCH c", "1,FETCH 1"), ("FETCH 0 FROM c", FORWARD_ONLY)],
        vec![("FETCH 2 c", "1,2,FETCH 2"), ("FETCH ABSOLUTE 2 FROM c", FORWARD_ONLY)],
        vec![
            ("FETCH 2 c", "1,2,FETCH 2"),
            ("FETCH ABSOLUTE 3 FROM c", "3,FETCH 1"),
            ("FETCH RELATIVE 2 FROM c", "5,FETCH 1"),
            ("FETCH ALL c", "FETCH 0"),
            ("FETCH NEXT c", "FETCH 0"),
            ("FETCH PRIOR c", FORWARD_ONLY),
        ],
        vec![("FETCH FIRST c", "1,FETCH 1"), ("FETCH FIRST c", FORWARD_ONLY)],
        vec![("FETCH LAST c", FORWARD_ONLY)],
        vec![("MOVE 3 IN c", "MOVE 3"), ("FETCH c", "4,FETCH 1"), ("MOVE FORWARD ALL IN c", "MOVE 1")],
    ] {
        assert_eq!(rows(&mut client, &declare).await, "BEGIN,DECLARE CURSOR");
        check(&mut client, &script).await;
        assert_eq!(rows(&mut client, "ROLLBACK").await, "ROLLBACK");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scroll_cursor_goes_everywhere() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    // Batches of two rows, so that rows lie in several.
    client.query("SET datafusion.execution.batch_size = 2").await;
    client.until_ready().await;
    check(
        &mut client,
        &[
            (&format!("BEGIN; DECLARE c SCROLL CURSOR FOR {SERIES}"), "BEGIN,DECLARE CURSOR"),
            ("FETCH LAST c", "5,FETCH 1"),
            ("FETCH LAST c", "5,FETCH 1"),
            ("FETCH FIRST c", "1,FETCH 1"),
            ("FETCH -1 c", "FETCH 0"),
            ("FETCH 2 c", "1,2,FETCH 2"),
            ("FETCH BACKWARD ALL c", "1,FETCH 1"),
            ("FETCH ABSOLUTE -2 c", "4,FETCH 1"),
            ("FETCH RELATIVE -1 c", "3,FETCH 1"),
            ("FETCH ABSOLUTE 0 c", "FETCH 0"),
            ("FETCH ABSOLUTE 99 c", "FETCH 0"),
            ("FETCH BACKWARD 2 c", "5,4,FETCH 2"),
            ("MOVE FORWARD ALL c", "MOVE 1"),
            ("MOVE BACKWARD 3 c", "MOVE 3"),
            ("FETCH RELATIVE 0 c", "3,FETCH 1"),
            ("MOVE 0 c", "MOVE 1"),
            ("MOVE ALL IN c", "MOVE 2"),
            ("MOVE ABSOLUTE -2 c", "MOVE 1"),
            ("MOVE ABSOLUTE 1 c", "MOVE 1"),
            ("FETCH FORWARD ALL FROM c", "2,3,4,5,FETCH 4"),
            ("FETCH PRIOR FROM c", "5,FETCH 1"),
            ("DECLARE c CURSOR FOR SELECT 1", "ERROR 42P03: cursor \"c\" already exists"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_end_with_their_transaction_or_outlive_it() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let gone = |name: &str| format!("ERROR 34000: cursor \"{name}\" does not exist");
    check(
        &mut client,
        &[
            (
                "DECLARE c CURSOR FOR SELECT 1",
                "ERROR 25P01: DECLARE CURSOR can only be used in transaction blocks",
            ),
            ("DECLARE c CURSOR FOR SELECT 1 AS a; FETCH c", "DECLARE CURSOR,1,FETCH 1"),
            ("CLOSE c", &gone("c")),
            (&format!("BEGIN; DECLARE c CURSOR FOR {SERIES}"), "BEGIN,DECLARE CURSOR"),
            (&format!("DECLARE h CURSOR WITH HOLD FOR {SERIES}"), "DECLARE CURSOR"),
            ("FETCH 2 h", "1,2,FETCH 2"),
            ("COMMIT", "COMMIT"),
            ("FETCH c", &gone("c")),
            ("FETCH h", "3,FETCH 1"),
            // One that was there before stays, one that is new goes.
            (&format!("BEGIN; DECLARE i CURSOR WITH HOLD FOR {SERIES}"), "BEGIN,DECLARE CURSOR"),
            ("ROLLBACK", "ROLLBACK"),
            ("FETCH i", &gone("i")),
            ("FETCH h", "4,FETCH 1"),
            ("CLOSE h", "CLOSE CURSOR"),
            ("CLOSE h", &gone("h")),
            ("CLOSE ALL", "CLOSE CURSOR ALL"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_and_savepoints() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    check(
        &mut client,
        &[
            ("BEGIN; DECLARE c CURSOR FOR SELECT 1 AS a; SAVEPOINT a", "BEGIN,DECLARE CURSOR,SAVEPOINT"),
            ("DECLARE d CURSOR FOR SELECT 2 AS a", "DECLARE CURSOR"),
            ("ROLLBACK TO a", "ROLLBACK"),
            ("FETCH c", "1,FETCH 1"),
            ("FETCH d", "ERROR 34000: cursor \"d\" does not exist"),
            ("ROLLBACK", "ROLLBACK"),
            ("BEGIN; SAVEPOINT a", "BEGIN,SAVEPOINT"),
            (&format!("DECLARE d CURSOR FOR {SERIES}"), "DECLARE CURSOR"),
            ("RELEASE a; FETCH d", "RELEASE,1,FETCH 1"),
            ("SAVEPOINT b; FETCH d", "SAVEPOINT,2,FETCH 1"),
            ("ROLLBACK TO b; FETCH d", "ROLLBACK,3,FETCH 1"),
            ("ROLLBACK", "ROLLBACK"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_cursor_statements() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    check(
        &mut client,
        &[
            (
                "DECLARE c CURSOR FOR insert INTO t VALUES (1)",
                "ERROR 42601: syntax error at or near \"insert\"",
            ),
            ("DECLARE c CURSOR FOR SELECT $1", "ERROR 42P02: there is no parameter $1"),
            ("FETCH bad bad bad", "ERROR 42601: syntax error at or near \"bad\""),
            (
                "DECLARE d SCROLL NO SCROLL CURSOR FOR SELECT 1",
                "ERROR 42P11: cannot specify both SCROLL and NO SCROLL",
            ),
            ("BEGIN; DECLARE c CURSOR FOR SELECT nope", "BEGIN,ERROR 42703: column \"nope\" does not exist"),
            ("ROLLBACK", "ROLLBACK"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_over_an_endless_result_streams() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let endless = "SELECT value FROM generate_series(1, 1000000000) AS s(value)";
    check(
        &mut client,
        &[
            ("SET datafusion.execution.target_partitions = 1", "SET"),
            (&format!("BEGIN; DECLARE c CURSOR FOR {endless}"), "BEGIN,DECLARE CURSOR"),
            ("MOVE 999999 IN c", "MOVE 999999"),
            ("FETCH 2 FROM c", "1000000,1000001,FETCH 2"),
            ("SELECT 1 AS a", "1,SELECT 1"),
            ("COMMIT", "COMMIT"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_cursors_and_the_extended_protocol() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    client
        .query("BEGIN; DECLARE b BINARY CURSOR FOR SELECT 258::int AS a UNION ALL SELECT 3 ORDER BY 1 DESC")
        .await;
    client.until_ready().await;
    client.query("FETCH 1 FROM b").await;
    let (messages, _) = client.until_ready().await;
    let (_, row) = messages.iter().find(|(kind, _)| *kind == b'D').unwrap();
    assert_eq!(row.as_ref(), [0, 1, 0, 0, 0, 4, 0, 0, 1, 2]);
    // Bind says text, which is what counts then.
    client.parse("", "FETCH 1 FROM b").await;
    client.bind("", "").await;
    client.send(b'D', b"P\0").await;
    client.execute("", 0).await;
    assert_eq!(client.sync().await, ["1", "2", "[a]", "3", "FETCH 1", "T"]);
    // A cursor can be described and closed as a portal.
    client.send(b'D', b"Pb\0").await;
    assert_eq!(client.sync().await, ["[a]", "T"]);
    client.send(b'C', b"Pb\0").await;
    client.send(b'D', b"Pb\0").await;
    assert_eq!(client.sync().await, ["3", "ERROR 34000: portal \"b\" does not exist", "E"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_takes_parameters() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let transaction = client.transaction().await.unwrap();
    let declare =
        "DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 9) AS s(g) WHERE g > $1::bigint ORDER BY g";
    transaction.execute(declare, &[&6_i64]).await.unwrap();
    let rows = transaction.query("FETCH ALL FROM c", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [7, 8, 9]);
    transaction.commit().await.unwrap();
}
