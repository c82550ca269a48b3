//! Appending to a table: own loop around Delta's commit.
//!
//! Every attempt is built on the newest snapshot and asks that very snapshot for the application ids first:
//! Delta refuses a repeated id only between concurrent commits. Retries are ours (`with_max_retries(0)`), so
//! that nothing is ever committed on top of a version that was not looked at.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{Action, Add, MetadataExt, Transaction};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use object_store::{ObjectStoreExt, path::Path};
use serde_json::Value;

use crate::error::StoreError;
use crate::schema;
use crate::store::layout;
use crate::store::snapshot::TableSnapshot;
use crate::store::table::{self, Table, TableKind};

/// How often one append tries again after other writers' commits.
const MAX_ATTEMPTS: usize = 50;

/// An append that is ready to commit.
#[derive(Debug, Clone)]
pub struct Append {
    /// The new files.
    pub adds: Vec<Add>,
    /// Identities of what is being loaded; each is kept in the log for ever.
    pub transaction_ids: Vec<String>,
    /// What stands in the commit's information, for `wayfare history`.
    pub info: Vec<(String, Value)>,
    /// All columns that the table must have afterwards, if new ones come with this append.
    pub new_schema: Option<arrow::datatypes::SchemaRef>,
}

/// How an append ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the table as this version.
    Committed(u64),
    /// Another writer committed something that the append was not planned for: plan it again.
    Stale,
}

/// Commits `append`, which was planned on `planned_on`.
///
/// Commits of others in between are accepted as long as they touch none of `days` (`None`: any day) and bring
/// none of the same identities; otherwise nothing is written and the answer is [`Outcome::Stale`].
pub async fn append(
    table: &Table,
    planned_on: Arc<TableSnapshot>,
    append: &Append,
    days: Option<&HashSet<i32>>,
) -> Result<Outcome, StoreError> {
    let mut snapshot = Arc::clone(&planned_on);
    for _ in 0..MAX_ATTEMPTS {
        if !Arc::ptr_eq(&snapshot, &planned_on) && is_stale(&planned_on, &snapshot, append, days).await? {
            return Ok(Outcome::Stale);
        }
        match try_commit(table, &snapshot, append).await {
            Ok(version) => return Ok(Outcome::Committed(version)),
            Err(error) => {
                // Either a newer version is there, or the answer was lost on the way: the log knows.
                let Some(newer) = snapshot.newer(table).await? else {
                    return Err(error);
                };
                if is_committed(&newer, append) {
                    return Ok(Outcome::Committed(newer.version()));
                }
                snapshot = newer;
            }
        }
    }
    Err(StoreError::Contention { table: table.name().to_owned(), attempts: MAX_ATTEMPTS })
}

async fn try_commit(table: &Table, snapshot: &TableSnapshot, append: &Append) -> Result<u64, StoreError> {
    let mut actions: Vec<Action> = Vec::with_capacity(append.adds.len() + 1);
    if let Some(new_schema) = &append.new_schema {
        let metadata = snapshot
            .state()
            .metadata()
            .clone()
            .with_schema(&table::delta_schema(table.name(), new_schema)?)
            .map_err(|e| StoreError::io("change the columns of", table.name(), e))?;
        actions.push(Action::Metadata(metadata));
    }
    actions.extend(append.adds.iter().cloned().map(Action::Add));
    let mut properties =
        CommitProperties::default().with_max_retries(0).with_metadata(append.info.iter().cloned());
    for id in &append.transaction_ids {
        properties = properties.with_application_transaction(Transaction::new(id, 1));
    }
    let partition_by = (snapshot.kind() == TableKind::Touchpoints).then(|| vec![schema::DAY.to_owned()]);
    let operation = DeltaOperation::Write { mode: SaveMode::Append, partition_by, predicate: None };
    let committed = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(Some(snapshot.reference()), Arc::clone(table.log_store()), operation)
        .await
        .map_err(|e| table.io("commit to", e))?;
    Ok(committed.version())
}

/// Whether commits after `planned_on` make the plan of `append` wrong.
async fn is_stale(
    planned_on: &TableSnapshot,
    newer: &TableSnapshot,
    append: &Append,
    days: Option<&HashSet<i32>>,
) -> Result<bool, StoreError> {
    if newer.schema() != planned_on.schema() {
        return Ok(true);
    }
    let known: HashSet<&str> = planned_on.files().iter().map(|f| f.relative_path.as_str()).collect();
    let touches =
        newer.files().iter().filter(|f| !known.contains(f.relative_path.as_str())).any(|f| {
            match (f.day, days) {
                (Some(day), Some(days)) => days.contains(&day),
                _ => days.is_none(),
            }
        });
    if touches {
        return Ok(true);
    }
    for id in &append.transaction_ids {
        if newer.has_transaction(id).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_committed(snapshot: &TableSnapshot, append: &Append) -> bool {
    let Some(first) = append.adds.first() else { return false };
    snapshot.files().iter().any(|f| f.relative_path == first.path)
}

/// Deletes files that were written and will not be committed. Best effort: what stays is invisible.
pub async fn discard(table: &Table, adds: &[Add]) {
    for add in adds {
        let path: Path = table.location().path.parts().chain(Path::from(add.path.as_str()).parts()).collect();
        if let Err(error) = table.location().store.delete(&path).await {
            tracing::warn!(file = %add.path, %error, "could not delete an uncommitted file");
        }
    }
}

/// The `Add` action of a new file.
pub fn add_action(
    path: String,
    day: Option<i32>,
    size: u64,
    statistics: &super::stats::FileStatistics,
    tags: Option<std::collections::HashMap<String, Option<String>>>,
) -> Add {
    Add {
        path,
        partition_values: day
            .map(|day| (schema::DAY.to_owned(), Some(layout::day_text(day))))
            .into_iter()
            .collect(),
        size: i64::try_from(size).unwrap_or(i64::MAX),
        modification_time: chrono::Utc::now().timestamp_millis(),
        data_change: true,
        stats: serde_json::to_string(statistics).ok(),
        tags,
        ..Add::default()
    }
}
