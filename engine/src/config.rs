//! How an engine runs: limits and sizes, units in every name.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::identity::IdentityLimits;

/// Limits and sizes of one engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Where the store is: a directory, or a `file://`, `s3://`, `gs://`, `az://` or `memory://` URL.
    pub store_url: String,
    /// Memory that queries and loads together may reserve before they spill or fail.
    pub memory_limit_bytes: usize,
    /// Where spilled data goes; the system's temporary directory if `None`.
    pub temp_dir: Option<PathBuf>,
    /// How many partitions a query or load works on at once.
    pub target_partitions: usize,
    /// Size that a data file of a large day should have; smaller days are one file.
    pub target_file_bytes: u64,
    /// Rows that a row group of a data file should have: row groups are cut where a range of people ends, and have
    /// twice as many at most.
    pub row_group_rows: usize,
    /// Whether the bytes of a data file are compared with its checksum before this process reads it first.
    pub verify_files: bool,
    /// When ids that are linked are not one person.
    pub identity: IdentityLimits,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            store_url: "./wayfare-data".to_owned(),
            memory_limit_bytes: 4 << 30,
            temp_dir: None,
            target_partitions: std::thread::available_parallelism().map_or(2, usize::from),
            target_file_bytes: 128 << 20,
            row_group_rows: 64 * 1024,
            verify_files: false,
            identity: IdentityLimits::default(),
        }
    }
}

/// A past state of the touchpoint tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionPin {
    /// Exactly this version of the table's log.
    Version(u64),
    /// The newest version committed at or before this instant.
    AsOf(DateTime<Utc>),
}

/// What one session may differ in from another.
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    /// Reads this past state instead of the newest one.
    pub pin: Option<VersionPin>,
    /// Zone in which timestamps are shown; UTC if `None`.
    pub time_zone: Option<String>,
    /// Rows per batch; the default of DataFusion if `None`.
    pub batch_size: Option<usize>,
}
