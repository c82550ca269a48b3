//! Known answers of other products for rule attribution, through SQL.

use std::collections::BTreeMap;

use serde_json::Value;

use super::texts;
use crate::sql::{context, tell};

fn cases() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../vectors/attribution_rules.json")).unwrap();
    let cases = file["cases"].as_array().unwrap().clone();
    assert_eq!(cases.len(), 10);
    cases
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: {found:?}");
    for (one, other) in found.iter().zip(expected) {
        assert!((one - other).abs() <= tolerance, "{what}: {found:?} is not {expected:?}");
    }
}

/// Touches with these keys at these times (integers), then a conversion.
fn path(keys: &[&str], times: &[i64], conversion: i64, value: &str) -> String {
    let mut rows: Vec<String> =
        keys.iter().zip(times).map(|(key, time)| format!("('u', {time}, 'touch', '{key}', NULL)")).collect();
    rows.push(format!("('u', {conversion}, 'purchase', NULL, {value})"));
    format!("(SELECT * FROM (VALUES {}) AS t (user_id, ts, event, channel, amount))", rows.join(", "))
}

fn evenly(keys: &[&str]) -> String {
    let times: Vec<i64> = (0..).take(keys.len()).collect();
    path(keys, &times, 1_000, "NULL")
}

/// Credit of each touch, in order.
async fn credits(data: &str, model: &str, more: &str) -> Vec<f64> {
    let sql = format!(
        "SELECT credit FROM attribution({data}, models => ['{model}'], lookback => 'person'{more}) \
         WHERE position IS NOT NULL ORDER BY position"
    );
    texts(&context(), &sql).await.iter().map(|row| row[0].parse().unwrap()).collect()
}

/// Value of each touch, in order.
async fn values(data: &str, model: &str, more: &str) -> Vec<f64> {
    let sql = format!(
        "SELECT value FROM attribution({data}, models => ['{model}'], lookback => 'person', \
         value => amount::decimal(18, 6){more}) WHERE position IS NOT NULL ORDER BY position"
    );
    texts(&context(), &sql).await.iter().map(|row| row[0].parse().unwrap()).collect()
}

fn model_name(name: &str) -> &str {
    match name {
        "first" => "first_touch",
        "last" => "last_touch",
        "position" => "position_based",
        other => other,
    }
}

#[tokio::test]
async fn every_case_passes() {
    let mut passed = 0;
    for case in cases() {
        match case["id"].as_str().unwrap() {
            "cja" => adobe_example(&case).await,
            "cja-weights" => adobe_weights(&case).await,
            "half-life" => half_life(&case).await,
            "mixpanel-trap" => mixpanel(&case).await,
            "linear-dedup-trap" => distinct(&case).await,
            "snowplow" => snowplow(&case).await,
            "snowplow-overview" => snowplow_overview(&case).await,
            "byconity-decay-trap" => exact_decay(&case).await,
            "teradata" => segments_of_keys(&case).await,
            "teradata-rows" => segments_of_rows(&case).await,
            other => panic!("{other} was not run"),
        }
        passed += 1;
    }
    tell(format!("attribution_rules.json: {passed} of {} cases pass, none is left out", cases().len()));
}

