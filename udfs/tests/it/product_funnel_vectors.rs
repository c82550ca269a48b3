//! Known answers of product analytics for funnels, through SQL and through the plain algorithm.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::prelude::SessionContext;
use serde_json::Value;
use wayfare_udfs::journey::event::insert_step;
use wayfare_udfs::journey::product_funnel::report::{Reached, StepFigures, step_times, steps};
use wayfare_udfs::journey::product_funnel::{
    ByValue, Count, Entry, Evaluator, Order, Outcome, PersonRows, Rules,
};
use wayfare_udfs::journey::ties::Ties;
use wayfare_udfs::journey::time::FixedWindow;

use crate::sql::{context, register, table, tell};

/// Longer than any case without a window.
const NO_WINDOW: i64 = 1_000_000;

/// User, second, event.
type Row = (String, i64, String);

fn case(id: &str) -> Value {
    let file: Value = serde_json::from_str(include_str!("../vectors/product_funnels.json")).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    cases.iter().find(|case| case["id"] == id).unwrap().clone()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Rows of `journeys`: events with seconds, or without, then they follow one another.
fn journeys(case: &Value) -> Vec<Row> {
    let mut rows = Vec::new();
    for (user, events) in case["journeys"].as_object().unwrap() {
        for (index, event) in (0_i64..).zip(events.as_array().unwrap()) {
            match event {
                Value::String(event) => rows.push((user.clone(), index, event.clone())),
                event => {
                    rows.push((user.clone(), event[1].as_i64().unwrap(), event[0].as_str().unwrap().into()))
                }
            }
        }
    }
    rows
}

fn window(case: &Value) -> i64 {
    case["window_s"].as_i64().unwrap_or(NO_WINDOW)
}

fn with(rows: &[Row]) -> SessionContext {
    let context = context();
    let users = rows.iter().map(|row| row.0.as_str());
    let events = rows.iter().map(|row| row.2.as_str());
    let batch = table(vec![
        ("user_id", Arc::new(StringArray::from_iter_values(users)) as ArrayRef),
        ("ts", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)))),
        ("event", Arc::new(StringArray::from_iter_values(events))),
    ]);
    register(&context, "t", &batch, 2);
    context
}

async fn reals(context: &SessionContext, sql: &str) -> Vec<Vec<Option<f64>>> {
    let mut rows = Vec::new();
    for batch in context.sql(sql).await.unwrap().collect().await.unwrap() {
        let columns: Vec<ArrayRef> =
            batch.columns().iter().map(|column| cast(column, &DataType::Float64).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let value = |column: &ArrayRef| {
                let column = column.as_primitive::<Float64Type>();
                column.is_valid(row).then(|| column.value(row))
            };
            rows.push(columns.iter().map(value).collect());
        }
    }
    rows
}

fn call(function: &str, steps: &[String], arguments: &str) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("'{step}'")).collect();
    format!("{function}((SELECT * FROM t), steps => [{}], {arguments})", steps.join(", "))
}

fn rules(steps: usize, window: i64) -> Rules<FixedWindow> {
    Rules {
        optional: vec![false; steps],
        exclusions: vec![],
        order: Order::Ordered,
        ties: Ties::SameInstant,
        entry: Entry::Latest,
        count: Count::Persons,
        by_value: ByValue::First,
        window: FixedWindow::new(window),
        step_within: None,
        entered_from: None,
        entered_to: None,
        session_gap: None,
    }
}

/// Outcomes of the plain algorithm by user, with the times of their steps.
fn plain(
    rules: &Rules<FixedWindow>,
    steps: &[String],
    rows: &[Row],
) -> BTreeMap<String, (Outcome, Vec<Option<i64>>)> {
    let mut found = BTreeMap::new();
    let mut users: Vec<&String> = rows.iter().map(|row| &row.0).collect();
    users.dedup();
    for user in users {
        let mut of_user: Vec<&Row> = rows.iter().filter(|row| row.0 == *user).collect();
        of_user.sort_by_key(|row| row.1);
        let times: Vec<i64> = of_user.iter().map(|row| row.1).collect();
        let mut sets = Vec::new();
        for (_, _, event) in of_user {
            let mut set = vec![0; rules.words()];
            for (step, _) in (1..).zip(steps).filter(|(_, step)| *step == event) {
                insert_step(&mut set, step);
            }
            sets.extend(set);
        }
        let data =
            PersonRows { times: &times, sets: &sets, hold: None, session: None, by: None, period: None };
        if let Some(outcome) = Evaluator::default().outcomes(rules, &data).pop() {
            let times = step_times(&outcome, &times).collect();
            found.insert(user.clone(), (outcome, times));
        }
    }
    found
}

