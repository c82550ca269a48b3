//! A table from many small loads through compaction, expiry, restoring and erasure.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::AsArray;
use serde_json::{Value, json};
use wayfare_datasets::GeneratorConfig;
use wayfare_engine::load::{Dedup, LoadRequest, NoProgress};
use wayfare_engine::maintain::erase::EraseRequest;
use wayfare_engine::maintain::optimize::OptimizeRequest;
use wayfare_engine::{Engine, EngineConfig, SessionOptions};

use crate::args::Format;
use crate::error::{BenchError, Result};
use crate::load::{TABLE, remove_store, request};
use crate::queries::{self, QueryResult, batches};
use crate::{data, dealt, machine, report};

const YEAR_DAYS: u32 = 365;
/// Days at the start of the year that are expired.
const EXPIRED_DAYS: i32 = 65;

/// What the life of a table is made of.
#[derive(Debug, Clone, clap::Args)]
pub struct LifeArgs {
    /// Rows of the table that is loaded in small batches.
    #[arg(long, value_name = "N", default_value_t = 5_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Days that they spread over.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
    /// Batches.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    loads: u32,
    /// Rows of the table of a year.
    #[arg(long, value_name = "N", default_value_t = 20_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    year_events: u64,
    /// People to erase.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    people: u64,
    /// Timed runs of each query, after one that warms up.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Runs only the queries whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Where generated data (kept and used again) and the stores (made anew) go.
    #[arg(long, value_name = "DIR", default_value = "target/bench-data")]
    dir: PathBuf,
    /// Writes all numbers to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Memory limit of the engine in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    memory_limit_mib: usize,
    /// Directory of the queries, one per `.sql` file.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/queries"), hide_default_value = true)]
    queries: PathBuf,
}

impl LifeArgs {
    fn generator(&self, events: u64, days: u32) -> GeneratorConfig {
        GeneratorConfig {
            events,
            users: (events * 3 / 100).max(1),
            days,
            seed: 42,
            ..GeneratorConfig::default()
        }
    }

    /// A store called `name`, made anew.
    async fn store(&self, name: &str) -> Result<Engine> {
        let path = self.dir.join(name);
        if path.exists() {
            remove_store(&path)?;
        }
        let config = EngineConfig {
            store_url: path.display().to_string(),
            memory_limit_bytes: self.memory_limit_mib << 20,
            ..EngineConfig::default()
        };
        Engine::open_or_create(config).await.map_err(|e| BenchError::new("cannot create the store", e))
    }
}

/// Measures all of it.
pub fn run(args: &LifeArgs) -> Result<()> {
    if let Some(json) = &args.json {
        report::check_writable(json)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| BenchError::new("cannot start threads", e))?;
    let (text, small) = runtime.block_on(small_loads(args))?;
    report::print(&text)?;
    let (text, year) = runtime.block_on(year(args))?;
    report::print(&text)?;
    let Some(path) = &args.json else { return Ok(()) };
    let all = json!({
        "command": std::env::args().collect::<Vec<_>>(),
        "machine": machine::description(),
        "versions": machine::versions(),
        "small_loads": small,
        "year": year,
    });
    report::write_json(path, &all)
}

