//! The twelve journey queries, each in fresh processes, engine after engine, query after query.

pub mod answer;
pub mod args;
mod expected;
mod outcome;
mod peers;
pub mod query;
mod report;
mod run;
pub mod store;

use crate::error::{BenchError, Result};
use crate::report::check_writable;
use crate::worker::StoreArgs;
use args::WorkloadArgs;
use run::Run;

/// Loads what is not loaded, measures, prints the table.
///
/// # Errors
/// Also if a query failed or an answer of Wayfare differs from another one.
pub fn run(args: &WorkloadArgs) -> Result<()> {
    for (name, seconds) in [("--budget", args.budget), ("--timeout", args.timeout)] {
        if !(0.0..=1e6).contains(&seconds) {
            return Err(BenchError::plain(format!(
                "{name} is a number of seconds up to 1000000, not {seconds}"
            )));
        }
    }
    let queries = query::read_all(&args.sql, &args.queries, args.forms)?;
    if let Some(json) = &args.json {
        check_writable(json)?;
    }
    let threads =
        args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    let store = StoreArgs { store: args.store_dir(), threads, memory_limit_mib: args.memory_limit_mib };
    let files = store::raw_files(&args.data, &args.size)?;
    let mut run = Run::new(args, store, queries)?;
    run.load = store::prepare(&run.store, &[&files], args.reload)?;
    let run = run.measure()?;
    report::print(&run)?;
    let wrong = run.outcomes.iter().filter(|outcome| outcome.is_wrong()).count();
    if wrong > 0 {
        return Err(BenchError::plain(format!("{wrong} queries failed or gave another answer, see above")));
    }
    Ok(())
}
