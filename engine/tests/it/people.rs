//! Questions about people: answered from the layout, with the answers of the ordinary way, or refused where a file is
//! not what the log tells of.

use std::path::Path;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use wayfare_datasets::{GeneratorConfig, OutputFormat, write_dataset};
use wayfare_engine::{Engine, EngineConfig, Session};

use crate::support::{self, plan};
use crate::twins::Twins;

/// Queries by person; all of them can be answered from the layout.
pub(crate) const BY_PERSON: &[&str] = &[
    "SELECT user_id, count(*) FROM touchpoints GROUP BY user_id",
    "SELECT DISTINCT user_id FROM touchpoints WHERE event <> 'page_view'",
    "SELECT user_id, min(ts), max(ts), sum(revenue), count(channel) FROM touchpoints GROUP BY user_id",
    "SELECT level, count(*) FROM (SELECT user_id, window_funnel(INTERVAL '2 days', ts, event = 'page_view', event = \
     'product_view', event = 'add_to_cart') AS level FROM touchpoints GROUP BY user_id) GROUP BY level",
    "SELECT level, count(*) FROM (SELECT user_id, window_funnel(INTERVAL '1 day', 'strict_order', ts, event = \
     'page_view', event = 'product_view') AS level FROM touchpoints WHERE event IN ('page_view', 'product_view') \
     GROUP BY user_id) GROUP BY level",
    "SELECT user_id, funnel_durations(INTERVAL '7 days', ts, event = 'page_view', event = 'purchase') FROM \
     touchpoints GROUP BY user_id",
    "SELECT user_id, retention(event = 'page_view', event = 'purchase', channel = 'email') FROM touchpoints GROUP BY \
     user_id",
    "SELECT user_id, first_value(day ORDER BY ts), last_value(ts ORDER BY ts DESC), last_value(user_id ORDER BY ts), \
     first_value(day ORDER BY ts DESC) FILTER (WHERE event = 'purchase') FROM touchpoints GROUP BY user_id",
    "SELECT user_id, first_value(channel ORDER BY ts, event_id), last_value(page ORDER BY ts, event_id) FROM \
     touchpoints GROUP BY user_id",
    "SELECT user_id, channel, count(*), min(page) FROM touchpoints GROUP BY channel, user_id",
    "SELECT user_id, day, event, count(*) FILTER (WHERE device = 'mobile') FROM touchpoints GROUP BY user_id, day, event",
    "SELECT upper(user_id), user_id, count(*) FROM touchpoints GROUP BY user_id, upper(user_id)",
    "SELECT user_id, count(*) FROM touchpoints WHERE day > DATE '2026-01-02' AND channel IS NOT NULL GROUP BY user_id \
     HAVING count(*) > 2",
    "SELECT day, channel, count(DISTINCT user_id) FROM touchpoints GROUP BY day, channel",
    "SELECT day, count(DISTINCT user_id) FROM touchpoints GROUP BY day",
    "SELECT count(DISTINCT user_id) FROM touchpoints WHERE user_id > '2' AND day <> DATE '2026-01-03'",
    "SELECT user_id, min(day), bit_or(1::BIGINT << (day - DATE '2026-01-01')) FROM touchpoints GROUP BY user_id",
    "SELECT DISTINCT user_id FROM touchpoints",
    "SELECT count(DISTINCT user_id) FROM touchpoints WHERE coalesce(channel, 'x') <> 'email'",
    "SELECT entry_channel, count(*), sum(events), count(*) FILTER (WHERE is_bounce) FROM sessions(touchpoints) GROUP BY \
     entry_channel",
    "SELECT * FROM sessions(touchpoints, gap => INTERVAL '10 minutes', split_on => channel)",
    "SELECT * FROM journey.sessions",
    "SELECT * FROM funnel(touchpoints, steps => ['page_view', 'product_view', 'purchase'], within => INTERVAL '3 days', \
     by => channel)",
    "SELECT * FROM retention_matrix(touchpoints, target => 'page_view', period => 'day')",
    "SELECT user_id, c FROM (SELECT user_id, CASE WHEN event = 'purchase' THEN channel ELSE event END AS x, count(*) AS c \
     FROM touchpoints WHERE length(event) > 4 GROUP BY user_id, CASE WHEN event = 'purchase' THEN channel ELSE event END)",
    "SELECT user_id, sequence_match('(?1).*(?2)', ts, event = 'page_view', event = 'purchase') FROM touchpoints GROUP BY \
     user_id",
    "SELECT source, target, count, persons, probability FROM transitions(touchpoints)",
    "SELECT path, persons, count FROM top_paths(touchpoints, collapse => true, depth => 4)",
    "SELECT model, touch_key, conversions, value, cost FROM attribution_summary(touchpoints)",
    "SELECT user_id, conversion_ts, model, touch_key, touch_ts, credit, value FROM attribution(touchpoints, models => \
     ['linear', 'time_decay'])",
    "SELECT touch_key, conversions, removal_effect FROM markov_attribution(touchpoints)",
];

