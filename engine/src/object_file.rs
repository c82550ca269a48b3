//! A Parquet file in an object store, for Parquet's asynchronous reader.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

/// Reads ranges of one object whose size is known.
#[derive(Debug, Clone)]
pub struct ObjectFile {
    source: Source,
    size: u64,
}

#[derive(Debug, Clone)]
enum Source {
    Store(Arc<dyn ObjectStore>, Path),
    Memory(Bytes),
}

impl ObjectFile {
    /// The object at `path`, which has `size` bytes.
    pub fn new(store: Arc<dyn ObjectStore>, path: Path, size: u64) -> Self {
        Self { source: Source::Store(store, path), size }
    }

    /// An object that was read into memory.
    pub fn in_memory(bytes: Bytes) -> Self {
        Self { size: bytes.len() as u64, source: Source::Memory(bytes) }
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

fn slice(bytes: &Bytes, range: Range<u64>) -> Result<Bytes> {
    let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
    match (start, end) {
        (Ok(start), Ok(end)) if start <= end && end <= bytes.len() => Ok(bytes.slice(start..end)),
        _ => Err(ParquetError::EOF(format!("the file ends before byte {}", range.end))),
    }
}

impl AsyncFileReader for ObjectFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            match &self.source {
                Source::Store(store, path) => store.get_range(path, range).await.map_err(external),
                Source::Memory(bytes) => slice(bytes, range),
            }
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            match &self.source {
                Source::Store(store, path) => store.get_ranges(path, &ranges).await.map_err(external),
                Source::Memory(bytes) => ranges.into_iter().map(|range| slice(bytes, range)).collect(),
            }
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let metadata = ParquetMetaDataReader::new()
                .with_arrow_reader_options(options)
                .load_and_finish(self, size)
                .await?;
            Ok(Arc::new(metadata))
        }
        .boxed()
    }
}
