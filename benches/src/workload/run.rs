//! Measuring, interleaved: round after round, query after query, engine after engine.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde_json::Value;

use super::answer::Answer;
use super::args::WorkloadArgs;
use super::expected;
use super::outcome::{Outcome, PeerOutcome};
use super::peers::Peers;
use super::query::Query;
use super::report;
use crate::child;
use crate::error::{BenchError, Result};
use crate::measurement::{Measurement, Summary};
use crate::worker::{RepeatArgs, StoreArgs};

/// How many people are looked up where no one says which.
const LOOKUPS: u64 = 100;

/// A measurement of the workload, under way or done.
#[derive(Debug)]
pub struct Run<'a> {
    /// What was asked for.
    pub args: &'a WorkloadArgs,
    /// The store and what may be used.
    pub store: StoreArgs,
    /// How the store was loaded; null before it is.
    pub load: Value,
    /// One per query.
    pub outcomes: Vec<Outcome>,
    /// The other engines, by question.
    pub peers: BTreeMap<String, Vec<PeerOutcome>>,
    peer_starter: Option<Peers>,
    users: Vec<String>,
}

impl<'a> Run<'a> {
    /// Checks what can be checked before anything is measured.
    pub fn new(args: &'a WorkloadArgs, store: StoreArgs, queries: Vec<Query>) -> Result<Self> {
        let peer_starter = Peers::new(args, store.threads)?;
        let users = match queries.iter().find(|query| query.is_lookup) {
            Some(query) => lookup_users(args, peer_starter.as_ref(), query)?,
            None => Vec::new(),
        };
        let outcomes = queries.into_iter().map(Outcome::new).collect();
        Ok(Self { args, store, load: Value::Null, outcomes, peers: BTreeMap::new(), peer_starter, users })
    }

    /// Measures everything.
    pub fn measure(mut self) -> Result<Self> {
        for round in 0..self.args.rounds {
            let mut asked = HashSet::new();
            for index in 0..self.outcomes.len() {
                self.measure_wayfare(index, round)?;
                if asked.insert(self.outcomes[index].query.question().to_owned()) {
                    self.measure_peers(index, round);
                }
                self.compare(index)?;
                if let Some(path) = &self.args.json {
                    crate::report::write_json(path, &report::json(&self))?;
                }
            }
        }
        Ok(self)
    }

    fn measure_wayfare(&mut self, index: usize, round: u32) -> Result<()> {
        let repeat = RepeatArgs { runs: self.args.runs, budget: self.args.budget };
        let timeout = Duration::from_secs_f64(self.args.timeout);
        let outcome = &mut self.outcomes[index];
        if outcome.error.is_some() {
            return Ok(());
        }
        let query = &outcome.query;
        let mut command = child::worker()?;
        if query.is_lookup {
            command.arg("lookup").args(self.store.to_arguments());
            command.arg("--users").arg(self.users.join(",")).arg(&query.path);
        } else {
            command.arg("query").args(self.store.to_arguments()).args(repeat.to_arguments()).arg(&query.path);
        }
        let result = child::measure(&mut command, timeout);
        tell(&query.name, round, "wayfare", result.as_ref());
        match result {
            Ok(measurement) => outcome.wayfare.push(measurement),
            Err(error) => outcome.error = Some(error.to_string()),
        }
        if outcome.query.columns.is_empty() {
            return Ok(());
        }
        let mut command = child::worker()?;
        command.arg("floor").args(self.store.to_arguments()).args(repeat.to_arguments());
        command.args(&outcome.query.columns);
        let floor = child::measure(&mut command, timeout);
        tell(&outcome.query.name, round, "floor", floor.as_ref());
        outcome.floor.push(floor.map_err(|e| BenchError::new("cannot measure decoding", e))?);
        Ok(())
    }

    fn measure_peers(&mut self, index: usize, round: u32) {
        let Some(starter) = &self.peer_starter else { return };
        let question = self.outcomes[index].query.question();
        let peers = self.peers.entry(question.to_owned()).or_insert_with(|| {
            let none =
                |config: &_| PeerOutcome { config: Clone::clone(config), runs: Vec::new(), error: None };
            self.args.configs.iter().map(none).collect()
        });
        for peer in peers.iter_mut().filter(|peer| peer.error.is_none()) {
            let result = starter.measure(&peer.config, question);
            tell(question, round, &peer.config.to_string(), result.as_ref());
            match result {
                Ok(measurement) => peer.runs.push(measurement),
                Err(error) => peer.error = Some(error.to_string()),
            }
        }
    }

    /// Compares the newest answers.
    fn compare(&mut self, index: usize) -> Result<()> {
        let outcome = &mut self.outcomes[index];
        let question = outcome.query.question().to_owned();
        let Some(answer) = outcome.answer() else { return Ok(()) };
        if let Some(directory) = &self.args.expected {
            let known = expected::answer(directory, &question)?;
            outcome.compare("expected", answer.difference(&known));
        }
        for peer in self.peers.get(&question).into_iter().flatten() {
            let Some(measurement) = peer.runs.last() else { continue };
            let whose = peer.config.to_string();
            match (&measurement.result, measurement.rows) {
                (Some(rows), _) => outcome.compare(&whose, answer.difference(&Answer::from_json(rows))),
                // A point lookup tells only how many rows it found.
                (None, Some(rows)) if outcome.query.is_lookup => {
                    let people = measurement.wall.len();
                    let ours = outcome.rows_found(people);
                    let difference =
                        (ours != rows).then(|| format!("{ours} rows of {people} people, not {rows}"));
                    outcome.compare(&whose, difference);
                }
                (None, _) => {}
            }
        }
        Ok(())
    }
}

/// The same people as the other engines look up, those of the known answer, or any.
fn lookup_users(args: &WorkloadArgs, peers: Option<&Peers>, query: &Query) -> Result<Vec<String>> {
    if let Some(peers) = peers {
        return peers.lookup_users();
    }
    if let Some(directory) = &args.expected {
        return expected::lookup_users(directory, query.question());
    }
    let path = args.data.join(&args.size).join("meta.json");
    let failed = |e: &dyn std::fmt::Display| {
        BenchError::new(format!("cannot choose people to look up: cannot read {}", path.display()), e)
    };
    let text = std::fs::read_to_string(&path).map_err(|e| failed(&e))?;
    let meta: Value = serde_json::from_str(&text).map_err(|e| failed(&e))?;
    let users = meta["users"].as_u64().ok_or_else(|| failed(&"it does not say how many users there are"))?;
    Ok((0..LOOKUPS.min(users)).map(|n| format!("u{:09}", n * users / LOOKUPS.min(users))).collect())
}

fn tell(query: &str, round: u32, who: &str, result: std::result::Result<&Measurement, &BenchError>) {
    match result.map(|measurement| Summary::of(std::slice::from_ref(measurement))) {
        Ok(Some(s)) => eprintln!(
            "{query:8} round {round} {who:18} {:9.4} s  cpu {:8.3}  rss {:6.0} MiB  n={}",
            s.wall_seconds, s.cpu_seconds, s.peak_rss_mib, s.runs
        ),
        Ok(None) => eprintln!("{query:8} round {round} {who:18} nothing was timed"),
        Err(error) => eprintln!("{query:8} round {round} {who:18} {error}"),
    }
}
