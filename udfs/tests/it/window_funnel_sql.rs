//! window_funnel in SQL: NULLs, empty groups, types, plans, errors.

use std::sync::Arc;

use arrow::array::{BooleanArray, Int64Array, StringArray, TimestampMicrosecondArray};
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;

use crate::sql::{context, error, explained_error, number, numbers, register, table};

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
    let modes =
        ["default", "strict_order", "strict_increase", "strict_deduplication", "strict_once", "strict_steps"];
    let calls = modes.map(|mode| {
        format!(
            "window_funnel(40, '{mode}', minute, flag, event = 'b', event <> 'c'), \
             funnel_count(40, '{mode}', minute, flag, event = 'b')"
        )
    });
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

/// Planning is enough to see what is wrong: each is tried with EXPLAIN and without.
#[tokio::test]
async fn wrong_arguments_are_plan_errors() {
    let context = events();
    for (arguments, expected) in [
        ("", "needs a window, a time and at least one condition"),
        ("INTERVAL '1 hour', ts", "needs a window, a time and at least one condition"),
        ("INTERVAL '1 hour', 'default', ts", "needs a window, a time and at least one condition"),
        ("INTERVAL '1 hour', ts, []", "the array of conditions must be written out in the call"),
        ("INTERVAL '1 hour', ts, flags", "the array of conditions must be written out in the call"),
        ("INTERVAL '1 hour', ts, ['a', 'b']", "condition 1 must be a boolean, got Utf8"),
        ("3600, ts, true", "window must be an INTERVAL"),
        ("'soon', ts, true", "window must be an INTERVAL such as INTERVAL '1 hour', or 'session', or"),
        ("'sessions', ts, true", "window must be an INTERVAL such as INTERVAL '1 hour', or 'session', or"),
        ("'session soon', ts, true", "or 'session 45 minutes'; got 'session soon'"),
        ("'session -5 minutes', ts, true", "window must not be negative"),
        (
            "'session', minute, true",
            "window 'session' needs times with a unit, but ts is an integer; convert ts",
        ),
        (
            "'1 hour', minute, true",
            "window must be an integer in the unit of ts, because ts is an integer; got",
        ),
        ("INTERVAL '1 hour', minute, true", "window must be an integer in the unit of ts"),
        ("INTERVAL '-1 hour', ts, true", "window must not be negative"),
        ("-1, minute, true", "window must not be negative"),
        ("CAST(NULL AS INTERVAL), ts, true", "window must not be NULL"),
        ("CAST(NULL AS TEXT), ts, true", "window must not be NULL"),
        ("user_id, minute, true", "window must be a constant"),
        ("INTERVAL '1 hour', event, ts, true", "mode must be a constant"),
        ("INTERVAL '1 hour', 'fixed', ts, true", "mode 'fixed' is not supported; supported: default, "),
        ("INTERVAL '1 hour', 'allow_reentry', ts, true", "mode 'allow_reentry' needs 'strict_order'"),
        ("INTERVAL '1 hour', 'allow_restart', ts, true", "mode 'allow_restart' needs 'strict_order'"),
        (
            "INTERVAL '1 hour', 'strict_order, allow_restart, allow_reentry', ts, true",
            "modes 'allow_reentry' and 'allow_restart' exclude each other",
        ),
        (
            "INTERVAL '1 hour', 'strict_rows, strict_order', ts, true",
            "mode 'strict_rows' does not go with 'strict_order': it decides for each chain by itself",
        ),
        (
            "INTERVAL '1 hour', 'strict_rows, strict_steps', ts, true",
            "modes 'strict_rows' and 'strict_steps' exclude each other",
        ),
        ("INTERVAL '1 hour', true, true", "ts must be a timestamp, a date or an integer, got Boolean"),
        ("INTERVAL '1 hour', ts, true, event", "condition 2 must be a boolean, got Utf8"),
        ("DISTINCT INTERVAL '1 hour', ts, true", "does not take DISTINCT"),
    ] {
        for function in ["window_funnel", "funnel_count", "funnel_match", "funnel_durations"] {
            for group_by in ["", " GROUP BY user_id"] {
                let sql = format!(
                    "SELECT {function}({arguments}) FROM (SELECT *, [true, event = 'b'] AS flags FROM events)\
                     {group_by}"
                );
                let text = error(&context, &sql).await;
                assert!(text.contains(expected), "{sql}: {text}");
                assert!(text.starts_with(&format!("Error during planning: {function}")), "{sql}: {text}");
                let text = explained_error(&context, &sql).await.replace(['\n', '|'], "");
                assert!(text.contains(expected), "{sql}: {text}");
            }
        }
    }
    let sql = "SELECT window_funnel(INTERVAL '0 hours', ts, event = 'a', event = 'b') FROM events \
               WHERE user_id = 1";
    assert_eq!(number(&context, sql).await, Some(1));
}

