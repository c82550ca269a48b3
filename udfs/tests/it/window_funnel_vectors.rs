//! Known answers of other engines for window_funnel, through SQL and through the plain algorithm.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray, TimestampSecondArray};
use serde_json::Value;
use wayfare_udfs::journey::event::{insert_step, sort_by_time, words_for};
use wayfare_udfs::journey::funnel::{FunnelModes, FunnelState, depth_of_sorted};
use wayfare_udfs::journey::time::FixedWindow;

use crate::funnel_reference::{Funnel, Reach};
use crate::sql::tell;
use crate::sql::{context, error, number, numbers, register, table};

/// Cases that cannot run, with the mode that they need. A change here is a decision.
const UNSUPPORTED: [(&str, &str); 4] = [
    ("ch-25", "strict_once"),
    ("ch-28", "strict_once"),
    ("ch-29", "strict_once"),
    ("doris-2", "doris:deduplication"),
];

/// Answers that the source has corrected since: (case, user, stored, corrected).
const CORRECTED: [(&str, i64, i64, i64); 1] = [("ch-34", 2, 1, 2)];

#[derive(Debug, Clone, PartialEq)]
enum Event {
    Number(i64),
    Text(String),
}

struct Case {
    id: String,
    window_s: i64,
    modes: Vec<String>,
    /// Conditions as SQL.
    steps: Vec<String>,
    /// User, second, event. A case without users has one: 0.
    rows: Vec<(i64, i64, Event)>,
    expected: BTreeMap<i64, i64>,
    by_user: bool,
}

fn cases() -> Vec<Case> {
    let file: Value = serde_json::from_str(include_str!("../vectors/window_funnel.json")).unwrap();
    let cases: Vec<Case> = file["cases"].as_array().unwrap().iter().map(read).collect();
    assert_eq!(cases.len(), 44);
    cases
}

