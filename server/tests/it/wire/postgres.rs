//! The same statements as a real PostgreSQL was given, with its answers: `errors_of_postgres.tsv`,
//! `values_of_postgres.tsv` and `catalogs_of_postgres.tsv` hold what version 15 said. The last column says in what this server is known to differ;
//! a row that no longer differs fails too, so that the column stays true.

use tokio_postgres::error::ErrorPosition;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::support::TestServer;

const ERRORS: &str = include_str!("errors_of_postgres.tsv");
const VALUES: &str = include_str!("values_of_postgres.tsv");
const CATALOGS: &str = include_str!("catalogs_of_postgres.tsv");
const PEOPLE: &str =
    "CREATE TABLE people AS SELECT id::bigint AS id, name::text AS name, score::float8 AS score,
    active::boolean AS active, born::date AS born, seen::timestamp AS seen FROM (VALUES
    (1, 'ana', 1.5, true, DATE '2024-01-31', TIMESTAMP '2024-01-31 12:00:00.25'),
    (2, 'ben', NULL, false, DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00'),
    (3, NULL, -0.5, NULL, NULL, NULL)) AS v(id, name, score, active, born, seen)";

/// Code, message and position; all empty if `sql` succeeds.
async fn failure(client: &Client, sql: &str) -> [String; 3] {
    let Err(error) = client.simple_query(sql).await else { return Default::default() };
    let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error:?}"));
    let position = match error.position() {
        Some(ErrorPosition::Original(position)) => position.to_string(),
        _ => String::new(),
    };
    [error.code().code().to_owned(), error.message().replace('\n', " "), position]
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_those_of_postgres() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute(PEOPLE).await.unwrap();
    client.batch_execute("SET statement_timeout = '2s'").await.unwrap();
    let mut wrong = Vec::new();
    let rows: Vec<&str> = ERRORS.lines().skip(1).collect();
    assert!(rows.len() >= 100);
    for row in rows {
        let columns: Vec<&str> = row.split('\t').collect();
        let [sql, code, message, position, differs] = columns.as_slice() else { panic!("{row}") };
        let expected = [*code, *message, *position];
        let found = failure(&client, sql).await;
        let first = (0..3).find(|index| expected[*index] != found[*index]);
        let first = first.map_or("", |index| ["code", "message", "position"][index]);
        if first != *differs {
            wrong.push(format!(
                "{sql}\n  expected {expected:?} (differs in {differs:?})\n  found    {found:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} statements:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_those_of_postgres() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute(PEOPLE).await.unwrap();
    let mut wrong = Vec::new();
    for row in VALUES.lines().skip(1).chain(CATALOGS.lines().skip(1)) {
        let columns: Vec<&str> = row.split('\t').collect();
        let [sql, value, types, differs] = columns.as_slice() else { panic!("{row}") };
        let (found, found_types) = answer(&client, sql).await;
        let first = match (found == *value, found_types == *types) {
            (false, _) => "value",
            (true, false) => "type",
            (true, true) => "",
        };
        if first != *differs {
            wrong.push(format!(
                "{sql}\n  expected {value} of {types} (differs in {differs:?})\n  found    {found} of {found_types}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} statements:\n{}", wrong.len(), wrong.join("\n"));
}

/// The rows of `sql` as text and the types of its columns; the error's message and nothing if it fails.
async fn answer(client: &Client, sql: &str) -> (String, String) {
    let messages = match client.simple_query(sql).await {
        Ok(messages) => messages,
        Err(error) => {
            return (
                error.as_db_error().map_or_else(|| error.to_string(), |e| e.message().to_owned()),
                String::new(),
            );
        }
    };
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|index| row.get(index).unwrap_or("NULL")).collect::<Vec<_>>().join("|"))
        }
        _ => None,
    });
    let rows: Vec<String> = rows.collect();
    let types = match client.prepare(sql).await {
        Ok(statement) => {
            let oids = statement.columns().iter().map(|column| column.type_().oid().to_string());
            oids.collect::<Vec<_>>().join(",")
        }
        Err(error) => format!("{error}"),
    };
    (rows.join("; "), types)
}

#[tokio::test(flavor = "multi_thread")]
async fn views_outlive_their_session_and_are_listed() {
    let server = TestServer::start().await;
    let first = server.connect().await;
    first.batch_execute("CREATE VIEW numbers (n) AS SELECT 7").await.unwrap();
    let second = server.connect().await;
    assert_eq!(answer(&second, "SELECT n FROM numbers").await.0, "7");
    assert_eq!(
        answer(&second, "SELECT schemaname, viewname FROM pg_views WHERE schemaname = 'public'").await.0,
        "public|numbers"
    );
    let definition = answer(&second, "SELECT pg_get_viewdef('numbers'::regclass, true)").await.0;
    assert!(definition.contains("SELECT 7") && definition.ends_with(';'), "{definition}");
    assert_eq!(failure(&second, "CREATE VIEW numbers AS SELECT 1").await[0], "42P07");
    second.batch_execute("CREATE OR REPLACE VIEW numbers AS SELECT 8 AS n").await.unwrap();
    assert_eq!(answer(&first, "SELECT n FROM numbers").await.0, "8");
    second.batch_execute("DROP VIEW numbers; DROP VIEW IF EXISTS numbers").await.unwrap();
    assert_eq!(failure(&first, "SELECT n FROM numbers").await[0], "42P01");
}

#[tokio::test(flavor = "multi_thread")]
async fn identifiers_are_the_same_in_every_session() {
    let server = TestServer::start().await;
    let sql = "SELECT c.oid, c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
               WHERE c.relname IN ('touchpoints', 'sessions') ORDER BY 1, 3";
    let first = answer(&server.connect().await, sql).await;
    assert!(first.0.contains("|touchpoints|user_id"), "{}", first.0);
    assert_eq!(answer(&server.connect().await, sql).await, first);
    let client = server.connect().await;
    let by_name = answer(
        &client,
        "SELECT 'touchpoints'::regclass::oid = oid FROM pg_class WHERE relname = 'touchpoints'",
    );
    assert_eq!(by_name.await.0, "t");
    assert_eq!(
        answer(
            &client,
            "SELECT col_description('touchpoints'::regclass, attnum) IS NOT NULL FROM pg_attribute
                         WHERE attrelid = 'touchpoints'::regclass AND attname = 'user_id'"
        )
        .await
        .0,
        "t"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_is_one_column_and_temporary_tables_are_the_sessions() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    let statement = client.prepare("EXPLAIN SELECT count(*) FROM touchpoints").await.unwrap();
    let names: Vec<&str> = statement.columns().iter().map(|column| column.name()).collect();
    assert_eq!(names, ["QUERY PLAN"]);
    let json = answer(&client, "EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM touchpoints").await.0;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json[0]["Plan"]["Node Type"].is_string(), "{json}");
    client.batch_execute("CREATE TEMP TABLE mine AS SELECT 1 AS a; ANALYZE mine; VACUUM").await.unwrap();
    assert_eq!(answer(&client, "SELECT a FROM mine").await.0, "1");
    assert_eq!(failure(&server.connect().await, "SELECT a FROM mine").await[0], "42P01");
    client.batch_execute("DROP TABLE mine").await.unwrap();
}
