//! `INSERT` and `CREATE TABLE` of clients that may change the store.

use wayfare_server::ServeOptions;

use crate::support::{TestServer, failure, text_rows, text_value};

const COUNT: &str = "SELECT count(*) FROM touchpoints";

async fn writable() -> TestServer {
    TestServer::start_with(ServeOptions { allow_writes: true, ..ServeOptions::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_there_for_all_with_their_number() {
    let server = writable().await;
    let (client, other) = (server.connect().await, server.connect().await);
    let insert = "INSERT INTO touchpoints (event_id, user_id, ts, event) VALUES ('a', 'ana', '2026-01-01 10:00:00+00', 'view'), \
                  ('b', 'ben', '2026-01-01 11:00:00+00', 'buy')";
    assert_eq!(client.execute(insert, &[]).await.unwrap(), 2);
    assert_eq!(client.execute(insert, &[]).await.unwrap(), 0, "they are there");
    let one = "INSERT INTO touchpoints (user_id, ts, event) VALUES ($1, '2026-02-01 00:00:00+00', $2)";
    assert_eq!(client.execute(one, &[&"cy", &"visit"]).await.unwrap(), 1);
    assert_eq!(text_value(&other, COUNT).await.as_deref(), Some("3"));

    client.batch_execute("CREATE TABLE spend AS SELECT 'ads' AS channel, 2 AS cost").await.unwrap();
    assert_eq!(client.execute("INSERT INTO spend VALUES ('mail', 3)", &[]).await.unwrap(), 1);
    let rows = text_rows(&other, "SELECT channel, cost FROM spend ORDER BY cost").await;
    assert_eq!(rows.len(), 2);
    client.batch_execute("CREATE TEMP TABLE mine AS SELECT 1 AS a").await.unwrap();
    assert_eq!(failure(&other, "SELECT * FROM mine").await.0, "42P01");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rollback_would_not_take_back_is_refused_in_a_block() {
    let server = writable().await;
    let client = server.connect().await;
    for statement in [
        "INSERT INTO touchpoints (user_id, ts, event) VALUES ('a', now(), 'x')",
        "CREATE TABLE t AS SELECT 1 AS a",
    ] {
        client.batch_execute("BEGIN").await.unwrap();
        assert_eq!(failure(&client, statement).await.0, "25001", "{statement}");
        client.batch_execute("ROLLBACK").await.unwrap();
        client.batch_execute("BEGIN READ ONLY").await.unwrap();
        assert_eq!(failure(&client, statement).await.0, "25006", "{statement}");
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    let wrong = "INSERT INTO touchpoints (user_id, ts, event, currency) VALUES ('a', now(), 'x', 'euros')";
    assert!(failure(&client, wrong).await.1.contains("row 1 of INSERT"));
    assert_eq!(text_value(&client, COUNT).await.as_deref(), Some("0"));
}
