//! Parquet files, local or in an object store.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{Field, FieldRef, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::async_reader::{
    AsyncFileReader, ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use tokio::runtime::Handle;

use super::assemble::{Assembler, ParsedBatch, Rows};
use super::json_text::append_string;
use super::options::{InputFormat, ReadOptions};
use super::parquet_pages::{PageError, Part, check_chunk, check_counts, rows_that_fit};
use super::records::{Records, find_byte};
use super::rejected::RowPlace;
use super::row_groups::RowGroups;
use super::sniff::mistaken_format;
use super::source::{Origin, SourceFile};
use super::targets::{Targets, check_distinct, shared};
use super::text_column::TextColumn;
use super::timestamp::TimestampRule;
use crate::load::error::LoadError;
use crate::object_file::ObjectFile;

/// A column chunk that declares more than this, and more than [`MAX_RATIO`] times its stored size, is taken for a
/// decompression bomb.
const SUSPICIOUS_BYTES: i64 = 1 << 30;
/// Compression ratio above which a large column chunk is suspicious.
const MAX_RATIO: i64 = 1_000;
/// Rows after which their number is compared with the size of the file, and the most for each of its bytes.
const SUSPICIOUS_ROWS: i64 = 1 << 20;
const MAX_ROWS_PER_BYTE: i64 = 64;
/// Bytes of decoded rows after which they are compared with the size of the file, and the most for each of its bytes:
/// a dictionary may repeat a long text in every row.
const SUSPICIOUS_OUTPUT: u64 = 256 << 20;
const MAX_OUTPUT_RATIO: u64 = 1_000;
/// Rows of a batch from an object store, where pages are seen only as they come, and the repeated text for which
/// that leaves room.
const OBJECT_BATCH_ROWS: usize = 2_048;
const OBJECT_BATCH_BYTES: u64 = 1 << 30;
const MAGIC: &[u8; 4] = b"PAR1";
/// What the layers above the decoder put before its messages.
const LAYERS: [&str; 4] = ["Parquet argument error:", "Parquet error:", "External:", "Arrow:"];

/// Reads one Parquet file.
#[derive(Debug)]
pub(super) struct ParquetFile {
    path: Arc<str>,
    batches: Batches,
    assembler: Assembler,
    /// Positions within a batch of the columns that join `properties`, with `"name":`.
    extras: Vec<(usize, Vec<u8>)>,
    rows_read: u64,
    groups: RowGroups,
    /// Bytes of the file, and of the rows that came out of it so far.
    size: u64,
    produced: u64,
    finished: bool,
}

enum Batches {
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
    fn next(&mut self) -> Option<Result<RecordBatch, ArrowError>> {
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
fn guarded<T>(decode: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(decode)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "the data cannot be decoded".to_owned())
    })
}

impl ParquetFile {
    /// Reads the footer and matches the columns; only columns that are used will be read.
    pub(super) fn open(
        file: &SourceFile,
        options: &Arc<ReadOptions>,
        targets: Targets,
        rule: TimestampRule,
    ) -> Result<Self, LoadError> {
        let footer = Footer::read(file)?;
        let names = footer.names();
        check_distinct(&file.display, &names)?;
        let matched = targets.match_columns(&file.display, &names)?;
        let mut used: Vec<usize> = matched.by_target.iter().flatten().copied().collect();
        used.extend(&matched.leftovers);
        used.sort_unstable();
        used.dedup();
        let position = |column: usize| used.binary_search(&column).ok();
        let by_target: Vec<Option<usize>> = matched.by_target.iter().map(|c| c.and_then(position)).collect();
        let mut extras = Vec::new();
        for column in &matched.leftovers {
            let mut key = Vec::new();
            append_string(&names[*column], &mut key);
            key.push(b':');
            extras.extend(position(*column).map(|at| (at, key)));
        }
        let path = shared(&file.display);
        let mut assembler = Assembler::new(Arc::clone(&path), targets, rule, &by_target)?;
        for (target, column) in matched.by_target.iter().enumerate() {
            if let Some(column) = column {
                assembler.set_name(target, &names[*column]);
            }
        }
        let groups = RowGroups::of(footer.metadata.metadata());
        let batches = footer.batches(file, &used, options.batch_rows)?;
        Ok(Self {
            path,
            batches,
            assembler,
            extras,
            rows_read: 0,
            groups,
            size: file.size,
            produced: 0,
            finished: false,
        })
    }

