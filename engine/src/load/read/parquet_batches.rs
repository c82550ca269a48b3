//! The decoder of a Parquet file, local or in an object store, and what is checked of pages before they are decoded.

use std::fs::File;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::async_reader::{
    AsyncFileReader, ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use tokio::runtime::Handle;

use super::parquet_footer::{Footer, footer_error, undecodable};
use super::parquet_pages::{PageError, Part, check_chunk, rows_that_fit};
use super::source::{Origin, SourceFile};
use crate::load::error::LoadError;
use crate::object_file::ObjectFile;

/// Rows of a batch from an object store, where pages are seen only as they come, and the repeated text for which
/// that leaves room.
const OBJECT_BATCH_ROWS: usize = 2_048;
const OBJECT_BATCH_BYTES: u64 = 1 << 30;
/// Batches of a file, from where it is.
pub(super) enum Batches {
    Local(Box<ParquetRecordBatchReader>),
    Object(Handle, Pin<Box<ParquetRecordBatchStream<CheckedObject>>>),
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(_) => f.write_str("Local"),
            Self::Object(_, _) => f.write_str("Object"),
        }
    }
}

impl Batches {
    /// The next batch, or why there is none.
    pub(super) fn next(&mut self) -> Option<Result<RecordBatch, ArrowError>> {
        let decode = || match self {
            Self::Local(reader) => reader.next(),
            Self::Object(handle, stream) => {
                handle.block_on(stream.next()).map(|batch| batch.map_err(decode_error))
            }
        };
        guarded(decode).unwrap_or_else(|reason| Some(Err(ArrowError::ParquetError(reason))))
    }
}

/// Keeps the cause where the bytes could not be had.
fn decode_error(error: ParquetError) -> ArrowError {
    match error {
        ParquetError::External(source) => ArrowError::ExternalError(source),
        other => ArrowError::from(other),
    }
}

/// Runs the decoder. Some damage makes it panic (an impossible bit width in a dictionary page is one way); for the
/// user that is a damaged file like any other. What panicked is not used again.
pub(super) fn guarded<T>(decode: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(decode)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "the data cannot be decoded".to_owned())
    })
}

impl Footer {
    /// The rows of some columns.
    pub(super) fn batches(
        self,
        file: &SourceFile,
        columns: &[usize],
        batch_rows: usize,
    ) -> Result<Batches, LoadError> {
        let build = || self.build_batches(file, columns, batch_rows);
        guarded(build).unwrap_or_else(|reason| Err(undecodable(file, &reason)))
    }

    fn build_batches(
        self,
        file: &SourceFile,
        columns: &[usize],
        batch_rows: usize,
    ) -> Result<Batches, LoadError> {
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), columns.iter().copied());
        match &file.origin {
            Origin::Local(path) => {
                let input = File::open(path)
                    .map_err(|error| LoadError::read(&file.display, "at its start", error))?;
                let batch_rows = check_pages(file, &input, self.metadata.metadata(), &mask, batch_rows)?;
                ParquetRecordBatchReaderBuilder::new_with_metadata(input, self.metadata)
                    .with_projection(mask)
                    .with_batch_size(batch_rows)
                    .build()
                    .map(|reader| Batches::Local(Box::new(reader)))
            }
            Origin::Object { store, location } => {
                let handle = Handle::try_current()
                    .map_err(|error| LoadError::read(&file.display, "at its start", error))?;
                let reader = CheckedObject {
                    inner: object_reader(file, store, location),
                    metadata: Arc::clone(self.metadata.metadata()),
                };
                let batch_rows = batch_rows.min(OBJECT_BATCH_ROWS);
                ParquetRecordBatchStreamBuilder::new_with_metadata(reader, self.metadata)
                    .with_projection(mask)
                    .with_batch_size(batch_rows)
                    .build()
                    .map(|stream| Batches::Object(handle, Box::pin(stream)))
            }
        }
        .map_err(|error| footer_error(file, &error))
    }
}

/// Walks over the pages that will be read; gives the rows of a batch for which there is memory.
fn check_pages(
    file: &SourceFile,
    input: &File,
    metadata: &ParquetMetaData,
    mask: &ProjectionMask,
    batch_rows: usize,
) -> Result<usize, LoadError> {
    let mut rows = batch_rows;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let place = format!("in row group {index}");
        let mut sizes = Vec::new();
        for (leaf, column) in group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf))
        {
            let checked = check_chunk(input, column).map_err(|error| match error {
                PageError::Io(error) => LoadError::read(&file.display, &place, error),
                PageError::Damaged(reason) => LoadError::damaged(
                    &file.display,
                    &place,
                    format!("column {:?}: {reason}", group.column(leaf).column_path().string()),
                ),
            })?;
            sizes.push(checked);
        }
        let fit = rows_that_fit(&sizes, batch_rows)
            .map_err(|reason| LoadError::damaged(&file.display, &place, reason))?;
        rows = rows.min(fit);
    }
    Ok(rows)
}

/// A file in an object store whose column chunks are looked at as they come.
pub(super) struct CheckedObject {
    inner: ObjectFile,
    metadata: Arc<ParquetMetaData>,
}

impl CheckedObject {
    fn check(metadata: &ParquetMetaData, range: &Range<u64>, bytes: &Bytes) -> parquet::errors::Result<()> {
        for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
            let (start, length) = column.byte_range();
            if start < range.start || start + length > range.end {
                continue;
            }
            let part = Part { start: range.start, bytes: bytes.clone() };
            let checked = check_chunk(&part, column).map_err(|error| match error {
                PageError::Io(error) => ParquetError::External(Box::new(error)),
                PageError::Damaged(reason) => ParquetError::General(reason),
            })?;
            if checked.largest_value * OBJECT_BATCH_ROWS as u64 > OBJECT_BATCH_BYTES {
                return Err(ParquetError::General(format!(
                    "column {:?} may repeat a value of {} bytes, more than the limit of {}; load a local copy",
                    column.column_path().string(),
                    checked.largest_value,
                    OBJECT_BATCH_BYTES / OBJECT_BATCH_ROWS as u64
                )));
            }
        }
        Ok(())
    }
}

impl AsyncFileReader for CheckedObject {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            let bytes = self.inner.get_bytes(range.clone()).await?;
            Self::check(&self.metadata, &range, &bytes)?;
            Ok(bytes)
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move {
            let parts = self.inner.get_byte_ranges(ranges.clone()).await?;
            for (range, bytes) in ranges.iter().zip(&parts) {
                Self::check(&self.metadata, range, bytes)?;
            }
            Ok(parts)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        self.inner.get_metadata(options)
    }
}

pub(super) fn object_reader(
    file: &SourceFile,
    store: &Arc<dyn ObjectStore>,
    location: &object_store::path::Path,
) -> ObjectFile {
    ObjectFile::new(Arc::clone(store), location.clone(), file.size)
}
