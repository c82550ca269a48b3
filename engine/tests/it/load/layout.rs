//! The layout on disk, checked from the log's text and the Parquet files alone, without the engine's readers.

use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::Value;
use wayfare_engine::{EngineConfig, schema};
use xxhash_rust::xxh64::xxh64;

use super::{DAY_US, InputRow, input_rows, run, write_csv};
use crate::support::{engine, load};

/// Columns whose extremes may stand in the log: none of them tells who somebody is.
const PUBLIC_COLUMNS: [&str; 8] =
    ["user_key", "ts", "received_at", "event", "channel", "revenue", "cost", "score"];
const ROW_GROUP_ROWS: usize = 7;

/// Where a row stands in a file: `(user_key, user_id, ts, event_id)`.
type SortKey = (i64, String, i64, String);

/// The `add` actions of all commits.
pub(crate) fn adds(table: &Path) -> Vec<Value> {
    let mut commits: Vec<_> = std::fs::read_dir(table.join("_delta_log"))
        .expect("a log")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    commits.sort();
    let mut adds = Vec::new();
    for commit in commits {
        for line in std::fs::read_to_string(commit).expect("a commit").lines() {
            let mut action: Value = serde_json::from_str(line).expect("an action");
            if let Some(add) = action.get_mut("add") {
                adds.push(add.take());
            }
        }
    }
    adds
}

/// Checks one file and returns its number of rows. Its row groups were asked to have `row_group_rows` rows.
pub(crate) fn check_file(table: &Path, add: &Value, row_group_rows: usize) -> usize {
    let path = add["path"].as_str().expect("a path");
    let bytes = std::fs::read(table.join(path)).expect("a data file");
    assert_eq!(add["size"], bytes.len(), "{path}");
    assert_eq!(add["tags"]["wayfare.xxh64"], format!("{:016x}", xxh64(&bytes, 0)), "{path}");
    assert_eq!(add["tags"]["wayfare.layout"], "1");

    let day = add["partitionValues"]["day"].as_str().expect("a day");
    let day_number =
        chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").expect("a date") - chrono::NaiveDate::default();
    let name = path.strip_prefix(&format!("day={day}/k")).unwrap_or_else(|| panic!("{path} is not of {day}"));
    let mut parts = name.split('-');
    let bits: u32 = parts.next().expect("bits").parse().expect("a number");
    let prefix = u64::from_str_radix(parts.next().expect("a prefix"), 16).expect("a prefix");

    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).expect("a Parquet file");
    let group_rows: Vec<usize> =
        reader.metadata().row_groups().iter().map(|g| usize::try_from(g.num_rows()).expect("rows")).collect();
    let mut keys: Vec<SortKey> = Vec::new();
    for batch in reader.build().expect("a reader") {
        let batch = batch.expect("a batch");
        assert!(batch.column_by_name("day").is_none(), "the partition column is in the path alone");
        let column = |name: &str| batch.column_by_name(name).unwrap_or_else(|| panic!("no {name}"));
        let (user_keys, times) = (
            column("user_key").as_primitive::<Int64Type>(),
            column("ts").as_primitive::<TimestampMicrosecondType>(),
        );
        let (users, ids) = (column("user_id").as_string::<i32>(), column("event_id").as_string::<i32>());
        assert_eq!(ids.null_count(), 0, "every row has an id");
        for row in 0..batch.num_rows() {
            keys.push((
                user_keys.value(row),
                users.value(row).to_owned(),
                times.value(row),
                ids.value(row).to_owned(),
            ));
        }
    }
    assert!(keys.is_sorted(), "{path} is not sorted");
    for (user_key, user_id, ts, _) in &keys {
        assert_eq!(*user_key, schema::user_key(user_id));
        assert_eq!(ts.div_euclid(DAY_US), day_number.num_days(), "{path} has a row of another day");
        let ordered = user_key.cast_unsigned() ^ (1 << 63);
        assert_eq!(ordered.checked_shr(64 - bits).unwrap_or(0), prefix, "{path} has a row of another prefix");
    }
    check_row_groups(add, path, &group_rows, &keys, 2 * row_group_rows);
    check_statistics(add, path, &keys);
    keys.len()
}

