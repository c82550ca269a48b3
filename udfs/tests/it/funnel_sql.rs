//! The funnel functions in SQL: columns, groups, types of time, parameters, errors.

use arrow::util::pretty::pretty_format_batches;
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;

use crate::sql::{context, error, numbers};

/// A session with table `t` of a few persons.
async fn shop() -> SessionContext {
    let context = context();
    let sql = "CREATE TABLE t AS SELECT * FROM (VALUES
        ('ann', TIMESTAMP '2024-05-01T10:00:00', 'view', 'ads', 1),
        ('ann', TIMESTAMP '2024-05-01T10:10:00', 'cart', 'ads', 1),
        ('ann', TIMESTAMP '2024-05-01T10:40:00', 'pay', 'mail', 1),
        ('ben', TIMESTAMP '2024-05-01T11:00:00', 'view', 'mail', 2),
        ('ben', TIMESTAMP '2024-05-01T11:05:00', 'help', 'mail', NULL),
        ('ben', TIMESTAMP '2024-05-01T11:30:00', 'cart', 'mail', 3),
        ('cem', TIMESTAMP '2024-05-02T09:00:00', 'view', NULL, 4),
        ('dee', TIMESTAMP '2024-05-02T09:30:00', 'cart', 'ads', 5),
        ('eve', TIMESTAMP '2024-05-02T09:45:00', 'view', 'mail', 6),
        ('eve', TIMESTAMP '2024-05-02T10:00:00', 'cart', 'mail', 6),
        (NULL, TIMESTAMP '2024-05-02T10:00:00', 'view', 'mail', 6),
        ('fay', NULL, 'view', 'mail', 6)
      ) AS t (user_id, ts, event, channel, basket)";
    context.sql(sql).await.unwrap().collect().await.unwrap();
    context
}

const STEPS: &str = "steps => ['view', 'cart', 'pay']";
const HOUR: &str = "within => INTERVAL '1 hour'";

