//! simple_shop, loaded as a user would, against every published figure of sessions and funnels.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use wayfare_datasets::simple_shop;

use super::support::{Place, figure};
use crate::support::tell;

/// Rows that are actions of a shopper.
const ANALYSIS: &str = "event <> 'lost'";
/// Longer than the data set.
const NO_WINDOW: &str = "INTERVAL '100000 days'";
/// Figures in the file have this many decimals.
const ROUNDING: f64 = 0.5e-6 + 1e-9;
/// Keys of other families: what they need is not there yet, or belongs to another test.
const NOT_COVERED: [&str; 17] = [
    "attribution",
    "distinct_session_paths",
    "distinct_user_paths",
    "event_before_first_cart_share",
    "retention_day_N_all_users",
    "retention_day_N_eligible",
    "retention_month_counts",
    "retention_month_rate",
    "retention_week_counts",
    "step_matrix_first_10_steps_share",
    "top_session_paths",
    "top_user_paths",
    "transitions_session_top30",
    "transitions_user_path",
    "trigrams_session_top15",
    "users_with_cart_ge1",
    "users_with_cart_ge2",
];
/// The same for what the authors' documentation tells.
const PUBLISHED_NOT_COVERED: [&str; 7] = [
    "before_first_cart_share",
    "cohort_month_rates",
    "path_length_time_mean",
    "path_length_time_median",
    "step_matrix_first_step_share",
    "users_cart_at_least_once_share",
    "users_cart_at_least_twice_share",
];

struct Shop {
    place: Place,
    answers: Map<String, Value>,
}

impl Shop {
    fn load() -> Self {
        let place = Place::new();
        simple_shop::write_to(&place.path("data")).expect("the bundled file");
        let report = place.ok(&["load", "--map", "ts=timestamp", "data"]);
        assert_eq!(figure(&report, "rows loaded"), simple_shop::ROWS, "{report}");
        let answers = serde_json::from_str(simple_shop::answers_json()).expect("a JSON object");
        Self { place, answers }
    }

    fn object(&self, key: &str) -> &Map<String, Value> {
        self.answers[key].as_object().expect("an object")
    }

    fn list(&self, key: &str) -> &Vec<Value> {
        self.answers[key].as_array().expect("a list")
    }

    fn assert_value(&self, expected: &Value, sql: &str) {
        assert_close(&self.place.value(sql), expected, sql);
    }

    /// Two columns, name and number, as an object.
    fn assert_pairs(&self, expected: &Value, sql: &str) {
        let mut pairs = Map::new();
        for row in self.place.rows(sql) {
            let mut columns = row.as_object().expect("an object").values();
            let (name, value) = (columns.next().expect("a name"), columns.next().expect("a value"));
            pairs.insert(name.as_str().expect("text").to_owned(), value.clone());
        }
        assert_eq!(Value::Object(pairs), *expected, "{sql}");
    }

    /// How many of the groups that `levels_sql` gives a `level` reached each of `steps` steps.
    fn reached(&self, levels_sql: &str, steps: usize) -> Value {
        let counts: Vec<String> = (1..=steps)
            .map(|step| format!("count(*) FILTER (WHERE level >= {step}) AS step_{step}"))
            .collect();
        let rows = self.place.rows(&format!("SELECT {} FROM ({levels_sql})", counts.join(", ")));
        Value::Array(rows[0].as_object().expect("an object").values().cloned().collect())
    }
}