fn read(case: &Value) -> Case {
    assert_eq!(case["unit"], "s");
    let texts = |value: &Value| -> Vec<String> {
        let texts = value.as_array().unwrap().iter();
        texts.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let id = case["id"].as_str().unwrap().to_owned();
    let by_user = case["expected"].is_object();
    let rows = case["rows"].as_array().unwrap().iter().map(|row| {
        let cells = row.as_array().unwrap();
        let event = match cells.last().unwrap() {
            Value::String(text) => Event::Text(text.clone()),
            number => Event::Number(number.as_i64().unwrap()),
        };
        let second = cells[cells.len() - 2].as_i64().unwrap();
        let user = if by_user { cells[0].as_i64().unwrap() } else { 0 };
        (user, second, event)
    });
    let mut expected: BTreeMap<i64, i64> = match &case["expected"] {
        Value::Object(users) => {
            users.iter().map(|(user, depth)| (user.parse().unwrap(), depth.as_i64().unwrap())).collect()
        }
        depth => BTreeMap::from([(0, depth.as_i64().unwrap())]),
    };
    for (_, user, stored, corrected) in CORRECTED.iter().filter(|entry| entry.0 == id) {
        tell(format!("window_funnel {id}: user {user} is {corrected}, not {stored} as stored"));
        assert_eq!(expected.insert(*user, *corrected), Some(*stored));
    }
    Case {
        id,
        window_s: case["window"].as_i64().unwrap(),
        modes: texts(&case["modes"]),
        steps: texts(&case["steps"]),
        rows: rows.collect(),
        expected,
        by_user,
    }
}

impl Case {
    fn mode_text(&self) -> String {
        if self.modes.is_empty() { "default".to_owned() } else { self.modes.join(", ") }
    }

    /// The mode that is missing, or None if the case can run.
    fn unsupported_mode(&self) -> Option<&str> {
        self.modes
            .iter()
            .find(|mode| {
                // allow_reentry is known, but not on its own.
                mode.as_str() != "allow_reentry" && FunnelModes::parse(mode).is_err()
            })
            .map(String::as_str)
    }

    fn call(&self, window: &str, ts: &str) -> String {
        format!("window_funnel({window}, '{}', {ts}, {})", self.mode_text(), self.steps.join(", "))
    }
}

/// Whether the event meets a condition of the vectors: `True` or `event OP literal`.
fn meets(condition: &str, event: &Event) -> bool {
    if condition == "True" {
        return true;
    }
    let mut words = condition.splitn(3, ' ');
    assert_eq!(words.next(), Some("event"));
    let operator = words.next().unwrap();
    let literal = words.next().unwrap();
    match (event, operator) {
        (Event::Text(text), "=") => *text == literal.trim_matches('\''),
        (Event::Number(number), "=") => *number == literal.parse::<i64>().unwrap(),
        (Event::Number(number), "<=") => *number <= literal.parse::<i64>().unwrap(),
        (Event::Number(number), ">=") => *number >= literal.parse::<i64>().unwrap(),
        other => panic!("unknown condition {condition} for {other:?}"),
    }
}

#[test]
fn unsupported_cases_are_exactly_the_known_ones() {
    let mut found = BTreeSet::new();
    for case in cases() {
        if let Some(mode) = case.unsupported_mode() {
            tell(format!("window_funnel {}: not run, needs mode '{mode}'", case.id));
            found.insert((case.id.clone(), mode.to_owned()));
        }
    }
    let known = UNSUPPORTED.map(|(id, mode)| (id.to_owned(), mode.to_owned()));
    assert_eq!(found, BTreeSet::from(known));
}

#[test]
fn plain_algorithm_and_reference_agree_with_the_vectors() {
    for case in cases() {
        if case.unsupported_mode().is_some() {
            continue;
        }
        let modes = FunnelModes::parse(&case.mode_text()).unwrap();
        let window = FixedWindow::new(case.window_s).unwrap();
        let words = words_for(case.steps.len());
        let mut state = FunnelState::new(case.steps.len());
        for (user, expected) in &case.expected {
            let mut times = Vec::new();
            let mut sets = Vec::new();
            let mut rows = Vec::new();
            for (_, second, event) in case.rows.iter().filter(|row| row.0 == *user) {
                let met: Vec<usize> =
                    (1..=case.steps.len()).filter(|step| meets(&case.steps[step - 1], event)).collect();
                let mut set = vec![0; words];
                for step in &met {
                    insert_step(&mut set, *step);
                }
                times.push(*second);
                sets.extend(set);
                rows.push((*second, met));
            }
            sort_by_time(&mut times, &mut sets);
            let depth = depth_of_sorted(&mut state, modes, &window, &times, &sets);
            let place = format!("{} user {user}", case.id);
            assert_eq!(i64::try_from(depth).unwrap(), *expected, "{place}");
            let reach = Reach::Ticks(case.window_s);
            let slow = Funnel { steps: case.steps.len(), modes, reach, rows: &rows };
            assert_eq!(depth, slow.depth(), "reference, {place}");
        }
    }
}

/// The same case with times as seconds, as microseconds in UTC and as integers.
#[tokio::test]
async fn sql_agrees_with_the_vectors() {
    for case in cases() {
        if case.unsupported_mode().is_some() {
            continue;
        }
        let context = context();
        register(&context, "t", &rows_of(&case), 2);
        let interval = format!("INTERVAL '{} seconds'", case.window_s);
        let mut calls = vec![case.call(&interval, "ts_s"), case.call(&case.window_s.to_string(), "ts_int")];
        if micros_of(&case).is_some() {
            calls.push(case.call(&interval, "ts_us"));
        }
        for call in calls {
            if case.by_user {
                let sql = format!("SELECT user_id, {call} FROM t GROUP BY user_id ORDER BY 1");
                let expected: Vec<Vec<Option<i64>>> =
                    case.expected.iter().map(|(user, depth)| vec![Some(*user), Some(*depth)]).collect();
                assert_eq!(numbers(&context, &sql).await, expected, "{}: {sql}", case.id);
            } else {
                let sql = format!("SELECT {call} FROM t");
                let expected = case.expected.get(&0).copied();
                assert_eq!(number(&context, &sql).await, expected, "{}: {sql}", case.id);
            }
        }
    }
}

#[tokio::test]
async fn unsupported_modes_are_refused_by_name() {
    for case in cases() {
        let Some(mode) = case.unsupported_mode() else {
            continue;
        };
        let context = context();
        register(&context, "t", &rows_of(&case), 1);
        let sql = format!("SELECT {} FROM t", case.call("INTERVAL '1 second'", "ts_s"));
        let text = error(&context, &sql).await;
        assert!(
            text.contains(&format!("mode '{mode}' is not supported; supported: default")),
            "{}: {text}",
            case.id
        );
    }
}

fn micros_of(case: &Case) -> Option<Vec<i64>> {
    let seconds = case.rows.iter().map(|(_, second, _)| *second);
    seconds.map(|second| second.checked_mul(1_000_000)).collect()
}

fn rows_of(case: &Case) -> arrow::array::RecordBatch {
    let users: Int64Array = case.rows.iter().map(|row| Some(row.0)).collect();
    let seconds: Vec<i64> = case.rows.iter().map(|row| row.1).collect();
    let event: ArrayRef = if case.rows.iter().any(|row| matches!(row.2, Event::Number(_))) {
        let numbers = case.rows.iter().map(|row| match &row.2 {
            Event::Number(number) => *number,
            Event::Text(text) => panic!("{}: text {text} among numbers", case.id),
        });
        Arc::new(Int64Array::from_iter_values(numbers))
    } else {
        let texts = case.rows.iter().map(|row| match &row.2 {
            Event::Text(text) => text.as_str(),
            Event::Number(number) => panic!("{}: number {number} among texts", case.id),
        });
        Arc::new(StringArray::from_iter_values(texts))
    };
    let micros = micros_of(case).unwrap_or_else(|| vec![0; case.rows.len()]);
    let utc = TimestampMicrosecondArray::from(micros).with_timezone("UTC");
    table(vec![
        ("user_id", Arc::new(users)),
        ("ts_s", Arc::new(TimestampSecondArray::from(seconds.clone()))),
        ("ts_us", Arc::new(utc)),
        ("ts_int", Arc::new(Int64Array::from(seconds))),
        ("event", event),
    ])
}
