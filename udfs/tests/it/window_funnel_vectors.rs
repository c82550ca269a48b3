//! Known answers of other engines for window_funnel, through SQL and through the plain algorithm.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray, TimestampSecondArray};
use serde_json::Value;
use wayfare_udfs::journey::event::{insert_step, sort_by_time, words_for};
use wayfare_udfs::journey::funnel::{FunnelModes, FunnelState, depth_of_sorted};
use wayfare_udfs::journey::time::FixedWindow;

use crate::funnel_reference::{Funnel, Reach};
use crate::sql::tell;
use crate::sql::{context, number, numbers, register, table};

/// Modes of other engines that have a name of their own here.
const RENAMED: [(&str, &str); 1] = [("doris:deduplication", "strict_no_repeat")];

/// Cases whose answer belongs to a dialect that is refused, with the reason. A change here is a decision.
const REFUSED: [(&str, &str); 0] = [];

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
        let own_name = |mode: &String| -> String {
            let renamed = RENAMED.iter().find(|(name, _)| name == mode);
            renamed.map_or(mode.as_str(), |(_, own)| own).to_owned()
        };
        let names: Vec<String> = self.modes.iter().map(own_name).collect();
        if names.is_empty() { "default".to_owned() } else { names.join(", ") }
    }

    fn is_refused(&self) -> bool {
        REFUSED.iter().any(|(id, _)| *id == self.id)
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
fn counts_per_file() {
    let cases = cases();
    let refused = cases.iter().filter(|case| case.is_refused()).count();
    let answers: usize = cases.iter().map(|case| case.expected.len()).sum();
    tell(format!(
        "window_funnel.json: {} cases with {answers} answers: {} run, {refused} refused, {} answer corrected",
        cases.len(),
        cases.len() - refused,
        CORRECTED.len()
    ));
    for (id, reason) in REFUSED {
        tell(format!("window_funnel {id}: refused, {reason}"));
    }
    assert_eq!((refused, REFUSED.len()), (0, 0));
    let renamed: Vec<&str> = cases
        .iter()
        .filter(|case| case.modes.iter().any(|mode| mode.contains(':')))
        .map(|case| case.id.as_str())
        .collect();
    assert_eq!(renamed, ["doris-2"]);
}

#[test]
fn plain_algorithm_and_reference_agree_with_the_vectors() {
    for case in cases() {
        if case.is_refused() {
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
        if case.is_refused() {
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
