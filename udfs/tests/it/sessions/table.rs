//! The table function `sessions` in SQL: columns, defaults, plans, errors.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array};
use datafusion::prelude::{SessionConfig, SessionContext};

use super::table_properties::{COLUMNS, batch, lines, session};
use crate::sql::{context, register, table};

/// Visits of ann and ben; no column but those that are needed, and a tie.
fn visits() -> SessionContext {
    let context = context();
    let batch = table(vec![
        ("who", Arc::new(Int64Array::from(vec![Some(1), Some(1), Some(1), Some(2), None])) as ArrayRef),
        ("at", super::vectors::seconds([0, 1_800, 3_601, 0, 0])),
        ("is_click", Arc::new(BooleanArray::from(vec![true, false, true, true, true]))),
    ]);
    register(&context, "visits", &batch, 2);
    context
}

#[tokio::test]
async fn columns_that_the_data_does_not_have_are_null() {
    let sql = format!("SELECT {COLUMNS} FROM sessions((SELECT * FROM visits), user_id => who, ts => at)");
    assert_eq!(
        lines(&visits(), &sql).await,
        [
            "1|1@1970-01-01T00:00:00.000000Z|1|1970-01-01T00:00:00|1970-01-01T00:30:00|1800.0|2|0||||||||false|true|0||first",
            "1|1@1970-01-01T01:00:01.000000Z|2|1970-01-01T01:00:01|1970-01-01T01:00:01|0.0|1|0||||||||false|false|0||gap",
            "2|2@1970-01-01T00:00:00.000000Z|1|1970-01-01T00:00:00|1970-01-01T00:00:00|0.0|1|0||||||||false|false|0||first",
        ]
    );
    let sql = "SELECT DISTINCT arrow_typeof(entry_page), arrow_typeof(device), arrow_typeof(revenue), \
               arrow_typeof(conversions) FROM sessions((SELECT * FROM visits), user_id => who, ts => at)";
    assert_eq!(lines(&visits(), sql).await, ["Utf8View|Utf8View|Decimal128(28, 4)|Int64"]);
}

#[tokio::test]
async fn the_columns_are_these_and_no_others() {
    let sql = "SELECT * FROM sessions((SELECT * FROM visits), user_id => who, ts => at)";
    let frame = visits().sql(sql).await.unwrap();
    let names: Vec<&str> = frame.schema().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names.join(", "), COLUMNS);
}

#[tokio::test]
async fn conditions_can_be_given() {
    let sql = "SELECT user_id, session_number, page_views, is_bounce, is_engaged, conversions \
               FROM sessions((SELECT * FROM visits), user_id => who, ts => at, page_view => is_click, \
               conversion => NOT is_click, engaged_after => INTERVAL '31 minutes')";
    assert_eq!(
        lines(&visits(), sql).await,
        ["1|1|1|true|true|1", "1|2|1|true|false|0", "2|1|1|true|false|0"]
    );
}

#[tokio::test]
async fn empty_data_gives_no_sessions() {
    for filter in ["false", "who IS NULL"] {
        let sql = format!(
            "SELECT * FROM sessions((SELECT * FROM visits WHERE {filter}), user_id => who, ts => at)"
        );
        assert!(lines(&visits(), &sql).await.is_empty(), "{filter}");
    }
}

#[tokio::test]
async fn rows_of_one_instant_without_a_sequence_start_before_they_end() {
    let sql = |values: &str| {
        format!(
            "SELECT session_number, events, cut_reason FROM sessions((SELECT 1 AS user_id, 5 AS ts, column1 AS event \
             FROM (VALUES {values}) AS v), start_if => 'start', end_if => 'end', separator => 'cut')"
        )
    };
    let expected = ["1|3|first"];
    let context = context();
    assert_eq!(lines(&context, &sql("('end'), ('x'), ('start'), ('cut')")).await, expected);
    assert_eq!(lines(&context, &sql("('cut'), ('start'), ('x'), ('end')")).await, expected);
}

/// One person with a million events: no rule looks at a row twice.
#[tokio::test]
async fn a_person_with_a_million_events() {
    let context = session(SessionConfig::new());
    let data = "(SELECT 'ann' AS user_id, arrow_cast(value * 1000000, 'Timestamp(Microsecond, None)') AS ts, \
                CASE WHEN value % 10 = 0 THEN 'purchase' ELSE 'page_view' END AS event, value % 1000 / 500 AS campaign, \
                arrow_cast(1.25, 'Decimal128(18, 4)') AS revenue FROM generate_series(1, 1000000))";
    let sql = format!(
        "SELECT sum(events), sum(conversions), sum(page_views), sum(revenue), count(*) FROM sessions({data}, \
         gap => INTERVAL '30 minutes', end_if => event = 'purchase', max_events => 1000, split_on => campaign, \
         midnight => 'UTC', max_length => INTERVAL '1 day')"
    );
    // 100,000 purchases end a session each; 2,000 changes of campaign come one row before such an end, and so do 11
    // midnights, two of them with a change of campaign.
    assert_eq!(lines(&context, &sql).await, ["1000000|100000|900000|1250000.0000|102009"]);
}

