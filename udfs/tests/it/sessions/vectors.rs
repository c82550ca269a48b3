//! Known answers of other engines for sessions, through SQL and through the slow reference.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampSecondType};
use serde_json::Value;

use super::reference::{Row, Rules, places};
use crate::sql::{context, numbers, register, table, tell};

fn cases() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../vectors/sessionize.json")).unwrap();
    let cases = file["cases"].as_array().unwrap().clone();
    assert_eq!(cases.len(), 9);
    cases
}

fn list<'a>(case: &'a Value, key: &str) -> &'a [Value] {
    case[key].as_array().unwrap()
}

fn second(text: &Value) -> i64 {
    let text = StringArray::from(vec![text.as_str().unwrap()]);
    let time = cast(&text, &DataType::Timestamp(TimeUnit::Second, None)).unwrap();
    time.as_primitive::<TimestampSecondType>().value(0)
}

pub(super) fn seconds(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    cast(&values, &DataType::Timestamp(TimeUnit::Second, None)).unwrap()
}

fn integers(values: &[Value]) -> Vec<Vec<Option<i64>>> {
    values.iter().map(|value| vec![value.as_i64()]).collect()
}

/// A case runs by the first of these that knows it; there is no case that none knows.
#[tokio::test]
async fn every_case_passes() {
    let mut passed = 0;
    for case in cases() {
        let id = case["id"].as_str().unwrap();
        if case.get("function").is_some() {
            adobe(&case).await;
        } else if case.get("mode").is_some() {
            separator(&case).await;
        } else if case.get("rule").is_some() {
            campaigns_and_midnight(&case).await;
        } else if case.get("timeout_s").is_some() {
            timeout(&case).await;
        } else {
            panic!("{id} was not run");
        }
        passed += 1;
    }
    tell(format!("sessionize.json: {passed} of {} cases pass, none is left out", cases().len()));
}

/// The struct, its fields, and the flat twins.
async fn adobe(case: &Value) {
    let context = context();
    let times: Vec<i64> = list(case, "timestamps").iter().map(second).collect();
    let count = times.len();
    let flags = match case.get("flag") {
        Some(flags) => flags.as_array().unwrap().iter().map(|flag| flag.as_i64() == Some(1)).collect(),
        None => vec![false; count],
    };
    let batch = table(vec![("ts", seconds(times)), ("flag", Arc::new(BooleanArray::from(flags)))]);
    register(&context, "t", &batch, 3);
    let function = case["function"].as_str().unwrap();
    let argument = match case.get("timeout_s") {
        Some(timeout) => timeout.to_string(),
        None => "flag".to_owned(),
    };
    let expected: Vec<Vec<Option<i64>>> = list(case, "expected")
        .iter()
        .map(|row| {
            let row = row.as_array().unwrap();
            row.iter().map(|part| part.as_i64().or(part.as_bool().map(i64::from))).collect()
        })
        .collect();
    let of_struct = format!(
        "SELECT s['timestamp_diff'], s['num'], s['is_new'], s['depth'] FROM ( \
         SELECT ts, {function}(ts, {argument}) OVER (ORDER BY ts) AS s FROM t) ORDER BY ts"
    );
    assert_eq!(numbers(&context, &of_struct).await, expected, "{of_struct}");
    for diff in ["timestamp_diff", "diff"] {
        let twins =
            [diff, "num", "is_new", "depth"].map(|part| format!("{function}_{part}(ts, {argument}) OVER w"));
        let flat = format!("SELECT {} FROM t WINDOW w AS (ORDER BY ts) ORDER BY ts", twins.join(", "));
        assert_eq!(numbers(&context, &flat).await, expected, "{flat}");
    }
}

