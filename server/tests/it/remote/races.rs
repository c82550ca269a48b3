//! Loads, compactions and erasures by processes of their own, all on the same days, while a server answers questions
//! about people whom none of that concerns: every answer is what it was before.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};
use wayfare_datasets::{GeneratorConfig, OutputFormat, write_dataset};

use super::emulators::{Emulator, Kind};
use crate::cli::support::{Finished, figure};
use crate::support::{tell, text_rows};

/// Journey queries, with `touchpoints` for the rows that they are about.
const QUERIES: [(&str, &str); 12] = [
    ("events by day", include_str!("../../../../benches/workload/q01.sql")),
    ("people by day", include_str!("../../../../benches/workload/q02.sql")),
    ("sessions", include_str!("../../../../benches/workload/q03.sql")),
    ("funnel", include_str!("../../../../benches/workload/q04a.sql")),
    ("funnel by first channel", include_str!("../../../../benches/workload/q04b.sql")),
    ("long funnel", include_str!("../../../../benches/workload/q05a.sql")),
    ("strict funnel", include_str!("../../../../benches/workload/q05b.sql")),
    ("retention matrix", include_str!("../../../../benches/workload/q06-retention_matrix.sql")),
    ("paths", include_str!("../../../../benches/workload/q07.sql")),
    ("sequence", include_str!("../../../../benches/workload/q08.sql")),
    ("attribution", include_str!("../../../../benches/workload/q09.sql")),
    ("transitions", include_str!("../../../../benches/workload/q10.sql")),
];
/// The rows that stay: those who pass do nothing else.
const LASTING: &str = "(SELECT *, day FROM touchpoints WHERE event <> 'pass')";
const DAYS: u32 = 4;
/// People who pass, and those of them who are erased.
const PASSERS: u32 = 12;
const ERASED: u32 = 3;
const LOADERS: u32 = 2;
const FILES_EACH: u32 = 3;
/// Compactions follow each other as long as loads and erasures go on, but no more than these.
const COMPACTIONS: usize = 20;
/// For the whole race, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(240);

type Answers = Vec<Vec<Vec<Option<String>>>>;

#[test]
fn on_this_machine() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store").display().to_string();
    answers_stay_the_same(directory.path(), &|args| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wayfare"));
        command.args(["--threads", "2", "--store", &store]).args(args).stdin(Stdio::null());
        command
    });
}

#[test]
fn in_s3() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("bucket")).unwrap();
    let Some(emulator) = Emulator::start(Kind::S3, &directory.path().join("bucket")) else { return };
    let store = emulator.url("store");
    answers_stay_the_same(directory.path(), &|args| emulator.command(&[&["--store", &store], args].concat()));
}

