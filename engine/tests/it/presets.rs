//! The exports of seven tools, small and in the shape that each tool gives them: what becomes of them, counted by hand.
//!
//! All samples tell the same story, as far as a tool can tell it. UTC, 2 March 2026:
//!
//! | person | 09:00 | 09:05 | 09:10 | 09:20 | 09:34:59 | 10:30 | 23:50 | 00:10 |
//! |---|---|---|---|---|---|---|---|---|
//! | u-1001, known | lands from an ad | | moves on | buys for 59.97 | | lands from a newsletter | | |
//! | the other, a device only | | lands from a search engine | | | moves on | | lands again | moves on |
//!
//! Sessions end after 30 minutes without an event. u-1001: 09:00, 09:10, 09:20 are 10 minutes apart, then 70 minutes pass
//! until 10:30: two sessions of 3 and 1 events. The other: 09:05 and 09:34:59 are 29:59 apart, then 14 hours pass,
//! 23:50 and 00:10 are 20 minutes apart although midnight lies between: two sessions of 2 and 2 events.

use std::path::PathBuf;
use std::sync::Arc;

use wayfare_engine::load::read::{Preset, ReadOptions};
use wayfare_engine::load::{LoadReport, LoadRequest, NoProgress};
use wayfare_engine::{Engine, Session};

use crate::load::run;
use crate::support::{lines, memory_engine, request, session, value};

fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/presets").join(name)
}

fn preset_request(preset: Preset, input: &str) -> LoadRequest {
    let mut request = request(&[sample(input)]);
    request.read = ReadOptions { preset: Some(preset), ..ReadOptions::default() };
    request
}

async fn loaded(preset: Preset, input: &str) -> (Engine, Session, LoadReport) {
    let engine = memory_engine().await;
    let report = engine.load(&preset_request(preset, input), Arc::new(NoProgress)).await.expect("a load");
    let session = session(&engine);
    (engine, session, report)
}

/// Person, sessions, events.
async fn sessions(session: &Session) -> Vec<String> {
    let sql = "SELECT user_id, count(*), sum(events) FROM journey.sessions GROUP BY user_id ORDER BY user_id";
    lines(session, sql).await
}

async fn channels(session: &Session) -> Vec<String> {
    lines(session, "SELECT channel, count(*) FROM touchpoints GROUP BY channel ORDER BY channel NULLS LAST")
        .await
}

async fn events(session: &Session) -> Vec<String> {
    lines(session, "SELECT event, count(*) FROM touchpoints GROUP BY event ORDER BY event").await
}

async fn people(session: &Session) -> Vec<String> {
    lines(session, "SELECT DISTINCT user_id, anonymous_id FROM touchpoints ORDER BY user_id").await
}

/// What is the same in all samples: first and last time, what was bought, and that loading again adds nothing.
async fn check_common(
    engine: &Engine,
    session: &Session,
    preset: Preset,
    input: &str,
    rows: u64,
    left_out: u64,
) {
    let sql =
        "SELECT min(ts), max(ts), sum(revenue), max(currency) FILTER (WHERE revenue > 0) FROM touchpoints";
    let expected = "2026-03-02 09:00:00+00|2026-03-03 00:10:00+00|59.9700|EUR";
    assert_eq!(lines(session, sql).await, [expected], "{preset:?}");
    let mut again = preset_request(preset, input);
    again.force = true;
    let report = engine.load(&again, Arc::new(NoProgress)).await.expect("a load");
    assert_eq!((report.rows_loaded, report.rows_duplicate), (0, rows), "{preset:?}");
    assert_eq!((report.rows_read, report.rows_left_out), (rows + left_out, left_out), "{preset:?}");
}

