//! Sorted rows to data files.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema, SchemaRef};
use bytes::Bytes;
use deltalake_core::kernel::Add;
use futures::future::BoxFuture;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::AsyncArrowWriter;
use parquet::arrow::async_writer::AsyncFileWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;
use xxhash_rust::xxh64::Xxh64;

use crate::error::StoreError;
use crate::schema;
use crate::store::commit;
use crate::store::group_writer::GroupWriter;
use crate::store::layout::{self, DayDivision, KeyPrefix, RowGroup};
use crate::store::stats::StatisticsCollector;
use crate::store::table::{COUNTED_COLUMNS, STATISTICS_COLUMNS, Table};

/// Rows per data page: a point lookup decodes at least one page per column.
const PAGE_ROWS: usize = 20_000;
/// Pages of `user_key` end sooner, at some 3,500 rows: a point lookup looks for the person in one of each row group.
const KEY_PAGE_BYTES: usize = 1 << 10;
/// And so do those of `event_id`, at some 6,000 rows, as what is compressed is decoded from its page's first row on.
const EVENT_ID_PAGE_BYTES: usize = 64 << 10;
/// A dictionary may grow to this size before a column chunk falls back to plain values, which decode several
/// times slower.
const DICTIONARY_BYTES: usize = 64 << 20;
/// Text that repeats: dictionary, no general codec.
const DICTIONARY_COLUMNS: [&str; 12] = [
    schema::USER_ID,
    schema::USER_KEY,
    "anonymous_id",
    schema::EVENT,
    "channel",
    "source",
    "medium",
    "campaign",
    "device",
    "country",
    "currency",
    "score",
];
/// Free text and money: dictionary where it pays, zstd on top.
const ZSTD_LEVEL: i32 = 1;

/// The sort order of a data file; NULLs last, ascending.
pub const SORT_COLUMNS: [&str; 4] = [schema::USER_KEY, schema::USER_ID, schema::TS, schema::EVENT_ID];

/// Whether the column called `name` is text or a number that data files keep in dictionaries.
pub fn is_dictionary_encoded(name: &str) -> bool {
    DICTIONARY_COLUMNS.contains(&name)
}

/// The columns of a data file with these extra columns: the load columns, then `user_key`.
pub fn file_schema(extra: &[Field]) -> SchemaRef {
    let load = schema::load_schema_with(extra);
    let mut fields: Vec<Field> = load.fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new(schema::USER_KEY, DataType::Int64, false));
    Arc::new(Schema::new(fields))
}

/// Writes rows that arrive in `(day, user_key, user_id, ts, event_id)` order, one file after the other.
///
/// Holds one open row group in memory, and the end of the file before until the store has it. Files are invisible until their [`Add`] actions are committed.
pub struct LayoutWriter {
    table: Table,
    file_schema: SchemaRef,
    properties: WriterProperties,
    row_group_rows: usize,
    open: Option<OpenFile>,
    /// The file before, on its way to the disk or the object store.
    closing: Option<JoinHandle<Result<Add, StoreError>>>,
    adds: Vec<Add>,
}

impl std::fmt::Debug for LayoutWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LayoutWriter")
            .field("table", &self.table.name())
            .field("files", &self.adds.len())
            .finish_non_exhaustive()
    }
}

struct OpenFile {
    day: i32,
    prefix: KeyPrefix,
    path: String,
    writer: GroupWriter,
    output: HashingWriter,
    sink: Arc<Mutex<Sink>>,
    statistics: StatisticsCollector,
    /// The last one is open unless it was ended.
    row_groups: Vec<RowGroup>,
    /// The people of the open row group.
    group: Option<KeyPrefix>,
}

impl OpenFile {
    /// Ends the open row group and sends it on its way.
    async fn end_group(&mut self) -> parquet::errors::Result<()> {
        self.group = None;
        let bytes = self.writer.end_group()?;
        self.output.write(bytes).await
    }

