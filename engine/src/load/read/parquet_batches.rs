//! The rows of a Parquet file, decoded one row group after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::options::ReadOptions;
use super::parquet_chunks::{ChunkSource, Chunks};
use super::parquet_footer::{Footer, one_line};
use super::parquet_pages::{PageError, check_chunk, rows_that_fit};
use super::row_groups::RowGroups;
use super::source::SourceFile;
use super::stream::Passed;
use crate::load::error::LoadError;

/// Stored bytes of row groups that are opened together, at most: each batch is of the rows of one opening.
const SMALL_GROUPS_BYTES: i64 = 1 << 20;

/// Batches of a file, from where it is.
pub(super) struct Batches {
    path: String,
    metadata: ArrowReaderMetadata,
    source: ChunkSource,
    batch_rows: usize,
    groups: RowGroups,
    /// The row group that follows.
    next_group: usize,
    current: Option<ParquetRecordBatchReader>,
    rows_read: u64,
    has_ended: bool,
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches")
            .field("path", &self.path)
            .field("rows_read", &self.rows_read)
            .finish_non_exhaustive()
    }
}

impl Batches {
    /// The rows of some columns of `file`. Blocks; for objects on a blocking thread of a runtime.
    ///
    /// # Errors
    /// [`LoadError::Read`] and [`LoadError::Changed`].
    pub(super) fn open(
        file: &SourceFile,
        footer: Footer,
        columns: &[usize],
        options: &ReadOptions,
    ) -> Result<Self, LoadError> {
        let metadata = footer.metadata;
        let mask = ProjectionMask::roots(metadata.parquet_schema(), columns.iter().copied());
        Ok(Self {
            path: file.display.clone(),
            source: ChunkSource::open(file, metadata.metadata(), mask, options.group_bytes)?,
            batch_rows: options.batch_rows,
            groups: RowGroups::of(metadata.metadata()),
            metadata,
            next_group: 0,
            current: None,
            rows_read: 0,
            has_ended: false,
        })
    }

    /// The next batch; `None` at the end of the file.
    ///
    /// # Errors
    /// [`LoadError::Damaged`] if the file does not hold what its footer says; [`LoadError::Read`] and
    /// [`LoadError::Changed`]. Nothing follows an error.
    pub(super) fn next(&mut self) -> Option<Result<RecordBatch, LoadError>> {
        if self.has_ended {
            return None;
        }
        let next = self.decode().transpose();
        self.has_ended = !matches!(next, Some(Ok(_)));
        next
    }

    /// What of the file has passed by.
    pub(super) fn passed(&self) -> Arc<Passed> {
        Arc::clone(self.source.passed())
    }

    /// (rows read, rows in the file)
    pub(super) fn progress(&self) -> (u64, u64) {
        (self.rows_read, self.groups.rows())
    }

    /// The error for what is wrong behind row `row`.
    pub(super) fn damaged_after(&self, row: u64, reason: impl Into<String>) -> LoadError {
        LoadError::damaged(&self.path, self.groups.after(row), reason)
    }

    fn place(&self) -> String {
        self.groups.after(self.rows_read)
    }

    fn decode(&mut self) -> Result<Option<RecordBatch>, LoadError> {
        loop {
            let current = self.current.as_mut();
            let decoded = guarded(|| current.and_then(Iterator::next));
            match decoded.map_err(|reason| self.undecodable(&reason))? {
                Some(Ok(batch)) => {
                    self.rows_read += batch.num_rows() as u64;
                    return Ok(Some(batch));
                }
                Some(Err(error)) => return Err(self.undecodable(&one_line(&error))),
                None => {}
            }
            self.current = None;
            if self.rows_read != self.groups.rows_before(self.next_group) {
                let reason = format!("its footer promises {} rows; write it again", self.groups.rows());
                return Err(self.damaged_after(self.rows_read, reason));
            }
            if self.next_group == self.groups.count() {
                self.source.finish(&self.place())?;
                return Ok(None);
            }
            self.open_groups()?;
        }
    }

    /// Opens the next row group, or the next few, if they are small.
    fn open_groups(&mut self) -> Result<(), LoadError> {
        let metadata = Arc::clone(self.metadata.metadata());
        let first = self.next_group;
        let mut bytes = 0;
        let following = metadata.row_groups()[first..].iter().take_while(|group| {
            bytes += group.compressed_size();
            bytes <= SMALL_GROUPS_BYTES
        });
        let groups = first..first + following.count().max(1);
        let place = format!("in row group {first}");
        let read = || self.source.chunks(&metadata.row_groups()[groups.clone()], &place);
        let chunks = guarded(read).unwrap_or_else(|reason| Err(self.undecodable(&reason)))?;
        let build = || {
            let mut rows = self.batch_rows;
            for group in groups.clone() {
                rows = rows.min(self.checked_rows(group, &chunks)?);
            }
            ParquetRecordBatchReaderBuilder::new_with_metadata(chunks.clone(), self.metadata.clone())
                .with_projection(self.source.mask().clone())
                .with_row_groups(groups.clone().collect())
                .with_batch_size(rows)
                .build()
                .map_err(|error| self.undecodable(&one_line(&error)))
        };
        let reader = guarded(build).unwrap_or_else(|reason| Err(self.undecodable(&reason)))?;
        self.current = Some(reader);
        self.next_group = groups.end;
        Ok(())
    }

    /// Walks over the pages that will be read; gives the rows of a batch for which there is memory.
    fn checked_rows(&self, group: usize, chunks: &Chunks) -> Result<usize, LoadError> {
        let place = format!("in row group {group}");
        let group = self.metadata.metadata().row_group(group);
        let mut sizes = Vec::new();
        for (leaf, column) in group.columns().iter().enumerate() {
            if !self.source.mask().leaf_included(leaf) {
                continue;
            }
            sizes.push(check_chunk(chunks, column).map_err(|error| match error {
                PageError::Io(error) => LoadError::read(&self.path, &place, error),
                PageError::Damaged(reason) => {
                    let reason = format!("column {:?}: {reason}", column.column_path().string());
                    LoadError::damaged(&self.path, &place, reason)
                }
            })?);
        }
        rows_that_fit(&sizes, self.batch_rows).map_err(|reason| LoadError::damaged(&self.path, place, reason))
    }

    fn undecodable(&self, reason: &str) -> LoadError {
        self.damaged_after(self.rows_read, format!("{reason}; copy or write the file again"))
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

#[cfg(test)]
mod tests;