#[test]
fn ga4() {
    run(async {
        let (engine, session, report) = loaded(Preset::Ga4, "ga4.ndjson").await;
        assert_eq!(report.rows_loaded, 8);
        assert_eq!(people(&session).await, ["2002.1772|2002.1772", "u-1001|1001.1772"]);
        // u-1001: 3 + 1 events; the other: 2 + 2.
        assert_eq!(sessions(&session).await, ["2002.1772|2|4", "u-1001|2|4"]);
        // 09:00 google/cpc and 23:50 with a click id alone: 2 paid_search. 10:30 crm/email: 1 email. 09:05 referrer
        // google.com: 1 organic_search. 09:10, 09:20, 09:34:59 come from the shop itself, 00:10 from nowhere: 4 without.
        // `traffic_source` says organic on all 8 rows and counts on none.
        assert_eq!(channels(&session).await, ["email|1", "organic_search|1", "paid_search|2", "NULL|4"]);
        assert_eq!(events(&session).await, ["page_view|6", "purchase|1", "scroll|1"]);
        let params = "SELECT properties->'event_params'->>'percent_scrolled', properties->'user_properties'->>'plan' \
                      FROM touchpoints WHERE event = 'scroll'";
        assert_eq!(lines(&session, params).await, ["90|pro"]);
        check_common(&engine, &session, Preset::Ga4, "ga4.ndjson", 8, 0).await;
    });
}

#[test]
fn snowplow() {
    run(async {
        let (engine, session, report) = loaded(Preset::Snowplow, "snowplow.tsv").await;
        assert_eq!(report.rows_loaded, 8);
        assert_eq!(people(&session).await, ["d-2|d-2", "u-1001|d-1"]);
        // u-1001: 3 + 1 events; the other: 2 + 2. By dvce_created_tstamp, which is three hours slow, the times differ.
        assert_eq!(sessions(&session).await, ["d-2|2|4", "u-1001|2|4"]);
        // 09:00 cpc; 10:30 email; 09:05 refr_medium search; 23:50 social; the other four are internal.
        assert_eq!(
            channels(&session).await,
            ["email|1", "organic_search|1", "organic_social|1", "paid_search|1", "NULL|4"]
        );
        // 09:10 is structured and named by its action, 09:34:59 a link click, 09:20 a transaction: a purchase.
        assert_eq!(
            events(&session).await,
            ["add_to_cart|1", "link_click|1", "page_ping|1", "page_view|4", "purchase|1"]
        );
        let context = "SELECT properties->'contexts'->'data'->0->'data'->>'title', (received_at - ts = INTERVAL '2 seconds')::text \
                       FROM touchpoints WHERE event = 'purchase'";
        assert_eq!(lines(&session, context).await, ["a \"quoted\" title|true"]);
        check_common(&engine, &session, Preset::Snowplow, "snowplow.tsv", 8, 0).await;
    });
}

#[test]
fn segment() {
    run(async {
        let (engine, session, report) = loaded(Preset::Segment, "segment.ndjson").await;
        // The story and an identify call at 09:00.
        assert_eq!(report.rows_loaded, 9);
        assert_eq!(people(&session).await, ["d-2|d-2", "u-1001|d-1"]);
        // u-1001: 4 + 1 events; the other: 2 + 2.
        assert_eq!(sessions(&session).await, ["d-2|2|4", "u-1001|2|5"]);
        // 09:00 cpc (the page call alone has the campaign), 10:30 email, 09:05 referrer google.com. 23:50 is a screen of
        // an app: nothing says where from. 9 - 3 = 6 without.
        assert_eq!(channels(&session).await, ["email|1", "organic_search|1", "paid_search|1", "NULL|6"]);
        assert_eq!(
            events(&session).await,
            ["Product Added|1", "Video Played|1", "identify|1", "page_view|4", "purchase|1", "screen_view|1"]
        );
        let order = "SELECT properties->>'event', properties->'properties'->>'order_id' FROM touchpoints \
                     WHERE event = 'purchase'";
        assert_eq!(lines(&session, order).await, ["Order Completed|o-1"]);
        check_common(&engine, &session, Preset::Segment, "segment.ndjson", 9, 0).await;
    });
}

#[test]
fn posthog() {
    run(async {
        let (engine, session, report) = loaded(Preset::Posthog, "posthog.ndjson").await;
        assert_eq!(report.rows_loaded, 8);
        assert_eq!(people(&session).await, ["d-2|d-2", "u-1001|d-1"]);
        // u-1001: 3 + 1 events; the other: 2 + 2.
        assert_eq!(sessions(&session).await, ["d-2|2|4", "u-1001|2|4"]);
        // 09:00 cpc, 10:30 email, 09:05 referrer google.com (its properties are text), 23:50 $direct. The other four
        // come from the shop itself; `$initial_utm_...` stands on all rows and counts on none.
        assert_eq!(
            channels(&session).await,
            ["direct|1", "email|1", "organic_search|1", "paid_search|1", "NULL|4"]
        );
        assert_eq!(
            events(&session).await,
            ["autocapture|1", "page_leave|1", "page_view|4", "purchase|1", "signup|1"]
        );
        assert_eq!(value(&session, "SELECT count(*) FROM touchpoints WHERE referrer = '$direct'").await, "0");
        check_common(&engine, &session, Preset::Posthog, "posthog.ndjson", 8, 0).await;
    });
}

