//! simple_shop, loaded as a user would, against every published figure of sessions and funnels.

use serde_json::{Map, Value, json};
use wayfare_datasets::simple_shop;

use super::answers::{Answers, assert_close, assert_not_covered, parse};
use super::attribution::Question;
use super::retention::{Period, after_days, assert_matrix, cohorts};
use super::support::{Place, figure};

/// Rows that are actions of a shopper.
pub(super) const ANALYSIS: &str = "event <> 'lost'";
/// Longer than the data set.
const NO_WINDOW: &str = "INTERVAL '100000 days'";
/// Keys of other families: what they need is not there yet, or belongs to another test.
const NOT_COVERED: [&str; 0] = [];

pub(super) fn load() -> Answers {
    let place = Place::new();
    simple_shop::write_to(&place.path("data")).expect("the bundled file");
    let report = place.ok(&["load", "--map", "ts=timestamp", "data"]);
    assert_eq!(figure(&report, "rows loaded"), simple_shop::ROWS, "{report}");
    Answers::new(place, simple_shop::answers_json(), "")
}

/// The condition of a funnel stage: one event or a list of them.
fn condition(stage: &Value) -> String {
    let names: Vec<String> = match stage {
        Value::Array(events) => events.iter().map(quoted).collect(),
        event => vec![quoted(event)],
    };
    match names.as_slice() {
        [name] => format!("event = {name}"),
        names => format!("event IN ({})", names.join(", ")),
    }
}

fn quoted(event: &Value) -> String {
    format!("'{}'", event.as_str().expect("an event"))
}

fn conditions(stages: &Value) -> Vec<String> {
    stages.as_array().expect("stages").iter().map(condition).collect()
}

/// A closed funnel: each row strictly after the one before.
fn closed_funnel(window: &str, stages: &Value) -> String {
    format!("window_funnel({window}, 'strict_increase', ts, {})", conditions(stages).join(", "))
}

/// The rows of the analysis with the number of their session.
pub(super) fn numbered(gap: &str) -> String {
    format!(
        "(SELECT *, sessionize(ts, {gap}) OVER (PARTITION BY user_id ORDER BY ts) AS session \
         FROM touchpoints WHERE {ANALYSIS})"
    )
}

/// One row for each session.
fn sessions(gap: &str) -> String {
    format!("sessions((SELECT * FROM touchpoints WHERE {ANALYSIS}), gap => {gap})")
}

#[test]
fn counts() {
    let shop = load();
    for (key, expected) in shop.object(&["counts"]) {
        let value = |sql: &str| shop.assert_value(expected, sql);
        let pairs = |sql: &str| shop.assert_pairs(expected, sql);
        match key.as_str() {
            "rows_all" => value("SELECT count(*) FROM touchpoints"),
            "rows_analysis" => value(&format!("SELECT count(*) FROM touchpoints WHERE {ANALYSIS}")),
            "users" => value("SELECT count(DISTINCT user_id) FROM touchpoints"),
            "first_ts" => value(&instant("min(ts)")),
            "last_ts" => value(&instant("max(ts)")),
            "tied_rows_same_user_and_timestamp" => value(
                "SELECT count(*) FROM (SELECT count(*) AS n FROM touchpoints GROUP BY user_id, ts) WHERE n > 1",
            ),
            "events_by_name" => pairs(&format!(
                "SELECT event, count(*) AS n FROM touchpoints WHERE {ANALYSIS} GROUP BY event ORDER BY event"
            )),
            "users_by_event" => pairs(&format!(
                "SELECT event, count(DISTINCT user_id) AS n FROM touchpoints WHERE {ANALYSIS} \
                 GROUP BY event ORDER BY event"
            )),
            "full_set_users_by_event" => pairs(
                "SELECT event, count(DISTINCT user_id) AS n FROM touchpoints GROUP BY event ORDER BY event",
            ),
            other => panic!("counts.{other} is not checked"),
        }
    }
    for (key, times) in [("users_with_cart_ge1", 1), ("users_with_cart_ge2", 2)] {
        let users = format!(
            "SELECT count(*) FROM (SELECT user_id FROM touchpoints WHERE event = 'cart' \
             GROUP BY user_id HAVING count(*) >= {times})"
        );
        shop.assert_value(shop.at(&[key]), &users);
    }
}