/// Window functions by person, alone and below other operators.
pub(crate) const WINDOWS: &[&str] = &[
    "SELECT user_id, ts, event_id, row_number() OVER (PARTITION BY user_id ORDER BY ts, event_id) FROM touchpoints",
    "SELECT user_id, event_id, sessionize(ts, INTERVAL '30 minutes') OVER (PARTITION BY user_id ORDER BY ts) FROM \
     touchpoints",
    "SELECT channel, count(*) FROM (SELECT channel, ts, lag(ts) OVER (PARTITION BY user_id ORDER BY ts) AS before FROM \
     touchpoints WHERE event <> 'page_view') WHERE before IS NULL OR ts - before > INTERVAL '30 minutes' GROUP BY channel",
    "SELECT user_id, sum(starts) FROM (SELECT user_id, CASE WHEN ts - lag(ts) OVER (PARTITION BY user_id ORDER BY ts) <= \
     INTERVAL '10 minutes' THEN 0 ELSE 1 END AS starts FROM touchpoints) GROUP BY user_id",
    "SELECT session, count(*) FROM (SELECT sum(is_new) OVER (PARTITION BY user_id ORDER BY ts) AS session FROM (SELECT \
     user_id, ts, CASE WHEN lag(ts) OVER (PARTITION BY user_id ORDER BY ts) IS NULL THEN 1 ELSE 0 END AS is_new FROM \
     touchpoints)) GROUP BY session",
    "SELECT user_id, event_id, count(*) OVER (PARTITION BY user_id), first_value(event_id) OVER (PARTITION BY user_id, \
     channel ORDER BY ts DESC, event_id) FROM touchpoints WHERE day >= DATE '2020-01-01'",
];

/// Queries that look like it and are not.
const OTHERS: &[&str] = &[
    "SELECT a.user_id, count(*) FROM touchpoints a JOIN touchpoints b ON a.event_id = b.event_id GROUP BY a.user_id",
    "SELECT user_id, count(*) FROM (SELECT * FROM touchpoints UNION ALL SELECT * FROM touchpoints) GROUP BY user_id",
    "SELECT user_id, count(*) FROM (SELECT event AS user_id FROM touchpoints) GROUP BY user_id",
    "SELECT user_id, array_agg(event ORDER BY ts, event_id) FROM touchpoints GROUP BY user_id",
    "SELECT user_id, channel, count(*) FROM touchpoints GROUP BY ROLLUP (user_id, channel)",
    "SELECT event_id, row_number() OVER (PARTITION BY channel ORDER BY ts, event_id) FROM touchpoints",
    "SELECT count(*) FROM (SELECT user_id, count(*) FROM (SELECT * FROM touchpoints ORDER BY event_id LIMIT 50) GROUP BY \
     user_id)",
];

/// Rows that arrive late and twice: several files for most days.
async fn shop(config: EngineConfig, directory: &Path) -> Engine {
    let engine =
        support::engine(EngineConfig { row_group_rows: 40, target_file_bytes: 40_000, ..config }).await;
    for (seed, events) in [(1, 700), (2, 250), (3, 40)] {
        let generator = GeneratorConfig {
            seed,
            events,
            users: 40,
            days: 5,
            duplicates: 0.02,
            late: 0.1,
            ..GeneratorConfig::default()
        };
        let into = directory.join(format!("in-{seed}"));
        let written = write_dataset(&generator, &into, OutputFormat::Parquet, None, 2).expect("data");
        support::load(&engine, &written.files).await;
    }
    engine
}

