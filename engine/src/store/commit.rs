//! Committing to a table: own loops around Delta's commit.
//!
//! Every attempt is built on the newest snapshot and asks that very snapshot for the application ids first:
//! Delta refuses a repeated id only between concurrent commits. Retries are ours (`with_max_retries(0)`), so
//! that nothing is ever committed on top of a version that was not looked at: Delta itself would let two
//! commits that remove the same file both through when one of them says that it changes no data.
//!
//! Every commit carries an identity of its own in its information, by which it is found in the log if the answer
//! to the attempt was lost.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{Action, Add, MetadataExt, Transaction};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use object_store::{ObjectStoreExt, path::Path};
use serde_json::Value;

use crate::error::StoreError;
use crate::schema;
use crate::store::changes::{self, CommitChanges};
use crate::store::layout;
use crate::store::snapshot::TableSnapshot;
use crate::store::table::{self, Table, TableKind};

/// How often one commit tries again after those of other writers.
pub(super) const MAX_ATTEMPTS: usize = 50;
/// How long files that nobody needs are tried to be deleted.
pub(crate) const DISCARD_TIME: std::time::Duration = std::time::Duration::from_secs(10);
/// Commit information: the identity of a commit.
pub(super) const INFO_COMMIT: &str = "wayfareCommit";

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

/// The actions of one commit and what is said about it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub id: String,
    pub actions: Vec<Action>,
    pub transaction_ids: Vec<String>,
    pub info: Vec<(String, Value)>,
    pub operation: DeltaOperation,
}

/// Commits `append`, which was planned on `planned_on`.
///
/// Commits of others in between are accepted as long as they neither add rows to `days` nor take rows from them
/// (`None`: any day), erase nobody and bring none of the same identities; otherwise nothing is written and the
/// answer is [`Outcome::Stale`]. A compaction of the same days changes no rows and does not disturb.
pub async fn append(
    table: &Table,
    planned_on: Arc<TableSnapshot>,
    append: &Append,
    days: Option<&HashSet<i32>>,
) -> Result<Outcome, StoreError> {
    let mut snapshot = Arc::clone(&planned_on);
    let prepared = prepare(table, &planned_on, append)?;
    for _ in 0..MAX_ATTEMPTS {
        match attempt(table, &snapshot, &prepared).await {
            Ok(version) => return Ok(Outcome::Committed(version)),
            Err(error) => {
                // Either a newer version is there, or the answer was lost on the way: the log knows.
                let Some(newer) = snapshot.newer(table).await? else {
                    return Err(error);
                };
                let between = changes::between(table, planned_on.version(), newer.version()).await?;
                if let Some(own) = find(&between, &prepared.id) {
                    return Ok(Outcome::Committed(own));
                }
                snapshot = newer;
                if is_stale(&planned_on, &snapshot, append, days, &between).await? {
                    return Ok(Outcome::Stale);
                }
            }
        }
    }
    Err(StoreError::Contention { table: table.name().to_owned(), attempts: MAX_ATTEMPTS })
}

fn prepare(table: &Table, snapshot: &TableSnapshot, append: &Append) -> Result<Prepared, StoreError> {
    let mut actions: Vec<Action> = Vec::with_capacity(append.adds.len() + 1);
    if let Some(new_schema) = &append.new_schema {
        actions.push(columns_action(table, snapshot, new_schema)?);
    }
    actions.extend(append.adds.iter().cloned().map(Action::Add));
    let partition_by = (snapshot.kind() == TableKind::Touchpoints).then(|| vec![schema::DAY.to_owned()]);
    Ok(Prepared {
        id: new_id(),
        actions,
        transaction_ids: append.transaction_ids.clone(),
        info: append.info.clone(),
        operation: DeltaOperation::Write { mode: SaveMode::Append, partition_by, predicate: None },
    })
}

/// The action that gives the table these columns.
pub(super) fn columns_action(
    table: &Table,
    snapshot: &TableSnapshot,
    columns: &arrow::datatypes::Schema,
) -> Result<Action, StoreError> {
    let metadata = snapshot
        .state()
        .metadata()
        .clone()
        .with_schema(&table::delta_schema(table.name(), columns)?)
        .map_err(|e| StoreError::io("change the columns of", table.name(), e))?;
    Ok(Action::Metadata(metadata))
}

/// A new identity of a commit.
pub fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The version of the commit `id` among `commits`.
pub(super) fn find(commits: &[CommitChanges], id: &str) -> Option<u64> {
    commits.iter().find(|commit| commit.id.as_deref() == Some(id)).map(|commit| commit.version)
}

/// Tries once, on top of exactly this version.
pub(super) async fn attempt(
    table: &Table,
    snapshot: &TableSnapshot,
    prepared: &Prepared,
) -> Result<u64, StoreError> {
    let id = (INFO_COMMIT.to_owned(), Value::from(prepared.id.as_str()));
    let mut properties = CommitProperties::default()
        .with_max_retries(0)
        .with_metadata(prepared.info.iter().cloned().chain([id]));
    for id in &prepared.transaction_ids {
        properties = properties.with_application_transaction(Transaction::new(id, 1));
    }
    let committed = CommitBuilder::from(properties)
        .with_actions(prepared.actions.clone())
        .build(Some(snapshot.reference()), Arc::clone(table.log_store()), prepared.operation.clone())
        .await
        .map_err(|e| table.io("commit to", e))?;
    Ok(committed.version())
}

/// Whether the commits `between` the two snapshots make the plan of `append` wrong.
async fn is_stale(
    planned_on: &TableSnapshot,
    newer: &TableSnapshot,
    append: &Append,
    days: Option<&HashSet<i32>>,
    between: &[CommitChanges],
) -> Result<bool, StoreError> {
    if newer.schema() != planned_on.schema() {
        return Ok(true);
    }
    if between.iter().any(|commit| commit.erases || commit.touches(days)) {
        return Ok(true);
    }
    for id in &append.transaction_ids {
        if newer.has_transaction(id).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes files that were written and will not be committed. Best effort: what stays is invisible, and a store that
/// does not answer is not waited for.
pub async fn discard(table: &Table, adds: &[Add]) {
    if tokio::time::timeout(DISCARD_TIME, delete_all(table, adds)).await.is_err() {
        tracing::warn!(table = table.name(), "could not delete uncommitted files in time");
    }
}

async fn delete_all(table: &Table, adds: &[Add]) {
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
