//! `COPY ... TO STDOUT`.

use bytes::Buf;
use futures::{TryStreamExt, pin_mut};

use super::raw::{RawClient, said};
use crate::support::{TestServer, failure};

/// The rows, without the messages around them.
async fn data(client: &mut RawClient, sql: &str) -> String {
    let lines = said(client, sql).await;
    assert!(lines.contains(&"copy done".to_owned()), "{sql}: {lines:?}");
    lines.iter().filter_map(|line| line.strip_prefix("data ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_those_of_postgres() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let values = "SELECT 1 AS a, 'x,\"y' AS b, NULL AS c, '' AS d, E'l1\\nl2\\t\\\\' AS e, true AS f";
    for (options, expected) in [
        ("", "1\tx,\"y\t\\N\t\tl1\\nl2\\t\\\\\tt\n"),
        ("WITH (FORMAT text, DELIMITER '|', NULL '')", "1|x,\"y|||l1\\nl2\\t\\\\|t\n"),
        ("CSV HEADER", "a,b,c,d,e,f\n1,\"x,\"\"y\",,\"\",\"l1\nl2\t\\\",t\n"),
        (
            "(FORMAT csv, DELIMITER ';', NULL 'NULL', QUOTE '''', ESCAPE '\\', FORCE_QUOTE (a, b))",
            "'1';'x,\"y';NULL;;'l1\nl2\t\\\\';t\n",
        ),
    ] {
        let sql = format!("COPY ({values}) TO STDOUT {options}");
        assert_eq!(data(&mut client, &sql).await, expected, "{sql}");
    }
    let messages = said(&mut client, "COPY (VALUES (1), (2)) TO STDOUT; SELECT 3 AS a").await;
    assert_eq!(
        messages,
        ["copy out", "data 1\n", "data 2\n", "copy done", "COPY 2", "[a]", "3", "SELECT 1", "I"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_their_columns() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    said(&mut client, "CREATE TABLE t AS SELECT 1 AS a, 'x' AS \"B c\"").await;
    assert_eq!(data(&mut client, "COPY t TO STDOUT CSV HEADER").await, "a,B c\n1,x\n");
    assert_eq!(data(&mut client, "COPY public.t (\"B c\", a) TO STDOUT").await, "x\t1\n");
    for (sql, error) in [
        ("COPY nope TO STDOUT", "ERROR 42P01: relation \"nope\" does not exist"),
        ("COPY t (nope) TO STDOUT", "ERROR 42703: column \"nope\" of relation \"t\" does not exist"),
        ("COPY t (a, a) TO STDOUT", "ERROR 42701: column \"a\" specified more than once"),
        (
            "COPY (SELECT 1 AS a) TO STDOUT (FORMAT csv, FORCE_QUOTE (z))",
            "ERROR 42703: column \"z\" does not exist",
        ),
        ("COPY (SELECT $1) TO STDOUT", "ERROR 42P02: there is no parameter $1"),
    ] {
        assert_eq!(said(&mut client, sql).await, [error, "I"], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_rows_begin_with_a_header() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    client
        .query("COPY (SELECT 258::int, NULL::text UNION ALL SELECT 1, 'ab' ORDER BY 1 DESC) TO STDOUT BINARY")
        .await;
    let (messages, _) = client.until_ready().await;
    let sent: Vec<&[u8]> =
        messages.iter().filter(|(kind, _)| *kind == b'd').map(|(_, body)| body.as_ref()).collect();
    let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    let first = [header.as_slice(), b"\0\x02\0\0\0\x04\0\0\x01\x02\xff\xff\xff\xff"].concat();
    assert_eq!(sent, [first.as_slice(), b"\0\x02\0\0\0\x04\0\0\0\x01\0\0\0\x02ab", b"\xff\xff"]);
    client.query("COPY (SELECT 1 AS a WHERE false) TO STDOUT (FORMAT binary)").await;
    let (messages, _) = client.until_ready().await;
    let (_, only) = messages.iter().find(|(kind, _)| *kind == b'd').unwrap();
    assert_eq!(only.as_ref(), [header.as_slice(), b"\xff\xff"].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_among_the_rows_ends_the_copy_and_not_the_session() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let lines =
        said(&mut client, "COPY (SELECT 1 / (g - 3) FROM generate_series(1, 5) AS s(g)) TO STDOUT").await;
    assert_eq!(lines[lines.len() - 2..], ["ERROR 22012: division by zero", "I"]);
    assert!(!lines.contains(&"copy done".to_owned()));
    assert_eq!(said(&mut client, "SELECT 1 AS a").await, ["[a]", "1", "SELECT 1", "I"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_copies_out() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    let stream =
        client.copy_out("COPY (SELECT g, g * 2 FROM generate_series(1, 100000) AS s(g)) TO STDOUT").await;
    let stream = stream.unwrap();
    pin_mut!(stream);
    let (mut lines, mut bytes) = (0, 0);
    while let Some(row) = stream.try_next().await.unwrap() {
        lines += row.iter().filter(|byte| **byte == b'\n').count();
        bytes += row.remaining();
    }
    let expected: usize = (1..=100_000).map(|g| format!("{g}\t{}\n", g * 2).len()).sum();
    assert_eq!((lines, bytes), (100_000, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_programs_are_refused() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute("CREATE TABLE t AS SELECT 1 AS a").await.unwrap();
    for sql in [
        "COPY t TO '/tmp/wayfare-copy-test'",
        "COPY (SELECT 1) TO PROGRAM 'cat'",
        "COPY touchpoints FROM '/etc/passwd'",
        "COPY touchpoints FROM PROGRAM 'id'",
    ] {
        assert_eq!(failure(&client, sql).await.0, "42501", "{sql}");
    }
    assert!(!std::path::Path::new("/tmp/wayfare-copy-test").exists());
}
