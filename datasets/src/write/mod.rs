//! Generated data sets as files: Parquet, CSV and NDJSON with the same values.

mod csv;
mod ndjson;
mod parquet;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{DatasetError, Result};
use crate::generator::config::GeneratorConfig;
use crate::generator::{EventIter, generate_part};

/// Text is handed to the output in pieces of about this size.
const FLUSH_BYTES: usize = 256 * 1024;
/// Level of gzip and zstd: the fastest, since the generator should not wait for it.
const FAST_LEVEL: u32 = 1;

/// Kind of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// Snappy unless another codec is asked for.
    Parquet,
    /// With a header line; an empty field is NULL.
    Csv,
    /// One JSON object per line without the NULL columns.
    Ndjson,
}

/// Codec: around the whole file for text, inside the file for Parquet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
}

/// What [`write_dataset`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetReport {
    /// Rows in all files, duplicates included, header lines not.
    pub rows: u64,
    /// In the order of the parts.
    pub files: Vec<PathBuf>,
    pub bytes: u64,
}

/// Writes a data set as files `touchpoints-00000-of-0000N.<ext>` into `out_dir`, which is created if needed.
///
/// The rows of the files, one after the other, are the same for every `parts`. Up to as many parts as the machine has
/// cores are written at the same time. All files are written under temporary names, synced and renamed at the end.
///
/// # Errors
/// [`DatasetError::InvalidArgument`] for a bad configuration or no parts, [`DatasetError::AlreadyExists`] if a file of
/// such a name exists; in both cases nothing is written. On a later error the temporary files are removed.
pub fn write_dataset(
    config: &GeneratorConfig,
    out_dir: &Path,
    format: OutputFormat,
    compression: Option<Compression>,
    parts: u32,
) -> Result<DatasetReport> {
    config.validate()?;
    if parts == 0 {
        return Err(DatasetError::argument("parts", "at least one part is needed"));
    }
    let files: Vec<PathBuf> =
        (0..parts).map(|part| out_dir.join(file_name(format, compression, part, parts))).collect();
    for path in &files {
        refuse_existing(path)?;
    }
    fs::create_dir_all(out_dir).map_err(|source| write_error(out_dir, source))?;

    let job = PartJob { config, format, compression, files: &files };
    let mut written = job.write_all()?;
    let mut rows = 0;
    let mut bytes = 0;
    for (path, part) in files.iter().zip(&mut written) {
        refuse_existing(path)?;
        part.file.rename_to(path)?;
        rows += part.rows;
        bytes += part.bytes;
    }
    Ok(DatasetReport { rows, files, bytes })
}

/// Writes one part of a data set to any output and returns its number of rows; the output is not flushed.
///
/// # Errors
/// Those of [`generate_part`] and of the output.
pub fn write_part(
    config: &GeneratorConfig,
    (part, parts): (u32, u32),
    format: OutputFormat,
    compression: Option<Compression>,
    output: &mut (dyn Write + Send),
) -> Result<u64> {
    let events = generate_part(config, part, parts)?;
    let write_text: fn(EventIter, &mut dyn Write) -> Result<u64> = match format {
        OutputFormat::Parquet => return parquet::write_parquet(events, compression, output),
        OutputFormat::Csv => csv::write_csv,
        OutputFormat::Ndjson => ndjson::write_ndjson,
    };
    match compression {
        None => write_text(events, output),
        Some(Compression::Gzip) => {
            let mut encoder = flate2::write::GzEncoder::new(output, flate2::Compression::new(FAST_LEVEL));
            let rows = write_text(events, &mut encoder)?;
            encoder.finish()?;
            Ok(rows)
        }
        Some(Compression::Zstd) => {
            let mut encoder = zstd::stream::write::Encoder::new(output, FAST_LEVEL as i32)?;
            let rows = write_text(events, &mut encoder)?;
            encoder.finish()?;
            Ok(rows)
        }
    }
}

fn file_name(format: OutputFormat, compression: Option<Compression>, part: u32, parts: u32) -> String {
    let extension = match (format, compression) {
        (OutputFormat::Parquet, _) => "parquet",
        (OutputFormat::Csv, None) => "csv",
        (OutputFormat::Csv, Some(Compression::Gzip)) => "csv.gz",
        (OutputFormat::Csv, Some(Compression::Zstd)) => "csv.zst",
        (OutputFormat::Ndjson, None) => "ndjson",
        (OutputFormat::Ndjson, Some(Compression::Gzip)) => "ndjson.gz",
        (OutputFormat::Ndjson, Some(Compression::Zstd)) => "ndjson.zst",
    };
    format!("touchpoints-{part:05}-of-{parts:05}.{extension}")
}

fn refuse_existing(path: &Path) -> Result<()> {
    // A link that points nowhere counts as existing too.
    if path.symlink_metadata().is_ok() {
        return Err(DatasetError::AlreadyExists { path: path.to_owned() });
    }
    Ok(())
}

fn write_error(path: &Path, source: io::Error) -> DatasetError {
    DatasetError::Write { path: path.to_owned(), source }
}

/// The parts of one data set, to be written by several threads.
struct PartJob<'a> {
    config: &'a GeneratorConfig,
    format: OutputFormat,
    compression: Option<Compression>,
    files: &'a [PathBuf],
}

struct WrittenPart {
    part: u32,
    file: TemporaryFile,
    rows: u64,
    bytes: u64,
}

impl PartJob<'_> {
    /// Returns the parts in order, still under their temporary names.
    fn write_all(&self) -> Result<Vec<WrittenPart>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.min(self.files.len());
        let next_part = AtomicU32::new(0);
        let results: Vec<Result<Vec<WrittenPart>>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (1..threads).map(|_| scope.spawn(|| self.work(&next_part))).collect();
            let mut results = vec![self.work(&next_part)];
            for worker in workers {
                // A panic of a worker goes on in the caller.
                results.push(worker.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload)));
            }
            results
        });
        let mut written = Vec::new();
        for result in results {
            written.extend(result?);
        }
        written.sort_by_key(|part| part.part);
        Ok(written)
    }

    fn work(&self, next_part: &AtomicU32) -> Result<Vec<WrittenPart>> {
        let mut written = Vec::new();
        loop {
            let part = next_part.fetch_add(1, Ordering::Relaxed);
            let Some(path) = self.files.get(part as usize) else {
                return Ok(written);
            };
            written.push(self.write_one(part, path)?);
        }
    }

    fn write_one(&self, part: u32, path: &Path) -> Result<WrittenPart> {
        let file = TemporaryFile::for_path(path);
        let mut output = File::create(&file.path).map_err(|source| write_error(&file.path, source))?;
        let parts = self.files.len() as u32;
        let rows = write_part(self.config, (part, parts), self.format, self.compression, &mut output)?;
        output.sync_all().map_err(|source| write_error(&file.path, source))?;
        let bytes = output.metadata().map_err(|source| write_error(&file.path, source))?.len();
        Ok(WrittenPart { part, file, rows, bytes })
    }
}

/// A file beside its later name; removed on drop unless it was renamed.
struct TemporaryFile {
    path: PathBuf,
    is_renamed: bool,
}

impl TemporaryFile {
    fn for_path(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary_name = format!(".{name}.{}.tmp", std::process::id());
        Self { path: path.with_file_name(temporary_name), is_renamed: false }
    }

    fn rename_to(&mut self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path).map_err(|source| write_error(path, source))?;
        self.is_renamed = true;
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.is_renamed {
            // Best effort: the error that led here is the one to report.
            let _ = fs::remove_file(&self.path);
        }
    }
}
