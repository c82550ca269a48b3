//! What one client may take, however it asks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use wayfare_engine::{Engine, EngineConfig};
use wayfare_server::ServeOptions;
use wayfare_server::limits::ServerLimits;

use crate::support::{TestServer, db_error, failure, text_value};
use crate::wire::raw::{RawClient, code};

async fn server(config: EngineConfig, limits: ServerLimits) -> TestServer {
    let config = EngineConfig { store_url: "memory:///limits".to_owned(), ..config };
    let engine = Arc::new(Engine::open_or_create(config).await.unwrap());
    TestServer::start_on(engine, ServeOptions { limits, ..ServeOptions::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_raises_the_time_of_a_statement() {
    let limits = ServerLimits { statement_time: Some(Duration::from_millis(500)), ..ServerLimits::default() };
    let server = server(EngineConfig::default(), limits).await;
    let client = server.connect().await;
    for set in ["SET statement_timeout = 0", "SET statement_timeout = '1h'"] {
        client.batch_execute(set).await.unwrap();
        let started = Instant::now();
        let (code, _) = failure(&client, "SELECT count(*) FROM generate_series(1, 100000000000)").await;
        assert_eq!(code, "57014", "{set}");
        assert!(started.elapsed() < Duration::from_secs(20));
    }
    client.batch_execute("SET statement_timeout = '5ms'").await.unwrap();
    let (code, _) = failure(&client, "SELECT count(*) FROM generate_series(1, 100000000000)").await;
    assert_eq!(code, "57014");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_have_a_largest_number_of_rows() {
    let config = EngineConfig { max_result_rows: Some(1_000), ..EngineConfig::default() };
    let server = server(config, ServerLimits::default()).await;
    let mut client = server.connect().await;
    let (code, message) = failure(&client, "SELECT * FROM generate_series(1, 100000)").await;
    assert_eq!(code, "54000");
    assert!(message.contains("more than 1000 rows"), "{message}");
    let rows = client.query("SELECT * FROM generate_series(1, 1000)", &[]).await.unwrap();
    assert_eq!(rows.len(), 1_000);
    let count = text_value(&client, "SELECT count(*) FROM generate_series(1, 100000)").await;
    assert_eq!(count.as_deref(), Some("100000"));
    // In parts, too.
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("SELECT * FROM generate_series(1, 100000)", &[]).await.unwrap();
    let mut fetched = 0;
    let refused = loop {
        match transaction.query_portal(&portal, 300).await {
            Ok(rows) => fetched += rows.len(),
            Err(e) => break db_error(&e).0,
        }
    };
    assert_eq!(refused, "54000");
    assert!(fetched <= 1_000, "{fetched}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_query_cannot_take_the_memory_of_all() {
    let config = EngineConfig {
        memory_limit_bytes: 256 << 20,
        query_memory_limit_bytes: Some(8 << 20),
        ..EngineConfig::default()
    };
    let server = server(config, ServerLimits::default()).await;
    let client = server.connect().await;
    for sql in [
        "SELECT count(*) FROM generate_series(1, 2000000) AS a(x) JOIN generate_series(1, 2000000) AS b(y) ON x = y",
        "CREATE TABLE big AS SELECT * FROM generate_series(1, 20000000) AS s(x)",
    ] {
        let (code, message) = failure(&client, sql).await;
        assert_eq!(code, "53200", "{message}: {sql}");
    }
    // Tables that fit one by one do not fit all together, until one is dropped.
    let table =
        |name: &str| format!("CREATE TABLE {name} AS SELECT * FROM generate_series(1, 800000) AS s(x)");
    client.batch_execute(&table("a")).await.unwrap();
    client.batch_execute(&table("b")).await.unwrap();
    assert_eq!(failure(&client, &table("c")).await.0, "53200");
    client.batch_execute("DROP TABLE a").await.unwrap();
    client.batch_execute(&table("c")).await.unwrap();
    assert_eq!(text_value(&client, "SELECT count(*) FROM c").await.as_deref(), Some("800000"));
    // Another session has its own.
    let other = server.connect().await;
    other.batch_execute(&table("a")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_disk_is_bounded() {
    let config = EngineConfig {
        query_memory_limit_bytes: Some(16 << 20),
        temp_limit_bytes: 1 << 20,
        target_partitions: 1,
        ..EngineConfig::default()
    };
    let server = server(config, ServerLimits::default()).await;
    let client = server.connect().await;
    let (code, message) = failure(
        &client,
        "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY -x) AS n FROM generate_series(1, 3000000) AS s(x))",
    )
    .await;
    assert_eq!(code, "53100", "{message}");
    assert_eq!(text_value(&client, "SELECT 1").await.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_messages_end_the_connection_before_they_are_read() {
    let limits = ServerLimits { max_message_bytes: 1 << 20, ..ServerLimits::default() };
    let server = server(EngineConfig::default(), limits).await;
    let mut client = RawClient::connect(&server).await;
    client.send_bytes(&[b'Q', 0x40, 0, 0, 0]).await;
    let answer = client.next().await;
    assert_eq!(code(&[answer]), "08P01");
    // What is just small enough is read, and then is too long for a statement or not.
    let mut client = RawClient::connect(&server).await;
    let sql = format!("SELECT length('{}')\0", "x".repeat(900_000));
    client.send(b'Q', sql.as_bytes()).await;
    let (messages, status) = client.until_ready().await;
    assert_eq!((messages.len(), status), (3, b'I'));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_keeps_the_server_small() {
    let server = server(EngineConfig::default(), ServerLimits::default()).await;
    let client = server.connect().await;
    let rows = client
        .query_raw("SELECT x, repeat('x', 1000) FROM generate_series(1, 20000) AS s(x)", Vec::<i32>::new())
        .await
        .unwrap();
    futures::pin_mut!(rows);
    let mut count = 0;
    while rows.try_next().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 20_000);
}
