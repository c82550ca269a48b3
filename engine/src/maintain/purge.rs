//! Files that nobody can see any more: finding them, and deleting those that hold erased people.

use std::collections::HashSet;

use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStoreExt};

use crate::error::{Error, Result, StoreError};
use crate::maintain::erase::People;
use crate::maintain::optimize::merge::Selection;
use crate::maintain::{read, staged};
use crate::schema;
use crate::store::snapshot::{DataFile, TableSnapshot};
use crate::store::stats::FileStatistics;
use crate::store::writer;

const PROBE_ROWS: usize = 8192;

/// The Parquet files below the table that its newest version does not list.
pub async fn unlisted(snapshot: &TableSnapshot) -> Result<Vec<ObjectMeta>> {
    let location = snapshot.table().location();
    let live: HashSet<&str> = snapshot.files().iter().map(|file| file.path.as_ref()).collect();
    let found = location.store.list(Some(&location.path)).try_collect::<Vec<_>>().await;
    let found = found.map_err(|e| StoreError::io("list", location.display(), e))?;
    let prefix = format!("{}/", location.path);
    let is_data = |meta: &ObjectMeta| {
        let path = meta.location.as_ref();
        let hidden = path.strip_prefix(&prefix).is_none_or(|rest| rest.starts_with('_'));
        path.ends_with(".parquet") && !hidden && !live.contains(path)
    };
    Ok(found.into_iter().filter(is_data).collect())
}

/// Deletes the files of older versions, and of work that was never committed, in which rows of `people` stand.
///
/// `snapshot` must be one without them. None of the deleted files can come back: what was planned before the
/// erasure is planned again, and no version before it is restored.
pub async fn purge(snapshot: &TableSnapshot, people: &People) -> Result<u64> {
    let mut purged = 0;
    for meta in unlisted(snapshot).await? {
        if holds(snapshot, &meta, people).await? {
            delete(snapshot, &meta).await?;
            purged += 1;
        }
    }
    purged += staged::remove(snapshot.table(), staged::PURGE_AGE)?;
    Ok(purged)
}

/// Deletes one file; that it is gone already is no error.
pub async fn delete(snapshot: &TableSnapshot, meta: &ObjectMeta) -> Result<()> {
    match snapshot.table().location().store.delete(&meta.location).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(e) => Err(StoreError::io("delete", meta.location.to_string(), e).into()),
    }
}

/// Whether rows of `people` stand in a file; one that cannot be read is taken to hold them.
async fn holds(snapshot: &TableSnapshot, meta: &ObjectMeta, people: &People) -> Result<bool> {
    let file = DataFile {
        path: meta.location.clone(),
        relative_path: meta.location.to_string(),
        size: meta.size,
        modified: meta.last_modified,
        day: None,
        statistics: FileStatistics::default(),
        row_groups: None,
        checksum: None,
    };
    let file_schema = writer::file_schema(&[schema::raw_user_id_field()]);
    let search = async {
        let mut rows =
            read::peek(snapshot.table(), &file, &file_schema, people.reading(), PROBE_ROWS).await?;
        while let Some(batch) = rows.try_next().await? {
            if people.choose(0, &batch)?.true_count() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    };
    match search.await {
        Err(Error::Store(StoreError::Damaged { .. } | StoreError::NotAdoptable { .. })) => Ok(true),
        outcome => outcome,
    }
}
