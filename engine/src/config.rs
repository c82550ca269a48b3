//! How an engine runs: limits and sizes, units in every name.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::access::Role;
use crate::identity::IdentityLimits;

/// Limits and sizes of one engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Where the store is: a directory, or a `file://`, `s3://`, `gs://`, `az://` or `memory://` URL.
    pub store_url: String,
    /// Memory that queries and loads together may reserve before they spill or fail.
    pub memory_limit_bytes: usize,
    /// Memory that one query may reserve, and one session keep in temporary tables; as much as all together if `None`.
    pub query_memory_limit_bytes: Option<usize>,
    /// Disk that queries together may use for spilled data.
    pub temp_limit_bytes: u64,
    /// Rows that a result may have; a statement with more fails when it comes to that. No limit if `None`.
    pub max_result_rows: Option<u64>,
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
    /// How long a fault of a remote store may last before it ends what is being done.
    pub remote_deadline: Duration,
    /// When ids that are linked are not one person.
    pub identity: IdentityLimits,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            store_url: "./wayfare-data".to_owned(),
            memory_limit_bytes: 4 << 30,
            query_memory_limit_bytes: None,
            temp_limit_bytes: 100 << 30,
            max_result_rows: None,
            temp_dir: None,
            target_partitions: std::thread::available_parallelism().map_or(2, usize::from),
            target_file_bytes: 128 << 20,
            row_group_rows: 64 * 1024,
            verify_files: false,
            remote_deadline: crate::storage::DEFAULT_DEADLINE,
            identity: IdentityLimits::default(),
        }
    }
}

impl EngineConfig {
    /// What one query may hold in memory.
    pub fn query_memory_bytes(&self) -> usize {
        self.query_memory_limit_bytes.unwrap_or(self.memory_limit_bytes).min(self.memory_limit_bytes)
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
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// What the session may do; everything unless told otherwise, since who has the process has the store.
    pub role: Role,
    /// Reads this past state instead of the newest one.
    pub pin: Option<VersionPin>,
    /// Zone in which timestamps are shown; UTC if `None`.
    pub time_zone: Option<String>,
    /// Rows per batch; the default of DataFusion if `None`.
    pub batch_size: Option<usize>,
    /// Whether `INSERT`, `DELETE` and `CREATE TABLE` change the store, as far as the role may. If not, the first two are
    /// refused and the third makes a table of the session.
    pub allow_writes: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { role: Role::Admin, pin: None, time_zone: None, batch_size: None, allow_writes: false }
    }
}
