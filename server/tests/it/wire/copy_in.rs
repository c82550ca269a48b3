//! `COPY touchpoints FROM STDIN`: one load, everything or nothing.

use bytes::{BufMut, BytesMut};
use futures::SinkExt;
use std::pin::pin;

use super::raw::{RawClient, said, shown};
use crate::support::{TestServer, text_rows, text_value};

const COLUMNS: &str =
    "COPY touchpoints (event_id, user_id, ts, event, revenue, score, page, properties) FROM STDIN";

/// All rows with what COPY may set, by event.
async fn stored(client: &mut RawClient) -> Vec<String> {
    let sql = "SELECT event_id, user_id, ts, event, revenue, score, page, properties FROM touchpoints ORDER BY event_id";
    let lines = said(client, sql).await;
    lines[1..lines.len() - 2].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn text_and_csv_bring_the_same_rows() {
    let expected = [
        "a|ana|2024-01-31 12:00:00.5+00|view|12.5000|0.5|/x\t\"y\"|{\"k\":\"v\\n\"}",
        "b|ben|2024-01-31 11:00:00+00|buy|NULL|NULL||NULL",
        "c|cem|2024-02-01 00:00:00+00|view|NULL|NULL|two\nlines|NULL",
    ];
    let text = "a\tana\t2024-01-31 12:00:00.5\tview\t12.5\t0.5\t/x\\t\"y\"\t{\"k\": \"v\\\\n\"}\n\
                b\tben\t2024-01-31 12:00:00+01\tbuy\t\\N\t\\N\t\t\\N\n\
                c\tcem\t2024-02-01\tview\t\\N\t\\N\ttwo\\nlines\t\\N\n\\.\n";
    let csv = "event_id,user_id,ts,event,revenue,score,page,properties\r\n\
               a,ana,2024-01-31 12:00:00.5,view,12.5,0.5,\"/x\t\"\"y\"\"\",\"{\"\"k\"\": \"\"v\\n\"\"}\"\r\n\
               b,ben,2024-01-31 12:00:00+01,buy,,,\"\",\r\n\
               c,cem,2024-02-01,view,,,\"two\nlines\",\r\n";
    for (options, data) in [("", text), (" (FORMAT csv, HEADER match)", csv)] {
        let server = TestServer::start().await;
        let mut client = RawClient::connect(&server).await;
        assert_eq!(client.copy_in(&format!("{COLUMNS}{options}"), data).await, ["COPY 3", "I"]);
        assert_eq!(stored(&mut client).await, expected, "{options}");
        // The same rows once more are duplicates, as in any load.
        assert_eq!(client.copy_in(&format!("{COLUMNS}{options}"), data).await, ["COPY 3", "I"]);
        assert_eq!(stored(&mut client).await, expected, "{options}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_ids_are_told_apart_as_in_a_load() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let rows = "ana\t2024-01-01\tview\nana\t2024-01-01\tview\n";
    let sql = "COPY touchpoints (user_id, ts, event) FROM STDIN";
    let count = "SELECT count(*), count(DISTINCT event_id) FROM touchpoints";
    for _ in 0..2 {
        assert_eq!(client.copy_in(sql, rows).await, ["COPY 2", "I"]);
        // Identical rows of one copy are two, the same rows again are none.
        assert_eq!(said(&mut client, count).await, ["[count count]", "2|2", "SELECT 1", "I"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_rows() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let mut data = BytesMut::from(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".as_slice());
    data.put_i16(4);
    for text in ["a", "ana"] {
        data.put_i32(i32::try_from(text.len()).unwrap());
        data.put_slice(text.as_bytes());
    }
    data.put_i32(8);
    data.put_i64(86_400_000_000); // 2000-01-02
    data.put_i32(4);
    data.put_slice(b"view");
    let whole = [data.as_ref(), b"\xff\xff"].concat();
    let sql = "COPY touchpoints (event_id, user_id, ts, event) FROM STDIN (FORMAT binary)";
    assert_eq!(client.copy_bytes_in(sql, &whole).await, ["COPY 1", "I"]);
    assert_eq!(stored(&mut client).await, ["a|ana|2000-01-02 00:00:00+00|view|NULL|NULL|NULL|NULL"]);
    for (wrong, message) in [
        (data.to_vec(), "ERROR 22P04: unexpected EOF in COPY data"),
        (b"PGCOPX".to_vec(), "ERROR 22P04: COPY file signature not recognized"),
        (
            [&data[..19], b"\0\x03"].concat(),
            "ERROR 22P04: row field count is 3, expected 4 (COPY touchpoints, line 1)",
        ),
        ([&whole, b"x".as_slice()].concat(), "ERROR 22P04: received copy data after EOF marker"),
    ] {
        assert_eq!(client.copy_bytes_in(sql, &wrong).await, [message, "I"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_copied_out_can_be_copied_in() {
    let from = TestServer::start().await;
    let mut client = RawClient::connect(&from).await;
    let rows = "a\tana\t2024-01-31 12:00:00.5\tview\t-0.0001\t1e-5\t/x\\\\y\\tz\t{\"k\":[1,\"ü\"]}\n";
    assert_eq!(client.copy_in(COLUMNS, rows).await, ["COPY 1", "I"]);
    let expected = stored(&mut client).await;
    for options in ["", " CSV HEADER", " BINARY"] {
        let to = TestServer::start().await;
        let mut other = RawClient::connect(&to).await;
        client.query(&format!("COPY touchpoints TO STDOUT{options}")).await;
        let (messages, _) = client.until_ready().await;
        let data: Vec<u8> =
            messages.iter().filter(|(kind, _)| *kind == b'd').flat_map(|(_, body)| body.to_vec()).collect();
        let sql = format!("COPY touchpoints FROM STDIN{options}");
        assert_eq!(other.copy_bytes_in(&sql, &data).await, ["COPY 1", "I"], "{options}");
        assert_eq!(stored(&mut other).await, expected, "{options}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_rows_are_named_and_nothing_is_loaded() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let good = "a\tana\t2024-01-01\tview\t1\t1\t/\t{}\n";
    let csv = format!("{COLUMNS} CSV");
    let cases = [
        (COLUMNS, "b\n", "22P04: missing data for column \"user_id\" (COPY touchpoints, line 2: \"b\")"),
        (
            COLUMNS,
            "b\tben\tbad\tview\t1\t1\t/\t{}\n",
            "22007: invalid input syntax for type timestamp with time zone: \"bad\" \
             (COPY touchpoints, line 2, column ts: \"bad\")",
        ),
        (
            COLUMNS,
            "b\tben\t2024-01-01\tview\tmuch\t1\t/\t{}\n",
            "22P02: invalid input syntax for type numeric: \"much\" (COPY touchpoints, line 2, column revenue: \"much\")",
        ),
        (
            COLUMNS,
            "b\t\\N\t2024-01-01\tview\t1\t1\t/\t{}\n",
            "23502: null value in column \"user_id\" of relation \"touchpoints\" violates not-null constraint \
             (COPY touchpoints, line 2: \"b\t\\N\t2024-01-01\tview\t1\t1\t/\t{}\")",
        ),
        (
            COLUMNS,
            "b\tben\t2024-01-01\tview\t1\t1\t/\t{}\textra\n",
            "22P04: extra data after last expected column \
             (COPY touchpoints, line 2: \"b\tben\t2024-01-01\tview\t1\t1\t/\t{}\textra\")",
        ),
        // Found by the loader and not by COPY.
        (
            COLUMNS,
            "b\tben\t2024-01-01\tview\t0.00001\t1\t/\t{}\n",
            "22P02: more than 4 decimal places (COPY touchpoints, line 2, column revenue: \"0.00001\")",
        ),
    ];
    for (sql, wrong, message) in cases {
        let answer = client.copy_in(sql, &format!("{good}{wrong}")).await;
        assert_eq!(answer[1..], ["I"], "{wrong}: {answer:?}");
        let (expected, found) = (format!("ERROR {message}"), &answer[0]);
        if message.contains("decimal") {
            // The loader's wording is its own.
            assert!(
                found.starts_with("ERROR 22P02") && found.ends_with("line 2, column revenue: \"0.00001\")"),
                "{found}"
            );
        } else {
            assert_eq!(*found, expected);
        }
    }
    let two_lines = "a,ana,2024-01-01,view,1,1,\"/\n\",{}\nb,ben,2024-01-01,view,1,\"x\n\",/,{}\n";
    let answer = client.copy_in(&csv, two_lines).await;
    assert!(answer[0].ends_with("(COPY touchpoints, line 4, column score: \"x\n\")"), "{answer:?}");
    let answer = client.copy_in(&csv, "a,\"ana\n").await;
    assert_eq!(
        answer[0],
        "ERROR 22P04: unterminated CSV quoted field (COPY touchpoints, line 1: \"a,\"ana\n\")"
    );
    let answer = client.copy_in(&format!("{COLUMNS} (FORMAT csv, HEADER match)"), "event_id,user_id\n").await;
    assert_eq!(
        answer[0],
        "ERROR 22P04: wrong number of fields in header line: got 2, expected 8 \
         (COPY touchpoints, line 1: \"event_id,user_id\")"
    );
    let answer = client.copy_bytes_in(COLUMNS, b"a\tan\xff\t2024-01-01\tview\t1\t1\t/\t{}\n").await;
    assert!(
        answer[0].starts_with("ERROR 22021: invalid byte sequence for encoding \"UTF8\": 0xff"),
        "{answer:?}"
    );
    assert!(stored(&mut client).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_columns_are_checked_before_any_data() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    said(&mut client, "CREATE TABLE t AS SELECT 1 AS a").await;
    for (sql, code) in [
        ("COPY nope FROM STDIN", "ERROR 42P01: relation \"nope\" does not exist"),
        (
            "COPY touchpoints (nope) FROM STDIN",
            "ERROR 42703: column \"nope\" of relation \"touchpoints\" does not exist",
        ),
        ("COPY touchpoints (ts, ts) FROM STDIN", "ERROR 42701: column \"ts\" specified more than once"),
        ("COPY t FROM STDIN", "ERROR 42809: cannot copy to \"t\": it is not a table of the store"),
    ] {
        assert_eq!(said(&mut client, sql).await, [code, "I"], "{sql}");
    }
    let answer = said(&mut client, "BEGIN READ ONLY; COPY touchpoints FROM STDIN").await;
    assert_eq!(answer[1..], ["ERROR 25006: cannot execute COPY FROM in a read-only transaction", "E"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_transaction_come_with_its_commit() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let mut other = RawClient::connect(&server).await;
    let sql = "COPY touchpoints (event_id, user_id, ts, event) FROM STDIN";
    let row = |id: &str| format!("{id}\tana\t2024-01-01\tview\n");
    let ids = "SELECT string_agg(event_id, ',' ORDER BY event_id) AS ids FROM touchpoints";
    said(&mut client, "BEGIN").await;
    assert_eq!(client.copy_in(sql, &row("a")).await, ["COPY 1", "T"]);
    said(&mut client, "SAVEPOINT s").await;
    assert_eq!(client.copy_in(sql, &row("b")).await, ["COPY 1", "T"]);
    said(&mut client, "ROLLBACK TO s").await;
    assert_eq!(client.copy_in(sql, &row("c")).await, ["COPY 1", "T"]);
    assert_eq!(said(&mut other, ids).await[1], "NULL");
    assert_eq!(said(&mut client, "COMMIT").await, ["COMMIT", "I"]);
    assert_eq!(said(&mut other, ids).await[1], "a,c");

    said(&mut client, "BEGIN").await;
    client.copy_in(sql, &row("d")).await;
    said(&mut client, "ROLLBACK").await;
    // A wrong row is told at once, and not at the end.
    said(&mut client, "BEGIN").await;
    let wrong = "e\tana\t2024-01-01\tview\tEURO\n";
    let answer =
        client.copy_in("COPY touchpoints (event_id, user_id, ts, event, currency) FROM STDIN", wrong).await;
    assert!(answer[0].ends_with("(COPY touchpoints, line 1, column currency: \"EURO\")"), "{answer:?}");
    assert_eq!(said(&mut client, "COMMIT").await, ["ROLLBACK", "I"]);
    // Several statements in one message are one transaction too.
    client.query(&format!("{sql}; SELECT nope")).await;
    assert_eq!(client.next().await.0, b'G');
    client.send(b'd', row("f").as_bytes()).await;
    client.send(b'c', b"").await;
    let (messages, _) = client.until_ready().await;
    let lines: Vec<String> = messages.iter().map(|(kind, body)| shown(*kind, body)).collect();
    assert_eq!(lines, ["COPY 1", "ERROR 42703: column \"nope\" does not exist"]);
    assert_eq!(said(&mut other, ids).await[1], "a,c");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_given_up_leaves_nothing() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let sql = "COPY touchpoints (event_id, user_id, ts, event) FROM STDIN";
    client.query(sql).await;
    assert_eq!(client.next().await.0, b'G');
    client.send(b'd', b"a\tana\t2024-01-01\tview\n").await;
    client.send(b'f', b"changed my mind\0").await;
    let (messages, status) = client.until_ready().await;
    let answer = shown(messages[0].0, &messages[0].1);
    assert_eq!(answer, "ERROR 57014: COPY from stdin failed: changed my mind (COPY touchpoints)");
    assert_eq!(status, b'I');
    // Data of a copy that has failed is passed over.
    client.query(sql).await;
    assert_eq!(client.next().await.0, b'G');
    client.send(b'd', b"bad\n").await;
    client.until_ready().await;
    client.send(b'd', b"b\tana\t2024-01-01\tview\n").await;
    client.send(b'c', b"").await;
    assert_eq!(said(&mut client, "SELECT count(*) FROM touchpoints").await[1], "0");
    // A client that goes away in the middle.
    let mut leaver = RawClient::connect(&server).await;
    leaver.query(sql).await;
    assert_eq!(leaver.next().await.0, b'G');
    leaver.send(b'd', b"c\tana\t2024-01-01\tview\n").await;
    drop(leaver);
    assert_eq!(said(&mut client, "SELECT count(*) FROM touchpoints").await[1], "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_without_a_zone_are_in_that_of_the_session() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    said(&mut client, "SET TimeZone = 'Asia/Kolkata'").await;
    client
        .copy_in("COPY touchpoints (user_id, ts, event) FROM STDIN", "ana\t2024-01-01 05:30:00\tview\n")
        .await;
    said(&mut client, "SET TimeZone = 'UTC'").await;
    assert_eq!(said(&mut client, "SELECT ts FROM touchpoints").await[1], "2024-01-01 00:00:00+00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_copies_in() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    let sink =
        client.copy_in("COPY touchpoints (event_id, user_id, ts, event) FROM STDIN CSV").await.unwrap();
    let mut sink = pin!(sink);
    for chunk in 0..10 {
        let rows: String = (0..1_000)
            .map(|row| format!("e{chunk}-{row},user {},2024-01-{:02},view\n", row % 50, 1 + row % 30))
            .collect();
        sink.send(bytes::Bytes::from(rows)).await.unwrap();
    }
    assert_eq!(sink.as_mut().finish().await.unwrap(), 10_000);
    let counts = text_rows(&client, "SELECT count(*), count(DISTINCT user_id) FROM touchpoints").await;
    assert_eq!(counts[0], [Some("10000".to_owned()), Some("50".to_owned())]);
    assert_eq!(text_value(&client, "SELECT 1").await.as_deref(), Some("1"));
}
