//! Comparisons of intervals and durations, against lengths in nanoseconds computed here.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DurationMicrosecondArray, DurationSecondArray, Int64Array, IntervalMonthDayNanoArray,
};
use arrow::datatypes::IntervalMonthDayNano;
use datafusion::prelude::SessionContext;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::sql::{context, error, number, numbers, register, table};

const DAY: i128 = 86_400_000_000_000;

async fn truth(sql: &str) -> Option<bool> {
    number(&context(), &format!("SELECT {sql}")).await.map(|value| value != 0)
}

#[tokio::test]
async fn a_difference_of_times_is_compared_with_an_interval() {
    let nine = "(TIMESTAMP '2024-01-10' - TIMESTAMP '2024-01-01')";
    for (comparison, expected) in [
        ("<= INTERVAL '7 days'", false),
        ("< INTERVAL '7 days'", false),
        ("> INTERVAL '7 days'", true),
        (">= INTERVAL '9 days'", true),
        ("<= INTERVAL '9 days'", true),
        ("= INTERVAL '9 days'", true),
        ("= INTERVAL '216 hours'", true),
        ("<> INTERVAL '9 days'", false),
        ("> INTERVAL '1 month'", false),
        ("< INTERVAL '1 month'", true),
        ("IS DISTINCT FROM INTERVAL '9 days'", false),
        ("IS NOT DISTINCT FROM INTERVAL '9 days'", true),
        ("BETWEEN INTERVAL '1 hour' AND INTERVAL '7 days'", false),
        ("BETWEEN INTERVAL '1 hour' AND INTERVAL '10 days'", true),
        ("NOT BETWEEN INTERVAL '1 hour' AND INTERVAL '7 days'", true),
        ("IN (INTERVAL '1 day', INTERVAL '9 days')", true),
        ("NOT IN (INTERVAL '1 day', INTERVAL '9 days')", false),
        ("> -INTERVAL '20 days'", true),
    ] {
        assert_eq!(truth(&format!("{nine} {comparison}")).await, Some(expected), "{comparison}");
    }
    for (sql, expected) in [
        ("INTERVAL '7 days' < (TIMESTAMP '2024-01-10' - TIMESTAMP '2024-01-01')", true),
        ("INTERVAL '7 days' >= (TIMESTAMP '2024-01-10' - TIMESTAMP '2024-01-01')", false),
        (
            "GREATEST(TIMESTAMP '2024-01-10' - TIMESTAMP '2024-01-01', INTERVAL '7 days') = INTERVAL '9 days'",
            true,
        ),
        (
            "LEAST(TIMESTAMP '2024-01-10' - TIMESTAMP '2024-01-01', INTERVAL '7 days') = INTERVAL '7 days'",
            true,
        ),
        (
            "CASE TIMESTAMP '2024-01-10' - TIMESTAMP '2024-01-01' WHEN INTERVAL '9 days' THEN true ELSE false END",
            true,
        ),
        ("TIMESTAMP '2024-01-10' <= TIMESTAMP '2024-01-01' + INTERVAL '7 days'", false),
    ] {
        assert_eq!(truth(sql).await, Some(expected), "{sql}");
    }
}

#[tokio::test]
async fn intervals_are_compared_by_length() {
    for (sql, expected) in [
        ("INTERVAL '36 hours' > INTERVAL '1 day'", Some(true)),
        ("INTERVAL '1 day' = INTERVAL '24 hours'", Some(true)),
        ("INTERVAL '1 month' = INTERVAL '30 days'", Some(true)),
        ("INTERVAL '1 year' = INTERVAL '360 days'", Some(true)),
        ("INTERVAL '1 month' > INTERVAL '31 days'", Some(false)),
        ("INTERVAL '1 month -1 day' < INTERVAL '30 days'", Some(true)),
        ("INTERVAL '1 day' IN (INTERVAL '2 days', INTERVAL '24 hours')", Some(true)),
        ("NULLIF(INTERVAL '1 day', INTERVAL '24 hours') IS NULL", Some(true)),
        ("NULLIF(INTERVAL '1 day', INTERVAL '25 hours') = INTERVAL '1 day'", Some(true)),
        ("INTERVAL '1 day' = NULL", None),
        ("INTERVAL '1 day' IS DISTINCT FROM NULL", Some(true)),
        ("LEAST(INTERVAL '1 day', NULL, INTERVAL '23 hours') = INTERVAL '23 hours'", Some(true)),
    ] {
        assert_eq!(truth(sql).await, expected, "{sql}");
    }
}

