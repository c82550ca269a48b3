//! Known answers of other engines for sequence_next_node.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::sql::{context, tell, texts};

type Answers = BTreeMap<String, Option<String>>;

/// Rows of users: user, time, value.
type Rows = Vec<(String, usize, Option<String>)>;

fn file() -> Value {
    serde_json::from_str(include_str!("../../vectors/sequence_next_node.json")).unwrap()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn rows(users: &Value) -> Rows {
    let users = users.as_object().unwrap().iter();
    users
        .flat_map(|(user, path)| {
            let path = path.as_array().unwrap().iter().enumerate();
            path.map(|(time, value)| (user.clone(), time, text(value)))
        })
        .collect()
}

fn answers(expected: &Value) -> Answers {
    expected.as_object().unwrap().iter().map(|(user, answer)| (user.clone(), text(answer))).collect()
}

async fn found(rows: &Rows, case: &Value, base_condition: &str) -> Answers {
    let values: Vec<String> = rows
        .iter()
        .map(|(user, time, value)| {
            let value = value.as_ref().map_or("NULL".to_owned(), |value| format!("'{value}'"));
            format!("('{user}', {time}, {value})")
        })
        .collect();
    let events = case["events"].as_array().into_iter().flatten();
    let events: String = events.map(|event| format!(", v = '{}'", event.as_str().unwrap())).collect();
    let sql = format!(
        "SELECT u, sequence_next_node('{}', '{}', ts, v, {base_condition}{events}) FROM (VALUES {}) AS t (u, ts, v) \
         GROUP BY u",
        case["direction"].as_str().unwrap(),
        case["base"].as_str().unwrap(),
        values.join(", ")
    );
    let rows = texts(&context(), &sql).await;
    rows.into_iter().map(|mut row| (row[0].take().unwrap(), row[1].take())).collect()
}

#[tokio::test]
async fn sql_agrees_with_the_vectors() {
    let file = file();
    let mut passed = 0;
    let users = rows(&file["users"]);
    for key in ["tests", "no_events"] {
        for case in file[key].as_array().unwrap() {
            assert_eq!(found(&users, case, "true").await, answers(&case["expected"]), "{case}");
            passed += 1;
        }
    }
    // Told in words: A at 1, B at 2, NULL at 2, C at 3, D at 4.
    let null_rows: Rows = [("A", 1), ("B", 2), ("", 2), ("C", 3), ("D", 4)]
        .map(|(value, time)| ("1".to_owned(), time, Some(value.to_owned()).filter(|value| !value.is_empty())))
        .to_vec();
    let cases = file["null_rows"].as_array().unwrap();
    assert!(cases[0]["note"].as_str().unwrap().ends_with("rows A@1 B@2 NULL@2 C@3 D@4"));
    for case in cases {
        let expected = Answers::from([("1".to_owned(), text(&case["expected"]))]);
        assert_eq!(found(&null_rows, case, "true").await, expected, "{case}");
        passed += 1;
    }
    let cases = file["duckdb"]["tests"].as_array().unwrap();
    let users = rows(&cases[0]["rows"]);
    let mut different = 0;
    for case in cases {
        let mut case = case.clone();
        let base_condition = format!("v = '{}'", case["base_condition"].as_str().unwrap());
        if case["base"] == "tail" {
            // There the last row that meets the base condition; here, as in ClickHouse, the last row of all.
            let ours = Answers::from([("1".to_owned(), None), ("2".to_owned(), Some("search".to_owned()))]);
            assert_eq!(found(&users, &case, &base_condition).await, ours);
            case["base"] = "last_match".into();
            different += 1;
        }
        assert_eq!(found(&users, &case, &base_condition).await, answers(&case["expected"]), "{case}");
        passed += 1;
    }
    tell(format!(
        "sequence_next_node vectors: {passed} cases, {different} of them under another name: 'tail' is 'last_match'"
    ));
    assert_eq!((passed, different), (32, 1));
}