/// By session and by person; in cents, without a rest. The dates are the times, so that gaps are whole days.
async fn adobe_example(case: &Value) {
    let touches = case["path"].as_array().unwrap();
    let mut rows: Vec<String> = (1..)
        .zip(touches)
        .map(|(number, touch)| {
            let (key, date, session) = (&touch[0], &touch[1], &touch[2]);
            format!(
                "('u', DATE '2024-{}', {number}, {session}, 'touch', '{}', NULL)",
                date.as_str().unwrap(),
                key.as_str().unwrap()
            )
        })
        .collect();
    rows.push("('u', DATE '2024-09-24', 9, 3, 'purchase', NULL, 50)".to_owned());
    let data = format!(
        "(SELECT * FROM (VALUES {}) AS t (user_id, ts, n, session, event, channel, amount))",
        rows.join(", ")
    );
    for result in case["results"].as_array().unwrap() {
        let lookback = match result["lookback"].as_str().unwrap() {
            "session" => "'session', session => session",
            other => {
                assert_eq!(other, "person");
                "'person'"
            }
        };
        let sql = format!(
            "SELECT touch_key, value FROM attribution_summary({data}, models => ['{}'], lookback => {lookback}, \
             value => amount::decimal(10, 2), sequence => n) WHERE value <> 0",
            model_name(result["model"].as_str().unwrap())
        );
        let found: BTreeMap<String, f64> = texts(&context(), &sql)
            .await
            .into_iter()
            .map(|row| (row[0].clone(), row[1].parse().unwrap()))
            .collect();
        let expected: BTreeMap<String, f64> = result["credit"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| (key.clone(), value.as_f64().unwrap()))
            .collect();
        assert_eq!(found, expected, "{sql}");
    }
}

async fn adobe_weights(case: &Value) {
    let keys = ["a", "b", "c", "d"];
    for (name, by_count) in case["weights"].as_object().unwrap() {
        let (model, more) = match name.strip_prefix("custom ") {
            None => (name.as_str(), String::new()),
            Some(custom) => {
                let weights = custom.split(" -> ").next().unwrap().replace('/', ", ");
                ("custom", format!(", weights => [{weights}]"))
            }
        };
        for (count, expected) in by_count.as_object().unwrap() {
            let data = evenly(&keys[..count.parse().unwrap()]);
            assert_close(&credits(&data, model, &more).await, &numbers(expected), 1e-15, name);
        }
    }
}

async fn half_life(case: &Value) {
    let expected = numbers(&case["weights"]);
    let data = path(&["a", "b", "c", "d"], &[0, 7, 14, 21], 28, "NULL");
    assert_close(&credits(&data, "time_decay", ", half_life => 7").await, &expected, 5e-5, "half-life");
}

/// Mixpanel's J is Adobe's inverse J; all else agrees.
async fn mixpanel(case: &Value) {
    let data = evenly(&strings(&case["path"]));
    for (model, claim) in case["claims"].as_object().unwrap() {
        let ours = if model == "j_shaped" { "inverse_j" } else { model_name(model) };
        assert_close(&credits(&data, ours, "").await, &numbers(claim), 1e-15, model);
    }
    assert_close(&credits(&data, "j_shaped", "").await, &[0.25, 0.75], 1e-15, "j_shaped");
}

async fn distinct(case: &Value) {
    let data = evenly(&strings(&case["path"]));
    for (key, count) in [("adobe_linear", "touch"), ("mixpanel_linear", "distinct")] {
        let sql = format!(
            "SELECT touch_key, conversions FROM attribution_summary({data}, models => ['linear'], \
             lookback => 'person', count => '{count}')"
        );
        let found = texts(&context(), &sql).await;
        let expected = case[key].as_object().unwrap();
        assert_eq!(found.len(), expected.len());
        for row in found {
            assert_close(&[row[1].parse().unwrap()], &[expected[&row[0]].as_f64().unwrap()], 1e-15, &sql);
        }
    }
}

async fn snowplow(case: &Value) {
    for one in case["cases"].as_array().unwrap() {
        let keys = strings(&one["path"]);
        let times: Vec<i64> = (0..).take(keys.len()).collect();
        let data = path(&keys, &times, 1_000, &one["revenue"].to_string());
        for model in ["first", "last", "linear", "position"] {
            let found = values(&data, model_name(model), "").await;
            assert_close(&found, &numbers(&one[model]), 1e-6, model);
            let cents: f64 = found.iter().map(|value| (value * 1e6).round()).sum();
            assert_eq!(cents, one["revenue"].as_f64().unwrap() * 1e6, "{model}: nothing is lost");
        }
    }
}