fn in_memory() -> EngineConfig {
    EngineConfig { store_url: "memory:///test".to_owned(), ..EngineConfig::default() }
}

async fn answers_agree(engine: &Engine) {
    let session = support::session(engine);
    let twins = Twins::new(engine).await;
    for sql in BY_PERSON.iter().chain(WINDOWS).chain(OTHERS) {
        let rows = support::rows(&session, sql).await;
        assert!(!rows.is_empty(), "{sql}");
        twins.check(sql, Ok(&rows)).await.unwrap_or_else(|difference| panic!("{difference}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_gives_the_same_answer() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = shop(in_memory(), directory.path()).await;
    answers_agree(&engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_by_person_neither_sort_nor_shuffle() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = shop(in_memory(), directory.path()).await;
    let session = support::session(&engine);
    for sql in BY_PERSON.iter().chain(&WINDOWS[..5]) {
        let plan = plan(&session, sql).await;
        // Both operators are leaves.
        assert!(plan.contains("Exec: ordered: yes"), "{sql}\n{plan}");
        assert!(!plan.contains("ordered: no"), "{sql}\n{plan}");
        let steps = plan.split_once("steps=[").and_then(|(_, rest)| rest.split_once(']'));
        let sorts =
            |(steps, _): (&str, &str)| steps.contains("SortExec") || steps.contains("RepartitionExec");
        assert!(!steps.is_some_and(sorts), "{sql}\n{plan}");
    }
    for sql in OTHERS {
        let plan = plan(&session, sql).await;
        assert!(!plan.contains("ordered: yes"), "{sql}\n{plan}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_says_why_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = shop(in_memory(), directory.path()).await;
    let session = support::session(&engine);
    let why = async |sql: &str| {
        let plan = plan(&session, sql).await;
        let start = plan.find("ordered: no, ").unwrap_or_else(|| panic!("{sql}\n{plan}"));
        plan[start + 13..].split_once(", DataSourceExec").expect("a source").0.to_owned()
    };
    assert_eq!(why(OTHERS[3]).await, "array_agg has no accumulator for many groups");
    assert!(why(OTHERS[0]).await.starts_with("the rows come from "));
    support::batches(&session, "SET wayfare.fast_path = off").await.expect("a setting");
    assert_eq!(why(BY_PERSON[0]).await, "wayfare.fast_path is off");
}

/// The files of a table, for tests that damage them.
fn data_files(store: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for day in std::fs::read_dir(store.join("touchpoints")).expect("a table") {
        let day = day.expect("an entry").path();
        if day.file_name().is_some_and(|name| name.to_string_lossy().starts_with("day=")) {
            files.extend(std::fs::read_dir(day).expect("a day").map(|file| file.expect("a file").path()));
        }
    }
    files.sort();
    files
}

async fn answer(session: &Session, sql: &str) -> Result<Vec<Vec<String>>, String> {
    match support::batches(session, sql).await {
        Ok((_, batches)) => {
            let mut rows = crate::pg_text::rows(&batches);
            rows.sort();
            Ok(rows)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Any two files change places: an error, or the right answer where that makes no difference.
#[tokio::test(flavor = "multi_thread")]
async fn files_in_each_others_places_are_noticed() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let config = EngineConfig { store_url: store.display().to_string(), ..EngineConfig::default() };
    let engine = shop(config.clone(), directory.path()).await;
    let sql = BY_PERSON[3];
    let expected = answer(&support::session(&engine), sql).await.expect("an answer");
    let files = data_files(&store);
    let mut noticed = 0;
    for pair in files.windows(2).step_by(3) {
        let swap = || {
            let other = store.join("aside");
            std::fs::rename(&pair[0], &other).expect("a move");
            std::fs::rename(&pair[1], &pair[0]).expect("a move");
            std::fs::rename(&other, &pair[1]).expect("a move");
        };
        swap();
        // Nothing is cached in a new engine.
        let engine = support::engine(config.clone()).await;
        match answer(&support::session(&engine), sql).await {
            Ok(found) => assert_eq!(found, expected, "{pair:?}"),
            Err(message) => {
                noticed += 1;
                assert!(message.contains(".parquet"), "the message names no file: {message}");
            }
        }
        swap();
    }
    assert!(noticed > 0, "no swap was noticed");
}

/// Writes a data file anew: `change` gets the rows of its row groups. The log learns the new size.
fn rewrite(store: &Path, file: &Path, change: impl Fn(Vec<RecordBatch>) -> Vec<RecordBatch>) {
    let bytes = Bytes::from(std::fs::read(file).expect("a file"));
    let open = || ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).expect("a Parquet file");
    let row_groups = (0..open().metadata().num_row_groups()).map(|row_group| {
        let reader = open().with_row_groups(vec![row_group]).with_batch_size(1 << 20).build();
        reader.expect("a reader").next().expect("rows").expect("a batch")
    });
    let changed = change(row_groups.collect());
    let mut writer = ArrowWriter::try_new(Vec::new(), changed[0].schema(), None).expect("a writer");
    for rows in &changed {
        writer.write(rows).expect("rows are written");
        writer.flush().expect("a row group ends");
    }
    let written = writer.into_inner().expect("a file");
    let name = file.file_name().expect("a name").to_string_lossy();
    for entry in std::fs::read_dir(store.join("touchpoints/_delta_log")).expect("a log") {
        let log = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let size = |bytes: usize| format!("\"size\":{bytes},");
        let line = |line: &str| match line.contains(name.as_ref()) {
            true => line.replace(&size(bytes.len()), &size(written.len())),
            false => line.to_owned(),
        };
        std::fs::write(&log, text.lines().map(line).collect::<Vec<_>>().join("\n")).expect("a log");
    }
    std::fs::write(file, written).expect("a file");
}

/// The rows of a batch in an order that `seed` gives.
fn shuffled(rows: &RecordBatch, seed: u64) -> RecordBatch {
    let mut order: Vec<u32> = (0..u32::try_from(rows.num_rows()).expect("few rows")).collect();
    order.sort_by_key(|row| xxhash_rust::xxh64::xxh64(&row.to_le_bytes(), seed));
    take_record_batch(rows, &UInt32Array::from(order)).expect("rows")
}

/// Files whose rows are not in the order of the layout: the same answers, since nothing relies on it.
#[tokio::test(flavor = "multi_thread")]
async fn rows_in_another_order_give_the_same_answers() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let config = EngineConfig { store_url: store.display().to_string(), ..EngineConfig::default() };
    let engine = shop(config.clone(), directory.path()).await;
    let session = support::session(&engine);
    let mut expected = Vec::new();
    for sql in BY_PERSON {
        expected.push(answer(&session, sql).await.expect("an answer"));
    }
    for seed in 0..4 {
        for file in data_files(&store) {
            rewrite(&store, &file, |groups| groups.iter().map(|rows| shuffled(rows, seed)).collect());
        }
        let engine = support::engine(config.clone()).await;
        let session = support::session(&engine);
        for (sql, expected) in BY_PERSON.iter().zip(&expected) {
            assert_eq!(answer(&session, sql).await.as_ref(), Ok(expected), "{sql}");
        }
    }
}

/// With a file that does not carry the tags of the layout everything is planned the ordinary way.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_writer_is_read_the_ordinary_way() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let config = EngineConfig { store_url: store.display().to_string(), ..EngineConfig::default() };
    let engine = shop(config.clone(), directory.path()).await;
    let session = support::session(&engine);
    let mut expected = Vec::new();
    for sql in BY_PERSON.iter().chain(&WINDOWS[..4]) {
        expected.push((sql, answer(&session, sql).await.expect("an answer")));
    }
    let file = data_files(&store)[2].clone();
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    let mut disowned = 0;
    for entry in std::fs::read_dir(store.join("touchpoints/_delta_log")).expect("a log") {
        let log = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let line = |line: &str| match line.contains(&name) {
            true => line.replace("wayfare.layout", "other.layout"),
            false => line.to_owned(),
        };
        let changed = text.lines().map(line).collect::<Vec<_>>().join("\n");
        disowned += usize::from(changed.contains("other.layout"));
        std::fs::write(&log, changed).expect("a log");
    }
    assert_eq!(disowned, 1);
    let engine = support::engine(config).await;
    let session = support::session(&engine);
    let plan = plan(&session, BY_PERSON[0]).await;
    assert!(plan.contains("ordered: no, a file of another writer is among the files"), "{plan}");
    let twins = Twins::new(&engine).await;
    for (sql, expected) in &expected {
        assert_eq!(answer(&session, sql).await.as_ref(), Ok(expected), "{sql}");
    }
    let counts = answer(&session, BY_PERSON[2]).await.expect("an answer");
    twins.check(BY_PERSON[2], Ok(&counts)).await.unwrap_or_else(|difference| panic!("{difference}"));
}

/// Rows of one range of people among those of another: an error that names the file.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_another_range_are_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let config = EngineConfig { store_url: store.display().to_string(), ..EngineConfig::default() };
    shop(config.clone(), directory.path()).await;
    let files = data_files(&store);
    let several = |file: &&std::path::PathBuf| {
        let bytes = Bytes::from(std::fs::read(file).expect("a file"));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a Parquet file");
        reader.metadata().num_row_groups() > 1
    };
    let file = files.iter().find(several).expect("a file of several row groups");
    rewrite(&store, file, |mut groups| {
        // The first row of each of the first two row groups changes places.
        let both = concat_batches(&groups[0].schema(), &groups[..2]).expect("rows");
        let first = groups[0].num_rows();
        let mut order: Vec<u32> = (0..u32::try_from(both.num_rows()).expect("few rows")).collect();
        order.swap(0, first);
        let both = take_record_batch(&both, &UInt32Array::from(order)).expect("rows");
        groups[1] = both.slice(first, both.num_rows() - first);
        groups[0] = both.slice(0, first);
        groups
    });
    let engine = support::engine(config).await;
    let message = answer(&support::session(&engine), BY_PERSON[3]).await.expect_err("it is noticed");
    let name = file.file_name().expect("a name").to_string_lossy();
    assert!(message.contains(name.as_ref()) && message.contains("user_key"), "{message}");
}

/// Bytes of a file are changed: an error that names it, or an answer that does not depend on them.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let config = EngineConfig { store_url: store.display().to_string(), ..EngineConfig::default() };
    shop(config.clone(), directory.path()).await;
    let file = &data_files(&store)[1];
    let whole = std::fs::read(file).expect("a file");
    let cut = whole[..whole.len() / 2].to_vec();
    let mut zeroed = whole.clone();
    let middle = zeroed.len() / 3;
    zeroed[4..middle].fill(0);
    for damaged in [cut, zeroed] {
        std::fs::write(file, damaged).expect("a file");
        let engine = support::engine(config.clone()).await;
        let message = answer(&support::session(&engine), BY_PERSON[2]).await.expect_err("damage is noticed");
        let name = file.file_name().expect("a name").to_string_lossy();
        assert!(message.contains(name.as_ref()), "{message}");
    }
}

/// Each bit where the dictionary of the people begins is turned over: an error that names the file, or the same number of
/// people.
#[tokio::test(flavor = "multi_thread")]
async fn no_one_is_lost_by_a_damaged_dictionary() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let config = EngineConfig { store_url: store.display().to_string(), ..EngineConfig::default() };
    let engine = support::engine(config.clone()).await;
    let generator = GeneratorConfig { events: 300, users: 60, days: 1, ..GeneratorConfig::default() };
    let into = directory.path().join("in");
    let written = write_dataset(&generator, &into, OutputFormat::Parquet, None, 1).expect("data");
    support::load(&engine, &written.files).await;
    let sql = "SELECT count(DISTINCT user_id) FROM touchpoints";
    let expected = answer(&support::session(&engine), sql).await.expect("an answer");
    let file = &data_files(&store)[0];
    let whole = std::fs::read(file).expect("a file");
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(Bytes::from(whole.clone())).expect("a Parquet file");
    let chunks = reader.metadata().row_group(0).columns();
    let of_people =
        |chunk: &&parquet::file::metadata::ColumnChunkMetaData| chunk.column_path().string() == "user_id";
    let start = chunks.iter().find(of_people).and_then(|chunk| usize::try_from(chunk.byte_range().0).ok());
    let start = start.expect("a column of people");
    let (mut noticed, mut same) = (0, 0);
    for place in start..start + 24 {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[place] ^= 1 << bit;
            std::fs::write(file, damaged).expect("a file");
            match answer(&support::session(&support::engine(config.clone()).await), sql).await {
                Ok(found) => {
                    assert_eq!(found, expected, "bit {bit} of byte {}", place - start);
                    same += 1;
                }
                Err(message) => {
                    let name = file.file_name().expect("a name").to_string_lossy();
                    assert!(message.contains(name.as_ref()), "{message}");
                    noticed += 1;
                }
            }
        }
    }
    assert!(noticed > 20, "{noticed} noticed, {same} without a difference");
}

/// A limit that the rows of a bucket fit into, but not those of the table.
#[tokio::test(flavor = "multi_thread")]
async fn memory_follows_a_bucket_and_its_limit_is_kept() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = EngineConfig { memory_limit_bytes: 700_000, ..in_memory() };
    // Loading needs more.
    let loading = shop(in_memory(), &directory.path().join("in-memory")).await;
    let expected = answer(&support::session(&loading), BY_PERSON[3]).await.expect("an answer");
    drop(loading);
    let store = directory.path().join("store");
    let large = EngineConfig { store_url: store.display().to_string(), ..config.clone() };
    shop(EngineConfig { memory_limit_bytes: 64 << 20, ..large.clone() }, directory.path()).await;
    let engine = support::engine(large.clone()).await;
    assert_eq!(answer(&support::session(&engine), BY_PERSON[3]).await, Ok(expected));
    let engine = support::engine(EngineConfig { memory_limit_bytes: 5_000, ..large }).await;
    let message = answer(&support::session(&engine), BY_PERSON[3]).await.expect_err("too little");
    assert!(message.contains("PersonAggregateExec"), "{message}");
}

