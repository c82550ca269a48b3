//! Loads of the same files beside other engines, each in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use wayfare_datasets::GeneratorConfig;

use crate::args::Format;
use crate::data::{self, Dataset, data_files};
use crate::error::{BenchError, Result};
use crate::measurement::Measurement;
use crate::worker::StoreArgs;
use crate::{child, load, report};

/// What the other engines run, in Python.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/loads/peers.py");
const OURS: &str = "wayfare";
/// A load that takes longer is given up.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// Loading the same files into a sorted table, beside other engines.
#[derive(Debug, Clone, Args)]
pub struct LoadsArgs {
    /// Rows to load.
    #[arg(long, value_name = "N", default_value_t = 5_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub events: u64,
    /// Days that the rows spread over.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub days: u32,
    /// Forms of the files.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "csv-gz,ndjson,parquet")]
    pub format: Vec<Format>,
    /// Other engines; each needs its package in --python.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "clickhouse,duckdb")]
    pub peers: Vec<String>,
    /// Python with the packages chdb and duckdb; without it the other engines are left out.
    #[arg(long, value_name = "FILE")]
    pub python: Option<PathBuf>,
    /// Loads of each engine; the median counts.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// Where generated data (kept and used again) and tables (made anew) go.
    #[arg(long, value_name = "DIR", default_value = "target/bench-data")]
    pub dir: PathBuf,
    /// Memory limit of our engine in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub memory_limit_mib: usize,
    /// Threads of every engine [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Writes all numbers to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The loads of one engine and one form.
#[derive(Debug, Serialize)]
struct Line {
    format: &'static str,
    engine: String,
    input_bytes: u64,
    loads: Vec<Measurement>,
}

impl Line {
    /// The load with the median time.
    fn median(&self) -> Option<&Measurement> {
        let seconds = |m: &Measurement| m.wall.first().copied().unwrap_or(f64::INFINITY);
        let mut sorted: Vec<&Measurement> = self.loads.iter().collect();
        sorted.sort_by(|a, b| seconds(a).total_cmp(&seconds(b)));
        sorted.get(sorted.len() / 2).copied()
    }
}

/// Measures, engines turn by turn, and prints the table.
pub fn run(args: &LoadsArgs) -> Result<()> {
    if let Some(json) = &args.json {
        report::check_writable(json)?;
    }
    let config = GeneratorConfig {
        events: args.events,
        users: (args.events.saturating_mul(3) / 100).max(1),
        days: args.days,
        seed: 42,
        ..GeneratorConfig::default()
    };
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from));
    let mut lines = Vec::new();
    for format in &args.format {
        let dataset = data::prepare(&config, &args.dir, *format, data::PARTS)?;
        lines.extend(measure_form(args, &dataset, threads)?);
    }
    report::print(&table(&lines))?;
    match &args.json {
        Some(path) => {
            let text = serde_json::to_string_pretty(&lines)
                .map_err(|e| BenchError::new("cannot write the results", e))?;
            std::fs::write(path, text)
                .map_err(|e| BenchError::new(format!("cannot write {}", path.display()), e))
        }
        None => Ok(()),
    }
}

fn measure_form(args: &LoadsArgs, dataset: &Dataset, threads: usize) -> Result<Vec<Line>> {
    let mut engines = vec![OURS.to_owned()];
    if args.python.is_some() {
        engines.extend(args.peers.iter().cloned());
    }
    let mut lines: Vec<Line> = engines
        .into_iter()
        .map(|engine| Line {
            format: dataset.format.name(),
            engine,
            input_bytes: dataset.bytes,
            loads: Vec::new(),
        })
        .collect();
    for _ in 0..args.runs {
        for line in &mut lines {
            let measured = match &args.python {
                Some(python) if line.engine != OURS => {
                    peer(python, &line.engine, dataset, &args.dir.join("peer"), threads)
                }
                _ => ours(args, dataset, threads),
            }?;
            if measured.rows != Some(dataset.rows) {
                return Err(BenchError::plain(format!(
                    "{} loaded {:?} of {} rows",
                    line.engine, measured.rows, dataset.rows
                )));
            }
            eprintln!("{} {}: {:?} s", line.engine, line.format, measured.wall);
            line.loads.push(measured);
        }
    }
    Ok(lines)
}

fn ours(args: &LoadsArgs, dataset: &Dataset, threads: usize) -> Result<Measurement> {
    let store = args.dir.join("loads-store");
    if store.exists() {
        load::remove_store(&store)?;
    }
    let worker_args = StoreArgs { store: store.clone(), threads, memory_limit_mib: args.memory_limit_mib };
    let mut command = child::worker()?;
    command.arg("load").args(worker_args.to_arguments()).args(data_files(&dataset.dir)?);
    let measured = child::measure(&mut command, TIMEOUT)?;
    load::remove_store(&store)?;
    Ok(measured)
}

fn peer(
    python: &Path,
    engine: &str,
    dataset: &Dataset,
    database: &Path,
    threads: usize,
) -> Result<Measurement> {
    let mut command = Command::new(python);
    command.arg(SCRIPT).arg(engine).arg(dataset.format.name()).arg(&dataset.dir).arg(database);
    command.arg(threads.to_string());
    child::measure(&mut command, TIMEOUT)
}

fn table(lines: &[Line]) -> String {
    let mut text = "| form | engine | version | seconds | rows/s | CPU s | peak MiB | written MiB |\n\
                    |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for line in lines {
        let Some(load) = line.median() else { continue };
        let seconds = load.wall.first().copied().unwrap_or_default();
        text += &format!(
            "| {} | {} | {} | {seconds:.2} | {:.0} | {:.1} | {:.0} | {:.0} |\n",
            line.format,
            line.engine,
            load.version.as_deref().unwrap_or_default(),
            load.rows.unwrap_or_default() as f64 / seconds.max(1e-9),
            load.cpu.first().copied().unwrap_or_default(),
            load.rss_mib,
            load.bytes.unwrap_or_default() as f64 / 1_048_576.0,
        );
    }
    text
}