    /// The next batch; `None` at the end of the file.
    ///
    /// # Errors
    /// [`LoadError::Damaged`] if the file does not hold what its footer says. Nothing follows an error.
    pub(super) fn next_batch(&mut self) -> Option<Result<ParsedBatch, LoadError>> {
        if self.finished {
            return None;
        }
        let parsed = match self.batches.next() {
            None if self.rows_read < self.groups.rows() => {
                let reason = format!("its footer promises {} rows; write it again", self.groups.rows());
                Some(Err(self.damaged(reason)))
            }
            None => None,
            Some(Ok(batch)) => Some(self.parse(&batch)),
            Some(Err(ArrowError::ExternalError(source))) => {
                Some(Err(LoadError::read(self.path.as_ref(), self.groups.after(self.rows_read), source)))
            }
            Some(Err(error)) => {
                Some(Err(self.damaged(format!("{}; copy or write the file again", one_line(&error)))))
            }
        };
        self.finished = !matches!(parsed, Some(Ok(_)));
        parsed
    }

    /// Share of the rows read, for progress: (rows read, rows in the file).
    pub(super) fn progress(&self) -> (u64, u64) {
        (self.rows_read, self.groups.rows())
    }

    fn parse(&mut self, batch: &RecordBatch) -> Result<ParsedBatch, LoadError> {
        self.produced += batch.get_array_memory_size() as u64;
        if self.produced > SUSPICIOUS_OUTPUT && self.produced / MAX_OUTPUT_RATIO > self.size {
            return Err(self.damaged(format!(
                "its rows come to more than {MAX_OUTPUT_RATIO} times its size, as those of a decompression bomb do"
            )));
        }
        let members = if self.extras.is_empty() { None } else { Some(self.members(batch)?) };
        let rows = ParquetRows { first: self.rows_read + 1, batch };
        self.rows_read += batch.num_rows() as u64;
        let columns: &[ArrayRef] = batch.columns();
        self.assembler.assemble(batch.num_rows(), columns, members.as_ref(), &rows, Vec::new())
    }

    /// The extra columns of each row as JSON members, by type.
    fn members(&self, batch: &RecordBatch) -> Result<StringArray, LoadError> {
        let unsupported = |name: &str, error: &ArrowError| {
            LoadError::input(
                self.path.as_ref(),
                format!("column {name:?} cannot become a property: {}", one_line(error)),
            )
        };
        let options = EncoderOptions::default();
        let schema = batch.schema();
        let fields: Vec<FieldRef> =
            self.extras.iter().map(|(at, _)| Arc::clone(&schema.fields()[*at])).collect();
        let mut encoders = Vec::with_capacity(fields.len());
        for ((at, key), field) in self.extras.iter().zip(&fields) {
            let encoder = make_encoder(field, batch.column(*at).as_ref(), &options)
                .map_err(|error| unsupported(field.name(), &error))?;
            encoders.push((key, encoder));
        }
        let mut members = TextColumn::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            for (key, encoder) in &mut encoders {
                if encoder.is_null(row) {
                    continue;
                }
                let separator = members.has_open_bytes();
                let out = members.open();
                if separator {
                    out.push(b',');
                }
                out.extend_from_slice(key);
                encoder.encode(row, out);
            }
            if members.has_open_bytes() {
                members.close();
            } else {
                members.push_null();
            }
        }
        members.finish().map_err(|error| unsupported("properties", &error))
    }

    fn damaged(&self, reason: String) -> LoadError {
        LoadError::damaged(self.path.as_ref(), self.groups.after(self.rows_read), reason)
    }
}

struct ParquetRows<'a> {
    /// Number of the batch's first row in the file, from 1.
    first: u64,
    batch: &'a RecordBatch,
}

impl Rows for ParquetRows<'_> {
    fn place(&self, row: usize) -> RowPlace {
        RowPlace::Row(self.first + row as u64)
    }

    fn raw(&self, row: usize) -> String {
        let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
        let written = writer.write(&self.batch.slice(row, 1)).and_then(|()| writer.finish());
        match written {
            Ok(()) => String::from_utf8_lossy(writer.into_inner().trim_ascii_end()).into_owned(),
            Err(error) => format!("(cannot be shown: {})", one_line(&error)),
        }
    }
}

/// The footer of a file, checked.
struct Footer {
    metadata: ArrowReaderMetadata,
}

impl Footer {
    fn read(file: &SourceFile) -> Result<Self, LoadError> {
        guarded(|| Self::decode(file)).unwrap_or_else(|reason| Err(undecodable(file, &reason)))
    }