/// Rows of the result, their words with one space between.
async fn text(context: &SessionContext, sql: &str) -> Vec<String> {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let lines = pretty_format_batches(&batches).unwrap().to_string();
    let rows = lines.lines().filter(|line| line.starts_with('|')).skip(1);
    let words = |row: &str| row.replace('|', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    rows.map(words).collect()
}

/// Rows of a function's result, after a query that names `{}`.
async fn rows(query: &str, call: &str) -> Vec<Vec<Option<i64>>> {
    numbers(&shop().await, &query.replace("{}", call)).await
}

fn whole(rows: &[&[i64]]) -> Vec<Vec<Option<i64>>> {
    rows.iter().map(|row| row.iter().map(|value| Some(*value)).collect()).collect()
}

async fn persons(arguments: &str) -> Vec<i64> {
    let call = format!("funnel((SELECT * FROM t), {arguments})");
    let rows = rows("SELECT persons FROM {} ORDER BY step", &call).await;
    rows.into_iter().map(|row| row[0].unwrap()).collect()
}

#[tokio::test]
async fn columns_stand_in_this_order() {
    let context = shop().await;
    let names = |sql: String| {
        let context = context.clone();
        async move {
            let frame = context.sql(&sql).await.unwrap();
            frame.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>().join(" ")
        }
    };
    let data = format!("(SELECT * FROM t), {STEPS}, by => channel");
    assert_eq!(
        names(format!("SELECT * FROM funnel({data})")).await,
        "by step step_name persons from_previous from_first from_first_low from_first_high dropped open \
         mean_seconds median_seconds p90_seconds mean_seconds_from_first median_seconds_from_first \
         p90_seconds_from_first"
    );
    assert_eq!(
        names(format!("SELECT * FROM funnel_trend({data})")).await,
        "by period entered converted rate rate_low rate_high open"
    );
    assert_eq!(
        names(format!("SELECT * FROM funnel_time_to_convert({data})")).await,
        "by bin_start_seconds bin_end_seconds persons share mean_seconds"
    );
    assert_eq!(
        names(format!("SELECT * FROM funnel_persons({data})")).await,
        "by user_id step step_name status entered_ts last_ts seconds"
    );
    assert_eq!(
        names(format!("SELECT * FROM funnel_explain((SELECT * FROM t), {STEPS}, user_id => 'ann')")).await,
        "ts event conditions step_before step_after counted_as_step reason"
    );
}

#[tokio::test]
async fn every_entrant_is_reached_dropped_or_open() {
    let call = format!("funnel((SELECT * FROM t), {STEPS}, {HOUR})");
    let found = rows("SELECT step, persons, dropped, open FROM {} ORDER BY 1", &call).await;
    assert_eq!(found, whole(&[&[1, 4, 0, 0], &[2, 3, 1, 0], &[3, 1, 1, 1]]));
    // A day later nothing is open any more.
    let call =
        format!("funnel((SELECT * FROM t), {STEPS}, {HOUR}, as_of => TIMESTAMP '2024-05-03T00:00:00')");
    let found = rows("SELECT step, persons, dropped, open FROM {} ORDER BY 1", &call).await;
    assert_eq!(found, whole(&[&[1, 4, 0, 0], &[2, 3, 1, 0], &[3, 1, 2, 0]]));
    // As of an earlier time later rows are not known.
    let call =
        format!("funnel((SELECT * FROM t), {STEPS}, {HOUR}, as_of => TIMESTAMP '2024-05-01T11:15:00')");
    let found = rows("SELECT step, persons, dropped, open FROM {} ORDER BY 1", &call).await;
    assert_eq!(found, whole(&[&[1, 2, 0, 0], &[2, 1, 0, 1], &[3, 1, 0, 0]]));
}

#[tokio::test]
async fn no_rows_give_every_step_without_rates() {
    let context = shop().await;
    let call = format!("funnel((SELECT * FROM t WHERE false), {STEPS})");
    let sql = format!("SELECT step, persons, from_first, from_first_low, dropped FROM {call} ORDER BY 1");
    let nothing = |step| vec![Some(step), Some(0), None, None, Some(0)];
    assert_eq!(numbers(&context, &sql).await, [nothing(1), nothing(2), nothing(3)]);
    let call = format!("funnel((SELECT * FROM t WHERE false), {STEPS}, by => channel)");
    assert_eq!(text(&context, &format!("SELECT * FROM {call}")).await.len(), 0);
}

#[tokio::test]
async fn groups_have_all_steps_and_null_is_one() {
    let context = shop().await;
    let groups = |by_value: &'static str| {
        let context = context.clone();
        async move {
            let call = format!("funnel((SELECT * FROM t), {STEPS}, {HOUR}, by => channel{by_value})");
            text(&context, &format!("SELECT coalesce(by, '-') b, step, persons FROM {call} ORDER BY 1, 2"))
                .await
        }
    };
    let first =
        ["- 1 1", "- 2 0", "- 3 0", "ads 1 1", "ads 2 1", "ads 3 1", "mail 1 2", "mail 2 2", "mail 3 0"];
    assert_eq!(groups("").await, first);
    let last = ["- 1 1", "- 2 0", "- 3 0", "mail 1 3", "mail 2 3", "mail 3 1"];
    assert_eq!(groups(", by_value => 'last'").await, last);
    let all =
        ["- 1 1", "- 2 0", "- 3 0", "ads 1 1", "ads 2 1", "ads 3 0", "mail 1 2", "mail 2 2", "mail 3 0"];
    assert_eq!(groups(", by_value => 'all'").await, all);
    let third = ["- 1 3", "- 2 2", "- 3 0", "mail 1 1", "mail 2 1", "mail 3 1"];
    assert_eq!(groups(", by_value => 'step 3'").await, third);
}

