//! The same rows as CSV, NDJSON and Parquet: the same table, whichever was loaded first.

use std::time::Instant;

use wayfare_datasets::{Compression, GeneratorConfig, OutputFormat, write_dataset};

use super::support::{Place, figure};
use crate::support::tell;

/// Number of rows, if set.
const ROWS_VARIABLE: &str = "WAYFARE_TEST_ROWS";
const DEFAULT_ROWS: u64 = 1_000_000;

const FORMS: [(&str, OutputFormat, Option<Compression>); 3] = [
    ("csv", OutputFormat::Csv, None),
    ("ndjson", OutputFormat::Ndjson, Some(Compression::Gzip)),
    ("parquet", OutputFormat::Parquet, None),
];

const QUERIES: [&str; 4] = [
    "SELECT * FROM touchpoints ORDER BY event_id",
    "SELECT event, channel, count(*) AS n, count(DISTINCT user_id) AS people, sum(revenue) AS revenue, \
     sum(cost) AS cost, avg(score) AS score, min(ts) AS first, max(received_at) AS last \
     FROM touchpoints GROUP BY event, channel ORDER BY event, channel",
    "SELECT date_trunc('day', start_ts) AS day, count(*) AS sessions, sum(events) AS events, \
     sum(revenue) AS revenue, count(*) FILTER (WHERE is_bounce) AS bounces \
     FROM journey.sessions GROUP BY day ORDER BY day",
    "SELECT level, count(*) AS people FROM (SELECT user_id, window_funnel(INTERVAL '1 day', ts, \
     event = 'page_view', event = 'add_to_cart', event = 'purchase') AS level \
     FROM touchpoints GROUP BY user_id) GROUP BY level ORDER BY level",
];

#[test]
fn the_forms_of_the_same_rows_give_the_same_table() {
    let rows = match std::env::var(ROWS_VARIABLE) {
        Ok(text) => text.parse().expect("a number of rows"),
        Err(_) => DEFAULT_ROWS,
    };
    tell(format!("{rows} rows ({ROWS_VARIABLE} sets another number)"));
    let place = Place::new();
    let config = GeneratorConfig {
        events: rows,
        users: rows / 30,
        days: 10,
        late: 0.01,
        out_of_order: 0.05,
        ..GeneratorConfig::default()
    };
    for (form, format, compression) in FORMS {
        let written = write_dataset(&config, &place.path(form), format, compression, 2).expect("input");
        assert_eq!(written.rows, rows);
    }
    for (form, ..) in FORMS {
        let started = Instant::now();
        let report = place.ok(&["load", form, "--store", &store_of(form)]);
        tell(format!("{form}: loaded in {:?}", started.elapsed()));
        assert_eq!(figure(&report, "rows loaded"), rows, "{report}");
        assert_eq!(figure(&report, "rows skipped as duplicates"), 0, "{report}");
    }
    for (number, sql) in QUERIES.iter().enumerate() {
        compare_answers(&place, number, sql, rows);
    }
    for (position, (form, ..)) in FORMS.iter().enumerate() {
        let (other, ..) = FORMS[(position + 1) % FORMS.len()];
        nothing_new(&place, form, other, rows);
    }
}

fn store_of(form: &str) -> String {
    format!("store-{form}")
}

/// The answers of the three stores must be the same bytes.
fn compare_answers(place: &Place, number: usize, sql: &str, rows: u64) {
    let mut expected: Option<Vec<u8>> = None;
    for (form, ..) in FORMS {
        let file = format!("answer-{number}-{form}.csv");
        place.ok(&["query", "--format", "csv", "--output", &file, "--store", &store_of(form), sql]);
        let answer = place.read(&file);
        std::fs::remove_file(place.path(&file)).expect("the answer goes");
        let lines = answer.iter().filter(|byte| **byte == b'\n').count();
        match &expected {
            None => {
                assert!(lines > 1, "{sql} has no rows");
                if number == 0 {
                    assert!(lines as u64 > rows, "one line per row and a header");
                }
                expected = Some(answer);
            }
            // Not assert_eq: the difference of a million lines helps nobody.
            Some(first) => assert!(*first == answer, "{form} differs from {}: {sql}", FORMS[0].0),
        }
    }
}

/// Neither the same files nor the same rows in another form are loaded a second time.
fn nothing_new(place: &Place, form: &str, other: &str, rows: u64) {
    let store = store_of(form);
    let version = |report: &str| report.lines().last().map(str::to_owned);
    let history = place.ok(&["history", "--store", &store]);

    let again = place.ok(&["load", form, "--store", &store]);
    assert_eq!(figure(&again, "rows loaded"), 0, "{again}");
    assert_eq!(figure(&again, "rows read"), 0, "known by its content: {again}");
    assert!(again.contains("already loaded: "), "{again}");
    assert_eq!(version(&again).as_deref(), Some("nothing new: table touchpoints is unchanged"));

    let as_other = place.ok(&["load", other, "--store", &store]);
    assert_eq!(figure(&as_other, "rows loaded"), 0, "{as_other}");
    assert_eq!(figure(&as_other, "rows skipped as duplicates"), rows, "{as_other}");
    assert_eq!(version(&as_other).as_deref(), Some("nothing new: table touchpoints is unchanged"));
    assert_eq!(place.ok(&["history", "--store", &store]), history);
    assert_eq!(place.touchpoints(&store), rows);
}
