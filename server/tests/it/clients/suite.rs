//! Runs one suite of checks in its own program and compares what each came to with what is known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command as Probe, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use wayfare_engine::load::read::ReadOptions;
use wayfare_engine::load::{Dedup, LoadRequest, NoProgress, OnError};
use wayfare_engine::{Engine, EngineConfig};
use wayfare_server::ServeOptions;

use crate::support::{TestServer, tell};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/data/simple_shop/simple_shop.csv.gz");

/// A line of `suites.json`.
#[derive(serde::Deserialize)]
pub struct Suite {
    pub name: String,
    run: Vec<String>,
    needs: Vec<Vec<String>>,
    seconds: u64,
}

pub fn all() -> Vec<Suite> {
    let text = std::fs::read_to_string(Path::new(FOLDER).join("suites.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Runs the suite and fails where a check passes that is known to fail, or fails that is not.
pub async fn passes_as_known(name: &str) {
    let suite = all().into_iter().find(|suite| suite.name == name).expect("in suites.json");
    for needed in &suite.needs {
        if !is_there(needed) {
            assert!(std::env::var_os("CI").is_none(), "client missing in CI: {needed:?}");
            tell(format!("not run: {name} needs {needed:?}"));
            return;
        }
    }
    let server = server().await;
    let outcomes = outcomes(&suite, &server).await;
    assert!(!outcomes.is_empty(), "the suite says nothing");
    let path = Path::new(FOLDER).join("known_failures").join(format!("{name}.txt"));
    let known = known(&path);
    if std::env::var_os("WAYFARE_UPDATE_KNOWN_FAILURES").is_some() {
        write(&path, &outcomes, &known);
        return;
    }
    let mut complaints = Vec::new();
    for (check, (word, reason)) in &outcomes {
        match (word.as_str(), known.contains_key(check)) {
            ("fail", false) => complaints.push(format!("{check} fails: {reason}")),
            ("ok", true) => complaints.push(format!("{check} passes now: take it out of {}", path.display())),
            ("skip", _) => tell(format!("not run: {name} {check}: {reason}")),
            _ => {}
        }
    }
    for check in known.keys().filter(|check| !outcomes.contains_key(*check)) {
        complaints.push(format!("{check} was not reached or is no check of the suite"));
    }
    assert!(complaints.is_empty(), "{name}:\n{}", complaints.join("\n"));
}

/// A server with the rows of the bundled shop and those with unusual values.
async fn server() -> TestServer {
    let config = EngineConfig { store_url: "memory:///clients".to_owned(), ..EngineConfig::default() };
    let engine = Engine::open_or_create(config).await.unwrap();
    let edge = format!("{FOLDER}/data/edge.csv");
    let mapping = vec![("ts".to_owned(), "timestamp".to_owned())];
    for (file, mapping) in [(SHOP.to_owned(), mapping), (edge, Vec::new())] {
        let request = LoadRequest {
            table: "touchpoints".to_owned(),
            inputs: vec![file],
            read: ReadOptions { mapping, ..ReadOptions::default() },
            on_error: OnError::Abort,
            dedup: Dedup::EventId,
            force: false,
        };
        engine.load(&request, Arc::new(NoProgress)).await.unwrap();
    }
    TestServer::start_on(Arc::new(engine), ServeOptions::default()).await
}

/// A word of a command with the places of clients filled in.
fn filled(word: &str) -> String {
    match word {
        "{python}" => std::env::var("WAYFARE_PYTHON").unwrap_or_else(|_| "python3".to_owned()),
        "{jdbc}" => {
            std::env::var("WAYFARE_JDBC").unwrap_or_else(|_| "/usr/share/java/postgresql.jar".to_owned())
        }
        "{tokio}" => {
            // Cargo builds examples with the tests, beside the program.
            let program = Path::new(env!("CARGO_BIN_EXE_wayfare"));
            program.with_file_name("examples").join("tokio_suite").display().to_string()
        }
        other => other.to_owned(),
    }
}

fn modules() -> PathBuf {
    std::env::var_os("WAYFARE_NODE_MODULES").map(PathBuf::from).unwrap_or_default()
}

fn is_there(command: &[String]) -> bool {
    Probe::new(filled(&command[0]))
        .args(command[1..].iter().map(|word| filled(word)))
        .env("NODE_PATH", modules())
        .output()
        .is_ok_and(|output| output.status.success())
}

/// What each check came to: `ok`, `fail` or `skip`, and why.
async fn outcomes(suite: &Suite, server: &TestServer) -> BTreeMap<String, (String, String)> {
    let mut child = Command::new(filled(&suite.run[0]))
        .args(suite.run[1..].iter().map(|word| filled(word)))
        .args([&server.address.ip().to_string(), &server.address.port().to_string(), "tester", "wayfare"])
        .current_dir(FOLDER)
        .env("NODE_PATH", modules())
        // No more files than the suite's own: Python would leave compiled ones in the repository.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SECONDS_PER_CHECK", "60")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut found = BTreeMap::new();
    let reading = async {
        while let Ok(Some(line)) = lines.next_line().await {
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let (check, reason) = rest.split_once(": ").unwrap_or((rest, ""));
            if ["ok", "fail", "skip"].contains(&word) {
                found.insert(check.to_owned(), (word.to_owned(), reason.to_owned()));
            }
        }
    };
    if tokio::time::timeout(Duration::from_secs(suite.seconds), reading).await.is_err() {
        found.insert("the_suite_ends".to_owned(), ("fail".to_owned(), "not in time".to_owned()));
    }
    found
}

/// Names of checks with reasons; `#` begins a remark.
fn known(path: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (check, reason) = line.split_once(": ").unwrap_or((line, ""));
            assert!(!reason.is_empty(), "{check} in {} has no reason", path.display());
            (check.to_owned(), reason.to_owned())
        })
        .collect()
}

/// Begins what a check said where nobody has written a reason yet.
const UNEXPLAINED: &str = "? ";

/// Keeps the reasons that stand; what a new failure said stands for its reason.
fn write(path: &Path, outcomes: &BTreeMap<String, (String, String)>, known: &BTreeMap<String, String>) {
    let failing = outcomes.iter().filter(|(_, (word, _))| word == "fail");
    let text: String = failing
        .map(|(check, (_, said))| {
            let reason = known.get(check).filter(|reason| !reason.starts_with(UNEXPLAINED)).cloned();
            let short = || format!("{UNEXPLAINED}{}", said.chars().take(160).collect::<String>());
            format!("{check}: {}\n", reason.unwrap_or_else(short))
        })
        .collect();
    if text.is_empty() {
        // No file is no failure.
        let _ = std::fs::remove_file(path);
    } else {
        std::fs::write(path, text).unwrap();
    }
}
