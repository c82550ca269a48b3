//! Spend of a table of its own: which rows count, and how often.

use serde_json::Value;

use super::lines;
use crate::sql::{context, tell};

/// Two conversions to which `Direct` and `Campaign 1` led: each row of spend counts once.
const DATA: &str = "(SELECT * FROM (VALUES \
    ('u', TIMESTAMP '2023-06-20T10:00:00', 'touch', 'Direct', 'Campaign 1', NULL), \
    ('u', TIMESTAMP '2023-06-21T10:00:00', 'purchase', NULL, NULL, 40), \
    ('u', TIMESTAMP '2023-06-22T10:00:00', 'purchase', NULL, NULL, 44) \
    ) AS t (user_id, ts, event, channel, campaign, revenue))";

fn text(value: &Value) -> String {
    value.as_str().map_or("CAST(NULL AS VARCHAR)".to_owned(), |text| format!("'{text}'"))
}

fn spend(rows: &[Value], key: usize) -> String {
    let rows = rows.iter().map(|row| {
        format!("(DATE '{}', {}, {})", row[0].as_str().unwrap(), text(&row[key]), row[3].as_i64().unwrap())
    });
    format!("(SELECT * FROM (VALUES {}) AS s (day, key, cost))", rows.collect::<Vec<_>>().join(", "))
}

#[tokio::test]
async fn each_row_counts_once_within_ninety_days() {
    let file: Value = serde_json::from_str(include_str!("../../vectors/spend_roas.json")).unwrap();
    let rows = file["spend"].as_array().unwrap();
    let expected = file["expected_spend"].as_object().unwrap();
    assert_eq!((rows.len(), expected.len()), (5, 2));
    for (name, column, key) in [("channel Direct", "channel", 1), ("campaign Campaign 1", "campaign", 2)] {
        let spend = spend(rows, key);
        let sql = format!(
            "SELECT touch_key, cost::double, roas * cost::double FROM attribution_summary({DATA}, by => {column}, \
             models => ['linear'], spend => {spend})"
        );
        let total = expected[name].as_f64().unwrap();
        let key = name.strip_prefix(&format!("{column} ")).unwrap();
        assert_eq!(lines(&context(), &sql).await, [format!("{key}|{total:?}|84.0")], "{name}");
        // The conversion lies 20 days and 10 hours after the spend.
        for (days, cost) in [(20, "-".to_owned()), (21, format!("{total:?}"))] {
            let sql = format!(
                "SELECT cost::double FROM attribution_summary({DATA}, by => {column}, models => ['linear'], \
                 spend => {spend}, spend_within => INTERVAL '{days} days')"
            );
            assert_eq!(lines(&context(), &sql).await, [cost], "{name} within {days} days");
        }
    }
    tell("spend_roas.json: 2 of 2 answers pass");
}
