//! Published chains, through SQL: transitions, effects, credit, and the heuristics beside them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::texts;
use crate::sql::{context, tell};

fn file() -> Value {
    serde_json::from_str(include_str!("../../vectors/attribution_markov.json")).unwrap()
}

/// The paths of a case with their counts, as lists of keys.
fn data(case: &Value) -> String {
    let rows = case["paths"].as_array().unwrap().iter().map(|path| {
        let keys: Vec<String> = path["path"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| format!("'{}'", key.as_str().unwrap()))
            .collect();
        format!(
            "SELECT [{}] AS path, {} AS n, {} AS lost",
            keys.join(", "),
            path["conversions"],
            path["null"]
        )
    });
    format!("({})", rows.collect::<Vec<_>>().join(" UNION ALL "))
}

/// The same journeys as rows of people: a touch each hour, then a purchase or nothing.
fn people(case: &Value) -> String {
    let mut rows = Vec::new();
    let mut person = 0;
    for path in case["paths"].as_array().unwrap() {
        for (kind, converts) in [("conversions", true), ("null", false)] {
            for _ in 0..path[kind].as_u64().unwrap() {
                person += 1;
                for (hour, key) in (1..).zip(path["path"].as_array().unwrap()) {
                    rows.push(format!("({person}, {hour}, 'touch', '{}')", key.as_str().unwrap()));
                }
                if converts {
                    rows.push(format!("({person}, 99, 'purchase', NULL)"));
                }
            }
        }
    }
    format!("(SELECT * FROM (VALUES {}) AS t (user_id, ts, event, channel))", rows.join(", "))
}

const GIVEN: &str = "path => path, conversions => n, nulls => lost";

fn close(found: &str, expected: &Value, tolerance: f64, what: &str) {
    let (found, expected): (f64, f64) = (found.parse().unwrap(), expected.as_f64().unwrap());
    assert!((found - expected).abs() <= tolerance, "{what}: {found} is not {expected}");
}

async fn check_transitions(case: &Value, from: &str) {
    let collapse = !case["self_loops"].as_bool().unwrap();
    let sql = format!(
        "SELECT source, target, probability FROM markov_transitions({from}, collapse_repeats => {collapse})"
    );
    let mut expected: BTreeMap<(String, String), Value> = BTreeMap::new();
    for (source, targets) in case["transition"].as_object().unwrap() {
        for (target, probability) in targets.as_object().unwrap() {
            expected.insert((source.clone(), target.clone()), probability.clone());
        }
    }
    let found = texts(&context(), &sql).await;
    assert_eq!(found.len(), expected.len(), "{sql}: {found:?}");
    for row in found {
        close(&row[2], &expected[&(row[0].clone(), row[1].clone())], 1e-9, &sql);
    }
}

async fn check_credit(case: &Value, from: &str) {
    for collapse in [false, true] {
        let sql = format!(
            "SELECT touch_key, removal_effect, conversions, warning FROM markov_attribution({from}, \
             collapse_repeats => {collapse})"
        );
        let found = texts(&context(), &sql).await;
        let credit: &Map<String, Value> = case["attributed"].as_object().unwrap();
        assert_eq!(found.len(), credit.len(), "{sql}");
        let has_lost = case["paths"].as_array().unwrap().iter().any(|path| path["null"] != 0);
        for row in found {
            close(&row[1], &case["removal_effect"][&row[0]], 1e-12, &sql);
            close(&row[2], &credit[&row[0]], 1e-9, &sql);
            assert_eq!(row[3] == "-", has_lost, "{row:?}");
        }
    }
}

#[tokio::test]
async fn published_chains() {
    let file = file();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        for from in [
            format!("{}, {GIVEN}", data(case)),
            format!("{}, lookback => 'person'", people(case)),
            people(case),
        ] {
            check_transitions(case, &from).await;
            check_credit(case, &from).await;
        }
    }
    tell(format!("attribution_markov.json: {} of {} chains pass", cases.len(), cases.len()));
}

#[tokio::test]
async fn published_heuristics() {
    let file = file();
    let [heuristics] = file["heuristics"].as_array().unwrap().as_slice() else {
        panic!("one case is expected");
    };
    let cases = file["cases"].as_array().unwrap();
    let paths = cases.iter().find(|case| case["id"] == heuristics["paths"]).unwrap();
    for (key, model) in [("first", "first_touch"), ("last", "last_touch"), ("linear", "linear")] {
        let sql = format!(
            "SELECT touch_key, conversions FROM attribution_summary({}, models => ['{model}'], lookback => 'person')",
            people(paths)
        );
        let found = texts(&context(), &sql).await;
        let expected = heuristics[key].as_object().unwrap();
        assert_eq!(found.len(), expected.len());
        for row in found {
            close(&row[1], &expected[&row[0]], 1e-12, &sql);
        }
    }
    tell(
        "attribution_markov.json: 1 of 1 heuristics passes; the figures of PathData are checked against its rows elsewhere",
    );
}
