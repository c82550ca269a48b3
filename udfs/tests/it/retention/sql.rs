//! Retention as SQL sees it: types, zones, ranges, NULLs, parameters, views, saved cohorts.

use arrow::array::AsArray;
use arrow::util::pretty::pretty_format_batches;
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;

use crate::sql::{context, error, numbers};

/// ann comes on two days, ben on one, in Berlin's night.
const EVENTS: &str = "CREATE TABLE events AS SELECT column1 AS user_id, column2 AS event, column3::timestamp AS ts, \
    column4::decimal(18, 4) AS amount FROM (VALUES \
    ('ann', 'visit', '2024-03-29 23:30:00', 1.1), \
    ('ann', 'buy',   '2024-03-30 22:59:59', 2.2), \
    ('ann', 'buy',   '2024-03-30 23:00:00', 3.3), \
    ('ben', 'visit', '2024-03-30 12:00:00', NULL), \
    ('ben', 'visit', '2024-03-31 22:00:00', 0.1), \
    (NULL,  'visit', '2024-04-01 12:00:00', 9.9), \
    ('cem', 'visit', NULL, 9.9))";

async fn events() -> SessionContext {
    let context = context();
    context.sql(EVENTS).await.unwrap().collect().await.unwrap();
    context
}

async fn text(context: &SessionContext, sql: &str) -> Vec<String> {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let text = pretty_format_batches(&batches).unwrap().to_string();
    let cells =
        |line: &str| line.trim_matches(['|', ' ']).split('|').map(str::trim).collect::<Vec<_>>().join(" ");
    text.lines().filter(|line| line.starts_with('|')).skip(1).map(cells).collect()
}

/// Rows without a person only move the horizon, rows without a time do nothing.
#[tokio::test]
async fn rows_without_person_or_time() {
    let sql = "SELECT cohort, period, cohort_size, returned FROM retention_matrix((SELECT * FROM events), \
               periods => 4, to => DATE '2024-03-31') ORDER BY 1, 2";
    let expected = [
        "2024-03-29 0 1 1",
        "2024-03-29 1 1 1",
        "2024-03-29 2 1 0",
        "2024-03-29 3 1 0",
        "2024-03-30 0 1 1",
        "2024-03-30 1 1 1",
        "2024-03-30 2 1 0",
        "2024-03-30 3 1",
    ];
    assert_eq!(text(&events().await, sql).await, expected);
}

/// In Berlin, ann's first visit is on the 30th, her last on the 31st, which has 23 hours: ben's last is on April 1.
#[tokio::test]
async fn days_of_a_zone() {
    let context = events().await;
    let berlin = [
        "2024-03-30 0 2 2",
        "2024-03-30 1 2 1",
        "2024-03-30 2 2 1",
        "2024-03-31 0 0 0",
        "2024-03-31 1 0 0",
        "2024-03-31 2 0",
        "2024-04-01 0 0 0",
        "2024-04-01 1 0",
        "2024-04-01 2 0",
    ];
    for (data, arguments) in [
        ("SELECT * FROM events", "timezone => 'Europe/Berlin'"),
        // The zone of the column, with every unit; the same instants.
        (
            "SELECT user_id, arrow_cast(arrow_cast(ts, 'Timestamp(Second, Some(\"UTC\"))'), 'Timestamp(Second, Some(\"Europe/Berlin\"))') AS ts FROM events",
            "periods => 3",
        ),
        (
            "SELECT user_id, arrow_cast(arrow_cast(ts, 'Timestamp(Millisecond, Some(\"UTC\"))'), 'Timestamp(Millisecond, Some(\"Europe/Berlin\"))') AS ts FROM events",
            "periods => 3",
        ),
        (
            "SELECT user_id, arrow_cast(arrow_cast(ts, 'Timestamp(Microsecond, Some(\"UTC\"))'), 'Timestamp(Microsecond, Some(\"Europe/Berlin\"))') AS ts FROM events",
            "periods => 3",
        ),
        (
            "SELECT user_id, arrow_cast(arrow_cast(ts, 'Timestamp(Nanosecond, Some(\"UTC\"))'), 'Timestamp(Nanosecond, Some(\"Europe/Berlin\"))') AS ts FROM events",
            "periods => 3",
        ),
        // The argument wins over the column.
        (
            "SELECT user_id, arrow_cast(ts, 'Timestamp(Second, Some(\"UTC\"))') AS ts FROM events",
            "timezone => 'Europe/Berlin'",
        ),
        // Dates are days already.
        (
            "SELECT user_id, to_local_time(arrow_cast(arrow_cast(ts, 'Timestamp(Second, Some(\"UTC\"))'), 'Timestamp(Second, Some(\"Europe/Berlin\"))'))::date AS ts FROM events",
            "timezone => 'America/New_York'",
        ),
    ] {
        let sql = format!(
            "SELECT cohort, period, cohort_size, returned FROM retention_matrix(({data}), {arguments}) \
             WHERE period < 3 ORDER BY 1, 2"
        );
        assert_eq!(text(&context, &sql).await, berlin, "{data} {arguments}");
    }
}