/// Events without times: their position is the time.
async fn separator(case: &Value) {
    let context = context();
    let events: Vec<&str> = list(case, "events").iter().map(|event| event.as_str().unwrap()).collect();
    let positions = Int64Array::from_iter_values((0..).take(events.len()));
    let batch =
        table(vec![("ts", Arc::new(positions) as ArrayRef), ("event", Arc::new(StringArray::from(events)))]);
    register(&context, "t", &batch, 1);
    let sql = "SELECT session FROM (SELECT ts, event, session_number(ts, separator => event = 'sep') OVER (ORDER BY ts) AS session FROM t) WHERE event <> 'sep' ORDER BY ts";
    let expected: Vec<Vec<Option<i64>>> =
        list(case, "expected").iter().map(|row| vec![row[1].as_i64()]).collect();
    assert_eq!(numbers(&context, sql).await, expected, "{}", case["id"]);
}

async fn campaigns_and_midnight(case: &Value) {
    let context = context();
    let example = list(case, "example");
    let campaigns: Vec<&str> = example.iter().map(|row| row[1].as_str().unwrap()).collect();
    let batch = table(vec![
        ("ts", seconds(example.iter().map(|row| second(&row[0])))),
        ("campaign", Arc::new(StringArray::from(campaigns))),
    ]);
    register(&context, "t", &batch, 1);
    let sql = "SELECT session_number(ts, gap => INTERVAL '30 minutes', split_on => campaign, midnight => 'UTC') \
               OVER (ORDER BY ts) FROM t ORDER BY ts";
    let expected = integers(list(case, "expected_session_number"));
    assert_eq!(numbers(&context, sql).await, expected, "{}", case["id"]);
}

/// The same case with every unit of timestamps and with integers; and the reference of the property tests.
async fn timeout(case: &Value) {
    let timeout_s = case["timeout_s"].as_i64().unwrap();
    let rows: Vec<(i64, i64)> =
        list(case, "rows").iter().map(|row| (row[0].as_i64().unwrap(), second(&row[1]))).collect();
    let expected = integers(list(case, "expected_session_number"));
    assert_eq!(reference_numbers(timeout_s, &rows), expected, "{}", case["id"]);

    let context = context();
    let in_seconds = seconds(rows.iter().map(|row| row.1));
    let in_unit = |unit, zone: Option<&str>| -> ArrayRef {
        let target = DataType::Timestamp(unit, zone.map(Into::into));
        cast(&in_seconds, &target).unwrap()
    };
    let batch = table(vec![
        ("user_id", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0))) as ArrayRef),
        ("position", Arc::new(Int64Array::from_iter_values((0..).take(rows.len())))),
        ("s", Arc::clone(&in_seconds)),
        ("ms", in_unit(TimeUnit::Millisecond, None)),
        ("us", in_unit(TimeUnit::Microsecond, Some("UTC"))),
        ("ns", in_unit(TimeUnit::Nanosecond, Some("Europe/Berlin"))),
        ("number", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)))),
    ]);
    register(&context, "t", &batch, 3);
    for column in ["s", "ms", "us", "ns", "number"] {
        let gap = match column {
            "number" => timeout_s.to_string(),
            _ => format!("INTERVAL '{timeout_s} seconds'"),
        };
        for function in ["sessionize", "session_number"] {
            let sql = format!(
                "SELECT {function}({column}, {gap}) OVER (PARTITION BY user_id ORDER BY {column}) \
                 FROM t ORDER BY position"
            );
            assert_eq!(numbers(&context, &sql).await, expected, "{}: {sql}", case["id"]);
        }
    }
}

fn reference_numbers(timeout_s: i64, rows: &[(i64, i64)]) -> Vec<Vec<Option<i64>>> {
    let mut people: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for (user, time) in rows {
        people.entry(*user).or_default().push(Row { hour: Some(*time), ..Row::default() });
    }
    let rules = Rules { gap: Some(timeout_s), ..Rules::default() };
    let places = people.values().flat_map(|rows| places(&rules, rows));
    places.map(|place| vec![place.map(|place| place.number)]).collect()
}
