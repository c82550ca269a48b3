//! Known answers of other tools for paths, transitions and step matrices.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::sql::{context, tell, texts};

fn file() -> Map<String, Value> {
    let file: Value = serde_json::from_str(include_str!("../../vectors/path_graph.json")).unwrap();
    file.as_object().unwrap().clone()
}

/// Rows (unit, second, node) of paths whose nodes are single letters.
fn letters(paths: &Value) -> String {
    let rows = paths.as_object().unwrap().iter().flat_map(|(unit, path)| {
        let letters = path.as_str().unwrap().chars().enumerate();
        letters.map(move |(second, letter)| format!("('{unit}', {second}, '{letter}')"))
    });
    format!("(SELECT * FROM (VALUES {}) AS t (user_id, ts, event))", rows.collect::<Vec<_>>().join(", "))
}

/// Our names of the labels there.
fn label(label: &Value) -> String {
    match label.as_str().unwrap() {
        "path_start" => "(start)".to_owned(),
        "path_end" => "(end)".to_owned(),
        node => node.to_owned(),
    }
}

fn labels(of: &Value) -> Vec<String> {
    of["labels"].as_array().unwrap().iter().map(label).collect()
}

/// A number, or a fraction in text.
fn number(value: &Value) -> f64 {
    match value.as_str().and_then(|text| text.split_once('/')) {
        Some((part, whole)) => part.parse::<f64>().unwrap() / whole.parse::<f64>().unwrap(),
        None => value.as_f64().unwrap(),
    }
}

/// Cells of a result: the keys are its first columns, the number is its last.
async fn cells(sql: &str) -> BTreeMap<Vec<String>, f64> {
    let rows = texts(&context(), sql).await;
    rows.into_iter()
        .map(|mut row| {
            let number = row.pop().flatten().unwrap().parse().unwrap();
            (row.into_iter().map(Option::unwrap).collect(), number)
        })
        .collect()
}

fn assert_cell(cells: &mut BTreeMap<Vec<String>, f64>, key: &[&str], expected: f64) {
    let key: Vec<String> = key.iter().map(|part| (*part).to_owned()).collect();
    let found = cells.remove(&key).unwrap_or(0.0);
    assert!((found - expected).abs() < 1e-12, "{key:?} is {found}, not {expected}");
}

async fn assert_matrix(sql: &str, labels: &[String], expected: impl Fn(usize, usize) -> f64) {
    let mut found = cells(sql).await;
    for (source, source_label) in labels.iter().enumerate() {
        for (target, target_label) in labels.iter().enumerate() {
            assert_cell(&mut found, &[source_label, target_label], expected(source, target));
        }
    }
    assert!(found.is_empty(), "{sql}: {found:?}");
}

#[tokio::test]
async fn transition_matrix() {
    let matrix = &file()["transition_matrix"];
    let labels = labels(matrix);
    let counts = |of: &Value| -> Vec<Vec<f64>> {
        let rows = of["count"].as_array().unwrap().iter();
        rows.map(|row| row.as_array().unwrap().iter().map(number).collect()).collect()
    };
    let count = counts(matrix);
    let sum = |row: &[f64]| row.iter().sum::<f64>();
    let column = |target: usize| count.iter().map(|row| row[target]).sum::<f64>();
    let rows = letters(&matrix["paths"]);
    let of =
        |figure: &str| format!("SELECT source, target, {figure} FROM transitions({rows}, per => 'person')");
    assert_eq!(
        (&matrix["share_of_total"], &matrix["avg_per_path"]),
        (&"count / 21".into(), &"count / 3".into())
    );
    assert_matrix(&of("count"), &labels, |source, target| count[source][target]).await;
    assert_matrix(&of("share"), &labels, |source, target| count[source][target] / 21.0).await;
    assert_matrix(&of("per_path"), &labels, |source, target| count[source][target] / 3.0).await;
    assert_matrix(&of("probability"), &labels, |source, target| {
        count[source][target] / sum(&count[source]).max(1.0)
    })
    .await;
    assert_matrix(&of("probability_in"), &labels, |source, target| {
        count[source][target] / column(target).max(1.0)
    })
    .await;
    // The two that are written out there.
    let mut of_b = cells(&format!("{} WHERE source = 'B'", of("probability"))).await;
    for (target, expected) in [("A", 0.1), ("B", 0.4), ("C", 0.3), ("(end)", 0.2)] {
        assert_cell(&mut of_b, &["B", target], expected);
    }
    let mut into_c = cells(&format!("{} WHERE source = 'B'", of("probability_in"))).await;
    assert_cell(&mut into_c, &["B", "C"], 0.75);

    let by_session = &matrix["by_session"];
    let count = counts(by_session);
    let sql = format!(
        "SELECT source, target, count FROM transitions((SELECT user_id AS session, ts, event FROM {} AS t), per => session)",
        letters(&by_session["paths"])
    );
    assert_matrix(&sql, &labels, |source, target| count[source][target]).await;
    tell("path_graph vectors: transition_matrix and by_session agree");
}

