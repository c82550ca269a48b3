//! What a file is: its content proves compression and binary formats, its name or an option says the rest.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::datatypes::Field;

use super::avro::AvroRecords;
use super::csv_file::csv_columns;
use super::json_file::json_columns;
use super::json_records::JsonRecords;
use super::options::{InputFormat, ReadOptions};
use super::parquet_file::parquet_columns;
use super::records::Records;
use super::sniff::{guessed_format, mistaken_format, signed_format};
use super::source::{Compression, SourceFile};
use super::stream::{ByteStream, open_stream};
use crate::load::error::LoadError;

/// A file of which it is known how to read it.
pub(super) enum Opened {
    Csv(ByteStream),
    /// Records as JSON objects, and the bytes read so far.
    Records(Box<dyn Records>, Arc<AtomicU64>),
    /// Read from its end: nothing is open yet.
    Parquet,
}

/// Opens `file` for its rows.
///
/// # Errors
/// [`LoadError::Input`] if the format cannot be told, or is not what `--format` says; those of reading.
pub(super) fn open_recognised(file: &SourceFile, options: &ReadOptions) -> Result<Opened, LoadError> {
    let (format, stream) = recognise(file, options)?;
    let Some(stream) = stream else { return Ok(Opened::Parquet) };
    let progress = Arc::clone(&stream.progress);
    Ok(match format {
        InputFormat::Csv => Opened::Csv(stream),
        InputFormat::Ndjson => {
            Opened::Records(Box::new(JsonRecords::open(stream, options.max_record_bytes)?), progress)
        }
        InputFormat::Avro => {
            Opened::Records(Box::new(AvroRecords::open(stream, options.max_record_bytes)?), progress)
        }
        InputFormat::Parquet => Opened::Parquet,
    })
}

/// The columns of `file`. Reads JSON files as a whole.
///
/// # Errors
/// Those of [`open_recognised`] and of the format.
pub(super) fn columns(
    file: &SourceFile,
    options: &ReadOptions,
) -> Result<(InputFormat, Vec<Field>), LoadError> {
    let (format, stream) = recognise(file, options)?;
    let columns = match (format, stream) {
        (InputFormat::Csv, Some(stream)) => csv_columns(stream, options)?,
        (InputFormat::Ndjson, Some(stream)) => {
            json_columns(JsonRecords::open(stream, options.max_record_bytes)?)?
        }
        (InputFormat::Avro, Some(stream)) => AvroRecords::open(stream, options.max_record_bytes)?.columns(),
        _ => parquet_columns(file)?,
    };
    Ok((format, columns))
}

/// Format and compression of `file`. Blocks, as [`open_stream`] does.
///
/// # Errors
/// Those of [`open_recognised`].
pub fn recognised_kind(
    file: &SourceFile,
    options: &ReadOptions,
) -> Result<(InputFormat, Compression), LoadError> {
    let (format, stream) = recognise(file, options)?;
    Ok((format, stream.map_or(Compression::None, |stream| stream.file.compression)))
}

/// The format, with the open stream unless the file is Parquet.
fn recognise(
    file: &SourceFile,
    options: &ReadOptions,
) -> Result<(InputFormat, Option<ByteStream>), LoadError> {
    let said = options.format.or(file.format);
    if said == Some(InputFormat::Parquet) && file.compression == Compression::None {
        return Ok((InputFormat::Parquet, None));
    }
    let mut stream = open_stream(file)?;
    let compression = stream.file.compression;
    let start = stream.start()?;
    let is_empty = start.is_empty();
    let signed = signed_format(start);
    let format = match (options.format, signed) {
        // The reader of the format tells what it has got instead.
        (Some(given), _) => Some(given),
        (None, Some(signed)) => Some(signed),
        (None, None) => file.format.or_else(|| guessed_format(start)),
    };
    let Some(format) = format else {
        let problem = mistaken_format(InputFormat::Csv, start).filter(|_| !is_empty).unwrap_or_else(|| {
            "neither its extension (.csv, .json, .ndjson, .parquet, .avro, and .gz, .zst, .bz2, .xz, .sz around them) \
             nor its content tells what it is; say it with --format, or leave it out with a pattern such as 'dir/*.csv'"
                .to_owned()
        });
        return Err(LoadError::input(&file.display, problem));
    };
    if format != InputFormat::Parquet {
        return Ok((format, Some(stream)));
    }
    if compression != Compression::None {
        return Err(LoadError::input(
            &file.display,
            format!("Parquet inside {} is not read; decompress the file first", compression.name()),
        ));
    }
    Ok((format, None))
}
