//! Known answers of other engines for sessionize, through SQL and through the plain algorithm.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampSecondType};
use serde_json::Value;
use wayfare_udfs::journey::session::{Limit, SessionRow, SessionRules, Sessions};
use wayfare_udfs::journey::time::FixedWindow;

use crate::reference;
use crate::sql::tell;
use crate::sql::{context, numbers, register, table};

/// Cases that cannot run, with what they need. A change here is a decision.
const UNSUPPORTED: [(&str, &str); 4] = [
    ("adobe-2", "sess_start_if"),
    ("matomo-1", "sessions by campaign and midnight"),
    ("rete-2", "separator event"),
    ("rete-3", "separator event"),
];

struct Case {
    id: String,
    timeout_s: i64,
    /// User and second.
    rows: Vec<(i64, i64)>,
    expected: Vec<i64>,
}

fn cases() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../vectors/sessionize.json")).unwrap();
    let cases = file["cases"].as_array().unwrap().clone();
    assert_eq!(cases.len(), 9);
    cases
}

/// The case, or its name and what is missing to run it.
fn read(case: &Value) -> Result<Case, (String, &'static str)> {
    let id = case["id"].as_str().unwrap().to_owned();
    if case.get("mode").is_some() {
        return Err((id, "separator event"));
    }
    if case.get("rule").is_some() {
        return Err((id, "sessions by campaign and midnight"));
    }
    if case["function"] == "sess_start_if" {
        return Err((id, "sess_start_if"));
    }
    let timeout_s = case["timeout_s"].as_i64().unwrap();
    if case["function"] == "sess_timeout" {
        // The second part of its result is the session number; the others are not ours.
        let times = case["timestamps"].as_array().unwrap();
        let expected = case["expected"].as_array().unwrap();
        return Ok(Case {
            id,
            timeout_s,
            rows: times.iter().map(|time| (1, second(time))).collect(),
            expected: expected.iter().map(|part| part[1].as_i64().unwrap()).collect(),
        });
    }
    let rows = case["rows"].as_array().unwrap();
    let expected = case["expected_session_number"].as_array().unwrap();
    Ok(Case {
        id,
        timeout_s,
        rows: rows.iter().map(|row| (row[0].as_i64().unwrap(), second(&row[1]))).collect(),
        expected: expected.iter().map(|number| number.as_i64().unwrap()).collect(),
    })
}

fn second(text: &Value) -> i64 {
    let text = StringArray::from(vec![text.as_str().unwrap()]);
    let time = cast(&text, &DataType::Timestamp(TimeUnit::Second, None)).unwrap();
    time.as_primitive::<TimestampSecondType>().value(0)
}

#[test]
fn unsupported_cases_are_exactly_the_known_ones() {
    let mut found = BTreeSet::new();
    for case in cases() {
        if let Err((id, missing)) = read(&case) {
            tell(format!("sessionize {id}: not run, needs {missing}"));
            found.insert((id, missing));
        }
    }
    assert_eq!(found, BTreeSet::from(UNSUPPORTED.map(|(id, what)| (id.to_owned(), what))));
}

#[test]
fn plain_algorithm_and_reference_agree_with_the_vectors() {
    for case in cases().iter().filter_map(|case| read(case).ok()) {
        assert_eq!(case.rows.len(), case.expected.len(), "{}", case.id);
        let gap = FixedWindow::new(case.timeout_s).unwrap();
        let mut by_user: BTreeMap<i64, (Vec<i64>, Vec<i64>)> = BTreeMap::new();
        for ((user, time), expected) in case.rows.iter().zip(&case.expected) {
            let (times, numbers) = by_user.entry(*user).or_default();
            times.push(*time);
            numbers.push(*expected);
        }
        for (user, (times, expected)) in by_user {
            let numbers: Vec<i64> = vec![];
            assert_eq!(numbers, expected, "{} user {user}", case.id);
            let slow = reference::session_numbers(case.timeout_s, &times);
            assert_eq!(numbers, slow, "reference, {} user {user}", case.id);
        }
    }
}

/// The same case with every unit of timestamps and with integers.
#[tokio::test]
async fn sql_agrees_with_the_vectors() {
    for case in cases().iter().filter_map(|case| read(case).ok()) {
        let context = context();
        let users = Int64Array::from_iter_values(case.rows.iter().map(|row| row.0));
        let seconds: ArrayRef = Arc::new(Int64Array::from_iter_values(case.rows.iter().map(|row| row.1)));
        let in_seconds = cast(&seconds, &DataType::Timestamp(TimeUnit::Second, None)).unwrap();
        let in_unit = |unit, zone: Option<&str>| -> ArrayRef {
            let target = DataType::Timestamp(unit, zone.map(Into::into));
            cast(&in_seconds, &target).unwrap()
        };
        let positions = Int64Array::from_iter_values((0..).take(users.len()));
        let batch = table(vec![
            ("user_id", Arc::new(users)),
            ("position", Arc::new(positions)),
            ("s", Arc::clone(&in_seconds)),
            ("ms", in_unit(TimeUnit::Millisecond, None)),
            ("us", in_unit(TimeUnit::Microsecond, Some("UTC"))),
            ("ns", in_unit(TimeUnit::Nanosecond, Some("Europe/Berlin"))),
            ("number", seconds),
        ]);
        register(&context, "t", &batch, 3);
        for column in ["s", "ms", "us", "ns", "number"] {
            let gap = match column {
                "number" => case.timeout_s.to_string(),
                _ => format!("INTERVAL '{} seconds'", case.timeout_s),
            };
            let sql = format!(
                "SELECT sessionize({column}, {gap}) OVER (PARTITION BY user_id ORDER BY {column}) \
                 FROM t ORDER BY position"
            );
            let expected: Vec<Vec<Option<i64>>> =
                case.expected.iter().map(|number| vec![Some(*number)]).collect();
            assert_eq!(numbers(&context, &sql).await, expected, "{}: {sql}", case.id);
        }
    }
}
