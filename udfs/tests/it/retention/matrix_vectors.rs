//! Known answers of other tools for retention matrices.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::sql::{context, numbers, tell};

/// Rows of a matrix by cohort, as many columns as are observed.
type Matrix = Vec<Vec<i64>>;

fn cases() -> BTreeMap<String, Value> {
    let file: Value = serde_json::from_str(include_str!("../../vectors/retention_matrix.json")).unwrap();
    let cases = file["cases"].as_array().unwrap().iter();
    cases.map(|case| (case["id"].as_str().unwrap().to_owned(), case.clone())).collect()
}

/// Who was active in which period, as VALUES of user_id and ts; every row twice, which changes nothing.
fn data(active: &Value, period: &str) -> String {
    let mut rows = Vec::new();
    for (user, periods) in active.as_object().unwrap() {
        for number in periods.as_array().unwrap() {
            for minute in [10, 50] {
                rows.push(format!(
                    "({user}, TIMESTAMP '2020-01-01 12:{minute}:00' + INTERVAL '{number} {period}')"
                ));
            }
        }
    }
    format!("(SELECT column1 AS user_id, column2 AS ts FROM (VALUES {}))", rows.join(", "))
}

async fn matrix(sql: &str, n: usize) -> Matrix {
    let mut matrix: Matrix = Vec::new();
    for row in numbers(&context(), sql).await {
        let [Some(cohort), Some(period), returned] = row[..] else { panic!("{sql}: {row:?}") };
        let cohort = usize::try_from(cohort).unwrap();
        if cohort == matrix.len() {
            matrix.push(vec![]);
        }
        match returned {
            // Columns are observed from the left.
            Some(returned) => {
                assert_eq!(matrix[cohort].len(), usize::try_from(period).unwrap(), "{sql}");
                matrix[cohort].push(returned);
            }
            None => assert!(cohort + usize::try_from(period).unwrap() >= n, "{sql}"),
        }
    }
    matrix
}

fn expected(case: &Value) -> Matrix {
    let numbers = |row: &Value| row.as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
    case["matrix"].as_array().unwrap().iter().map(numbers).collect()
}

/// (case, active, unit, arguments): ends of ranges follow from the number of periods of the case.
const MATRICES: [(&str, &str, &str, &str); 4] = [
    ("day", "active_days", "day", "as_of => TIMESTAMP '2020-01-11 00:00:00'"),
    ("month", "active_months", "month", "period => 'month', as_of => TIMESTAMP '2020-11-15 00:00:00'"),
    ("rolling", "active_days", "day", "mode => 'on_or_after', periods => 6, as_of => DATE '2020-01-06'"),
    (
        "rolling_from_day1",
        "active_days",
        "day",
        "mode => 'on_or_after', periods => 5, from => DATE '2020-01-02', as_of => DATE '2020-01-06'",
    ),
];

#[tokio::test]
async fn matrices_agree_with_the_vectors() {
    let cases = cases();
    for (id, active, unit, arguments) in MATRICES {
        let case = &cases[id];
        let n = usize::try_from(case["n"].as_i64().unwrap()).unwrap();
        let sql = format!(
            "SELECT dense_rank() OVER (ORDER BY cohort) - 1, period, returned \
             FROM retention_matrix({}, kind => 'recurring', {arguments}) ORDER BY 1, 2",
            data(&case[active], unit)
        );
        assert_eq!(matrix(&sql, n).await, expected(case), "{id}");
    }
}

/// Windows of 24 hours: times are floored to the hour, so that the next day at 17:00 is 24 hours after 17:59.
#[tokio::test]
async fn windows_of_24_hours_agree_with_the_vectors() {
    assert_eq!(cases()["amplitude-24h"]["events"], serde_json::json!(["12-01 17:59", "12-02 17:00"]));
    let sql = "SELECT period, cohort_size, returned FROM retention_matrix((SELECT * FROM (VALUES \
               (1, TIMESTAMP '2023-12-01 17:59:00'), (1, TIMESTAMP '2023-12-02 17:00:00'))), \
               per => column1, ts => column2, windows => '24h', periods => 2) \
               WHERE cohort = DATE '2023-12-01' ORDER BY period";
    let returned = vec![vec![Some(0), Some(1), Some(1)], vec![Some(1), Some(1), Some(1)]];
    assert_eq!(numbers(&context(), sql).await, returned);
    // One minute earlier it would still be day 0.
    let earlier = sql.replace("17:00:00", "16:59:00");
    // The horizon is 23 hours after the start: day 1 has not begun.
    let not_yet = vec![vec![Some(0), Some(1), Some(1)], vec![Some(1), Some(1), None]];
    assert_eq!(numbers(&context(), &earlier).await, not_yet);
}

/// Several starts open several windows: one return is day 2 of the first start and day 1 of the second.
#[tokio::test]
async fn several_starts_open_several_windows() {
    assert!(cases()["amplitude-multi-start"]["rule"].as_str().unwrap().contains("Day 1 and Day 2"));
    let data = "(SELECT 1 AS user_id, column1 AS ts, column2 AS event FROM (VALUES \
                (TIMESTAMP '2023-12-01 10:00:00', 'start'), (TIMESTAMP '2023-12-02 10:30:00', 'start'), \
                (TIMESTAMP '2023-12-03 11:00:00', 'return')))";
    let sql = format!(
        "SELECT period, sum(cohort_size), sum(returned) FROM retention_matrix({data}, target => 'start', \
         returning => 'return', kind => 'recurring', windows => '24h', periods => 4) GROUP BY period ORDER BY period"
    );
    let expected = vec![
        vec![Some(0), Some(2), Some(2)],
        vec![Some(1), Some(2), Some(1)],
        vec![Some(2), Some(2), Some(1)],
        vec![Some(3), Some(2), None],
    ];
    assert_eq!(numbers(&context(), &sql).await, expected);
}

#[test]
fn every_case_is_run() {
    let mut ids: Vec<&str> = MATRICES.iter().map(|matrix| matrix.0).collect();
    ids.extend(["amplitude-24h", "amplitude-multi-start"]);
    ids.sort_unstable();
    let cases = cases();
    assert_eq!(cases.keys().collect::<Vec<_>>(), ids);
    tell(format!("retention_matrix.json: {} of {} cases pass", ids.len(), cases.len()));
}