    /// Writes rows that fit into the open row group, or begin one.
    fn write(&mut self, batch: &RecordBatch, keys: &[i64], prefix: KeyPrefix) -> parquet::errors::Result<()> {
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return Ok(()) };
        match self.row_groups.last_mut().filter(|_| self.group.is_some()) {
            Some(group) => {
                group.rows += keys.len() as u64;
                group.max_key = *last;
            }
            None => {
                let rows = keys.len() as u64;
                self.row_groups.push(RowGroup { rows, min_key: *first, max_key: *last });
            }
        }
        self.group = Some(prefix);
        self.statistics
            .add(batch, &STATISTICS_COLUMNS, &COUNTED_COLUMNS)
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        self.writer.write(batch)
    }
}

impl LayoutWriter {
    /// A writer of files with the columns of `file_schema` and at most twice `row_group_rows` rows per row group.
    pub fn new(table: Table, file_schema: SchemaRef, row_group_rows: usize) -> Self {
        let row_group_rows = row_group_rows.clamp(1, usize::MAX / 2) * 2;
        let properties = properties(&file_schema, row_group_rows);
        Self { table, file_schema, properties, row_group_rows, open: None, closing: None, adds: Vec::new() }
    }

    /// Writes rows of one `day`, which is divided by `division`.
    pub async fn write(
        &mut self,
        day: i32,
        division: DayDivision,
        batch: &RecordBatch,
    ) -> Result<(), StoreError> {
        let keys = batch
            .column_by_name(schema::USER_KEY)
            .map(|c| c.as_primitive::<Int64Type>().clone())
            .ok_or_else(|| self.error("a batch without user_key"))?;
        let mut start = 0;
        while start < batch.num_rows() {
            let group = KeyPrefix::of(keys.value(start), division.group_bits);
            let rest = &keys.values()[start..];
            let same_prefix = rest.partition_point(|k| KeyPrefix::of(*k, division.group_bits) == group);
            self.open_for(day, KeyPrefix::of(keys.value(start), division.file_bits)).await?;
            self.write_run(&batch.slice(start, same_prefix), &rest[..same_prefix], group).await?;
            start += same_prefix;
        }
        Ok(())
    }

    /// Closes the last file and gives all files written. If that fails they are deleted.
    pub async fn finish(mut self) -> Result<Vec<Add>, StoreError> {
        let mut done = self.close().await;
        if done.is_ok() {
            done = self.settle().await;
        }
        if let Err(error) = done {
            self.abort().await;
            return Err(error);
        }
        Ok(std::mem::take(&mut self.adds))
    }

    /// Deletes what was written so far.
    pub async fn abort(mut self) {
        // The open file was never completed: object stores show nothing of it.
        self.open = None;
        if let Err(error) = self.settle().await {
            tracing::debug!(%error, "a file of a load that failed was not completed");
        }
        commit::discard(&self.table, &self.adds).await;
    }

    async fn open_for(&mut self, day: i32, prefix: KeyPrefix) -> Result<(), StoreError> {
        if self.open.as_ref().is_some_and(|f| f.day == day && f.prefix == prefix) {
            return Ok(());
        }
        self.close().await?;
        let path = prefix.file_path(day);
        let (output, sink) = start_file(&self.table, &path);
        let writer =
            GroupWriter::new(Arc::clone(&self.file_schema), self.properties.clone(), DICTIONARY_BYTES)
                .map_err(|e| StoreError::io("write", place(&self.table, &path), e))?;
        self.open = Some(OpenFile {
            day,
            prefix,
            path,
            writer,
            output,
            sink,
            statistics: StatisticsCollector::default(),
            row_groups: Vec::new(),
            group: None,
        });
        Ok(())
    }

    /// Writes rows of the people of `prefix`, which all belong to the open file. A row group has rows of one prefix.
    async fn write_run(
        &mut self,
        batch: &RecordBatch,
        keys: &[i64],
        prefix: KeyPrefix,
    ) -> Result<(), StoreError> {
        let Some(file) = self.open.as_mut() else {
            return Err(self.error("no file is open"));
        };
        let failed = |path: &str, e: ParquetError| StoreError::io("write", place(&self.table, path), e);
        let mut start = 0;
        while start < keys.len() {
            let is_full =
                file.row_groups.last().is_some_and(|group| group.rows >= self.row_group_rows as u64);
            if file.group.is_some_and(|group| group != prefix || is_full) {
                file.end_group().await.map_err(|e| failed(&file.path, e))?;
            }
            let held = file.row_groups.last().filter(|_| file.group.is_some()).map_or(0, |group| group.rows);
            let room = self.row_group_rows.saturating_sub(held as usize);
            let count = room.min(keys.len() - start);
            file.write(&batch.slice(start, count), &keys[start..start + count], prefix)
                .map_err(|e| failed(&file.path, e))?;
            start += count;
        }
        Ok(())
    }

