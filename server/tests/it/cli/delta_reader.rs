//! Another Delta reader, the Python package `deltalake`, opens a store and sees the same table.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use wayfare_datasets::{GeneratorConfig, OutputFormat, write_dataset};
use wayfare_engine::load::read::ReadOptions;
use wayfare_engine::load::{Dedup, LoadRequest, NoProgress, OnError};
use wayfare_engine::store::TOUCHPOINTS;
use wayfare_engine::{Engine, EngineConfig};

use super::support::{Place, STORE};
use crate::support::tell;

/// A Python that can import `deltalake` and `pyarrow`.
const PYTHON_VARIABLE: &str = "WAYFARE_PYTHON";
/// Ends without tearing down: the threads of pyarrow can abort a process that ends right after the import.
const IMPORT: &str = "import os, deltalake, pyarrow; os._exit(0)";
/// Commits after which Delta writes a checkpoint.
const CHECKPOINT_INTERVAL: u32 = 100;

/// The Python to use, or `None` where there is none and that is no failure.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os(PYTHON_VARIABLE).map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let import = Command::new(&python).args(["-c", IMPORT]).output();
    let problem = match import {
        Ok(output) if output.status.success() => return Some(python),
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned(),
        Err(error) => error.to_string(),
    };
    let text = format!(
        "{} cannot import deltalake and pyarrow ({problem}); set {PYTHON_VARIABLE}",
        python.display()
    );
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{text}");
    tell(format!("not run: {text}"));
    None
}

/// What the other reader sees.
fn other_reader(python: &PathBuf, place: &Place) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/delta_reader.py");
    let table = place.path(STORE).join("touchpoints");
    let output = Command::new(python).arg(script).arg(table).output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Asserts that both readers see the same rows and columns.
fn assert_agreement(python: &PathBuf, place: &Place, version: u64) {
    let theirs = other_reader(python, place);
    assert_eq!(theirs["version"], json!(version));
    let ours = place.rows(
        "SELECT count(*) AS n, count(DISTINCT user_id) AS people, CAST(sum(revenue) AS VARCHAR) AS revenue \
         FROM touchpoints",
    );
    let pairs = [("rows", "n"), ("people", "people"), ("revenue", "revenue")];
    for (their_name, our_name) in pairs {
        assert_eq!(theirs[their_name], ours[0][our_name], "{their_name}");
    }

    let columns = theirs["columns"].as_array().expect("columns");
    let (physical, shown): (Vec<&Value>, Vec<&Value>) = columns
        .iter()
        .partition(|column| ["user_key", "day"].contains(&column["name"].as_str().unwrap_or("")));
    assert_eq!(physical.len(), 2, "the physical columns are in the schema");
    let ours = place.rows(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns \
         WHERE table_schema = 'public' AND table_name = 'touchpoints' ORDER BY ordinal_position",
    );
    assert_eq!(shown.len(), ours.len(), "{ours:?}");
    for (theirs, ours) in shown.iter().zip(&ours) {
        let our_type = ours["data_type"].as_str().expect("a type");
        let expected = json!({
            "name": ours["column_name"],
            "type": delta_type(our_type),
            "nullable": ours["is_nullable"] == "YES",
        });
        assert_eq!(**theirs, expected);
    }
}

/// Delta's name of a type of ours.
fn delta_type(arrow_type: &str) -> &'static str {
    match arrow_type {
        "Utf8View" => "string",
        "Float64" => "double",
        "Decimal128(18, 4)" => "decimal(18,4)",
        timestamp if timestamp.starts_with("Timestamp(µs, \"UTC\")") => "timestamp",
        other => panic!("no Delta type is known for {other}"),
    }
}

/// The statistics in the log's commits.
fn log_statistics(place: &Place) -> Vec<Value> {
    let mut statistics = Vec::new();
    for commit in place.files(&format!("{STORE}/touchpoints/_delta_log"), ".json") {
        for line in std::fs::read_to_string(commit).expect("a commit").lines() {
            let action: Value = serde_json::from_str(line).expect("JSON");
            if let Some(add) = action.get("add") {
                let text = add["stats"].as_str().expect("statistics");
                statistics.push(serde_json::from_str(text).expect("JSON"));
            }
        }
    }
    statistics
}

#[test]
fn another_reader_sees_the_same_table() {
    let Some(python) = python() else { return };
    let place = Place::new();
    let config = GeneratorConfig { events: 20_000, users: 500, days: 4, ..GeneratorConfig::default() };
    write_dataset(&config, &place.path("first"), OutputFormat::Csv, None, 1).expect("input");
    place.ok(&["load", "first"]);
    assert_agreement(&python, &place, 1);

    // More days, and rows of days that have files already.
    let second = GeneratorConfig { seed: 43, days: 6, duplicates: 0.1, ..config };
    write_dataset(&second, &place.path("second"), OutputFormat::Parquet, None, 1).expect("input");
    place.ok(&["load", "second"]);
    assert_agreement(&python, &place, 2);

    place.ok(&["optimize"]);
    assert_agreement(&python, &place, 3);
    let user = place.value("SELECT min(user_id) FROM touchpoints");
    place.ok(&["erase", "--user-id", user.as_str().expect("text"), "--purge"]);
    assert_agreement(&python, &place, 4);
    place.ok(&["vacuum", "--retention", "0h"]);
    assert_agreement(&python, &place, 4);
}