/// With OVER the optimizer does not ask the function about its constants: those that stand there as literals are
/// checked before, the others when the query runs.
#[tokio::test]
async fn wrong_arguments_of_running_windows() {
    let context = events();
    let over = "OVER (PARTITION BY user_id ORDER BY ts)";
    for (arguments, expected, planned) in [
        ("INTERVAL '-1 hour', ts, true", "window must not be negative", true),
        ("'soon', ts, true", "window must be an INTERVAL", true),
        ("INTERVAL '1 hour', 'strictly', ts, true", "mode 'strictly' is not supported", true),
        ("ts - ts, ts, true", "window must be a constant", true),
        ("DISTINCT INTERVAL '1 hour', ts, true", "does not take DISTINCT", true),
        ("'session', minute, true", "ts is an integer", false),
        ("CAST('-1 hour' AS INTERVAL), ts, true", "window must not be negative", false),
    ] {
        let sql = format!("SELECT window_funnel({arguments}) {over} FROM events");
        let text = error(&context, &sql).await;
        assert!(text.contains(expected), "{sql}: {text}");
        let explained = explained_error(&context, &sql).await;
        assert_eq!(explained.contains(expected), planned, "{sql}: {explained}");
    }
}

/// A parameter has no value while the statement is planned, and is checked when it has one.
#[tokio::test]
async fn wrong_parameters_are_plan_errors() {
    let context = events();
    let sql = format!("SELECT window_funnel($1, $2, ts, {STEPS}) FROM events");
    let hour = ScalarValue::new_interval_mdn(0, 0, 3_600_000_000_000);
    let minus = ScalarValue::new_interval_mdn(0, 0, -1);
    for (window, mode, expected) in [
        (minus, "default", "window must not be negative"),
        (hour, "strictly", "mode 'strictly' is not supported"),
        (ScalarValue::from("session"), "strict_rows, strict_once", "does not go with 'strict_once'"),
    ] {
        let frame = context.sql(&sql).await.unwrap();
        let parameters = vec![window, ScalarValue::from(mode)];
        let error = frame.with_param_values(parameters).unwrap().into_optimized_plan().unwrap_err();
        let text = error.find_root().strip_backtrace();
        assert!(
            text.starts_with("Error during planning: window_funnel: ") && text.contains(expected),
            "{text}"
        );
    }
}

#[tokio::test]
async fn optional_arguments_that_are_null() {
    let context = events();
    for mode in ["NULL", "CAST(NULL AS TEXT)", "'default'"] {
        let sql = format!(
            "SELECT window_funnel(INTERVAL '1 hour', {mode}, ts, {STEPS}) FROM events WHERE user_id = 1"
        );
        assert_eq!(number(&context, &sql).await, Some(3), "{mode}");
    }
}

#[tokio::test]
async fn conditions_as_an_array() {
    let context = events();
    let call = "(INTERVAL '1 hour', ts, [event = 'a', event = 'b', NULL, event = 'c'])";
    for (sql, expected) in [
        (format!("SELECT window_funnel{call} FROM events WHERE user_id = 1"), 2),
        (
            format!(
                "SELECT WindowFunnel(INTERVAL '1 hour', 'default', ts, [{STEPS}]) FROM events WHERE user_id = 1"
            ),
            3,
        ),
        (format!("SELECT WINDOWFUNNEL('1 hour', ts, make_array({STEPS})) FROM events WHERE user_id = 1"), 3),
        ("SELECT window_funnel(INTERVAL '1 hour', ts, [true, true, NULL, true]) FROM events".to_owned(), 2),
        (
            format!(
                "SELECT max(n) FROM (SELECT window_funnel{call} OVER (PARTITION BY user_id ORDER BY ts) AS n FROM events)"
            ),
            2,
        ),
        (
            format!(
                "SELECT count(*) FROM (SELECT user_id FROM events GROUP BY user_id HAVING window_funnel{call} = 2)"
            ),
            1,
        ),
    ] {
        assert_eq!(number(&context, &sql).await, Some(expected), "{sql}");
    }
    // Beyond the limit of names, and nested in an expression that is named by it.
    let conditions: Vec<String> = (0..200).map(|minute| format!("minute >= {minute}")).collect();
    let sql = format!("SELECT window_funnel(100, minute, [{}]) + 1 FROM events", conditions.join(", "));
    assert_eq!(number(&context, &sql).await, Some(63));
}

