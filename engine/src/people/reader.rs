//! Row groups as batches.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use tokio::sync::OnceCell;

use super::buckets::Part;
use super::columns::Columns;
use crate::scan::source::ScanSource;
use crate::schema;

/// Reads columns of the row groups of a scan's files; footers are read once.
#[derive(Debug)]
pub struct Reader {
    source: Arc<ScanSource>,
    store: Arc<dyn ObjectStore>,
    cache: Arc<FileMetadataCache>,
    columns: Columns,
    /// A column that is not read: it is NULL everywhere.
    left_out: Option<usize>,
    files: Vec<OnceCell<OpenFile>>,
}

/// What the footer of a file says about the columns wanted.
#[derive(Debug)]
struct OpenFile {
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    /// Numbers of the leaf columns to read.
    leaves: Vec<usize>,
    /// For each wanted column its place in what is read, `None` if the file does not have it.
    places: Vec<Option<usize>>,
}

/// The bytes of the columns of one row group.
#[derive(Debug)]
pub struct Fetched {
    /// Which row group.
    pub part: Part,
    bytes: Vec<(Range<u64>, Bytes)>,
}

impl Reader {
    /// Reads `columns` of the files of `source`.
    pub fn new(source: Arc<ScanSource>, cache: Arc<FileMetadataCache>, columns: Columns) -> Self {
        let store = Arc::clone(&source.snapshot.table().location().store);
        let files = source.files.iter().map(|_| OnceCell::new()).collect();
        Self { source, store, cache, columns, left_out: None, files }
    }

    /// The same, with NULL in the place of the column at `index`.
    pub fn without(mut self, index: usize) -> Self {
        self.left_out = Some(index);
        self
    }

    /// The columns of the batches.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The path of a file, for messages.
    pub fn path(&self, part: &Part) -> &str {
        self.source.files[part.file].meta.location.as_ref()
    }

    /// Brings the bytes of a row group into memory.
    ///
    /// # Errors
    /// Those of the object store, and of a damaged footer.
    pub async fn fetch(&self, part: Part) -> Result<Fetched> {
        let file = self.open(part.file).await?;
        let metadata = file.metadata.metadata();
        let Some(row_group) = metadata.row_groups().get(part.row_group) else {
            return exec_err!(
                "{} has no row group {}, which the log tells of",
                self.path(&part),
                part.row_group
            );
        };
        if u64::try_from(row_group.num_rows()) != Ok(part.range.rows) {
            return exec_err!(
                "row group {} of {} has {} rows, but the log says {}: the file is not the one that was loaded",
                part.row_group,
                self.path(&part),
                row_group.num_rows(),
                part.range.rows
            );
        }
        let ranges: Vec<Range<u64>> = file
            .leaves
            .iter()
            .map(|leaf| {
                let (start, length) = row_group.column(*leaf).byte_range();
                start..start + length
            })
            .collect();
        let location = &self.source.files[part.file].meta.location;
        let bytes = if ranges.is_empty() {
            Vec::new()
        } else {
            let read = self.store.get_ranges(location, &ranges).await;
            read.map_err(|error| self.unreadable(part.file, error.into()))?
        };
        Ok(Fetched { part, bytes: ranges.into_iter().zip(bytes).collect() })
    }

    /// The rows of a row group.
    ///
    /// # Errors
    /// An error that names the file if it is damaged.
    pub fn decode(&self, fetched: Fetched) -> Result<RecordBatch> {
        let part = fetched.part;
        let Some(file) = self.files[part.file].get() else {
            return exec_err!("{} was not opened", self.path(&part));
        };
        // The decoder panics on some kinds of damage.
        let decoded = catch_unwind(AssertUnwindSafe(|| decode_rows(file, fetched)));
        let damaged = |what: String| {
            exec_datafusion_err!(
                "row group {} of {} cannot be decoded: {what}; the file is damaged",
                part.row_group,
                self.path(&part)
            )
        };
        let batch = match decoded {
            Ok(Ok(batch)) => batch,
            Ok(Err(error)) => return Err(damaged(error.to_string())),
            Err(_) => return Err(damaged("its pages are not what its footer says".to_owned())),
        };
        let rows = usize::try_from(part.range.rows).unwrap_or(usize::MAX);
        if batch.num_rows() != rows {
            return Err(damaged(format!("{} rows instead of {rows}", batch.num_rows())));
        }
        self.delivered(&batch, file, part)
    }

