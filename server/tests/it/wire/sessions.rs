//! Settings: PostgreSQL's names and answers, and an effect on their own session alone.

use super::raw::{RawClient, said};
use crate::support::{TestServer, failure, text_value};

/// The value of a query, or its error.
async fn value(client: &mut RawClient, sql: &str) -> String {
    let lines = said(client, sql).await;
    lines.into_iter().find(|line| !line.starts_with('[')).unwrap_or_default()
}

async fn check(client: &mut RawClient, conversation: &[(&str, &str)]) {
    for (sql, expected) in conversation {
        assert_eq!(value(client, sql).await, *expected, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_read_and_shown_as_postgres_does() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    check(
        &mut client,
        &[
            ("SET statement_timeout = '1.5s'", "SET"),
            ("SHOW statement_timeout", "1500ms"),
            ("SELECT current_setting('statement_timeout')", "1500ms"),
            ("SET statement_timeout = '90s'; SHOW statement_timeout", "SET"),
            ("SHOW statement_timeout", "90s"),
            (
                "SET statement_timeout = -1",
                "ERROR 22023: -1 ms is outside the valid range for parameter \"statement_timeout\" (0 .. 2147483647)",
            ),
            ("SET statement_timeout = '5 weeks'", "ERROR 22023: invalid value for parameter \"statement_timeout\": \"5 weeks\""),
            ("RESET statement_timeout", "RESET"),
            ("SET search_path = 'a b', C, \"D\", \"$user\"", "SET"),
            ("SHOW search_path", "\"a b\", c, \"D\", \"$user\""),
            ("SELECT set_config('search_path', 'a,,b', false)", "ERROR 22023: invalid value for parameter \"search_path\": \"a,,b\""),
            ("SELECT set_config('search_path', 'a, \"B\"', false)", "a, \"B\""),
            ("SELECT current_schema()", "NULL"),
            ("SET search_path = public, pg_catalog", "SET"),
            ("SELECT current_schemas(true)", "{public,pg_catalog}"),
            ("RESET search_path", "RESET"),
            ("SELECT current_schemas(true)", "{pg_catalog,public}"),
            ("SELECT current_schema()", "public"),
            ("SET nope = 1", "ERROR 42704: unrecognized configuration parameter \"nope\""),
            ("RESET nope", "ERROR 42704: unrecognized configuration parameter \"nope\""),
            ("SELECT current_setting('nope')", "ERROR 42704: unrecognized configuration parameter \"nope\""),
            ("SELECT current_setting('my.var', true)", "NULL"),
            ("SET my.var = '1'", "SET"),
            ("SHOW my.var", "1"),
            ("SHOW my.other", "ERROR 42704: unrecognized configuration parameter \"my.other\""),
            ("SET server_version = 1", "ERROR 55P02: parameter \"server_version\" cannot be changed"),
            (
                "SET max_connections = 5",
                "ERROR 55P02: parameter \"max_connections\" cannot be changed without restarting the server",
            ),
            ("SET default_transaction_read_only = maybe", "ERROR 22023: parameter \"default_transaction_read_only\" requires a Boolean value"),
            ("SET bytea_output = 'bad'", "ERROR 22023: invalid value for parameter \"bytea_output\": \"bad\""),
            ("SET datafusion.runtime.memory_limit = '99G'", "ERROR 42501: permission denied to set parameter \"datafusion.runtime.memory_limit\""),
            ("DISCARD ALL", "DISCARD ALL"),
            ("SHOW my.var", "ERROR 42704: unrecognized configuration parameter \"my.var\""),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_reported_and_undone_ones_too() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    assert_eq!(said(&mut client, "SET application_name = 'x'").await, ["application_name=x", "SET", "I"]);
    assert_eq!(
        said(&mut client, "SELECT set_config('TimeZone', 'Asia/Tokyo', false) AS z").await,
        ["[z]", "Asia/Tokyo", "SELECT 1", "TimeZone=Asia/Tokyo", "I"]
    );
    said(&mut client, "BEGIN").await;
    said(&mut client, "SET LOCAL TimeZone = 'UTC'").await;
    assert_eq!(said(&mut client, "COMMIT").await, ["TimeZone=Asia/Tokyo", "COMMIT", "I"]);
    said(&mut client, "BEGIN; SET DateStyle = 'German'").await;
    assert_eq!(said(&mut client, "ROLLBACK").await, ["DateStyle=ISO, MDY", "ROLLBACK", "I"]);
    // Set by a function for the transaction only.
    said(&mut client, "BEGIN; SELECT set_config('IntervalStyle', 'iso_8601', true)").await;
    assert_eq!(said(&mut client, "COMMIT").await, ["IntervalStyle=postgres", "COMMIT", "I"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_times_and_intervals_in_every_style() {
    // As PostgreSQL 15 printed them.
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    let times =
        "SELECT TIMESTAMPTZ '2024-01-31 12:00:00.5+00', DATE '2024-01-31', TIMESTAMP '2024-07-31 12:00:00'";
    value(&mut client, "SET TimeZone = 'Europe/Berlin'").await;
    check(
        &mut client,
        &[
            (times, "2024-01-31 13:00:00.5+01|2024-01-31|2024-07-31 12:00:00"),
            ("SET DateStyle = 'Postgres, MDY'; SELECT 1", "DateStyle=Postgres, MDY"),
            (times, "Wed Jan 31 13:00:00.5 2024 CET|01-31-2024|Wed Jul 31 12:00:00 2024"),
            ("SET DateStyle = 'Postgres, DMY'", "DateStyle=Postgres, DMY"),
            (times, "Wed 31 Jan 13:00:00.5 2024 CET|31-01-2024|Wed 31 Jul 12:00:00 2024"),
            ("SET DateStyle = 'SQL, DMY'", "DateStyle=SQL, DMY"),
            (times, "31/01/2024 13:00:00.5 CET|31/01/2024|31/07/2024 12:00:00"),
            ("SET DateStyle = 'SQL, MDY'", "DateStyle=SQL, MDY"),
            (times, "01/31/2024 13:00:00.5 CET|01/31/2024|07/31/2024 12:00:00"),
            ("SET DateStyle = 'German'", "DateStyle=German, DMY"),
            (times, "31.01.2024 13:00:00.5 CET|31.01.2024|31.07.2024 12:00:00"),
            ("SET TimeZone = 'Asia/Kathmandu'", "TimeZone=Asia/Kathmandu"),
            ("SELECT TIMESTAMPTZ '2024-01-31 12:00:00.5+00'", "31.01.2024 17:45:00.5 +0545"),
            ("SET TimeZone = '+3'", "TimeZone=<+03>-03"),
            ("SELECT TIMESTAMPTZ '2024-01-31 12:00:00.5+00'", "31.01.2024 15:00:00.5 +03"),
            ("SET DateStyle = 'ISO'", "DateStyle=ISO, DMY"),
            ("SELECT TIMESTAMPTZ '2024-01-31 12:00:00.5+00'", "2024-01-31 15:00:00.5+03"),
            ("SET TimeZone = '-03:30'", "TimeZone=-03:30"),
            ("SELECT TIMESTAMPTZ '2024-01-31 12:00:00.5+00'", "2024-01-31 15:30:00.5+03:30"),
        ],
    )
    .await;
    let intervals = "SELECT INTERVAL '1 year 2 months -3 days 4 hours 5 minutes 6.7 seconds', INTERVAL '0 days', INTERVAL '-1 day'";
    check(
        &mut client,
        &[
            (intervals, "1 year 2 mons -3 days +04:05:06.7|00:00:00|-1 days"),
            ("SET IntervalStyle = 'iso_8601'", "IntervalStyle=iso_8601"),
            (intervals, "P1Y2M-3DT4H5M6.7S|PT0S|P-1D"),
            ("SET IntervalStyle = 'sql_standard'", "IntervalStyle=sql_standard"),
            (intervals, "+1-2 -3 +4:05:06.7|0|-1 0:00:00"),
            ("SET IntervalStyle = 'postgres_verbose'", "IntervalStyle=postgres_verbose"),
            (intervals, "@ 1 year 2 mons -3 days 4 hours 5 mins 6.7 secs|@ 0|@ 1 day ago"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_bytes_in_every_style() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    check(
        &mut client,
        &[
            ("SELECT 0.1::float8 + 0.2, 'a\\\\b'::bytea", "0.30000000000000004|\\x615c62"),
            ("SET extra_float_digits = 0; SET bytea_output = 'escape'", "SET"),
            ("SELECT 0.1::float8 + 0.2, 'a\\\\b'::bytea", "0.3|a\\\\b"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_prepared_by_statements() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    check(
        &mut client,
        &[
            ("PREPARE p (int, text) AS SELECT $1 + 1, $2", "PREPARE"),
            ("EXECUTE p(1, 'x')", "2|x"),
            ("EXECUTE p(2 * 3, upper('y'))", "7|Y"),
            ("EXECUTE p(NULL, NULL)", "NULL|NULL"),
            ("EXECUTE p(1)", "ERROR 42601: wrong number of parameters for prepared statement \"p\""),
            ("EXECUTE p('a', 'b')", "ERROR 22P02: invalid input syntax for type integer: \"a\""),
            ("PREPARE p AS SELECT 1", "ERROR 42P05: prepared statement \"p\" already exists"),
            ("PREPARE q AS SELECT nothing", "ERROR 42703: column \"nothing\" does not exist"),
            ("EXECUTE q", "ERROR 26000: prepared statement \"q\" does not exist"),
            ("SELECT name, parameter_types, from_sql FROM pg_prepared_statements", "p|{integer,text}|t"),
            ("DEALLOCATE p", "DEALLOCATE"),
            ("DEALLOCATE p", "ERROR 26000: prepared statement \"p\" does not exist"),
            ("PREPARE p AS SELECT 7", "PREPARE"),
            ("EXECUTE p", "7"),
            ("DEALLOCATE ALL", "DEALLOCATE ALL"),
            ("EXECUTE p", "ERROR 26000: prepared statement \"p\" does not exist"),
            ("PREPARE p AS SELECT 8", "PREPARE"),
            ("DISCARD ALL", "DISCARD ALL"),
            ("EXECUTE p", "ERROR 26000: prepared statement \"p\" does not exist"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_kinds_of_prepared_statements_share_their_names() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute("PREPARE p (int) AS SELECT $1::bigint * 2 AS twice").await.unwrap();
    // The statement of SQL, run by the protocol.
    let execute = client.prepare("EXECUTE p(21)").await.unwrap();
    assert_eq!(execute.columns()[0].name(), "twice");
    let rows = client.query(&execute, &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, i64>(0), 42);
    // That of the protocol, listed beside it.
    let listed =
        client.simple_query("SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql").await.unwrap();
    assert!(format!("{listed:?}").contains('1'));
    client.batch_execute("DEALLOCATE p").await.unwrap();
    let gone = client.query(&execute, &[]).await.unwrap_err();
    assert_eq!(gone.code().unwrap().code(), "26000");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_path_is_used() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute("CREATE TABLE sessions AS SELECT 'mine' AS whose").await.unwrap();
    let mine = "SELECT whose FROM sessions LIMIT 1";
    assert_eq!(text_value(&client, mine).await.as_deref(), Some("mine"));
    // A ready-made view of this name has other columns.
    client.batch_execute("SET search_path = journey, public").await.unwrap();
    assert_eq!(failure(&client, mine).await.0, "42703");
    assert_eq!(text_value(&client, "SELECT count(*) FROM touchpoints").await.as_deref(), Some("0"));
    assert_eq!(text_value(&client, "SELECT whose FROM public.sessions").await.as_deref(), Some("mine"));
    // Names inside the view still mean what they mean there.
    client.batch_execute("SET search_path = journey").await.unwrap();
    assert_eq!(text_value(&client, "SELECT count(*) FROM sessions").await.as_deref(), Some("0"));
    let missing = failure(&client, "SELECT * FROM touchpoints").await;
    assert_eq!(missing, ("42P01".to_owned(), "relation \"touchpoints\" does not exist".to_owned()));
    client.batch_execute("SET search_path = public, journey").await.unwrap();
    assert_eq!(text_value(&client, mine).await.as_deref(), Some("mine"));
    client.batch_execute("SET search_path = ''").await.unwrap();
    assert_eq!(failure(&client, mine).await.0, "42P01");
    assert_eq!(text_value(&client, "SELECT count(*) > 0 FROM pg_class").await.as_deref(), Some("t"));
}

/// What one kind of session sets, and what it must see.
#[derive(Clone, Copy)]
struct Kind {
    settings: &'static str,
    noon: &'static str,
    sessions: &'static str,
    /// Whether a long statement ends early.
    is_ended: bool,
}

const KINDS: [Kind; 2] = [
    Kind {
        settings: "SET TimeZone = 'Europe/Berlin'; SET search_path = public; SET statement_timeout = '3s'",
        noon: "2024-07-01 14:00:00+02|14",
        sessions: "public",
        is_ended: true,
    },
    Kind {
        settings: "SET TimeZone = 'Asia/Kolkata'; SET search_path = journey, public; SET statement_timeout = '10min'",
        noon: "2024-07-01 17:30:00+05:30|17",
        sessions: "journey",
        is_ended: false,
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn sessions_never_affect_each_other() {
    let server = TestServer::start().await;
    let mut running = tokio::task::JoinSet::new();
    for index in 0..6 {
        let kind = KINDS[index % 2];
        let mut client = RawClient::connect(&server).await;
        running.spawn(async move {
            said(&mut client, "CREATE TABLE sessions AS SELECT 'public' AS whose").await;
            said(&mut client, kind.settings).await;
            for round in 0..25 {
                let at = "TIMESTAMPTZ '2024-07-01 12:00:00Z'";
                let noon = format!("SELECT {at}, extract(hour FROM {at})::int");
                assert_eq!(value(&mut client, &noon).await, kind.noon, "round {round}");
                let found = value(&mut client, "SELECT whose FROM sessions").await;
                let expected = if kind.sessions == "public" {
                    "public"
                } else {
                    "ERROR 42703: column \"whose\" does not exist"
                };
                assert_eq!(found, expected, "round {round}");
                if round == 12 {
                    let rows = if kind.is_ended { 100_000_000_000_u64 } else { 20_000_000 };
                    let long = format!("SELECT count(*) FROM generate_series(1, {rows})");
                    let ended = value(&mut client, &long).await;
                    if kind.is_ended {
                        assert_eq!(ended, "ERROR 57014: canceling statement due to statement timeout");
                    } else {
                        assert_eq!(ended, rows.to_string());
                    }
                }
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_of_times_are_those_of_postgres() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server).await;
    check(
        &mut client,
        &[
            (
                "SELECT to_char('2026-01-05 14:03:09'::timestamp, 'YYYY-MM-DD HH24:MI:SS Dy')",
                "2026-01-05 14:03:09 Mon",
            ),
            ("SELECT to_char('2026-01-05'::date, 'FMMonth FMDDth')", "January 5th"),
            ("SELECT to_char(NULL::timestamp, 'YYYY')", "NULL"),
            ("SELECT to_timestamp('05 Jan 2026', 'DD Mon YYYY')", "2026-01-05 00:00:00+00"),
            ("SELECT to_date('05/01/2026', 'DD/MM/YYYY')", "2026-01-05"),
            ("SELECT to_timestamp(1.5)", "1970-01-01 00:00:01.5+00"),
            ("SELECT to_date('x', 'YYYY-MM-DD')", "ERROR 22007: invalid value \"x\" for \"YYYY\""),
            ("SET TimeZone = 'Europe/Berlin'", "TimeZone=Europe/Berlin"),
            ("SELECT to_char('2026-07-01 12:00+00'::timestamptz, 'HH24 TZ OF')", "14 CEST +02"),
            ("SELECT to_timestamp('2026-07-01 12', 'YYYY-MM-DD HH24')", "2026-07-01 12:00:00+02"),
        ],
    )
    .await;
}