/// User 1 has rows at minutes 0, 10, 20 and 60, of which the one at 20 meets no condition.
#[tokio::test]
async fn sessions_as_window() {
    let context = events();
    for (window, expected) in [
        ("session", 2),
        ("SESSION", 2),
        (" session  40 minutes ", 3),
        ("session 39 minutes", 2),
        ("session 9 minutes", 1),
        ("session 1 day", 3),
    ] {
        let sql = format!("SELECT window_funnel('{window}', ts, {STEPS}) FROM events WHERE user_id = 1");
        assert_eq!(number(&context, &sql).await, Some(expected), "{window}");
    }
    // A row that the function does not see does not hold the session together.
    let sql = format!(
        "SELECT window_funnel('session 40 minutes', ts, {STEPS}) FILTER (WHERE minute <> 20) FROM events \
         WHERE user_id = 1"
    );
    assert_eq!(number(&context, &sql).await, Some(2));
}

/// Letters at minutes 0, 1, 2, ..: a, b and c are steps, x is none.
#[tokio::test]
async fn modes_that_follow_single_chains() {
    let context = context();
    for (mode, letters, expected) in [
        ("strict_rows", "abc", 3),
        ("strict_rows", "abxc", 2),
        ("strict_rows", "aabc", 3),
        ("strict_rows", "abbc", 2),
        ("strict_rows", "abxabc", 3),
        ("strict_steps", "axbxc", 3),
        ("strict_steps", "abac", 2),
        ("strict_steps", "acbabc", 3),
        ("strict_no_repeat", "axbxc", 3),
        ("strict_no_repeat", "abac", 2),
        ("strict_no_repeat", "abbc", 2),
        ("strict_no_repeat", "acbc", 3),
        ("strict_no_repeat", "abacabc", 3),
        ("strict_deduplication", "abac", 3),
        ("strict_once", "axbxc", 3),
    ] {
        let minutes = Int64Array::from_iter_values((0..).take(letters.len()));
        let events = StringArray::from_iter_values(letters.chars().map(String::from));
        let rows = table(vec![("minute", Arc::new(minutes)), ("event", Arc::new(events))]);
        context.deregister_table("letters").unwrap();
        register(&context, "letters", &rows, 2);
        let sql = format!("SELECT window_funnel(100, '{mode}', minute, {STEPS}) FROM letters");
        assert_eq!(number(&context, &sql).await, Some(expected), "{mode} {letters}");
    }
}

#[tokio::test]
async fn one_row_fills_one_step() {
    let context = context();
    let sql = |rows: &str, mode: &str| {
        format!(
            "SELECT window_funnel(10, '{mode}', t, s LIKE '%a%', s LIKE '%b%', s LIKE '%c%') \
             FROM (VALUES {rows}) AS v (t, s)"
        )
    };
    for (rows, once, default) in [
        ("(1, 'abc')", 1, 3),
        ("(1, 'abc'), (1, 'abc')", 2, 3),
        ("(1, 'abc'), (1, 'abc'), (1, 'abc')", 3, 3),
        // b must be the second row, so that the first can be a.
        ("(1, 'ab'), (1, 'b')", 2, 2),
        ("(1, 'ab'), (1, 'bc'), (1, 'b')", 3, 3),
        ("(1, 'ab'), (1, 'ac')", 2, 3),
        ("(1, 'a'), (2, 'ab'), (3, 'ab'), (4, 'c')", 3, 3),
    ] {
        assert_eq!(number(&context, &sql(rows, "strict_once")).await, Some(once), "{rows}");
        assert_eq!(number(&context, &sql(rows, "default")).await, Some(default), "{rows}");
    }
}
