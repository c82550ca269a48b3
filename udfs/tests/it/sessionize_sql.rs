//! sessionize in SQL: NULLs, types, order, errors.

use std::sync::Arc;

use arrow::array::{Int64Array, TimestampMicrosecondArray};
use datafusion::prelude::SessionContext;

use crate::sql::{context, error, number, numbers, register, table};

/// Users 1 and 2; minutes since the epoch, NULL among them.
fn visits() -> SessionContext {
    let context = context();
    let minutes = [Some(0), Some(30), Some(61), None, Some(5), Some(100)];
    let micros = TimestampMicrosecondArray::from_iter(
        minutes.map(|minute: Option<i64>| minute.map(|minute| minute * 60_000_000)),
    );
    let batch = table(vec![
        ("user_id", Arc::new(Int64Array::from(vec![1, 1, 1, 1, 2, 2]))),
        ("ts", Arc::new(micros.with_timezone("UTC"))),
        ("minute", Arc::new(Int64Array::from_iter(minutes))),
    ]);
    register(&context, "visits", &batch, 3);
    context
}

fn rows(numbers: &[Option<i64>]) -> Vec<Vec<Option<i64>>> {
    numbers.iter().map(|number| vec![*number]).collect()
}

#[tokio::test]
async fn null_times_have_no_session_and_do_not_take_part() {
    let context = visits();
    for nulls in ["FIRST", "LAST"] {
        let sql = format!(
            "SELECT sessionize(ts, INTERVAL '30 minutes') \
             OVER (PARTITION BY user_id ORDER BY ts NULLS {nulls}) \
             FROM visits ORDER BY user_id, ts NULLS LAST"
        );
        assert_eq!(numbers(&context, &sql).await, rows(&[Some(1), Some(1), Some(2), None, Some(1), Some(2)]));
    }
}

#[tokio::test]
async fn arguments_by_name() {
    let sql = "SELECT sessionize(gap => INTERVAL '30 minutes', ts => ts) \
               OVER (PARTITION BY user_id ORDER BY ts) FROM visits WHERE user_id = 2 ORDER BY ts";
    assert_eq!(numbers(&visits(), sql).await, rows(&[Some(1), Some(2)]));
}

#[tokio::test]
async fn plan_is_bounded_and_result_is_bigint() {
    let context = visits();
    let explained = context
        .sql(
            "EXPLAIN SELECT sessionize(ts, INTERVAL '1 hour') \
             OVER (PARTITION BY user_id ORDER BY ts) FROM visits",
        )
        .await
        .unwrap()
        .to_string()
        .await
        .unwrap();
    assert!(explained.contains("BoundedWindowAggExec"), "{explained}");
    let types = context
        .sql(
            "SELECT DISTINCT arrow_typeof(sessionize(ts, INTERVAL '1 hour') \
             OVER (PARTITION BY user_id ORDER BY ts)) FROM visits",
        )
        .await
        .unwrap()
        .to_string()
        .await
        .unwrap();
    assert!(types.contains("Int64"), "{types}");
}

/// Beside a function that needs the whole partition, DataFusion calls `evaluate_all`.
#[tokio::test]
async fn unbounded_plan_gives_the_same_numbers() {
    let sql = "SELECT session FROM ( \
                 SELECT user_id, ts, \
                   sessionize(ts, INTERVAL '30 minutes') OVER w AS session, \
                   ntile(2) OVER w AS half \
                 FROM visits WINDOW w AS (PARTITION BY user_id ORDER BY ts)) \
               WHERE half > 0 ORDER BY user_id, ts NULLS LAST";
    assert_eq!(numbers(&visits(), sql).await, rows(&[Some(1), Some(1), Some(2), None, Some(1), Some(2)]));
}

#[tokio::test]
async fn dates_integers_and_calendar_gaps() {
    let context = context();
    let days = "(VALUES (DATE '2024-01-31'), (DATE '2024-02-29'), (DATE '2024-03-30')) AS t (day)";
    let sql =
        |gap: &str| format!("SELECT sessionize(day, {gap}) OVER (ORDER BY day) FROM {days} ORDER BY day");
    assert_eq!(numbers(&context, &sql("INTERVAL '29 days'")).await, rows(&[Some(1), Some(1), Some(2)]));
    assert_eq!(numbers(&context, &sql("INTERVAL '1 month'")).await, rows(&[Some(1), Some(1), Some(2)]));
    let sql = "SELECT sessionize(minute, 30) OVER (PARTITION BY user_id ORDER BY minute) \
               FROM visits WHERE user_id = 1 ORDER BY minute NULLS LAST";
    assert_eq!(numbers(&visits(), sql).await, rows(&[Some(1), Some(1), Some(2), None]));
}

#[tokio::test]
async fn gap_as_expression_text_and_parameter() {
    let context = visits();
    for gap in [
        "INTERVAL '15 minutes' + INTERVAL '15 minutes'",
        "'30 minutes'",
        "arrow_cast(1800, 'Duration(Second)')",
    ] {
        let sql = format!(
            "SELECT max(session) FROM (SELECT sessionize(ts, {gap}) \
             OVER (PARTITION BY user_id ORDER BY ts) AS session FROM visits WHERE user_id = 1)"
        );
        assert_eq!(number(&context, &sql).await, Some(2), "{gap}");
    }
    let sql = "SELECT sessionize(ts, $1) OVER (PARTITION BY user_id ORDER BY ts) AS session \
               FROM visits";
    let frame = context.sql(sql).await.unwrap();
    let gap = datafusion::common::ScalarValue::new_interval_mdn(0, 0, 1_800_000_000_000);
    let frame = frame.with_param_values(vec![gap]).unwrap();
    assert_eq!(frame.count().await.unwrap(), 6);
}

#[tokio::test]
async fn descending_order_is_an_error() {
    let context = visits();
    let sql = "SELECT sessionize(ts, INTERVAL '1 hour') OVER (PARTITION BY user_id ORDER BY ts DESC) \
               FROM visits";
    let text = error(&context, sql).await;
    assert!(text.contains("sessionize: time goes back from"), "{text}");
    assert!(text.contains("write ORDER BY ts, ascending"), "{text}");
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let context = visits();
    for (arguments, expected) in [
        ("ts", "sessionize takes two arguments, got 1"),
        ("ts, 30", "gap must be an INTERVAL"),
        ("minute, INTERVAL '1 hour'", "gap must be an integer in the unit of ts"),
        ("user_id = 1, INTERVAL '1 hour'", "ts must be a timestamp, a date or an integer, got Boolean"),
        ("ts, INTERVAL '-1 hour'", "gap must not be negative"),
        ("minute, -1", "gap must not be negative"),
        ("ts, CAST(NULL AS INTERVAL)", "gap must not be NULL"),
        ("minute, user_id", "gap must be a constant"),
        ("ts, true", "gap must be an INTERVAL"),
    ] {
        let sql = format!("SELECT sessionize({arguments}) OVER (ORDER BY ts) FROM visits");
        let text = error(&context, &sql).await;
        assert!(text.contains(expected), "{arguments}: {text}");
        assert!(text.starts_with("Error during planning: sessionize"), "{text}");
    }
}
