//! Links of erased people, in the table of identities. Hashes of them stay: which times of a device were theirs.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::error::DataFusionError;
use deltalake_core::protocol::DeltaOperation;
use futures::TryStreamExt;

use super::{MAX_RESTARTS, People};
use crate::error::{Result, StoreError};
use crate::identity::{IDENTITIES, links};
use crate::load::rows::required;
use crate::maintain::optimize::merge::Selection;
use crate::maintain::{purge, read};
use crate::schema;
use crate::store::replace::{self, Replacement, Terms};
use crate::store::snapshot::{DataFile, TableSnapshot};
use crate::store::suppression::{self, ErasedLink, ErasureRecord, IdHasher};
use crate::store::writer::ReferenceWriter;
use crate::store::{Store, commit, history};

const BATCH_ROWS: usize = 8192;

/// Takes the links of `people` out; `purge` also from the files of older versions.
///
/// Commits even if there is none: a load of links that was planned before looks again then.
///
/// # Errors
/// The table is as it was.
pub async fn erase(store: &Store, people: &People, purge: bool) -> Result<()> {
    for _ in 0..MAX_RESTARTS {
        let Some(snapshot) = links::snapshot(store).await? else { return Ok(()) };
        let hasher = suppression::key_or_create(store).await?;
        let (mut replacements, mut links) = (Vec::new(), Vec::new());
        for file in snapshot.files() {
            let erased = Erased { people, hasher: &hasher, links: &mut links };
            replacements.extend(without(&snapshot, file, erased).await?);
        }
        // In an order that tells nothing.
        links.sort_unstable();
        let id = commit::new_id();
        let record = ErasureRecord { links, ..ErasureRecord::now() };
        suppression::write_record(snapshot.table(), &id, &record).await?;
        let terms = Terms {
            operation: DeltaOperation::Delete { predicate: None },
            data_change: true,
            needs_all_rows: true,
            together: true,
            new_schema: None,
            info: vec![(history::INFO_OPERATION.to_owned(), "erase".into())],
            transaction_ids: vec![suppression::transaction_id(&id)],
        };
        let replaced =
            replace::replace(snapshot.table(), Arc::clone(&snapshot), replacements, &terms).await?;
        for stale in &replaced.stale {
            commit::discard(snapshot.table(), &stale.adds).await;
        }
        if replaced.version.is_none() {
            suppression::discard_record(snapshot.table(), &id).await;
        } else {
            if purge && let Some(newest) = links::snapshot(store).await? {
                purge::purge(&newest, people).await?;
            }
            return Ok(());
        }
    }
    Err(StoreError::Contention { table: IDENTITIES.to_owned(), attempts: MAX_RESTARTS }.into())
}

/// Whose links go, and where it is kept that there were some.
struct Erased<'a> {
    people: &'a People,
    hasher: &'a IdHasher,
    links: &'a mut Vec<ErasedLink>,
}

impl Erased<'_> {
    fn note(&mut self, batch: &RecordBatch, chosen: &BooleanArray) -> Result<()> {
        let devices = required(batch, schema::ANONYMOUS_ID)?.as_string::<i32>();
        let users = required(batch, schema::USER_ID)?.as_string::<i32>();
        let times = required(batch, links::VALID_FROM)?.as_primitive::<TimestampMicrosecondType>();
        for row in (0..batch.num_rows()).filter(|row| chosen.is_valid(*row) && chosen.value(*row)) {
            if devices.is_valid(row) && users.is_valid(row) {
                let valid_from = times.is_valid(row).then(|| times.value(row));
                let link = ErasedLink::new(self.hasher, devices.value(row), users.value(row), valid_from);
                self.links.push(link);
            }
        }
        Ok(())
    }
}

/// A file's replacement without the links of people; `None` if it has none.
async fn without(
    snapshot: &TableSnapshot,
    file: &DataFile,
    mut erased: Erased<'_>,
) -> Result<Option<Replacement>> {
    let (mut kept, mut rows_before) = (Vec::new(), 0);
    let mut batches = read::peek(snapshot.table(), file, snapshot.schema(), None, BATCH_ROWS).await?;
    while let Some(batch) = batches.try_next().await? {
        rows_before += batch.num_rows() as u64;
        let chosen = erased.people.choose(0, &batch)?;
        erased.note(&batch, &chosen)?;
        let keep = not(&chosen).map_err(DataFusionError::from)?;
        kept.push(filter_record_batch(&batch, &keep).map_err(DataFusionError::from)?);
    }
    let rows: u64 = kept.iter().map(|batch| batch.num_rows() as u64).sum();
    if rows == rows_before {
        return Ok(None);
    }
    let mut adds = Vec::new();
    if rows > 0 {
        let mut writer = ReferenceWriter::new(snapshot.table().clone(), Arc::clone(snapshot.schema()))?;
        for batch in &kept {
            writer.write(batch).await?;
        }
        adds.push(writer.finish().await?);
    }
    Ok(Some(Replacement { removes: vec![file.clone()], adds, rows_before, rows }))
}