fn check_row_groups(add: &Value, path: &str, group_rows: &[usize], keys: &[SortKey], most: usize) {
    let tag = add["tags"]["wayfare.row_groups"].as_str().expect("row groups");
    let tagged: Vec<(usize, i64, i64)> = serde_json::from_str(tag).expect("rows and key ranges");
    let mut rest = keys;
    let mut found = Vec::new();
    for rows in group_rows {
        assert!(*rows <= most, "{path} has a row group of {rows} rows");
        let (group, after) = rest.split_at(*rows);
        found.push((*rows, group[0].0, group[rows - 1].0));
        rest = after;
    }
    assert!(rest.is_empty());
    assert_eq!(tagged, found, "{path}");
}

fn check_statistics(add: &Value, path: &str, keys: &[SortKey]) {
    let statistics: Value = serde_json::from_str(add["stats"].as_str().expect("statistics")).expect("JSON");
    assert_eq!(statistics["numRecords"], keys.len(), "{path}");
    for part in ["minValues", "maxValues", "nullCount"] {
        for column in statistics[part].as_object().expect("an object").keys() {
            let is_counted = part == "nullCount" && column == "event_id";
            assert!(
                is_counted || PUBLIC_COLUMNS.contains(&column.as_str()),
                "{column} stands in {part} of {path}"
            );
        }
    }
    assert_eq!(statistics["minValues"]["user_key"], keys[0].0, "{path}");
    assert_eq!(statistics["maxValues"]["user_key"], keys[keys.len() - 1].0, "{path}");
    let (first, last) = (keys.iter().map(|k| k.2).min(), keys.iter().map(|k| k.2).max());
    for (part, expected) in [("minValues", first), ("maxValues", last)] {
        let text = statistics[part]["ts"].as_str().expect("a time");
        let time = chrono::DateTime::parse_from_rfc3339(text).expect("RFC 3339");
        assert_eq!(Some(time.timestamp_micros()), expected, "{path}");
    }
}

/// Loads `loads` one after the other into a store of tiny files and checks all of it.
async fn check_layout(loads: &[Vec<InputRow>], target_file_bytes: u64) -> Vec<usize> {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let config = EngineConfig {
        store_url: store.display().to_string(),
        target_file_bytes,
        row_group_rows: ROW_GROUP_ROWS,
        ..EngineConfig::default()
    };
    let engine = engine(config).await;
    let mut loaded = 0;
    for (i, rows) in loads.iter().enumerate() {
        let file = write_csv(&directory.path().join(format!("{i}.csv")), rows);
        loaded += load(&engine, &[file]).await.rows_loaded;
    }
    let table = store.join("touchpoints");
    let rows: Vec<usize> = adds(&table).iter().map(|add| check_file(&table, add, ROW_GROUP_ROWS)).collect();
    assert_eq!(rows.iter().sum::<usize>() as u64, loaded);
    assert!(rows.iter().all(|rows| *rows > 0), "no empty files");
    rows
}

proptest! {
    #![proptest_config(Config { cases: 10, failure_persistence: None, ..Config::default() })]

    #[test]
    fn files_keep_the_layout(loads in prop::collection::vec(input_rows(60), 1..3), target in prop::sample::select(vec![1_u64, 500, 1 << 20])) {
        run(check_layout(&loads, target));
    }
}

/// One day of many people: more than one prefix and more than one row group.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_day_has_several_files_of_several_row_groups() {
    let users = ["ana", "ben", "chloé", "小明", "O'Neil, Q", "🦊", "gil", "zoe"];
    let rows: Vec<InputRow> = (0..400)
        .map(|n| InputRow {
            event_id: None,
            user_id: users[n % users.len()],
            ts_us: (n as i64 * 7_919_000_003) % DAY_US,
            event: "visit",
            revenue_cents: None,
            page: None,
        })
        .collect();
    let files = check_layout(&[rows], 20_000).await;
    assert!(files.len() > 1, "{files:?}");
    assert!(files.iter().all(|rows| *rows > 2 * ROW_GROUP_ROWS), "{files:?}");
}
