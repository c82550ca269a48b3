//! funnel_steps, funnel_count, funnel_match and funnel_durations in SQL.

use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;

use crate::sql::{context, error, number, numbers};

/// One person; e5 and e6 are two buys at one instant.
async fn events() -> SessionContext {
    let context = context();
    let sql = "CREATE TABLE events AS SELECT column1 AS id, column2 AS ts, column3 AS event FROM (VALUES \
               ('e1', TIMESTAMP '2024-01-01 00:00:00', 'view'), ('e2', TIMESTAMP '2024-01-01 00:10:00', 'view'), \
               ('e3', TIMESTAMP '2024-01-01 00:20:00', 'cart'), ('e4', TIMESTAMP '2024-01-01 00:25:00', 'cart'), \
               ('e6', TIMESTAMP '2024-01-01 00:30:00.25', 'buy'), ('e5', TIMESTAMP '2024-01-01 00:30:00.25', 'buy'), \
               ('e7', TIMESTAMP '2024-01-01 00:40:00', 'cart'), ('e8', TIMESTAMP '2024-01-01 00:41:00', 'buy'), \
               ('e9', NULL, 'view'))";
    context.sql(sql).await.unwrap().collect().await.unwrap();
    context
}

const STEPS: &str = "event = 'view', event = 'cart', event = 'buy'";

/// The only value of the result, as it is shown.
async fn shown(context: &SessionContext, sql: &str) -> String {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 5, "{sql}\n{table}");
    lines[3].trim_matches(['|', ' ']).to_owned()
}

async fn steps(context: &SessionContext, arguments: &str) -> String {
    let sql = format!(
        "SELECT string_agg(concat_ws(' ', s['step'], s['event_id'], s['seconds']), ', ' ORDER BY s['step']) \
         FROM (SELECT unnest(funnel_steps({arguments})) AS s FROM events)"
    );
    shown(context, &sql).await
}

#[tokio::test]
async fn steps_show_the_nearest_entry_and_the_first_of_each_step() {
    let context = events().await;
    let hour = "INTERVAL '1 hour'";
    for (arguments, expected) in [
        (format!("{hour}, ts, id, {STEPS}"), "1 e2, 2 e3 600.0, 3 e5 600.25"),
        (format!("{hour}, ts, id, [{STEPS}]"), "1 e2, 2 e3 600.0, 3 e5 600.25"),
        (format!("{hour}, ts, [{STEPS}], id"), "1 e2, 2 e3 600.0, 3 e5 600.25"),
        (format!("{hour}, 'strict_steps', ts, id, {STEPS}"), "1 e2, 2 e3 600.0"),
        (format!("{hour}, NULL, ts, NULL, {STEPS}"), "1, 2 600.0, 3 600.25"),
        (format!("{hour}, ts, {STEPS}"), "1, 2 600.0, 3 600.25"),
        // The entry at 00:10 is the only one that is near enough.
        (format!("INTERVAL '11 minutes', ts, id, {STEPS}"), "1 e2, 2 e3 600.0"),
        // e1 and e2 are too far from the second buy.
        (format!("{hour}, ts, id, event = 'cart', event = 'buy'"), "1 e4, 2 e5 300.25"),
        (format!("{hour}, 'strict_increase', ts, id, event = 'buy', event = 'buy'"), "1 e5, 2 e8 659.75"),
        (format!("{hour}, 'strict_once', ts, id, event = 'buy', event = 'buy'"), "1 e5, 2 e6 0.0"),
        (format!("{hour}, ts, id, event = 'buy', event = 'buy'"), "1 e5, 2 e5 0.0"),
        (format!("{hour}, ts, event = 'nothing'"), ""),
    ] {
        assert_eq!(steps(&context, &arguments).await, expected, "{arguments}");
    }
}

#[tokio::test]
async fn counts_do_not_overlap() {
    let context = events().await;
    for (arguments, expected) in [
        ("INTERVAL '1 hour', ts, event = 'view', event = 'cart', event = 'buy'", 1),
        ("INTERVAL '1 hour', ts, event = 'cart', event = 'buy'", 2),
        ("INTERVAL '5 minutes', ts, event = 'cart', event = 'buy'", 1),
        ("INTERVAL '1 second', ts, event = 'cart', event = 'buy'", 0),
        // A chain of two different rows at one instant, then one row alone.
        ("INTERVAL '1 hour', 'strict_once', ts, event = 'buy', event = 'buy'", 1),
        ("INTERVAL '1 hour', ts, event = 'buy', event = 'buy'", 2),
        ("INTERVAL '1 hour', ts, event = 'buy'", 3),
        // The second cart ends the search, and the counting with it.
        ("INTERVAL '1 hour', 'strict_deduplication', ts, event = 'view', event = 'cart', event = 'buy'", 0),
        ("'session 5 minutes', ts, event = 'cart', event = 'buy'", 1),
    ] {
        let sql = format!("SELECT funnel_count({arguments}) FROM events");
        assert_eq!(number(&context, &sql).await, Some(expected), "{arguments}");
    }
}