/// Who came is told by the people that a row group names, without its rows.
#[tokio::test(flavor = "multi_thread")]
async fn who_came_is_told_without_rows() {
    let directory = tempfile::tempdir().expect("a directory");
    let generator = GeneratorConfig { events: 900, users: 20, days: 4, ..GeneratorConfig::default() };
    let written = write_dataset(&generator, directory.path(), OutputFormat::Parquet, None, 1).expect("data");
    let engine = support::engine(in_memory()).await;
    support::load(&engine, &written.files).await;
    let session = support::session(&engine);
    let rows_read = async |sql: &str| -> u64 {
        let plan = support::lines(&session, &format!("EXPLAIN ANALYZE {sql}")).await.join(" ");
        let (_, rest) = plan.split_once("rows_read=").unwrap_or_else(|| panic!("{plan}"));
        let digits = rest.chars().take_while(char::is_ascii_digit);
        digits.collect::<String>().parse().unwrap_or_else(|_| panic!("{plan}"))
    };
    let count = async |sql: &str| -> u64 { support::value(&session, sql).await.parse().expect("a number") };
    let rows = count("SELECT count(*) FROM touchpoints").await;
    let came =
        count("SELECT count(*) FROM (SELECT user_id, day FROM touchpoints GROUP BY user_id, day)").await;
    assert!(came < rows / 2, "{came} of {rows}");
    for sql in [
        "SELECT day, count(DISTINCT user_id) FROM touchpoints GROUP BY day",
        "SELECT count(DISTINCT user_id) FROM touchpoints WHERE user_id <> ''",
        "SELECT user_id, max(day) FROM touchpoints GROUP BY user_id",
    ] {
        assert_eq!(rows_read(sql).await, came, "{sql}");
    }
    for sql in [
        "SELECT user_id, count(*) FROM touchpoints GROUP BY user_id",
        "SELECT channel, count(DISTINCT user_id) FROM touchpoints GROUP BY channel",
    ] {
        assert_eq!(rows_read(sql).await, rows, "{sql}");
    }
}

