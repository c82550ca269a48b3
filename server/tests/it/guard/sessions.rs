//! What one session sets is no matter of another, whatever else the server does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::support::{TestServer, db_error, failure, text_value};

/// Rounds of each session.
const ROUNDS: usize = 8;

struct Expected {
    zone: &'static str,
    /// Midnight of 1 July 2024, UTC, in that zone.
    time: &'static str,
    path: &'static str,
    schema: &'static str,
    timeout: &'static str,
}

const SESSIONS: [Expected; 4] = [
    Expected {
        zone: "America/New_York",
        time: "2024-06-30 20:00:00-04",
        path: "journey, public",
        schema: "journey",
        timeout: "300ms",
    },
    Expected {
        zone: "Asia/Tokyo",
        time: "2024-07-01 09:00:00+09",
        path: "public",
        schema: "public",
        timeout: "10min",
    },
    Expected {
        zone: "Europe/Berlin",
        time: "2024-07-01 02:00:00+02",
        path: "public, journey",
        schema: "public",
        timeout: "0",
    },
    Expected {
        zone: "UTC",
        time: "2024-07-01 00:00:00+00",
        path: "pg_catalog",
        schema: "pg_catalog",
        timeout: "450ms",
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn settings_stay_in_their_session_under_load() {
    let server = TestServer::start().await;
    let done = Arc::new(AtomicBool::new(false));
    let mut load = Vec::new();
    for _ in 0..4 {
        let (client, done) = (server.connect().await, Arc::clone(&done));
        load.push(tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                let sql = "SELECT count(DISTINCT x % 1000) FROM generate_series(1, 200000) AS s(x)";
                assert_eq!(text_value(&client, sql).await.as_deref(), Some("1000"));
            }
        }));
    }
    let mut sessions = Vec::new();
    // Two of each, so that equal settings meet too.
    for expected in SESSIONS.iter().chain(&SESSIONS) {
        let client = server.connect().await;
        let Expected { zone, path, timeout, .. } = expected;
        let set =
            format!("SET TimeZone = '{zone}'; SET search_path = {path}; SET statement_timeout = '{timeout}'");
        client.batch_execute(&set).await.unwrap();
        sessions.push(tokio::spawn(async move { check(&client, expected).await }));
    }
    for session in sessions {
        session.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for client in load {
        client.await.unwrap();
    }
}

async fn check(client: &Client, expected: &Expected) {
    let Expected { zone, time, path, schema, timeout } = expected;
    let is_short = timeout.ends_with("ms");
    let mut checked = 0;
    for _ in 0..ROUNDS {
        for (sql, expected) in [
            ("SHOW TimeZone", *zone),
            ("SHOW search_path", path),
            ("SHOW statement_timeout", timeout),
            ("SELECT TIMESTAMPTZ '2024-07-01 00:00:00+00'", time),
            ("SELECT current_schema()", schema),
            ("SELECT current_setting('TimeZone')", zone),
        ] {
            if let Some(found) = value(client, sql, is_short).await {
                assert_eq!(found, expected, "{zone}: {sql}");
                checked += 1;
            }
        }
        if is_short {
            let began = Instant::now();
            let endless = "SELECT count(*) FROM generate_series(1, 100000000000)";
            assert_eq!(failure(client, endless).await.0, "57014");
            assert!(began.elapsed() < Duration::from_secs(20));
        } else {
            // Longer than the time of the others, in a transaction with settings of its own.
            client.batch_execute("BEGIN; SET LOCAL TimeZone = 'Asia/Kolkata'").await.unwrap();
            let sql = "SELECT count(*) FROM generate_series(1, 2000000) AS s(x) WHERE x % 3 <> 0";
            assert_eq!(value(client, sql, false).await.as_deref(), Some("1333334"));
            assert_eq!(value(client, "SHOW TimeZone", false).await.as_deref(), Some("Asia/Kolkata"));
            client.batch_execute("COMMIT").await.unwrap();
        }
    }
    assert!(checked > 0);
}

/// The value of `sql`; `None` if a short time was over, as it may be while others keep the machine busy.
async fn value(client: &Client, sql: &str, is_short: bool) -> Option<String> {
    match client.simple_query(sql).await {
        Ok(messages) => messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }),
        Err(e) => {
            assert!(is_short && db_error(&e).0 == "57014", "{sql}: {e:?}");
            None
        }
    }
}
