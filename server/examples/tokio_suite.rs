//! The suite of tokio-postgres, a program as those of `tests/clients`: `tokio_suite HOST PORT USER DATABASE [PASSWORD]`
//! prints a line `ok NAME` or `fail NAME: reason` for each check, whichever server answers.

#![allow(clippy::print_stdout, reason = "this is its purpose")]
#![allow(clippy::needless_pass_by_value, reason = "values and errors are made where they are handed over")]

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use futures::{StreamExt, TryStreamExt, pin_mut};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

const ROWS: i64 = 35_386;
const ENDLESS: &str = "SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)";

type Outcome = Result<(), String>;
type Check = fn(Client) -> Pin<Box<dyn Future<Output = Outcome>>>;

/// A check's future as a function that can stand in a list.
macro_rules! checks {
    ($($name:ident),* $(,)?) => {
        [$((stringify!($name), (|client| Box::pin($name(client))) as Check)),*]
    };
}

fn equal<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}")) }
}

fn said(error: tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |e| format!("{}: {}", e.code().code(), e.message()))
}

fn fails<T>(result: Result<T, tokio_postgres::Error>, code: &str) -> Outcome {
    match result {
        Ok(_) => Err(format!("no error {code}")),
        Err(error) => equal(error.code().map(|c| c.code().to_owned()), Some(code.to_owned())),
    }
}

async fn count(client: Client) -> Outcome {
    let row = client.query_one("SELECT count(*) FROM touchpoints", &[]).await.map_err(said)?;
    equal(row.get(0), ROWS)
}

/// What a parameter of a type comes back as.
async fn trip<T>(client: &Client, kind: &str, value: T) -> Outcome
where
    T: ToSql + Sync + PartialEq + std::fmt::Debug + for<'a> tokio_postgres::types::FromSql<'a>,
{
    let row = client
        .query_one(&format!("SELECT $1::{kind}"), &[&value])
        .await
        .map_err(|e| format!("{kind}: {}", said(e)))?;
    equal(row.try_get::<_, T>(0).map_err(|e| format!("{kind}: {e}"))?, value)
}

async fn numbers_and_text(client: Client) -> Outcome {
    trip(&client, "int2", -5_i16).await?;
    trip(&client, "int4", i32::MIN).await?;
    trip(&client, "int8", i64::MAX).await?;
    trip(&client, "float4", 0.5_f32).await?;
    trip(&client, "float8", 0.1_f64).await?;
    trip(&client, "bool", true).await?;
    trip(&client, "text", "käuf 😀".to_owned()).await?;
    trip(&client, "varchar", "a".to_owned()).await?;
    trip(&client, "bytea", vec![0_u8, 255]).await?;
    trip(&client, "text", None::<String>).await
}

async fn times(client: Client) -> Outcome {
    let day = NaiveDate::from_ymd_opt(2026, 3, 29).ok_or("no day")?;
    let time = NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999).ok_or("no time")?;
    trip(&client, "date", day).await?;
    trip(&client, "time", time).await?;
    trip::<NaiveDateTime>(&client, "timestamp", day.and_time(time)).await?;
    trip::<DateTime<Utc>>(&client, "timestamptz", day.and_time(time).and_utc()).await
}

async fn arrays(client: Client) -> Outcome {
    trip(&client, "int4[]", vec![Some(1), None, Some(3)]).await?;
    trip(&client, "text[]", vec!["a".to_owned(), "b \"c\"".to_owned()]).await?;
    trip(&client, "float8[]", vec![0.5]).await?;
    trip(&client, "int8[]", Vec::<i64>::new()).await
}

async fn json(client: Client) -> Outcome {
    trip(&client, "json", serde_json::json!({"a": [1, null]})).await?;
    trip(&client, "jsonb", serde_json::json!({"a": 1})).await
}

async fn types_of_a_statement(client: Client) -> Outcome {
    let sql = "SELECT user_id, ts, count(*) AS n, 1 AS one FROM touchpoints WHERE event = $1 AND ts > $2 AND score < $3 GROUP BY 1, 2";
    let statement = client.prepare(sql).await.map_err(said)?;
    equal(statement.params().to_vec(), vec![Type::TEXT, Type::TIMESTAMPTZ, Type::FLOAT8])?;
    equal(
        statement.columns().iter().map(|c| c.type_().clone()).collect(),
        vec![Type::TEXT, Type::TIMESTAMPTZ, Type::INT8, Type::INT4],
    )
}

async fn types_that_are_named(client: Client) -> Outcome {
    let statement = client
        .prepare_typed("SELECT $1, count(*) FROM touchpoints WHERE event = $2", &[Type::INT8, Type::VARCHAR])
        .await
        .map_err(said)?;
    equal(statement.params().to_vec(), vec![Type::INT8, Type::VARCHAR])?;
    let row = client.query_one(&statement, &[&7_i64, &"purchase"]).await.map_err(said)?;
    equal((row.get(0), row.get(1)), (7_i64, 2_i64))
}

async fn stream_of_all_rows(client: Client) -> Outcome {
    let none: [&(dyn ToSql + Sync); 0] = [];
    let rows = client.query_raw("SELECT user_id, ts FROM touchpoints", none).await.map_err(said)?;
    pin_mut!(rows);
    let mut seen = 0;
    while let Some(row) = rows.next().await {
        row.map_err(said)?;
        seen += 1;
    }
    equal(seen, ROWS)
}