/// The same rows in many loads, before and after compaction, and in one load.
async fn small_loads(args: &LifeArgs) -> Result<(String, Value)> {
    let questions = queries::read(&args.queries, args.only.as_deref())?;
    let generator = args.generator(args.events, args.days);
    let dataset = data::prepare(&generator, &args.dir, Format::Parquet, data::PARTS)?;
    let files = dealt::deal(&dataset, args.loads)?;
    let engine = args.store("life-small").await?;
    let mut seconds = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let one = LoadRequest { dedup: Dedup::None, ..request(std::slice::from_ref(file)) };
        seconds.push(load(&engine, &one).await?);
        if number % 100 == 99 {
            eprintln!("{} loads", number + 1);
        }
    }
    seconds.sort_by(f64::total_cmp);
    let before = Shape::of(&engine).await?;
    let small = queries::measure(&engine, &questions, args.runs).await?;
    let all_days = OptimizeRequest { table: TABLE.to_owned(), days: None };
    let has_peak = machine::reset_peak_rss();
    let optimized =
        engine.optimize(&all_days).await.map_err(|e| BenchError::new("cannot merge the small files", e))?;
    let peak = machine::peak_rss_bytes().filter(|_| has_peak);
    let optimize_seconds = optimized.elapsed.as_secs_f64();
    let after = Shape::of(&engine).await?;
    let merged = queries::measure(&engine, &questions, args.runs).await?;
    drop(engine);
    let engine = args.store("life-at-once").await?;
    let at_once_seconds = load(&engine, &LoadRequest { dedup: Dedup::None, ..request(&files) }).await?;
    let at_once_shape = Shape::of(&engine).await?;
    let at_once = queries::measure(&engine, &questions, args.runs).await?;

    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{:<44} {:>12} {:>12} {:>12}", "", "small loads", "optimized", "at once");
    let shapes = [&before, &after, &at_once_shape];
    let _ = writeln!(text, "{:<44} {}", "files", columns(&shapes.map(|s| s.files.to_string())));
    let _ = writeln!(text, "{:<44} {}", "bytes", columns(&shapes.map(|s| s.bytes.to_string())));
    for ((small, merged), at_once) in small.iter().zip(&merged).zip(&at_once) {
        let medians = [small, merged, at_once].map(|q| format!("{:.4}", q.median()));
        let _ = writeln!(text, "{:<44} {}", format!("{} s", small.name), columns(&medians));
    }
    let median = seconds[seconds.len() / 2];
    let _ = writeln!(
        text,
        "\nsmall loads: {} of {} rows, median {median:.4} s",
        files.len(),
        dataset.rows / u64::from(args.loads)
    );
    let rate = optimized.rows as f64 / optimize_seconds;
    let _ = writeln!(text, "optimize: {} rows in {optimize_seconds:.2} s ({rate:.0} rows/s)", optimized.rows);
    let _ = writeln!(text, "load at once: {at_once_seconds:.2} s\n");
    let all = |queries: &[QueryResult]| queries.iter().map(report::query_json).collect::<Vec<_>>();
    let value = json!({
        "events": args.events, "days": args.days, "loads": args.loads,
        "load_median_seconds": median,
        "load_max_seconds": seconds.last(),
        "optimize": {
            "rows": optimized.rows, "seconds": optimize_seconds, "rows_per_second": rate,
            "files_removed": optimized.files_removed, "files_added": optimized.files_added,
            "bytes_removed": optimized.bytes_removed, "bytes_added": optimized.bytes_added,
            "peak_rss_bytes": peak,
        },
        "load_at_once_seconds": at_once_seconds,
        "shapes": shapes.map(|s| json!({"files": s.files, "bytes": s.bytes})),
        "queries": {"small": all(&small), "optimized": all(&merged), "at_once": all(&at_once)},
    });
    Ok((text, value))
}