/// Everything that can happen to a table, one after the other.
#[test]
fn another_reader_sees_the_same_table_through_its_life() {
    let Some(python) = python() else { return };
    let place = Place::new();
    let config = GeneratorConfig { events: 4_000, users: 120, days: 5, ..GeneratorConfig::default() };
    for (name, seed) in [("first", 1), ("second", 2)] {
        let config = GeneratorConfig { seed, late: 0.1, ..config.clone() };
        write_dataset(&config, &place.path(name), OutputFormat::Parquet, None, 1).expect("input");
        place.ok(&["load", name]);
    }
    let mut version = 2;
    let mut step = |args: &[&str]| {
        let rows = place.touchpoints(STORE);
        place.ok(args);
        version += 1;
        assert_agreement(&python, &place, version);
        i64::try_from(place.touchpoints(STORE)).expect("a count") - i64::try_from(rows).expect("a count")
    };
    let people = place.rows(
        "SELECT user_id, count(*) AS n FROM touchpoints GROUP BY user_id HAVING count(*) > 5 ORDER BY user_id LIMIT 4",
    );
    let person = |index: usize| people[index]["user_id"].as_str().expect("text").to_owned();
    let rows_of = |index: usize| people[index]["n"].as_i64().expect("a number");

    assert_eq!(step(&["optimize"]), 0);
    assert_eq!(step(&["erase", "--user-id", &person(0), "--purge"]), -rows_of(0));
    // One of two ids is the other's: rows change hands and none is lost.
    let links = format!("anonymous_id,user_id,valid_from\n{},{},2026-01-01\n", person(1), person(2));
    place.write("links.csv", links);
    place.ok(&["identify", "links.csv"]);
    assert_eq!(step(&["stitch"]), 0);
    let delete = format!("DELETE FROM touchpoints WHERE user_id = '{}'", person(3));
    assert_eq!(step(&["query", "--allow-writes", &delete]), -rows_of(3));
    assert_eq!(step(&["optimize", "--target-file-size", "20KiB"]), 0, "more files");
    // By age, counted from now: the days up to the second are dropped.
    let since = "SELECT CAST(floor((date_part('epoch', now()) - date_part('epoch', TIMESTAMP '2026-01-03')) / 86400) \
                 AS BIGINT)";
    let age = format!("{}d", place.value(since));
    let before = place.touchpoints(STORE);
    assert!(step(&["expire", "--older-than", &age]) < 0);
    let days = place.rows("SELECT DISTINCT day FROM touchpoints ORDER BY day");
    assert_eq!(days.len(), 3, "{days:?}");
    step(&["restore", "--version", &(version_of(&place) - 1).to_string()]);
    assert_eq!(place.touchpoints(STORE), before);
    place.ok(&["vacuum", "--retention", "0h"]);
    assert_agreement(&python, &place, version_of(&place));
    assert_eq!(place.touchpoints(STORE), before);
}

/// The newest version of the touchpoints.
fn version_of(place: &Place) -> u64 {
    let log = format!("{STORE}/touchpoints/_delta_log");
    place.files(&log, ".json").len() as u64 - 1
}

#[tokio::test]
async fn another_reader_sees_the_same_table_after_a_checkpoint() {
    let Some(python) = python() else { return };
    let place = Place::with_three_rows();
    load_single_rows(&place, CHECKPOINT_INTERVAL).await;
    let log = format!("{STORE}/touchpoints/_delta_log");
    assert!(!place.files(&log, ".checkpoint.parquet").is_empty(), "a checkpoint was written");
    assert_agreement(&python, &place, 1 + u64::from(CHECKPOINT_INTERVAL));
    assert_eq!(place.touchpoints(STORE), 3 + u64::from(CHECKPOINT_INTERVAL));
    // Identities of loads survive in the checkpoint.
    let again = place.ok(&["load", "three.csv"]);
    assert!(again.contains("already loaded: three.csv"), "{again}");
}

/// `loads` loads of one row each, in this process: a hundred processes would take their time.
async fn load_single_rows(place: &Place, loads: u32) {
    let store_url = place.path(STORE).display().to_string();
    let config = EngineConfig { store_url, ..EngineConfig::default() };
    let engine = Engine::open(config).await.expect("the store");
    for load in 0..loads {
        let file = format!("row-{load}.csv");
        place.write(
            &file,
            format!("event_id,user_id,ts,event,revenue\nn{load},u{load},2026-01-01,view,0.01\n"),
        );
        let request = LoadRequest {
            table: TOUCHPOINTS.to_owned(),
            inputs: vec![place.path(&file).display().to_string()],
            read: ReadOptions::default(),
            on_error: OnError::Abort,
            dedup: Dedup::EventId,
            force: false,
        };
        let report = engine.load(&request, Arc::new(NoProgress)).await.expect("a load");
        assert_eq!(report.rows_loaded, 1);
    }
}

#[test]
fn the_log_tells_nothing_about_people() {
    let place = Place::with_three_rows();
    let statistics = log_statistics(&place);
    assert_eq!(statistics.len(), 2, "one file for each day");
    for of_file in &statistics {
        for part in ["minValues", "maxValues"] {
            let columns = of_file[part].as_object().expect("columns");
            assert!(columns.contains_key("ts") && columns.contains_key("user_key"), "{of_file}");
            for personal in ["user_id", "anonymous_id", "properties", "event_id"] {
                assert!(!columns.contains_key(personal), "{of_file}");
            }
        }
    }
    for file in place.files(&format!("{STORE}/touchpoints/_delta_log"), "") {
        let text = String::from_utf8_lossy(&std::fs::read(&file).expect("a file")).into_owned();
        for id in ["\"ann\"", "\"ben\"", "\\\"ann", "\\\"ben"] {
            assert!(!text.contains(id), "{id} stands in {}", file.display());
        }
    }
}
