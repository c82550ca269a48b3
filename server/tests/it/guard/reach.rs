//! SQL reaches the tables of the store and nothing else of the machine or the network.

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
