//! SQL reaches the tables of the store and nothing else of the machine or the network.

use std::sync::Arc;

use wayfare_engine::{Engine, EngineConfig};
use wayfare_server::ServeOptions;

use crate::support::{TestServer, failure, text_value};

/// Statements that would read or write a file, open a URL, or change how the server runs.
fn statements(file: &str) -> Vec<String> {
    let mut all = Vec::new();
    for place in
        [file, "file:///etc/passwd", "/etc/passwd", "http://127.0.0.1:1/x.csv", "s3://bucket/x.parquet"]
    {
        for sql in [
            "SELECT * FROM '{}'",
            "SELECT * FROM \"{}\"",
            "SELECT * FROM read_csv('{}')",
            "SELECT * FROM read_parquet('{}')",
            "SELECT * FROM read_json('{}')",
            "SELECT * FROM parquet_metadata('{}')",
            "SELECT pg_read_file('{}')",
            "SELECT pg_read_binary_file('{}')",
            "SELECT pg_ls_dir('{}')",
            "SELECT lo_import('{}')",
            "COPY (SELECT 1) TO '{}'",
            "COPY touchpoints TO '{}'",
            "COPY touchpoints FROM '{}'",
            "COPY (SELECT 1) TO PROGRAM 'cat > {}'",
            "COPY touchpoints FROM PROGRAM 'cat {}'",
            "COPY (SELECT 1) TO '{}' STORED AS PARQUET",
            "EXPLAIN ANALYZE COPY (SELECT 1) TO '{}'",
            "PREPARE p AS COPY (SELECT 1) TO '{}'",
            "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{}'",
            "CREATE TABLE x STORED AS CSV LOCATION '{}'",
            "INSERT INTO '{}' SELECT 1",
            "LOAD '{}'",
            "CREATE EXTENSION '{}'",
            "CREATE FUNCTION f() RETURNS int LANGUAGE C AS '{}'",
            "SET datafusion.runtime.temp_directory = '{}'",
            "SET datafusion.catalog.location = '{}'",
        ] {
            all.push(sql.replace("{}", place));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_reaches_a_file_or_a_url() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret.csv");
    std::fs::write(&file, "a,b\nhush,2\n").unwrap();
    let server = TestServer::start().await;
    let client = server.connect().await;
    for sql in statements(&file.display().to_string()) {
        let (code, message) = failure(&client, &sql).await;
        let refused =
            ["42P01", "42883", "42501", "42601", "0A000", "42000", "22023", "42704", "42602", "3F000"];
        assert!(refused.contains(&code.as_str()), "{code} {message}: {sql}");
        assert!(!message.contains("hush"), "{message}");
        // The extended protocol takes another way.
        assert!(client.query(&sql, &[]).await.is_err(), "{sql}");
    }
    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(files, ["secret.csv"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a,b\nhush,2\n");
    assert_eq!(text_value(&client, "SELECT 1").await.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_the_engine_belong_to_the_operator() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    for (sql, code) in [
        ("SET datafusion.runtime.memory_limit = '99G'", "42501"),
        ("SET datafusion.runtime.max_temp_directory_size = '99G'", "42501"),
        ("SET datafusion.sql_parser.recursion_limit = 1000000", "42501"),
        ("SET datafusion.optimizer.max_passes = 1000000000", "42501"),
        ("SET datafusion.execution.target_partitions = 1000000000", "22023"),
        ("SET datafusion.execution.batch_size = 100000000000", "22023"),
        ("SET \"datafusion.runtime.memory_limit\" = '99G'", "42501"),
        ("RESET datafusion.runtime.memory_limit", "42501"),
    ] {
        let (found, message) = failure(&client, sql).await;
        assert_eq!(found, code, "{message}: {sql}");
    }
    client.batch_execute("SET datafusion.execution.batch_size = 100").await.unwrap();
    client.batch_execute("RESET datafusion.execution.batch_size").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_not_told_where_the_store_is() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("hidden_place");
    let config = EngineConfig {
        store_url: place.display().to_string(),
        temp_dir: Some(place.clone()),
        ..EngineConfig::default()
    };
    std::fs::create_dir(&place).unwrap();
    let config = EngineConfig { store_url: place.join("store").display().to_string(), ..config };
    let engine = Arc::new(Engine::open_or_create(config).await.unwrap());
    let server = TestServer::start_on(engine, ServeOptions::default()).await;
    let client = server.connect().await;
    let sink = client.copy_in("COPY touchpoints (user_id, ts, event) FROM STDIN").await.unwrap();
    futures::pin_mut!(sink);
    let row = bytes::Bytes::from_static(b"ann\t2026-01-01 10:00:00\tview\n");
    futures::SinkExt::send(&mut sink, row).await.unwrap();
    sink.finish().await.unwrap();

    let statements = [
        "EXPLAIN SELECT * FROM touchpoints",
        "EXPLAIN VERBOSE SELECT * FROM touchpoints WHERE event = 'view'",
        "EXPLAIN ANALYZE SELECT count(*) FROM touchpoints",
        "EXPLAIN (FORMAT JSON) SELECT * FROM touchpoints",
        "EXPLAIN SELECT window_funnel(INTERVAL '1 hour', ts, event = 'a') FROM touchpoints GROUP BY user_id",
        "SHOW ALL",
        "SELECT name, setting FROM pg_settings",
        "SELECT * FROM pg_tablespace",
        "SELECT * FROM nope",
        "SELECT nope FROM touchpoints",
        "SHOW datafusion.runtime.temp_directory",
        "SELECT * FROM information_schema.df_settings",
        "SELECT pg_relation_filepath('touchpoints')",
        "SHOW data_directory",
        "SELECT * FROM touchpoints",
    ];
    let all_said = async || {
        let mut said = Vec::new();
        for sql in statements {
            said.push(match client.simple_query(sql).await {
                Ok(messages) => format!("{messages:?}"),
                Err(e) => format!("{:?}", e.as_db_error().expect("from the server")),
            });
        }
        said
    };
    let said = all_said().await;
    assert!(said[0].contains("touchpoints/day=2026-01-01/"), "{}", said[0]);
    for (sql, said) in statements.iter().zip(&said) {
        assert!(!said.contains("hidden_place"), "{sql}: {said}");
    }
    // Nor when something is wrong with it.
    let day = place.join("store/touchpoints/day=2026-01-01");
    for file in std::fs::read_dir(&day).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            std::fs::write(path, "no Parquet").unwrap();
        }
    }
    let fresh = server.connect().await;
    let (code, message) = failure(&fresh, "SELECT sum(length(event)), max(user_id) FROM touchpoints").await;
    assert!(code == "58030" && !message.contains("hidden_place"), "{code} {message}");
    std::fs::remove_dir_all(place.join("store")).unwrap();
    for (sql, said) in statements.iter().zip(all_said().await) {
        assert!(!said.contains("hidden_place"), "{sql}: {said}");
    }
}