fn figures(rules: &Rules<FixedWindow>, names: &[String], rows: &[Row]) -> Vec<StepFigures> {
    let found = plain(rules, names, rows);
    let reached: Vec<Reached<'_>> = found.values().map(|(_, times)| Reached { times, open: false }).collect();
    steps(&rules.optional, &reached)
}

#[tokio::test]
async fn counts_and_times_of_steps() {
    for id in ["ph-conv-times", "ph-first-complete-wins"] {
        let case = case(id);
        let rows = journeys(&case);
        let names = texts(&case["steps"]);
        let list = |key: &str| -> Vec<Option<f64>> {
            case[key].as_array().unwrap().iter().map(Value::as_f64).collect()
        };
        let (counts, means) = (list("counts"), list("avg_s"));
        // One person: the median is the mean.
        let medians = if case["median_s"].is_null() { means.clone() } else { list("median_s") };
        let expected: Vec<Vec<Option<f64>>> =
            (0..names.len()).map(|step| vec![counts[step], means[step], medians[step]]).collect();
        let sql = call("funnel", &names, &format!("within => {}", window(&case)));
        let sql = format!("SELECT persons, mean_seconds, median_seconds FROM {sql} ORDER BY step");
        assert_eq!(reals(&with(&rows), &sql).await, expected, "{id}");
        let found: Vec<Vec<Option<f64>>> = figures(&rules(names.len(), window(&case)), &names, &rows)
            .iter()
            .map(|step| vec![Some(step.persons as f64), step.since_previous.mean, step.since_previous.median])
            .collect();
        assert_eq!(found, expected, "{id}");
    }
}

#[tokio::test]
async fn strict_order() {
    let case = case("ph-strict");
    let rows = journeys(&case);
    let names = texts(&case["steps"]);
    let counts: Vec<Vec<Option<f64>>> =
        case["counts"].as_array().unwrap().iter().map(|count| vec![count.as_f64()]).collect();
    let context = with(&rows);
    let arguments = format!("order => 'strict', within => {NO_WINDOW}");
    let sql = format!("SELECT persons FROM {} ORDER BY step", call("funnel", &names, &arguments));
    assert_eq!(reals(&context, &sql).await, counts);
    let strict = Rules { order: Order::Strict, ..rules(names.len(), NO_WINDOW) };
    let found = plain(&strict, &names, &rows);
    for step in [2, 3] {
        let wanted = texts(&case[format!("reached_{step}")]);
        let reached = found.iter().filter(|(_, (outcome, _))| outcome.depth() >= step);
        assert_eq!(reached.map(|(user, _)| user.clone()).collect::<Vec<_>>(), wanted);
        let persons = call("funnel_persons", &names, &arguments);
        let sql = format!("SELECT user_id FROM {persons} WHERE step >= {step} ORDER BY user_id");
        let users: Vec<Vec<Option<f64>>> = wanted.iter().map(|user| vec![user.parse().ok()]).collect();
        assert_eq!(reals(&context, &sql).await, users);
    }
}

#[tokio::test]
async fn time_to_convert() {
    let case = case("ph-ttc-auto");
    let mut rows = Vec::new();
    for (user, value) in case["values_s"].as_array().unwrap().iter().enumerate() {
        rows.push((user.to_string(), 0, "a".to_owned()));
        rows.push((user.to_string(), value.as_i64().unwrap(), "b".to_owned()));
    }
    let sql = call("funnel_time_to_convert", &["a".into(), "b".into()], &format!("within => {NO_WINDOW}"));
    let sql = format!("SELECT bin_start_seconds, persons, mean_seconds FROM {sql} ORDER BY 1");
    let bins = case["bins"].as_array().unwrap();
    let mean = case["average_s"].as_f64();
    let expected: Vec<Vec<Option<f64>>> =
        bins.iter().map(|bin| vec![bin[0].as_f64(), bin[1].as_f64(), mean]).collect();
    assert_eq!(reals(&with(&rows), &sql).await, expected);
}

