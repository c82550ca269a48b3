//! Row groups, or some rows of them, as batches.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, Date32Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups, RowSelection};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema};
use parquet::column::page::{PageIterator, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::fetch::{FetchedBytes, Wanted, fetch_all};
use super::source::ScanSource;
use crate::schema;
use crate::store::layout::RowGroup;
use crate::store::writer::SORT_COLUMNS;

/// Reads columns of the files of a scan.
#[derive(Debug)]
pub struct FileColumns {
    source: Arc<ScanSource>,
    store: Arc<dyn ObjectStore>,
    cache: Arc<FileMetadataCache>,
    /// What batches have.
    delivered: SchemaRef,
    /// A column that is not read: it is NULL everywhere.
    left_out: Option<usize>,
    /// How the columns lie in the file that was opened first: mostly so in all.
    first: OnceLock<Arc<Placement>>,
}

/// A file whose footer was read.
#[derive(Debug, Clone)]
pub struct OpenFile {
    /// Its footer and page indexes.
    pub metadata: Arc<ParquetMetaData>,
    placement: Arc<Placement>,
}

/// Where the wanted columns are in files of one schema.
struct Placement {
    schema: parquet::schema::types::TypePtr,
    levels: FieldLevels,
    /// Numbers of the leaf columns to read.
    leaves: Vec<usize>,
    /// For each wanted column its place in what is read, `None` if the file does not have it.
    places: Vec<Option<usize>>,
}

impl FileColumns {
    /// Reads the columns of `delivered`, with its types, of the files of `source`; the column at `left_out` is NULL.
    pub fn new(
        source: Arc<ScanSource>,
        cache: Arc<FileMetadataCache>,
        delivered: SchemaRef,
        left_out: Option<usize>,
    ) -> Self {
        let store = Arc::clone(&source.snapshot.table().location().store);
        Self { source, store, cache, delivered, left_out, first: OnceLock::new() }
    }

    /// What batches have.
    pub fn delivered(&self) -> &SchemaRef {
        &self.delivered
    }

    /// The files.
    pub fn source(&self) -> &Arc<ScanSource> {
        &self.source
    }

    /// The path of a file, for messages.
    pub fn path(&self, file: usize) -> &str {
        self.source.files[file].meta.location.as_ref()
    }

    /// The footer of a file: read once, as long as the cache keeps it.
    ///
    /// # Errors
    /// Those of the object store, and of a damaged footer.
    pub async fn open(&self, file: usize) -> Result<OpenFile> {
        let meta = &self.source.files[file].meta;
        let metadata = DFParquetMetadata::new(self.store.as_ref(), meta)
            .with_file_metadata_cache(Some(Arc::clone(&self.cache)))
            .fetch_metadata()
            .await
            .map_err(|error| self.unreadable(file, error))?;
        let schema = metadata.file_metadata().schema_descr().root_schema_ptr();
        if let Some(first) = self.first.get().filter(|first| first.schema == schema) {
            return Ok(OpenFile { metadata, placement: Arc::clone(first) });
        }
        let placement = Arc::new(Placement::new(&metadata, &self.delivered, self.left_out)?);
        // Another file may have been first meanwhile.
        let _ = self.first.set(Arc::clone(&placement));
        Ok(OpenFile { metadata, placement })
    }

    /// What the footer says about a row group.
    ///
    /// # Errors
    /// An error if it is not what the log says.
    pub fn row_group<'a>(
        &self,
        file: usize,
        open: &'a OpenFile,
        row_group: usize,
        told: &RowGroup,
    ) -> Result<&'a RowGroupMetaData> {
        let Some(found) = open.metadata.row_groups().get(row_group) else {
            return exec_err!("{} has no row group {row_group}, which the log tells of", self.path(file));
        };
        if u64::try_from(found.num_rows()) != Ok(told.rows) {
            return exec_err!(
                "row group {row_group} of {} has {} rows, but the log says {}: the file is not the one that was loaded",
                self.path(file),
                found.num_rows(),
                told.rows
            );
        }
        Ok(found)
    }

    /// Whether a row group says of itself that its rows are in the order of the layout.
    pub fn is_sorted(&self, open: &OpenFile, row_group: &RowGroupMetaData) -> bool {
        let columns = open.metadata.file_metadata().schema_descr();
        let Some(sorted) = row_group.sorting_columns() else { return false };
        sorted.len() == SORT_COLUMNS.len()
            && sorted.iter().zip(SORT_COLUMNS).all(|(by, name)| {
                let column = usize::try_from(by.column_idx).unwrap_or(usize::MAX);
                let is_named = column < columns.num_columns() && columns.column(column).name() == name;
                is_named && !by.descending && !by.nulls_first
            })
    }

    /// Brings bytes of files into memory: for each file its ranges.
    ///
    /// # Errors
    /// Those of the object store.
    pub async fn fetch(&self, files: Vec<(usize, Vec<Range<u64>>)>) -> Result<Vec<FetchedBytes>> {
        let numbers: Vec<usize> = files.iter().map(|(file, _)| *file).collect();
        let path = |file: usize| self.source.files[file].meta.location.clone();
        let wanted = files.into_iter().map(|(file, ranges)| Wanted { path: path(file), ranges });
        let location = self.source.snapshot.table().location();
        let fetched = fetch_all(location, wanted.collect()).await;
        fetched.map_err(|(number, error)| self.unreadable(numbers[number], error.into()))
    }

    /// The rows of a row group that are `selected`, all if nothing is; `rows` is how many they must be.
    ///
    /// # Errors
    /// An error that names the file if it is damaged.
    pub fn decode(
        &self,
        file: usize,
        open: &OpenFile,
        row_group: usize,
        fetched: FetchedBytes,
        selected: Option<RowSelection>,
        rows: usize,
    ) -> Result<RecordBatch> {
        // The decoder panics on some kinds of damage.
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            decode_rows(open, row_group, FetchedRanges(fetched), selected, rows)
        }));
        let damaged = |what: String| {
            exec_datafusion_err!(
                "row group {row_group} of {} cannot be decoded: {what}; the file is damaged",
                self.path(file)
            )
        };
        let batch = match decoded {
            Ok(Ok(batch)) => batch,
            Ok(Err(error)) => return Err(damaged(error.to_string())),
            Err(_) => return Err(damaged("its pages are not what its footer says".to_owned())),
        };
        if batch.num_rows() != rows {
            return Err(damaged(format!("{} rows instead of {rows}", batch.num_rows())));
        }
        self.deliver(&batch, open, file)
    }

    /// The wanted columns in their order and types.
    fn deliver(&self, batch: &RecordBatch, open: &OpenFile, file: usize) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let mut columns = Vec::with_capacity(self.delivered.fields().len());
        for (field, place) in self.delivered.fields().iter().zip(&open.placement.places) {
            let column: ArrayRef = match place {
                Some(place) if batch.column(*place).data_type() == field.data_type() => {
                    Arc::clone(batch.column(*place))
                }
                Some(place) => cast(batch.column(*place), field.data_type())?,
                None => match self.source.files[file].day.filter(|_| field.name() == schema::DAY) {
                    Some(day) => Arc::new(Date32Array::from_value(day, rows)),
                    // No day, or a column that came into the table after this file.
                    None => new_null_array(field.data_type(), rows),
                },
            };
            columns.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.delivered), columns, &options)?)
    }

    fn unreadable(&self, file: usize, error: DataFusionError) -> DataFusionError {
        error.context(format!("cannot read {}", self.path(file)))
    }
}