/// Expiry, restoring and erasure in a table of a year.
async fn year(args: &LifeArgs) -> Result<(String, Value)> {
    let generator = args.generator(args.year_events, YEAR_DAYS);
    let dataset = data::prepare(&generator, &args.dir, Format::Parquet, data::PARTS)?;
    let engine = args.store("life-year").await?;
    let at_once = LoadRequest { dedup: Dedup::None, ..request(&data::data_files(&dataset.dir)?) };
    let load_seconds = load(&engine, &at_once).await?;
    let before = Shape::of(&engine).await?;
    let failed = |e: wayfare_engine::Error| BenchError::new("cannot maintain the table", e);

    let first_day = before.first_day.unwrap_or_default();
    let started = Instant::now();
    let expired = engine.expire(TABLE, first_day + EXPIRED_DAYS).await.map_err(failed)?;
    let expire_seconds = started.elapsed().as_secs_f64();
    let started = Instant::now();
    engine.restore(TABLE, before.version).await.map_err(failed)?;
    let restore_seconds = started.elapsed().as_secs_f64();
    if Shape::of(&engine).await?.rows != before.rows {
        return Err(BenchError::plain("a version was restored with another number of rows"));
    }

    let ids = some_people(&engine, args.people).await?;
    let erasure = EraseRequest { ids: ids.clone(), purge: true, ..EraseRequest::default() };
    let has_peak = machine::reset_peak_rss();
    let started = Instant::now();
    let reports = engine.erase(&erasure).await.map_err(failed)?;
    let erase_seconds = started.elapsed().as_secs_f64();
    let peak = machine::peak_rss_bytes().filter(|_| has_peak);
    let Some(erased) = reports.first() else { return Err(BenchError::plain("there is no table")) };
    let left = some_people(&engine, u64::MAX).await?.intersection(&ids).count();
    if left > 0 {
        return Err(BenchError::plain(format!("{left} people were not erased")));
    }
    let text = format!(
        "a year: {} rows in {} files, {} bytes, loaded in {load_seconds:.1} s\n\
         expire {} days: {expire_seconds:.3} s\n\
         restore: {restore_seconds:.3} s\n\
         erase {} people with purge: {erase_seconds:.2} s, {} rows, {} files of {} bytes rewritten, {} deleted\n",
        before.rows,
        before.files,
        before.bytes,
        expired.days,
        ids.len(),
        erased.rows,
        erased.files,
        erased.bytes_removed,
        erased.files_purged,
    );
    let value = json!({
        "rows": before.rows, "files": before.files, "bytes": before.bytes, "load_seconds": load_seconds,
        "expire": {"days": expired.days, "files": expired.files, "seconds": expire_seconds},
        "restore": {"seconds": restore_seconds},
        "erase": {
            "people": ids.len(), "seconds": erase_seconds, "rows": erased.rows, "files": erased.files,
            "bytes_removed": erased.bytes_removed, "bytes_added": erased.bytes_added,
            "files_purged": erased.files_purged, "peak_rss_bytes": peak,
        },
    });
    Ok((text, value))
}

fn columns(values: &[String; 3]) -> String {
    values.iter().map(|value| format!("{value:>12}")).collect::<Vec<_>>().join(" ")
}

async fn load(engine: &Engine, request: &LoadRequest) -> Result<f64> {
    let started = Instant::now();
    engine.load(request, Arc::new(NoProgress)).await.map_err(|e| BenchError::new("cannot load", e))?;
    Ok(started.elapsed().as_secs_f64())
}

/// The table in numbers.
struct Shape {
    version: u64,
    rows: u64,
    files: u64,
    bytes: u64,
    first_day: Option<i32>,
}

impl Shape {
    async fn of(engine: &Engine) -> Result<Self> {
        let tables = engine.tables().await.map_err(|e| BenchError::new("cannot read the store", e))?;
        let table = tables.into_iter().find(|table| table.name == TABLE);
        let table = table.ok_or_else(|| BenchError::plain("the store has no touchpoints"))?;
        Ok(Self {
            version: table.version,
            rows: table.rows.unwrap_or_default(),
            files: table.files,
            bytes: table.bytes,
            first_day: table.days.map(|days| days.0),
        })
    }
}

/// The ids of `count` people, all over the year.
async fn some_people(engine: &Engine, count: u64) -> Result<BTreeSet<String>> {
    let failed = |e: wayfare_engine::Error| BenchError::new("cannot choose people", e);
    let session = engine.session(&SessionOptions::default()).map_err(failed)?;
    let sql = format!(
        "SELECT CAST(user_id AS VARCHAR) AS id FROM touchpoints GROUP BY user_id ORDER BY md5(user_id) LIMIT {}",
        count.min(i64::MAX.unsigned_abs())
    );
    let mut ids = BTreeSet::new();
    for batch in batches(&session, &sql).await.map_err(failed)? {
        let text = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8);
        let text = text.map_err(|e| BenchError::new("cannot choose people", e))?;
        ids.extend(text.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(ids)
}
