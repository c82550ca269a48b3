//! What EXPLAIN promises: files and row groups left out, answers from the log, filters, projections and limits pushed
//! into the scan. And that what is left out never changes an answer.

use wayfare_datasets::{GeneratorConfig, OutputFormat, write_dataset};
use wayfare_engine::store::layout::{KeyPrefix, day_text};
use wayfare_engine::store::snapshot::DataFile;
use wayfare_engine::{Engine, EngineConfig, Session, schema};

use crate::support::{self, lines, plan, value};

/// Generated touchpoints in many files of many row groups.
struct Shop {
    engine: Engine,
    session: Session,
    files: Vec<DataFile>,
    /// Somebody with rows on several days.
    user: String,
    _directory: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let generator = GeneratorConfig { events: 4_000, users: 150, days: 4, ..GeneratorConfig::default() };
        let written =
            write_dataset(&generator, directory.path(), OutputFormat::Parquet, None, 2).expect("data");
        let config = EngineConfig {
            store_url: "memory:///test".to_owned(),
            target_file_bytes: 50_000,
            row_group_rows: 50,
            ..EngineConfig::default()
        };
        let engine = support::engine(config).await;
        support::load(&engine, &written.files).await;
        let session = support::session(&engine);
        let files = engine
            .store()
            .newest("touchpoints")
            .await
            .expect("a snapshot")
            .expect("a table")
            .files()
            .to_vec();
        let user = value(
            &session,
            "SELECT user_id FROM touchpoints GROUP BY user_id HAVING count(DISTINCT day) = 4 ORDER BY count(*), user_id LIMIT 1",
        )
        .await;
        let shop = Self { engine, session, files, user, _directory: directory };
        shop.check_that_pruning_can_show();
        shop
    }

    /// Without several prefixes per day and several row groups per file the tests would test nothing.
    fn check_that_pruning_can_show(&self) {
        for day in self.days() {
            let of_day: Vec<&DataFile> = self.files.iter().filter(|f| f.day == Some(day)).collect();
            assert!(of_day.len() > 1, "day {} is one file", day_text(day));
            assert!(
                of_day.iter().any(|f| row_groups(f) > 1),
                "day {} has no file of several row groups",
                day_text(day)
            );
        }
    }

    fn days(&self) -> Vec<i32> {
        let mut days: Vec<i32> = self.files.iter().filter_map(|f| f.day).collect();
        days.dedup();
        assert_eq!(days.len(), 4);
        days
    }

    /// Files and row groups that can hold rows of `user`, among those that `of` accepts.
    fn holding(&self, user: &str, of: impl Fn(&DataFile) -> bool) -> (usize, usize, usize) {
        let key = schema::user_key(user);
        let (mut files, mut read, mut all) = (0, 0, 0);
        for file in self.files.iter().filter(|f| of(f)) {
            let groups = file.row_groups.as_ref().expect("row groups");
            let here = groups.iter().filter(|g| (g.min_key..=g.max_key).contains(&key)).count();
            if here > 0 {
                files += 1;
                read += here;
                all += groups.len();
            }
        }
        (files, read, all)
    }
}

fn row_groups(file: &DataFile) -> usize {
    file.row_groups.as_ref().expect("a file of ours").len()
}

/// The part of a scan line between `table=` and the file list.
fn summary(plan: &str) -> &str {
    // A scan, or a look-up of few people.
    let start = plan.find("TableScanExec: ").or_else(|| plan.find("LookupExec: "));
    let start = start.unwrap_or_else(|| panic!("no scan in {plan}"));
    let end = plan[start..].find(", DataSourceExec").or_else(|| plan[start..].find(", projection="));
    &plan[start..start + end.unwrap_or_else(|| panic!("no source in {plan}"))]
}

