//! A bundled data set, loaded as its user would, with the results that are expected of it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::support::Place;
use crate::support::tell;

/// Figures in the files have six decimals, some more.
const ROUNDING: f64 = 0.5e-6 + 1e-9;

/// A store that holds a data set, and the expected results.
pub(super) struct Answers {
    pub(super) place: Place,
    answers: Map<String, Value>,
    /// Statements that come before each query: views for what the questions are about.
    views: &'static str,
}

impl Answers {
    pub(super) fn new(place: Place, answers_json: &str, views: &'static str) -> Self {
        Self { place, answers: parse(answers_json), views }
    }

    /// The value at a path of keys, such as `["master", "counts"]`.
    pub(super) fn at(&self, path: &[&str]) -> &Value {
        let (first, rest) = path.split_first().expect("a key");
        rest.iter().fold(&self.answers[*first], |value, key| &value[*key])
    }

    pub(super) fn object(&self, path: &[&str]) -> &Map<String, Value> {
        self.at(path).as_object().expect("an object")
    }

    pub(super) fn list(&self, path: &[&str]) -> &Vec<Value> {
        self.at(path).as_array().expect("a list")
    }

    pub(super) fn rows(&self, sql: &str) -> Vec<Value> {
        self.place.rows(&format!("{}{sql}", self.views))
    }

    /// The rows without the names of columns.
    pub(super) fn tuples(&self, sql: &str) -> Vec<Vec<Value>> {
        let columns = |row: &Value| row.as_object().expect("an object").values().cloned().collect();
        self.rows(sql).iter().map(columns).collect()
    }

    /// The only row.
    pub(super) fn tuple(&self, sql: &str) -> Vec<Value> {
        let mut rows = self.tuples(sql);
        assert_eq!(rows.len(), 1, "{sql}");
        rows.remove(0)
    }

    pub(super) fn value(&self, sql: &str) -> Value {
        self.tuple(sql).swap_remove(0)
    }

    pub(super) fn assert_value(&self, expected: &Value, sql: &str) {
        assert_close(&self.value(sql), expected, sql);
    }

    /// One row: an object whose keys are in the order of the columns says what each is expected to be.
    pub(super) fn assert_columns(&self, expected: &Map<String, Value>, columns: &[(&str, &str)], from: &str) {
        let keys: BTreeSet<&str> = expected.keys().map(String::as_str).collect();
        assert_eq!(columns.iter().map(|(key, _)| *key).collect::<BTreeSet<_>>(), keys, "{from}");
        let list: Vec<&str> = columns.iter().map(|(_, column)| *column).collect();
        let actual = self.tuple(&format!("SELECT {} FROM {from}", aliased(&list)));
        for ((key, column), value) in columns.iter().zip(&actual) {
            assert_close(value, &expected[*key], &format!("{key}: {column} from {from}"));
        }
    }

    /// Two columns, name and number, as an object. The order of the names is not compared.
    pub(super) fn assert_pairs(&self, expected: &Value, sql: &str) {
        assert_eq!(Value::Object(self.pairs(sql)), *expected, "{sql}");
    }

    pub(super) fn pairs(&self, sql: &str) -> Map<String, Value> {
        let mut pairs = Map::new();
        for mut row in self.tuples(sql) {
            let value = row.remove(1);
            let name = match &row[0] {
                Value::String(name) => name.clone(),
                other => other.to_string(),
            };
            assert!(pairs.insert(name, value).is_none(), "twice: {} in {sql}", row[0]);
        }
        pairs
    }

    /// Rows as a list of lists.
    pub(super) fn assert_tuples(&self, expected: &Value, sql: &str) {
        let rows: Vec<Value> = self.tuples(sql).into_iter().map(Value::Array).collect();
        assert_eq!(Value::Array(rows), *expected, "{sql}");
    }

    /// How many of the groups that `levels_sql` gives a `level` reached each of `steps` steps.
    pub(super) fn reached(&self, levels_sql: &str, steps: usize) -> Value {
        let counts: Vec<String> =
            (1..=steps).map(|step| format!("count(*) FILTER (WHERE level >= {step})")).collect();
        Value::Array(self.tuple(&format!("SELECT {} FROM ({levels_sql})", aliased(&counts))))
    }

    /// For each condition, how many different values `who` has in the rows of `from` that meet it.
    pub(super) fn with_each(&self, who: &str, conditions: &[String], from: &str) -> Value {
        let counts: Vec<String> =
            conditions.iter().map(|one| format!("count(DISTINCT CASE WHEN {one} THEN {who} END)")).collect();
        Value::Array(self.tuple(&format!("SELECT {} FROM {from}", aliased(&counts))))
    }
}

/// A select list in which every column has a name of its own.
fn aliased(columns: &[impl AsRef<str>]) -> String {
    let columns = columns.iter().enumerate();
    columns.map(|(at, column)| format!("{} AS c{at}", column.as_ref())).collect::<Vec<_>>().join(", ")
}

pub(super) fn parse(answers_json: &str) -> Map<String, Value> {
    serde_json::from_str(answers_json).expect("a JSON object")
}

/// Numbers are equal up to the rounding of the file, all else exactly.
pub(super) fn assert_close(actual: &Value, expected: &Value, what: &str) {
    match (actual.as_f64(), expected.as_f64()) {
        (Some(a), Some(e)) => assert!((a - e).abs() <= ROUNDING, "{a} is not {e}: {what}"),
        _ => assert_eq!(actual, expected, "{what}"),
    }
}

/// Says which keys of the expected results no test looks at, and asserts that they are exactly `not_covered`.
pub(super) fn assert_not_covered(
    data_set: &str,
    answers: &Map<String, Value>,
    covered: &[&str],
    not_covered: &[&str],
) {
    let others: BTreeSet<&str> =
        answers.keys().map(String::as_str).filter(|key| !covered.contains(key)).collect();
    for key in &others {
        tell(format!("not covered: {data_set}: {key}"));
    }
    assert_eq!(others, not_covered.iter().copied().collect(), "{data_set}");
    assert!(covered.iter().all(|key| answers.contains_key(*key)), "{data_set}: no such key in {covered:?}");
    // What belongs to these families is covered, except paths through sessions.
    let family = |key: &&str| {
        ["funnel", "retention", "cohort"].iter().any(|name| key.contains(name)) || key.starts_with("sessions")
    };
    assert!(!others.iter().any(family), "{data_set}: {others:?}");
}