#[tokio::test]
async fn orders_exclusions_options_and_held_properties() {
    assert_eq!(persons(&format!("{STEPS}, {HOUR}")).await, [4, 3, 1]);
    assert_eq!(persons(&format!("{STEPS}, {HOUR}, order => 'strict'")).await, [4, 2, 1]);
    assert_eq!(persons(&format!("{STEPS}, {HOUR}, order => 'unordered'")).await, [5, 3, 1]);
    assert_eq!(persons(&format!("{STEPS}, {HOUR}, exclude => 'help'")).await, [3, 2, 1]);
    assert_eq!(
        persons(&format!("{STEPS}, {HOUR}, exclude => ['help'], exclude_from => 'cart'")).await,
        [4, 3, 1]
    );
    assert_eq!(
        persons(&format!("{STEPS}, {HOUR}, exclude => [event = 'help', 'nap'], exclude_to => [2, 3]")).await,
        [3, 2, 1]
    );
    assert_eq!(persons(&format!("{STEPS}, {HOUR}, hold => basket")).await, [4, 2, 1]);
    assert_eq!(persons(&format!("{STEPS}, {HOUR}, hold => [basket, channel]")).await, [3, 2, 0]);
    assert_eq!(persons(&format!("{STEPS}, {HOUR}, step_within => INTERVAL '20 minutes'")).await, [4, 2, 0]);
    assert_eq!(persons("steps => ['view', 'help', 'cart'], optional => 'help'").await, [4, 1, 3]);
    assert_eq!(persons("steps => ['view', 'help', 'cart'], optional => [2]").await, [4, 1, 3]);
    assert_eq!(persons(&format!("{STEPS}, entered => [TIMESTAMP '2024-05-02', NULL]")).await, [2, 1, 0]);
    assert_eq!(persons(&format!("{STEPS}, entered => [NULL, '2024-05-02']")).await, [2, 2, 1]);
    assert_eq!(persons(&format!("{STEPS}, entered => [DATE '2024-05-02', now()]")).await, [2, 1, 0]);
    assert_eq!(persons(&format!("{STEPS}, within => 'session'")).await, [4, 3, 1]);
    assert_eq!(
        persons(&format!("{STEPS}, within => 'session', session_gap => INTERVAL '24 minutes'")).await,
        [4, 2, 0]
    );
    assert_eq!(persons(&format!("{STEPS}, per => channel, within => INTERVAL '1 month'")).await, [2, 2, 0]);
    assert_eq!(persons("steps => event = 'view'").await, [4]);
    assert_eq!(persons("steps => ['view', NULL]").await, [4, 0]);
    assert_eq!(persons("steps => [true, true, true]").await, [5, 3, 2]);
}

#[tokio::test]
async fn counted_are_persons_attempts_or_sessions() {
    let data = "(SELECT * FROM (VALUES ('a', 0, 'v'), ('a', 1, 'p'), ('a', 5, 'v'), ('a', 100, 'v'), ('a', 101, 'p')) \
                AS t (user_id, ts, event))";
    for (count, expected) in [("persons", [1, 1]), ("totals", [3, 2]), ("sessions", [2, 2])] {
        let gap = if count == "sessions" { ", session_gap => 30" } else { "" };
        let sql = format!(
            "SELECT persons FROM funnel({data}, ['v', 'p'], 10, count => '{count}'{gap}) ORDER BY step"
        );
        assert_eq!(numbers(&context(), &sql).await, whole(&[&[expected[0]], &[expected[1]]]), "{count}");
    }
}

#[tokio::test]
async fn ties_are_a_matter_of_choice() {
    let data = "(SELECT * FROM (VALUES ('a', DATE '2024-01-01', 'p', 1), ('a', DATE '2024-01-01', 'v', 2), \
                ('b', DATE '2024-01-01', 'v', 1), ('b', DATE '2024-01-01', 'p', 2)) AS t (user_id, ts, event, event_id))";
    for (ties, expected) in [("same_instant", 2), ("order", 1), ("strict", 0)] {
        let sql = format!("SELECT persons FROM funnel({data}, ['v', 'p'], ties => '{ties}') WHERE step = 2");
        assert_eq!(numbers(&context(), &sql).await, whole(&[&[expected]]), "{ties}");
    }
}

#[tokio::test]
async fn every_type_of_time() {
    for (ts, within) in [
        ("column1::INT", "3600"),
        (
            "arrow_cast(column1 * 1000, 'Timestamp(Millisecond, Some(\"Europe/Berlin\"))')",
            "INTERVAL '1 hour'",
        ),
        ("arrow_cast(column1, 'Timestamp(Second, None)')", "INTERVAL '1 hour'"),
        ("arrow_cast(column1 * 1000000000, 'Timestamp(Nanosecond, Some(\"UTC\"))')", "INTERVAL '1 hour'"),
        ("arrow_cast((column1 / 3600)::INT, 'Date32')", "INTERVAL '1 day'"),
        ("arrow_cast(column1 / 3600 * 86400000, 'Date64')", "INTERVAL '1 day'"),
    ] {
        let sql = format!(
            "SELECT persons FROM funnel((SELECT column2 AS u, {ts} AS w, column3 AS e FROM (VALUES (0, 1, 'v'), \
             (3600, 1, 'p'), (0, 2, 'v'), (7200, 2, 'p'))), steps => ['v', 'p'], within => {within}, per => u, \
             ts => w, event => e) ORDER BY step"
        );
        assert_eq!(numbers(&context(), &sql).await, whole(&[&[2], &[1]]), "{sql}");
    }
}

