//! What a load is asked to do and what it reports.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::load::read::ReadOptions;

/// One bulk load.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    /// The table to load into; it is created if it does not exist.
    pub table: String,
    /// Files, directories, glob patterns or URLs.
    pub inputs: Vec<String>,
    /// How input files are read and mapped onto columns.
    pub read: ReadOptions,
    /// What a bad row does.
    pub on_error: OnError,
    /// Which rows count as already loaded.
    pub dedup: Dedup,
    /// Loads files whose content was loaded before.
    pub force: bool,
}

/// What a bad row does to its load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OnError {
    /// The first bad row ends the load; nothing is loaded.
    #[default]
    Abort,
    /// Bad rows are left out, counted, and written to a file if one is named.
    Skip {
        /// Where they go, as CSV.
        rejects: Option<PathBuf>,
    },
}

/// Which rows count as already loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dedup {
    /// Rows whose `event_id` stands in the same day already, in the table or earlier in the input.
    #[default]
    EventId,
    /// None: every row is loaded.
    None,
}

/// How a load ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Version of the table with the rows; `None` if there was nothing new to commit.
    pub version: Option<u64>,
    /// Input files found.
    pub files: u64,
    /// Input files that were left out because the same content had been loaded before.
    pub files_already_loaded: Vec<String>,
    /// Rows read, bad ones included.
    pub rows_read: u64,
    /// Rows loaded.
    pub rows_loaded: u64,
    /// Rows left out as duplicates.
    pub rows_duplicate: u64,
    /// Bad rows left out.
    pub rows_rejected: u64,
    /// Rows left out because they name somebody who was erased.
    pub rows_erased: u64,
    /// Rows left out because the tool that wrote them does not count them.
    pub rows_left_out: u64,
    /// Rows loaded or left out as duplicates that came with another id than that of their person.
    pub rows_resolved: u64,
    /// UTC days with new rows, as days since the epoch.
    pub days: BTreeSet<i32>,
    /// Bytes of input.
    pub bytes_read: u64,
    /// Bytes of data files written.
    pub bytes_written: u64,
    /// Data files written.
    pub files_written: u64,
    /// Time taken.
    pub elapsed: Duration,
}

/// Is told how a load gets on. Calls are frequent and must be quick.
pub trait LoadProgress: Send + Sync {
    /// The load enters a new stage; `total_rows` is how many rows it will work through, if known.
    fn stage(&self, stage: LoadStage, total_rows: Option<u64>);
    /// `rows` more rows are through the current stage.
    fn rows(&self, rows: u64);
    /// The current stage has this much input to work through.
    fn total_input(&self, files: u64, bytes: u64) {
        let _ = (files, bytes);
    }
    /// So many files more are done with in the current stage, and so many bytes of input.
    fn input(&self, files: u64, bytes: u64) {
        let _ = (files, bytes);
    }
}

/// The stages of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadStage {
    /// Identifying the input files.
    Identify,
    /// Reading, checking and sorting rows.
    Read,
    /// Writing data files.
    Write,
    /// Committing.
    Commit,
}

/// Ignores progress.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl LoadProgress for NoProgress {
    fn stage(&self, _: LoadStage, _: Option<u64>) {}
    fn rows(&self, _: u64) {}
}