/// Where a session came from is told by the first row that has a channel, a source or a campaign.
#[tokio::test(flavor = "multi_thread")]
async fn what_decides_nothing_is_not_read() {
    const HEADER: &str = "event_id,user_id,ts,event,channel,source,campaign\n";
    const EACH_HAS_A_CHANNEL: &str = "1,ann,2024-05-01T10:00:00Z,visit,email,,spring\n\
        2,ann,2024-05-01T10:01:00Z,visit,search,google,\n3,ben,2024-05-02T10:00:00Z,visit,social,meta,\n\
        4,ben,2024-05-02T11:00:00Z,visit,direct,,\n5,ann,2024-05-02T10:00:00Z,visit,email,letter,autumn\n";
    const ONE_HAS_NONE: &str =
        "6,cid,2024-05-02T10:00:00Z,visit,,google,\n7,cid,2024-05-02T10:01:00Z,visit,email,,\n";
    let ask = |shown: &str| format!("SELECT {shown}, count(*) FROM sessions(touchpoints) GROUP BY {shown}");
    // What is shown; what is read for it beside the person and the time once each row has a channel; of what only the
    // presence is told then, and where one row has none.
    let shown = [
        ("entry_channel", vec!["channel"], ["", "presence=[source, campaign]"]),
        ("entry_source", vec!["channel", "source"], ["presence=[channel]", "presence=[channel, campaign]"]),
        ("entry_campaign", vec!["channel", "campaign"], ["presence=[channel]", "presence=[channel, source]"]),
        ("entry_channel, entry_campaign", vec!["channel", "campaign"], ["", "presence=[source]"]),
        ("entry_channel, entry_source, entry_campaign", vec!["channel", "source", "campaign"], ["", ""]),
    ];
    let directory = tempfile::tempdir().expect("a directory");
    let engine = support::engine(in_memory()).await;
    for (name, rows) in [("all.csv", EACH_HAS_A_CHANNEL), ("some.csv", ONE_HAS_NONE)] {
        let file = directory.path().join(name);
        std::fs::write(&file, format!("{HEADER}{rows}")).expect("a file");
        support::load(&engine, &[file]).await;
        let session = support::session(&engine);
        let twins = Twins::new(&engine).await;
        for (shown, read, told) in &shown {
            let sql = ask(shown);
            let answer = support::rows(&session, &sql).await;
            twins.check(&sql, Ok(&answer)).await.unwrap_or_else(|difference| panic!("{difference}"));
            let plan = plan(&session, &sql).await;
            let columns = plan.split_once("columns=[").and_then(|(_, rest)| rest.split_once(']'));
            let columns: Vec<&str> = columns.expect("columns").0.split(", ").collect();
            for origin in ["channel", "source", "campaign"] {
                let is_read = name == "some.csv" || read.contains(&origin);
                assert_eq!(columns.contains(&origin), is_read, "{sql}\n{plan}");
            }
            let told = told[usize::from(name == "some.csv")];
            assert!(plan.contains(told) && plan.contains("presence=") != told.is_empty(), "{sql}\n{plan}");
        }
    }
}

