//! Generated input, kept between runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use wayfare_datasets::{DatasetReport, GeneratorConfig, write_dataset};

use crate::args::Format;
use crate::error::{BenchError, Result};

/// Files per data set: enough for readers to work side by side.
pub const PARTS: u32 = 8;
/// Is there once all files are: without it a directory is what an interrupted run left behind.
const COMPLETE: &str = "complete";

/// Files to load.
#[derive(Debug)]
pub struct Dataset {
    /// Their form.
    pub format: Format,
    /// The directory that holds them.
    pub dir: PathBuf,
    /// Rows in all of them.
    pub rows: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Seconds that generating took; `None` if they were there.
    pub generate_seconds: Option<f64>,
}

/// Finds the files of this data set below `root`, or generates them in `parts` parts.
pub fn prepare(config: &GeneratorConfig, root: &Path, format: Format, parts: u32) -> Result<Dataset> {
    let dir = root.join(format!("data-{}-p{parts}", name(config, format)));
    if dir.join(COMPLETE).exists() {
        eprintln!("using {}", dir.display());
        let bytes = data_bytes(&dir)?;
        return Ok(Dataset { format, dir, rows: config.total_rows(), bytes, generate_seconds: None });
    }
    if dir.exists() {
        fs::remove_dir_all(&dir)
            .map_err(|e| BenchError::new(format!("cannot remove the incomplete {}", dir.display()), e))?;
    }
    eprintln!("generating {} rows of {} people as {}", config.events, config.users, format.name());
    let started = Instant::now();
    let DatasetReport { rows, bytes, .. } =
        write_dataset(config, &dir, format.output(), format.compression(), parts)
            .map_err(|e| BenchError::new("cannot generate data", e))?;
    let seconds = started.elapsed().as_secs_f64();
    fs::write(dir.join(COMPLETE), "")
        .map_err(|e| BenchError::new(format!("cannot write to {}", dir.display()), e))?;
    eprintln!("generated {rows} rows, {bytes} bytes in {seconds:.1} s");
    Ok(Dataset { format, dir, rows, bytes, generate_seconds: Some(seconds) })
}

/// Tells all that the rows of a data set depend on.
pub fn name(config: &GeneratorConfig, format: Format) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let GeneratorConfig { events, users, days, arrival_days, seed, .. } = config;
    let arrivals = if *arrival_days == 0 { String::new() } else { format!("+{arrival_days}") };
    format!("{version}-e{events}-u{users}-d{days}{arrivals}-s{seed}-{}", format.name())
}

/// The data files of `dir`, sorted.
pub fn data_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| BenchError::new(format!("cannot read {}", dir.display()), e);
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn data_bytes(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for file in data_files(dir)? {
        bytes += fs::metadata(&file)
            .map_err(|e| BenchError::new(format!("cannot read {}", file.display()), e))?
            .len();
    }
    Ok(bytes)
}
