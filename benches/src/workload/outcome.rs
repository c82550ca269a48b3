//! What became of one query: times, and whether the answers agree.

use crate::measurement::{Measurement, Summary};
use crate::workload::answer::Answer;
use crate::workload::args::PeerConfig;
use crate::workload::query::Query;

/// Everything measured for one query.
#[derive(Debug)]
pub struct Outcome {
    /// The query.
    pub query: Query,
    /// Wayfare's processes.
    pub wayfare: Vec<Measurement>,
    /// Why there is none.
    pub error: Option<String>,
    /// Processes that only decoded.
    pub floor: Vec<Measurement>,
    /// How Wayfare's answer was found to differ, and from whose.
    pub differences: Vec<String>,
    /// Whose answers are the same.
    pub agrees_with: Vec<String>,
}

/// One other engine and one question.
#[derive(Debug)]
pub struct PeerOutcome {
    /// Which.
    pub config: PeerConfig,
    /// Its processes.
    pub runs: Vec<Measurement>,
    /// Why there are no more.
    pub error: Option<String>,
}

impl Outcome {
    /// Nothing measured yet.
    pub fn new(query: Query) -> Self {
        Self {
            query,
            wayfare: Vec::new(),
            error: None,
            floor: Vec::new(),
            differences: Vec::new(),
            agrees_with: Vec::new(),
        }
    }

    /// Wayfare's newest answer, once it has been measured.
    pub fn answer(&self) -> Option<Answer> {
        self.wayfare.last()?.result.as_deref().map(Answer::from_json)
    }

    /// The rows that the newest point lookup found for the first `people`.
    pub fn rows_found(&self, people: usize) -> u64 {
        let answer = self.wayfare.last().and_then(|m| m.result.as_deref()).unwrap_or_default();
        answer.iter().take(people).filter_map(|row| row.get(1)?.as_u64()).sum()
    }

    /// Notes how Wayfare's answer compares with that of `whose`.
    pub fn compare(&mut self, whose: &str, difference: Option<String>) {
        match difference {
            Some(difference) => {
                let text = format!("{whose}: {difference}");
                eprintln!("DIFF {} {text}", self.query.name);
                if !self.differences.contains(&text) {
                    self.differences.push(text);
                }
            }
            None if self.agrees_with.iter().all(|other| other != whose) => {
                self.agrees_with.push(whose.to_owned())
            }
            None => {}
        }
    }

    /// `ok`, `DIFF`, `ERROR`, or `unchecked` if there was nothing to compare with.
    pub fn verdict(&self) -> &'static str {
        match () {
            () if self.error.is_some() => "ERROR",
            () if !self.differences.is_empty() => "DIFF",
            () if self.agrees_with.is_empty() => "unchecked",
            () => "ok",
        }
    }

    /// Whether the runner must fail for this query.
    pub fn is_wrong(&self) -> bool {
        self.error.is_some() || !self.differences.is_empty()
    }
}

/// The fastest of the engines that were timed.
pub fn fastest(peers: &[PeerOutcome]) -> Option<(&PeerConfig, Summary)> {
    peers
        .iter()
        .filter_map(|peer| Some((&peer.config, Summary::of(&peer.runs)?)))
        .min_by(|(_, a), (_, b)| a.wall_seconds.total_cmp(&b.wall_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn outcome() -> Outcome {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/workload/q01.sql"));
        Outcome::new(Query::read(path).unwrap())
    }

    #[test]
    fn one_difference_outweighs_agreement() {
        let mut outcome = outcome();
        assert_eq!((outcome.verdict(), outcome.is_wrong()), ("unchecked", false));
        outcome.compare("a", None);
        assert_eq!((outcome.verdict(), outcome.is_wrong()), ("ok", false));
        outcome.compare("b", Some("1 rows, not 2".to_owned()));
        assert_eq!((outcome.verdict(), outcome.is_wrong()), ("DIFF", true));
        outcome.error = Some("no such column".to_owned());
        assert_eq!(outcome.verdict(), "ERROR");
    }

    #[test]
    fn engines_without_times_are_not_the_fastest() {
        let peer = |name: &str, wall: Vec<f64>| PeerOutcome {
            config: format!("{name}/x").parse().unwrap(),
            runs: vec![Measurement { cpu: wall.clone(), wall, ..Measurement::default() }],
            error: None,
        };
        let peers = [peer("none", vec![]), peer("slow", vec![2.0]), peer("fast", vec![1.0, 1.5])];
        assert_eq!(fastest(&peers).map(|(config, _)| config.to_string()), Some("fast/x".to_owned()));
        assert!(fastest(&peers[..1]).is_none());
    }
}
