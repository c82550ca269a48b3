//! weblog_2015, loaded as a user would, against its figures of requests, sessions, funnels and retention.

use wayfare_datasets::weblog_2015;

use super::answers::{Answers, assert_not_covered, parse};
use super::attribution::Question;
use super::retention::{Period, assert_matrix};
use super::support::{Place, figure};

/// Keys of other families.
const NOT_COVERED: [&str; 0] = [];
const COVERED: [&str; 16] = [
    "attribution",
    "channel_of_page_rows",
    "counts",
    "funnel_sessions_pages",
    "funnel_users_pages",
    "page_groups_top15",
    "published",
    "retention_day_counts",
    "session_channel",
    "sessions_by_ip",
    "sessions_by_ip_and_user_agent",
    "sessions_pages_only",
    "top10_ip",
    "top10_path",
    // With paths.
    "top_session_paths_page_group",
    "top_session_paths_page_group_collapsed",
];

/// What the questions are about: all requests, and those of them that are pages a person looked at.
const VIEWS: &str = r"
CREATE OR REPLACE VIEW requests AS
SELECT concat(user_id, '|', user_agent) AS user_id, user_id AS address, ts, CAST(event_id AS BIGINT) AS line_no,
       method, CAST(status AS INT) AS status, CAST(bytes AS BIGINT) AS bytes, page,
       split_part(page, '?', 1) AS path, split_part(split_part(referrer, '/', 3), ':', 1) AS referring_host
FROM touchpoints;
CREATE OR REPLACE VIEW pages AS
SELECT user_id, ts, line_no,
       -- Rows of one second count as they stand in the log.
       CAST(date_part('epoch', ts) AS BIGINT) * 100000 + line_no AS place,
       concat('/', split_part(path, '/', 2)) AS page_group,
       CASE WHEN referring_host = '' THEN 'direct'
            WHEN concat('.', referring_host) LIKE '%.semicomplete.com' THEN 'internal'
            WHEN concat('.', referring_host) LIKE '%.google.%' THEN 'google'
            WHEN regexp_like(referring_host, '(bing|yahoo|duckduckgo|yandex|baidu)\.') THEN 'other_search'
            ELSE 'referral' END AS channel
FROM requests
WHERE method = 'GET' AND status IN (200, 304) AND NOT regexp_like(path, '\.(png|jpg|jpeg|gif|ico|css|js|svg|xml|txt|gz|zip|pdf|mp4|webm|woff|ttf|eot|swf|cfg|rb|sh|py|c|h|jar|key|tgz|bz2|rpm|deb|iso|mp3|log)$');
";
/// More than the numbers in `place` span.
const NO_WINDOW: &str = "1000000000000000";

pub(super) fn load() -> Answers {
    let place = Place::new();
    weblog_2015::write_to(&place.path("data")).expect("the bundled file");
    let map = "ts=time_utc,user_id=client_ip,page=path,event_id=line_no";
    let report = place.ok(&["load", "--extra", "columns", "--set", "event=request", "--map", map, "data"]);
    assert_eq!(figure(&report, "rows loaded"), weblog_2015::ROWS, "{report}");
    Answers::new(place, weblog_2015::answers_json(), VIEWS)
}

/// The rows of `from` with the number of their session; `who` has one.
fn numbered(from: &str, who: &str, gap: &str) -> String {
    format!("(SELECT *, sessionize(ts, {gap}) OVER (PARTITION BY {who} ORDER BY ts) AS session FROM {from})")
}

#[test]
fn requests() {
    let log = load();
    let mut counts = log.object(&["counts"]).clone();
    let mut groups = |key: &str, sql: &str| {
        log.assert_pairs(&counts.remove(key).expect("an object"), sql);
    };
    groups("status", "SELECT status, count(*) AS n FROM requests GROUP BY status");
    groups("methods", "SELECT method, count(*) AS n FROM requests GROUP BY method");
    groups(
        "requests_by_day",
        "SELECT to_char(ts, '%Y-%m-%d') AS day, count(*) AS n FROM requests GROUP BY day",
    );
    let columns = [
        ("lines", "max(line_no)"),
        ("parsed", "count(*)"),
        ("unique_client_ip", "count(DISTINCT address)"),
        ("unique_ip_user_agent", "count(DISTINCT user_id)"),
        ("first", "to_char(min(ts), '%Y-%m-%d %H:%M:%S')"),
        ("last", "to_char(max(ts), '%Y-%m-%d %H:%M:%S')"),
        ("bytes_sum", "sum(bytes)"),
        ("bytes_null", "count(*) FILTER (WHERE bytes IS NULL)"),
        ("rows_out_of_time_order_in_file", "count(*) FILTER (WHERE ts < before)"),
    ];
    log.assert_columns(
        &counts,
        &columns,
        "(SELECT *, lag(ts) OVER (ORDER BY line_no) AS before FROM requests)",
    );

    let top = |column: &str, from: &str, rows: u32| {
        format!("SELECT {column}, count(*) AS n FROM {from} GROUP BY {column} ORDER BY n DESC LIMIT {rows}")
    };
    log.assert_tuples(log.at(&["top10_ip"]), &top("address", "requests", 10));
    log.assert_tuples(log.at(&["top10_path"]), &top("page", "requests", 10));
    log.assert_tuples(log.at(&["page_groups_top15"]), &top("page_group", "pages", 15));
    log.assert_pairs(log.at(&["channel_of_page_rows"]), &top("channel", "pages", 15));
    for (key, published) in log.object(&["published"]) {
        if key == "requests" {
            assert_eq!(*published, log.at(&["counts"])["parsed"]);
        } else {
            assert!(key.starts_with("top10_requests_by_ip"), "published.{key} is not checked");
            assert_eq!(published, log.at(&["top10_ip"]));
        }
    }
}