#[tokio::test]
async fn intervals_follow_the_clock_of_the_zone() {
    let data = "(SELECT * FROM (VALUES ('a', TIMESTAMP '2024-05-01T22:30:00', 'v'), ('a', TIMESTAMP '2024-05-01T23:30:00', 'p'), \
                ('b', TIMESTAMP '2024-05-01T12:00:00', 'v'), ('b', TIMESTAMP '2024-05-02T12:00:00', 'v')) AS t (user_id, ts, event))";
    let trend = |arguments: &str| {
        format!(
            "SELECT to_char(period, '%d %H:%M') AS p, entered, converted FROM funnel_trend({data}, ['v', 'p'], \
             INTERVAL '1 hour', {arguments}) ORDER BY 1"
        )
    };
    let context = context();
    assert_eq!(text(&context, &trend("'day'")).await, ["01 00:00 2 1", "02 00:00 1 0"]);
    let berlin = trend("timezone => 'Europe/Berlin'");
    assert_eq!(text(&context, &berlin).await, ["01 00:00 1 0", "02 00:00 2 1"]);
    assert_eq!(text(&context, &trend("interval => 'week'")).await, ["29 00:00 2 1"]);
    assert_eq!(text(&context, &trend("interval => 'month'")).await, ["01 00:00 2 1"]);
}

#[tokio::test]
async fn steps_by_interval_of_entry() {
    let funnel = |arguments: &str| {
        format!(
            "SELECT to_char(period, '%d') AS p, step, persons, dropped FROM funnel((SELECT * FROM (VALUES \
             ('a', TIMESTAMP '2024-05-01T21:30:00', 'v'), ('a', TIMESTAMP '2024-05-01T21:40:00', 'p'), \
             ('b', TIMESTAMP '2024-05-01T22:30:00', 'v'), ('a', TIMESTAMP '2024-05-03T10:00:00', 'v'), \
             ('c', TIMESTAMP '2024-05-04T10:00:00', 'x')) AS t (user_id, ts, event)), ['v', 'p'], \
             INTERVAL '1 hour', {arguments}) ORDER BY 1, 2"
        )
    };
    let context = context();
    assert_eq!(
        text(&context, &funnel("interval => 'day'")).await,
        ["01 1 2 0", "01 2 1 1", "03 1 1 0", "03 2 0 1"]
    );
    assert_eq!(
        text(&context, &funnel("interval => 'day', timezone => 'Europe/Berlin'")).await,
        ["01 1 1 0", "01 2 1 0", "02 1 1 0", "02 2 0 1", "03 1 1 0", "03 2 0 1"]
    );
    assert_eq!(text(&context, &funnel("interval => 'month'")).await, ["01 1 2 0", "01 2 1 1"]);
    let error =
        error(&context, &funnel("timezone => 'UTC'").replace("to_char(period, '%d') AS p", "1")).await;
    assert!(
        error.contains("funnel: argument interval is missing; timezone tells intervals apart"),
        "{error}"
    );
}

#[tokio::test]
async fn dates_begin_at_midnight_of_the_zone() {
    let sql = "SELECT persons FROM funnel((SELECT user_id, event, arrow_cast(ts, 'Timestamp(Second, Some(\"UTC\"))') \
               AT TIME ZONE 'Europe/Berlin' AS ts FROM (VALUES ('a', TIMESTAMP '2024-05-01T21:30:00', 'v'), \
               ('b', TIMESTAMP '2024-05-01T22:30:00', 'v')) AS t (user_id, ts, event)), steps => 'v', \
               entered => [DATE '2024-05-02', NULL])";
    assert_eq!(numbers(&context(), sql).await, whole(&[&[1]]));
}

#[tokio::test]
async fn parameters_stand_for_values() {
    let context = shop().await;
    let sql = "SELECT persons FROM funnel((SELECT * FROM t), steps => [$1, event = $2], within => $3, \
               entered => [$4, NULL], as_of => $5, by => channel = $6, step_within => $7) WHERE by ORDER BY step";
    let frame = context.sql(sql).await.unwrap();
    let time = |text: &str| {
        ScalarValue::Utf8(Some(text.to_owned()))
            .cast_to(&arrow::datatypes::DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, None))
            .unwrap()
    };
    let hour = ScalarValue::new_interval_mdn(0, 0, 3_600_000_000_000);
    let values = vec![
        ScalarValue::from("view"),
        ScalarValue::from("cart"),
        hour.clone(),
        time("2024-05-01T10:30:00"),
        time("2024-05-04T00:00:00"),
        ScalarValue::from("mail"),
        hour,
    ];
    for (wrong, expected) in [
        (ScalarValue::IntervalMonthDayNano(None), "within must not be NULL"),
        (ScalarValue::new_interval_mdn(0, -1, 0), "within must not be negative"),
    ] {
        let mut values = values.clone();
        values[2] = wrong;
        let error = frame.clone().with_param_values(values).unwrap().into_optimized_plan().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let batches = frame.with_param_values(values).unwrap().collect().await.unwrap();
    let found = pretty_format_batches(&batches).unwrap().to_string();
    assert_eq!(found.lines().filter(|line| line.contains('2')).count(), 2, "{found}");
}

