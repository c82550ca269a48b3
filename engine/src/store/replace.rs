//! Commits that take files away, and put others in their place or none.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use deltalake_core::kernel::{Action, Add, Remove};
use deltalake_core::protocol::DeltaOperation;
use serde_json::Value;

use crate::error::StoreError;
use crate::schema;
use crate::store::changes;
use crate::store::commit::{self, MAX_ATTEMPTS, Prepared};
use crate::store::layout;
use crate::store::snapshot::{DataFile, TableSnapshot};
use crate::store::table::Table;

/// Files that go and what comes in their place: all of it happens, or none.
#[derive(Debug, Clone, Default)]
pub struct Replacement {
    /// Files that go. While one of them is not in the table any more, this is not committed.
    pub removes: Vec<DataFile>,
    /// Files that come.
    pub adds: Vec<Add>,
    /// Rows in the files that go.
    pub rows_before: u64,
    /// Rows in the files that come.
    pub rows: u64,
}

/// What is said about a commit of replacements, and what it depends on.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Delta's name of the operation.
    pub operation: DeltaOperation,
    /// Whether the rows of the table become others. A compaction says no.
    pub data_change: bool,
    /// Whether rows that came since the plan was made make it wrong.
    pub needs_all_rows: bool,
    /// Whether all of it is committed or nothing.
    pub together: bool,
    /// All columns that the table must have afterwards, if new ones come with the files.
    pub new_schema: Option<SchemaRef>,
    /// What stands in the commit's information.
    pub info: Vec<(String, Value)>,
    /// Identities that are kept in the log for ever.
    pub transaction_ids: Vec<String>,
}

/// How a commit of replacements ended.
#[derive(Debug)]
pub struct Replaced {
    /// The version with those that were committed; `None` if there was nothing left to commit.
    pub version: Option<u64>,
    /// Those that were committed.
    pub done: Vec<Replacement>,
    /// Those whose files were taken away by others meanwhile: plan them again. Their new files still lie there.
    pub stale: Vec<Replacement>,
}

/// Commits as many of `replacements` as are still possible, all at once. They were planned on `planned_on`.
///
/// # Errors
/// Nothing is committed, or it is not known whether it is: new files must not be deleted then.
pub async fn replace(
    table: &Table,
    planned_on: Arc<TableSnapshot>,
    replacements: Vec<Replacement>,
    terms: &Terms,
) -> Result<Replaced, StoreError> {
    let mut snapshot = Arc::clone(&planned_on);
    let (mut live, mut stale) = (replacements, Vec::new());
    let id = commit::new_id();
    for _ in 0..MAX_ATTEMPTS {
        if live.is_empty() && terms.transaction_ids.is_empty() {
            return Ok(Replaced { version: None, done: live, stale });
        }
        let mut actions = actions(&live, terms.data_change);
        if let Some(columns) = &terms.new_schema {
            actions.push(commit::columns_action(table, &snapshot, columns)?);
        }
        let prepared = Prepared {
            id: id.clone(),
            actions,
            transaction_ids: terms.transaction_ids.clone(),
            info: terms.info.clone(),
            operation: terms.operation.clone(),
        };
        let error = match commit::attempt(table, &snapshot, &prepared).await {
            Ok(version) => return Ok(Replaced { version: Some(version), done: live, stale }),
            Err(error) => error,
        };
        // Either a newer version is there, or the answer was lost on the way: the log knows.
        let Some(newer) = snapshot.newer(table).await? else {
            return Err(error);
        };
        let between = changes::between(table, planned_on.version(), newer.version()).await?;
        if let Some(version) = commit::find(&between, &id) {
            return Ok(Replaced { version: Some(version), done: live, stale });
        }
        snapshot = newer;
        let came = terms.needs_all_rows && between.iter().any(|commit| commit.touches(None));
        let other_columns = terms.new_schema.is_some() && snapshot.schema() != planned_on.schema();
        if came || other_columns {
            stale.append(&mut live);
            return Ok(Replaced { version: None, done: live, stale });
        }
        let present: HashSet<&str> = snapshot.files().iter().map(|f| f.relative_path.as_str()).collect();
        let is_live =
            |r: &Replacement| r.removes.iter().all(|file| present.contains(file.relative_path.as_str()));
        let (kept, gone): (Vec<_>, Vec<_>) = live.into_iter().partition(is_live);
        live = kept;
        if terms.together && !gone.is_empty() {
            stale.append(&mut live);
        }
        stale.extend(gone);
        if terms.together && !stale.is_empty() {
            return Ok(Replaced { version: None, done: live, stale });
        }
    }
    Err(StoreError::Contention { table: table.name().to_owned(), attempts: MAX_ATTEMPTS })
}

fn actions(replacements: &[Replacement], data_change: bool) -> Vec<Action> {
    let removes =
        replacements.iter().flat_map(|r| &r.removes).map(|f| Action::Remove(remove(f, data_change)));
    let adds =
        replacements.iter().flat_map(|r| &r.adds).map(|add| Action::Add(Add { data_change, ..add.clone() }));
    removes.chain(adds).collect()
}

fn remove(file: &DataFile, data_change: bool) -> Remove {
    Remove {
        path: file.relative_path.clone(),
        data_change,
        deletion_timestamp: Some(chrono::Utc::now().timestamp_millis()),
        extended_file_metadata: Some(true),
        partition_values: Some(
            file.day.map(|day| (schema::DAY.to_owned(), Some(layout::day_text(day)))).into_iter().collect(),
        ),
        size: i64::try_from(file.size).ok(),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
    }
}