#[tokio::test]
async fn step_matrix() {
    let file = file();
    let matrix = &file["step_matrix"];
    assert_eq!(matrix["columns"], "steps 0..5");
    let sql = format!(
        "SELECT node, step, share FROM step_matrix({}, per => 'person', steps => 5)",
        letters(&matrix["paths"])
    );
    let mut found = cells(&sql).await;
    for (node, row) in labels(matrix).iter().zip(matrix["matrix"].as_array().unwrap()) {
        for (step, share) in row.as_array().unwrap().iter().enumerate() {
            assert_cell(&mut found, &[node, &step.to_string()], number(share));
        }
    }
    assert!(found.is_empty(), "{found:?}");

    let difference = &file["step_matrix_diff_US_minus_UK_by_session"];
    let rows = |segment: &str| {
        format!("SELECT '{segment}' AS segment, t.* FROM {} AS t", letters(&difference[segment]))
    };
    let sql = format!(
        "SELECT node, step, sum(CASE segment WHEN 'US' THEN share ELSE -share END)
         FROM (SELECT by AS segment, node, step, share
               FROM step_matrix(({} UNION ALL {}), per => 'person', steps => 5, by => segment))
         WHERE node <> '(start)' GROUP BY node, step",
        rows("US"),
        rows("UK")
    );
    let mut found = cells(&sql).await;
    for (node, row) in difference["rows"].as_object().unwrap() {
        for (step, share) in row.as_array().unwrap().iter().enumerate() {
            assert_cell(&mut found, &[&label(&Value::from(node.as_str())), &step.to_string()], number(share));
        }
    }
    assert!(found.values().all(|rest| *rest == 0.0), "{found:?}");
    tell("path_graph vectors: step_matrix and step_matrix_diff agree");
}

#[tokio::test]
async fn loops_and_ends() {
    let file = file();
    let loops = &file["collapse_loops"];
    let rows = letters(&Value::Object(Map::from_iter([("1".to_owned(), loops["input"].clone())])));
    let expected = loops["output"].as_str();
    for sql in [
        format!("SELECT path FROM top_paths({rows}, per => 'person', collapse => true, separator => '')"),
        format!("SELECT path_string(ts, event, '', collapse => true) FROM {rows} AS t"),
    ] {
        assert_eq!(texts(&context(), &sql).await[0][0].as_deref(), expected, "{sql}");
    }
    let truncate = &file["truncate"];
    let mut expected: Vec<&str> =
        truncate["expected"].as_object().unwrap().values().map(|path| path.as_str().unwrap()).collect();
    // A path without its end is left out.
    expected.retain(|path| !path.is_empty());
    let sql = format!(
        "SELECT path FROM top_paths({}, per => 'person', start => '{}', end => '{}', separator => '', by => user_id)",
        letters(&truncate["paths"]),
        truncate["start"].as_str().unwrap(),
        truncate["end"].as_str().unwrap()
    );
    let found = texts(&context(), &sql).await;
    let found: Vec<&str> = found.iter().map(|row| row[0].as_deref().unwrap()).collect();
    assert_eq!(found, expected);
    tell("path_graph vectors: collapse_loops and truncate agree");
}

