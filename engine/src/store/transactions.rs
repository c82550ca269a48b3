//! The application ids in a table's log: which loads it has seen.
//!
//! Delta's own look-up reads the whole log for each id. Here it is read once, and then only the commits that are new.

use std::collections::HashSet;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStoreExt};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::error::StoreError;
use crate::object_file::ObjectFile;
use crate::store::changes::commit_path;
use crate::store::table::Table;

/// Commits that are read at the same time.
const READS_AT_ONCE: usize = 16;

/// All application ids up to a version, by their hashes: 16 bytes each, and eight where one ends with a size.
#[derive(Debug, Clone)]
pub(super) struct KnownTransactions {
    version: u64,
    ids: Ids,
}

/// A set of application ids.
#[derive(Debug, Clone, Default)]
struct Ids {
    hashes: HashSet<u128>,
    /// Numbers behind the last dash of ids: the sizes of loaded content, and what looks like that.
    numbers: HashSet<u64>,
}

impl Ids {
    fn insert(&mut self, id: &str) {
        self.hashes.insert(xxh3_128(id.as_bytes()));
        self.numbers.extend(id.rsplit_once('-').and_then(|(_, number)| number.parse::<u64>().ok()));
    }
}

impl KnownTransactions {
    /// Those of `table` at `version`, starting from an older state of knowledge if there is one.
    ///
    /// `None` if the log is written in a way that is not read here: Delta must be asked then. O(log) time at first,
    /// then O(new commits).
    ///
    /// # Errors
    /// The log cannot be read.
    pub(super) async fn read(
        table: &Table,
        version: u64,
        older: Option<&Self>,
    ) -> Result<Option<Self>, StoreError> {
        let (mut known, next) = match older.filter(|older| older.version <= version) {
            Some(older) => (older.clone(), older.version + 1),
            None => match checkpoint(table, version).await? {
                Checkpoint::None => (Self { version, ids: Ids::default() }, 0),
                Checkpoint::At(checkpoint, ids) => (Self { version, ids }, checkpoint + 1),
                Checkpoint::Unknown => return Ok(None),
            },
        };
        known.version = version;
        let mut commits = futures::stream::iter(next..=version)
            .map(|version| commit_ids(table, version))
            .buffered(READS_AT_ONCE);
        while let Some(ids) = commits.try_next().await? {
            let Some(ids) = ids else { return Ok(None) };
            ids.iter().for_each(|id| known.ids.insert(id));
        }
        Ok(Some(known))
    }

    /// Whether `id` is among them.
    pub(super) fn contains(&self, id: &str) -> bool {
        self.ids.hashes.contains(&xxh3_128(id.as_bytes()))
    }

    /// Whether one of them may end with a dash and `number`.
    pub(super) fn may_end_with(&self, number: u64) -> bool {
        self.ids.numbers.contains(&number)
    }
}

enum Checkpoint {
    /// The log goes back to its first commit.
    None,
    /// A version, and the ids up to it.
    At(u64, Ids),
    /// There is one of another form.
    Unknown,
}

/// The newest checkpoint up to `version`.
async fn checkpoint(table: &Table, version: u64) -> Result<Checkpoint, StoreError> {
    let log = table.location().path.clone().join("_delta_log");
    let listing = table.location().store.list_with_delimiter(Some(&log)).await;
    let listing = listing.map_err(|e| StoreError::io("list", log.to_string(), e))?;
    let mut newest: Option<(u64, bool, ObjectMeta)> = None;
    for meta in listing.objects {
        let Some((found, plain)) = meta.location.filename().and_then(checkpoint_version) else { continue };
        if found <= version && newest.as_ref().is_none_or(|(known, ..)| found > *known) {
            newest = Some((found, plain, meta));
        }
    }
    match newest {
        None => Ok(Checkpoint::None),
        Some((_, false, _)) => Ok(Checkpoint::Unknown),
        Some((found, true, meta)) => Ok(Checkpoint::At(found, checkpoint_ids(table, &meta).await?)),
    }
}

/// The version of a checkpoint by its name, and whether it is one file that holds everything.
fn checkpoint_version(name: &str) -> Option<(u64, bool)> {
    let (version, rest) = name.split_once(".checkpoint.")?;
    Some((version.parse().ok()?, rest == "parquet"))
}

async fn checkpoint_ids(table: &Table, meta: &ObjectMeta) -> Result<Ids, StoreError> {
    let failed =
        |e: Box<dyn std::error::Error + Send + Sync>| StoreError::io("read", meta.location.to_string(), e);
    let store = std::sync::Arc::clone(&table.location().store);
    let file = ObjectFile::new(store, meta.location.clone(), meta.size);
    let builder = ParquetRecordBatchStreamBuilder::new(file).await.map_err(|e| failed(e.into()))?;
    let columns = builder.parquet_schema().columns();
    let Some(leaf) = columns.iter().position(|c| c.path().string() == "txn.appId") else {
        return Ok(Ids::default());
    };
    let mask = ProjectionMask::leaves(builder.parquet_schema(), [leaf]);
    let mut batches = builder.with_projection(mask).build().map_err(|e| failed(e.into()))?;
    let mut ids = Ids::default();
    while let Some(batch) = batches.try_next().await.map_err(|e| failed(e.into()))? {
        let actions = batch.column(0).as_struct();
        let texts = cast(actions.column(0), &DataType::Utf8).map_err(|e| failed(e.into()))?;
        let texts = texts.as_string::<i32>();
        let rows = (0..texts.len()).filter(|row| actions.is_valid(*row) && texts.is_valid(*row));
        rows.for_each(|row| ids.insert(texts.value(row)));
    }
    Ok(ids)
}

/// The ids of one commit; `None` if its file is gone.
async fn commit_ids(table: &Table, version: u64) -> Result<Option<Vec<String>>, StoreError> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        txn: Option<Transaction<'a>>,
    }
    #[derive(Deserialize)]
    struct Transaction<'a> {
        #[serde(rename = "appId", borrow)]
        app_id: std::borrow::Cow<'a, str>,
    }
    let path = commit_path(table, version);
    let failed = |e| StoreError::io("read", path.to_string(), e);
    let bytes = match table.location().store.get(&path).await {
        Ok(found) => found.bytes().await.map_err(failed)?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut ids = Vec::new();
    for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        let line: Line<'_> = serde_json::from_slice(line).map_err(|_| StoreError::Damaged {
            file: path.to_string(),
            reason: "it is not a commit of a Delta log".to_owned(),
        })?;
        ids.extend(line.txn.map(|txn| txn.app_id.into_owned()));
    }
    Ok(Some(ids))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_checkpoints() {
        assert_eq!(checkpoint_version("00000000000000000100.checkpoint.parquet"), Some((100, true)));
        let parts = "00000000000000000100.checkpoint.0000000001.0000000002.parquet";
        assert_eq!(checkpoint_version(parts), Some((100, false)));
        assert_eq!(checkpoint_version("00000000000000000100.json"), None);
        assert_eq!(checkpoint_version("_last_checkpoint"), None);
    }
}