#[tokio::test]
async fn two_hundred_steps() {
    let steps: Vec<String> = (0..200).map(|step| format!("value = {step}")).collect();
    let sql = format!(
        "SELECT count(*), sum(persons), min(persons) FROM funnel((SELECT 'a' AS user_id, value, value AS ts \
         FROM generate_series(0, 300) AS t (value)), steps => [{}], within => 1000)",
        steps.join(", ")
    );
    assert_eq!(numbers(&context(), &sql).await, whole(&[&[200, 200, 1]]));
}

#[tokio::test]
async fn one_person_with_many_rows() {
    let context = context();
    let sql = "SELECT persons FROM funnel((SELECT 'a' AS user_id, to_timestamp(value) AS ts, value % 5 AS e \
               FROM generate_series(1, 200000) AS t (value)), steps => [e = 1, e = 2, e = 9]) ORDER BY step";
    assert_eq!(numbers(&context, sql).await, whole(&[&[1], &[1], &[0]]));
}

#[tokio::test]
async fn results_are_relations_like_others() {
    let context = shop().await;
    let view = format!("CREATE VIEW v AS SELECT * FROM funnel((SELECT * FROM t), {STEPS}, {HOUR})");
    context.sql(&view).await.unwrap().collect().await.unwrap();
    let sql = format!(
        "WITH later AS (SELECT * FROM t WHERE ts > TIMESTAMP '2024-05-02') \
         SELECT v.persons, f.persons, p.n FROM v JOIN funnel((SELECT * FROM later), {STEPS}) AS f ON f.step = v.step \
         JOIN (SELECT step, count(*) AS n FROM funnel_persons((SELECT * FROM t), {STEPS}, {HOUR}) GROUP BY step) AS p \
         ON p.step = v.step ORDER BY v.step"
    );
    assert_eq!(numbers(&context, &sql).await, whole(&[&[4, 2, 1], &[3, 1, 2], &[1, 0, 1]]));
}

