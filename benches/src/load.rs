//! One timed load into a fresh store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wayfare_engine::Engine;
use wayfare_engine::load::read::ReadOptions;
use wayfare_engine::load::{Dedup, LoadProgress, LoadRequest, LoadStage, OnError};

use crate::args::Args;
use crate::data::{Dataset, data_files};
use crate::error::{BenchError, Result};
use crate::{engine_config, machine};

/// The table that is loaded and queried.
pub const TABLE: &str = "touchpoints";
/// How often progress is told.
const ROWS_PER_LINE: u64 = 1_000_000;

/// How a load went.
#[derive(Debug)]
pub struct LoadResult {
    /// Form of the input.
    pub format: &'static str,
    /// Rows of the input.
    pub rows: u64,
    /// Bytes of the input.
    pub input_bytes: u64,
    /// Seconds that generating it took; `None` if it was there.
    pub generate_seconds: Option<f64>,
    /// Seconds of the load.
    pub seconds: f64,
    /// Data files written.
    pub files: u64,
    /// Bytes of data files.
    pub bytes: u64,
    /// Peak resident memory of the process during the load, in bytes; `None` where the system does not tell.
    pub peak_rss_bytes: Option<u64>,
    /// Whether the peak is that of the load alone and not of all that the process did before.
    pub peak_is_of_load: bool,
}

impl LoadResult {
    /// Rows loaded per second.
    pub fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.seconds
    }
}

/// Loads `dataset` into a store that is made anew.
pub async fn measure(args: &Args, dataset: &Dataset) -> Result<LoadResult> {
    let store = args.store_dir();
    if store.exists() {
        remove_store(&store)?;
    }
    let engine = Engine::open_or_create(engine_config(args))
        .await
        .map_err(|e| BenchError::new("cannot create the store", e))?;
    let request = request(&data_files(&dataset.dir)?);
    let peak_is_of_load = machine::reset_peak_rss();
    let report = engine
        .load(&request, Arc::new(Lines::default()))
        .await
        .map_err(|e| BenchError::new(format!("cannot load {}", dataset.dir.display()), e))?;
    if report.rows_loaded != dataset.rows {
        return Err(BenchError::plain(format!(
            "{} of {} rows were loaded: remove {} so that it is generated again",
            report.rows_loaded,
            dataset.rows,
            dataset.dir.display()
        )));
    }
    let result = LoadResult {
        format: dataset.format.name(),
        rows: report.rows_loaded,
        input_bytes: dataset.bytes,
        generate_seconds: dataset.generate_seconds,
        seconds: report.elapsed.as_secs_f64(),
        files: report.files_written,
        bytes: report.bytes_written,
        peak_rss_bytes: machine::peak_rss_bytes(),
        peak_is_of_load,
    };
    eprintln!(
        "loaded {} rows in {:.1} s ({:.0} rows/s)",
        result.rows,
        result.seconds,
        result.rows_per_second()
    );
    Ok(result)
}

/// A load of `files` as the command line makes it.
pub fn request(files: &[PathBuf]) -> LoadRequest {
    LoadRequest {
        table: TABLE.to_owned(),
        inputs: files.iter().map(|path| path.display().to_string()).collect(),
        read: ReadOptions::default(),
        on_error: OnError::Abort,
        dedup: Dedup::EventId,
        force: false,
    }
}

/// Removes the store of an earlier run, and nothing that is not one.
pub fn remove_store(store: &Path) -> Result<()> {
    if !store.join(TABLE).join("_delta_log").is_dir() {
        return Err(BenchError::plain(format!(
            "{} is not a store of an earlier run: choose another directory",
            store.display()
        )));
    }
    std::fs::remove_dir_all(store)
        .map_err(|e| BenchError::new(format!("cannot remove {}", store.display()), e))
}

/// Progress as lines on standard error.
#[derive(Debug, Default)]
struct Lines {
    rows: AtomicU64,
}

impl LoadProgress for Lines {
    fn stage(&self, stage: LoadStage, _: Option<u64>) {
        self.rows.store(0, Ordering::Relaxed);
        eprintln!("load: {stage:?}");
    }

    fn rows(&self, rows: u64) {
        let before = self.rows.fetch_add(rows, Ordering::Relaxed);
        if before / ROWS_PER_LINE != (before + rows) / ROWS_PER_LINE {
            eprintln!("load: {} rows", before + rows);
        }
    }
}