#[tokio::test]
async fn a_query_of_one_day_reads_the_files_of_that_day() {
    let shop = Shop::open().await;
    for day in shop.days() {
        let of_day: Vec<&DataFile> = shop.files.iter().filter(|f| f.day == Some(day)).collect();
        let groups: usize = of_day.iter().map(|f| row_groups(f)).sum();
        let (text, next) = (day_text(day), day_text(day + 1));
        let expected = format!(
            "TableScanExec: table=touchpoints, version=1, files={}/{}, row_groups={groups}/{groups}, day={text}",
            of_day.len(),
            shop.files.len()
        );
        for filter in [
            format!("day = DATE '{text}'"),
            format!("day = '{text}'"),
            format!("day > '{}' AND day < '{next}'", day_text(day - 1)),
            format!("day IN ('{text}', '1999-01-01')"),
            format!("ts >= TIMESTAMPTZ '{text}T00:00:00Z' AND ts < TIMESTAMPTZ '{next}T00:00:00Z'"),
            format!("ts BETWEEN '{text}T00:00:00Z' AND '{text}T23:59:59.999999Z'"),
        ] {
            let plan = plan(&shop.session, &format!("SELECT event_id FROM touchpoints WHERE {filter}")).await;
            assert_eq!(summary(&plan), expected, "{filter}\n{plan}");
            let read = plan.matches(".parquet").count();
            assert!(read >= of_day.len() && read == plan.matches(&format!("/day={text}/")).count(), "{plan}");
        }
    }
}

#[tokio::test]
async fn a_query_of_one_person_reads_the_row_groups_of_that_prefix() {
    let shop = Shop::open().await;
    let user = &shop.user;
    let (files, read, all) = shop.holding(user, |_| true);
    assert!(files < shop.files.len() && read < all, "{files} files, {read} of {all} row groups");
    let expected = format!(", files={files}/{}, row_groups={read}/{all}, days=", shop.files.len());
    for filter in [
        format!("user_id = '{user}'"),
        format!("'{user}' = user_id"),
        format!("user_id IN ('{user}')"),
        format!("user_id = '{user}' AND event <> 'nothing'"),
        format!("user_key = {}", schema::user_key(user)),
    ] {
        let plan = plan(&shop.session, &format!("SELECT event_id FROM touchpoints WHERE {filter}")).await;
        assert!(summary(&plan).contains(&expected), "{filter}: not {expected} in\n{plan}");
        for name in plan.split("/k").skip(1).map(|rest| rest.split_once(".parquet").expect("a name").0) {
            let mut parts = name.split('-');
            let bits: u8 = parts.next().expect("bits").parse().expect("a number");
            let prefix = u16::from_str_radix(parts.next().expect("prefix"), 16).expect("a prefix");
            assert_eq!(KeyPrefix::of(schema::user_key(user), bits).prefix, prefix, "{name}");
        }
    }

    let day = shop.days()[2];
    let (files, read, all) = shop.holding(user, |f| f.day == Some(day));
    let both =
        format!("SELECT event_id FROM touchpoints WHERE user_id = '{user}' AND day = '{}'", day_text(day));
    let plan = plan(&shop.session, &both).await;
    let expected =
        format!("files={files}/{}, row_groups={read}/{all}, day={}", shop.files.len(), day_text(day));
    assert!(summary(&plan).ends_with(&expected), "not {expected} in\n{plan}");
}

/// A key between the last of one page and the first of the next is in no page.
#[tokio::test]
async fn a_person_between_two_pages_has_no_rows() {
    const PEOPLE: usize = 100_000;
    let engine = support::memory_engine().await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("people.csv");
    let mut text = "user_id,ts,event\n".to_owned();
    for person in 0..PEOPLE {
        text.push_str(&format!("p{person},2026-03-01T00:00:00Z,visit\n"));
    }
    std::fs::write(&file, text).expect("a file");
    support::load(&engine, &[file]).await;
    let snapshot = engine.store().newest("touchpoints").await.expect("a snapshot").expect("a table");
    let mut keys: Vec<i64> = (0..PEOPLE).map(|person| schema::user_key(&format!("p{person}"))).collect();
    keys.sort_unstable();
    // The writer ends a page behind 20,000 rows, when it has written 1,024 rows more: each place where that can be.
    let mut between = Vec::new();
    for group in snapshot.files().iter().filter_map(|file| file.row_groups.as_ref()).flatten() {
        let first = keys.partition_point(|key| *key < group.min_key);
        let rows = usize::try_from(group.rows).expect("few rows");
        let places = (0..rows).step_by(1_024).filter(|row| *row >= 20_000);
        between.extend(places.map(|row| (keys[first + row - 1], keys[first + row])));
    }
    assert!(between.len() >= 4, "row groups have one page each");
    let mut strangers = vec![None; between.len()];
    for id in (0..5_000_000).map(|number| format!("stranger{number}")) {
        let key = schema::user_key(&id);
        let gap = between.partition_point(|(_, next)| *next <= key);
        if between.get(gap).is_some_and(|(last, _)| *last < key) {
            strangers[gap].get_or_insert(id);
        }
        if strangers.iter().all(Option::is_some) {
            break;
        }
    }
    let session = support::session(&engine);
    for stranger in strangers.into_iter().map(|found| found.expect("a stranger in each gap")) {
        let count = format!("SELECT count(*) FROM touchpoints WHERE user_id = '{stranger}'");
        assert_eq!(value(&session, &count).await, "0");
        let both = format!("SELECT count(*) FROM touchpoints WHERE user_id IN ('{stranger}', 'p1')");
        assert_eq!(value(&session, &both).await, "1");
    }
}