    /// The wanted columns in their order and types.
    fn delivered(&self, batch: &RecordBatch, file: &OpenFile, part: Part) -> Result<RecordBatch> {
        let schema = self.columns.delivered();
        let rows = batch.num_rows();
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (field, place) in schema.fields().iter().zip(&file.places) {
            let column: ArrayRef = match place {
                Some(place) if batch.column(*place).data_type() == field.data_type() => {
                    Arc::clone(batch.column(*place))
                }
                Some(place) => cast(batch.column(*place), field.data_type())?,
                None if field.name() == schema::DAY => {
                    Arc::new(Date32Array::from(vec![self.source.files[part.file].day; rows]))
                }
                // A column that came into the table after this file.
                None => new_null_array(field.data_type(), rows),
            };
            columns.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }

    fn unreadable(&self, file: usize, error: DataFusionError) -> DataFusionError {
        error.context(format!("cannot read {}", self.source.files[file].meta.location))
    }

    async fn open(&self, file: usize) -> Result<&OpenFile> {
        self.files[file]
            .get_or_try_init(|| async {
                let meta = &self.source.files[file].meta;
                let parquet = DFParquetMetadata::new(self.store.as_ref(), meta)
                    .with_file_metadata_cache(Some(Arc::clone(&self.cache)))
                    .fetch_metadata()
                    .await
                    .map_err(|error| self.unreadable(file, error))?;
                let stored = ArrowReaderMetadata::try_new(Arc::clone(&parquet), ArrowReaderOptions::new())?;
                let hinted = hinted_schema(stored.schema(), self.columns.delivered());
                let options = ArrowReaderOptions::new().with_schema(hinted);
                let metadata = ArrowReaderMetadata::try_new(parquet, options)?;
                Ok(OpenFile::new(metadata, self.columns.delivered(), self.left_out))
            })
            .await
    }
}

impl OpenFile {
    fn new(metadata: ArrowReaderMetadata, wanted: &Schema, left_out: Option<usize>) -> Self {
        let stored = wanted.fields().iter().enumerate().map(|(index, field)| {
            if left_out == Some(index) { None } else { metadata.schema().index_of(field.name()).ok() }
        });
        let roots: Vec<Option<usize>> = stored.collect();
        let mut present: Vec<usize> = roots.iter().flatten().copied().collect();
        present.sort_unstable();
        present.dedup();
        let mask = ProjectionMask::roots(metadata.parquet_schema(), present.iter().copied());
        let leaf_count = metadata.parquet_schema().num_columns();
        let leaves = (0..leaf_count).filter(|leaf| mask.leaf_included(*leaf)).collect();
        let places =
            roots.iter().map(|root| root.and_then(|root| present.binary_search(&root).ok())).collect();
        Self { metadata, mask, leaves, places }
    }
}

/// The columns of a file with the types in which they are wanted, where text can be read so.
fn hinted_schema(stored: &SchemaRef, wanted: &Schema) -> SchemaRef {
    let fields: Vec<Field> = stored
        .fields()
        .iter()
        .map(|field| match wanted.field_with_name(field.name()) {
            Ok(wanted) if is_text(field.data_type()) && reads_as_text(wanted.data_type()) => {
                field.as_ref().clone().with_data_type(wanted.data_type().clone())
            }
            _ => field.as_ref().clone(),
        })
        .collect();
    Arc::new(Schema::new_with_metadata(fields, stored.metadata().clone()))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn reads_as_text(data_type: &DataType) -> bool {
    is_text(data_type) || matches!(data_type, DataType::Dictionary(_, values) if is_text(values))
}

fn decode_rows(file: &OpenFile, fetched: Fetched) -> Result<RecordBatch> {
    let rows = usize::try_from(fetched.part.range.rows).unwrap_or(usize::MAX);
    let row_group = fetched.part.row_group;
    let mut reader = ParquetRecordBatchReaderBuilder::new_with_metadata(
        FetchedBytes(fetched.bytes),
        file.metadata.clone(),
    )
    .with_row_groups(vec![row_group])
    .with_projection(file.mask.clone())
    .with_batch_size(rows.max(1))
    .build()?;
    match reader.next() {
        Some(batch) => Ok(batch?),
        None => exec_err!("it has no rows"),
    }
}

/// Parts of a file, as the decoder wants to read them.
struct FetchedBytes(Vec<(Range<u64>, Bytes)>);

impl FetchedBytes {
    fn slice(&self, start: u64, length: Option<usize>) -> parquet::errors::Result<Bytes> {
        let outside = || ParquetError::General(format!("bytes from {start} on were not fetched"));
        let (range, bytes) = self.0.iter().find(|(range, _)| range.contains(&start)).ok_or_else(outside)?;
        let from = usize::try_from(start - range.start).map_err(|_| outside())?;
        let to = match length {
            Some(length) => from.checked_add(length).filter(|to| *to <= bytes.len()).ok_or_else(outside)?,
            None => bytes.len(),
        };
        Ok(bytes.slice(from..to))
    }
}

impl Length for FetchedBytes {
    fn len(&self) -> u64 {
        self.0.iter().map(|(range, _)| range.end).max().unwrap_or(0)
    }
}

impl ChunkReader for FetchedBytes {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(bytes::Buf::reader(self.slice(start, None)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.slice(start, Some(length))
    }
}