impl OpenFile {
    /// Numbers of the leaf columns that are read.
    pub fn leaves(&self) -> &[usize] {
        &self.placement.leaves
    }

    /// The pages of a column of a row group; `None` if the file does not tell.
    pub fn pages(&self, row_group: usize, leaf: usize) -> Option<&[PageLocation]> {
        let pages = self.metadata.offset_index()?.get(row_group)?.get(leaf)?;
        Some(pages.page_locations())
    }
}

impl std::fmt::Debug for Placement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Placement").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Placement {
    fn new(metadata: &ParquetMetaData, wanted: &Schema, left_out: Option<usize>) -> Result<Self> {
        let descriptor = metadata.file_metadata().schema_descr();
        let stored = parquet_to_arrow_schema(descriptor, None)?;
        let roots = wanted.fields().iter().enumerate().map(|(index, field)| {
            if left_out == Some(index) { None } else { stored.index_of(field.name()).ok() }
        });
        let roots: Vec<Option<usize>> = roots.collect();
        let mut present: Vec<usize> = roots.iter().flatten().copied().collect();
        present.sort_unstable();
        present.dedup();
        let mask = ProjectionMask::roots(descriptor, present.iter().copied());
        let leaves = (0..descriptor.num_columns()).filter(|leaf| mask.leaf_included(*leaf)).collect();
        let places =
            roots.iter().map(|root| root.and_then(|root| present.binary_search(&root).ok())).collect();
        let hinted = hinted_schema(&stored, wanted);
        let levels = parquet_to_arrow_field_levels(descriptor, mask, Some(hinted.fields()))?;
        Ok(Self { schema: descriptor.root_schema_ptr(), levels, leaves, places })
    }
}