/// Mixpanel's default is `entry => 'first'`, its optimized re-entry is `entry => 'latest'`.
#[tokio::test]
async fn which_entry_counts() {
    let window_case = case("mixpanel-window");
    let names = texts(&window_case["steps"]);
    let events = window_case["events"].as_array().unwrap().iter();
    let rows: Vec<Row> = events
        .map(|event| ("u".into(), event[1].as_f64().unwrap() as i64, event[0].as_str().unwrap().into()))
        .collect();
    assert_eq!(window_case["default"], "reaches B only (window runs from the first A)");
    assert_eq!(window_case["optimized_reentry"], "reaches C (entry at the second A)");
    let context = with(&rows);
    for (entry, name, depth, entered) in
        [(Entry::First, "first", 2, 46_800), (Entry::Latest, "latest", 3, 48_600)]
    {
        let arguments = format!("within => {}, entry => '{name}'", window(&window_case));
        let sql = format!("SELECT step, entered_ts FROM {}", call("funnel_persons", &names, &arguments));
        assert_eq!(reals(&context, &sql).await, [[Some(f64::from(depth)), Some(f64::from(entered))]]);
        let rules = Rules { entry, ..rules(names.len(), window(&window_case)) };
        let found = &plain(&rules, &names, &rows)["u"];
        assert_eq!(
            (found.0.depth(), found.1[0]),
            (usize::try_from(depth).unwrap(), Some(i64::from(entered)))
        );
    }

    let recent = case("mixpanel-most-recent-entry");
    assert_eq!(recent["optimized_reentry_entry"], "A3");
    let rows: Vec<Row> = (1_i64..)
        .zip(texts(&recent["events"]))
        .map(|(second, event)| ("u".into(), second, event[..1].to_owned()))
        .collect();
    let sql = call("funnel_persons", &texts(&recent["steps"]), &format!("within => {NO_WINDOW}"));
    let sql = format!("SELECT step, entered_ts FROM {sql}");
    assert_eq!(reals(&with(&rows), &sql).await, [[Some(2.0), Some(3.0)]]);
}

#[tokio::test]
async fn paths_of_letters() {
    let case = case("rete-funnel");
    let names = texts(&case["steps"]);
    let mut rows = Vec::new();
    for (user, path) in case["paths"].as_object().unwrap() {
        for (second, event) in (0_i64..).zip(path.as_str().unwrap().chars()) {
            rows.push((user.clone(), second, event.to_string()));
        }
    }
    let numbers = |key: &str| -> Vec<f64> {
        case[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let (counts, shares, rates) = (numbers("unique_paths"), numbers("share_of_all"), numbers("step_rate"));
    // Shares of all paths, which a funnel does not know, also of those that never enter.
    let sql = format!(
        "SELECT persons, persons / (SELECT count(DISTINCT user_id) FROM t)::DOUBLE, \
         coalesce(from_previous, persons / (SELECT count(DISTINCT user_id) FROM t)::DOUBLE) FROM {} ORDER BY step",
        call("funnel", &names, &format!("within => {NO_WINDOW}"))
    );
    let expected: Vec<Vec<Option<f64>>> =
        (0..3).map(|step| vec![Some(counts[step]), Some(shares[step]), Some(rates[step])]).collect();
    assert_eq!(reals(&with(&rows), &sql).await, expected);
}

#[tokio::test]
async fn sessions_as_paths() {
    let case = case("rete-scope");
    let rows = case["rows"].as_array().unwrap();
    let context = context();
    let column = |index: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row[index].as_str().unwrap())))
    };
    let seconds = Arc::new(Int64Array::from_iter_values((0_i64..).take(rows.len())));
    let batch = table(vec![("user_id", column(0)), ("s", column(1)), ("event", column(2)), ("ts", seconds)]);
    register(&context, "t", &batch, 2);
    for check in case["checks"].as_array().unwrap() {
        let counts: Vec<Vec<Option<f64>>> =
            check[1].as_array().unwrap().iter().map(|count| vec![count.as_f64()]).collect();
        for scope in [
            format!("per => s, within => {NO_WINDOW}"),
            "count => 'sessions', session => s, session_gap => 10".to_owned(),
            "within => 'session', session => s, session_gap => 10".to_owned(),
        ] {
            let sql =
                format!("SELECT persons FROM {} ORDER BY step", call("funnel", &texts(&check[0]), &scope));
            assert_eq!(reals(&context, &sql).await, counts, "{sql}");
        }
    }
    tell("product_funnels: 8 of 8 cases run");
}
