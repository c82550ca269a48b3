//! Going back to an older version, as a new one.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake_core::protocol::DeltaOperation;
use object_store::ObjectStoreExt;

use crate::config::VersionPin;
use crate::error::{Result, StoreError};
use crate::maintain::touchpoint_snapshot;
use crate::store::replace::{self, Replacement, Terms};
use crate::store::snapshot::{DataFile, TableSnapshot};
use crate::store::{Store, changes, commit, history, integrity, layout};

const MAX_ROUNDS: usize = 20;

/// Makes a table what it was at `version`, and gives the version that this is now; `None` if it is that already.
///
/// What was loaded since stays known as loaded: loading it again needs `force`.
///
/// # Errors
/// If a file of that version was deleted since, or people were erased since, whom it would bring back.
pub async fn restore(store: &Store, table: &str, version: u64) -> Result<Option<u64>> {
    for _ in 0..MAX_ROUNDS {
        let newest = touchpoint_snapshot(store, table).await?;
        let wanted = newest.table().snapshot_at(VersionPin::Version(version)).await?;
        let since = changes::between(newest.table(), version, newest.version()).await?;
        if let Some(erasure) = since.iter().find(|commit| commit.erases) {
            return Err(StoreError::Version {
                table: table.to_owned(),
                wanted: format!("{version} that can be restored"),
                reason: format!(
                    "people were erased at version {}, and it would bring them back",
                    erasure.version
                ),
            }
            .into());
        }
        let (comes, goes) = (missing(&wanted, &newest), missing(&newest, &wanted));
        if comes.is_empty() && goes.is_empty() {
            return Ok(None);
        }
        for file in &comes {
            if let Err(object_store::Error::NotFound { .. }) =
                newest.table().location().store.head(&file.path).await
            {
                let place = integrity::place(newest.table(), file);
                return Err(integrity::damaged(
                    &place,
                    "it was deleted, so that this version cannot come back",
                )
                .into());
            }
        }
        let adds = comes.iter().map(|file| {
            let tags =
                file.row_groups.as_ref().zip(file.checksum).map(|(groups, sum)| layout::tags(sum, groups));
            commit::add_action(file.relative_path.clone(), file.day, file.size, &file.statistics, tags)
        });
        let replacement = Replacement { adds: adds.collect(), removes: goes, ..Replacement::default() };
        let terms = Terms {
            operation: DeltaOperation::Restore { version: Some(version), datetime: None },
            data_change: true,
            needs_all_rows: true,
            together: true,
            new_schema: None,
            info: vec![(history::INFO_OPERATION.to_owned(), "restore".into())],
            transaction_ids: Vec::new(),
        };
        let replaced =
            replace::replace(newest.table(), Arc::clone(&newest), vec![replacement], &terms).await?;
        if replaced.version.is_some() {
            return Ok(replaced.version);
        }
    }
    Err(StoreError::Contention { table: table.to_owned(), attempts: MAX_ROUNDS }.into())
}

/// Files of `of` that `from` does not have.
fn missing(of: &TableSnapshot, from: &TableSnapshot) -> Vec<DataFile> {
    let present: HashSet<&str> = from.files().iter().map(|f| f.relative_path.as_str()).collect();
    of.files().iter().filter(|f| !present.contains(f.relative_path.as_str())).cloned().collect()
}