/// The columns of a file with the types in which they are wanted, where text can be read so.
fn hinted_schema(stored: &Schema, wanted: &Schema) -> Schema {
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
    Schema::new(fields)
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn reads_as_text(data_type: &DataType) -> bool {
    is_text(data_type) || matches!(data_type, DataType::Dictionary(_, values) if is_text(values))
}

fn decode_rows(
    open: &OpenFile,
    row_group: usize,
    bytes: FetchedRanges,
    selected: Option<RowSelection>,
    rows: usize,
) -> Result<RecordBatch> {
    let skips_pages = selected.is_some();
    let read = OneRowGroup { open, row_group, bytes: Arc::new(bytes), skips_pages };
    let levels = &open.placement.levels;
    let mut reader = ParquetRecordBatchReader::try_new_with_row_groups(levels, &read, rows.max(1), selected)?;
    match reader.next() {
        Some(batch) => Ok(batch?),
        None => exec_err!("it has no rows"),
    }
}

/// A row group as the decoder wants to read it.
struct OneRowGroup<'a> {
    open: &'a OpenFile,
    row_group: usize,
    bytes: Arc<FetchedRanges>,
    /// Whether not all pages are there.
    skips_pages: bool,
}

impl OneRowGroup<'_> {
    fn metadata_of_row_group(&self) -> &RowGroupMetaData {
        self.open.metadata.row_group(self.row_group)
    }
}

impl RowGroups for OneRowGroup<'_> {
    fn num_rows(&self) -> usize {
        usize::try_from(self.metadata_of_row_group().num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, leaf: usize) -> parquet::errors::Result<Box<dyn PageIterator>> {
        let pages = self.open.pages(self.row_group, leaf).filter(|_| self.skips_pages);
        let column = self.metadata_of_row_group().column(leaf);
        let bytes = Arc::clone(&self.bytes);
        let reader =
            SerializedPageReader::new(bytes, column, self.num_rows(), pages.map(<[PageLocation]>::to_vec))?;
        Ok(Box::new(OneReader(Some(Box::new(reader)))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.metadata_of_row_group()))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.open.metadata
    }
}

/// The pages of one column chunk.
struct OneReader(Option<Box<dyn PageReader>>);

impl Iterator for OneReader {
    type Item = parquet::errors::Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for OneReader {}

/// Parts of a file.
struct FetchedRanges(FetchedBytes);

impl FetchedRanges {
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

impl Length for FetchedRanges {
    fn len(&self) -> u64 {
        self.0.iter().map(|(range, _)| range.end).max().unwrap_or(0)
    }
}

impl ChunkReader for FetchedRanges {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(bytes::Buf::reader(self.slice(start, None)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.slice(start, Some(length))
    }
}
