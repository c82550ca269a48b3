//! A store in a bucket: loaded, queried, served and maintained as one on this machine.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use tokio_postgres::NoTls;

use super::emulators::{Emulator, Kind};
use super::files::{ROWS, write_files};
use super::proxy::{Fault, Proxy};
use crate::cli::support::{Finished, figure};
use crate::support::text_value;

const COUNT: &str = "SELECT count(*) FROM touchpoints";

#[test]
fn in_s3() {
    a_whole_life(Kind::S3);
}

#[test]
fn in_azure() {
    a_whole_life(Kind::Azure);
}

#[test]
fn in_google() {
    a_whole_life(Kind::Gcs);
}

/// Files of the prefix that is loaded: every kind, and each some times.
const FILES: u64 = 200;

fn a_whole_life(kind: Kind) {
    let directory = tempfile::tempdir().unwrap();
    write_files(&directory.path().join("in"), FILES);
    let Some(emulator) = Emulator::start(kind, directory.path()) else { return };
    let store = emulator.url("a/store");
    let ok = |args: &[&str]| emulator.ok(&[&["--store", &store], args].concat());
    let rows = FILES * ROWS;

    let report = ok(&["load", &emulator.url("in/")]);
    assert_eq!(figure(&report, "rows loaded"), rows, "{report}");
    assert!(ok(&["load", &emulator.url("in/")]).contains("nothing new"));
    assert_eq!(emulator.value(&store, COUNT), rows.to_string());
    assert!(ok(&["tables"]).contains("touchpoints"));
    ok(&["query", "CREATE VIEW pages AS SELECT campaign, count(*) AS n FROM touchpoints GROUP BY campaign"]);
    assert_eq!(emulator.value(&store, "SELECT sum(n) FROM pages"), rows.to_string());

    // More files for the same days, then one file a day again.
    let more = directory.path().join("more.csv");
    std::fs::write(
        &more,
        "event_id,user_id,ts,event\nm1,u1,2026-01-01T10:00:00Z,view\nm2,u2,2026-01-02T10:00:00Z,buy\n",
    )
    .unwrap();
    ok(&["load", &more.display().to_string()]);
    ok(&["optimize"]);
    assert_eq!(emulator.value(&store, COUNT), (rows + 2).to_string());
    let people = "SELECT count(*) FROM touchpoints WHERE user_id = 'u1'";
    assert_ne!(emulator.value(&store, people), "0");
    ok(&["erase", "--user-id", "u1", "--purge"]);
    assert_eq!(emulator.value(&store, people), "0");
    assert_eq!(figure(&ok(&["check"]), "problems"), 0);
    ok(&["vacuum", "--retention", "0h"]);
    assert!(ok(&["history"]).lines().count() > 4);
    serves(&emulator, &store);

    let occupied = emulator.url("in");
    let refused =
        Finished::of(&mut emulator.command(&["--store", &occupied, "load", &more.display().to_string()]));
    refused.assert_refused(&["is not empty and not a Wayfare store"]);
}

/// A service that overwrites what must not be overwritten would lose commits.
#[test]
fn without_conditional_put_it_is_read_only() {
    let directory = tempfile::tempdir().unwrap();
    write_files(&directory.path().join("in"), 11);
    let Some(emulator) = Emulator::start(Kind::S3, directory.path()) else { return };
    let known = emulator.url("known");
    emulator.ok(&["--store", &known, "load", "s3://journeys/in/"]);
    let proxy = Proxy::start(&emulator.address, |_| Some(Fault::IgnoreCondition));
    let new = emulator.url("new");
    for args in [
        ["--store", &new, "load", "s3://journeys/in/"].as_slice(),
        &["--store", &known, "load", "s3://journeys/in/"],
        &["--store", &known, "optimize"],
        &["--store", &known, "erase", "--user-id", "u1"],
        &["--store", &known, "vacuum"],
        &["--store", &known, "query", "CREATE VIEW v AS SELECT 1 AS a"],
        &["--store", &known, "query", "--allow-writes", "CREATE TABLE t AS SELECT 1 AS a"],
        &["--store", &known, "query", "--allow-writes", "DELETE FROM touchpoints WHERE user_id = 'u1'"],
        &["--store", &known, "identify", "links.csv"],
        &["--store", &known, "stitch"],
    ] {
        let refused = Finished::of(&mut emulator.command_at(&proxy.address, args));
        refused.assert_refused(&["s3://journeys/", "has no conditional put"]);
    }
    let args = ["--store", &known, "query", "--format", "csv", COUNT];
    let counted = Finished::of(&mut emulator.command_at(&proxy.address, &args)).succeeded(&args);
    assert!(counted.ends_with(&format!("\n{}\n", 11 * ROWS)), "{counted}");
    drop(proxy);
    assert_eq!(emulator.value(&known, COUNT), (11 * ROWS).to_string());
}

/// A server on the store answers a client, and sees what is loaded meanwhile.
fn serves(emulator: &Emulator, store: &str) {
    let args = ["--store", store, "serve", "--port", "0", "--no-auth"];
    let mut server = emulator.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    // Kept open: the server says more than its first line.
    let mut said = BufReader::new(server.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    let port = line.split("port=").nth(1).and_then(|rest| rest.split(' ').next()).expect("a port").to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = format!("host=127.0.0.1 port={port} user=tester dbname=wayfare connect_timeout=10");
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let before: u64 = text_value(&client, COUNT).await.unwrap().parse().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("late.csv");
        std::fs::write(&file, "event_id,user_id,ts,event\nlate,u9,1999-12-31T23:59:59Z,view\n").unwrap();
        emulator.ok(&["--store", store, "load", &file.display().to_string()]);
        assert_eq!(text_value(&client, COUNT).await.unwrap(), (before + 1).to_string());
        drop(client);
        let _ = connection.await;
    });
    server.kill().unwrap();
    server.wait().unwrap();
}
