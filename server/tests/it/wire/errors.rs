//! Errors: their codes, where they point, and statements that are refused.

use wayfare_engine::limits::{
    MAX_CTES, MAX_EXPRESSION_DEPTH, MAX_JOINS, MAX_OPERATORS, MAX_SET_OPERATIONS, MAX_STATEMENT_BYTES,
};

use super::PEOPLE;
use crate::support::{TestServer, db_error, failure, text_rows, text_value};

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_the_codes_of_postgres() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute(PEOPLE).await.unwrap();
    for (sql, code, message) in [
        ("SELEC 1", "42601", "syntax error at or near \"SELEC\""),
        ("SELECT 1 FROM", "42601", "syntax error at end of input"),
        ("SELECT * FROM nope", "42P01", "relation \"nope\" does not exist"),
        ("SELECT nope FROM people", "42703", "column \"nope\" does not exist"),
        ("SELECT people.nope FROM people", "42703", "column people.nope does not exist"),
        ("SELECT nope(1)", "42883", "function nope(integer) does not exist"),
        ("SELECT abs('a', 'b')", "42883", ""),
        ("SELECT id FROM people a, people b", "42702", "column reference \"id\" is ambiguous"),
        ("SELECT name, count(*) FROM people", "42803", ""),
        ("SELECT id / 0 FROM people", "22012", "division by zero"),
        (
            "SELECT name::bigint FROM people WHERE id = 1",
            "22P02",
            "invalid input syntax for type bigint: \"ana\"",
        ),
        ("SELECT 99999999999::int", "22003", ""),
        ("SELECT 1::numeric(38,0) / 0", "22012", "division by zero"),
        ("SHOW no_such_setting", "42704", "unrecognized configuration parameter \"no_such_setting\""),
        (
            "SET statement_timeout = 'soon'",
            "22023",
            "invalid value for parameter \"statement_timeout\": \"soon\"",
        ),
        ("SET datafusion.runtime.memory_limit = '1G'", "42501", ""),
        ("COPY people TO '/tmp/people.csv'", "42501", ""),
        ("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'", "42501", ""),
        ("SELECT $1", "42P02", "there is no parameter $1"),
        ("DEALLOCATE nope", "26000", "prepared statement \"nope\" does not exist"),
        ("SAVEPOINT a", "25P01", "SAVEPOINT can only be used in transaction blocks"),
    ] {
        let (found_code, found_message) = failure(&client, sql).await;
        assert_eq!(found_code, code, "{sql}: {found_message}");
        if !message.is_empty() {
            assert_eq!(found_message, message, "{sql}");
        }
        assert_eq!(text_value(&client, "SELECT 1").await.as_deref(), Some("1"), "after {sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_where_and_what_else() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    client.batch_execute(PEOPLE).await.unwrap();
    let error = client.simple_query("SELECT 'ä';\nSELECT 1 FORM people").await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "42601");
    let position = match error.position() {
        Some(tokio_postgres::error::ErrorPosition::Original(position)) => *position,
        other => panic!("{other:?}"),
    };
    // 'FORM' becomes an alias; the parser stumbles over the word after it.
    assert_eq!(position, 27);
    let error = client.simple_query("SELECT nam FROM people").await.unwrap_err();
    let hint = error.as_db_error().unwrap().hint().unwrap().to_owned();
    assert_eq!(hint, "Perhaps you meant to reference the column \"people.name\".");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_if_any_statement_of_a_message_is_malformed() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    let (code, _) = failure(&client, "CREATE TABLE t AS VALUES (1); SELEC 1").await;
    assert_eq!(code, "42601");
    assert_eq!(failure(&client, "SELECT * FROM t").await.0, "42P01");
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_statements_are_refused_and_near_ones_run() {
    let server = TestServer::start().await;
    let client = server.connect().await;
    let long = format!("SELECT '{}'", "x".repeat(MAX_STATEMENT_BYTES));
    assert_eq!(failure(&client, &long).await.0, "54000");
    // The innermost term is one deeper than its operator.
    let deepest = MAX_EXPRESSION_DEPTH - 1;
    let sum = |operators: usize| format!("SELECT 1{}", " + 1".repeat(operators));
    let text = |operators: usize| format!("SELECT 'a'{}", " || 'a'".repeat(operators));
    let joins = |joins: usize| {
        let tables: Vec<String> = (0..=joins).map(|index| format!("(SELECT 1 AS a) AS t{index}")).collect();
        format!("SELECT count(*) FROM {}", tables.join(" CROSS JOIN "))
    };
    let ctes = |ctes: usize| {
        let chained: Vec<String> =
            (1..=ctes).map(|index| format!("c{index} AS (SELECT a + 1 AS a FROM c{})", index - 1)).collect();
        format!("WITH c0 AS (SELECT 1 AS a), {} SELECT a FROM c{ctes}", chained.join(", "))
    };
    let unions = |unions: usize| format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(unions));
    for heavy in [
        sum(deepest + 1),
        sum(MAX_OPERATORS + 1),
        text(deepest + 1),
        joins(MAX_JOINS + 1),
        ctes(MAX_CTES),
        unions(MAX_SET_OPERATIONS + 1),
        format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("SELECT {}1{}", "abs(".repeat(40), ")".repeat(40)),
    ] {
        let (code, message) = failure(&client, &heavy).await;
        assert_eq!(code, "54001", "{message}");
        let prepared = client.prepare(&heavy).await.map(drop).unwrap_err();
        assert_eq!(db_error(&prepared).0, "54001");
    }
    for (near, expected) in [
        (sum(deepest), (deepest + 1).to_string()),
        (text(deepest), "a".repeat(deepest + 1)),
        (joins(MAX_JOINS), "1".to_owned()),
        (ctes(MAX_CTES - 1), MAX_CTES.to_string()),
    ] {
        assert_eq!(text_value(&client, &near).await, Some(expected));
    }
    assert_eq!(text_rows(&client, &unions(MAX_SET_OPERATIONS)).await.len(), MAX_SET_OPERATIONS + 1);
}