/// Edges by step; the node keys there are the position and the name.
#[tokio::test]
async fn flows() {
    let file = file();
    for key in ["posthog_paths", "posthog_custom"] {
        let persons = file[key]["persons"].as_object().unwrap();
        let mut rows = Vec::new();
        for (person, path) in persons {
            for (position, node) in path.as_array().unwrap().iter().enumerate() {
                let (name, second) = match node {
                    Value::Array(pair) => (pair[0].as_str().unwrap(), pair[1].as_i64().unwrap()),
                    name => (name.as_str().unwrap(), i64::try_from(position).unwrap()),
                };
                rows.push(format!("('{person}', to_timestamp_seconds({second}), '{name}')"));
            }
        }
        let sql = format!(
            "SELECT concat(step, '_', source), concat(step + 1, '_', target), weight
             FROM paths((SELECT * FROM (VALUES {}) AS t (user_id, ts, page)), node => page, collapse => true,
                        clean => [('(.)/$', '\\1')], top => 50)",
            rows.join(", ")
        );
        let mut found = cells(&sql).await;
        for edge in file[key]["expected"].as_array().unwrap() {
            assert_cell(
                &mut found,
                &[edge[0].as_str().unwrap(), edge[1].as_str().unwrap()],
                number(&edge[2]),
            );
        }
        assert!(found.is_empty(), "{key}: {found:?}");
        tell(format!("path_graph vectors: {key} agrees"));
    }
}

#[test]
fn every_case_is_looked_at() {
    let keys: Vec<String> = file().keys().cloned().collect();
    assert_eq!(
        keys,
        [
            "transition_matrix",
            "step_matrix",
            "step_matrix_diff_US_minus_UK_by_session",
            "collapse_loops",
            "truncate",
            "posthog_paths",
            "posthog_custom"
        ]
    );
    tell("path_graph vectors: 7 of 7 cases");
}

/// Transforms of paths, as lists and as text.
#[tokio::test]
async fn transforms() {
    let file: Value = serde_json::from_str(include_str!("../../vectors/path_transforms.json")).unwrap();
    let calls = [
        ("trim_long_path_1", "'last', 1"),
        ("trim_long_path_2", "'last', 2"),
        ("unique", "'unique'"),
        ("exposure", "'exposure'"),
        ("first", "'first'"),
        ("frequency", "'FREQUENCY'"),
        ("remove_if_not_all_Direct", "'remove_if_not_all', 'Direct'"),
        ("remove_if_last_and_not_all_Direct", "'remove_if_last_and_not_all', 'Direct'"),
    ];
    let texts_of = |path: &Value| -> Vec<String> {
        path.as_array().unwrap().iter().map(|node| node.as_str().unwrap().to_owned()).collect()
    };
    let cases = file["cases"].as_array().unwrap();
    let mut compared = 0;
    for case in cases {
        let path = texts_of(&case["path"]);
        for (key, call) in calls {
            let expected = texts_of(&case[key]);
            let list = path.iter().map(|node| format!("'{node}'")).collect::<Vec<_>>().join(", ");
            let sql = format!(
                "SELECT path_transform('{}', {call}), array_to_string(path_transform([{list}], {call}), ' > ')",
                path.join(" > ")
            );
            let expected = Some(expected.join(" > "));
            assert_eq!(texts(&context(), &sql).await, [[expected.clone(), expected]], "{sql}");
            compared += 1;
        }
        assert_eq!(case.as_object().unwrap().len(), calls.len() + 1, "every key is looked at");
    }
    tell(format!("path_transforms vectors: {} of {} cases, {compared} answers", cases.len(), cases.len()));
    assert_eq!(compared, 40);
}