/// Dates and times without a zone in arguments are read on the clock of the zone.
#[tokio::test]
async fn ranges_are_read_in_the_zone() {
    let context = events().await;
    for from in [
        "DATE '2024-03-31'",
        "'2024-03-31'",
        "TIMESTAMP '2024-03-31 00:00:00'",
        "arrow_cast(TIMESTAMP '2024-03-30 23:00:00', 'Timestamp(Nanosecond, Some(\"UTC\"))')",
    ] {
        let sql = format!(
            "SELECT cohort, cohort_size FROM retention_matrix((SELECT * FROM events), \
             timezone => 'Europe/Berlin', from => {from}) WHERE period = 0 ORDER BY 1"
        );
        assert_eq!(text(&context, &sql).await, ["2024-03-31 1", "2024-04-01 1"], "{from}");
    }
}

#[tokio::test]
async fn hours_are_timestamps() {
    let sql = "SELECT arrow_typeof(cohort), cohort, cohort_size FROM retention_matrix((SELECT * FROM events), \
               period => 'hour', periods => 1) WHERE cohort_size > 0 ORDER BY 2";
    let expected = ["Timestamp(ns) 2024-03-29T23:00:00 1", "Timestamp(ns) 2024-03-30T12:00:00 1"];
    assert_eq!(text(&events().await, sql).await, expected);
}

/// Decimals keep their scale; a mean is over the rows that have a value.
#[tokio::test]
async fn values_are_summed() {
    let sql = "SELECT cohort, period, value_sum, value_mean, arrow_typeof(value_sum) FROM retention_matrix( \
               (SELECT * FROM events), value => amount, periods => 2, to => DATE '2024-03-31') ORDER BY 1, 2";
    let expected = [
        "2024-03-29 0 1.1000 1.1 Decimal128(38, 4)",
        "2024-03-29 1 5.5000 2.75 Decimal128(38, 4)",
        "2024-03-30 0 0.0000  Decimal128(38, 4)",
        "2024-03-30 1 0.1000 0.1 Decimal128(38, 4)",
    ];
    assert_eq!(text(&events().await, sql).await, expected);
}

#[tokio::test]
async fn nothing_gives_no_rows() {
    let context = events().await;
    for function in ["retention_matrix", "stickiness", "lifecycle", "active_users"] {
        for arguments in ["", ", by => event", ", target => 'no such event'", ", target => NULL"] {
            let data = if arguments.contains("NULL") || arguments.is_empty() { "WHERE false" } else { "" };
            let data = if arguments.contains("by") { "WHERE ts IS NULL" } else { data };
            let sql = format!("SELECT * FROM {function}((SELECT * FROM events {data}){arguments})");
            assert_eq!(text(&context, &sql).await, [""; 0], "{sql}");
        }
    }
}

