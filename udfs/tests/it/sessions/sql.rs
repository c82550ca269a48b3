//! Session window functions in SQL: NULLs, types, order, errors.

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
    for (call, expected) in [
        ("sessionize(ts)", "sessionize takes two arguments, got 1"),
        ("sessionize(ts, 30)", "gap must be an INTERVAL"),
        ("sessionize(minute, INTERVAL '1 hour')", "gap must be an integer in the unit of ts"),
        (
            "sessionize(user_id = 1, INTERVAL '1 hour')",
            "ts must be a timestamp, a date or an integer, got Boolean",
        ),
        ("sessionize(ts, INTERVAL '-1 hour')", "gap must not be negative"),
        ("sessionize(minute, -1)", "gap must not be negative"),
        ("sessionize(ts, CAST(NULL AS INTERVAL))", "gap must not be NULL"),
        ("sessionize(minute, user_id)", "gap must be a constant"),
        ("sessionize(ts, true)", "gap must be an INTERVAL"),
        ("session_number(ts)", "session_number needs at least one rule"),
        ("session_number(ts, NULL)", "session_number needs at least one rule"),
        ("session_number()", "session_number takes 1 to 11 arguments, got 0"),
        ("session_id(user_id)", "session_id takes 2 to 12 arguments, got 1"),
        ("session_id(user_id, ts)", "session_id needs at least one rule"),
        ("session_depth(ts, NULL, true, true)", "inclusive says how gap is meant, but there is no gap"),
        ("session_depth(ts, INTERVAL '1 hour', 1)", "inclusive must be true or false, got Int64"),
        ("session_depth(ts, INTERVAL '1 hour', ts IS NULL)", "inclusive must be a constant"),
        ("session_gap(ts, NULL, NULL, 1)", "start_if must be a condition (BOOLEAN), got Int64"),
        ("session_gap(ts, NULL, NULL, NULL, 'x')", "end_if must be a condition (BOOLEAN), got Utf8"),
        ("session_seconds(ts, NULL, NULL, NULL, NULL, 5)", "max_length must be an INTERVAL"),
        ("session_seconds(ts, NULL, NULL, NULL, NULL, INTERVAL '-1 day')", "max_length must not be negative"),
        ("session_is_new(ts, NULL, NULL, NULL, NULL, NULL, 0)", "max_events must be 1 or more, got 0"),
        ("session_is_new(ts, NULL, NULL, NULL, NULL, NULL, 1.5)", "max_events must be an integer"),
        ("session_is_new(ts, NULL, NULL, NULL, NULL, NULL, user_id)", "max_events must be a constant"),
        (
            "session_reason(ts, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Mars/Phobos')",
            "midnight must be a time zone such as 'Europe/Berlin', 'UTC' or '+01:00', got 'Mars/Phobos'",
        ),
        (
            "session_reason(minute, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'UTC')",
            "midnight needs a timestamp or a date as ts",
        ),
        (
            "session_reason(ts, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1)",
            "midnight must be the name of a time zone",
        ),
        ("session_is_robot(ts, INTERVAL '1 hour')", "session_is_robot: click_lag is missing"),
        (
            "session_is_robot(ts, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, INTERVAL '1 s')",
            "session_is_robot needs at least one rule",
        ),
        ("sess_timeout(ts, INTERVAL '1 hour')", "sess_timeout: seconds must be an integer"),
        ("sess_timeout_num(ts, -1)", "sess_timeout_num: seconds must not be negative, got -1"),
        ("session_number(DISTINCT ts, INTERVAL '1 hour')", "session_number does not take DISTINCT"),
        ("session_number(ts, INTERVAL '-1 day')", "session_number: gap must not be negative, got -1 days"),
        ("sess_timeout(ts, NULL)", "sess_timeout: seconds must not be NULL"),
        ("sess_start_if(ts, 1)", "sess_start_if: condition must be a condition (BOOLEAN), got Int64"),
        (
            "sess_end_if_depth(ts)",
            "sess_end_if_depth takes two arguments, got 1: write sess_end_if_depth(ts, condition)",
        ),
    ] {
        let sql = format!("SELECT {call} OVER (ORDER BY ts) FROM visits");
        let text = error(&context, &sql).await;
        assert!(text.contains(expected), "{call}: {text}");
        let name = call.split('(').next().unwrap();
        assert!(text.contains(&format!("Error during planning: {name}")), "{text}");
        // EXPLAIN says it as well, as an error or in the place of the plan.
        let explained = match context.sql(&format!("EXPLAIN {sql}")).await {
            Ok(frame) => frame.to_string().await.unwrap_or_else(|error| error.to_string()),
            Err(error) => error.to_string(),
        };
        assert!(explained.contains(expected.split(',').next().unwrap()), "{call}: {explained}");
    }
}

#[tokio::test]
async fn unknown_names_are_refused() {
    let sql = "SELECT session_number(ts => ts, timeout => INTERVAL '1 hour') OVER (ORDER BY ts) FROM visits";
    let text = error(&visits(), sql).await;
    assert!(text.contains("timeout"), "{text}");
}

