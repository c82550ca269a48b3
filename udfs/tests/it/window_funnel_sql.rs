//! window_funnel in SQL: NULLs, empty groups, types, plans, errors.

use std::sync::Arc;

use arrow::array::{BooleanArray, Int64Array, StringArray, TimestampMicrosecondArray};
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;

use crate::sql::{context, error, number, numbers, register, table};

const MINUTE_US: i64 = 60_000_000;

/// Three users; letters at minutes, one row without a time, one without an event.
fn events() -> SessionContext {
    let context = context();
    let rows: [(i64, Option<i64>, Option<&str>); 9] = [
        (1, Some(0), Some("a")),
        (1, Some(10), Some("b")),
        (1, Some(20), Some("x")),
        (1, Some(60), Some("c")),
        (2, Some(0), Some("a")),
        (2, None, Some("b")),
        (2, Some(5), None),
        (2, Some(61), Some("b")),
        (3, Some(1), Some("b")),
    ];
    let micros = rows.map(|row| row.1.map(|minute| minute * MINUTE_US));
    let batch = table(vec![
        ("user_id", Arc::new(Int64Array::from_iter_values(rows.map(|row| row.0)))),
        ("ts", Arc::new(TimestampMicrosecondArray::from_iter(micros).with_timezone("UTC"))),
        ("minute", Arc::new(Int64Array::from_iter(rows.map(|row| row.1)))),
        ("event", Arc::new(StringArray::from_iter(rows.map(|row| row.2)))),
    ]);
    register(&context, "events", &batch, 4);
    context
}

const STEPS: &str = "event = 'a', event = 'b', event = 'c'";

#[tokio::test]
async fn per_user_with_nulls() {
    let sql = format!(
        "SELECT user_id, window_funnel(INTERVAL '1 hour', ts, {STEPS}), \
           window_funnel(INTERVAL '59 minutes', ts, {STEPS}), \
           window_funnel(60, minute, {STEPS}), \
           window_funnel(INTERVAL '1 hour', 'strict_order', ts, {STEPS}) \
         FROM events GROUP BY user_id ORDER BY user_id"
    );
    assert_eq!(
        numbers(&events(), &sql).await,
        [[1, 3, 2, 3, 2].map(Some), [2, 1, 1, 1, 1].map(Some), [3, 0, 0, 0, 0].map(Some),]
    );
}

#[tokio::test]
async fn no_rows_give_zero() {
    let context = events();
    for sql in [
        format!("SELECT window_funnel(INTERVAL '1 hour', ts, {STEPS}) FROM events WHERE false"),
        "SELECT window_funnel(INTERVAL '1 hour', NULL, true, true)".to_owned(),
        "SELECT window_funnel(INTERVAL '1 hour', ts, NULL) FROM events".to_owned(),
        format!(
            "SELECT window_funnel(INTERVAL '1 hour', ts, {STEPS}) FILTER (WHERE user_id > 5) FROM events"
        ),
    ] {
        assert_eq!(number(&context, &sql).await, Some(0), "{sql}");
    }
    let sql = format!(
        "SELECT u, coalesce(window_funnel(INTERVAL '1 hour', ts, {STEPS}) FILTER (WHERE user_id = 1), 7) \
         FROM (VALUES (1), (9)) AS t (u) LEFT JOIN events ON u = user_id GROUP BY u ORDER BY u"
    );
    assert_eq!(numbers(&context, &sql).await, [[Some(1), Some(3)], [Some(9), Some(0)]]);
}

#[tokio::test]
async fn result_is_bigint_and_not_null() {
    let frame = events()
        .sql(&format!(
            "SELECT window_funnel(INTERVAL '1 hour', ts, {STEPS}) AS depth FROM events GROUP BY user_id"
        ))
        .await
        .unwrap();
    let field = frame.schema().field(0);
    assert_eq!(field.data_type(), &arrow::datatypes::DataType::Int64);
    assert!(!field.is_nullable());
}

#[tokio::test]
async fn filter_and_conditions_that_always_hold() {
    let context = events();
    let sql = "SELECT window_funnel(INTERVAL '1 hour', ts, true, true, true) FROM events";
    assert_eq!(number(&context, sql).await, Some(3));
    let sql = "SELECT user_id, window_funnel(INTERVAL '1 hour', ts, event = 'a', event = 'b') \
               FILTER (WHERE event <> 'b') FROM events GROUP BY user_id ORDER BY user_id";
    assert_eq!(numbers(&context, sql).await, [[1, 1], [2, 1], [3, 0]].map(|row| row.map(Some)));
}