#[tokio::test]
async fn nothing_is_read_where_nothing_can_match() {
    let shop = Shop::open().await;
    for filter in [
        "day = '1999-01-01'",
        "ts > '2100-01-01T00:00:00Z'",
        "event = 'zzz'",
        "user_key = 1 AND user_key = 2",
    ] {
        let plan = plan(&shop.session, &format!("SELECT event_id FROM touchpoints WHERE {filter}")).await;
        assert!(plan.contains("EmptyExec") && !plan.contains("TableScanExec"), "{filter}: {plan}");
    }
}

#[tokio::test]
async fn counts_and_extremes_come_from_the_log() {
    let shop = Shop::open().await;
    for columns in ["count(*)", "min(ts), max(ts)", "count(*), min(ts), max(ts)", "count(ts)", "max(event)"] {
        let sql = format!("SELECT {columns} FROM touchpoints");
        let plan = plan(&shop.session, &sql).await;
        assert!(!plan.contains("TableScanExec") && plan.contains("PlaceholderRowExec"), "{sql}\n{plan}");
    }
    assert_eq!(value(&shop.session, "SELECT count(*) FROM touchpoints").await, "4000");
    let from_log = lines(&shop.session, "SELECT min(ts), max(ts), max(event) FROM touchpoints").await;
    let from_files = lines(
        &shop.session,
        "SELECT min(ts), max(ts), max(event) FROM (SELECT * FROM touchpoints ORDER BY page LIMIT 9999)",
    )
    .await;
    assert_eq!(from_log, from_files);
    // With a filter the rows have to be looked at.
    let filtered = plan(&shop.session, "SELECT count(*) FROM touchpoints WHERE event <> 'page_view'").await;
    assert!(filtered.contains("TableScanExec"), "{filtered}");
}

/// What the log tells of all files is kept: not for some of them, and not for the next version.
#[tokio::test]
async fn what_the_log_tells_is_of_the_days_and_the_version_asked_for() {
    let shop = Shop::open().await;
    let told = "count(*), min(ts), max(ts), max(event)";
    let questions: Vec<(String, String)> = std::iter::once(String::new())
        .chain(shop.days().into_iter().map(|day| format!("WHERE day = '{}'", day_text(day))))
        .map(|days| {
            let by_rows = format!("(SELECT * FROM touchpoints {days} ORDER BY page LIMIT 9999)");
            (format!("SELECT {told} FROM touchpoints {days}"), format!("SELECT {told} FROM {by_rows}"))
        })
        .collect();
    let mut answers = Vec::new();
    for has_more in [false, true] {
        if has_more {
            let directory = tempfile::tempdir().expect("a directory");
            let more =
                GeneratorConfig { events: 900, users: 50, days: 2, seed: 1, ..GeneratorConfig::default() };
            let written =
                write_dataset(&more, directory.path(), OutputFormat::Parquet, None, 1).expect("data");
            support::load(&shop.engine, &written.files).await;
        }
        // Days first, then all, then days again.
        for (from_log, by_rows) in questions.iter().rev().chain(&questions[1..]) {
            let answer = lines(&shop.session, from_log).await;
            assert_eq!(answer, lines(&shop.session, by_rows).await, "{from_log}");
            answers.push(answer);
        }
    }
    let (before, after) = answers.split_at(answers.len() / 2);
    assert_ne!(before, after, "the second load brought nothing");
}

