//! What a file is: its content proves compression and binary formats, its name or an option says the rest.

use std::sync::Arc;

use arrow::datatypes::Field;

use super::avro::AvroRecords;
use super::csv_file::csv_columns;
use super::json_file::json_columns;
use super::json_records::JsonRecords;
use super::options::{InputFormat, ReadOptions};
use super::parquet_footer::parquet_columns;
use super::preset;
use super::records::Records;
use super::sniff::{guessed_format, mistaken_format, signed_format};
use super::source::{Compression, SourceFile};
use super::stream::{ByteStream, Passed, open_stream};
use crate::load::error::LoadError;

/// A file of which it is known how to read it.
pub(super) enum Opened {
    Csv(ByteStream),
    /// Records as JSON objects, and the bytes that have passed.
    Records(Box<dyn Records>, Arc<Passed>),
    /// Read from its end: nothing is open yet.
    Parquet,
}

/// What a file turned out to be.
pub(super) enum Recognised {
    /// A stream; the format is known unless the text could be anything.
    Text(Option<InputFormat>, ByteStream),
    Parquet,
}

/// Opens `file` for its rows.
///
/// # Errors
/// [`LoadError::Input`] if the format cannot be told, or is not what `--format` says; those of reading.
pub(super) fn open_recognised(file: &SourceFile, options: &ReadOptions) -> Result<Opened, LoadError> {
    let recognised = recognise(file, options)?;
    if let Some(preset) = options.preset {
        return preset::open(preset, file, recognised, options);
    }
    match recognised {
        Recognised::Parquet => Ok(Opened::Parquet),
        Recognised::Text(format, stream) => {
            let (format, stream) = known_format(format, stream)?;
            records(format, stream, options)
        }
    }
}

/// The rows of a stream in a known format.
pub(super) fn records(
    format: InputFormat,
    stream: ByteStream,
    options: &ReadOptions,
) -> Result<Opened, LoadError> {
    let passed = Arc::clone(&stream.passed);
    Ok(match format {
        InputFormat::Csv => Opened::Csv(stream),
        InputFormat::Ndjson => {
            Opened::Records(Box::new(JsonRecords::open(stream, options.max_record_bytes)?), passed)
        }
        InputFormat::Avro => {
            Opened::Records(Box::new(AvroRecords::open(stream, options.max_record_bytes)?), passed)
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
    let Recognised::Text(format, stream) = recognise(file, options)? else {
        return Ok((InputFormat::Parquet, parquet_columns(file)?));
    };
    let (format, stream) = known_format(format, stream)?;
    let columns = match format {
        InputFormat::Csv => csv_columns(stream, options)?,
        InputFormat::Ndjson => json_columns(JsonRecords::open(stream, options.max_record_bytes)?)?,
        InputFormat::Avro => AvroRecords::open(stream, options.max_record_bytes)?.columns(),
        InputFormat::Parquet => parquet_columns(file)?,
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
    match recognise(file, options)? {
        Recognised::Parquet => Ok((InputFormat::Parquet, Compression::None)),
        Recognised::Text(format, stream) => {
            let (format, stream) = known_format(format, stream)?;
            Ok((format, stream.file.compression))
        }
    }
}

fn recognise(file: &SourceFile, options: &ReadOptions) -> Result<Recognised, LoadError> {
    let said = options.format.or(file.format);
    if said == Some(InputFormat::Parquet) && file.compression == Compression::None {
        return Ok(Recognised::Parquet);
    }
    let mut stream = open_stream(file)?;
    let compression = stream.file.compression;
    let start = stream.start()?;
    let signed = signed_format(start);
    let format = match (options.format, signed) {
        // The reader of the format tells what it has got instead.
        (Some(given), _) => Some(given),
        (None, Some(signed)) => Some(signed),
        (None, None) => file.format.or_else(|| guessed_format(start)),
    };
    if format != Some(InputFormat::Parquet) {
        return Ok(Recognised::Text(format, stream));
    }
    if compression != Compression::None {
        return Err(LoadError::input(
            &file.display,
            format!("Parquet inside {} is not read; decompress the file first", compression.name()),
        ));
    }
    Ok(Recognised::Parquet)
}

/// The format of a stream, if there is any sign of it.
fn known_format(
    format: Option<InputFormat>,
    mut stream: ByteStream,
) -> Result<(InputFormat, ByteStream), LoadError> {
    if let Some(format) = format {
        return Ok((format, stream));
    }
    let start = stream.start()?;
    let problem = mistaken_format(InputFormat::Csv, start).unwrap_or_else(|| {
        "neither its extension (.csv, .json, .ndjson, .parquet, .avro, and .gz, .zst, .bz2, .xz, .sz around them) \
         nor its content tells what it is; say it with --format, or leave it out with a pattern such as 'dir/*.csv'"
            .to_owned()
    });
    Err(LoadError::input(&stream.file.display, problem))
}
