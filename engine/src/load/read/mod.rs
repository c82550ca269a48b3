//! From a list of inputs to batches of touchpoints: the reading half of a load.
//!
//! [`discover`] finds the files, [`content_identity`] tells whether one was loaded before, [`extra_fields`] fixes the
//! columns beyond the canonical ones, and [`open`] gives a [`FileReader`] per file, whose batches have the columns of
//! [`crate::schema::load_schema`]. Files are read one batch at a time in constant memory, Parquet files one row group
//! at a time; a reader blocks and is to be run on a blocking thread.
//!
//! Two kinds of error are kept apart. A wrong row is a [`Rejected`]: it comes with the good rows of its batch, in file
//! order, and the caller decides whether it ends the load. A wrong file (missing, cut off, of another format, without
//! a required column) is a [`LoadError`] always.
//!
//! Values:
//! * Text stays as it is. An empty CSV field is NULL; so is a missing or null JSON value. Empty text in JSON, Avro and
//!   Parquet stays, except in `event_id` (NULL), `user_id` and `event` (missing) and in columns that are not text.
//! * Timestamps: see `timestamp.rs`. Money is exact: more than four decimal places are an error, never rounded; a
//!   Parquet float counts by its shortest text. `score` is finite. `currency` is three letters, stored in capitals.
//! * `properties` is one JSON object, stored compactly with keys, order, numbers and escapes as written. Columns
//!   without a place join it in file order: CSV values as strings, others by their type, NULL not
//!   at all.

mod assemble;
mod avro;
mod coded_text;
mod convert;
mod csv_file;
mod csv_split;
mod extra;
mod identity;
mod json_file;
mod json_keys;
mod json_records;
mod json_scan;
mod json_text;
mod number;
mod options;
mod parquet_batches;
mod parquet_chunks;
mod parquet_file;
mod parquet_footer;
mod parquet_pages;
mod parquet_records;
mod preset;
mod recognise;
mod records;
mod rejected;
mod row_groups;
mod sniff;
mod source;
mod stream;
mod targets;
mod text_column;
mod timestamp;
mod unchanged;

use std::sync::Arc;

use arrow::datatypes::Field;

pub use assemble::ParsedBatch;
pub use extra::extra_fields;
pub use identity::content_identity;
pub use options::{
    ExtraColumns, InputFormat, MAX_BUFFER_BYTES, NumericTime, ReadOptions, parse_assignments, parse_time_zone,
};
pub use preset::Preset;
pub use recognise::recognised_kind;
pub use rejected::{Rejected, RowPlace};
pub use source::{Compression, Origin, SourceFile, StoreFactory, discover};

use self::csv_file::CsvFile;
use self::json_file::JsonFile;
use self::parquet_file::ParquetFile;
use self::recognise::{Opened, open_recognised};
use self::stream::Passed;
use self::targets::Targets;
use self::timestamp::TimestampRule;
use crate::load::error::LoadError;

/// Reads one file, batch by batch. An iterator that ends after the first error.
#[derive(Debug)]
pub struct FileReader {
    size: u64,
    passed: Arc<Passed>,
    reader: FormatReader,
}

#[derive(Debug)]
enum FormatReader {
    Csv(Box<CsvFile>),
    Json(Box<JsonFile>),
    Parquet(Box<ParquetFile>),
}

/// Opens `file`: reads its header or footer and matches its columns.
///
/// `extra`: columns that the batches have after the canonical ones, as [`extra_fields`] gives them (or with the types
/// that the table already has; values are converted). Blocks. For files in object stores it must be called, and the
/// reader used, on a blocking thread of a tokio runtime (`spawn_blocking`).
///
/// # Errors
/// [`LoadError::Argument`] for options that contradict each other; [`LoadError::Input`] for a file that is empty, of
/// another format, or without a column that is needed; [`LoadError::Damaged`] and [`LoadError::Read`] for its bytes.
pub fn open(file: &SourceFile, options: &Arc<ReadOptions>, extra: &[Field]) -> Result<FileReader, LoadError> {
    open_with(file, options, Targets::new(options, extra)?)
}

/// As [`open`], but canonical text other than ids may come in dictionaries (keys of 16 or 32 bits, values without NULL);
/// `properties` does from Parquet alone.
///
/// # Errors
/// Those of [`open`].
pub(in crate::load) fn open_coded(
    file: &SourceFile,
    options: &Arc<ReadOptions>,
    extra: &[Field],
) -> Result<FileReader, LoadError> {
    let mut targets = Targets::new(options, extra)?;
    targets.code_text();
    open_with(file, options, targets)
}

fn open_with(
    file: &SourceFile,
    options: &Arc<ReadOptions>,
    targets: Targets,
) -> Result<FileReader, LoadError> {
    // A preset hands on times in microseconds, UTC.
    let unit = options.preset.map_or(options.ts_unit, |_| Some(NumericTime::Micros));
    let rule = TimestampRule { unit, zone: options.time_zone };
    let (reader, passed) = match open_recognised(file, options)? {
        Opened::Csv(stream) => {
            let passed = Arc::clone(&stream.passed);
            (FormatReader::Csv(Box::new(CsvFile::open(stream, options, targets, rule)?)), passed)
        }
        Opened::Records(records, passed) => {
            (FormatReader::Json(Box::new(JsonFile::open(records, options, targets, rule)?)), passed)
        }
        Opened::Parquet => {
            let reader = ParquetFile::open(file, options, targets, rule)?;
            let passed = reader.passed();
            (FormatReader::Parquet(Box::new(reader)), passed)
        }
    };
    Ok(FileReader { size: file.size, passed, reader })
}

/// Checks options that need no file: limits, and the names in `--map` and `--set`.
///
/// # Errors
/// [`LoadError::Argument`]. With [`ExtraColumns::Columns`] new names are allowed.
pub fn check_options(options: &ReadOptions) -> Result<(), LoadError> {
    let extra = extra_fields(&[], options)?;
    Targets::new(options, &extra).map(|_| ())
}

impl FileReader {
    /// Bytes of the file read so far, as stored; for Parquet in proportion to the rows.
    pub fn bytes_read(&self) -> u64 {
        match &self.reader {
            FormatReader::Parquet(reader) => {
                let (rows, total) = reader.progress();
                let share = u128::from(self.size) * u128::from(rows) / u128::from(total.max(1));
                u64::try_from(share).unwrap_or(self.size)
            }
            _ => self.passed.bytes(),
        }
    }

    /// What [`content_identity`] would give, once it is known, which is when the file has been read to its end at the
    /// latest.
    pub fn content(&self) -> Option<&str> {
        self.passed.content()
    }

    /// The source columns of `--map` that no row has had so far.
    ///
    /// Always empty for CSV and Parquet, where [`open`] insists on them. JSON objects may lack a key, even in a
    /// whole file; one that is in no file of the load is a misspelling.
    pub fn unseen_sources(&self) -> Vec<String> {
        match &self.reader {
            FormatReader::Json(reader) => reader.unseen_sources(),
            _ => Vec::new(),
        }
    }
}

impl Iterator for FileReader {
    type Item = Result<ParsedBatch, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.reader {
            FormatReader::Csv(reader) => reader.next_batch(),
            FormatReader::Json(reader) => reader.next_batch(),
            FormatReader::Parquet(reader) => reader.next_batch(),
        }
    }
}

#[cfg(test)]
mod tests;
