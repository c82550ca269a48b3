//! Files of a web server.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::files::{ROWS, csv, write_files};
use super::proxy::{Fault, Proxy};
use super::web::WebServer;
use crate::cli::support::{Finished, figure};

const FILES: u64 = 200;

fn wayfare(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wayfare"));
    command.args(["--threads", "2"]).args(args).stdin(Stdio::null());
    command
}

#[test]
fn files_of_every_kind_are_loaded_once() {
    let directory = tempfile::tempdir().unwrap();
    let names = write_files(&directory.path().join("files"), FILES);
    let server = WebServer::start(&directory.path().join("files"), None);
    let store = directory.path().join("store").display().to_string();
    let urls: Vec<String> = names.iter().map(|name| format!("http://{}/{name}", server.address)).collect();
    let mut args = vec!["load", "--store", &store];
    args.extend(urls.iter().map(String::as_str));
    let report = Finished::of(&mut wayfare(&args)).succeeded(&args[..3]);
    assert_eq!((figure(&report, "files"), figure(&report, "rows loaded")), (FILES, FILES * ROWS), "{report}");
    let again = Finished::of(&mut wayfare(&args)).succeeded(&args[..3]);
    assert!(again.contains("nothing new"), "{again}");

    let missing = format!("http://{}/no.csv", server.address);
    let args = ["load", "--store", &store, &missing];
    Finished::of(&mut wayfare(&args)).assert_refused(&[&missing, "there is no such file"]);
}

/// A file is read before it is loaded only if it may be one that is loaded already.
#[test]
fn new_files_are_fetched_once() {
    let directory = tempfile::tempdir().unwrap();
    let text = |user: &str, rows: usize| {
        let rows: String = (0..rows).map(|row| format!("{user},2026-01-01T00:{row:02}:00Z,view\n")).collect();
        format!("user_id,ts,event\n{rows}")
    };
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("a.csv", &text("ana", 10));
    write("b.csv", &text("ana", 20));
    write("copy.csv", &text("ana", 10));
    write("other.csv", &text("ben", 10));
    let server = WebServer::start(directory.path(), None);
    let gets = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&gets);
    let proxy = Proxy::start(&server.address, move |request| {
        counter.fetch_add(u64::from(request.method == "GET"), Ordering::Relaxed);
        None
    });
    let store = directory.path().join("store").display().to_string();
    let load = |names: &[&str]| {
        let mut args = vec!["load".to_owned(), "--store".to_owned(), store.clone()];
        args.extend(names.iter().map(|name| format!("http://{}/{name}", proxy.address)));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let report = Finished::of(&mut wayfare(&args)).succeeded(&args[..3]);
        (report, gets.swap(0, Ordering::Relaxed))
    };
    let (report, fetched) = load(&["a.csv", "b.csv"]);
    assert_eq!((figure(&report, "rows loaded"), fetched), (30, 2), "{report}");
    let (report, fetched) = load(&["a.csv", "b.csv"]);
    assert!(report.contains("nothing new") && fetched == 0, "{fetched} {report}");
    let (report, fetched) = load(&["copy.csv"]);
    assert!(report.contains("nothing new") && fetched == 1, "{fetched} {report}");
    let (report, fetched) = load(&["other.csv"]);
    assert_eq!((figure(&report, "rows loaded"), fetched), (10, 2), "it has the size of a.csv: {report}");
}

#[test]
fn a_signed_url_is_used_and_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.csv"), csv(0)).unwrap();
    let server = WebServer::start(directory.path(), Some("signature=5e-c3et"));
    let store = directory.path().join("store").display().to_string();
    let url = format!("http://{}/a.csv?signature=5e-c3et", server.address);
    let args = ["load", "--store", &store, &url];
    let loaded = Finished::of(wayfare(&args).env("WAYFARE_LOG", "info"));
    assert_eq!(loaded.code, Some(0), "{}", loaded.stderr);
    let history = Finished::of(&mut wayfare(&["history", "--store", &store])).succeeded(&["history"]);
    assert!(history.contains("/a.csv"), "{history}");
    let wrong = format!("http://{}/b.csv?signature=5e-c3et", server.address);
    let refused = Finished::of(&mut wayfare(&["load", "--store", &store, &wrong]));
    refused.assert_refused(&["/b.csv", "there is no such file"]);
    for text in [loaded.stderr, loaded.stdout, history, refused.stderr] {
        assert!(!text.contains("5e-c3et"), "{text}");
    }
}

/// A file that takes many ranges, each answer of which breaks off.
#[test]
fn a_large_file_comes_whole_through_answers_that_break_off() {
    let directory = tempfile::tempdir().unwrap();
    let text: String = (0..3000)
        .map(|row| format!("e{row},u{row},2026-01-01T00:00:00Z,view,{}\n", "x".repeat(100)))
        .collect();
    std::fs::write(directory.path().join("a.csv"), format!("event_id,user_id,ts,event,page\n{text}"))
        .unwrap();
    let server = WebServer::start(directory.path(), None);
    let mut gets = 0;
    let proxy = Proxy::start(&server.address, move |request| {
        gets += u64::from(request.method == "GET");
        (request.method == "GET" && gets % 4 != 0).then_some(Fault::Truncate)
    });
    let store = directory.path().join("store").display().to_string();
    let args = ["load", "--store", &store, &format!("http://{}/a.csv", proxy.address)];
    let report = Finished::of(&mut wayfare(&args)).succeeded(&args);
    assert_eq!(figure(&report, "rows loaded"), 3000, "{report}");
    assert!(proxy.faults() >= 3, "{} faults", proxy.faults());
}