/// Results of a function over the rows of user 1, in order of time, printed.
async fn printed(call: &str) -> String {
    let sql = format!(
        "SELECT {call} OVER (PARTITION BY user_id ORDER BY ts) AS r FROM visits WHERE user_id = 1 ORDER BY ts"
    );
    let text = visits().sql(&sql).await.unwrap().to_string().await.unwrap();
    text.lines().filter(|line| line.starts_with("| ")).skip(1).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn spans_are_doubles_of_seconds_or_integers_of_the_unit() {
    assert_eq!(
        printed("session_gap(ts, INTERVAL '30 minutes')").await,
        "|        |\n| 1800.0 |\n| 1860.0 |\n|        |"
    );
    assert_eq!(printed("session_gap(minute, 30)").await, "|    |\n| 30 |\n| 31 |\n|    |");
    assert_eq!(
        printed("session_seconds(ts, INTERVAL '30 minutes')").await,
        "| 0.0    |\n| 1800.0 |\n| 0.0    |\n|        |"
    );
    assert_eq!(printed("session_seconds(minute, 30)").await, "| 0  |\n| 30 |\n| 0  |\n|    |");
    // Differences that are no whole seconds are rounded down, as are those of dates.
    assert_eq!(printed("sess_timeout_diff(ts, 1800)").await, "| 0    |\n| 1800 |\n| 1860 |\n|      |");
}

#[tokio::test]
async fn every_function_gives_null_for_a_null_time() {
    for call in [
        "session_id(user_id, ts, INTERVAL '30 minutes')",
        "session_depth(ts, INTERVAL '30 minutes')",
        "session_is_new(ts, INTERVAL '30 minutes')",
        "session_reason(ts, INTERVAL '30 minutes')",
        "sess_timeout(ts, 1800)",
        "sess_start_if(ts, minute = 30)",
        "sess_end_if_is_new(ts, minute = 30)",
    ] {
        let text = printed(call).await;
        assert!(text.lines().last().unwrap().trim_matches(['|', ' ']).is_empty(), "{call}: {text}");
    }
}

#[tokio::test]
async fn ids_come_from_the_person_and_the_first_row() {
    let ids = printed("session_id(user_id, ts, INTERVAL '30 minutes')").await;
    let [first, second] = ["1@1970-01-01T00:00:00.000000Z", "1@1970-01-01T01:01:00.000000Z"];
    assert_eq!(ids, format!("| {first} |\n| {first} |\n| {second} |\n|                               |"));
    let ids = printed("session_id(NULL, ts, INTERVAL '30 minutes')").await;
    assert_eq!(ids, "|   |\n|   |\n|   |\n|   |");
    let ids = printed("session_id(user_id, minute, 30)").await;
    assert_eq!(ids, "| 1@0  |\n| 1@0  |\n| 1@61 |\n|      |");
}

#[tokio::test]
async fn sub_tick_lengths_are_exact() {
    // Times of whole milliseconds and a gap of one and a half: 1 ms is less, 2 ms is more, nothing is equal.
    let sql = |inclusive: bool| {
        format!(
            "SELECT session_number(ts, INTERVAL '1.5 milliseconds', {inclusive}) OVER (ORDER BY ts) FROM \
             (SELECT arrow_cast(column1, 'Timestamp(Millisecond, None)') AS ts FROM (VALUES (0), (1), (3)) AS v) ORDER BY ts"
        )
    };
    for inclusive in [false, true] {
        assert_eq!(
            numbers(&context(), &sql(inclusive)).await,
            rows(&[Some(1), Some(1), Some(2)]),
            "{inclusive}"
        );
    }
}

#[tokio::test]
async fn parameters_can_stand_for_constants() {
    let context = visits();
    let sql = "SELECT session_number(ts, $1, $2, minute = $3, NULL, NULL, $4) OVER (PARTITION BY user_id ORDER BY ts) \
               AS session FROM visits WHERE user_id = 1";
    let frame = context.sql(sql).await.unwrap();
    let values = vec![
        datafusion::common::ScalarValue::new_interval_mdn(0, 0, 1_800_000_000_000),
        datafusion::common::ScalarValue::from(true),
        datafusion::common::ScalarValue::from(5_i64),
        datafusion::common::ScalarValue::from(7_i64),
    ];
    let text = frame.with_param_values(values).unwrap().to_string().await.unwrap();
    for session in ["| 1 ", "| 2 ", "| 3 "] {
        assert!(text.contains(session), "{text}");
    }
    let frame = context.sql(sql).await.unwrap();
    let values = vec![
        datafusion::common::ScalarValue::new_interval_mdn(0, 0, -1),
        datafusion::common::ScalarValue::from(true),
        datafusion::common::ScalarValue::from(5_i64),
        datafusion::common::ScalarValue::from(7_i64),
    ];
    let error = frame.with_param_values(values).unwrap().collect().await.unwrap_err().strip_backtrace();
    assert!(error.contains("gap must not be negative"), "{error}");
}
