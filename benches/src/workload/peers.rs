//! Other engines: a Python package beside the project measures each in a process of its own.
//!
//! `python -m peers.worker PEER LAYOUT SIZE QUERY RUNS BUDGET VARIANT` prints one line with the same fields as our
//! own workers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::child;
use crate::error::{BenchError, Result};
use crate::measurement::Measurement;
use crate::workload::args::{PeerConfig, WorkloadArgs};

/// The people that the other engines look up.
const LOOKUP_USERS: &str =
    "import json, sys; from peers.common import lookup_users; print(json.dumps(lookup_users(sys.argv[1])))";

/// How the other engines are started.
#[derive(Debug)]
pub struct Peers {
    directory: PathBuf,
    python: PathBuf,
    data: PathBuf,
    size: String,
    threads: usize,
    runs: u32,
    budget: f64,
    timeout: Duration,
}

impl Peers {
    /// `None` if none are asked for.
    pub fn new(args: &WorkloadArgs, threads: usize) -> Result<Option<Self>> {
        let (Some(directory), Some(python)) = (&args.peers, &args.python) else { return Ok(None) };
        if !directory.join("peers/worker.py").is_file() {
            return Err(BenchError::plain(format!("{} has no peers/worker.py", directory.display())));
        }
        // They run in another directory.
        let absolute = |path: &Path| {
            std::path::absolute(path)
                .map_err(|e| BenchError::new(format!("cannot find {}", path.display()), e))
        };
        // A bare name is looked for in PATH.
        let is_bare = python.components().count() == 1;
        Ok(Some(Self {
            directory: directory.clone(),
            python: if is_bare { python.clone() } else { absolute(python)? },
            data: absolute(&args.data)?,
            size: args.size.clone(),
            threads,
            runs: args.runs,
            budget: args.budget,
            timeout: Duration::from_secs_f64(args.timeout),
        }))
    }

    /// Measures one question.
    pub fn measure(&self, config: &PeerConfig, question: &str) -> Result<Measurement> {
        let mut command = self.python();
        command.args(["-m", "peers.worker", &config.peer, &config.layout, &self.size, question]);
        command.args([self.runs.to_string(), self.budget.to_string(), "0".to_owned()]);
        child::measure(&mut command, self.timeout)
    }

    /// The people of the point lookup.
    pub fn lookup_users(&self) -> Result<Vec<String>> {
        let mut command = self.python();
        command.args(["-c", LOOKUP_USERS, &self.size]);
        let line = child::last_line(&mut command, self.timeout)
            .map_err(|e| BenchError::new("cannot ask for the people to look up", e))?;
        serde_json::from_str(&line).map_err(|e| BenchError::new("cannot read the people to look up", e))
    }

    fn python(&self) -> Command {
        let mut command = Command::new(&self.python);
        command
            .current_dir(&self.directory)
            .env("BENCH_DATA", &self.data)
            .env("BENCH_THREADS", self.threads.to_string())
            // The package may be in a place that is only to be read.
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}
