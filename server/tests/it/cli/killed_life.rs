//! Durability over the life of a table: whatever command is killed at whatever moment, the table is what it was or what
//! the command makes of it, and the command given again completes it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use wayfare_engine::{Engine, EngineConfig, SessionOptions};

use super::support::Place;
use crate::support::tell;

/// Kills without the variable.
const KILLS: u32 = 30;
const KILLS_VARIABLE: &str = "WAYFARE_TEST_KILLS";
/// Set it to the printed seed to get the same commands and moments again.
const SEED_VARIABLE: &str = "WAYFARE_TEST_SEED";
/// After so many commands a new store is begun, so that they stay small.
const LIFE: u32 = 12;
const ROWS_PER_LOAD: u32 = 1_500;
const PEOPLE: u32 = 40;

/// Rows by event id: who they belong to.
type Rows = BTreeMap<String, String>;

fn from_environment<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

#[test]
fn killed_commands_happen_or_do_not() {
    let seed = from_environment(SEED_VARIABLE).unwrap_or_else(rand::random::<u64>);
    let kills = from_environment(KILLS_VARIABLE).unwrap_or(KILLS);
    tell(format!("{SEED_VARIABLE}={seed} {KILLS_VARIABLE}={kills}"));
    let mut random = StdRng::seed_from_u64(seed);
    let mut totals = Totals::default();
    let mut life = Life::new(seed);
    while totals.killed < kills {
        assert!(totals.too_late < 2 * kills + 20, "commands are never met alive (seed {seed}): {totals:?}");
        if life.commands >= LIFE {
            life.end();
            life = Life::new(random.random());
        }
        life.step(&mut random, &mut totals);
    }
    life.end();
    tell(format!("{totals:?}"));
    assert!(totals.done > 0 && totals.undone > 0, "moments before and after the commits: {totals:?}");
}

/// What was met.
#[derive(Debug, Default)]
struct Totals {
    killed: u32,
    too_late: u32,
    /// Killed commands that had happened, and those that had not.
    done: u32,
    undone: u32,
    by_command: BTreeMap<&'static str, u32>,
    /// How long each command takes, to choose moments.
    durations: BTreeMap<&'static str, Duration>,
}