#[tokio::test]
async fn matches_and_durations() {
    let context = events().await;
    for (call, expected) in [
        (format!("funnel_match(INTERVAL '1 hour', ts, {STEPS}, false)"), "[1, 1, 1, 0]"),
        (format!("funnel_match(INTERVAL '1 hour', 'strict_rows', ts, {STEPS})"), "[1, 1, 0]"),
        ("funnel_match(INTERVAL '1 hour', ts, event = 'none')".to_owned(), "[0]"),
        (format!("funnel_durations(INTERVAL '1 hour', ts, {STEPS}, false)"), "[600.0, 600.25, ]"),
        ("funnel_durations(INTERVAL '1 hour', ts, event = 'buy')".to_owned(), "[]"),
        (format!("funnel_durations(INTERVAL '1 second', ts, {STEPS})"), "[, ]"),
        // The unit of an integer is not known: the numbers are in it.
        (
            "funnel_durations(600000, date_part('epoch', ts)::bigint * 1000, event = 'view', event = 'cart')"
                .to_owned(),
            "[600000.0]",
        ),
    ] {
        let sql = format!("SELECT {call} FROM events");
        assert_eq!(shown(&context, &sql).await, expected, "{call}");
    }
}

#[tokio::test]
async fn groups_without_rows() {
    let context = events().await;
    for (call, expected) in [
        (format!("funnel_count(INTERVAL '1 hour', ts, {STEPS})"), "0"),
        (format!("funnel_match(INTERVAL '1 hour', ts, {STEPS})"), "[0, 0, 0]"),
        (format!("funnel_durations(INTERVAL '1 hour', ts, {STEPS})"), "[, ]"),
        (format!("funnel_steps(INTERVAL '1 hour', ts, {STEPS})"), "[]"),
        (format!("arrow_typeof(funnel_steps(INTERVAL '1 hour', ts, id, {STEPS}))"), STEPS_TYPE),
    ] {
        let sql = format!("SELECT {call} FROM events WHERE false");
        assert_eq!(shown(&context, &sql).await, expected, "{call}");
    }
}

const STEPS_TYPE: &str = "List(Struct(\"step\": Int64, \"ts\": Timestamp(ns), \"event_id\": Utf8View, \
                          \"seconds\": Float64))";

/// The companions tell of the same search as window_funnel.
#[tokio::test]
async fn all_agree_in_every_mode() {
    let context = events().await;
    for mode in [
        "default",
        "strict_order",
        "strict_increase",
        "strict_deduplication",
        "strict_once",
        "strict_rows",
        "strict_steps",
        "strict_no_repeat",
    ] {
        let arguments = format!("'session', '{mode}', ts, {STEPS}");
        let sql = format!(
            "SELECT window_funnel({arguments}), cardinality(funnel_steps({arguments})), \
               coalesce(array_position(array_append(funnel_match({arguments}), 0), 0), 0) - 1 FROM events"
        );
        let rows = numbers(&context, &sql).await;
        assert_eq!(rows[0][0], rows[0][1], "{mode}");
        assert_eq!(rows[0][0], rows[0][2], "{mode}");
    }
}

#[tokio::test]
async fn wrong_event_ids() {
    let context = events().await;
    for (arguments, expected) in [
        ("INTERVAL '1 hour', ts, id", "condition 1 must be a boolean, got Utf8"),
        ("INTERVAL '1 hour', ts, id, id, true", "condition 1 must be a boolean, got Utf8"),
        ("INTERVAL '1 hour', ts, true, id", "condition 2 must be a boolean, got Utf8"),
        ("DISTINCT INTERVAL '1 hour', ts, id, true", "does not take DISTINCT"),
    ] {
        let text = error(&context, &format!("EXPLAIN SELECT funnel_steps({arguments}) FROM events")).await;
        assert!(text.starts_with("Error during planning: funnel_steps"), "{arguments}: {text}");
        assert!(text.contains(expected), "{arguments}: {text}");
    }
}
