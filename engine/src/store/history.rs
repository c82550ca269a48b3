//! The commits of a table, read from its log.

use std::cmp::Reverse;

use chrono::{DateTime, SecondsFormat, Utc};
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStoreExt};
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
    let files = commit_files(table).await?;
    summaries(table, files).try_collect().await
}

/// The newest version that was committed at or before `time`, by the times that [`history`] gives.
///
/// Times of the log's files, by which Delta goes, change when a store is copied. Reads the log from its newest
/// commit back to the one found.
///
/// # Errors
/// [`StoreError::Version`] if the log has no commit that early.
pub async fn version_at(table: &Table, time: DateTime<Utc>) -> Result<u64, StoreError> {
    let files = commit_files(table).await?;
    let oldest = files.last().map_or(0, |(version, _)| *version);
    let mut commits = std::pin::pin!(summaries(table, files));
    while let Some(commit) = commits.try_next().await? {
        if commit.time.is_some_and(|committed| committed <= time) {
            return Ok(commit.version);
        }
    }
    let reason = match oldest {
        0 => "the table did not exist then".to_owned(),
        _ => format!("the log goes back to version {oldest} only"),
    };
    Err(StoreError::Version {
        table: table.name().to_owned(),
        wanted: format!("at or before {}", time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        reason: format!("{reason}; `wayfare history` lists the versions"),
    })
}

/// Version, place and time of the log's commit files, newest first.
pub async fn commit_files(table: &Table) -> Result<Vec<(u64, ObjectMeta)>, StoreError> {
    let log = table.location().path.clone().join("_delta_log");
    let mut commits: Vec<(u64, ObjectMeta)> = table
        .location()
        .store
        .list(Some(&log))
        .map_err(|e| StoreError::io("list", log.to_string(), e))
        .try_filter_map(|meta| {
            let version = meta
                .location
                .filename()
                .and_then(|name| name.strip_suffix(".json"))
                .filter(|stem| stem.len() == 20)
                .and_then(|stem| stem.parse().ok());
            std::future::ready(Ok(version.map(|v| (v, meta))))
        })
        .try_collect()
        .await?;
    commits.sort_unstable_by_key(|(version, _)| Reverse(*version));
    Ok(commits)
}

/// What the commits in `files` did, in the same order.
fn summaries(
    table: &Table,
    files: Vec<(u64, ObjectMeta)>,
) -> impl Stream<Item = Result<CommitSummary, StoreError>> {
    let store = &table.location().store;
    futures::stream::iter(files)
        .map(move |(version, meta)| async move {
            let failed = |e| StoreError::io("read", meta.location.to_string(), e);
            let bytes = store.get(&meta.location).await.map_err(failed)?.bytes().await.map_err(failed)?;
            let mut summary = summarize(version, &bytes);
            // Other writers may leave the time out.
            summary.time = summary.time.or(Some(meta.last_modified));
            Ok(summary)
        })
        .buffered(8)
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
            summary.time =
                info.get("timestamp").and_then(Value::as_i64).and_then(DateTime::from_timestamp_millis);
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