    /// Completes the open file while the next one is written: a disk takes its time.
    async fn close(&mut self) -> Result<(), StoreError> {
        let Some(mut file) = self.open.take() else { return Ok(()) };
        let place = place(&self.table, &file.path);
        let failed = move |e: ParquetError| StoreError::io("write", place.clone(), e);
        let (bytes, metadata) = file.writer.finish().map_err(&failed)?;
        file.output.write(bytes).await.map_err(&failed)?;
        let row_groups: Vec<u64> =
            metadata.row_groups().iter().map(|g| g.num_rows().unsigned_abs()).collect();
        let noted: Vec<u64> = file.row_groups.iter().map(|g| g.rows).collect();
        if row_groups != noted {
            return Err(self.error("row groups differ from their description"));
        }
        self.settle().await?;
        self.closing = Some(tokio::spawn(async move {
            file.output.complete().await.map_err(failed)?;
            let (checksum, size) = written(&file.sink);
            Ok(commit::add_action(
                file.path,
                Some(file.day),
                size,
                &file.statistics.finish(),
                Some(layout::tags(checksum, &file.row_groups)),
            ))
        }));
        Ok(())
    }

    /// Waits until the file before is complete.
    async fn settle(&mut self) -> Result<(), StoreError> {
        let Some(closing) = self.closing.take() else { return Ok(()) };
        match closing.await {
            Ok(add) => self.adds.push(add?),
            Err(error) => return Err(StoreError::io("write", format!("table {}", self.table.name()), error)),
        }
        Ok(())
    }

    fn error(&self, what: &str) -> StoreError {
        StoreError::io("write", format!("table {}", self.table.name()), what.to_owned())
    }
}

/// Writes one file of a reference table, rows in the order in which they come.
pub struct ReferenceWriter {
    path: String,
    /// Where that is, for errors.
    place: String,
    writer: AsyncArrowWriter<HashingWriter>,
    sink: Arc<Mutex<Sink>>,
    statistics: StatisticsCollector,
}

impl std::fmt::Debug for ReferenceWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReferenceWriter").field("path", &self.path).finish_non_exhaustive()
    }
}

impl ReferenceWriter {
    /// Starts a file of `table` with these columns.
    #[expect(clippy::needless_pass_by_value, reason = "a writer belongs to its table")]
    pub fn new(table: Table, file_schema: SchemaRef) -> Result<Self, StoreError> {
        let path = format!("part-{}.parquet", uuid::Uuid::new_v4());
        let properties = WriterProperties::builder()
            .set_created_by(created_by())
            .set_compression(zstd())
            .set_statistics_enabled(EnabledStatistics::Page)
            .build();
        let (output, sink) = start_file(&table, &path);
        let place = place(&table, &path);
        let writer = AsyncArrowWriter::try_new(output, file_schema, Some(properties))
            .map_err(|e| StoreError::io("write", place.clone(), e))?;
        Ok(Self { place, path, writer, sink, statistics: StatisticsCollector::default() })
    }

    /// Appends rows.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        // Only the number of rows: any column of a reference table may hold personal data.
        self.statistics.add(batch, &[], &[]).map_err(|e| StoreError::io("write", self.place.clone(), e))?;
        self.writer.write(batch).await.map_err(|e| StoreError::io("write", self.place.clone(), e))
    }

    /// Completes the file.
    pub async fn finish(mut self) -> Result<Add, StoreError> {
        self.writer.finish().await.map_err(|e| StoreError::io("write", self.place.clone(), e))?;
        let (_, size) = written(&self.sink);
        Ok(commit::add_action(self.path, None, size, &self.statistics.finish(), None))
    }

    /// Gives up: an object that was never completed does not exist.
    pub fn abort(self) {}
}