/// Columns that no one asks for are not read.
#[tokio::test]
async fn unused_columns_are_not_scanned() {
    let context = session(SessionConfig::new());
    let people = [vec![]];
    register(&context, "t", &batch(&people, 1), 1);
    let data = "(SELECT *, position AS event_id FROM t)";
    for (query, scanned) in [
        ("SELECT count(*) FROM sessions(%)", "[user_id, ts]"),
        (
            "SELECT count(*), sum(revenue) FROM sessions(%) WHERE duration_seconds > 3",
            "[user_id, ts, revenue]",
        ),
        ("SELECT max(page_views) FROM sessions(%)", "[user_id, ts, event]"),
        ("SELECT max(entry_page) FROM sessions(%)", "[user_id, position, ts, page]"),
        ("SELECT entry_campaign FROM sessions(%)", "[user_id, position, ts, channel, campaign]"),
        ("SELECT events FROM sessions(%) WHERE device = 'tv'", "[user_id, position, ts, device]"),
        ("SELECT events FROM sessions(%, max_events => 3)", "[user_id, position, ts]"),
        (
            "SELECT entry_channel, count(*), avg(events), sum(revenue) FROM sessions(%) GROUP BY entry_channel",
            "[user_id, position, ts, channel, campaign, revenue]",
        ),
        (
            "SELECT device, max(s.events) FROM sessions(%) AS s GROUP BY device",
            "[user_id, position, ts, device]",
        ),
        (
            "SELECT a.events FROM sessions(%) AS a JOIN (VALUES (1)) AS b (n) ON a.events = b.n",
            "[user_id, ts]",
        ),
    ] {
        let sql = query.replace('%', data);
        let plan = context.sql(&sql).await.unwrap().into_optimized_plan().unwrap().to_string();
        assert!(plan.contains(&format!("projection={scanned}")), "{sql}\n{plan}");
    }
}

#[tokio::test]
async fn filters_on_the_person_reach_the_data() {
    let sql = "EXPLAIN SELECT session_number FROM sessions((SELECT * FROM visits), user_id => who, ts => at) \
               WHERE user_id = 1";
    let text = visits().sql(sql).await.unwrap().to_string().await.unwrap();
    let filter = text.rfind("FilterExec: ").unwrap_or_else(|| panic!("{text}"));
    assert!(text[filter..].contains("who@0 = 1"), "{text}");
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let context = visits();
    for (arguments, expected) in [
        ("ts => at", "sessions: the data has no column user_id"),
        ("user_id => who", "sessions: the data has no column ts"),
        ("user_id => who, ts => is_click", "sessions: ts must be a timestamp, a date or an integer"),
        ("user_id => who, ts => who", "sessions: gap is missing: ts is an integer"),
        ("user_id => who, ts => at, gap => 30", "sessions: gap must be an INTERVAL"),
        ("user_id => who, ts => at, gap => INTERVAL '-1 hour'", "sessions: gap must not be negative"),
        ("user_id => who, ts => at, gap => at - at", "sessions: argument gap must be a constant"),
        ("user_id => who, ts => at, max_events => 0", "sessions: max_events must be 1 or more"),
        ("user_id => who, ts => at, max_events => who", "sessions: max_events must be a constant"),
        ("user_id => who, ts => at, max_events => 'x'", "sessions: max_events must be an integer"),
        ("user_id => who, ts => at, midnight => 'Mars/Phobos'", "sessions: midnight must be a time zone"),
        ("user_id => who, ts => at, inclusive => 3", "sessions: inclusive must be true or false"),
        (
            "user_id => who, ts => at, inclusive => true, max_events => 3",
            "sessions: inclusive says how gap is meant, but there is no gap",
        ),
        ("user_id => who, ts => at, start_if => who", "must be a condition or the name of an event"),
        ("user_id => who, ts => at, revenue => 'x'", "sessions: revenue must be a number"),
        (
            "user_id => who, ts => at, engaged_after => INTERVAL '-1 s'",
            "sessions: engaged_after must not be negative",
        ),
        ("user_id => who, ts => at, timeout => 3", "sessions has no argument timeout; it has data, gap"),
    ] {
        let sql = format!("SELECT * FROM sessions((SELECT * FROM visits), {arguments})");
        let text = crate::sql::error(&context, &sql).await;
        assert!(text.contains(expected), "{arguments}: {text}");
        assert!(text.contains("Error during planning: "), "{text}");
    }
}
