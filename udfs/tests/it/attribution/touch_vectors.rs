//! Adobe's published examples of touch window functions, and what stands beside them.

use serde_json::Value;

use super::{lines, texts};
use crate::sql::{context, error, tell};

fn file() -> Value {
    serde_json::from_str(include_str!("../../vectors/adobe_touch_windows.json")).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().map_or("CAST(NULL AS VARCHAR)".to_owned(), |text| format!("'{text}'"))
}

/// The rows with their number, and whether the case says that touches expire with them.
fn data(case: &Value) -> String {
    let expiring: Vec<u64> =
        case["expire_after_rows"].as_array().into_iter().flatten().map(|row| row.as_u64().unwrap()).collect();
    let rows = (0..).zip(case["rows"].as_array().unwrap()).map(|(number, row)| {
        let time = row[0].as_str().unwrap().replace(' ', "T");
        format!("({number}, TIMESTAMP '{time}', {}, {})", text(&row[1]), expiring.contains(&number))
    });
    format!("(VALUES {}) AS t (n, ts, tracking, buys)", rows.collect::<Vec<_>>().join(", "))
}

async fn check(case: &Value, call: &str) {
    let sql = format!(
        "SELECT s['value'], replace(arrow_cast(s['timestamp'], 'Utf8'), 'T', ' '), s['fraction'], s['name'] FROM ( \
         SELECT n, {call} OVER (ORDER BY ts) AS s FROM {}) ORDER BY n",
        data(case)
    );
    let expected: Vec<Vec<String>> = case["expected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let (value, time) = (row[0].as_str().unwrap(), row[1].as_str().unwrap());
            vec![
                value.to_owned(),
                time.to_owned(),
                format!("{:?}", row[2].as_f64().unwrap()),
                "paid".to_owned(),
            ]
        })
        .collect();
    assert_eq!(texts(&context(), &sql).await, expected, "{sql}");
}

#[tokio::test]
async fn published_examples() {
    let file = file();
    check(&file["first_touch"], "attribution_first_touch(ts, 'paid', tracking)").await;
    check(&file["last_touch"], "attribution_last_touch(ts, 'paid', tracking)").await;
    check(&file["first_touch_exp_if"], "attribution_first_touch_exp_if(ts, 'paid', tracking, buys, false)")
        .await;
    check(&file["first_touch_exp_if"], "attribution_first_touch_exp_if(ts, 'paid', tracking, buys)").await;
    let timeout = &file["first_touch_exp_timeout_7d"];
    check(timeout, "attribution_first_touch_exp_timeout(ts, 'paid', tracking, 604800)").await;
    check(timeout, "attribution_first_touch_exp_timeout(ts, 'paid', tracking, INTERVAL '7 days')").await;
    tell("adobe_touch_windows.json: the 4 touch examples pass");
}

/// NEXT and PREVIOUS are lead and lag, with the choice of what to do with NULL.
#[tokio::test]
async fn next_and_previous_are_lead_and_lag() {
    let file = file();
    for (key, call) in
        [("next_ignore_nulls", "lead(page, 1) IGNORE NULLS"), ("previous_keep_nulls", "lag(page, 1)")]
    {
        let case = &file[key];
        assert_eq!(case["shift"], 1);
        let rows = (0..).zip(case["values"].as_array().unwrap());
        let rows: Vec<String> = rows.map(|(number, value)| format!("({number}, {})", text(value))).collect();
        let sql = format!(
            "SELECT {call} OVER (ORDER BY n) FROM (VALUES {}) AS t (n, page) ORDER BY n",
            rows.join(", ")
        );
        let expected: Vec<String> = case["expected"]
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value.as_str().unwrap_or("-").to_owned())
            .collect();
        assert_eq!(lines(&context(), &sql).await, expected, "{key}");
    }
    tell("adobe_touch_windows.json: next and previous pass as lead and lag");
}

#[tokio::test]
async fn lives_end_before_or_after_the_row() {
    let data = "(VALUES (1, 10, 'a', false), (2, 20, 'b', true), (3, 30, NULL, false), (4, NULL, 'x', true), \
                (5, 40, 'c', false)) AS t (n, ts, tracking, buys)";
    for (call, expected) in [
        ("attribution_first_touch_exp_if(ts, 'n', tracking, buys)", ["a", "a", "-", "-", "c"]),
        ("attribution_first_touch_exp_if(ts, 'n', tracking, buys, true)", ["a", "b", "b", "-", "b"]),
        ("attribution_last_touch_exp_if(ts, 'n', tracking, buys)", ["a", "b", "-", "-", "c"]),
        (
            "attribution_last_touch_exp_if(ts, 'n', tracking, buys, exp_before => true)",
            ["a", "b", "b", "-", "c"],
        ),
        ("attribution_first_touch_exp_timeout(ts, 'n', tracking, 10)", ["a", "a", "b", "-", "c"]),
        ("attribution_last_touch_exp_timeout(ts, 'n', tracking, 9)", ["a", "b", "-", "-", "c"]),
    ] {
        let sql = format!(
            "SELECT s['value'] FROM (SELECT n, {call} OVER (ORDER BY ts NULLS FIRST) AS s FROM {data}) ORDER BY n"
        );
        assert_eq!(lines(&context(), &sql).await, expected, "{call}");
    }
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let from =
        "OVER (ORDER BY ts) FROM (VALUES (TIMESTAMP '2024-05-01T10:00:00', 'a', true, 5)) AS t (ts, v, b, i)";
    for (call, expected) in [
        ("attribution_first_touch(ts, 'n')", "attribution_first_touch takes 3 arguments, got 2"),
        ("attribution_first_touch(v, 'n', v)", "ts must be a timestamp"),
        ("attribution_first_touch(ts, i, v)", "argument channel_name must be text"),
        ("attribution_last_touch_exp_if(ts, 'n', v, i)", "argument exp_condition must be BOOLEAN"),
        ("attribution_last_touch_exp_if(ts, 'n', v, b, i)", "argument exp_before must be BOOLEAN"),
        ("attribution_last_touch_exp_if(ts, 'n', v, b, b)", "exp_before must be a constant"),
        ("attribution_last_touch_exp_timeout(ts, 'n', v, -1)", "exp_timeout must not be negative"),
        ("attribution_last_touch_exp_timeout(ts, 'n', v, i)", "exp_timeout must be a constant"),
        ("attribution_last_touch_exp_timeout(ts, 'n', v, true)", "exp_timeout must be an INTERVAL"),
    ] {
        let found = error(&context(), &format!("SELECT {call} {from}")).await;
        assert!(found.contains(expected), "{call}: {found}");
    }
    let back = "SELECT attribution_first_touch(ts, 'n', v) OVER (ORDER BY ts DESC) FROM (VALUES (1, 'a'), (2, 'b')) AS t (ts, v)";
    let found = error(&context(), back).await;
    assert!(found.contains("times go back within a partition; write ORDER BY ts"), "{found}");
}