fn answers_stay_the_same(directory: &Path, wayfare: &(dyn Fn(&[&str]) -> Command + Sync)) {
    let ok = |args: &[&str]| Finished::of(&mut wayfare(args)).succeeded(args);
    let generator = GeneratorConfig {
        events: 1_500,
        users: 60,
        days: DAYS,
        late: 0.1,
        out_of_order: 0.2,
        ..GeneratorConfig::default()
    };
    // Three loads, so that the days have something to merge from the start.
    for file in
        write_dataset(&generator, &directory.join("in"), OutputFormat::Parquet, None, 3).unwrap().files
    {
        ok(&["load", &file.display().to_string()]);
    }
    let server = Served::start(wayfare(&["serve", "--port", "0", "--no-auth"]));
    let before = server.answers();
    for ((name, _), answer) in QUERIES.iter().zip(&before) {
        assert!(!answer.is_empty(), "{name}");
    }
    let (changed, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let started = Instant::now();
    let (looks, merged) = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut looks = 0;
                    // The last look begins after the last command.
                    loop {
                        let is_last = done.load(Ordering::Relaxed);
                        assert_same(&before, &server.answers(), "during the race");
                        looks += 1;
                        assert!(started.elapsed() < DEADLINE, "the race does not end");
                        if is_last {
                            return looks;
                        }
                    }
                })
            })
            .collect();
        let loaders: Vec<_> = (0..LOADERS)
            .map(|loader| {
                let ok = &ok;
                scope.spawn(move || {
                    for number in 0..FILES_EACH {
                        let file = directory.join(format!("passers-{loader}-{number}.csv"));
                        std::fs::write(&file, passers(loader, number)).unwrap();
                        ok(&["load", &file.display().to_string()]);
                    }
                })
            })
            .collect();
        let compactor = scope.spawn(|| {
            let mut merged: Vec<u64> = Vec::new();
            while merged.len() < COMPACTIONS && !changed.load(Ordering::Relaxed) {
                merged.push(figure(&ok(&["optimize"]), "files merged"));
            }
            merged
        });
        let eraser = scope.spawn(|| {
            for passer in 0..ERASED {
                ok(&["erase", "--user-id", &format!("passer-{passer}")]);
            }
        });
        let ends: Vec<_> = loaders.into_iter().chain([eraser]).map(|task| task.join()).collect();
        changed.store(true, Ordering::Relaxed);
        let merged = compactor.join();
        done.store(true, Ordering::Relaxed);
        assert!(ends.iter().all(Result::is_ok), "a command failed");
        let looks: Vec<u32> = readers.into_iter().map(|reader| reader.join().expect("a reader")).collect();
        (looks, merged.expect("a compaction"))
    });
    tell(format!("answers compared {looks:?} times, files merged {merged:?}, {:?}", started.elapsed()));
    assert!(merged.iter().sum::<u64>() > 0, "nothing was merged: {merged:?}");
    assert_same(&before, &server.answers(), "after it");
    ok(&["optimize"]);
    assert_same(&before, &server.answers(), "after all is merged");
    drop(server);
    // Those who passed are all there once, but for those who were erased.
    let counts = "SELECT user_id, count(*), count(DISTINCT event_id) FROM touchpoints WHERE event = 'pass' \
                  GROUP BY user_id ORDER BY user_id";
    let counts = ok(&["query", "--format", "csv", counts]);
    let rows = LOADERS * FILES_EACH * DAYS;
    let mut expected: Vec<String> =
        (ERASED..PASSERS).map(|passer| format!("passer-{passer},{rows},{rows}")).collect();
    expected.sort();
    assert_eq!(counts.lines().skip(1).collect::<Vec<_>>(), expected);
    assert_eq!(figure(&ok(&["check"]), "problems"), 0);
}

/// A row of each passer on each day.
fn passers(loader: u32, number: u32) -> String {
    let mut text = "event_id,user_id,ts,event\n".to_owned();
    for day in 1..=DAYS {
        for passer in 0..PASSERS {
            let event = format!("pass-{loader}-{number}-{day}-{passer}");
            text += &format!("{event},passer-{passer},2026-01-0{day}T0{number}:30:00Z,pass\n");
        }
    }
    text
}

fn assert_same(before: &Answers, now: &Answers, when: &str) {
    for (((name, _), before), now) in QUERIES.iter().zip(before).zip(now) {
        assert!(before == now, "{name} {when}: {} rows before, {} now", before.len(), now.len());
    }
}

/// A server process and clients of it.
struct Served {
    process: Child,
    config: String,
    // Kept open: the server says more than its first line.
    _said: BufReader<std::process::ChildStdout>,
}

impl Served {
    fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let port = line.split("port=").nth(1).and_then(|rest| rest.split(' ').next()).expect("a port");
        let config = format!("host=127.0.0.1 port={port} user=tester dbname=wayfare connect_timeout=10");
        Self { process, config, _said: said }
    }

    /// The answers to all queries, rows sorted, by a client of their own.
    fn answers(&self) -> Answers {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.config, NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            let answers = ask(&client).await;
            drop(client);
            let _ = connection.await;
            answers
        })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn ask(client: &Client) -> Answers {
    let mut answers = Vec::new();
    for (_, sql) in QUERIES {
        let mut rows = text_rows(client, &sql.replace("touchpoints", LASTING)).await;
        rows.sort();
        answers.push(rows);
    }
    answers
}
