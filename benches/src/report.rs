//! Results as a table and as JSON.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::args::Args;
use crate::error::{BenchError, Result};
use crate::load::LoadResult;
use crate::machine;
use crate::queries::QueryResult;

const MIB: f64 = 1_048_576.0;

/// Everything that was measured.
#[derive(Debug)]
pub struct Report {
    /// One per format.
    pub loads: Vec<LoadResult>,
    /// One per query.
    pub queries: Vec<QueryResult>,
    parameters: Value,
}

impl Report {
    /// A report without results.
    pub fn new(args: &Args) -> Self {
        let generator = args.generator();
        let parameters = json!({
            "events": generator.events,
            "users": generator.users,
            "days": generator.days,
            "seed": generator.seed,
            "runs": args.runs,
            "memory_limit_bytes": args.memory_limit_mib << 20,
            "threads": args.threads,
        });
        Self { loads: Vec::new(), queries: Vec::new(), parameters }
    }

    /// Prints the tables to standard output.
    pub fn print(&self) -> Result<()> {
        print(&self.table())
    }

    fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<24} {:>12} {:>10} {:>12} {:>10} {:>12} {:>14}",
            "load", "rows", "seconds", "rows/s", "input MiB", "stored MiB", "peak RSS MiB"
        );
        for load in &self.loads {
            let peak = match load.peak_rss_bytes {
                Some(bytes) => {
                    format!("{}{:.0}", if load.peak_is_of_load { "" } else { "<=" }, bytes as f64 / MIB)
                }
                None => "unknown".to_owned(),
            };
            let _ = writeln!(
                text,
                "{:<24} {:>12} {:>10.2} {:>12.0} {:>10.1} {:>12.1} {:>14}",
                load.format,
                load.rows,
                load.seconds,
                load.rows_per_second(),
                load.input_bytes as f64 / MIB,
                load.bytes as f64 / MIB,
                peak
            );
        }
        let _ = writeln!(
            text,
            "\n{:<24} {:>12} {:>10} {:>12} {:>10}",
            "query", "rows", "median s", "min s", "max s"
        );
        for query in &self.queries {
            let _ = writeln!(
                text,
                "{:<24} {:>12} {:>10.4} {:>12.4} {:>10.4}",
                query.name,
                query.rows,
                query.median(),
                query.min(),
                query.max()
            );
        }
        text
    }

    /// Writes all numbers, with the machine, versions and command line, to `path`.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        write_json(path, &self.json())
    }

    fn json(&self) -> Value {
        let loads: Vec<Value> = self.loads.iter().map(load_json).collect();
        let queries: Vec<Value> = self.queries.iter().map(query_json).collect();
        json!({
            "command": command(),
            "parameters": self.parameters,
            "machine": machine::description(),
            "versions": machine::versions(),
            "loads": loads,
            "queries": queries,
        })
    }
}

fn load_json(load: &LoadResult) -> Value {
    json!({
        "format": load.format,
        "rows": load.rows,
        "input_bytes": load.input_bytes,
        "generate_seconds": load.generate_seconds,
        "seconds": load.seconds,
        "rows_per_second": load.rows_per_second(),
        "files": load.files,
        "bytes": load.bytes,
        "peak_rss_bytes": load.peak_rss_bytes,
        "peak_is_of_load": load.peak_is_of_load,
    })
}

/// One query as JSON.
pub fn query_json(query: &QueryResult) -> Value {
    json!({
        "name": query.name,
        "rows": query.rows,
        "median_seconds": query.median(),
        "min_seconds": query.min(),
        "max_seconds": query.max(),
        "warm_up_seconds": query.warm_up_seconds,
        "seconds": query.seconds,
    })
}

/// Writes `text` to standard output.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| BenchError::new("cannot write to standard output", e))
}

/// Writes `value` to `path`.
pub fn write_json(path: &Path, value: &Value) -> Result<()> {
    let mut text =
        serde_json::to_string_pretty(value).map_err(|e| BenchError::new("cannot write JSON", e))?;
    text.push('\n');
    fs::write(path, text).map_err(|e| BenchError::new(format!("cannot write {}", path.display()), e))
}

/// The arguments of this program. Its own path tells of the machine that it was built on, not of the measurement.
pub fn command() -> Vec<String> {
    std::env::args().skip(1).collect()
}

/// Checks before a long run that its result can be kept.
pub fn check_writable(path: &Path) -> Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map(|_| ())
        .map_err(|e| BenchError::new(format!("cannot write {}", path.display()), e))
}
