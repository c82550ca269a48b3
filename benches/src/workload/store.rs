//! The store that is measured: loaded once, kept, used again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::child;
use crate::error::{BenchError, Result};
use crate::load::{TABLE, remove_store};
use crate::machine;
use crate::measurement::Measurement;
use crate::worker::StoreArgs;

/// How long a load may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(4 * 3600);

/// Finds the store, or loads it: one commit for each of `loads`, which are lists of files. Tells how that went.
///
/// What is known about the loads is kept in a file beside the store.
pub fn prepare(store: &StoreArgs, loads: &[&[PathBuf]], reload: bool) -> Result<Value> {
    let record = record_path(&store.store);
    let mut input_bytes = 0;
    for files in loads {
        input_bytes += size(files)?;
    }
    if !reload && store.store.join(TABLE).join("_delta_log").is_dir() {
        match read_record(&record)? {
            Some(load) if load["input_bytes"] == input_bytes => {
                eprintln!("using {}: {}", store.store.display(), told(&load));
                return Ok(load);
            }
            // Not removed unasked: it may be somebody's own.
            known => {
                let reason =
                    if known.is_some() { "was loaded from other files" } else { "has no record of a load" };
                return Err(BenchError::plain(format!(
                    "{} {reason}: give --reload to remove it and load it anew",
                    store.store.display()
                )));
            }
        }
    }
    if record.exists() {
        fs::remove_file(&record)
            .map_err(|e| BenchError::new(format!("cannot remove {}", record.display()), e))?;
    }
    if store.store.exists() {
        remove_store(&store.store)?;
    }
    eprintln!("loading into {}", store.store.display());
    let mut measurements = Vec::with_capacity(loads.len());
    for files in loads {
        let mut command = child::worker()?;
        command.arg("load").args(store.to_arguments()).args(*files);
        let measurement = child::measure(&mut command, LOAD_TIMEOUT);
        measurements.push(measurement.map_err(|e| BenchError::new("cannot load the store", e))?);
    }
    let sum = |value: fn(&Measurement) -> Option<u64>| measurements.iter().filter_map(value).sum::<u64>();
    let seconds = |value: fn(&Measurement) -> &Vec<f64>| measurements.iter().flat_map(value).sum::<f64>();
    let load = json!({
        "loads": loads.len(),
        "seconds": seconds(|m| &m.wall),
        "cpu_seconds": seconds(|m| &m.cpu),
        "peak_rss_mib": measurements.iter().map(|m| m.rss_mib).fold(0.0, f64::max),
        "rows": sum(|m| m.rows),
        "input_bytes": input_bytes,
        "bytes": sum(|m| m.bytes),
        "files": sum(|m| m.files),
        "versions": machine::versions(),
    });
    fs::write(&record, format!("{load}\n"))
        .map_err(|e| BenchError::new(format!("cannot write {}", record.display()), e))?;
    eprintln!("loaded {}", told(&load));
    Ok(load)
}

fn record_path(store: &Path) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push(".load.json");
    store.with_file_name(name)
}

/// What is known about the loads; `None` if they did not come to their end.
fn read_record(path: &Path) -> Result<Option<Value>> {
    if !path.exists() {
        return Ok(None);
    }
    let failed = |e: &dyn std::fmt::Display| BenchError::new(format!("cannot read {}", path.display()), e);
    let text = fs::read_to_string(path).map_err(|e| failed(&e))?;
    serde_json::from_str(&text).map(Some).map_err(|e| failed(&e))
}

fn told(load: &Value) -> String {
    let number = |name: &str| load[name].as_f64().unwrap_or(f64::NAN);
    format!(
        "{} rows in {:.1} s, {:.1} MiB in {} files (input {:.1} MiB), peak RSS {:.0} MiB, by {}{}",
        number("rows"),
        number("seconds"),
        number("bytes") / 1_048_576.0,
        number("files"),
        number("input_bytes") / 1_048_576.0,
        number("peak_rss_mib"),
        load["versions"]["commit"].as_str().unwrap_or("an unknown commit"),
        if load["versions"]["debug_build"] == true { " (debug build)" } else { "" },
    )
}

fn size(files: &[PathBuf]) -> Result<u64> {
    let mut bytes = 0;
    for file in files {
        let metadata =
            fs::metadata(file).map_err(|e| BenchError::new(format!("cannot read {}", file.display()), e))?;
        bytes += metadata.len();
    }
    Ok(bytes)
}

/// The workload's files of one size, in the order of their days.
pub fn raw_files(data: &Path, size: &str) -> Result<Vec<PathBuf>> {
    let directory = data.join(size).join("raw");
    let failed = |e| BenchError::new(format!("cannot read the raw files in {}", directory.display()), e);
    let mut files = Vec::new();
    for entry in fs::read_dir(&directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_day = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("day="));
        if is_day {
            files.push(path.join("part-0.parquet"));
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(BenchError::plain(format!("{} has no day=*/part-0.parquet", directory.display())));
    }
    Ok(files)
}