#[tokio::test]
async fn wrong_arguments_are_named_while_planning() {
    let context = shop().await;
    for (arguments, expected) in [
        ("", "argument steps is missing"),
        ("steps => []", "argument steps must have at least one step"),
        ("steps => [1, 2]", "argument steps: 1 must be a condition or the name of an event"),
        ("steps => ['a'], within => INTERVAL '-1 hour'", "within must not be negative"),
        ("steps => ['a'], within => 5", "within must be an INTERVAL"),
        ("steps => ['a'], within => ts", "argument within must be a constant"),
        ("steps => ['a'], within => 'soon'", "funnel: argument within: "),
        ("steps => ['a'], as_of => 'soon'", "funnel: argument as_of: "),
        ("steps => ['a'], entered => [NULL, 'soon']", "funnel: argument entered: "),
        (
            "steps => ['a'], order => 'random'",
            "argument order must be one of 'ordered', 'strict', 'unordered'",
        ),
        ("steps => ['a'], count => 'all'", "argument count must be one of 'persons', 'totals', 'sessions'"),
        ("steps => ['a'], entry => 'best'", "argument entry must be one of 'latest', 'first'"),
        ("steps => ['a'], ties => 'any'", "argument ties must be one of"),
        ("steps => ['a'], ties => 'order'", "ties => 'order' needs sequence"),
        (
            "steps => ['a', 'b'], step_names => ['x']",
            "argument step_names must have a name for each of the 2 steps",
        ),
        ("steps => ['a', 'b'], optional => 1", "argument optional must not name the first or the last step"),
        (
            "steps => ['a', 'b'], optional => 3",
            "argument optional must be the name of a step or its number, 1 to 2",
        ),
        ("steps => ['a', 'b'], exclude_from => 1", "argument exclude_from needs exclude"),
        (
            "steps => ['a', 'b'], exclude => 'x', exclude_from => 2",
            "argument exclude_to must be a step after",
        ),
        (
            "steps => ['a', 'b'], exclude => 'x', exclude_to => [1, 2]",
            "argument exclude_to must have one step",
        ),
        ("steps => ['a', 'b'], by => channel, by_value => 'step 3'", "argument by_value must be one of"),
        ("steps => ['a', 'b'], by_value => 'first'", "argument by_value needs by"),
        ("steps => ['a', 'b'], entered => [NULL]", "argument entered must be a list of two times"),
        ("steps => ['a', 'b'], entered => [ts, NULL]", "argument entered must be a constant"),
        ("steps => ['a', 'b'], as_of => 5", "argument as_of must be a time like ts"),
        (
            "steps => ['a', 'b'], order => 'unordered', optional => 1",
            "argument optional does not go with order",
        ),
        (
            "steps => ['a', 'b'], session_gap => INTERVAL '1 hour'",
            "argument session_gap needs within => 'session'",
        ),
        ("steps => ['a', 'b'], per => nobody", "nobody"),
        ("steps => ['a', 'b'], ts => channel", "ts must be a timestamp, a date or an integer"),
        ("steps => ['a', 'b'], wihtin => INTERVAL '1 day'", "funnel has no argument wihtin"),
        ("steps => ['a', 'b'], hold => count(*)", "argument hold must be computed from single rows"),
    ] {
        let sql = format!("EXPLAIN SELECT * FROM funnel((SELECT * FROM t), {arguments})").replace(", )", ")");
        let text = error(&context, &sql).await;
        assert!(text.contains(expected), "{arguments}\n{text}");
    }
    for (call, expected) in [
        (
            format!("funnel_trend((SELECT * FROM t), {STEPS}, interval => 'year')"),
            "argument interval must be one of",
        ),
        (
            format!("funnel_trend((SELECT * FROM t), {STEPS}, timezone => 'Mars')"),
            "argument timezone must be a time zone",
        ),
        (
            format!("funnel_trend((SELECT * FROM t), {STEPS}, from_step => 3, to_step => 'view')"),
            "argument to_step must be",
        ),
        (
            format!("funnel_time_to_convert((SELECT * FROM t), {STEPS}, bins => 0)"),
            "argument bins must be a whole number",
        ),
        (format!("funnel_explain((SELECT * FROM t), {STEPS})"), "argument user_id is missing"),
        (format!("funnel((SELECT user_id, 1 AS ts, event FROM t), {STEPS})"), "argument within is missing"),
    ] {
        let text = error(&context, &format!("EXPLAIN SELECT * FROM {call}")).await;
        assert!(text.contains(expected), "{call}\n{text}");
    }
}

#[tokio::test]
async fn reasons_for_rows() {
    let context = context();
    let explain = |rows: &'static str, arguments: &'static str| {
        let context = context.clone();
        async move {
            let sql = format!(
                "SELECT reason FROM funnel_explain((SELECT * FROM (VALUES {rows}) AS t (user_id, ts, event)), \
                 user_id => 'a', within => 10, {arguments}) ORDER BY ts"
            );
            text(&context, &sql).await
        }
    };
    assert_eq!(
        explain(
            "('a', 0, 'v'), ('a', 1, 'x'), ('a', 2, 'p'), ('b', 2, 'p')",
            "steps => ['v', 'p'], exclude => 'x'"
        )
        .await,
        [
            "enters: the window starts here",
            "exclusion 1 marks the open chain",
            "meets step 2, but the steps before it are not reached"
        ]
    );
    assert_eq!(
        explain(
            "('a', 0, 'v'), ('a', 1, 'q'), ('a', 2, 'v'), ('a', 3, 'p'), ('a', 4, 'v')",
            "steps => ['v', 'p'], order => 'strict'"
        )
        .await,
        [
            "enters: the window starts here",
            "meets no step: strict order ends the open chain",
            "enters: the window starts here",
            "reaches step 2",
            "comes after the last step was reached"
        ]
    );
    assert_eq!(
        explain(
            "('a', 0, 'v'), ('a', 1, 'v'), ('a', 20, 'v')",
            "steps => ['v', 'p'], entry => 'first', entered => [0, 15]"
        )
        .await,
        [
            "enters: the window starts here",
            "meets step 1 while the attempt of the first entry is open",
            "meets step 1 outside the time range of entry"
        ]
    );
}