/// Channels, sources and campaigns in all combinations, so that the first row with any of them is now this, now that;
/// rows of one instant, which nothing but their values orders.
#[tokio::test(flavor = "multi_thread")]
async fn where_sessions_come_from_is_the_same_by_presence_and_by_value() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = support::engine(in_memory()).await;
    let mut rows = "event_id,user_id,ts,event,channel,source,campaign,device\n".to_owned();
    for row in 0_u64..4_000 {
        let random = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let pick = |shift: u32, values: [&'static str; 4]| values[(random >> shift & 3) as usize];
        let (user, minute) = (random >> 8 & 63, random >> 14 & 0x1ff);
        let (channel, source) = (pick(0, ["", "", "email", "search"]), pick(2, ["", "", "letter", "google"]));
        let (campaign, device) =
            (pick(4, ["", "", "spring", "autumn"]), pick(6, ["", "phone", "tablet", "watch"]));
        let id = if row % 3 == 0 { row.to_string() } else { String::new() };
        let (day, minute) = (minute / 64 + 1, minute % 64 / 8);
        rows += &format!(
            "{id},u{user},2024-05-0{day}T10:0{minute}:00Z,visit,{channel},{source},{campaign},{device}\n"
        );
    }
    let file = directory.path().join("rows.csv");
    std::fs::write(&file, rows).expect("a file");
    support::load(&engine, &[file]).await;
    let session = support::session(&engine);
    let twins = Twins::new(&engine).await;
    let shown = [
        "entry_channel",
        "entry_source",
        "entry_campaign",
        "entry_channel, device",
        "entry_source, entry_campaign",
    ];
    // Without ids nothing but their values orders rows of one instant.
    let without_ids = "(SELECT user_id, ts, event, channel, source, campaign, device FROM touchpoints)";
    for (shown, data) in
        shown.iter().flat_map(|shown| ["touchpoints", without_ids].map(|data| (*shown, data)))
    {
        for (arguments, has_presence) in [
            ("", Some(true)),
            (", gap => INTERVAL '3 minutes'", Some(true)),
            (", max_events => 3", Some(true)),
            (", separator => source = 'letter'", Some(shown.starts_with("entry_source"))),
            (", source => event", (shown == "entry_channel").then_some(false)),
            (", source => channel", None),
            (", channel => upper(channel)", None),
            (", campaign => CASE WHEN device = 'watch' THEN campaign END", None),
        ] {
            let sql = format!(
                "SELECT user_id, session_number, {shown} FROM sessions({data}{arguments}) ORDER BY 1, 2"
            );
            let answer = support::rows(&session, &sql).await;
            twins.check(&sql, Ok(&answer)).await.unwrap_or_else(|difference| panic!("{difference}"));
            let plan = plan(&session, &sql).await;
            assert!(has_presence.is_none_or(|has| plan.contains("presence=") == has), "{sql}\n{plan}");
        }
    }
}

