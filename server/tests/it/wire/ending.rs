//! Statements and sessions that end early: cancelled, out of time, terminated, idle, or without a client.

use std::time::{Duration, Instant};

use tokio_postgres::NoTls;

use super::raw::{RawClient, said, shown};
use crate::support::{TestServer, db_error, failure, text_value};

/// Statements that would run for hours, by what they are busy with.
const HEAVY: [(&str, &str); 6] = [
    ("aggregate", "SELECT count(DISTINCT g % 1000) FROM generate_series(1, 100000000000) AS s(g)"),
    (
        "cross join",
        "SELECT count(*) FROM generate_series(1, 1000000) AS a(x), generate_series(1, 10000000000) AS b(y)",
    ),
    (
        "join without keys",
        "SELECT count(*) FROM generate_series(1, 100000) AS a(x), generate_series(1, 10000000000) AS b(y) \
         WHERE x * y % 7 = 3",
    ),
    ("sort", "SELECT g FROM generate_series(1, 100000000000) AS s(g) ORDER BY g % 1000, g DESC"),
    ("rows", "SELECT g FROM generate_series(1, 100000000000) AS s(g)"),
    ("copy", "COPY (SELECT g FROM generate_series(1, 100000000000) AS s(g)) TO STDOUT"),
];

/// Reads answers up to the error, and returns that.
async fn error_of(client: &mut RawClient) -> String {
    loop {
        let (kind, body) = client.next().await;
        if kind == b'E' {
            return shown(kind, &body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_ends_whatever_runs() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    said(&mut client, "SET statement_timeout = '300ms'").await;
    for (what, sql) in HEAVY {
        let started = Instant::now();
        client.query(sql).await;
        let error = error_of(&mut client).await;
        assert_eq!(error, "ERROR 57014: canceling statement due to statement timeout", "{what}");
        // Loose: other tests run beside this one.
        assert!(started.elapsed() < Duration::from_secs(10), "{what}: {:?}", started.elapsed());
        client.until_ready().await;
        assert_eq!(said(&mut client, "SELECT 1 AS a").await, ["[a]", "1", "SELECT 1", "I"], "after {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_request_ends_whatever_runs() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    for (what, sql) in HEAVY.iter().filter(|(what, _)| *what != "copy") {
        let cancel = client.cancel_token();
        let request = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            cancel.cancel_query(NoTls).await.unwrap();
        });
        let (code, message) = failure(&client, sql).await;
        assert_eq!(
            (code.as_str(), message.as_str()),
            ("57014", "canceling statement due to user request"),
            "{what}"
        );
        request.await.unwrap();
        assert_eq!(text_value(&client, "SELECT 1").await.as_deref(), Some("1"), "after {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_from_the_client_is_cancelled_while_it_waits() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let mut other = RawClient::connect_as(&server, "ana").await;
    client.query("COPY touchpoints (user_id, ts, event) FROM STDIN").await;
    assert_eq!(client.next().await.0, b'G');
    client.send(b'd', b"ana\t2024-01-01\tview\n").await;
    let cancelled = format!("SELECT pg_cancel_backend({}) AS done", client.pid());
    assert_eq!(said(&mut other, &cancelled).await[1], "t");
    let (messages, status) = client.until_ready().await;
    assert_eq!(shown(messages[0].0, &messages[0].1), "ERROR 57014: canceling statement due to user request");
    assert_eq!(status, b'I');
    assert_eq!(said(&mut client, "SELECT count(*) FROM touchpoints").await[1], "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_signal_each_other() {
    let server = TestServer::start().await;
    let mut victim = RawClient::connect_as(&server, "ana").await;
    let mut same = RawClient::connect_as(&server, "ana").await;
    let mut other = RawClient::connect_as(&server, "ben").await;
    let pid = victim.pid();
    assert_eq!(said(&mut victim, "SELECT pg_backend_pid() AS pid").await[1], pid.to_string());
    let cancel = format!("SELECT pg_cancel_backend({pid}) AS done");
    let terminate = format!("SELECT pg_terminate_backend({pid}) AS done");
    victim.query(HEAVY[0].1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(said(&mut other, &cancel).await[1], "ERROR 42501: permission denied to cancel query");
    assert_eq!(said(&mut other, &terminate).await[1], "ERROR 42501: permission denied to terminate process");
    assert_eq!(said(&mut same, &cancel).await[1], "t");
    assert_eq!(error_of(&mut victim).await, "ERROR 57014: canceling statement due to user request");
    victim.until_ready().await;

    victim.query(HEAVY[0].1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(said(&mut same, &terminate).await[1], "t");
    let ended = "FATAL 57P01: terminating connection due to administrator command";
    assert_eq!(error_of(&mut victim).await, ended);
    // An idle session ends as well; one that is not there does not.
    let mut idle = RawClient::connect_as(&server, "ana").await;
    let pid = idle.pid();
    said(&mut same, &format!("SELECT pg_terminate_backend({pid})")).await;
    assert_eq!(error_of(&mut idle).await, ended);
    for _ in 0..100 {
        if said(&mut same, &format!("SELECT pg_cancel_backend({pid}) AS done")).await[1] == "f" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the session is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_end() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    said(&mut client, "SET idle_in_transaction_session_timeout = '100ms'").await;
    // Outside a transaction it does not count.
    tokio::time::sleep(Duration::from_millis(300)).await;
    said(&mut client, "BEGIN").await;
    assert_eq!(
        error_of(&mut client).await,
        "FATAL 25P03: terminating connection due to idle-in-transaction timeout"
    );
    let mut client = RawClient::connect(&server).await;
    said(&mut client, "SET idle_session_timeout = '100ms'; BEGIN").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    said(&mut client, "COMMIT").await;
    assert_eq!(
        error_of(&mut client).await,
        "FATAL 57P05: terminating connection due to idle-session timeout"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_frees_its_session() {
    let server = TestServer::start().await;
    let mut watcher = RawClient::connect(&server).await;
    for (what, sql) in HEAVY {
        let mut leaver = RawClient::connect(&server).await;
        let pid = leaver.pid();
        leaver.query(sql).await;
        // Rows would fill the socket while nobody reads.
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(leaver);
        let left = Instant::now();
        // Cancels nothing: the statement must be ending, and the session is gone when it has.
        let is_there = format!("SELECT pg_cancel_backend({pid}) AS there");
        tokio::time::sleep(Duration::from_secs(2)).await;
        while said(&mut watcher, &is_there).await[1] == "t" {
            assert!(left.elapsed() < Duration::from_secs(20), "{what}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_fails_with_a_cancelled_statement() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute("BEGIN; SET LOCAL statement_timeout = '100ms'").await.unwrap();
    let failed = client.simple_query(HEAVY[0].1).await.unwrap_err();
    assert_eq!(db_error(&failed).0, "57014");
    assert_eq!(failure(&client, "SELECT 1").await.0, "25P02");
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(text_value(&client, "SHOW statement_timeout").await.as_deref(), Some("0"));
}
