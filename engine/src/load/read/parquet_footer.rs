//! The footer of a Parquet file: its columns, checked against its size before anything is allocated for it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use tokio::runtime::Handle;

use super::options::InputFormat;
use super::parquet_batches::guarded;
use super::parquet_pages::check_counts;
use super::sniff::mistaken_format;
use super::source::{Origin, SourceFile};
use crate::load::error::LoadError;
use crate::object_file::ObjectFile;
use crate::store::encodings::is_all_in_dictionary;

/// A column chunk that declares more than this, and more than [`MAX_RATIO`] times its stored size, is taken for a
/// decompression bomb.
const SUSPICIOUS_BYTES: i64 = 1 << 30;
/// Compression ratio above which a large column chunk is suspicious.
const MAX_RATIO: i64 = 1_000;
/// Rows after which their number is compared with the size of the file, and the most for each of its bytes.
const SUSPICIOUS_ROWS: i64 = 1 << 20;
const MAX_ROWS_PER_BYTE: i64 = 64;
const MAGIC: &[u8; 4] = b"PAR1";
/// What the layers above the decoder put before its messages.
const LAYERS: [&str; 4] = ["Parquet argument error:", "Parquet error:", "External:", "Arrow:"];

/// The footer of a file, checked.
pub(super) struct Footer {
    pub(super) metadata: ArrowReaderMetadata,
}

impl Footer {
    pub(super) fn read(file: &SourceFile) -> Result<Self, LoadError> {
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

    pub(super) fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.schema().fields().iter().map(|f| f.name().clone()).collect()
    }

    /// Reads the text of some columns as dictionaries, where the file has dictionaries for all of it, as far as it tells.
    pub(super) fn with_codes(self, columns: &[usize]) -> Self {
        let (metadata, leaves) = (self.metadata.metadata(), self.metadata.parquet_schema());
        let has_dictionary = |column: usize| {
            (0..leaves.num_columns()).filter(|leaf| leaves.get_column_root_idx(*leaf) == column).all(|leaf| {
                metadata
                    .row_groups()
                    .iter()
                    .all(|group| is_all_in_dictionary(group.column(leaf)) != Some(false))
            })
        };
        let fields = self.schema().fields().iter().enumerate().map(|(column, field)| {
            let is_text =
                matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
            if !is_text || !columns.contains(&column) || !has_dictionary(column) {
                return Arc::clone(field);
            }
            let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(field.as_ref().clone().with_data_type(coded))
        });
        let fields: Fields = fields.collect();
        let schema = Schema::new_with_metadata(fields, self.schema().metadata().clone());
        let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
        match ArrowReaderMetadata::try_new(Arc::clone(metadata), options) {
            Ok(metadata) => Self { metadata },
            // Then all text is read as it is.
            Err(_) => self,
        }
    }
}

/// The columns of a Parquet file.
pub(super) fn parquet_columns(file: &SourceFile) -> Result<Vec<Field>, LoadError> {
    let footer = Footer::read(file)?;
    Ok(footer.schema().fields().iter().map(|f| f.as_ref().clone()).collect())
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
            let data = column.data_page_offset();
            // Where the decoder looks for the chunk.
            let start = column.dictionary_page_offset().unwrap_or(data);
            let end = start.checked_add(stored).and_then(|end| u64::try_from(end).ok());
            let is_outside = data < 0 || start < 0 || end.is_none_or(|end| end > file.size);
            if is_outside || stored < 0 || declared < 0 {
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

/// Ranges of an object.
pub(super) fn object_reader(
    file: &SourceFile,
    store: &Arc<dyn ObjectStore>,
    location: &object_store::path::Path,
) -> ObjectFile {
    ObjectFile::new(Arc::clone(store), location.clone(), file.size)
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
pub(super) fn one_line(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let mut line = text.lines().next().unwrap_or_default().trim();
    while let Some(rest) = LAYERS.iter().find_map(|layer| line.strip_prefix(layer)) {
        line = rest.trim_start();
    }
    line.to_owned()
}
