//! Ids that become people: at load, by stitching, and back again.

use std::path::Path;
use std::sync::Arc;

use wayfare_engine::identity::links::{IdentifyReport, IdentifyRequest};
use wayfare_engine::identity::{IDENTITIES, IdentityLimits};
use wayfare_engine::load::read::ReadOptions;
use wayfare_engine::load::{LoadRequest, NoProgress};
use wayfare_engine::maintain::erase::EraseRequest;
use wayfare_engine::{Engine, EngineConfig, SessionOptions, VersionPin};

use super::{ROW_GROUP_ROWS, all, another, config, live_adds, optimize};
use crate::load::layout::check_file;
use crate::support::{self, lines, load, request, session, value};

/// Ann looks around on her phone, signs in, and has a tablet; ben and cem share a television.
const ROWS: &str = "\
event_id,user_id,anonymous_id,ts,event
e1,phone,,2026-01-01T10:00:00Z,page_view
e2,phone,phone,2026-01-02T10:00:00Z,page_view
e3,ann,phone,2026-01-02T11:00:00Z,signup
e4,tablet,cookie,2026-01-02T12:00:00Z,page_view
e5,tv,,2026-01-01T20:00:00Z,page_view
e6,tv,,2026-01-03T20:00:00Z,page_view
e7,ben,,2026-01-02T20:00:00Z,purchase
e8,cem,,2026-01-03T21:00:00Z,purchase
e9,unknown,,2026-01-03T22:00:00Z,page_view
";
const LINKS: &str = "\
anonymous_id,user_id,valid_from
phone,ann,2026-01-02T11:00:00Z
tablet,phone,2026-01-02T12:00:00Z
tv,ben,2026-01-02T00:00:00Z
tv,cem,2026-01-03T00:00:00Z
unknown,ann,2026-01-01T00:00:00Z
unknown,ben,2026-01-01T00:00:00Z
";
/// Worked by hand: the phone and the tablet are ann's for all time; the television is ben's before cem has it.
const STITCHED: [&str; 9] = [
    "e1|ann|phone|phone",
    "e2|ann|phone|phone",
    "e3|ann|phone|NULL",
    "e4|ann|cookie|tablet",
    "e5|ben|tv|tv",
    "e6|cem|tv|tv",
    "e7|ben|NULL|NULL",
    "e8|cem|NULL|NULL",
    "e9|unknown|NULL|NULL",
];
const PEOPLE: &str = "SELECT event_id, user_id, anonymous_id, raw_user_id FROM touchpoints ORDER BY event_id";

fn links_request(file: &Path) -> IdentifyRequest {
    IdentifyRequest {
        inputs: vec![file.display().to_string()],
        read: ReadOptions::default(),
        valid_from: None,
        force: false,
    }
}

async fn identify(engine: &Engine, directory: &Path, links: &str) -> IdentifyReport {
    let file = directory.join(format!("links-{}.csv", links.len()));
    std::fs::write(&file, links).expect("a file");
    engine.identify(&links_request(&file)).await.expect("links")
}

async fn loaded(directory: &Path) -> Engine {
    let engine = support::engine(config(&directory.join("store"))).await;
    let file = directory.join("rows.csv");
    std::fs::write(&file, ROWS).expect("a file");
    load(&engine, &[file]).await;
    engine
}