#[tokio::test]
async fn forty_conditions() {
    let context = context();
    let ticks = Int64Array::from_iter_values(1..=70);
    register(&context, "ticks", &table(vec![("tick", Arc::new(ticks))]), 3);
    for steps in [40, 70] {
        let conditions: Vec<String> = (1..=steps).map(|step| format!("tick = {step}")).collect();
        let conditions = conditions.join(", ");
        let sql = format!("SELECT window_funnel(1000, tick, {conditions}) FROM ticks");
        assert_eq!(number(&context, &sql).await, Some(steps));
        let sql = format!("SELECT window_funnel(30, tick, {conditions}) FROM ticks GROUP BY tick < 0");
        assert_eq!(number(&context, &sql).await, Some(31));
    }
}

#[tokio::test]
async fn months_follow_the_calendar() {
    let sql = |window: &str| {
        format!(
            "SELECT window_funnel(INTERVAL '{window}', day, step = 1, step = 2) \
             FROM (VALUES (DATE '2024-01-31', 1), (DATE '2024-03-01', 2)) AS t (day, step)"
        )
    };
    let context = context();
    assert_eq!(number(&context, &sql("1 month")).await, Some(1));
    assert_eq!(number(&context, &sql("30 days")).await, Some(2));
    assert_eq!(number(&context, &sql("1 month 1 day")).await, Some(2));
}

#[tokio::test]
async fn window_as_expression_text_and_parameter() {
    let context = events();
    for window in
        ["INTERVAL '30 minutes' + INTERVAL '30 minutes'", "'1 hour'", "arrow_cast(3600, 'Duration(Second)')"]
    {
        let sql = format!("SELECT window_funnel({window}, ts, {STEPS}) FROM events WHERE user_id = 1");
        assert_eq!(number(&context, &sql).await, Some(3), "{window}");
    }
    let hour = ScalarValue::new_interval_mdn(0, 0, 3_600_000_000_000);
    for (sql, parameters) in [
        (format!("window_funnel($1, ts, {STEPS})"), vec![hour.clone()]),
        (format!("window_funnel($1, $2, ts, {STEPS})"), vec![hour, ScalarValue::from("default")]),
        (format!("window_funnel($1, ts, {STEPS})"), vec![ScalarValue::from("1 hour")]),
    ] {
        let sql = format!("SELECT {sql} AS depth FROM events WHERE user_id = 1");
        let frame = context.sql(&sql).await.unwrap();
        let result = frame.with_param_values(parameters).unwrap();
        let text = result.to_string().await.unwrap();
        assert!(text.contains("| 3 "), "{sql}: {text}");
    }
}

#[tokio::test]
async fn arguments_by_name() {
    let context = events();
    let sql = "SELECT window_funnel(window => INTERVAL '1 hour', mode => 'strict_increase', \
               cond2 => event = 'b', cond1 => event = 'a', ts => ts) FROM events WHERE user_id = 1";
    assert_eq!(number(&context, sql).await, Some(2));
    let sql = "SELECT window_funnel(INTERVAL '1 hour', 'default', ts, cond1 => event = 'a') \
               FROM events";
    assert_eq!(number(&context, sql).await, Some(1));
}

/// As a running window the function evaluates after every row, in one accumulator.
#[tokio::test]
async fn as_a_running_window() {
    let sql = format!(
        "SELECT window_funnel(INTERVAL '1 hour', ts, {STEPS}) \
         OVER (PARTITION BY user_id ORDER BY ts) FROM events WHERE user_id = 1 ORDER BY ts"
    );
    assert_eq!(numbers(&events(), &sql).await, [1, 2, 2, 3].map(|depth| vec![Some(depth)]));
}

