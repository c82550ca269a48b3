//! Row groups as batches.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::{Result, exec_err};
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use tokio::sync::OnceCell;

use super::buckets::Part;
use super::columns::{Columns, without_values};
use crate::scan::decode::{FileColumns, OpenFile};
use crate::scan::fetch::FetchedBytes;
use crate::scan::source::ScanSource;

/// Reads columns of the row groups of a scan's files; footers are read once.
#[derive(Debug)]
pub struct Reader {
    columns: Columns,
    read: FileColumns,
    files: Vec<OnceCell<OpenFile>>,
}

/// The bytes of the columns of one row group.
#[derive(Debug)]
pub struct Fetched {
    /// Which row group.
    pub part: Part,
    /// Whether it says of itself that its rows are in the order of the layout.
    pub is_sorted: bool,
    bytes: FetchedBytes,
}

impl Reader {
    /// Reads `columns` of the files of `source`.
    pub fn new(source: Arc<ScanSource>, cache: Arc<FileMetadataCache>, columns: Columns) -> Self {
        Self::leaving_out(source, cache, columns, None)
    }

    /// The same, with a column of nothing but NULL in the place of the one at `left_out`, which is not read.
    pub fn leaving_out(
        source: Arc<ScanSource>,
        cache: Arc<FileMetadataCache>,
        columns: Columns,
        left_out: Option<usize>,
    ) -> Self {
        let files = source.files.iter().map(|_| OnceCell::new()).collect();
        let mut delivered = Arc::clone(columns.delivered());
        if let Some(left_out) = left_out {
            delivered = without_values(&delivered, left_out);
        }
        let read = FileColumns::new(source, cache, delivered, left_out);
        Self { columns, read, files }
    }

    /// The columns of the batches.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The path of a file, for messages.
    pub fn path(&self, part: &Part) -> &str {
        self.read.path(part.file)
    }

    /// Brings the bytes of row groups into memory.
    ///
    /// # Errors
    /// Those of the object store, and of a damaged footer.
    pub async fn fetch(&self, parts: Vec<Part>) -> Result<Vec<Fetched>> {
        let mut wanted = Vec::with_capacity(parts.len());
        let mut are_sorted = Vec::with_capacity(parts.len());
        for part in &parts {
            let file = self.files[part.file].get_or_try_init(|| self.read.open(part.file)).await?;
            let row_group = self.read.row_group(part.file, file, part.row_group, &part.range)?;
            let ranges = file.leaves().iter().map(|leaf| {
                let (start, length) = row_group.column(*leaf).byte_range();
                start..start + length
            });
            wanted.push((part.file, ranges.collect()));
            are_sorted.push(self.read.is_sorted(file, row_group));
        }
        let fetched = self.read.fetch(wanted).await?;
        let fetched = parts.into_iter().zip(are_sorted).zip(fetched);
        Ok(fetched.map(|((part, is_sorted), bytes)| Fetched { part, is_sorted, bytes }).collect())
    }

    /// The rows of a row group.
    ///
    /// # Errors
    /// An error that names the file if it is damaged.
    pub fn decode(&self, fetched: Fetched) -> Result<RecordBatch> {
        let Fetched { part, bytes, .. } = fetched;
        let Some(file) = self.files[part.file].get() else {
            return exec_err!("{} was not opened", self.path(&part));
        };
        let rows = usize::try_from(part.range.rows).unwrap_or(usize::MAX);
        self.read.decode(part.file, file, part.row_group, bytes, None, rows)
    }
}
