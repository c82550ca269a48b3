//! Known answers of other engines for retention.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::sql::{context, numbers, tell};

/// Cases whose answer is not ours. A change here is a decision.
const DIFFERENT: [(&str, &str); 1] =
    [("duck-3", "an empty input gives no elements there, as many false as there are conditions here")];

fn cases() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../vectors/retention_aggregate.json")).unwrap();
    file["cases"].as_array().unwrap().clone()
}

/// 1 and 0, or true and false.
fn truth(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| i64::from(value.as_bool().unwrap()))
}

/// Rows of a case as VALUES of user and day, both text.
fn rows(case: &Value) -> Vec<(String, String)> {
    if let Some(rows) = case["rows"].as_array() {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return rows.iter().map(|row| (text(&row[0]), text(&row[1]))).collect();
    }
    // The case that is told in words: who came on which day.
    assert_eq!(case["data"], "uid 0..4 on d1; 0..9 on d2; 0..14 on d3");
    let days = [("d1", 5), ("d2", 10), ("d3", 15)];
    days.iter()
        .flat_map(|(day, users)| (0..*users).map(|user| (user.to_string(), (*day).to_owned())))
        .collect()
}

fn expected(case: &Value) -> BTreeMap<i64, Vec<i64>> {
    let mut expected = BTreeMap::new();
    for (users, answer) in case["expected"].as_object().unwrap() {
        let answer: Vec<i64> = answer.as_array().unwrap().iter().map(truth).collect();
        let (first, last) = users.split_once("..").unwrap_or((users, users));
        for user in first.parse().unwrap()..=last.parse::<i64>().unwrap() {
            expected.insert(user, answer.clone());
        }
    }
    expected
}

#[tokio::test]
async fn sql_agrees_with_the_vectors() {
    let mut passed = 0;
    let cases = cases();
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        if let Some((_, reason)) = DIFFERENT.iter().find(|(different, _)| *different == id) {
            tell(format!("retention {id}: {reason}"));
            continue;
        }
        // `date = d1` in one source, quoted text in the others.
        let conditions: Vec<String> = case["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|condition| {
                let (column, day) = condition.as_str().unwrap().split_once(" = ").unwrap();
                format!("\"{column}\" = '{}'", day.trim_matches('\''))
            })
            .collect();
        let rows: Vec<String> =
            rows(case).iter().map(|(user, day)| format!("({user}, '{day}', '{day}')")).collect();
        let data = format!("(VALUES {}) AS t (user_id, \"date\", day)", rows.join(", "));
        let context = context();
        let each: Vec<String> = (1..=conditions.len()).map(|index| format!("r[{index}]::int")).collect();
        for call in [conditions.join(", "), format!("[{}]", conditions.join(", "))] {
            let sql = format!(
                "SELECT user_id, {} FROM (SELECT user_id, retention({call}) AS r FROM {data} GROUP BY user_id) ORDER BY 1",
                each.join(", ")
            );
            let found: BTreeMap<i64, Vec<i64>> = numbers(&context, &sql)
                .await
                .into_iter()
                .map(|row| {
                    let row: Vec<i64> = row.into_iter().map(Option::unwrap).collect();
                    (row[0], row[1..].to_vec())
                })
                .collect();
            assert_eq!(found, expected(case), "{id}: {sql}");
            if let Some(totals) = case["totals"].as_array() {
                for (index, total) in totals.iter().enumerate() {
                    let sum: i64 = found.values().map(|answer| answer[index]).sum();
                    assert_eq!(sum, total.as_i64().unwrap(), "{id}");
                }
            }
        }
        passed += 1;
    }
    tell(format!(
        "retention_aggregate.json: {passed} of {} cases pass, {} differ by decision",
        cases.len(),
        DIFFERENT.len()
    ));
    assert_eq!(passed + DIFFERENT.len(), cases.len());
}

/// What we give for the case that differs.
#[tokio::test]
async fn nothing_seen_is_false_for_every_condition() {
    let sql = "SELECT r[1]::int, r[2]::int, array_length(r) FROM (SELECT retention(a, NOT a) AS r FROM (SELECT true AS a) WHERE NOT a)";
    assert_eq!(numbers(&context(), sql).await, vec![vec![Some(0), Some(0), Some(2)]]);
}