async fn assert_in_order(engine: &Engine, directory: &Path) {
    let store = directory.join("store");
    for add in live_adds(&store) {
        check_file(&store.join("touchpoints"), &add, ROW_GROUP_ROWS);
    }
    let problems = engine.check("touchpoints").await.expect("a check").problems;
    assert!(problems.is_empty(), "{problems:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_rows_are_given_to_their_people() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    let report = identify(&engine, directory.path(), LINKS).await;
    assert_eq!((report.links, report.links_blocked), (4, 2));
    let report = engine.stitch("touchpoints").await.expect("a stitching");
    assert_eq!((report.rows, report.version), (5, Some(2)), "{report:?}");
    assert_eq!(report.merged, [("ann", "phone"), ("ann", "tablet")].map(|(a, b)| (a.into(), b.into())));
    let identities = &report.identities;
    assert_eq!((identities.people, identities.groups_apart, identities.devices_by_time), (1, 1, 1));
    assert_eq!(lines(&session(&engine), PEOPLE).await, STITCHED);
    assert_in_order(&engine, directory.path()).await;
    let again = engine.stitch("touchpoints").await.expect("a stitching");
    assert_eq!((again.rows, again.version), (0, None), "nothing is left to do");
    assert_eq!(engine.history("touchpoints").await.expect("history")[0].operation, "stitch");

    // Compaction keeps it, and the version before is still there.
    optimize(&engine).await;
    assert_eq!(lines(&session(&engine), PEOPLE).await, STITCHED);
    let options = SessionOptions { pin: Some(VersionPin::Version(1)), ..SessionOptions::default() };
    let before = "SELECT count(DISTINCT user_id) FROM touchpoints";
    assert_eq!(value(&engine.session(&options).expect("a session"), before).await, "7");
    assert_eq!(value(&session(&engine), before).await, "4");
    engine.restore("touchpoints", 1).await.expect("a restore");
    assert_eq!(value(&session(&engine), before).await, "7", "and can come back");
    engine.stitch("touchpoints").await.expect("a stitching");
    assert_eq!(lines(&session(&engine), PEOPLE).await, STITCHED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_after_the_links_gives_the_same_table() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = support::engine(config(&directory.path().join("store"))).await;
    identify(&engine, directory.path(), LINKS).await;
    let file = directory.path().join("rows.csv");
    std::fs::write(&file, ROWS).expect("a file");
    let report = load(&engine, std::slice::from_ref(&file)).await;
    assert_eq!(report.rows_resolved, 5);
    assert_eq!(lines(&session(&engine), PEOPLE).await, STITCHED);
    assert_in_order(&engine, directory.path()).await;
    // The same rows again are duplicates, also those without an id of their own.
    let without_ids: String =
        ROWS.lines().map(|line| format!("{}\n", &line[line.find(',').unwrap() + 1..])).collect();
    let plain = directory.path().join("plain.csv");
    std::fs::write(&plain, without_ids).expect("a file");
    assert_eq!(load(&engine, std::slice::from_ref(&plain)).await.rows_loaded, 9);
    identify(&engine, directory.path(), "anonymous_id,user_id,valid_from\nben,benjamin,2026-02-01\n").await;
    engine.stitch("touchpoints").await.expect("a stitching");
    for file in [file, plain] {
        let again = LoadRequest { force: true, ..request(&[file]) };
        let report = engine.load(&again, Arc::new(NoProgress)).await.expect("a load");
        assert_eq!((report.rows_loaded, report.rows_duplicate), (0, 9));
    }
    let names = "SELECT DISTINCT user_id FROM touchpoints ORDER BY 1";
    assert_eq!(lines(&session(&engine), names).await, ["ann", "benjamin", "cem", "unknown"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_chooses_raw_or_stitched_ids() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    let by_user = "SELECT user_id, count(*) FROM touchpoints GROUP BY user_id ORDER BY user_id";
    let funnel = "SELECT user_id, window_funnel(INTERVAL '7 days', ts, event = 'page_view', event = 'signup') \
                  FROM touchpoints GROUP BY user_id ORDER BY user_id";
    let sessions = "SELECT count(*) FROM journey.sessions";
    let one = "SELECT event_id FROM touchpoints WHERE user_id = 'phone' ORDER BY event_id";
    let before = session(&engine);
    let mut raw = Vec::new();
    for sql in [by_user, funnel, sessions, one] {
        raw.push(lines(&before, sql).await);
    }
    identify(&engine, directory.path(), LINKS).await;
    engine.stitch("touchpoints").await.expect("a stitching");
    let session = session(&engine);
    assert_eq!(lines(&session, by_user).await, ["ann|4", "ben|2", "cem|2", "unknown|1"]);
    assert_eq!(lines(&session, funnel).await, ["ann|2", "ben|1", "cem|1", "unknown|1"]);
    assert!(lines(&session, one).await.is_empty());
    for fast_path in ["on", "off"] {
        lines(&session, &format!("SET wayfare.fast_path = {fast_path}")).await;
        lines(&session, "SET wayfare.ids = raw").await;
        for (sql, expected) in [by_user, funnel, sessions, one].iter().zip(&raw) {
            assert_eq!(lines(&session, sql).await, *expected, "{sql}, fast path {fast_path}");
        }
        let physical = "SELECT count(*) FROM touchpoints WHERE user_id = 'phone' AND day = DATE '2026-01-01'";
        assert_eq!(value(&session, physical).await, "1");
        lines(&session, "SET wayfare.ids = stitched").await;
        assert_eq!(lines(&session, by_user).await.len(), 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_keep_people_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    loaded(directory.path()).await;
    let limited = |ids_per_person, users_per_person| EngineConfig {
        identity: IdentityLimits { ids_per_person, users_per_person },
        ..config(&directory.path().join("store"))
    };
    let engine = support::engine(limited(50, 2)).await;
    identify(&engine, directory.path(), LINKS).await;
    engine.stitch("touchpoints").await.expect("a stitching");
    let names = "SELECT DISTINCT user_id FROM touchpoints ORDER BY 1";
    assert_eq!(lines(&session(&engine), names).await, ["ann", "ben", "unknown"], "ben and cem are one");
    // With narrower limits the rows go back to what they came with.
    let engine = support::engine(limited(1, 1)).await;
    engine.stitch("touchpoints").await.expect("a stitching");
    let tv = "SELECT user_id FROM touchpoints WHERE event_id IN ('e5', 'e8') ORDER BY event_id";
    assert_eq!(
        lines(&session(&engine), tv).await,
        ["tv", "cem"],
        "two people are too many for the television"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_follows_the_links_and_takes_them_along() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    identify(&engine, directory.path(), LINKS).await;
    engine.stitch("touchpoints").await.expect("a stitching");
    let request = EraseRequest {
        ids: ["ann".to_owned()].into(),
        include_aliases: true,
        purge: true,
        ..EraseRequest::default()
    };
    let reports = engine.erase(&request).await.expect("an erasure");
    assert_eq!((reports[0].rows, reports[0].aliases), (4, 3), "phone, tablet and the cookie: {reports:?}");
    let events = "SELECT event_id FROM touchpoints ORDER BY event_id";
    assert_eq!(lines(&session(&engine), events).await, ["e5", "e6", "e7", "e8", "e9"]);
    let links = format!("SELECT anonymous_id, user_id FROM {IDENTITIES} ORDER BY 1, 2");
    assert_eq!(lines(&session(&engine), &links).await, ["tv|ben", "tv|cem"]);
    for id in ["tablet", "cookie"] {
        assert_eq!(
            super::erase::files_with(&directory.path().join("store"), id),
            Vec::<String>::new(),
            "{id}"
        );
    }
    // Neither rows nor links bring her back, under none of her ids.
    let file = directory.path().join("rows.csv");
    let again = LoadRequest { force: true, ..support::request(&[file]) };
    let report = engine.load(&again, Arc::new(NoProgress)).await.expect("a load");
    assert_eq!((report.rows_erased, report.rows_loaded), (4, 0));
    let more = "anonymous_id,user_id,valid_from\nphone,ann,2026-01-02\nwatch,ann,2026-01-02\nwatch2,ben,2026-01-02\n";
    let report = identify(&engine, directory.path(), more).await;
    assert_eq!((report.links, report.links_erased), (1, 2));
}

/// The links of an erased person go, but what came from their devices is known to be theirs.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_devices_of_an_erased_person_do_not_come_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    identify(&engine, directory.path(), LINKS).await;
    engine.stitch("touchpoints").await.expect("people");
    let request_of_ann = EraseRequest { ids: ["ann".to_owned()].into(), ..EraseRequest::default() };
    assert_eq!(engine.erase(&request_of_ann).await.expect("an erasure")[0].rows, 4);
    let again = LoadRequest { force: true, ..request(&[directory.path().join("rows.csv")]) };
    let report = engine.load(&again, Arc::new(NoProgress)).await.expect("a load");
    assert_eq!((report.rows_erased, report.rows_loaded), (4, 0));
    // Whoever has the phone now is somebody else.
    identify(&engine, directory.path(), "anonymous_id,user_id,valid_from\nphone,dan,2026-02-01T00:00:00Z\n")
        .await;
    let later = directory.path().join("later.csv");
    std::fs::write(&later, "event_id,user_id,ts,event\ne10,phone,2026-02-02T10:00:00Z,page_view\n")
        .expect("a file");
    load(&engine, &[later]).await;
    let users = "SELECT user_id, count(*) FROM touchpoints GROUP BY user_id ORDER BY user_id";
    assert_eq!(lines(&session(&engine), users).await, ["ben|2", "cem|2", "dan|1", "unknown|1"]);
}

/// What came from a device while an erased person had it is neither theirs who had it before nor theirs who had it after.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_went_from_hand_to_hand_brings_nobody_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let rows = directory.path().join("rows.csv");
    let months: String = (1..=5).map(|m| format!("e{m},phone,2026-0{m}-15T10:00:00Z,page_view\n")).collect();
    std::fs::write(&rows, format!("event_id,user_id,ts,event\n{months}")).expect("a file");
    let engine = support::engine(config(&directory.path().join("store"))).await;
    let hands = "anonymous_id,user_id,valid_from\n\
                 phone,ben,2026-01-01\nphone,ann,2026-02-01\nphone,cem,2026-03-01\nphone,ann,2026-04-01\nphone,dan,2026-05-01\n";
    identify(&engine, directory.path(), hands).await;
    load(&engine, std::slice::from_ref(&rows)).await;
    let by_month = "SELECT event_id, user_id FROM touchpoints ORDER BY event_id";
    let before = ["e1|ben", "e2|ann", "e3|cem", "e4|ann", "e5|dan"];
    assert_eq!(lines(&session(&engine), by_month).await, before);
    let request_of_ann =
        EraseRequest { ids: ["ann".to_owned()].into(), purge: true, ..EraseRequest::default() };
    assert_eq!(engine.erase(&request_of_ann).await.expect("an erasure")[0].rows, 2);
    let after = ["e1|ben", "e3|cem", "e5|dan"];
    assert_eq!(lines(&session(&engine), by_month).await, after);
    let again = LoadRequest { force: true, ..request(std::slice::from_ref(&rows)) };
    let report = engine.load(&again, Arc::new(NoProgress)).await.expect("a load");
    assert_eq!((report.rows_erased, report.rows_duplicate, report.rows_loaded), (2, 3, 0), "{report:?}");
    // Erased again, the times that were hers stay known; those of the next person come to them.
    for id in ["ann", "cem"] {
        let request = EraseRequest { ids: [id.to_owned()].into(), ..EraseRequest::default() };
        engine.erase(&request).await.expect("an erasure");
    }
    let report = engine.load(&again, Arc::new(NoProgress)).await.expect("a load");
    assert_eq!((report.rows_erased, report.rows_loaded), (3, 0), "{report:?}");
    assert_eq!(lines(&session(&engine), by_month).await, ["e1|ben", "e5|dan"]);
    engine.stitch("touchpoints").await.expect("people");
    assert_eq!(lines(&session(&engine), by_month).await, ["e1|ben", "e5|dan"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_checked_as_rows_are() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    let error = engine.stitch("touchpoints").await.expect_err("no links").to_string();
    assert!(error.contains("wayfare identify"), "{error}");
    let wrong = [
        ("anonymous_id,user_id,valid_from\nphone,,2026-01-01\n", "user_id"),
        ("anonymous_id,user_id,valid_from\nphone,ann,yesterday\n", "valid_from"),
        ("anonymous_id,user_id\nphone,ann\n", "valid_from"),
    ];
    for (text, part) in wrong {
        let file = directory.path().join("wrong.csv");
        std::fs::write(&file, text).expect("a file");
        let error = engine.identify(&links_request(&file)).await.expect_err("refused").to_string();
        assert!(error.contains("wrong.csv") && error.contains(part), "{error}");
    }
    let file = directory.path().join("wrong.csv");
    let always = IdentifyRequest { valid_from: Some("1970-01-01".to_owned()), ..links_request(&file) };
    assert_eq!(engine.identify(&always).await.expect("links").links, 1);
    let again = engine.identify(&always).await.expect("links");
    assert_eq!((again.links, again.files_already_loaded.len()), (0, 1), "the same content is loaded once");
    // Ids of digits stay as they are written.
    let digits = "anonymous_id,user_id,valid_from\n007,0042,2026-01-01\n";
    identify(&engine, directory.path(), digits).await;
    let stored = format!("SELECT anonymous_id, user_id FROM {IDENTITIES} WHERE user_id <> 'ann'");
    assert_eq!(lines(&session(&engine), &stored).await, ["007|0042"]);
}

/// Stitching, loads and compactions at the same time give what one after the other gives.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stitching_races_with_loads_and_compactions() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = loaded(directory.path()).await;
    identify(&engine, directory.path(), LINKS).await;
    let mut tasks = Vec::new();
    for loader in 0..2 {
        let (other, directory) = (another(&engine).await, directory.path().to_owned());
        tasks.push(tokio::spawn(async move {
            for number in 0..4 {
                let file = directory.join(format!("more-{loader}-{number}.csv"));
                let row =
                    |who: &str| format!("{who}{loader}{number},{who},2026-01-0{},view\n", 1 + number % 3);
                std::fs::write(&file, format!("event_id,user_id,ts,event\n{}{}", row("phone"), row("dan")))
                    .expect("a file");
                load(&other, &[file]).await;
            }
        }));
    }
    for _ in 0..2 {
        let stitcher = another(&engine).await;
        tasks.push(tokio::spawn(async move {
            for _ in 0..3 {
                stitcher.stitch("touchpoints").await.expect("a stitching");
            }
        }));
    }
    let compactor = another(&engine).await;
    tasks.push(tokio::spawn(async move {
        for _ in 0..4 {
            optimize(&compactor).await;
        }
    }));
    all(tasks).await;
    engine.stitch("touchpoints").await.expect("a stitching");
    let by_user = "SELECT user_id, count(*), count(DISTINCT event_id) FROM touchpoints GROUP BY 1 ORDER BY 1";
    let expected = ["ann|12|12", "ben|2|2", "cem|2|2", "dan|8|8", "unknown|1|1"];
    assert_eq!(lines(&session(&engine), by_user).await, expected);
    assert_in_order(&engine, directory.path()).await;
}
