//! Dropping whole days.

use std::sync::Arc;

use deltalake_core::protocol::DeltaOperation;

use crate::error::{Result, StoreError};
use crate::maintain::optimize::DayRange;
use crate::maintain::optimize::plan::days_of;
use crate::maintain::touchpoint_snapshot;
use crate::store::replace::{self, Replacement, Terms};
use crate::store::{Store, history};

const MAX_ROUNDS: usize = 20;

/// What was dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpireReport {
    /// The version without it; `None` if there was nothing.
    pub version: Option<u64>,
    /// Days.
    pub days: u64,
    /// Files, which stay on disk until they are vacuumed.
    pub files: u64,
    /// Rows, as far as the log tells.
    pub rows: u64,
}

/// Takes all days before `first_kept` (days since the epoch) out of a table, in one commit that reads no data.
pub async fn expire(store: &Store, table: &str, first_kept: i32) -> Result<ExpireReport> {
    let range = DayRange { first: i32::MIN, last: first_kept.saturating_sub(1) };
    let terms = Terms {
        operation: DeltaOperation::Delete { predicate: None },
        data_change: true,
        needs_all_rows: true,
        together: true,
        new_schema: None,
        info: vec![(history::INFO_OPERATION.to_owned(), "expire".into())],
        transaction_ids: Vec::new(),
    };
    for _ in 0..MAX_ROUNDS {
        let snapshot = touchpoint_snapshot(store, table).await?;
        let days = days_of(&snapshot, Some(range));
        let mut report = ExpireReport { days: days.len() as u64, ..ExpireReport::default() };
        let mut gone = Vec::new();
        for files in days.into_values() {
            let rows = files.iter().filter_map(|f| f.statistics.num_records).sum();
            report.files += files.len() as u64;
            report.rows += rows;
            gone.push(Replacement { removes: files, rows_before: rows, ..Replacement::default() });
        }
        if gone.is_empty() {
            return Ok(report);
        }
        let replaced = replace::replace(snapshot.table(), Arc::clone(&snapshot), gone, &terms).await?;
        if let Some(version) = replaced.version {
            report.version = Some(version);
            return Ok(report);
        }
    }
    Err(StoreError::Contention { table: table.to_owned(), attempts: MAX_ROUNDS }.into())
}