#[tokio::test]
async fn parameters_stand_for_values() {
    let context = events().await;
    let sql = "SELECT cohort, cohort_size, returned FROM retention_matrix((SELECT * FROM events), target => $1, \
               returning => event = $2, from => $3, as_of => $4, periods => 2) WHERE period = 1 ORDER BY 1";
    let instant = |text: &str| {
        ScalarValue::try_from_string(
            text.to_owned(),
            &arrow::datatypes::DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, None),
        )
        .unwrap()
    };
    let parameters = vec![
        ScalarValue::from("visit"),
        ScalarValue::from("buy"),
        instant("2024-03-29T00:00:00"),
        instant("2024-03-30T22:59:59"),
    ];
    let batches =
        context.sql(sql).await.unwrap().with_param_values(parameters).unwrap().collect().await.unwrap();
    let found = pretty_format_batches(&batches).unwrap().to_string();
    assert!(found.contains("| 2024-03-29 | 1           | 1        |"), "{found}");
    assert!(found.contains("| 2024-03-30 | 1           |          |"), "{found}");
}

/// A saved cohort is a table: it stands in WHERE, in joins, beside other reports.
#[tokio::test]
async fn saved_cohorts_are_tables() {
    let context = events().await;
    for sql in [
        "CREATE TABLE buyers AS SELECT DISTINCT user_id FROM events WHERE event = 'buy'",
        "CREATE VIEW buyer_retention AS SELECT * FROM retention_matrix( \
         (SELECT * FROM events WHERE user_id IN (SELECT user_id FROM buyers)), periods => 2)",
    ] {
        context.sql(sql).await.unwrap().collect().await.unwrap();
    }
    let sql =
        "SELECT cohort, cohort_size, returned FROM buyer_retention WHERE period = 1 AND cohort_size > 0";
    assert_eq!(text(&context, sql).await, ["2024-03-29 1 1"]);
    // As groups: who is in the cohort against who is not.
    let sql = "SELECT by, sum(cohort_size), sum(returned) FROM retention_matrix( \
               (SELECT e.*, b.user_id IS NOT NULL AS is_buyer FROM events e LEFT JOIN buyers b ON e.user_id = b.user_id), \
               by => is_buyer, periods => 2) WHERE period = 1 GROUP BY by ORDER BY by";
    assert_eq!(text(&context, sql).await, ["false 1 1", "true 1 1"]);
    let sql = "SELECT m.cohort, s.persons FROM retention_matrix((SELECT * FROM events), periods => 1) AS m \
               JOIN stickiness((SELECT * FROM events)) AS s ON s.periods = m.cohort_size \
               WHERE m.cohort < DATE '2024-03-30'";
    assert_eq!(text(&context, sql).await, ["2024-03-29 0"]);
}

/// Known from before: nobody is new in their first active period.
#[tokio::test]
async fn lifecycle_with_a_time_of_registration() {
    let data = "(SELECT column1 AS user_id, column2 AS ts, column3 AS registered FROM (VALUES \
                ('ann', DATE '2024-05-02', DATE '2024-05-02'), ('ann', DATE '2024-05-03', NULL), \
                ('ben', DATE '2024-05-02', DATE '2024-04-01'), ('cem', DATE '2024-05-03', CAST(NULL AS DATE))))";
    let sql = format!(
        "SELECT period, new, \"returning\", resurrecting, dormant FROM lifecycle({data}, first_seen => registered) \
         ORDER BY period"
    );
    assert_eq!(text(&context(), &sql).await, ["2024-05-02 1 0 1 0", "2024-05-03 1 1 0 -1"]);
}