fn instant(aggregate: &str) -> String {
    format!("SELECT to_char({aggregate}, '%Y-%m-%d %H:%M:%S%.6f') FROM touchpoints WHERE {ANALYSIS}")
}

#[test]
fn thirty_minute_sessions() {
    let shop = load();
    let mut expected = shop.object(&["sessions_30min"]).clone();
    let count = |gap: &str| format!("SELECT count(*) FROM {}", sessions(gap));
    let timeouts = expected.remove("by_timeout_minutes").expect("an object");
    for (minutes, expected) in timeouts.as_object().expect("an object") {
        shop.assert_value(expected, &count(&format!("INTERVAL '{minutes} minutes'")));
    }
    let at_least = expected.remove("count_gap_ge").expect("a count");
    shop.assert_value(&at_least, &count("INTERVAL '30 minutes', inclusive => true"));
    let by_rows = numbered("INTERVAL '30 minutes'");
    let count_by_rows = format!("SELECT count(DISTINCT concat(user_id, ' ', session)) FROM {by_rows}");
    shop.assert_value(&expected["count_gap_gt"], &count_by_rows);
    let columns = [
        ("count_gap_gt", "count(*)"),
        ("mean_events", "avg(events)"),
        ("median_events", "median(CAST(events AS DOUBLE))"),
        ("max_events", "max(events)"),
        ("single_event_sessions", "count(*) FILTER (WHERE events = 1)"),
        ("mean_duration_s", "avg(duration_seconds)"),
        ("median_duration_s", "median(duration_seconds)"),
        ("max_duration_s", "max(duration_seconds)"),
        ("sessions_per_user_mean", "CAST(count(*) AS DOUBLE) / count(DISTINCT user_id)"),
        ("max_sessions_one_user", "max(session_number)"),
    ];
    shop.assert_columns(&expected, &columns, &sessions("INTERVAL '30 minutes'"));
    let all_rows = shop.at(&["sessions_30min_all_rows_with_lost"]);
    shop.assert_value(all_rows, "SELECT count(*) FROM journey.sessions");
}

#[test]
fn funnels_of_users() {
    let shop = load();
    for funnel in shop.list(&["funnels_users"]) {
        let stages = &funnel["stages"];
        let steps = conditions(stages);
        let levels = format!(
            "SELECT user_id, {} AS level FROM touchpoints WHERE {ANALYSIS} GROUP BY user_id",
            closed_funnel(NO_WINDOW, stages)
        );
        assert_eq!(shop.reached(&levels, steps.len()), funnel["closed"], "closed {stages}");
        assert_eq!(persons(&shop, stages, NO_WINDOW), funnel["closed"], "closed {stages}");
        assert_eq!(shop.with_each("user_id", &steps, "touchpoints"), funnel["open"], "open {stages}");
    }
}

#[test]
fn funnels_of_users_in_a_window() {
    let shop = load();
    for funnel in shop.list(&["funnels_users_windowed"]) {
        let stages = &funnel["stages"];
        let window = format!("INTERVAL '{} seconds'", funnel["window_s"]);
        assert_eq!(persons(&shop, stages, &window), funnel["counts"], "{funnel}");
        let levels = format!(
            "SELECT user_id, {} AS level FROM touchpoints WHERE {ANALYSIS} GROUP BY user_id",
            closed_funnel(&window, stages)
        );
        assert_eq!(shop.reached(&levels, conditions(stages).len()), funnel["counts"], "{funnel}");
    }
}

#[test]
fn funnels_of_sessions() {
    let shop = load();
    for funnel in shop.list(&["funnels_sessions"]) {
        let stages = &funnel["stages"];
        assert_eq!(persons(&shop, stages, "'session', count => 'sessions'"), funnel["closed"], "{stages}");
        let levels = format!(
            "SELECT user_id, session, {} AS level FROM {} GROUP BY user_id, session",
            closed_funnel(NO_WINDOW, stages),
            numbered("INTERVAL '30 minutes'")
        );
        assert_eq!(shop.reached(&levels, conditions(stages).len()), funnel["closed"], "{stages}");
    }
}

/// The column `persons` of the table function, step by step.
fn persons(shop: &Answers, stages: &Value, within: &str) -> Value {
    let rows = shop.tuples(&format!(
        "SELECT persons FROM funnel((SELECT * FROM touchpoints WHERE {ANALYSIS}), \
         steps => [{}], within => {within}) ORDER BY step",
        conditions(stages).join(", ")
    ));
    rows.into_iter().flatten().collect()
}

