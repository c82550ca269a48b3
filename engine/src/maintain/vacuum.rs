//! Deleting files that no version within the retention needs.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use object_store::ObjectStoreExt;
use serde_json::Value;

use crate::clock::Clock;
use crate::error::{Result, StoreError};
use crate::maintain::{purge, staged, touchpoint_snapshot};
use crate::store::snapshot::TableSnapshot;
use crate::store::{Store, history};

/// A file that the log does not tell of may belong to a load that is still running: it stays at least so long.
const MIN_UNKNOWN_AGE: Duration = Duration::from_secs(24 * 3600);

/// What is to be cleaned up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VacuumRequest {
    /// The touchpoint table.
    pub table: String,
    /// Files that were taken away more recently stay, for queries that run and for older versions.
    pub retention: Duration,
    /// Only says what would be deleted.
    pub dry_run: bool,
}

/// What was deleted, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VacuumReport {
    /// Paths of data files.
    pub files: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
    /// Files that a killed process left half written.
    pub unfinished: u64,
}

/// Deletes the data files of a table that are in no version since `retention` ago. Versions before that can no
/// longer be read.
pub async fn vacuum(store: &Store, request: &VacuumRequest, clock: &dyn Clock) -> Result<VacuumReport> {
    let snapshot = touchpoint_snapshot(store, &request.table).await?;
    let removed = removal_times(&snapshot).await?;
    let now = clock.now();
    let keep_from = before(now, request.retention);
    let unknown_from = before(now, request.retention.max(MIN_UNKNOWN_AGE));
    let mut report = VacuumReport::default();
    for meta in purge::unlisted(&snapshot).await? {
        let is_due = match removed.get(meta.location.as_ref()) {
            Some(time) => *time <= keep_from,
            None => meta.last_modified <= unknown_from,
        };
        if is_due {
            if !request.dry_run {
                purge::delete(&snapshot, &meta).await?;
            }
            report.bytes += meta.size;
            report.files.push(meta.location.to_string());
        }
    }
    if !request.dry_run {
        report.unfinished = staged::remove(snapshot.table(), MIN_UNKNOWN_AGE)?;
    }
    Ok(report)
}

fn before(now: DateTime<Utc>, age: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(age)
        .ok()
        .and_then(|age| now.checked_sub_signed(age))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// When the files that the log's commits took away were taken away, by path in the object store.
async fn removal_times(snapshot: &TableSnapshot) -> Result<HashMap<String, DateTime<Utc>>> {
    let table = snapshot.table();
    let mut times = HashMap::new();
    for (_, meta) in history::commit_files(table).await? {
        let failed = |e| StoreError::io("read", meta.location.to_string(), e);
        let read = table.location().store.get(&meta.location).await.map_err(failed)?;
        let bytes = read.bytes().await.map_err(failed)?;
        for line in bytes.split(|b| *b == b'\n') {
            let Ok(action) = serde_json::from_slice::<Value>(line) else { continue };
            let Some(remove) = action.get("remove") else { continue };
            let Some(path) = remove.get("path").and_then(Value::as_str) else { continue };
            let time = remove.get("deletionTimestamp").and_then(Value::as_i64);
            let time = time.and_then(DateTime::from_timestamp_millis).unwrap_or(meta.last_modified);
            let full = format!("{}/{path}", table.location().path);
            times
                .entry(full)
                .and_modify(|known: &mut DateTime<Utc>| *known = time.max(*known))
                .or_insert(time);
        }
    }
    Ok(times)
}
