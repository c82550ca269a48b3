//! Published Shapley values, and the leave-one-out figures that are published under that name.

use serde_json::Value;

use super::texts;
use crate::sql::{context, tell};

const GIVEN: &str = "path => path, conversions => n, nulls => lost";

fn close(found: &str, expected: f64, what: &str) {
    let found: f64 = found.parse().unwrap();
    assert!((found - expected).abs() <= 1e-9, "{what}: {found} is not {expected}");
}

fn paths(rows: impl Iterator<Item = (String, i64, i64)>) -> String {
    let rows: Vec<String> = rows.map(|(path, n, lost)| format!("('{path}', {n}, {lost})")).collect();
    format!("(SELECT * FROM (VALUES {}) AS t (path, n, lost))", rows.join(", "))
}

#[tokio::test]
async fn every_case_passes() {
    let file: Value = serde_json::from_str(include_str!("../../vectors/attribution_shapley.json")).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        match case["id"].as_str().unwrap() {
            "tds-3ch" => volume(case).await,
            "fractribution" => leave_one_out(case).await,
            "three-players" => in_order(case).await,
            "rate-worth" => rates(case).await,
            // Properties of every game: checked for thousands of random ones beside the algorithm.
            "axioms" => assert_eq!(case["properties"].as_array().unwrap().len(), 4),
            other => panic!("{other} was not run"),
        }
    }
    tell(
        "attribution_shapley.json: 4 of 4 cases with figures pass; the axioms are properties of the algorithm",
    );
}

/// Worth by volume: shares in per cent of the conversions, equal for the keys of each path.
async fn volume(case: &Value) {
    let shares = case["coalition_conversion_share"].as_object().unwrap();
    let rows = shares.iter().map(|(keys, share)| {
        let keys: Vec<String> = keys.chars().map(String::from).collect();
        (keys.join(" > "), (share.as_f64().unwrap() * 100.0).round() as i64, 7)
    });
    let data = paths(rows);
    let sql = format!(
        "SELECT touch_key, shapley_value / 100, share, method FROM shapley_attribution({data}, {GIVEN}, worth => 'volume')"
    );
    let found = texts(&context(), &sql).await;
    let expected = case["shapley"].as_object().unwrap();
    assert_eq!(found.len(), expected.len());
    for row in found {
        let expected = expected[&row[0]].as_f64().unwrap();
        close(&row[1], expected, &sql);
        close(&row[2], expected, &sql);
        assert!(row[3].contains("linear attribution over distinct keys"), "{row:?}");
    }
}

async fn rates(case: &Value) {
    let rows = case["paths"].as_array().unwrap().iter().map(|path| {
        let keys: Vec<&str> =
            path["set"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
        (keys.join(" > "), path["conversions"].as_i64().unwrap(), path["null"].as_i64().unwrap())
    });
    let sql = format!(
        "SELECT touch_key, shapley_value, method FROM shapley_attribution({}, {GIVEN}, worth => 'rate_exact')",
        paths(rows)
    );
    let found = texts(&context(), &sql).await;
    let expected = case["shapley"].as_object().unwrap();
    assert_eq!(found.len(), expected.len());
    for row in found {
        close(&row[1], expected[&row[0]].as_f64().unwrap(), &sql);
        assert_eq!(row[2], "exact");
    }
}

/// Payoffs 5, 9 and 11 of the first, the first two and all three players, who always come in this order.
async fn in_order(case: &Value) {
    let data = paths(
        [("1", 5, 95), ("1 > 2", 9, 91), ("1 > 2 > 3", 11, 89)]
            .into_iter()
            .map(|(p, n, l)| (p.to_owned(), n, l)),
    );
    let sql = format!(
        "SELECT touch_key, shapley_value * 100 FROM shapley_attribution({data}, {GIVEN}, worth => 'rate_exact', \
         ordered => true) ORDER BY touch_key"
    );
    let found = texts(&context(), &sql).await;
    let expected = case["marginal_in_order"].as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    for (row, expected) in found.iter().zip(expected) {
        close(&row[1], expected.as_f64().unwrap(), &sql);
    }
}

async fn leave_one_out(case: &Value) {
    let rows: Vec<String> = case["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| {
            let keys: Vec<&str> =
                path["path"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
            let revenue = path["revenue"].as_f64().map_or("NULL".to_owned(), |revenue| revenue.to_string());
            format!(
                "('{}', {}, {}, {revenue})",
                keys.join(" > "),
                path["conversions"],
                path["non_conversions"]
            )
        })
        .collect();
    let sql = format!(
        "SELECT touch_key, conversions, value FROM counterfactual_attribution( \
         (SELECT * FROM (VALUES {}) AS t (path, n, lost, revenue)), {GIVEN}, value => revenue::decimal(18, 10))",
        rows.join(", ")
    );
    let found = texts(&context(), &sql).await;
    let conversions = case["expected_conversions"].as_object().unwrap();
    assert_eq!(found.len(), conversions.len());
    for row in found {
        close(&row[1], conversions[&row[0]].as_f64().unwrap(), &sql);
        let revenue = case["expected_revenue"].get(&row[0]).map_or(0.0, |revenue| revenue.as_f64().unwrap());
        close(&row[2], revenue, &sql);
    }
}
