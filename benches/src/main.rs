//! End-to-end runner. See README.md for how to run it and what its figures mean.
//!
//! Without a subcommand it generates touchpoints, loads them and times the queries of `queries/` in this one process.
//! `workload` times the twelve queries of `workload/` in processes of their own, beside other engines; `scaling` shows
//! how cost grows; `life` follows a table through small loads, compaction, erasure and expiry. Progress goes to standard error, tables of results to standard output, and with `--json` all numbers
//! with the machine, the versions and the command line to a file.

mod args;
mod child;
mod data;
mod dealt;
mod error;
mod life;
mod load;
mod loads;
mod machine;
mod measurement;
mod queries;
mod report;
mod scaling;
mod worker;
mod workload;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use wayfare_engine::{Engine, EngineConfig};

use crate::args::{Args, Cli, Command};
use crate::error::{BenchError, Result};
use crate::report::Report;

#[global_allocator]
static ALLOCATOR: wayfare_allocator::Allocator = wayfare_allocator::Allocator;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cfg!(debug_assertions) && !matches!(cli.command, Some(Command::Worker(_))) {
        eprintln!("warning: this is a debug build, its numbers mean nothing: run with --release");
    }
    // As the server does.
    wayfare_allocator::keep_free();
    let outcome = match &cli.command {
        Some(Command::Workload(args)) => workload::run(args),
        Some(Command::Scaling(args)) => scaling::run(args),
        Some(Command::Loads(args)) => loads::run(args),
        Some(Command::Life(args)) => life::run(args),
        Some(Command::Worker(command)) => worker::run(command),
        None => run(&cli.generated),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
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
            let dataset = data::prepare(&args.generator(), &args.dir, format, data::PARTS)?;
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
