//! The wire protocol, seen by a real driver, by psql, and byte by byte.

mod bytes;
mod copy_in;
mod copy_out;
mod cursors;
mod ending;
mod errors;
mod memory;
mod pipelines;
mod postgres;
pub mod raw;
mod sessions;
mod transactions;
mod writes;

use std::time::{Duration, Instant};

use ::bytes::{BufMut, BytesMut};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use futures::{StreamExt, pin_mut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{NoTls, SimpleQueryMessage};
use wayfare_server::ServeOptions;

use crate::support::{TestServer, db_error, failure, psql, text_rows, text_value};
use raw::{RawClient, fields};

const PEOPLE: &str = "CREATE TABLE people AS SELECT * FROM (VALUES
    (1, 'ana', 1.5, true, DATE '2024-01-31', TIMESTAMP '2024-01-31 12:00:00.25'),
    (2, 'ben', NULL, false, DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00'),
    (3, NULL, -0.5, NULL, NULL, NULL)) AS v(id, name, score, active, born, seen)";

fn row(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}

// --- simple protocol

#[tokio::test(flavor = "multi_thread")]
async fn several_statements_in_one_message() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    let sql = format!("{PEOPLE}; SELECT id, name FROM people ORDER BY id; SELECT ';' AS x; -- done");
    let messages = client.simple_query(&sql).await.unwrap();
    let shown: Vec<String> = messages
        .iter()
        .map(|message| match message {
            SimpleQueryMessage::RowDescription(columns) => {
                columns.iter().map(|c| c.name()).collect::<Vec<_>>().join(",")
            }
            SimpleQueryMessage::Row(row) => {
                (0..row.len()).map(|i| row.get(i).unwrap_or("NULL")).collect::<Vec<_>>().join("|")
            }
            SimpleQueryMessage::CommandComplete(rows) => format!("done {rows}"),
            _ => "?".to_owned(),
        })
        .collect();
    assert_eq!(shown, ["done 0", "id,name", "1|ana", "2|ben", "3|NULL", "done 3", "x", ";", "done 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_messages_are_answered() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    for empty in ["", " ", ";;", "-- nothing", "/* nothing */ ;"] {
        assert!(text_rows(&client, empty).await.is_empty());
    }
    assert!(client.query("", &[]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn text_results_look_like_those_of_postgres() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    let sql =
        "SELECT true, 1::smallint, 9223372036854775807, 1.5::float8, 1e20::float8, 12.30::numeric(10,2), 'a',
        DATE '2024-02-29', TIMESTAMP '2024-01-31 12:00:00', TIMESTAMPTZ '2024-01-31 12:00:00.5+01:00',
        INTERVAL '1 day 2 hours', NULL::interval, ARRAY[1,2,NULL], ARRAY['a,b','c'], NULL, 'x'::bytea";
    let rows = text_rows(&client, sql).await;
    let shown: Vec<&str> = rows[0].iter().map(|value| value.as_deref().unwrap_or("NULL")).collect();
    assert_eq!(
        shown,
        [
            "t",
            "1",
            "9223372036854775807",
            "1.5",
            "1e+20",
            "12.30",
            "a",
            "2024-02-29",
            "2024-01-31 12:00:00",
            "2024-01-31 11:00:00.5+00",
            "1 day 02:00:00",
            "NULL",
            "{1,2,NULL}",
            "{\"a,b\",c}",
            "NULL",
            "\\x78"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_have_the_names_that_postgres_gives() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    let statement =
        client.prepare("SELECT count(*), 1, 1, max(1) AS m, version(), current_schema()").await.unwrap();
    let names: Vec<&str> = statement.columns().iter().map(|c| c.name()).collect();
    assert_eq!(names, ["count", "?column?", "?column?", "m", "version", "current_schema"]);
}

// --- extended protocol

#[tokio::test(flavor = "multi_thread")]
async fn binary_values_in_and_out() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute(PEOPLE).await.unwrap();

    // Types inferred from the columns that the parameters are compared with.
    let row = client
        .query_one(
            "SELECT id, name, score::float8, active, born, seen FROM people
             WHERE id = $1 AND name = $2 AND born <= $3 AND seen > $4 AND active = $5",
            &[
                &1_i64,
                &"ana",
                &NaiveDate::from_ymd_opt(2024, 2, 1).unwrap(),
                &"2024-01-01T00:00:00".parse::<NaiveDateTime>().unwrap(),
                &true,
            ],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
    assert_eq!(row.get::<_, &str>(1), "ana");
    assert_eq!(row.get::<_, f64>(2), 1.5);
    assert!(row.get::<_, bool>(3));
    assert_eq!(row.get::<_, NaiveDate>(4).to_string(), "2024-01-31");
    assert_eq!(row.get::<_, NaiveDateTime>(5).to_string(), "2024-01-31 12:00:00.250");

    // NULL in both directions.
    let nothing: Option<i64> = None;
    let row =
        client.query_one("SELECT $1::bigint, name FROM people WHERE id = 3", &[&nothing]).await.unwrap();
    assert_eq!(row.get::<_, Option<i64>>(0), None);
    assert_eq!(row.get::<_, Option<&str>>(1), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameter_types_by_cast_and_by_default() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    let at: DateTime<Utc> = "2024-01-31T12:00:00Z".parse().unwrap();
    let row = client
        .query_one(
            "SELECT $1::int, $2::float8 * 2, $3::timestamptz, $4::bool, $5, $6::text[], $7::bigint[], $8::bytea",
            &[
                &7_i32,
                &1.25_f64,
                &at,
                &false,
                &"text by default",
                &vec!["a", "b"],
                &vec![Some(1_i64), None],
                &vec![0_u8, 255],
            ],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, i32>(0), 7);
    assert_eq!(row.get::<_, f64>(1), 2.5);
    assert_eq!(row.get::<_, DateTime<Utc>>(2), at);
    assert!(!row.get::<_, bool>(3));
    assert_eq!(row.get::<_, &str>(4), "text by default");
    assert_eq!(row.get::<_, Vec<&str>>(5), ["a", "b"]);
    assert_eq!(row.get::<_, Vec<Option<i64>>>(6), [Some(1), None]);
    assert_eq!(row.get::<_, Vec<u8>>(7), [0, 255]);
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_parameter_types_win() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    let rows = client
        .query_typed("SELECT $1 + 1, $2 || 'x'", &[(&41_i16, Type::INT2), (&"a", Type::VARCHAR)])
        .await
        .unwrap();
    assert_eq!(rows[0].get::<_, i32>(0), 42);
    assert_eq!(rows[0].get::<_, &str>(1), "ax");
    let refused = client.query_typed("SELECT $1", &[(&"1.2.3.4/8", Type::INET)]).await;
    let (code, message) = match refused {
        // The driver refuses to send text as inet; the server is asked byte by byte below.
        Err(e) if e.as_db_error().is_none() => return,
        Err(e) => db_error(&e),
        Ok(_) => panic!("inet was accepted"),
    };
    assert_eq!(code, "0A000");
    assert!(message.contains("inet"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limit_and_offset_may_be_parameters() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute(PEOPLE).await.unwrap();
    let rows = client
        .query("SELECT id FROM people ORDER BY id LIMIT $1 OFFSET $2", &[&1_i64, &1_i64])
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, i64>(0), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_intervals_may_be_parameters() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute(PEOPLE).await.unwrap();
    let rows =
        client.query("SELECT id FROM people WHERE name = ANY($1)", &[&vec!["ana", "eve"]]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>(), [1]);
    let mut raw = RawClient::connect(&server).await;
    let (messages, _) = raw
        .extended(
            "SELECT TIMESTAMP '2024-01-31 00:00:00' + $1",
            &[Type::INTERVAL.oid()],
            &[Some("1 day 2 hours")],
        )
        .await;
    assert_eq!(fields(&messages), row(&["2024-02-01 02:00:00"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_statement_sees_later_changes() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute("CREATE TABLE t AS VALUES (1), (2)").await.unwrap();
    let count = client.prepare("SELECT count(*) FROM t").await.unwrap();
    assert_eq!(client.query_one(&count, &[]).await.unwrap().get::<_, i64>(0), 2);
    client.batch_execute("DROP TABLE t; CREATE TABLE t AS VALUES (1), (2), (3)").await.unwrap();
    assert_eq!(client.query_one(&count, &[]).await.unwrap().get::<_, i64>(0), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_is_fetched_in_parts() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    // Without ORDER BY only a plan of one partition keeps the order of the series, and sorting it would collect it.
    client.batch_execute("SET datafusion.execution.target_partitions = 1").await.unwrap();
    let transaction = client.transaction().await.unwrap();
    let portal = transaction
        .bind("SELECT value FROM generate_series(1, 1000000000) AS s(value) WHERE value > $1", &[&0_i32])
        .await
        .unwrap();
    let started = Instant::now();
    let mut next = 1;
    for size in [1, 10, 5_000, 3] {
        let rows = transaction.query_portal(&portal, size).await.unwrap();
        assert_eq!(rows.len(), usize::try_from(size).unwrap());
        for row in rows {
            assert_eq!(row.get::<_, i32>(0), next);
            next += 1;
        }
    }
    // A server that collected the result first would still be busy.
    assert!(started.elapsed() < Duration::from_secs(20));
    let other = transaction.query_one("SELECT 1::bigint", &[]).await.unwrap();
    assert_eq!(other.get::<_, i64>(0), 1);
    transaction.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_ends_with_its_rows() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("SELECT * FROM generate_series(1, 5)", &[]).await.unwrap();
    let mut sizes = Vec::new();
    for _ in 0..4 {
        sizes.push(transaction.query_portal(&portal, 2).await.unwrap().len());
    }
    assert_eq!(sizes, [2, 2, 1, 0]);
    transaction.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_streams() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    let rows = client
        .query_raw("SELECT value, value::text FROM generate_series(1, 300000) AS s(value)", Vec::<i32>::new())
        .await
        .unwrap();
    pin_mut!(rows);
    let mut sum = 0_i64;
    let mut count = 0_u32;
    while let Some(row) = rows.next().await {
        let row = row.unwrap();
        sum += i64::from(row.get::<_, i32>(0));
        assert_eq!(row.get::<_, &str>(1), row.get::<_, i32>(0).to_string());
        count += 1;
    }
    assert_eq!((count, sum), (300_000, 45_000_150_000));
}

/// An interval in binary form.
#[derive(Debug)]
struct Interval {
    months: i32,
    days: i32,
    microseconds: i64,
}

impl ToSql for Interval {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.put_i64(self.microseconds);
        out.put_i32(self.days);
        out.put_i32(self.months);
        Ok(IsNull::No)
    }

    fn accepts(pg_type: &Type) -> bool {
        *pg_type == Type::INTERVAL
    }

    to_sql_checked!();
}

#[tokio::test(flavor = "multi_thread")]
async fn intervals_are_compared_by_length_with_parameters() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    for sql in [
        "SELECT TIMESTAMP '2024-01-10' - TIMESTAMP '2024-01-01' <= $1::interval",
        "SELECT TIMESTAMP '2024-01-10' - TIMESTAMP '2024-01-01' <= $1",
    ] {
        let statement = client.prepare_typed(sql, &[Type::INTERVAL]).await.unwrap();
        for (months, days, hours, expected) in
            [(0, 7, 0, false), (0, 9, 0, true), (0, 8, 23, false), (0, 0, 216, true), (1, 0, 0, true)]
        {
            let limit = Interval { months, days, microseconds: hours * 3_600_000_000 };
            let row = client.query_one(&statement, &[&limit]).await.unwrap();
            assert_eq!(row.get::<_, bool>(0), expected, "{limit:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn table_functions_take_parameters() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client
        .batch_execute(
            "CREATE TABLE visits AS SELECT * FROM (VALUES
                ('ana', TIMESTAMP '2024-01-01 10:00:00', 'view'),
                ('ana', TIMESTAMP '2024-01-01 10:20:00', 'buy'),
                ('ana', TIMESTAMP '2024-01-01 12:00:00', 'view'),
                ('ben', TIMESTAMP '2024-01-01 10:00:00', 'view')) AS v(user_id, ts, event)",
        )
        .await
        .unwrap();
    let calls = [
        "sessions(TABLE visits, gap => $1, conversion => event = $2)",
        "sessions(visits, gap => $1::interval, conversion => event = $2)",
        "LATERAL sessions((SELECT * FROM visits), gap := $1, conversion := event = $2)",
    ];
    for call in calls {
        let sql = format!(
            "SELECT count(*), count(*) FILTER (WHERE conversions > 0) FROM {call} AS s WHERE user_id = $3"
        );
        let statement = client.prepare(&sql).await.unwrap();
        assert_eq!(statement.params(), [Type::INTERVAL, Type::TEXT, Type::TEXT], "{call}");
        for (minutes, event, person, expected) in [
            (30, "buy", "ana", (2, 1)),
            (1, "view", "ana", (3, 2)),
            (180, "nope", "ana", (1, 0)),
            (30, "view", "ben", (1, 1)),
        ] {
            let gap = Interval { months: 0, days: 0, microseconds: minutes * 60_000_000 };
            let row = client.query_one(&statement, &[&gap, &event, &person]).await.unwrap();
            assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), expected, "{call} {gap:?} {event}");
        }
    }
}

// --- transactions and settings

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_transaction_takes_only_its_end() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute("BEGIN").await.unwrap();
    assert_eq!(failure(&client, "SELECT nope").await.0, "42703");
    let (code, message) = failure(&client, "SELECT 1").await;
    assert_eq!(code, "25P02");
    assert_eq!(message, "current transaction is aborted, commands ignored until end of transaction block");
    assert_eq!(db_error(&client.query("SELECT 1", &[]).await.unwrap_err()).0, "25P02");
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(text_value(&client, "SELECT 1").await.as_deref(), Some("1"));

    client.batch_execute("BEGIN; SAVEPOINT a").await.unwrap();
    assert_eq!(failure(&client, "SELECT nope").await.0, "42703");
    client.batch_execute("ROLLBACK TO SAVEPOINT a").await.unwrap();
    assert_eq!(text_value(&client, "SELECT 2").await.as_deref(), Some("2"));
    client.batch_execute("COMMIT").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_belong_to_one_session() {
    let server = TestServer::start().await;
    let berlin = server
        .connect_with(|config| {
            config.options("-c TimeZone=Europe/Berlin");
        })
        .await;
    let utc = server.connect().await;
    let noon = "SELECT TIMESTAMPTZ '2024-07-01 12:00:00Z'";
    assert_eq!(text_value(&berlin, noon).await.as_deref(), Some("2024-07-01 14:00:00+02"));
    assert_eq!(text_value(&utc, noon).await.as_deref(), Some("2024-07-01 12:00:00+00"));
    // The zone counts for reading too.
    let local = "SELECT TIMESTAMPTZ '2024-07-01 12:00:00'";
    assert_eq!(text_value(&berlin, local).await.as_deref(), Some("2024-07-01 12:00:00+02"));

    utc.batch_execute("SET TIME ZONE 'Asia/Kolkata'").await.unwrap();
    assert_eq!(text_value(&utc, noon).await.as_deref(), Some("2024-07-01 17:30:00+05:30"));
    assert_eq!(text_value(&utc, "SHOW TimeZone").await.as_deref(), Some("Asia/Kolkata"));
    assert_eq!(text_value(&berlin, "SHOW TIME ZONE").await.as_deref(), Some("Europe/Berlin"));
    utc.batch_execute("RESET ALL").await.unwrap();
    assert_eq!(text_value(&utc, noon).await.as_deref(), Some("2024-07-01 12:00:00+00"));
    assert_eq!(text_value(&utc, "SELECT current_setting('timezone')").await.as_deref(), Some("UTC"));
    assert_eq!(utc.query_one("SHOW search_path", &[]).await.unwrap().get::<_, &str>(0), "\"$user\", public");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_clients_are_refused() {
    let options = ServeOptions { max_connections: 1, ..ServeOptions::default() };
    let server = TestServer::start_with(options).await;
    let _first = server.connect().await;
    let refused = tokio_postgres::Config::new()
        .host("127.0.0.1")
        .port(server.address.port())
        .user("tester")
        .connect(NoTls)
        .await
        .err()
        .unwrap();
    assert_eq!(db_error(&refused).0, "53300");
}

// --- ending early

#[tokio::test(flavor = "multi_thread")]
async fn cancel_ends_a_running_statement() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    let cancel = client.cancel_token();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cancel.cancel_query(NoTls).await.unwrap();
    });
    let started = Instant::now();
    let (code, message) = failure(&client, "SELECT count(*) FROM generate_series(1, 100000000000)").await;
    assert_eq!(code, "57014");
    assert_eq!(message, "canceling statement due to user request");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(text_value(&client, "SELECT 1").await.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_ends_a_running_statement() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute("SET statement_timeout = '200ms'").await.unwrap();
    let (code, message) = failure(&client, "SELECT count(*) FROM generate_series(1, 100000000000)").await;
    assert_eq!(code, "57014");
    assert_eq!(message, "canceling statement due to statement timeout");
    // The stream of rows is covered, not only the wait for the first.
    let (code, _) = failure(&client, "SELECT * FROM generate_series(1, 100000000000)").await;
    assert_eq!(code, "57014");
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_lets_a_statement_end_and_tells_idle_clients() {
    let mut server = TestServer::start().await;
    let busy = server.connect().await;
    let idle = server.connect().await;
    let counted =
        tokio::spawn(
            async move { text_value(&busy, "SELECT count(*) FROM generate_series(1, 20000000)").await },
        );
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.shut_down().await;
    assert_eq!(counted.await.unwrap().as_deref(), Some("20000000"));
    assert!(idle.simple_query("SELECT 1").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_ends_what_does_not_end_itself() {
    let options = ServeOptions { shutdown_grace: Duration::from_millis(100), ..ServeOptions::default() };
    let mut server = TestServer::start_with(options).await;
    let client = server.connect().await;
    let running = tokio::spawn(async move {
        failure(&client, "SELECT count(*) FROM generate_series(1, 100000000000)").await
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let started = Instant::now();
    server.shut_down().await;
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(running.await.unwrap().0, "57P01");
}

// --- the catalog

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_lists_tables_and_columns() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute(PEOPLE).await.unwrap();
    let tables = text_rows(
        &client,
        "SELECT n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c
         LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r','p','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast'
         AND n.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2",
    )
    .await;
    assert_eq!(tables, [row(&["public", "people", "r"]), row(&["public", "touchpoints", "r"])]);
    let columns = text_rows(
        &client,
        "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = 'people'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
    )
    .await;
    let names: Vec<&str> = columns.iter().map(|column| column[0].as_deref().unwrap()).collect();
    assert_eq!(names, ["id", "name", "score", "active", "born", "seen"]);
    assert_eq!(columns[0][1].as_deref(), Some("bigint"));
    assert_eq!(columns[5][1].as_deref(), Some("timestamp without time zone"));
    assert_eq!(text_value(&client, "SELECT current_database()").await.as_deref(), Some("wayfare"));
    assert_eq!(text_value(&client, "SELECT current_user").await.as_deref(), Some("tester"));
    let pid = text_value(&client, "SELECT pg_backend_pid()").await;
    let other = server.connect().await;
    assert_ne!(pid, text_value(&other, "SELECT pg_backend_pid()").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_type_can_be_looked_up_by_a_driver() {
    // tokio-postgres asks pg_type about every OID it does not know, with a prepared statement of five joins.
    let server = TestServer::start().await;
    let client = server.connect().await;
    let types = text_rows(
        &client,
        "SELECT t.typname, t.typtype, t.typelem, r.rngsubtype, t.typbasetype, n.nspname, t.typrelid
         FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
         INNER JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = 1700",
    )
    .await;
    assert_eq!(types[0][0].as_deref(), Some("numeric"));
    assert_eq!(types[0][5].as_deref(), Some("pg_catalog"));
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_describes_everything() {
    let server = TestServer::start().await;
    let address = server.address;
    let run = move |commands: &[&str]| psql(address, commands);
    tokio::task::spawn_blocking(move || {
        let Some(tables) = run(&[PEOPLE, "\\dt"]) else {
            return;
        };
        assert!(tables.contains("public|people|table|wayfare"), "{tables}");
        let relations = run(&[PEOPLE, "\\d"]).unwrap_or_default();
        assert!(relations.contains("public|people|table|wayfare"), "{relations}");
        let table = run(&[PEOPLE, "\\d people"]).unwrap_or_default();
        assert!(table.contains("Table \"public.people\""), "{table}");
        assert!(table.contains("id|bigint||not null|"), "{table}");
        assert!(table.contains("born|date|||"), "{table}");
        // The physical columns are nobody's business.
        let touchpoints = run(&["\\d touchpoints"]).unwrap_or_default();
        assert!(touchpoints.contains("ts|timestamp with time zone||not null|"), "{touchpoints}");
        assert!(touchpoints.contains("revenue|numeric(18,4)|||"), "{touchpoints}");
        assert!(!touchpoints.contains("user_key") && !touchpoints.contains("day"), "{touchpoints}");
        let schemas = run(&["\\dn"]).unwrap_or_default();
        assert!(schemas.contains("journey|wayfare") && schemas.contains("public|wayfare"), "{schemas}");
        let databases = run(&["\\l"]).unwrap_or_default();
        assert!(databases.contains("wayfare|wayfare|UTF8"), "{databases}");
        run(&["\\df"]);
        run(&["\\dv"]);
        run(&["\\conninfo"]);
        let value = run(&["SELECT id, name FROM (VALUES (1, 'a'), (2, NULL)) AS v(id, name) ORDER BY id"]);
        assert_eq!(value.unwrap_or_default(), "id|name\n1|a\n2|\n(2 rows)\n");
    })
    .await
    .unwrap();
}