#[tokio::test]
async fn columns_filters_and_limits_go_into_the_scan() {
    let shop = Shop::open().await;
    let columns = plan(&shop.session, "SELECT event, ts FROM touchpoints").await;
    assert!(
        columns.contains("projection=[event, ts]") || columns.contains("projection=[ts, event]"),
        "{columns}"
    );

    let filters =
        plan(&shop.session, "SELECT user_id FROM touchpoints WHERE event = 'purchase' AND revenue > 10")
            .await;
    assert!(filters.starts_with("TableScanExec"), "no operator above the scan: {filters}");
    assert!(filters.contains("projection=[user_id]"), "{filters}");
    assert!(
        filters.contains("predicate=") && filters.contains("= purchase") && filters.contains("revenue@"),
        "{filters}"
    );

    for limited in [
        "SELECT user_id FROM touchpoints LIMIT 5",
        "SELECT user_id FROM touchpoints WHERE channel = 'email' LIMIT 5",
    ] {
        let plan = plan(&shop.session, limited).await;
        let scan = plan.lines().find(|line| line.contains("TableScanExec")).expect("a scan");
        assert!(scan.contains("limit=5"), "{plan}");
        assert_eq!(lines(&shop.session, limited).await.len(), 5);
    }

    // The values of a join's small side reach the scan while it runs.
    let top = plan(&shop.session, "SELECT ts, user_id FROM touchpoints ORDER BY ts LIMIT 3").await;
    assert!(top.contains("DynamicFilter"), "{top}");
}

/// Each clause over the table and over a copy in memory, which nothing is left out of.
#[tokio::test]
async fn pruning_never_changes_an_answer() {
    let shop = Shop::open().await;
    let session = support::session(&shop.engine);
    // `day` as a column of the copy's own.
    support::rows(&session, "CREATE TABLE copy AS SELECT *, day FROM touchpoints").await;
    let user = &shop.user;
    let other = value(&session, "SELECT max(user_id) FROM copy").await;
    let first = day_text(shop.days()[0]);
    let third = day_text(shop.days()[2]);
    let clauses = [
        format!("day = '{first}'"),
        format!("day <> '{first}'"),
        format!("day IN ('{first}', '{third}')"),
        format!("day > '{first}' AND day <= '{third}'"),
        format!("ts >= '{third}T06:00:00Z' AND ts < '{third}T12:00:00Z'"),
        format!("ts < '{third}T00:00:00Z' OR ts >= '{third}T23:00:00Z'"),
        format!("user_id = '{user}'"),
        format!("user_id <> '{user}' AND day = '{first}'"),
        format!("user_id IN ('{user}', '{other}', 'nobody')"),
        format!("user_id = '{user}' OR user_id = '{other}'"),
        format!("user_id = '{user}' OR event = 'purchase'"),
        format!("user_id = '{user}' AND (event = 'page_view' OR day = '{third}')"),
        format!("user_id > '{user}' AND revenue > 50"),
        format!("NOT (user_id = '{user}' OR day = '{first}')"),
        "event = 'purchase'".to_owned(),
        "event LIKE 'p%' AND channel IS NULL".to_owned(),
        "revenue IS NOT NULL AND revenue < 20.5".to_owned(),
        "user_id = 'nobody'".to_owned(),
        format!("user_id = (SELECT user_id FROM copy WHERE user_id = '{user}' LIMIT 1)"),
        format!("user_id IN (SELECT user_id FROM copy WHERE day = '{first}' AND event = 'purchase')"),
    ];
    let mut with_rows = 0;
    for clause in &clauses {
        let from = |table: &str| format!("SELECT * FROM {table} WHERE {clause} ORDER BY event_id");
        let found = lines(&session, &from("touchpoints")).await;
        // The copy has `day` at the end.
        let expected: Vec<String> = lines(&session, &from("copy"))
            .await
            .iter()
            .map(|line| line.rsplit_once('|').expect("columns").0.to_owned())
            .collect();
        assert_eq!(found, expected, "{clause}");
        let count = |table: &str| format!("SELECT count(*), sum(revenue) FROM {table} WHERE {clause}");
        assert_eq!(
            lines(&session, &count("touchpoints")).await,
            lines(&session, &count("copy")).await,
            "{clause}"
        );
        with_rows += usize::from(!found.is_empty());
    }
    assert!(with_rows >= clauses.len() - 2, "only {with_rows} clauses find rows");
}
