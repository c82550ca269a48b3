//! Results of the workload as a table and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::outcome::{Outcome, PeerOutcome, fastest};
use super::run::Run;
use crate::error::Result;
use crate::measurement::{Measurement, Summary};
use crate::{machine, report};

/// Prints the tables to standard output.
pub fn print(run: &Run<'_>) -> Result<()> {
    report::print(&table(run))
}

/// A row of the table, once for its head and once for each query.
macro_rules! line {
    ($text:expr, $($cell:expr),+ $(,)?) => {
        // Writing to a String cannot fail.
        let _ = writeln!(
            $text,
            "{:<22} {:>9} {:>9} {:>8} {:>4}  {:<18} {:>9} {:>9} {:>8} {:>9}  {:>8} {:>8}  {}",
            $($cell),+
        );
    };
}

fn table(run: &Run<'_>) -> String {
    let mut text = String::new();
    line!(
        text,
        "query",
        "wall s",
        "CPU s",
        "RSS MiB",
        "n",
        "fastest peer",
        "wall s",
        "CPU s",
        "RSS MiB",
        "peer/ours",
        "floor s",
        "x floor",
        "answer"
    );
    let mut lookups = String::new();
    for outcome in &run.outcomes {
        let peers = run.peers.get(outcome.query.question()).map_or(&[][..], Vec::as_slice);
        let ours = Summary::of(&outcome.wayfare);
        let peer = fastest(peers);
        let floor = Summary::of(&outcome.floor);
        line!(
            text,
            outcome.query.name,
            cell(ours, |s| seconds(s.wall_seconds)),
            cell(ours, |s| seconds(s.cpu_seconds)),
            cell(ours, |s| format!("{:.0}", s.peak_rss_mib)),
            cell(ours, |s| s.runs.to_string()),
            peer.map_or_else(|| "-".to_owned(), |(config, _)| config.to_string()),
            cell(peer, |(_, s)| seconds(s.wall_seconds)),
            cell(peer, |(_, s)| seconds(s.cpu_seconds)),
            cell(peer, |(_, s)| format!("{:.0}", s.peak_rss_mib)),
            cell(peer.zip(ours), |((_, p), o)| format!("{:.2}x", p.wall_seconds / o.wall_seconds)),
            cell(floor, |s| seconds(s.wall_seconds)),
            cell(floor.zip(ours), |(f, o)| format!("{:.1}", o.wall_seconds / f.wall_seconds)),
            outcome.verdict(),
        );
        if outcome.query.is_lookup {
            lookup_lines(&mut lookups, outcome, peers);
        }
    }
    text += &lookups;
    for outcome in &run.outcomes {
        for problem in outcome.error.iter().chain(&outcome.differences) {
            let _ = writeln!(text, "{} {}: {problem}", outcome.verdict(), outcome.query.name);
        }
    }
    for (question, peer) in peers(run) {
        if let Some(error) = &peer.error {
            let _ = writeln!(text, "not measured: {question} {}: {error}", peer.config);
        }
    }
    text
}

/// Point lookups are a matter of milliseconds, and of the slow ones among them.
fn lookup_lines(text: &mut String, outcome: &Outcome, peers: &[PeerOutcome]) {
    let ours = ("wayfare".to_owned(), outcome.wayfare.as_slice());
    let others = peers.iter().map(|peer| (peer.config.to_string(), peer.runs.as_slice()));
    let _ = writeln!(
        text,
        "\n{:<22} {:>9} {:>9} {:>9} {:>8} {:>6}",
        format!("{}, one person", outcome.query.name),
        "p50 ms",
        "p95 ms",
        "CPU ms",
        "RSS MiB",
        "n"
    );
    for (name, runs) in std::iter::once(ours).chain(others) {
        if let Some(s) = Summary::of(runs) {
            let _ = writeln!(
                text,
                "{name:<22} {:>9.2} {:>9.2} {:>9.2} {:>8.0} {:>6}",
                s.wall_seconds * 1e3,
                s.wall_p95_seconds * 1e3,
                s.cpu_seconds * 1e3,
                s.peak_rss_mib,
                s.runs
            );
        }
    }
}

fn cell<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), text)
}

/// Four digits that mean something.
fn seconds(seconds: f64) -> String {
    match seconds {
        s if s >= 100.0 => format!("{s:.0}"),
        s if s >= 1.0 => format!("{s:.2}"),
        s => format!("{s:.4}"),
    }
}

/// Everything, with the machine, the versions and all runs.
pub fn json(run: &Run<'_>) -> Value {
    let args = run.args;
    let mut versions = machine::versions();
    versions["peers"] = json!(peer_versions(run));
    json!({
        "command": report::command(),
        "parameters": {
            "size": args.size,
            "runs": args.runs,
            "rounds": args.rounds,
            "budget_seconds": args.budget,
            "timeout_seconds": args.timeout,
            "threads": run.store.threads,
            "memory_limit_bytes": (run.store.memory_limit_mib as u64) << 20,
        },
        "machine": machine::description(),
        "load_average": machine::load_average(),
        "versions": versions,
        "load": run.load,
        "queries": run.outcomes.iter().map(|outcome| outcome_json(run, outcome)).collect::<Vec<_>>(),
    })
}

fn outcome_json(run: &Run<'_>, outcome: &Outcome) -> Value {
    let peers = run.peers.get(outcome.query.question()).map_or(&[][..], Vec::as_slice);
    let ours = Summary::of(&outcome.wayfare);
    let floor = Summary::of(&outcome.floor);
    let best = fastest(peers);
    json!({
        "name": outcome.query.name,
        "answer": outcome.verdict(),
        "agrees_with": outcome.agrees_with,
        "differences": outcome.differences,
        "wayfare": { "summary": ours, "runs": without_rows(&outcome.wayfare), "error": outcome.error },
        "floor": { "columns": outcome.query.columns, "summary": floor, "runs": without_rows(&outcome.floor) },
        "fastest_peer": best.map(|(config, _)| config.to_string()),
        "fastest_peer_over_wayfare": best.zip(ours).map(|((_, p), o)| p.wall_seconds / o.wall_seconds),
        "wayfare_over_floor": ours.zip(floor).map(|(o, f)| o.wall_seconds / f.wall_seconds),
        "peers": peers.iter().map(|peer| json!({
            "peer": peer.config.peer,
            "layout": peer.config.layout,
            "summary": Summary::of(&peer.runs),
            "runs": without_rows(&peer.runs),
            "error": peer.error,
        })).collect::<Vec<_>>(),
    })
}

/// The runs without the rows of their answers.
fn without_rows(runs: &[Measurement]) -> Vec<Measurement> {
    runs.iter().map(|run| Measurement { result: None, ..run.clone() }).collect()
}

fn peer_versions<'a>(run: &'a Run<'_>) -> BTreeMap<&'a str, &'a str> {
    let versions = peers(run).filter_map(|(_, peer)| {
        let version = peer.runs.iter().find_map(|m| m.version.as_deref())?;
        Some((peer.config.peer.as_str(), version))
    });
    versions.collect()
}

fn peers<'a>(run: &'a Run<'_>) -> impl Iterator<Item = (&'a str, &'a PeerOutcome)> {
    run.peers.iter().flat_map(|(question, peers)| peers.iter().map(|peer| (question.as_str(), peer)))
}
