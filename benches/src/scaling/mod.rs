//! How cost grows: with the number of rows, with the days that they are spread over, with the files that they lie in.

pub mod args;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use wayfare_datasets::GeneratorConfig;

use crate::args::Format;
use crate::data::{self, data_files};
use crate::error::{BenchError, Result};
use crate::measurement::Summary;
use crate::report::{self, check_writable};
use crate::worker::{RepeatArgs, StoreArgs};
use crate::workload::query::{self, Query};
use crate::workload::store;
use crate::{child, machine};
use args::ScalingArgs;
use table::{Case, Table};

/// How long one process may take.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// No time limit for repeated runs.
const BUDGET_SECONDS: f64 = 1800.0;
/// Days of the table that shows the number of loads, and of a journey where people come over many days.
const DAYS: u32 = 30;
const SEED: u64 = 42;

/// Measures and prints the tables.
pub fn run(args: &ScalingArgs) -> Result<()> {
    let queries = query::read_all(&args.sql, &args.queries, false)?;
    if let Some(lookup) = queries.iter().find(|query| query.is_lookup) {
        return Err(BenchError::plain(format!(
            "{} asks for one person, it has no cost per row",
            lookup.name
        )));
    }
    if let Some(json) = &args.json {
        check_writable(json)?;
    }
    let measuring = Scaling { args, queries };
    let mut tables = Vec::new();
    if let Some(data) = &args.data {
        tables.push(measuring.sizes(data)?);
    }
    if args.events > 0 {
        tables.push(measuring.days()?);
        tables.push(measuring.arrivals()?);
        tables.push(measuring.loads()?);
    }
    if tables.is_empty() {
        return Err(BenchError::plain("there is nothing to measure: give --data or --events"));
    }
    let text: Vec<String> = tables.iter().map(Table::text).collect();
    report::print(&text.join("\n"))?;
    let Some(path) = &args.json else { return Ok(()) };
    let value = json!({
        "command": report::command(),
        "machine": machine::description(),
        "versions": machine::versions(),
        "tables": tables.iter().map(Table::json).collect::<Vec<_>>(),
    });
    report::write_json(path, &value)
}

struct Scaling<'a> {
    args: &'a ScalingArgs,
    queries: Vec<Query>,
}

impl Scaling<'_> {
    fn sizes(&self, data: &Path) -> Result<Table> {
        let mut table = Table::new("size");
        for size in &self.args.sizes {
            let files = store::raw_files(data, size)?;
            let store = self.store(data.join("native").join(format!("wayfare-{size}")));
            let load = store::prepare(&store, &[&files], self.args.reload)?;
            self.measure(&mut table, size, &store, &load)?;
        }
        Ok(table)
    }

    fn days(&self) -> Result<Table> {
        let mut table = Table::new("days");
        for days in &self.args.days {
            self.generated(&mut table, &days.to_string(), (*days, 0), 1)?;
        }
        Ok(table)
    }

    /// The same journeys over more and more days: what files alone cost.
    fn arrivals(&self) -> Result<Table> {
        let mut table = Table::new("arrivals");
        for days in self.args.days.iter().filter(|days| **days >= DAYS) {
            self.generated(&mut table, &days.to_string(), (DAYS, *days - DAYS), 1)?;
        }
        Ok(table)
    }

    fn loads(&self) -> Result<Table> {
        let mut table = Table::new("loads");
        for loads in &self.args.loads {
            self.generated(&mut table, &loads.to_string(), (DAYS, 0), *loads)?;
        }
        Ok(table)
    }

    /// Measures a store of generated rows that came in `loads` loads.
    ///
    /// Journeys last `days` and begin on one of `arrival_days` further days.
    fn generated(
        &self,
        table: &mut Table,
        case: &str,
        (days, arrival_days): (u32, u32),
        loads: u32,
    ) -> Result<()> {
        let config = GeneratorConfig {
            events: self.args.events,
            users: (self.args.events.saturating_mul(3) / 100).max(1),
            days,
            arrival_days,
            seed: SEED,
            ..GeneratorConfig::default()
        };
        let format = Format::Parquet;
        // Every part has rows of every day.
        let parts = if loads == 1 { data::PARTS } else { loads };
        let files = data_files(&data::prepare(&config, &self.args.dir, format, parts)?.dir)?;
        let store = self.store(self.args.dir.join(format!("store-{}-l{loads}", data::name(&config, format))));
        let loads: Vec<&[PathBuf]> = if loads == 1 { vec![&files] } else { files.chunks(1).collect() };
        let load = store::prepare(&store, &loads, self.args.reload)?;
        self.measure(table, case, &store, &load)
    }

    fn measure(&self, table: &mut Table, case: &str, store: &StoreArgs, load: &Value) -> Result<()> {
        let repeat = RepeatArgs { runs: self.args.runs, budget: BUDGET_SECONDS };
        let count = |name: &str| {
            load[name]
                .as_u64()
                .ok_or_else(|| BenchError::plain(format!("the load does not say how many {name}")))
        };
        for query in &self.queries {
            let mut command = child::worker()?;
            command.arg("query").args(store.to_arguments()).args(repeat.to_arguments()).arg(&query.path);
            let failed = |e: BenchError| BenchError::new(format!("{} {case}: {}", table.name, query.name), e);
            let measurement = child::measure(&mut command, TIMEOUT).map_err(failed)?;
            let summary = Summary::of(&[measurement])
                .ok_or_else(|| BenchError::plain(format!("{}: nothing was timed", query.name)))?;
            eprintln!("{} {case}: {} {:.4} s", table.name, query.name, summary.wall_seconds);
            table.cases.push(Case {
                case: case.to_owned(),
                query: query.name.clone(),
                rows: count("rows")?,
                files: count("files")?,
                summary,
            });
        }
        Ok(())
    }

    fn store(&self, path: PathBuf) -> StoreArgs {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        StoreArgs {
            store: path,
            threads: self.args.threads.unwrap_or_else(cores).max(1),
            memory_limit_mib: self.args.memory_limit_mib,
        }
    }
}