/// One store and what is known about it.
struct Life {
    place: Place,
    runtime: tokio::runtime::Runtime,
    seed: u64,
    commands: u32,
    loads: u32,
    rows: Rows,
    erased: BTreeSet<String>,
    /// Devices that are somebody's.
    links: BTreeMap<String, String>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut life = Self {
            place: Place::new(),
            runtime: tokio::runtime::Runtime::new().expect("a runtime"),
            seed,
            commands: 0,
            loads: 0,
            rows: Rows::new(),
            erased: BTreeSet::new(),
            links: BTreeMap::new(),
        };
        let mut random = StdRng::seed_from_u64(seed);
        let (file, rows) = life.input(&mut random);
        life.place.ok(&["load", &file]);
        life.rows.extend(rows);
        life
    }

    /// A new file of rows, and what a load of it adds.
    fn input(&mut self, random: &mut StdRng) -> (String, Rows) {
        let file = format!("rows-{}.csv", self.loads);
        let mut text = "event_id,user_id,ts,event,revenue\n".to_owned();
        let mut rows = Rows::new();
        for row in 0..ROWS_PER_LOAD {
            let who = random.random_range(0..PEOPLE);
            let user = if random.random_bool(0.3) { format!("device-{who}") } else { format!("user-{who}") };
            let event = format!("e{}-{row}", self.loads);
            let day = 1 + random.random_range(0..4);
            text += &format!("{event},{user},2026-01-0{day}T{:02}:00:00Z,view,1.50\n", row % 24);
            let person = self.person(&user);
            if !self.erased.contains(&user) && !self.erased.contains(&person) {
                rows.insert(event, person);
            }
        }
        self.loads += 1;
        self.place.write(&file, text);
        (file, rows)
    }

    fn person(&self, id: &str) -> String {
        self.links.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// A command and the rows after it.
    fn next_command(&mut self, random: &mut StdRng) -> (&'static str, Vec<String>, Rows) {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        match random.random_range(0..5) {
            0 | 1 => {
                let (file, rows) = self.input(random);
                let mut after = self.rows.clone();
                after.extend(rows);
                ("load", words(&["load", &file]), after)
            }
            2 => ("optimize", words(&["optimize"]), self.rows.clone()),
            3 => {
                let who = format!("user-{}", random.random_range(0..PEOPLE));
                let mut after = self.rows.clone();
                after.retain(|_, user| *user != who);
                self.erased.insert(who.clone());
                let mut command = words(&["erase", "--user-id", &who]);
                command.extend(random.random_bool(0.5).then(|| "--purge".to_owned()));
                ("erase", command, after)
            }
            _ => {
                let who = random.random_range(0..PEOPLE);
                let (device, user) = (format!("device-{who}"), format!("user-{who}"));
                if !self.erased.contains(&user) {
                    let file = format!("links-{}.csv", self.commands);
                    let text = format!("anonymous_id,user_id,valid_from\n{device},{user},2026-01-01\n");
                    self.place.write(&file, text);
                    self.place.ok(&["identify", &file]);
                    self.links.insert(device, user);
                }
                let after =
                    self.rows.iter().map(|(event, user)| (event.clone(), self.person(user))).collect();
                if self.links.is_empty() {
                    return ("optimize", words(&["optimize"]), self.rows.clone());
                }
                ("stitch", words(&["stitch"]), after)
            }
        }
    }

    /// Kills one command, looks what is there, gives it again, looks again.
    fn step(&mut self, random: &mut StdRng, totals: &mut Totals) {
        let (name, command, after) = self.next_command(random);
        self.commands += 1;
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let usual = totals.durations.get(name).copied().unwrap_or(Duration::from_millis(250));
        let moment = usual.mul_f64(random.random::<f64>());
        let started = Instant::now();
        let mut child = self.place.command(&command);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a command");
        let mut has_ended = false;
        while started.elapsed() < moment && !has_ended {
            has_ended = child.try_wait().expect("a state").is_some();
            std::thread::sleep(Duration::from_micros(200));
        }
        // A process that has ended in this moment is no error.
        child.kill().expect("a kill");
        let code = child.wait().expect("an end").code();
        let about = format!("{name} of life {}, command {}", self.seed, self.commands);
        match code {
            None => {
                totals.killed += 1;
                *totals.by_command.entry(name).or_default() += 1;
            }
            Some(code) => {
                assert_eq!(code, 0, "{about}");
                totals.too_late += 1;
                totals.durations.insert(name, started.elapsed());
            }
        }
        let left = self.rows_there();
        let is_done = left == after;
        assert!(is_done || left == self.rows, "{about}: {}", difference(&self.rows, &after, &left));
        if code.is_none() && self.rows != after {
            totals.done += u32::from(is_done);
            totals.undone += u32::from(!is_done);
        }
        let again = Instant::now();
        self.place.ok(&command);
        if code.is_none() && !is_done {
            // All of it was done now; later moments count from what is true now.
            totals.durations.insert(name, again.elapsed());
        }
        let left = self.rows_there();
        assert!(left == after, "{about}, given again: {}", difference(&self.rows, &after, &left));
        self.rows = after;
    }

    /// All rows of the table, each of which must be there once.
    fn rows_there(&self) -> Rows {
        self.runtime.block_on(async {
            let engine = self.engine().await;
            let session = engine.session(&SessionOptions::default()).expect("a session");
            let sql = "SELECT CAST(event_id AS VARCHAR) || ' ' || user_id AS r FROM touchpoints";
            let stream = session.query(sql).await.expect("a query");
            let batches: Vec<_> = futures::TryStreamExt::try_collect(stream).await.expect("rows");
            let mut rows = Rows::new();
            for batch in batches {
                let column = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8);
                let column = column.expect("text");
                for row in arrow::array::AsArray::as_string::<i32>(&column).iter().flatten() {
                    let (event, user) = row.split_once(' ').expect("two columns");
                    let before = rows.insert(event.to_owned(), user.to_owned());
                    assert!(before.is_none(), "{event} is there twice");
                }
            }
            rows
        })
    }

    async fn engine(&self) -> Engine {
        let store_url = self.place.path(super::support::STORE).display().to_string();
        Engine::open(EngineConfig { store_url, ..EngineConfig::default() }).await.expect("the store")
    }

    /// Every file is as its log says.
    fn end(self) {
        let report = self.runtime.block_on(async { self.engine().await.check("touchpoints").await });
        assert_eq!(report.expect("a check").problems, Vec::<String>::new(), "life {}", self.seed);
    }
}

/// What is wrong with `left`, in numbers.
fn difference(before: &Rows, after: &Rows, left: &Rows) -> String {
    let missing = |of: &Rows| of.iter().filter(|(event, user)| left.get(*event) != Some(*user)).count();
    format!(
        "{} rows; of {} before {} are missing or others, of {} after {}",
        left.len(),
        before.len(),
        missing(before),
        after.len(),
        missing(after)
    )
}