/// One wrong time makes an answer that no memory holds.
#[tokio::test]
async fn answers_that_are_too_long_are_refused() {
    let data = "(SELECT 1 AS user_id, ts FROM (VALUES (TIMESTAMP '1700-01-01 00:00:00'), (TIMESTAMP '2200-01-01 00:00:00')) AS t (ts))";
    let sql = format!("SELECT * FROM retention_matrix({data}, period => 'hour')");
    let text = error(&context(), &sql).await;
    assert!(
        text.contains("retention_matrix: the answer has more than 10000000 rows; give a shorter range"),
        "{text}"
    );
    let short =
        format!("SELECT count(*) FROM retention_matrix({data}, period => 'hour', from => DATE '2199-12-31')");
    assert_eq!(numbers(&context(), &short).await, vec![vec![Some(25 * 11)]]);
}

/// Columns and their types, as tools see them.
#[tokio::test]
async fn columns_are_flat() {
    let context = events().await;
    for (call, columns) in [
        (
            "retention_matrix((SELECT * FROM events))",
            "cohort period cohort_size returned rate rate_low rate_high",
        ),
        (
            "retention_matrix((SELECT * FROM events), by => event, value => 1)",
            "by cohort period cohort_size returned rate rate_low rate_high value_sum value_mean",
        ),
        ("stickiness((SELECT * FROM events), by => event)", "by periods persons share at_least"),
        ("lifecycle((SELECT * FROM events))", "period new returning resurrecting dormant"),
        ("active_users((SELECT * FROM events), by => event)", "by day dau wau mau dau_wau dau_mau"),
    ] {
        let frame = context.sql(&format!("SELECT * FROM {call}")).await.unwrap();
        let names: Vec<&str> = frame.schema().fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names.join(" "), columns, "{call}");
        assert!(frame.schema().fields().iter().all(|field| !field.data_type().is_nested()), "{call}");
        let batches = frame.collect().await.unwrap();
        if let Some(batch) = batches.first().filter(|_| columns.starts_with("by")) {
            assert!(
                batch.column(0).as_string_view_opt().is_some()
                    || batch.column(0).as_string_opt::<i32>().is_some()
            );
        }
    }
}

/// One person who never stops: an event every 37 seconds for 14 months.
#[tokio::test]
async fn one_person_with_a_million_events() {
    let mut context = SessionContext::new();
    wayfare_udfs::register_all(&mut context).unwrap();
    context.register_relation_planner(wayfare_udfs::table::relation_planner()).unwrap();
    let events = 1_000_000;
    let data = format!(
        "(SELECT 1 AS user_id, to_timestamp_seconds(1704067200 + value * 37) AS ts, 1 AS amount \
         FROM generate_series(0, {}))",
        events - 1
    );
    // Active in every hour; the last ten cohorts have less than eleven periods.
    let hours = (events - 1) * 37 / 3_600 + 1;
    let sql = format!(
        "SELECT count(*), sum(returned) FROM retention_matrix({data}, kind => 'recurring', period => 'hour')"
    );
    assert_eq!(numbers(&context, &sql).await, vec![vec![Some(hours * 11), Some(hours * 11 - 55)]]);
    // Every start opens windows, and each return counts once in a cohort and column.
    let sql = format!(
        "SELECT max(value_sum), sum(cohort_size) FILTER (WHERE period = 0) FROM retention_matrix({data}, \
         kind => 'recurring', windows => '24h', mode => 'on_or_after', value => amount, periods => 30) WHERE period <> 1"
    );
    let days = (events - 1) * 37 / 86_400 + 1;
    // Two days after the first hour: 172,800 / 37 = 4,670.3 events came before.
    assert_eq!(numbers(&context, &sql).await, vec![vec![Some(events - 4_671), Some(days)]]);
    let sql = format!("SELECT periods, persons FROM stickiness({data}, period => 'hour') WHERE persons > 0");
    assert_eq!(numbers(&context, &sql).await, vec![vec![Some(hours), Some(1)]]);
    let sql =
        format!("SELECT sum(new), sum(\"returning\"), sum(dormant) FROM lifecycle({data}, period => 'hour')");
    assert_eq!(numbers(&context, &sql).await, vec![vec![Some(1), Some(hours - 1), Some(0)]]);
}
