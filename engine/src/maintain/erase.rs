//! Taking people out of a table for good.
//!
//! Files that hold such rows are rewritten without them, each once; one commit exchanges them all. That commit also
//! brings the suppression list into force ([`crate::store::suppression`]): killed at any moment, an erasure has
//! happened or has not. Rows that come from elsewhere while files are rewritten are not missed: any commit that
//! adds rows makes the erasure look again, and a load that was planned before it is planned anew.

mod aliases;
mod own_links;
mod people;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deltalake_core::protocol::DeltaOperation;
use serde_json::Value;

use crate::config::EngineConfig;
use crate::error::{Error, Result, StoreError};
use crate::identity::links;
use crate::maintain::optimize::merge::Without;
use crate::maintain::{purge, rewrite, touchpoint_snapshot};
use crate::store::replace::Terms;
use crate::store::suppression::{self, ErasureRecord};
use crate::store::{Store, commit, history};
pub use people::People;

/// How often an erasure starts again because rows came meanwhile.
const MAX_RESTARTS: usize = 20;
/// Commit information: how many ids were erased, and rows.
const INFO_IDS: &str = "wayfareErasedIds";
const INFO_ROWS: &str = "wayfareErasedRows";

/// Whom to erase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EraseRequest {
    /// The touchpoint table; all of the store if `None`.
    pub table: Option<String>,
    /// Their ids.
    pub ids: BTreeSet<String>,
    /// Whether rows under other ids of the same people go too: the `anonymous_id` of their rows, and so on.
    pub include_aliases: bool,
    /// Whether the files of older versions go too, so that no byte of theirs is left.
    pub purge: bool,
}

/// What an erasure did to one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EraseReport {
    /// The table.
    pub table: String,
    /// Its version without them.
    pub version: u64,
    /// Ids named.
    pub ids: u64,
    /// Ids found to be theirs.
    pub aliases: u64,
    /// Rows taken away.
    pub rows: u64,
    /// Files rewritten.
    pub files: u64,
    /// Bytes of the files that were read for it.
    pub bytes_removed: u64,
    /// Bytes of the files in their place.
    pub bytes_added: u64,
    /// Files of older versions deleted.
    pub files_purged: u64,
    /// Time taken.
    pub elapsed: Duration,
}

/// Erases people from each table that `request` names.
///
/// # Errors
/// The table at which it stopped is as it was; those before it are done.
pub async fn erase(store: &Store, config: &EngineConfig, request: &EraseRequest) -> Result<Vec<EraseReport>> {
    if request.ids.is_empty() || request.ids.iter().any(String::is_empty) {
        return Err(Error::InvalidArgument(
            "there is no id to erase: name at least one, and none empty".into(),
        ));
    }
    let names = match &request.table {
        Some(name) => vec![name.clone()],
        None => touchpoint_tables(store).await?,
    };
    let mut reports = Vec::new();
    let mut erased = People::new(&request.ids, &BTreeSet::new());
    for name in names {
        let (report, people) = erase_from(store, config, request, &name).await?;
        reports.push(report);
        erased.extend(&people);
    }
    if request.table.is_none() {
        // Last: they tell of the aliases if it was interrupted and is done again.
        own_links::erase(store, &erased, request.purge).await?;
    }
    Ok(reports)
}

async fn touchpoint_tables(store: &Store) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for name in store.table_names().await? {
        let kind = store.newest(&name).await?.map(|snapshot| snapshot.kind());
        if kind == Some(crate::store::table::TableKind::Touchpoints) {
            names.push(name);
        }
    }
    Ok(names)
}

async fn erase_from(
    store: &Store,
    config: &EngineConfig,
    request: &EraseRequest,
    name: &str,
) -> Result<(EraseReport, People)> {
    let started = Instant::now();
    for _ in 0..MAX_RESTARTS {
        let snapshot = touchpoint_snapshot(store, name).await?;
        let resolver = links::resolver(store, config.identity).await?;
        let aliases = match request.include_aliases {
            true => aliases::find(&snapshot, &resolver, &request.ids).await?,
            false => BTreeSet::new(),
        };
        let people = People::new(&request.ids, &aliases);
        let edit = Arc::new(Without(people.clone()));
        let rewritten = rewrite::rewrite(config, &snapshot, edit, None).await?;
        let rows = rewritten.rows_removed();
        let hasher = suppression::key_or_create(store).await?;
        let id = commit::new_id();
        let record = ErasureRecord {
            ids: request.ids.len() as u64,
            aliases: aliases.len() as u64,
            rows,
            hashes: suppression::hashes_of(&hasher, people.ids()),
            ..ErasureRecord::now()
        };
        suppression::write_record(snapshot.table(), &id, &record).await?;
        let terms = Terms {
            operation: DeltaOperation::Delete { predicate: None },
            data_change: true,
            needs_all_rows: true,
            together: true,
            new_schema: None,
            info: vec![
                (history::INFO_OPERATION.to_owned(), "erase".into()),
                (INFO_IDS.to_owned(), Value::from(record.ids + record.aliases)),
                (INFO_ROWS.to_owned(), Value::from(rows)),
            ],
            transaction_ids: vec![suppression::transaction_id(&id)],
        };
        let mut report = EraseReport {
            table: name.to_owned(),
            ids: record.ids,
            aliases: record.aliases,
            rows,
            files: rewritten.files(),
            bytes_removed: rewritten.bytes_removed(),
            bytes_added: rewritten.bytes_added(),
            ..EraseReport::default()
        };
        match rewritten.commit(&snapshot, &terms).await? {
            None => suppression::discard_record(snapshot.table(), &id).await,
            Some(version) => {
                report.version = version;
                if request.purge {
                    let newest = touchpoint_snapshot(store, name).await?;
                    report.files_purged = purge::purge(&newest, &people).await?;
                }
                report.elapsed = started.elapsed();
                return Ok((report, people));
            }
        }
    }
    Err(StoreError::Contention { table: name.to_owned(), attempts: MAX_RESTARTS }.into())
}
