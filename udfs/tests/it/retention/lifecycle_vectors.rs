//! Known answers of other tools for lifecycle and stickiness.

use serde_json::Value;

use crate::sql::{context, numbers, tell};

fn file() -> Value {
    serde_json::from_str(include_str!("../../vectors/lifecycle_stickiness.json")).unwrap()
}

fn integers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|number| number.as_i64().unwrap()).collect()
}

#[tokio::test]
async fn lifecycle_agrees_with_the_vector() {
    let file = file();
    let case = &file["lifecycle"];
    let days: Vec<String> = integers(&case["active_days_of_the_actor"])
        .iter()
        .map(|day| format!("('org:5', TIMESTAMP '2020-01-{day:02} 12:00:00')"))
        .collect();
    assert_eq!(integers(&case["range"]), [9, 19]);
    let sql = format!(
        "SELECT new, \"returning\", resurrecting, dormant FROM lifecycle((SELECT * FROM (VALUES {})), \
         per => column1, ts => column2, from => DATE '2020-01-09', to => DATE '2020-01-20') ORDER BY period",
        days.join(", ")
    );
    let rows = numbers(&context(), &sql).await;
    for (column, status) in ["new", "returning", "resurrecting", "dormant"].into_iter().enumerate() {
        let found: Vec<i64> = rows.iter().map(|row| row[column].unwrap()).collect();
        assert_eq!(found, integers(&case["expected"][status]), "{status}");
    }
    tell("lifecycle_stickiness.json: lifecycle passes");
}

#[tokio::test]
async fn stickiness_agrees_with_the_vectors() {
    let file = file();
    let case = &file["stickiness"];
    assert_eq!(case["active"]["p1"], "11..19 (9 days)");
    assert_eq!(case["active"]["p2"], "11,13,15,17,19 (5 days)");
    let p1 = (11..=19).map(|day| ("p1", day));
    let p2 = [11, 13, 15, 17, 19].map(|day| ("p2", day));
    let rows: Vec<String> =
        p1.chain(p2).map(|(who, day)| format!("('{who}', TIMESTAMP '2020-01-{day} 12:30:00')")).collect();
    let data = format!("(SELECT column1 AS user_id, column2 AS ts FROM (VALUES {}))", rows.join(", "));
    let to = "to => DATE '2020-01-21'";
    let cases = [
        ("day", format!("from => DATE '2020-01-11', {to}")),
        ("week_sunday_start", format!("period => 'week', week_start => 'sunday', {to}")),
        ("month", format!("period => 'month', {to}")),
        ("hour_on_2020_01_11", "period => 'hour', to => DATE '2020-01-12'".to_owned()),
    ];
    for (id, arguments) in &cases {
        let sql = format!(
            "SELECT periods, persons FROM stickiness({data}, {arguments}) WHERE persons > 0 ORDER BY periods"
        );
        let mut expected: Vec<Vec<Option<i64>>> = case[id]
            .as_object()
            .unwrap()
            .iter()
            .map(|(periods, people)| vec![periods.parse().ok(), people.as_i64()])
            .collect();
        expected.sort();
        assert_eq!(numbers(&context(), &sql).await, expected, "{id}");
    }
    tell(format!("lifecycle_stickiness.json: {} of 4 cases of stickiness pass", cases.len()));
}