#[test]
fn funnels_of_monthly_cohorts() {
    let shop = load();
    let stages = &shop.list(&["funnels_users"])[1]["stages"];
    let levels = format!(
        "SELECT to_char(min(ts), '%Y-%m') AS month, {} AS level FROM touchpoints \
         WHERE {ANALYSIS} GROUP BY user_id",
        closed_funnel(NO_WINDOW, stages)
    );
    for (month, expected) in shop.object(&["funnel_segments"]) {
        let of_month = format!("SELECT level FROM ({levels}) WHERE month = '{month}'");
        assert_eq!(shop.reached(&of_month, conditions(stages).len()), *expected, "{month}");
    }
}

#[test]
fn figures_of_the_authors() {
    let shop = load();
    let published = shop.object(&["published"]);
    let half_hours = sessions("INTERVAL '30 minutes'");
    // Their sessions have an event for the start and one for the end.
    let of_sessions = |what: &str| shop.value(&format!("SELECT {what} FROM {half_hours}"));
    let users = format!(
        "(SELECT CAST(arrow_cast(max(ts), 'Int64') - arrow_cast(min(ts), 'Int64') AS DOUBLE) / 1e6 AS seconds \
         FROM touchpoints WHERE {ANALYSIS} GROUP BY user_id)"
    );
    let duration = |what: &str, from: &str| {
        shop.value(&format!(
            "SELECT concat(s / 86400, ' days ', to_char(to_timestamp(s), '%H:%M:%S')) \
             FROM (SELECT CAST(round({what}) AS BIGINT) AS s FROM {from})"
        ))
    };
    let share_of_users =
        |count: &str| shop.value(&format!("SELECT round({} / 3751.0, 3)", shop.at(&[count])));
    let funnels = shop.list(&["funnels_users"]);
    for (key, expected) in published {
        let actual = match key.as_str() {
            "source" => continue,
            "events" => shop.value(&format!("SELECT count(*) FROM touchpoints WHERE {ANALYSIS}")),
            "users" => shop.value("SELECT count(DISTINCT user_id) FROM touchpoints"),
            "users_by_event" => shop.object(&["counts"])["users_by_event"].clone(),
            "sessions_timeout_30min" => of_sessions("count(*)"),
            "session_length_steps_mean_incl_2_synthetic_events" => of_sessions("round(avg(events + 2), 1)"),
            "session_length_steps_max_incl_2_synthetic" => of_sessions("max(events + 2)"),
            "session_length_time_mean" => duration("avg(duration_seconds)", &half_hours),
            "session_length_time_median" => duration("median(duration_seconds)", &half_hours),
            "session_length_time_max" => duration("max(duration_seconds)", &half_hours),
            "path_length_time_mean" => duration("avg(seconds)", &users),
            "path_length_time_median" => duration("median(seconds)", &users),
            // These are checked by SQL in other tests; here, that they agree.
            "users_cart_at_least_once_share" => share_of_users("users_with_cart_ge1"),
            "users_cart_at_least_twice_share" => share_of_users("users_with_cart_ge2"),
            // With retention and with paths.
            "cohort_month_rates" | "before_first_cart_share" | "step_matrix_first_step_share" => continue,
            "funnel_closed_catalog_cart_payment_done" => funnels[0]["closed"].clone(),
            "funnel_product_stage_after_catalog" => funnels[1]["closed"][1].clone(),
            "funnel_segment_rates_2020_01_vs_2020_02_pct" => segment_rates(shop.object(&["funnel_segments"])),
            other => panic!("published.{other} is not checked"),
        };
        assert_close(&actual, expected, key);
    }
}

/// Rates from step to step in per cent, of the cohorts of January and February 2020.
fn segment_rates(segments: &Map<String, Value>) -> Value {
    let rate = |from: usize, to: usize| {
        let of_month = |month: &str| {
            let count = |step: usize| segments[month][step].as_f64().expect("a count");
            (count(to) / count(from) * 100.0).round() as i64
        };
        json!([of_month("2020-01"), of_month("2020-02")])
    };
    json!({
        "catalog->product": rate(0, 1),
        "product->cart": rate(1, 2),
        "cart->payment_done": rate(2, 3),
        "catalog->payment_done": rate(0, 3),
    })
}