async fn with_lengths() -> SessionContext {
    let context = context();
    let make = |months, days, hours: i64| IntervalMonthDayNano::new(months, days, hours * 3_600_000_000_000);
    let intervals: IntervalMonthDayNanoArray = [
        Some(make(0, 1, 0)),
        Some(make(0, 0, 24)),
        Some(make(0, 0, 36)),
        Some(make(1, 0, 0)),
        Some(make(0, 30, 0)),
        None,
    ]
    .into_iter()
    .collect();
    let rows = Int64Array::from_iter_values(1..=6);
    let columns: Vec<(&str, ArrayRef)> = vec![("id", Arc::new(rows)), ("x", Arc::new(intervals))];
    register(&context, "t", &table(columns), 3);
    context
}

#[tokio::test]
async fn sorting_grouping_and_joining_go_by_length() {
    let context = with_lengths().await;
    for (sql, expected) in [
        ("SELECT id FROM t ORDER BY x, id", vec![vec![1], vec![2], vec![3], vec![4], vec![5], vec![6]]),
        (
            "SELECT id FROM t WHERE x IS NOT NULL ORDER BY x DESC, id",
            vec![vec![4], vec![5], vec![3], vec![1], vec![2]],
        ),
        ("SELECT count(*) FROM t GROUP BY x ORDER BY x", vec![vec![2], vec![1], vec![2], vec![1]]),
        (
            "SELECT sum(id), count(*) FROM t GROUP BY x HAVING x > INTERVAL '25 hours' ORDER BY 1",
            vec![vec![3, 1], vec![9, 2]],
        ),
        ("SELECT count(*) FROM (SELECT DISTINCT x FROM t)", vec![vec![4]]),
        ("SELECT count(*) FROM (SELECT x FROM t UNION SELECT INTERVAL '720 hours')", vec![vec![4]]),
        ("SELECT count(*) FROM (SELECT x FROM t EXCEPT SELECT INTERVAL '24 hours')", vec![vec![3]]),
        ("SELECT count(DISTINCT x) FROM t", vec![vec![3]]),
        (
            "SELECT a.id, b.id FROM t a JOIN t b ON a.x = b.x WHERE a.id < b.id ORDER BY 1",
            vec![vec![1, 2], vec![4, 5]],
        ),
        ("SELECT id FROM t WHERE x = (SELECT max(x) FROM t) ORDER BY id", vec![vec![4], vec![5]]),
        (
            "SELECT id FROM t WHERE x = (SELECT min(x) FROM t WHERE id <> 1) ORDER BY id",
            vec![vec![1], vec![2]],
        ),
        (
            "SELECT id FROM t WHERE x IN (SELECT x FROM t WHERE id IN (2, 5)) ORDER BY id",
            vec![vec![1], vec![2], vec![4], vec![5]],
        ),
        (
            "SELECT id, rank() OVER (ORDER BY x, id % 1) FROM t ORDER BY id",
            vec![vec![1, 1], vec![2, 1], vec![3, 3], vec![4, 4], vec![5, 4], vec![6, 6]],
        ),
        (
            "SELECT id, count(*) OVER (PARTITION BY x) FROM t ORDER BY id",
            vec![vec![1, 2], vec![2, 2], vec![3, 1], vec![4, 2], vec![5, 2], vec![6, 1]],
        ),
        ("SELECT first_value(id ORDER BY x DESC NULLS LAST, id) FROM t", vec![vec![4]]),
        (
            "SELECT id FROM t WHERE x >= ALL (SELECT x FROM t WHERE x IS NOT NULL) ORDER BY id",
            vec![vec![4], vec![5]],
        ),
        (
            "SELECT id FROM t WHERE x > ANY (SELECT INTERVAL '1 day') ORDER BY id",
            vec![vec![3], vec![4], vec![5]],
        ),
        (
            "SELECT id, rank() OVER (ORDER BY (TIMESTAMP '2024-01-02' + x) - TIMESTAMP '2024-01-02') FROM t ORDER BY id",
            vec![vec![1, 1], vec![2, 1], vec![3, 3], vec![4, 5], vec![5, 4], vec![6, 6]],
        ),
        ("SELECT count(*) FROM t a WHERE EXISTS (SELECT 1 FROM t b WHERE b.x > a.x)", vec![vec![3]]),
    ] {
        let expected: Vec<Vec<Option<i64>>> =
            expected.into_iter().map(|row| row.into_iter().map(Some).collect()).collect();
        assert_eq!(numbers(&context, sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn names_of_columns_stay() {
    let context = with_lengths().await;
    for (sql, expected) in [
        ("SELECT min(x), x > INTERVAL '1 day' FROM t GROUP BY x", vec!["min(t.x)", "t.x > Interval"]),
        ("SELECT DISTINCT x FROM t", vec!["x"]),
        ("SELECT greatest(x, INTERVAL '1 day') FROM t", vec!["greatest(t.x,"]),
    ] {
        let frame = crate::sql::plan(&context, sql).await.unwrap();
        let before: Vec<String> = frame.schema().fields().iter().map(|f| f.name().clone()).collect();
        let batches = frame.collect().await.unwrap();
        let after: Vec<String> = batches[0].schema().fields().iter().map(|f| f.name().clone()).collect();
        assert_eq!(before, after, "{sql}");
        for (name, expected) in after.iter().zip(expected) {
            assert!(name.starts_with(expected), "{sql}: {name}");
        }
    }
}

#[tokio::test]
async fn what_is_not_repaired_is_refused() {
    let context = with_lengths().await;
    for (sql, expected) in [
        ("SELECT count(*) FROM t GROUP BY ROLLUP (x)", "GROUPING SETS, ROLLUP or CUBE over an interval"),
        ("SELECT max(x) OVER (ORDER BY id) FROM t", "max: not supported for intervals with OVER"),
        ("SELECT array_agg(DISTINCT x) FROM t", "array_agg: DISTINCT is not supported for intervals"),
        ("SELECT u.id FROM t JOIN t AS u USING (x)", "JOIN .. USING"),
        ("SELECT array_has(ARRAY[INTERVAL '1 day'], INTERVAL '24 hours')", "a row or list with intervals"),
        ("SELECT ARRAY[INTERVAL '1 day'] = ARRAY[INTERVAL '24 hours']", "a row or list with intervals"),
        (
            "SELECT sum(id) OVER (ORDER BY x RANGE BETWEEN INTERVAL '1 day' PRECEDING AND CURRENT ROW) FROM t",
            "RANGE with an offset",
        ),
        ("SELECT DATE '2024-01-10' - DATE '2024-01-01' <= INTERVAL '7 days'", ""),
    ] {
        let found = error(&context, sql).await;
        assert!(found.contains(expected), "{sql}: {found}");
    }
}

/// Random lengths of every shape, with many near-equal ones: months against days against hours.
fn interval() -> impl Strategy<Value = Option<IntervalMonthDayNano>> {
    let part = prop_oneof![4 => -3_i32..=3, 1 => any::<i32>()];
    let nanos = prop_oneof![
        4 => (-100_i64..=100).prop_map(|hours| hours * 3_600_000_000_000),
        1 => any::<i64>(),
    ];
    let days = prop_oneof![4 => -65_i32..=65, 1 => any::<i32>()];
    proptest::option::weighted(
        0.9,
        (part, days, nanos).prop_map(|(months, days, nanos)| IntervalMonthDayNano::new(months, days, nanos)),
    )
}

fn length(value: IntervalMonthDayNano) -> i128 {
    (i128::from(value.months) * 30 + i128::from(value.days)) * DAY + i128::from(value.nanoseconds)
}

/// Each comparison of `SQL`, computed from lengths.
fn expected(left: Option<i128>, right: Option<i128>) -> Vec<Option<i64>> {
    let order = left.zip(right).map(|(left, right)| left.cmp(&right));
    let when = |wanted: &[Ordering]| order.map(|found| i64::from(wanted.contains(&found)));
    vec![
        when(&[Ordering::Equal]),
        when(&[Ordering::Less]),
        when(&[Ordering::Less, Ordering::Equal]),
        when(&[Ordering::Greater]),
        Some(i64::from(left != right)),
    ]
}

fn comparisons(left: &str, right: &str) -> String {
    ["=", "<", "<=", ">", "IS DISTINCT FROM"]
        .iter()
        .map(|operator| format!("{left} {operator} {right}"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn columns_of_every_kind_agree_with_their_lengths() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let row = (interval(), interval(), any::<Option<i64>>(), -9_000_000_i64..=9_000_000);
    let mut runner = TestRunner::new(Config { cases: 60, ..Config::default() });
    let outcome = runner.run(&proptest::collection::vec(row, 1..200), |rows| {
        runtime.block_on(async {
            let context = context();
            let ids = Int64Array::from_iter_values((0..).take(rows.len()));
            let x: IntervalMonthDayNanoArray = rows.iter().map(|row| row.0).collect();
            let y: IntervalMonthDayNanoArray = rows.iter().map(|row| row.1).collect();
            let seconds: DurationSecondArray = rows.iter().map(|row| row.2).collect();
            let micros = DurationMicrosecondArray::from_iter_values(rows.iter().map(|row| row.3));
            register(
                &context,
                "t",
                &table(vec![
                    ("id", Arc::new(ids) as ArrayRef),
                    ("x", Arc::new(x)),
                    ("y", Arc::new(y)),
                    ("s", Arc::new(seconds)),
                    ("u", Arc::new(micros)),
                ]),
                2,
            );
            let sql = format!(
                "SELECT {}, {}, {}, {}, {} FROM t ORDER BY id",
                comparisons("x", "y"),
                comparisons("s", "x"),
                comparisons("y", "u"),
                comparisons("s", "u"),
                comparisons("u", "INTERVAL '2.5 seconds'"),
            );
            let sql = named(&sql);
            for (row, found) in rows.iter().zip(numbers(&context, &sql).await) {
                let (x, y) = (row.0.map(length), row.1.map(length));
                let seconds = row.2.map(|seconds| i128::from(seconds) * 1_000_000_000);
                let micros = Some(i128::from(row.3) * 1_000);
                let all = [
                    expected(x, y),
                    expected(seconds, x),
                    expected(y, micros),
                    expected(seconds, micros),
                    expected(micros, Some(2_500_000_000)),
                ];
                prop_assert_eq!(found, all.concat());
            }
            Ok(())
        })
    });
    outcome.unwrap();
}

/// Gives each column of a SELECT list a name of its own.
fn named(sql: &str) -> String {
    let (list, rest) = sql.strip_prefix("SELECT ").unwrap().split_once(" FROM t").unwrap();
    let columns: Vec<String> =
        list.split(", ").enumerate().map(|(index, column)| format!("{column} AS c{index}")).collect();
    format!("SELECT {} FROM t{rest}", columns.join(", "))
}