/// Numbers are equal up to the rounding of the file, all else exactly.
fn assert_close(actual: &Value, expected: &Value, what: &str) {
    match (actual.as_f64(), expected.as_f64()) {
        (Some(a), Some(e)) => assert!((a - e).abs() <= ROUNDING, "{a} is not {e}: {what}"),
        _ => assert_eq!(actual, expected, "{what}"),
    }
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
fn numbered(gap: &str) -> String {
    format!(
        "(SELECT *, sessionize(ts, {gap}) OVER (PARTITION BY user_id ORDER BY ts) AS session \
         FROM touchpoints WHERE {ANALYSIS})"
    )
}

/// One row for each session: user, number of events, seconds.
fn sessions(gap: &str) -> String {
    format!(
        "(SELECT user_id, session, count(*) AS events, \
         CAST(arrow_cast(max(ts), 'Int64') - arrow_cast(min(ts), 'Int64') AS DOUBLE) / 1e6 AS seconds \
         FROM {} GROUP BY user_id, session)",
        numbered(gap)
    )
}

#[test]
fn counts() {
    let shop = Shop::load();
    for (key, expected) in shop.object("counts") {
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
}

fn instant(aggregate: &str) -> String {
    format!("SELECT to_char({aggregate}, '%Y-%m-%d %H:%M:%S%.6f') FROM touchpoints WHERE {ANALYSIS}")
}

#[test]
fn thirty_minute_sessions() {
    let shop = Shop::load();
    let of_sessions = |what: &str| format!("SELECT {what} FROM {}", sessions("INTERVAL '30 minutes'"));
    let count = "SELECT count(*) FROM ";
    for (key, expected) in shop.object("sessions_30min") {
        let sql = match key.as_str() {
            "count_gap_gt" => of_sessions("count(*)"),
            // A gap that also ends a session at its exact length is one that is a microsecond shorter.
            "count_gap_ge" => format!("{count}{}", sessions("INTERVAL '1799.999999 seconds'")),
            "mean_events" => of_sessions("avg(events)"),
            "median_events" => of_sessions("median(CAST(events AS DOUBLE))"),
            "max_events" => of_sessions("max(events)"),
            "single_event_sessions" => of_sessions("count(*) FILTER (WHERE events = 1)"),
            "mean_duration_s" => of_sessions("avg(seconds)"),
            "median_duration_s" => of_sessions("median(seconds)"),
            "max_duration_s" => of_sessions("max(seconds)"),
            "sessions_per_user_mean" => of_sessions("CAST(count(*) AS DOUBLE) / count(DISTINCT user_id)"),
            "max_sessions_one_user" => of_sessions("max(session)"),
            "by_timeout_minutes" => {
                for (minutes, expected) in expected.as_object().expect("an object") {
                    let gap = format!("INTERVAL '{minutes} minutes'");
                    shop.assert_value(expected, &format!("{count}{}", sessions(&gap)));
                }
                continue;
            }
            other => panic!("sessions_30min.{other} is not checked"),
        };
        shop.assert_value(expected, &sql);
    }
    let all_rows = &shop.answers["sessions_30min_all_rows_with_lost"];
    shop.assert_value(all_rows, "SELECT count(*) FROM journey.sessions");
}

#[test]
fn funnels_of_users() {
    let shop = Shop::load();
    for funnel in shop.list("funnels_users") {
        let stages = &funnel["stages"];
        let steps = conditions(stages);
        let levels = format!(
            "SELECT user_id, {} AS level FROM touchpoints WHERE {ANALYSIS} GROUP BY user_id",
            closed_funnel(NO_WINDOW, stages)
        );
        assert_eq!(shop.reached(&levels, steps.len()), funnel["closed"], "closed {stages}");
        for (step, expected) in steps.iter().zip(funnel["open"].as_array().expect("counts")) {
            shop.assert_value(
                expected,
                &format!("SELECT count(DISTINCT user_id) FROM touchpoints WHERE {step}"),
            );
        }
    }
}

#[test]
fn funnels_of_users_in_a_window() {
    let shop = Shop::load();
    for funnel in shop.list("funnels_users_windowed") {
        let stages = &funnel["stages"];
        let window = format!("INTERVAL '{} seconds'", funnel["window_s"]);
        let levels = format!(
            "SELECT user_id, {} AS level FROM touchpoints WHERE {ANALYSIS} GROUP BY user_id",
            closed_funnel(&window, stages)
        );
        assert_eq!(shop.reached(&levels, conditions(stages).len()), funnel["counts"], "{funnel}");
    }
}

#[test]
fn funnels_of_sessions() {
    let shop = Shop::load();
    for funnel in shop.list("funnels_sessions") {
        let stages = &funnel["stages"];
        let levels = format!(
            "SELECT user_id, session, {} AS level FROM {} GROUP BY user_id, session",
            closed_funnel(NO_WINDOW, stages),
            numbered("INTERVAL '30 minutes'")
        );
        assert_eq!(shop.reached(&levels, conditions(stages).len()), funnel["closed"], "{stages}");
    }
}

#[test]
fn funnels_of_monthly_cohorts() {
    let shop = Shop::load();
    let stages = &shop.list("funnels_users")[1]["stages"];
    let levels = format!(
        "SELECT to_char(min(ts), '%Y-%m') AS month, {} AS level FROM touchpoints \
         WHERE {ANALYSIS} GROUP BY user_id",
        closed_funnel(NO_WINDOW, stages)
    );
    for (month, expected) in shop.object("funnel_segments") {
        let of_month = format!("SELECT level FROM ({levels}) WHERE month = '{month}'");
        assert_eq!(shop.reached(&of_month, conditions(stages).len()), *expected, "{month}");
    }
}

#[test]
fn figures_of_the_authors() {
    let shop = Shop::load();
    let published = shop.object("published");
    let half_hours = sessions("INTERVAL '30 minutes'");
    // Their sessions have an event for the start and one for the end.
    let of_sessions = |what: &str| shop.place.value(&format!("SELECT {what} FROM {half_hours}"));
    let seconds = |what: &str| {
        of_sessions(&format!("concat('0 days ', to_char(to_timestamp(round({what})), '%H:%M:%S'))"))
    };
    let funnels = shop.list("funnels_users");
    let mut not_covered = BTreeSet::new();
    for (key, expected) in published {
        let actual = match key.as_str() {
            "source" => continue,
            "events" => shop.place.value(&format!("SELECT count(*) FROM touchpoints WHERE {ANALYSIS}")),
            "users" => shop.place.value("SELECT count(DISTINCT user_id) FROM touchpoints"),
            "users_by_event" => shop.object("counts")["users_by_event"].clone(),
            "sessions_timeout_30min" => of_sessions("count(*)"),
            "session_length_steps_mean_incl_2_synthetic_events" => of_sessions("round(avg(events + 2), 1)"),
            "session_length_steps_max_incl_2_synthetic" => of_sessions("max(events + 2)"),
            "session_length_time_mean" => seconds("avg(seconds)"),
            "session_length_time_median" => seconds("median(seconds)"),
            "session_length_time_max" => seconds("max(seconds)"),
            // These are checked by SQL in the tests above; here, that they agree.
            "funnel_closed_catalog_cart_payment_done" => funnels[0]["closed"].clone(),
            "funnel_product_stage_after_catalog" => funnels[1]["closed"][1].clone(),
            "funnel_segment_rates_2020_01_vs_2020_02_pct" => segment_rates(shop.object("funnel_segments")),
            _ => {
                not_covered.insert(key.as_str());
                continue;
            }
        };
        assert_close(&actual, expected, key);
    }
    assert_eq!(not_covered, BTreeSet::from(PUBLISHED_NOT_COVERED));
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
fn what_is_not_covered() {
    let covered = [
        "counts",
        "sessions_30min",
        "sessions_30min_all_rows_with_lost",
        "funnels_users",
        "funnels_users_windowed",
        "funnels_sessions",
        "funnel_segments",
        "published",
    ];
    let answers: Map<String, Value> =
        serde_json::from_str(simple_shop::answers_json()).expect("a JSON object");
    let others: BTreeSet<&str> =
        answers.keys().map(String::as_str).filter(|key| !covered.contains(key)).collect();
    for key in &others {
        tell(format!("not covered: {key}"));
    }
    for key in PUBLISHED_NOT_COVERED {
        tell(format!("not covered: published.{key}"));
    }
    assert_eq!(others, BTreeSet::from(NOT_COVERED));
    // Nothing of sessions and funnels is among them, except paths through sessions.
    assert!(others.iter().all(|key| !key.contains("funnel") && !key.starts_with("sessions")));
}
