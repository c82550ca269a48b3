//! End-to-end runner: generates touchpoints, loads them, times the queries of `queries/`.
//!
//! ```text
//! cargo run --release -p wayfare-benches -- --events 10000000 --json result.json
//! ```
//!
//! Progress goes to standard error, the table of results to standard output, and with `--json` all numbers with the
//! machine, the versions and the command line to a file. Everything runs in this one process, through the engine's API.

mod args;
mod data;
mod error;
mod load;
mod machine;
mod queries;
mod report;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use wayfare_engine::{Engine, EngineConfig};

use crate::args::Args;
use crate::error::{BenchError, Result};
use crate::report::Report;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    if cfg!(debug_assertions) {
        eprintln!("warning: this is a debug build, its numbers mean nothing: run with --release");
    }
    let queries = queries::read(&args.queries, args.only.as_deref())?;
    if let Some(json) = &args.json {
        report::check_writable(json)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| BenchError::new("cannot start threads", e))?;
    runtime.block_on(async {
        let mut report = Report::new(args);
        for format in args.formats() {
            let dataset = data::prepare(args, format)?;
            report.loads.push(load::measure(args, &dataset).await?);
        }
        let engine = Arc::new(open(args).await?);
        report.queries = queries::measure(&engine, &queries, args.runs).await?;
        report.print()?;
        match &args.json {
            Some(path) => report.write_json(path),
            None => Ok(()),
        }
    })
}

/// The engine over the store of the last load, as new: nothing is in its caches.
async fn open(args: &Args) -> Result<Engine> {
    Engine::open(engine_config(args)).await.map_err(|e| BenchError::new("cannot open the store", e))
}

fn engine_config(args: &Args) -> EngineConfig {
    let default = EngineConfig::default();
    EngineConfig {
        store_url: args.store_dir().display().to_string(),
        memory_limit_bytes: args.memory_limit_mib << 20,
        target_partitions: args.threads.unwrap_or(default.target_partitions),
        ..default
    }
}
