//! Real clients in other languages: psycopg 3 (Python) and node-postgres.
//!
//! `WAYFARE_PYTHON` names a Python with psycopg, `WAYFARE_NODE_MODULES` a directory with the package `pg`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use wayfare_engine::load::read::ReadOptions;
use wayfare_engine::load::{Dedup, LoadRequest, NoProgress, OnError};
use wayfare_engine::{Engine, EngineConfig};
use wayfare_server::ServeOptions;

use crate::support::TestServer;
use crate::support::tell;

const ROWS: &str = "\
user_id,ts,event,revenue,currency
u1,2026-01-01T10:00:00Z,page_view,,
u1,2026-01-01T10:05:00.000001Z,purchase,19.90,EUR
u2,2026-01-02T10:00:00Z,purchase,5,EUR
u3,2025-12-31T23:59:59Z,purchase,7,EUR
";

async fn server() -> TestServer {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rows.csv");
    std::fs::write(&file, ROWS).unwrap();
    let config = EngineConfig { store_url: "memory:///clients".to_owned(), ..EngineConfig::default() };
    let engine = Engine::open_or_create(config).await.unwrap();
    let request = LoadRequest {
        table: "touchpoints".to_owned(),
        inputs: vec![file.display().to_string()],
        read: ReadOptions::default(),
        on_error: OnError::Abort,
        dedup: Dedup::EventId,
        force: false,
    };
    assert_eq!(engine.load(&request, Arc::new(NoProgress)).await.unwrap().rows_loaded, 4);
    TestServer::start_on(Arc::new(engine), ServeOptions::default()).await
}

/// What a client script prints; `None` where the client is not installed.
async fn run(mut command: Command, probe: Command) -> Option<String> {
    let installed = tokio::task::spawn_blocking(move || {
        let mut probe = probe;
        probe.output().is_ok_and(|o| o.status.success())
    });
    if !installed.await.unwrap() {
        assert!(std::env::var_os("CI").is_none(), "client missing in CI: {command:?}");
        tell(format!("not run: {command:?} needs a client that is not installed"));
        return None;
    }
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn psycopg_connects_and_asks() {
    let server = server().await;
    let python = std::env::var("WAYFARE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut probe = Command::new(&python);
    probe.args(["-c", "import psycopg"]);
    let mut command = Command::new(&python);
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/psycopg_client.py"))
        .arg(server.address.ip().to_string())
        .arg(server.address.port().to_string());
    let Some(printed) = run(command, probe).await else { return };
    assert_eq!(
        printed,
        "simple 4\n\
         extended 2 2026-01-01T10:05:00.000001+00:00 19.9000\n\
         extended 2 2026-01-01T10:05:00.000001+00:00 19.9000\n\
         tables touchpoints\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_postgres_connects_and_asks() {
    let server = server().await;
    let modules = std::env::var_os("WAYFARE_NODE_MODULES").map(PathBuf::from).unwrap_or_default();
    let mut probe = Command::new("node");
    probe.args(["-e", "require('pg')"]).env("NODE_PATH", &modules);
    let mut command = Command::new("node");
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node/pg_client.js"))
        .arg(server.address.ip().to_string())
        .arg(server.address.port().to_string())
        .env("NODE_PATH", &modules);
    let Some(printed) = run(command, probe).await else { return };
    assert_eq!(printed, "simple 4\nextended 2 2026-01-01T10:05:00.000Z 19.9000\ntables touchpoints\n");
}
