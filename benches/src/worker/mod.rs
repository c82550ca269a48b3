//! One measurement in a process of its own: nothing of an earlier one is in its memory or its caches.

mod floor;
mod load;
mod lookup;
mod query;
mod rows;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, Subcommand};
use tokio::runtime::Runtime;
use wayfare_engine::{Engine, EngineConfig};

use crate::error::{BenchError, Result};
use crate::machine;
use crate::measurement::Measurement;

/// What a worker measures.
#[derive(Debug, Subcommand)]
pub enum WorkerCommand {
    /// A load into the store, which is made if there is none.
    Load {
        #[command(flatten)]
        store: StoreArgs,
        /// The files.
        files: Vec<PathBuf>,
    },
    /// A query, again and again.
    Query {
        #[command(flatten)]
        store: StoreArgs,
        #[command(flatten)]
        repeat: RepeatArgs,
        /// File of the query.
        sql: PathBuf,
    },
    /// A query for one person after the other.
    Lookup {
        #[command(flatten)]
        store: StoreArgs,
        /// The people.
        #[arg(long, value_delimiter = ',', required = true)]
        users: Vec<String>,
        /// File of the query.
        sql: PathBuf,
    },
    /// Decoding of columns, and nothing else.
    Floor {
        #[command(flatten)]
        store: StoreArgs,
        #[command(flatten)]
        repeat: RepeatArgs,
        /// The columns.
        columns: Vec<String>,
    },
}

/// The store and what may be used.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    #[arg(long)]
    pub store: PathBuf,
    #[arg(long)]
    pub threads: usize,
    #[arg(long)]
    pub memory_limit_mib: usize,
}

impl StoreArgs {
    /// As arguments of a worker.
    pub fn to_arguments(&self) -> [std::ffi::OsString; 6] {
        [
            "--store".into(),
            self.store.clone().into(),
            "--threads".into(),
            self.threads.to_string().into(),
            "--memory-limit-mib".into(),
            self.memory_limit_mib.to_string().into(),
        ]
    }

    fn config(&self) -> EngineConfig {
        EngineConfig {
            store_url: self.store.display().to_string(),
            memory_limit_bytes: self.memory_limit_mib << 20,
            target_partitions: self.threads,
            ..EngineConfig::default()
        }
    }

    async fn open(&self) -> Result<Engine> {
        Engine::open(self.config())
            .await
            .map_err(|e| BenchError::new(format!("cannot open {}", self.store.display()), e))
    }

    fn runtime(&self) -> Result<Runtime> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(self.threads.max(1))
            .enable_all()
            .build()
            .map_err(|e| BenchError::new("cannot start threads", e))
    }
}

/// How often something runs.
#[derive(Debug, Clone, Copy, Args)]
pub struct RepeatArgs {
    /// Timed runs.
    #[arg(long)]
    pub runs: u32,
    /// Seconds after which no further run is started; a slower one counts at once, without a warm-up.
    #[arg(long)]
    pub budget: f64,
}

impl RepeatArgs {
    /// As arguments of a worker.
    pub fn to_arguments(self) -> [String; 4] {
        ["--runs".to_owned(), self.runs.to_string(), "--budget".to_owned(), self.budget.to_string()]
    }
}

/// Measures, and prints a line of JSON.
pub fn run(command: &WorkerCommand) -> Result<()> {
    let mut measurement = match command {
        WorkerCommand::Load { store, files } => load::measure(store, files)?,
        WorkerCommand::Query { store, repeat, sql } => query::measure(store, *repeat, sql)?,
        WorkerCommand::Lookup { store, users, sql } => lookup::measure(store, users, sql)?,
        WorkerCommand::Floor { store, repeat, columns } => floor::measure(store, *repeat, columns)?,
    };
    measurement.rss_mib = peak_rss_mib();
    measurement.version = Some(env!("CARGO_PKG_VERSION").to_owned());
    let line =
        serde_json::to_string(&measurement).map_err(|e| BenchError::new("cannot write a measurement", e))?;
    crate::report::print(&(line + "\n"))
}

/// Runs `action` once to warm up, then as often as `repeat` says; gives the times and the last result.
fn repeated<T>(repeat: RepeatArgs, mut action: impl FnMut() -> Result<T>) -> Result<(Measurement, T)> {
    let started = Instant::now();
    let mut measurement = Measurement::default();
    let (mut result, wall, cpu) = timed(&mut action)?;
    if wall >= repeat.budget {
        measurement.wall.push(wall);
        measurement.cpu.push(cpu);
        return Ok((measurement, result));
    }
    measurement.first = Some(wall);
    for _ in 0..repeat.runs {
        let (again, wall, cpu) = timed(&mut action)?;
        result = again;
        measurement.wall.push(wall);
        measurement.cpu.push(cpu);
        if started.elapsed().as_secs_f64() + wall > repeat.budget * 1.5 {
            break;
        }
    }
    Ok((measurement, result))
}

/// One result with its wall and CPU seconds.
fn timed<T>(action: impl FnOnce() -> Result<T>) -> Result<(T, f64, f64)> {
    let (cpu, started) = (machine::cpu_seconds(), Instant::now());
    let result = action()?;
    let wall = started.elapsed().as_secs_f64();
    Ok((result, wall, cpu.zip(machine::cpu_seconds()).map_or(0.0, |(before, after)| after - before)))
}

fn peak_rss_mib() -> f64 {
    machine::peak_rss_bytes().map_or(0.0, |bytes| bytes as f64 / 1_048_576.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_warms_up_and_slow_runs_stop() {
        let mut calls = 0;
        let mut run = |budget| {
            repeated(RepeatArgs { runs: 3, budget }, || {
                calls += 1;
                Ok(calls)
            })
        };
        let (measurement, last) = run(60.0).unwrap();
        assert_eq!((measurement.wall.len(), measurement.cpu.len(), last), (3, 3, 4));
        assert!(measurement.first.is_some());
        let (measurement, _) = run(0.0).unwrap();
        assert_eq!((measurement.wall.len(), measurement.first), (1, None));
    }
}