/// The data file at `path` of `table`, for errors.
fn place(table: &Table, path: &str) -> String {
    format!("{}{path}", table.location().display())
}

fn created_by() -> String {
    format!("wayfare {}", env!("CARGO_PKG_VERSION"))
}

fn zstd() -> Compression {
    ZstdLevel::try_new(ZSTD_LEVEL).map_or(Compression::UNCOMPRESSED, Compression::ZSTD)
}

/// Opens a new object for a data file.
fn start_file(table: &Table, path: &str) -> (HashingWriter, Arc<Mutex<Sink>>) {
    let full: Path = table.location().path.parts().chain(Path::from(path).parts()).collect();
    let sink = Arc::new(Mutex::new(Sink { hash: Xxh64::new(0), bytes: 0 }));
    let inner = BufWriter::new(Arc::clone(&table.location().store), full);
    (HashingWriter { inner, sink: Arc::clone(&sink) }, sink)
}

/// Checksum and size of what went through `sink`.
fn written(sink: &Mutex<Sink>) -> (u64, u64) {
    let sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
    (sink.hash.digest(), sink.bytes)
}

fn properties(file_schema: &Schema, row_group_rows: usize) -> WriterProperties {
    let sorting = SORT_COLUMNS
        .iter()
        .filter_map(|name| file_schema.index_of(name).ok())
        .map(|index| SortingColumn { column_idx: index as i32, descending: false, nulls_first: false })
        .collect();
    let mut builder = WriterProperties::builder()
        .set_created_by(created_by())
        .set_max_row_group_row_count(Some(row_group_rows))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorting))
        .set_compression(zstd());
    for name in [schema::TS, "received_at"] {
        let column = ColumnPath::from(name);
        builder = builder
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column.clone(), Encoding::DELTA_BINARY_PACKED)
            .set_column_compression(column, Compression::UNCOMPRESSED);
    }
    for name in DICTIONARY_COLUMNS {
        let column = ColumnPath::from(name);
        builder = builder
            .set_column_dictionary_enabled(column.clone(), true)
            .set_column_dictionary_page_size_limit(column.clone(), DICTIONARY_BYTES)
            .set_column_compression(column, Compression::UNCOMPRESSED);
    }
    for (name, bytes) in [(schema::USER_KEY, KEY_PAGE_BYTES), (schema::EVENT_ID, EVENT_ID_PAGE_BYTES)] {
        builder = builder.set_column_data_page_size_limit(ColumnPath::from(name), bytes);
    }
    // Among the people of a row group, who are neighbours by hash alone, nearly every text occurs: smallest and largest
    // would be found with two comparisons a value and leave out nothing. Nor need footers show ids and properties.
    let is_text = |field: &&FieldRef| *field.data_type() == DataType::Utf8;
    for field in file_schema.fields().iter().filter(is_text) {
        builder = builder
            .set_column_statistics_enabled(ColumnPath::from(field.name().as_str()), EnabledStatistics::None);
    }
    // Unique per row: a dictionary would only be built to be thrown away.
    builder.set_column_dictionary_enabled(ColumnPath::from(schema::EVENT_ID), false).build()
}

struct Sink {
    hash: Xxh64,
    bytes: u64,
}

/// Passes bytes on to the object store and hashes them on the way.
struct HashingWriter {
    inner: BufWriter,
    sink: Arc<Mutex<Sink>>,
}

impl AsyncFileWriter for HashingWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, parquet::errors::Result<()>> {
        {
            let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
            sink.hash.update(&bytes);
            sink.bytes += bytes.len() as u64;
        }
        Box::pin(async move { self.inner.put(bytes).await.map_err(|e| ParquetError::External(Box::new(e))) })
    }

    fn complete(&mut self) -> BoxFuture<'_, parquet::errors::Result<()>> {
        Box::pin(async move { self.inner.shutdown().await.map_err(|e| ParquetError::External(Box::new(e))) })
    }
}