#[test]
fn matomo() {
    run(async {
        let (engine, session, report) = loaded(Preset::Matomo, "matomo.json").await;
        // Four visits with 3 + 1 + 2 + 2 actions.
        assert_eq!(report.rows_loaded, 8);
        assert_eq!(people(&session).await, ["bbbb000000000002|bbbb000000000002", "u-1001|aaaa000000000001"]);
        // u-1001: 3 + 1 events; the other: 2 + 2.
        assert_eq!(sessions(&session).await, ["bbbb000000000002|2|4", "u-1001|2|4"]);
        // One channel a visit, on its first action: a campaign with the medium cpc, one whose medium is not known, a
        // search engine, and none. 8 - 4 = 4 without.
        assert_eq!(
            channels(&session).await,
            ["campaign|1", "direct|1", "organic_search|1", "paid_search|1", "NULL|4"]
        );
        assert_eq!(
            events(&session).await,
            ["add_to_cart|1", "outlink|1", "page_view|4", "purchase|1", "site_search|1"]
        );
        let source = "SELECT source, campaign FROM touchpoints WHERE channel IS NOT NULL ORDER BY ts";
        assert_eq!(
            lines(&session, source).await,
            ["google|spring", "Google|NULL", "NULL|newsletter", "NULL|NULL"]
        );
        check_common(&engine, &session, Preset::Matomo, "matomo.json", 8, 0).await;
    });
}

#[test]
fn mixpanel() {
    run(async {
        let (engine, session, report) = loaded(Preset::Mixpanel, "mixpanel.ndjson").await;
        assert_eq!(report.rows_loaded, 8);
        assert_eq!(people(&session).await, ["$device:d-2|d-2", "u-1001|d-1"]);
        // u-1001: 3 + 1 events; the other: 2 + 2.
        assert_eq!(sessions(&session).await, ["$device:d-2|2|4", "u-1001|2|4"]);
        // 09:00 cpc, 10:30 email, 09:05 referrer google.com, 23:50 $direct; 8 - 4 = 4 without.
        assert_eq!(
            channels(&session).await,
            ["direct|1", "email|1", "organic_search|1", "paid_search|1", "NULL|4"]
        );
        assert_eq!(
            events(&session).await,
            ["Add to Cart|1", "Play|1", "Signed Up|1", "page_view|4", "purchase|1"]
        );
        check_common(&engine, &session, Preset::Mixpanel, "mixpanel.ndjson", 8, 0).await;

        // A project from before 2023 in Berlin, one hour before UTC in March: 09:00 there was 08:00 UTC.
        let engine = memory_engine().await;
        let mut request = preset_request(Preset::Mixpanel, "mixpanel.ndjson");
        request.read.time_zone = "Europe/Berlin".parse().expect("a zone");
        engine.load(&request, Arc::new(NoProgress)).await.expect("a load");
        let session = crate::support::session(&engine);
        assert_eq!(value(&session, "SELECT min(ts) FROM touchpoints").await, "2026-03-02 08:00:00+00");
    });
}

