//! Wrong places and options: stores that are none, full disks, too little memory. The table stays as it was.

use std::path::Path;

use wayfare_datasets::{GeneratorConfig, OutputFormat, write_dataset};

use super::support::{Finished, Known, Place, THREE_ROWS};
use crate::support::tell;

#[test]
fn rejects_without_skip() {
    let known = Known::new();
    known.place.write("new.csv", THREE_ROWS.replace('e', "f"));
    known.refuses(&["load", "new.csv", "--rejects", "bad.csv"], &["--rejects needs --on-error skip"]);
}

#[test]
fn rejects_that_cannot_be_written() {
    let known = Known::new();
    known.place.write("new.csv", THREE_ROWS.replace("e1", "n1"));
    let parts = ["cannot write \"nowhere/bad.csv\"", "No such file"];
    known.refuses(&["load", "new.csv", "--on-error", "skip", "--rejects", "nowhere/bad.csv"], &parts);
}

#[test]
fn unknown_time_zone() {
    let known = Known::new();
    known.place.write("new.csv", THREE_ROWS);
    known.refuses(&["load", "new.csv", "--timezone", "Mars/Base"], &["\"Mars/Base\"", "Europe/Berlin"]);
}

#[test]
fn table_name_that_is_none() {
    let known = Known::new();
    known.refuses(&["load", "three.csv", "--table", "My Table"], &["\"My Table\"", "lower-case letters"]);
}

#[test]
fn table_of_another_kind() {
    let known = Known::new();
    known.place.write("prices.csv", "product,price\nshoe,9\n");
    known.refuses(&["load", "prices.csv", "--reference", "--table", "touchpoints"], &["\"touchpoints\""]);
}

#[test]
fn unknown_table() {
    let known = Known::new();
    known.refuses(&["query", "SELECT * FROM orders"], &["\"orders\" does not exist"]);
    known.refuses(&["history", "orders"], &["\"orders\"", "wayfare tables"]);
}

#[test]
fn store_below_a_file() {
    let known = Known::new();
    let args = ["load", "three.csv", "--store", "three.csv/below"];
    known.refuses(&args, &["three.csv/below", "Not a directory"]);
}

#[test]
fn store_in_a_place_that_takes_no_files() {
    if !Path::new("/proc/self").exists() {
        tell("not run: this system has no /proc");
        return;
    }
    Known::new().refuses(
        &["load", "three.csv", "--store", "/proc/wayfare"],
        &["cannot create a store", "/proc/wayfare"],
    );
}

#[test]
fn query_of_a_directory_that_is_no_store() {
    let known = Known::new();
    std::fs::create_dir(known.place.path("plain")).expect("a directory");
    known
        .refuses(&["query", "SELECT 1", "--store", "plain"], &["no Wayfare store", "/plain", "wayfare load"]);
    assert!(known.place.files("plain", "").is_empty(), "a query creates nothing");
}

#[test]
fn load_into_a_directory_that_is_no_store() {
    let known = Known::new();
    std::fs::create_dir(known.place.path("letters")).expect("a directory");
    known.place.write("letters/dear.txt", "hello");
    let args = ["load", "three.csv", "--store", "letters"];
    known.refuses(&args, &["/letters", "not empty and not a Wayfare store"]);
    assert_eq!(known.place.files("letters", ""), [known.place.path("letters/dear.txt")]);
}

#[test]
fn store_of_a_newer_format() {
    let known = Known::new();
    std::fs::create_dir(known.place.path("newer")).expect("a directory");
    known.place.write("newer/wayfare.json", "{\"format\":99}\n");
    let args = ["load", "three.csv", "--store", "newer"];
    known.refuses(&args, &["/newer", "format 99", "newer wayfare"]);
}

#[test]
fn full_disk_while_writing() {
    let known = Known::new();
    much_of_one_day(&known.place);
    // 16 KiB: the log's files fit, the data files do not.
    let finished = Finished::of(&mut known.place.command_with_file_limit(32, &["load", "big"]));
    known.refused(
        &finished,
        &["cannot write", "/store/touchpoints/day=2026-01-01/", ".parquet", "File too large"],
    );
    let report = known.place.ok(&["load", "big"]);
    assert!(report.contains("rows loaded                100000"), "a repeat completes it: {report}");
}

#[test]
fn full_disk_while_spilling() {
    let known = Known::new();
    much_of_one_day(&known.place);
    let args = ["load", "big", "--memory-limit", "48MiB"];
    let finished = Finished::of(&mut known.place.command_with_file_limit(64, &args));
    known.refused(&finished, &["cannot spill to \"spill\"", "File too large"]);
    assert!(known.place.files("spill", "").is_empty(), "nothing is left over");
}

#[test]
fn too_little_memory() {
    let known = Known::new();
    much_of_one_day(&known.place);
    known.refuses(&["load", "big", "--memory-limit", "1MiB"], &["memory", "raise --memory-limit"]);
    assert!(known.place.files("spill", "").is_empty(), "nothing is left over");
}

/// A directory `big` with more rows than fit into a small memory.
fn much_of_one_day(place: &Place) {
    let config = GeneratorConfig { events: 100_000, users: 2_000, days: 1, ..GeneratorConfig::default() };
    write_dataset(&config, &place.path("big"), OutputFormat::Parquet, None, 1).expect("a file");
}

#[test]
fn spill_directory_that_is_a_file() {
    let known = Known::new();
    known.place.write("new.csv", THREE_ROWS.replace('e', "f"));
    known.refuses(&["load", "new.csv", "--temp-dir", "three.csv"], &["\"three.csv\"", "Not a directory"]);
}
