//! Known answers of other engines for sequence_match, sequence_count and sequence_match_events.

use serde_json::Value;

use crate::sql::{context, error, lists, numbers, tell};

/// Events that ClickHouse lists although the pattern does not match. A change here is a decision.
const BEGINNINGS: [&str; 4] = ["ch-11", "ch-14", "ch-20", "ch-22"];

/// Cases with an empty pattern, which counts rows in ClickHouse and is refused here: it is a variable that nobody filled
/// rather than a question, and `.` asks the same.
const EMPTY: [&str; 1] = ["ch-1"];

fn cases() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../vectors/sequence_match.json")).unwrap();
    file["cases"].as_array().unwrap().clone()
}

/// A condition of a case as SQL: `e == 'A'` there.
fn condition(condition: &Value) -> String {
    condition.as_str().unwrap().replace("==", "=").replace("data", "e").replace("number", "e")
}

fn arguments(case: &Value, ts: &str) -> String {
    let conditions: Vec<String> = case["conditions"].as_array().unwrap().iter().map(condition).collect();
    format!("'{}', {ts}, {}", case["pattern"].as_str().unwrap(), conditions.join(", "))
}

fn values(case: &Value) -> String {
    let cell = |value: &Value| match value {
        Value::String(text) => format!("'{text}'"),
        number => number.to_string(),
    };
    let rows = case["rows"].as_array().unwrap().iter();
    let rows: Vec<String> = rows.map(|row| format!("({}, {})", cell(&row[0]), cell(&row[1]))).collect();
    format!("(VALUES {}) AS t (ts, e)", rows.join(", "))
}

#[tokio::test]
async fn sql_agrees_with_the_vectors() {
    let (mut passed, mut beginnings) = (0, 0);
    let cases = cases();
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        if EMPTY.contains(&id) {
            assert_eq!(case["pattern"], "");
            let sql = format!("SELECT sequence_match({}) FROM {}", arguments(case, "ts"), values(case));
            let message = error(&context(), &sql).await;
            assert!(message.contains("pattern '', at character 1: the pattern is empty"), "{id}: {message}");
            continue;
        }
        if case["error"].is_string() {
            let pattern = case["pattern"].as_str().unwrap();
            let sql =
                format!("SELECT sequence_match('{pattern}', ts, ts = 1, ts = 2) FROM (VALUES (1)) AS t (ts)");
            let message = error(&context(), &sql).await;
            assert!(message.contains("at character"), "{id}: {message}");
            passed += 1;
            continue;
        }
        // Integers, and seconds as timestamps.
        for ts in ["ts", "to_timestamp_seconds(ts)"] {
            let of =
                |function: &str| format!("SELECT {function}({}) FROM {}", arguments(case, ts), values(case));
            let found = numbers(&context(), &of("sequence_match")).await;
            assert_eq!(found, [[case["match"].as_i64()]], "{id}");
            if let Some(count) = case["count"].as_i64() {
                assert_eq!(numbers(&context(), &of("sequence_count")).await, [[Some(count)]], "{id}");
            }
            if let Some(events) = case["match_events"].as_array() {
                let mut expected: Vec<i64> = events.iter().map(|event| event.as_i64().unwrap()).collect();
                if BEGINNINGS.contains(&id) {
                    assert_eq!((case["match"].as_i64(), expected.is_empty()), (Some(0), false));
                    expected.clear();
                    beginnings += 1;
                }
                let found = lists(&context(), &of("sequence_match_events")).await;
                assert_eq!(found, [expected], "{id}");
            }
        }
        passed += 1;
    }
    tell(format!(
        "sequence_match vectors: {passed} of {} cases, {} with an empty pattern refused, {} with the events of a beginning that are not events of a match",
        cases.len(),
        EMPTY.len(),
        beginnings / 2
    ));
    assert_eq!((passed, cases.len(), beginnings / 2), (31, 32, BEGINNINGS.len()));
}