/// Four conversions of one person, each with the path before it; spend from a table of its own.
async fn snowplow_overview(case: &Value) {
    let conversions = [
        ("07-07", vec!["Video"], "200"),
        ("07-19", vec!["Display_Other", "Organic_Search"], "66.5"),
        ("07-25", vec!["Direct", "Organic_Search", "Direct"], "140"),
        ("07-30", vec!["Direct"], "24"),
    ];
    let mut rows = Vec::new();
    for (day, keys, value) in &conversions {
        for (hour, key) in (1..).zip(keys) {
            rows.push(format!("('u', TIMESTAMP '2023-{day}T0{hour}:00:00', 'touch', '{key}', NULL)"));
        }
        rows.push(format!("('u', TIMESTAMP '2023-{day}T09:00:00', 'purchase', NULL, {value})"));
    }
    let data =
        format!("(SELECT * FROM (VALUES {}) AS t (user_id, ts, event, channel, amount))", rows.join(", "));
    let spend: Vec<String> = ["Direct", "Video", "Display_Other", "Organic_Search"]
        .map(|key| format!("(DATE '2023-06-15', '{key}', 100000)"))
        .to_vec();
    let spend = format!("(SELECT * FROM (VALUES {}) AS s (day, channel, cost))", spend.join(", "));
    for (model, expected) in case["attributed_revenue"].as_object().unwrap() {
        let sql = format!(
            "SELECT touch_key, value, roas FROM attribution_summary({data}, models => ['{}'], \
             value => amount::decimal(18, 6), cut_at_conversion => true, spend => {spend})",
            model_name(model)
        );
        let found = texts(&context(), &sql).await;
        let expected = expected.as_object().unwrap();
        assert_eq!(found.len(), expected.len(), "{sql}");
        for row in found {
            let wanted = expected[&row[0]].as_f64().unwrap();
            assert_close(&[row[1].parse().unwrap()], &[wanted], 1e-6, &sql);
            if model == "linear" {
                let wanted = case["roas_linear"][&row[0]].as_f64().unwrap();
                assert_close(&[row[2].parse().unwrap()], &[wanted], 5e-9, &sql);
            }
        }
    }
}

/// Not in steps of half-lives.
async fn exact_decay(case: &Value) {
    let ages = numbers(&case["touches_age_half_lives"]);
    let times: Vec<i64> = ages.iter().rev().map(|age| 1_000 - (age * 10.0).round() as i64).collect();
    let data = path(&["d", "c", "b", "a"], &times, 1_000, "NULL");
    let mut found = credits(&data, "time_decay", ", half_life => 10").await;
    found.reverse();
    let relative: Vec<f64> = found.iter().map(|credit| credit / found[0]).collect();
    assert_close(&relative, &numbers(&case["exact_weights"]), 1e-6, "decay");
}

async fn segments_of_keys(case: &Value) {
    let segments: Vec<String> = strings(&case["spec"]).iter().map(|segment| format!("'{segment}'")).collect();
    let more = format!(", segments => [{}]", segments.join(", "));
    let data = evenly(&strings(&case["path"]));
    assert_close(&credits(&data, "event_regular", &more).await, &numbers(&case["credit"]), 1e-15, &more);
}

async fn segments_of_rows(case: &Value) {
    let spec = case["spec"].as_str().unwrap();
    let segments = spec.split("; ").nth(1).unwrap();
    let segments: Vec<String> = segments.split(", ").map(|segment| format!("'{segment}'")).collect();
    let more = format!(", segments => [{}]", segments.join(", "));
    let keys: Vec<String> = (1..=10).map(|row| row.to_string()).collect();
    let data = evenly(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let expected: Vec<f64> = keys.iter().map(|key| case["credit"][key].as_f64().unwrap_or(0.0)).collect();
    assert_close(&credits(&data, "segment_rows", &more).await, &expected, 1e-15, &more);
}