/// Rows of one instant: their ids tell their order, and where they lie does so only in files of ours that do not overlap.
#[tokio::test(flavor = "multi_thread")]
async fn ids_order_the_rows_of_one_instant() {
    const SESSIONS: &str = "SELECT user_id, entry_channel FROM sessions(touchpoints) ORDER BY user_id";
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let config = EngineConfig { store_url: store.display().to_string(), ..EngineConfig::default() };
    let engine = support::engine(config.clone()).await;
    let load = async |engine: &Engine, name: &str, rows: &str| {
        let file = directory.path().join(name);
        std::fs::write(&file, format!("event_id,user_id,ts,event,channel\n{rows}")).expect("a file");
        support::load(engine, &[file]).await;
    };
    let instant = "2024-05-01T10:00:00Z,visit";
    let rows = ["3,ann,@,email", "1,ann,@,search", "2,ann,@,social", "9,ben,@,email", "4,ben,@,direct"];
    load(&engine, "first.csv", &rows.join("\n").replace('@', instant)).await;
    let check = async |engine: &Engine, expected: [[&str; 2]; 2], by_place: bool| {
        let session = support::session(engine);
        let rows = support::rows(&session, SESSIONS).await;
        assert_eq!(rows, expected.map(|row| row.map(str::to_owned).to_vec()));
        Twins::new(engine).await.check(SESSIONS, Ok(&rows)).await.unwrap_or_else(|e| panic!("{e}"));
        let plan = plan(&session, SESSIONS).await;
        assert_eq!(plan.contains("by_place=[event_id]"), by_place, "{plan}");
    };
    let first = [["ann", "search"], ["ben", "direct"]];
    check(&engine, first, true).await;
    // A file of another order, which does not say that it is sorted.
    for file in data_files(&store) {
        rewrite(&store, &file, |groups| {
            let reversed = |rows: &RecordBatch| {
                let order: Vec<u32> = (0..u32::try_from(rows.num_rows()).expect("few rows")).rev().collect();
                take_record_batch(rows, &UInt32Array::from(order)).expect("rows")
            };
            groups.iter().map(reversed).collect()
        });
    }
    let engine = support::engine(config).await;
    check(&engine, first, true).await;
    // A late row of the same day is in another file.
    load(&engine, "late.csv", &"0,ben,@,referral".replace('@', instant)).await;
    check(&engine, [["ann", "search"], ["ben", "referral"]], false).await;
}