    fn decode(file: &SourceFile) -> Result<Self, LoadError> {
        let metadata = match &file.origin {
            Origin::Local(path) => {
                let at_start = |error: std::io::Error| LoadError::read(&file.display, "at its start", error);
                let mut input = File::open(path).map_err(at_start)?;
                check_magic(file, &mut input)?;
                ArrowReaderMetadata::load(&input, ArrowReaderOptions::new())
            }
            Origin::Object { store, location } => {
                let handle = Handle::try_current()
                    .map_err(|error| LoadError::read(&file.display, "at its start", error))?;
                let mut reader = object_reader(file, store, location);
                handle.block_on(ArrowReaderMetadata::load_async(&mut reader, ArrowReaderOptions::new()))
            }
        };
        let metadata = metadata.map_err(|error| footer_error(file, &error))?;
        check_sizes(file, metadata.metadata())?;
        Ok(Self { metadata })
    }

    fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    fn names(&self) -> Vec<String> {
        self.schema().fields().iter().map(|f| f.name().clone()).collect()
    }

    fn batches(self, file: &SourceFile, columns: &[usize], batch_rows: usize) -> Result<Batches, LoadError> {
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
struct CheckedObject {
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

fn object_reader(
    file: &SourceFile,
    store: &Arc<dyn ObjectStore>,
    location: &object_store::path::Path,
) -> ObjectFile {
    ObjectFile::new(Arc::clone(store), location.clone(), file.size)
}

/// Checks both ends of a local file, so that the message tells what the file is instead.
fn check_magic(file: &SourceFile, input: &mut File) -> Result<(), LoadError> {
    let failed = |error: std::io::Error| LoadError::read(&file.display, "at its start", error);
    if file.size == 0 {
        return Err(LoadError::input(&file.display, "it is empty: expected a Parquet file"));
    }
    let mut start = Vec::new();
    input.take(4096).read_to_end(&mut start).map_err(failed)?;
    if start.starts_with(b"PARE") {
        return Err(LoadError::input(&file.display, "it is an encrypted Parquet file; decrypt it first"));
    }
    if !start.starts_with(MAGIC) {
        let told = mistaken_format(InputFormat::Parquet, &start);
        let told = told.unwrap_or_else(|| {
            "this is not a Parquet file: it looks like text; use --format csv or --format ndjson".to_owned()
        });
        return Err(LoadError::input(&file.display, told));
    }
    let mut end = [0; 4];
    let complete = file.size >= 12;
    if complete {
        input.seek(SeekFrom::End(-4)).map_err(failed)?;
        input.read_exact(&mut end).map_err(failed)?;
    }
    if !complete || end != *MAGIC {
        return Err(LoadError::damaged(
            &file.display,
            format!("after {} bytes", file.size),
            "this is a Parquet file that ends too early; copy or write it again",
        ));
    }
    Ok(())
}

/// Checks what the footer declares against the file's size before anything is allocated for it.
fn check_sizes(file: &SourceFile, metadata: &ParquetMetaData) -> Result<(), LoadError> {
    let damaged = |group: usize, reason: String| {
        LoadError::damaged(&file.display, format!("in row group {group}"), reason)
    };
    let mut rows = 0_i64;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        rows = rows.saturating_add(group.num_rows().max(0));
        check_counts(group).map_err(|reason| damaged(index, reason))?;
        if group.num_rows() < 0 {
            return Err(damaged(
                index,
                "its footer declares a negative number of rows; write the file again".to_owned(),
            ));
        }
        for column in group.columns() {
            let stored = column.compressed_size();
            let declared = column.uncompressed_size();
            let start = column
                .dictionary_page_offset()
                .unwrap_or(column.data_page_offset())
                .min(column.data_page_offset());
            let end = start.checked_add(stored).and_then(|end| u64::try_from(end).ok());
            if start < 0 || stored < 0 || declared < 0 || end.is_none_or(|end| end > file.size) {
                let reason = format!(
                    "column {:?} is said to lie outside the file; copy or write the file again",
                    column.column_path().string()
                );
                return Err(damaged(index, reason));
            }
            if declared > SUSPICIOUS_BYTES && declared / MAX_RATIO > stored {
                let reason = format!(
                    "column {:?} declares {declared} bytes in {stored}, more than {MAX_RATIO} to 1; write the file with smaller row groups",
                    column.column_path().string()
                );
                return Err(damaged(index, reason));
            }
        }
    }
    if rows > SUSPICIOUS_ROWS && u64::try_from(rows / MAX_ROWS_PER_BYTE).is_ok_and(|bytes| bytes > file.size)
    {
        let reason = format!(
            "its footer declares {rows} rows, more than the limit of {MAX_ROWS_PER_BYTE} for each byte of the file, \
             as a decompression bomb does"
        );
        return Err(damaged(0, reason));
    }
    if rows != metadata.file_metadata().num_rows() {
        return Err(damaged(
            0,
            "its footer contradicts itself on the number of rows; write the file again".to_owned(),
        ));
    }
    Ok(())
}

fn footer_error(file: &SourceFile, error: &ParquetError) -> LoadError {
    if let ParquetError::External(source) = error {
        let text = source.to_string();
        return LoadError::read(&file.display, "at its footer", text);
    }
    undecodable(file, &one_line(error))
}

fn undecodable(file: &SourceFile, reason: &str) -> LoadError {
    let told =
        format!("this is not a Parquet file, or one that ends too early ({reason}); copy or write it again");
    LoadError::damaged(&file.display, "in its footer", told)
}

/// The message of the decoder on one line, without the names of the layers that it came through.
fn one_line(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let mut line = text.lines().next().unwrap_or_default().trim();
    while let Some(rest) = LAYERS.iter().find_map(|layer| line.strip_prefix(layer)) {
        line = rest.trim_start();
    }
    line.to_owned()
}

/// The rows of a Parquet file as JSON objects, for presets. Holds one batch at a time.
#[derive(Debug)]
pub(super) struct ParquetRecords {
    path: Arc<str>,
    batches: Batches,
    /// The rows of the batch, one JSON object a line, and the one that is current.
    lines: Vec<u8>,
    at: Range<usize>,
    row: u64,
    groups: RowGroups,
}

impl ParquetRecords {
    /// Reads the footer; all columns will be read.
    pub(super) fn open(file: &SourceFile, options: &ReadOptions) -> Result<Self, LoadError> {
        let footer = Footer::read(file)?;
        let columns: Vec<usize> = (0..footer.schema().fields().len()).collect();
        let groups = RowGroups::of(footer.metadata.metadata());
        let batches = footer.batches(file, &columns, options.batch_rows)?;
        Ok(Self { path: shared(&file.display), batches, lines: Vec::new(), at: 0..0, row: 0, groups })
    }

    fn fill(&mut self) -> Result<bool, LoadError> {
        let place = self.groups.after(self.row);
        let batch = match self.batches.next() {
            None if self.row < self.groups.rows() => {
                let reason = format!("its footer promises {} rows; write it again", self.groups.rows());
                return Err(LoadError::damaged(self.path.as_ref(), place, reason));
            }
            None => return Ok(false),
            Some(Ok(batch)) => batch,
            Some(Err(ArrowError::ExternalError(source))) => {
                return Err(LoadError::read(self.path.as_ref(), place, source));
            }
            Some(Err(error)) => {
                let reason = format!("{}; copy or write the file again", one_line(&error));
                return Err(LoadError::damaged(self.path.as_ref(), place, reason));
            }
        };
        let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
        writer.write(&batch).and_then(|()| writer.finish()).map_err(|error| {
            LoadError::input(self.path.as_ref(), format!("its rows have no JSON: {}", one_line(&error)))
        })?;
        self.lines = writer.into_inner();
        self.at = 0..0;
        Ok(true)
    }
}

impl Records for ParquetRecords {
    fn path(&self) -> &Arc<str> {
        &self.path
    }

    fn next(&mut self) -> Result<bool, LoadError> {
        let mut start = self.at.end;
        while start >= self.lines.len() {
            if !self.fill()? {
                return Ok(false);
            }
            start = 0;
        }
        let rest = &self.lines[start..];
        let length = find_byte(rest, b'\n').map_or(rest.len(), |end| end + 1);
        self.at = start..start + length;
        self.row += 1;
        Ok(true)
    }

    fn text(&self) -> &[u8] {
        self.lines[self.at.clone()].trim_ascii_end()
    }

    fn place(&self) -> RowPlace {
        RowPlace::Row(self.row)
    }

    fn consume(&mut self) {}

    fn expected(&self) -> &'static str {
        "a Parquet file with rows"
    }
}

/// The columns of a Parquet file.
pub(super) fn parquet_columns(file: &SourceFile) -> Result<Vec<Field>, LoadError> {
    let footer = Footer::read(file)?;
    Ok(footer.schema().fields().iter().map(|f| f.as_ref().clone()).collect())
}

#[cfg(test)]
mod tests;