#[test]
fn sessions() {
    let log = load();
    for (key, from, who) in [
        ("sessions_by_ip", "requests", "address"),
        ("sessions_by_ip_and_user_agent", "requests", "user_id"),
        ("sessions_pages_only", "pages", "user_id"),
    ] {
        let sessions =
            |gap: &str| format!("sessions({from}, user_id => {who}, sequence => line_no, gap => {gap})");
        let mut expected = log.object(&[key]).clone();
        let user_key = expected.remove("user_key").expect("a text");
        assert!(user_key.as_str().expect("a text").starts_with("client_ip"));
        let timeouts = expected.remove("by_timeout_minutes").expect("an object");
        for (minutes, count) in timeouts.as_object().expect("an object") {
            let sessions = sessions(&format!("INTERVAL '{minutes} minutes'"));
            log.assert_value(count, &format!("SELECT count(*) FROM {sessions}"));
        }
        let at_least = sessions("INTERVAL '30 minutes', inclusive => true");
        let sql = format!("SELECT count(*) FROM {at_least}");
        log.assert_value(&expected.remove("sessions_gap_ge_1800").expect("a count"), &sql);
        let by_rows = numbered(from, who, "INTERVAL '30 minutes'");
        let count_by_rows = format!("SELECT count(DISTINCT concat({who}, ' ', session)) FROM {by_rows}");
        log.assert_value(&expected["sessions_gap_gt_1800"], &count_by_rows);
        let pauses = format!(
            "SELECT count(*) FILTER (WHERE second - before = 1800) FROM \
             (SELECT second, lag(second) OVER (PARTITION BY {who} ORDER BY second) AS before FROM \
             (SELECT {who}, date_part('epoch', ts) AS second FROM {from}))"
        );
        log.assert_value(&expected.remove("gaps_equal_1800s").expect("a count"), &pauses);
        let columns = [
            ("rows", "sum(events)"),
            ("users", "count(DISTINCT user_id)"),
            ("sessions_gap_gt_1800", "count(*)"),
            ("mean_events", "avg(events)"),
            ("max_events", "max(events)"),
            ("single_event", "count(*) FILTER (WHERE events = 1)"),
            ("mean_duration_s", "avg(duration_seconds)"),
            ("median_duration_s", "median(duration_seconds)"),
            ("max_duration_s", "max(duration_seconds)"),
        ];
        log.assert_columns(&expected, &columns, &sessions("INTERVAL '30 minutes'"));
    }
    // The channel of a session is that of its first row, by the order of the log within a second.
    let channels = "SELECT entry_channel, count(*) AS n \
                    FROM sessions(pages, sequence => line_no, gap => INTERVAL '30 minutes') GROUP BY entry_channel";
    log.assert_pairs(log.at(&["session_channel"]), channels);
}

#[test]
fn attribution() {
    // One touch for each session, at its start; the conversion is the first page of the projects, and sessions after it
    // take no part.
    let data = "SELECT user_id, ts, event, channel FROM (
                  SELECT user_id, start_ts AS ts, 'touch' AS event, entry_channel AS channel
                  FROM sessions(pages, sequence => line_no, gap => INTERVAL '30 minutes')
                  UNION ALL
                  SELECT user_id, min(ts) AS ts, 'purchase' AS event, NULL AS channel
                  FROM pages WHERE page_group = '/projects' GROUP BY user_id)
                LEFT JOIN (SELECT user_id AS converted, min(ts) AS converted_ts
                           FROM pages WHERE page_group = '/projects' GROUP BY user_id) ON user_id = converted
                WHERE converted_ts IS NULL OR ts <= converted_ts";
    Question { data, answers: &load() }.assert_all();
}

#[test]
fn funnels_and_retention() {
    let log = load();
    let sessions = numbered("pages", "user_id", "INTERVAL '30 minutes'");
    for (key, from, who) in [
        ("funnel_sessions_pages", sessions.as_str(), "concat(user_id, ' ', session)"),
        ("funnel_users_pages", "pages", "user_id"),
    ] {
        for funnel in log.list(&[key]) {
            let stages = funnel["stages"].as_array().expect("stages");
            let steps: Vec<String> = stages
                .iter()
                .map(|group| format!("page_group = '{}'", group.as_str().expect("text")))
                .collect();
            let levels = format!(
                "SELECT window_funnel({NO_WINDOW}, 'strict_increase', place, {}) AS level FROM {from} GROUP BY {who}",
                steps.join(", ")
            );
            assert_eq!(log.reached(&levels, steps.len()), funnel["closed"], "{key} {stages:?}");
            if let Some(open) = funnel.get("open") {
                assert_eq!(log.with_each(who, &steps, from), *open, "{key} {stages:?}");
            }
        }
    }
    assert_matrix(&log, Period::Day, "requests", log.at(&["retention_day_counts"]));
}

#[test]
fn what_is_not_covered() {
    assert_not_covered("weblog_2015", &parse(weblog_2015::answers_json()), &COVERED, &NOT_COVERED);
}
