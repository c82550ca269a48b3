//! Event ids that the table already has in the days a load touches.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use futures::TryStreamExt;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};

use crate::error::{Error, StoreError};
use crate::load::duplicates::DuplicateIndex;
use crate::load::row_identity::EventKey;
use crate::object_file::ObjectFile;
use crate::schema;
use crate::store::snapshot::{DataFile, TableSnapshot};

/// Adds the event ids of `days` in `snapshot` to `index`; only that column of those days is read.
pub async fn add_existing(
    snapshot: &TableSnapshot,
    days: &BTreeSet<i32>,
    index: &mut DuplicateIndex,
) -> Result<(), Error> {
    for file in snapshot.files() {
        let Some(day) = file.day.filter(|day| days.contains(day)) else { continue };
        read_ids(snapshot, file, day, index).await?;
    }
    Ok(())
}

async fn read_ids(
    snapshot: &TableSnapshot,
    file: &DataFile,
    day: i32,
    index: &mut DuplicateIndex,
) -> Result<(), Error> {
    let failed =
        |e: Box<dyn std::error::Error + Send + Sync>| StoreError::io("read", file.relative_path.clone(), e);
    let store = Arc::clone(&snapshot.table().location().store);
    let reader = ObjectFile::new(store, file.path.clone(), file.size);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(|e| failed(e.into()))?;
    let Ok(column) = builder.schema().index_of(schema::EVENT_ID) else {
        // A file of another writer without ids has nothing to compare with.
        return Ok(());
    };
    let mask = ProjectionMask::roots(builder.parquet_schema(), [column]);
    let mut batches = builder.with_projection(mask).build().map_err(|e| failed(e.into()))?;
    while let Some(batch) = batches.try_next().await.map_err(|e| failed(e.into()))? {
        let ids = arrow::compute::cast(batch.column(0), &DataType::Utf8).map_err(|e| failed(e.into()))?;
        let ids = ids.as_string::<i32>();
        for row in (0..ids.len()).filter(|row| ids.is_valid(*row)) {
            index
                .add_existing(day, EventKey::of(ids.value(row)))
                .map_err(|e| StoreError::io("write to", "the temporary directory", e))?;
        }
    }
    Ok(())
}