/// One group, many groups, one and two phases, and emitting early from sorted input.
#[tokio::test]
async fn plans_agree() {
    let users: Vec<i64> = (0..600).map(|row| row / 6).collect();
    let minutes: Vec<i64> = (0..600_i64).map(|row| (row * 7919) % 100).collect();
    let letters: Vec<String> =
        (0..600_u32).map(|row| char::from(b'a' + u8::try_from(row * 31 % 5).unwrap()).to_string()).collect();
    // Every seventeenth user never enters.
    let flags: BooleanArray =
        (0..600).map(|row| (row % 11 != 0).then_some(row % 3 != 0 && row / 6 % 17 != 0)).collect();
    let batch = table(vec![
        ("user_id", Arc::new(Int64Array::from(users))),
        ("minute", Arc::new(Int64Array::from(minutes))),
        ("event", Arc::new(StringArray::from(letters))),
        ("flag", Arc::new(flags)),
    ]);
    let modes = ["default", "strict_order", "strict_increase", "strict_deduplication"];
    let calls =
        modes.map(|mode| format!("window_funnel(40, '{mode}', minute, flag, event = 'b', event <> 'c')"));
    let calls = calls.join(", ");
    let grouped = format!("SELECT user_id, {calls} FROM t GROUP BY user_id ORDER BY user_id");
    let sorted = format!(
        "SELECT user_id, {calls} FROM (SELECT * FROM t ORDER BY user_id) GROUP BY user_id ORDER BY user_id"
    );

    let mut answers = Vec::new();
    for partitions in [1, 2, 5] {
        let context = context();
        register(&context, "t", &batch, partitions);
        for skip in ["0", "1"] {
            // 0 makes the first phase pass rows through as states of their own.
            let settings = [
                format!("SET datafusion.execution.skip_partial_aggregation_probe_ratio_threshold = 0.{skip}"),
                "SET datafusion.execution.skip_partial_aggregation_probe_rows_threshold = 1".to_owned(),
            ];
            for setting in settings {
                context.sql(&setting).await.unwrap().collect().await.unwrap();
            }
            answers.push(numbers(&context, &grouped).await);
            answers.push(numbers(&context, &sorted).await);
        }
    }
    assert_eq!(answers[0].len(), 100);
    for depth in 0..=3 {
        let found = answers[0].iter().any(|row| row[1..].contains(&Some(depth)));
        assert!(found, "no group with depth {depth}: the data tests too little");
    }
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }

    // Each group alone, through the accumulator without groups.
    let context = context();
    register(&context, "t", &batch, 2);
    for row in &answers[0] {
        let user = row[0].unwrap();
        let sql = format!("SELECT {calls} FROM t WHERE user_id = {user}");
        assert_eq!(numbers(&context, &sql).await, [&row[1..]], "user {user}");
    }
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let context = events();
    for (arguments, expected) in [
        ("", "needs a window, a time and at least one condition"),
        ("INTERVAL '1 hour', ts", "needs a window, a time and at least one condition"),
        ("INTERVAL '1 hour', 'default', ts", "needs a window, a time and at least one condition"),
        ("3600, ts, true", "window must be an INTERVAL"),
        ("INTERVAL '1 hour', minute, true", "window must be an integer in the unit of ts"),
        ("INTERVAL '-1 hour', ts, true", "window must not be negative"),
        ("-1, minute, true", "window must not be negative"),
        ("CAST(NULL AS INTERVAL), ts, true", "window must not be NULL"),
        ("user_id, minute, true", "window must be a constant"),
        ("INTERVAL '1 hour', event, ts, true", "mode must be a constant"),
        ("INTERVAL '1 hour', CAST(NULL AS TEXT), ts, true", "mode must not be NULL"),
        ("INTERVAL '1 hour', 'fixed', ts, true", "mode 'fixed' is not supported; supported: default, "),
        ("INTERVAL '1 hour', 'allow_reentry', ts, true", "mode 'allow_reentry' needs 'strict_order'"),
        ("INTERVAL '1 hour', true, true", "ts must be a timestamp, a date or an integer, got Boolean"),
        ("INTERVAL '1 hour', ts, true, event", "condition 2 must be a boolean, got Utf8"),
        ("DISTINCT INTERVAL '1 hour', ts, true", "does not take DISTINCT"),
    ] {
        for group_by in ["", " GROUP BY user_id"] {
            let sql = format!("SELECT window_funnel({arguments}) FROM events{group_by}");
            let text = error(&context, &sql).await;
            assert!(text.contains(expected), "{arguments}: {text}");
            assert!(text.starts_with("Error during planning: window_funnel"), "{arguments}: {text}");
        }
    }
    let sql = "SELECT window_funnel(INTERVAL '0 hours', ts, event = 'a', event = 'b') FROM events \
               WHERE user_id = 1";
    assert_eq!(number(&context, sql).await, Some(1));
}