#[test]
fn retention() {
    let shop = load();
    let from = format!("(SELECT * FROM touchpoints WHERE {ANALYSIS})");
    for (key, period) in [("retention_month_counts", Period::Month), ("retention_week_counts", Period::Week)]
    {
        assert_matrix(&shop, period, &from, shop.at(&[key]));
    }
    retention_of_months(&shop, &from);
    let all = shop.object(&["retention_day_N_all_users"]);
    let days: Vec<u64> = all.keys().map(|day| day.parse().expect("a number of days")).collect();
    let eligible = shop.object(&["retention_day_N_eligible"]);
    for ((day, expected), pair) in all.iter().zip(after_days(&shop, &days, &from)) {
        assert_eq!(pair[0], *expected, "day {day}");
        if let Some(expected) = eligible.get(day) {
            assert_eq!(json!(pair), *expected, "day {day}");
        }
    }
    assert!(eligible.keys().all(|day| all.contains_key(day)));
}

/// Rates, as the answers pad them with 0 and as the authors print them, without those at the end that are 0 or unknown;
/// and counts once more in plain SQL.
fn retention_of_months(shop: &Answers, from: &str) {
    let padded = shop.object(&["retention_month_rate"]);
    let printed = shop.object(&["published", "cohort_month_rates"]);
    let months = cohorts(shop, Period::Month, from, padded.len() - 1);
    assert_eq!((months.len(), months.len()), (padded.len(), printed.len()));
    for month in &months {
        let name = &month.name;
        for expected in [&padded[name], &printed[name]] {
            let expected = expected.as_array().expect("rates");
            for index in 0..expected.len().max(month.rates.len()) {
                let rate = month.rates.get(index).copied().unwrap_or(0.0);
                assert_close(&json!(rate), expected.get(index).unwrap_or(&json!(0.0)), name);
            }
        }
    }
    let plain = shop.tuples(&format!(
        "WITH active AS (SELECT DISTINCT user_id, date_trunc('month', ts) AS month FROM {from}),
              starts AS (SELECT user_id, min(month) AS start FROM active GROUP BY user_id)
         SELECT to_char(start, '%Y-%m') AS cohort, count(*) AS people
         FROM active JOIN starts USING (user_id) GROUP BY start, month ORDER BY start, month"
    ));
    // A month in which nobody came back has no row there.
    let counts = months.iter().flat_map(|month| {
        let some = month.returned.iter().filter(|count| **count > 0);
        some.map(|count| json!([month.name, count]))
    });
    assert_eq!(plain.into_iter().map(Value::Array).collect::<Vec<_>>(), counts.collect::<Vec<_>>());
}

#[test]
fn attribution() {
    // Touches are visits of the catalog before the first payment; what comes after it takes no part.
    let data = "SELECT user_id, ts, CASE WHEN event = 'payment_done' THEN 'purchase' ELSE 'touch' END AS event,
                       CASE WHEN event <> 'payment_done' THEN event END AS channel
                FROM (SELECT *, min(CASE WHEN event = 'payment_done' THEN ts END) OVER (PARTITION BY user_id) AS paid
                      FROM touchpoints)
                WHERE event IN ('main', 'catalog', 'product1', 'product2', 'cart', 'payment_done')
                  AND (paid IS NULL OR ts <= paid)";
    Question { data, answers: &load() }.assert_all();
}

#[test]
fn what_is_not_covered() {
    let covered = [
        "attribution",
        "counts",
        // With paths.
        "distinct_session_paths",
        "distinct_user_paths",
        "event_before_first_cart_share",
        "step_matrix_first_10_steps_share",
        "top_session_paths",
        "top_user_paths",
        "transitions_session_top30",
        "transitions_user_path",
        "trigrams_session_top15",
        "funnel_segments",
        "funnels_sessions",
        "funnels_users",
        "funnels_users_windowed",
        "published",
        "retention_day_N_all_users",
        "retention_day_N_eligible",
        "retention_month_counts",
        "retention_month_rate",
        "retention_week_counts",
        "sessions_30min",
        "sessions_30min_all_rows_with_lost",
        "users_with_cart_ge1",
        "users_with_cart_ge2",
    ];
    assert_not_covered("simple_shop", &parse(simple_shop::answers_json()), &covered, &NOT_COVERED);
}
