//! The commits of a table, read from its log.

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStoreExt, path::Path};
use serde_json::Value;

use crate::error::StoreError;
use crate::store::stats::FileStatistics;
use crate::store::table::Table;

/// Commit information: names of the sources of a load, as a JSON array of text.
pub const INFO_SOURCES: &str = "wayfareSources";
/// Commit information: the operation in Wayfare's words.
pub const INFO_OPERATION: &str = "wayfareOperation";

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitSummary {
    /// Version of the table after it.
    pub version: u64,
    /// When it was made.
    pub time: Option<DateTime<Utc>>,
    /// What was done: `load`, `create table`, or another engine's word for it.
    pub operation: String,
    /// What was loaded, if this was a load.
    pub sources: Vec<String>,
    /// Rows in the files added.
    pub rows_added: u64,
    /// Files added.
    pub files_added: u64,
    /// Files removed.
    pub files_removed: u64,
}

/// The commits of `table` that are still in its log, newest first.
pub async fn history(table: &Table) -> Result<Vec<CommitSummary>, StoreError> {
    let store = &table.location().store;
    let log = table.location().path.clone().join("_delta_log");
    let mut commits: Vec<(u64, Path)> = store
        .list(Some(&log))
        .map_err(|e| StoreError::io("list", log.to_string(), e))
        .try_filter_map(|meta| {
            let version = meta
                .location
                .filename()
                .and_then(|name| name.strip_suffix(".json"))
                .filter(|stem| stem.len() == 20)
                .and_then(|stem| stem.parse().ok());
            std::future::ready(Ok(version.map(|v| (v, meta.location.clone()))))
        })
        .try_collect()
        .await?;
    commits.sort_unstable_by(|a, b| b.cmp(a));
    futures::stream::iter(commits)
        .map(|(version, path)| async move {
            let bytes = store
                .get(&path)
                .await
                .map_err(|e| StoreError::io("read", path.to_string(), e))?
                .bytes()
                .await
                .map_err(|e| StoreError::io("read", path.to_string(), e))?;
            Ok(summarize(version, &bytes))
        })
        .buffered(8)
        .try_collect()
        .await
}

fn summarize(version: u64, commit: &[u8]) -> CommitSummary {
    let mut summary = CommitSummary {
        version,
        time: None,
        operation: String::new(),
        sources: Vec::new(),
        rows_added: 0,
        files_added: 0,
        files_removed: 0,
    };
    for line in commit.split(|b| *b == b'\n') {
        let Ok(action) = serde_json::from_slice::<Value>(line) else { continue };
        if let Some(info) = action.get("commitInfo") {
            summary.time = info
                .get("timestamp")
                .and_then(Value::as_i64)
                .and_then(DateTime::from_timestamp_millis);
            summary.operation = [INFO_OPERATION, "operation"]
                .iter()
                .find_map(|key| info.get(*key).and_then(Value::as_str))
                .unwrap_or_default()
                .to_lowercase();
            summary.sources = info
                .get(INFO_SOURCES)
                .and_then(Value::as_array)
                .map(|names| names.iter().filter_map(|n| n.as_str().map(str::to_owned)).collect())
                .unwrap_or_default();
        } else if let Some(add) = action.get("add") {
            summary.files_added += 1;
            let statistics = FileStatistics::parse(add.get("stats").and_then(Value::as_str));
            summary.rows_added += statistics.num_records.unwrap_or(0);
        } else if action.get("remove").is_some() {
            summary.files_removed += 1;
        }
    }
    summary
}