#[test]
fn adobe() {
    run(async {
        // The directory: the look-up files in it are no hits.
        let (engine, session, report) = loaded(Preset::Adobe, "adobe").await;
        // Nine hits, one of them excluded.
        assert_eq!((report.files, report.rows_read, report.rows_loaded, report.rows_left_out), (1, 9, 8, 1));
        assert_eq!(people(&session).await, ["5_2|5_2", "u-1001|m-1"]);
        // u-1001: 3 + 1 events (the excluded hit at 09:20 does not count); the other: 2 + 2.
        assert_eq!(sessions(&session).await, ["5_2|2|4", "u-1001|2|4"]);
        // 09:00 paid search; 10:30 a tracking code; 09:05 a search engine (3); 23:50 typed (6); the other four are
        // within the site (1). post_campaign says spring on all rows and counts on none.
        assert_eq!(
            channels(&session).await,
            ["campaign|1", "direct|1", "organic_search|1", "paid_search|1", "NULL|4"]
        );
        // 00:10 repeats a purchase, so that it is a page view. 39.98 + 19.99 = 59.97.
        assert_eq!(events(&session).await, ["add_to_cart|1", "link_click|1", "page_view|5", "purchase|1"]);
        let looked_up = "SELECT country, properties->>'events', properties->>'post_evar1' FROM touchpoints \
                         WHERE user_id = 'u-1001' ORDER BY ts LIMIT 2";
        assert_eq!(
            lines(&session, looked_up).await,
            ["Germany|NULL|tab\there", "Germany|[\"Cart Addition\",\"Custom Event 1\"]|NULL"]
        );
        check_common(&engine, &session, Preset::Adobe, "adobe", 8, 1).await;
    });
}

/// The rows of the sample in Parquet, with its lists of structs, make the same table.
#[test]
fn ga4_as_parquet() {
    run(async {
        let (_engine, lines_of, _) = loaded(Preset::Ga4, "ga4.ndjson").await;
        let text = std::fs::read(sample("ga4.ndjson")).expect("a sample");
        let (schema, _) = arrow::json::reader::infer_json_schema(text.as_slice(), None).expect("a schema");
        let mut reader =
            arrow::json::ReaderBuilder::new(Arc::new(schema)).build(text.as_slice()).expect("a reader");
        let batch = reader.next().expect("a batch").expect("rows");
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a writer");
        writer.write(&batch).expect("written");
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("events_20260302.parquet");
        std::fs::write(&path, writer.into_inner().expect("closed")).expect("a file");
        let engine = memory_engine().await;
        let mut request = request(&[path]);
        request.read.preset = Some(Preset::Ga4);
        engine.load(&request, Arc::new(NoProgress)).await.expect("a load");
        let columns = "SELECT user_id, anonymous_id, ts, event, channel, source, medium, campaign, page, referrer, \
                       device, country, revenue, currency FROM touchpoints ORDER BY ts, user_id";
        assert_eq!(lines(&session(&engine), columns).await, lines(&lines_of, columns).await);
    });
}

/// Whatever stands around a preset that it does not allow, or a file that is not of its tool, is told.
#[test]
fn what_does_not_fit_a_preset_is_told() {
    run(async {
        let engine = memory_engine().await;
        let refused = async |request: &LoadRequest| {
            let failed = engine.load(request, Arc::new(NoProgress)).await;
            failed.expect_err("refused").to_string()
        };
        let mut mapped = preset_request(Preset::Ga4, "ga4.ndjson");
        mapped.read.mapping = vec![("user_id".to_owned(), "x".to_owned())];
        assert!(refused(&mapped).await.contains("--map does not go together with --preset ga4"));
        let told = refused(&preset_request(Preset::Segment, "snowplow.tsv")).await;
        assert!(told.contains("snowplow.tsv") && told.contains("reads JSON, Avro or Parquet"), "{told}");
        let told = refused(&preset_request(Preset::Adobe, "snowplow.tsv")).await;
        assert!(told.contains("column_headers.tsv of the feed is needed"), "{told}");
        let told = refused(&preset_request(Preset::Segment, "mixpanel.ndjson")).await;
        assert!(told.contains("line 1") && told.contains("the type of the call"), "{told}");
        let told = refused(&preset_request(Preset::Ga4, "segment.ndjson")).await;
        assert!(
            told.contains("line 1")
                && told.contains("user_id is missing: no value in user_id, user_pseudo_id"),
            "{told}"
        );
        let columns = preset_request(Preset::Snowplow, "adobe/event.tsv");
        assert!(refused(&columns).await.contains("has 2 columns, expected 131"));
        assert_eq!(value(&session(&engine), "SELECT count(*) FROM touchpoints").await, "0");
        // Constants win.
        let mut set = preset_request(Preset::Segment, "segment.ndjson");
        set.read.constants = vec![("channel".to_owned(), "app".to_owned())];
        engine.load(&set, Arc::new(NoProgress)).await.expect("a load");
        assert_eq!(channels(&session(&engine)).await, ["app|9"]);
    });
}