async fn stream_left_early(client: Client) -> Outcome {
    let none: [&(dyn ToSql + Sync); 0] = [];
    {
        let rows = client.query_raw("SELECT event_id FROM touchpoints", none).await.map_err(said)?;
        pin_mut!(rows);
        rows.next().await.ok_or("no row")?.map_err(said)?;
    }
    count(client).await
}

async fn portal(mut client: Client) -> Outcome {
    let transaction = client.transaction().await.map_err(said)?;
    let portal = transaction
        .bind("SELECT n FROM generate_series(1, 100) AS t(n) WHERE n > $1", &[&0_i32])
        .await
        .map_err(said)?;
    let mut seen = Vec::new();
    loop {
        let rows = transaction.query_portal(&portal, 7).await.map_err(said)?;
        if rows.is_empty() {
            break;
        }
        seen.extend(rows.iter().map(|row| row.get::<_, i32>(0)));
    }
    equal(seen, (1..=100).collect())?;
    transaction.commit().await.map_err(said)
}

async fn copy_out(client: Client) -> Outcome {
    let sql = "COPY (SELECT event_id, revenue FROM touchpoints WHERE event_id < 'edge-3' AND event_id LIKE 'edge-%' ORDER BY 1) TO STDOUT (FORMAT csv)";
    let parts: Vec<_> = client.copy_out(sql).await.map_err(said)?.try_collect().await.map_err(said)?;
    equal(parts.concat(), b"edge-1,\nedge-2,19.9000\n".to_vec())
}

async fn simple_queries(client: Client) -> Outcome {
    let messages = client.simple_query("SELECT 1 AS a; SELECT 'x', NULL").await.map_err(said)?;
    let rows: Vec<_> = messages
        .iter()
        .filter_map(|m| if let SimpleQueryMessage::Row(row) = m { Some(row.get(0)) } else { None })
        .collect();
    equal(rows, vec![Some("1"), Some("x")])?;
    client.batch_execute("BEGIN; SELECT 1; COMMIT").await.map_err(said)
}

async fn pipelined(client: Client) -> Outcome {
    let asked = (0..50_i32).map(|n| {
        let client = &client;
        async move { client.query_one("SELECT $1::int4 * 2", &[&n]).await.map(|row| row.get::<_, i32>(0)) }
    });
    let found = futures::future::try_join_all(asked).await.map_err(said)?;
    equal(found, (0..50).map(|n| n * 2).collect())
}

async fn errors(client: Client) -> Outcome {
    fails(client.query("SELECT no_such FROM touchpoints", &[]).await, "42703")?;
    fails(client.query("SELECT 1 FROM no_such", &[]).await, "42P01")?;
    fails(client.query("SELEC 1", &[]).await, "42601")?;
    fails(client.query("SELECT 1 / $1::int4", &[&0_i32]).await, "22012")?;
    count(client).await
}

async fn transactions(mut client: Client) -> Outcome {
    let mut outer = client
        .build_transaction()
        .read_only(true)
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .start()
        .await
        .map_err(said)?;
    let inner = outer.transaction().await.map_err(said)?;
    fails(inner.query("SELECT no_such", &[]).await, "42703")?;
    fails(inner.query("SELECT 1", &[]).await, "25P02")?;
    inner.rollback().await.map_err(said)?;
    outer.query("SELECT 1", &[]).await.map_err(said)?;
    outer.commit().await.map_err(said)
}

async fn cancel(client: Client) -> Outcome {
    let token = client.cancel_token();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        token.cancel_query(NoTls).await
    });
    fails(client.query(ENDLESS, &[]).await, "57014")?;
    count(client).await
}

async fn statement_timeout(client: Client) -> Outcome {
    client.batch_execute("SET statement_timeout = '300ms'").await.map_err(said)?;
    fails(client.query(ENDLESS, &[]).await, "57014")?;
    count(client).await
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    let word = |n: usize| words.get(n).map(String::as_str).unwrap_or_default();
    let mut config = Config::new();
    config
        .host(word(1))
        .port(word(2).parse().unwrap_or(5432))
        .user(word(3))
        .dbname(word(4))
        .connect_timeout(Duration::from_secs(10));
    if !word(5).is_empty() {
        config.password(word(5));
    }
    let checks = checks![
        count,
        numbers_and_text,
        times,
        arrays,
        json,
        types_of_a_statement,
        types_that_are_named,
        stream_of_all_rows,
        stream_left_early,
        portal,
        copy_out,
        simple_queries,
        pipelined,
        errors,
        transactions,
        cancel,
        statement_timeout,
    ];
    for (name, check) in checks {
        let outcome = match config.connect(NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                tokio::time::timeout(Duration::from_secs(60), check(client))
                    .await
                    .unwrap_or_else(|_| Err("no answer in time".to_owned()))
            }
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(()) => println!("ok {name}"),
            Err(reason) => {
                println!("fail {name}: {}", reason.split_whitespace().collect::<Vec<_>>().join(" "))
            }
        }
    }
}
