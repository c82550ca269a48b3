//! The stored bytes of a Parquet file, a row group at a time.
//!
//! A file is read from its first byte to its last, once, wherever it is: what passes by is hashed, and the column chunks of the
//! row groups that are wanted are kept. A local file with row groups too large for that is hashed first and read by ranges
//! then, both through one handle, and so is any file whose row groups do not follow each other.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;

use super::parquet_footer::object_reader;
use super::parquet_pages::ByteSource;
use super::source::{Origin, SourceFile};
use super::stream::{Passed, StoredBytes, open_stored, stored, stream_error};
use crate::load::error::LoadError;
use crate::object_file::ObjectFile;

/// Bytes that are read at once: they are hashed while they are in the processor's cache.
const READ_BYTES: usize = 256 << 10;

/// Gives the column chunks of row groups in order.
pub(super) struct ChunkSource {
    file: SourceFile,
    mask: ProjectionMask,
    passed: Arc<Passed>,
    from: From,
}

enum From {
    /// All bytes as they pass by, and how many have.
    Stream(Box<StoredBytes>, u64),
    File(Arc<File>),
    Object(Handle, ObjectFile),
}

impl ChunkSource {
    /// The chunks of the columns in `mask`; of local files at most `kept_bytes` are kept of a row group.
    ///
    /// # Errors
    /// [`LoadError::Read`] and [`LoadError::Changed`].
    pub(super) fn open(
        file: &SourceFile,
        metadata: &ParquetMetaData,
        mask: ProjectionMask,
        kept_bytes: u64,
    ) -> Result<Self, LoadError> {
        if is_read_through(file, metadata, &mask, kept_bytes) {
            let (stream, passed) = open_stored(file)?;
            return Ok(Self { file: file.clone(), mask, passed, from: From::Stream(Box::new(stream), 0) });
        }
        let at_start = |error: io::Error| LoadError::read(&file.display, "at its start", error);
        let (from, (mut stream, passed)) = match &file.origin {
            Origin::Local(path) => {
                let input = File::open(path).map_err(at_start)?;
                let whole = stored(file, Box::new(input.try_clone().map_err(at_start)?));
                (From::File(Arc::new(input)), whole)
            }
            Origin::Object { store, location } => {
                let handle = Handle::try_current().map_err(|error| at_start(io::Error::other(error)))?;
                (From::Object(handle, object_reader(file, store, location)), open_stored(file)?)
            }
        };
        pass_by(&mut stream, u64::MAX).map_err(|error| stream_error(file, "before its rows", error))?;
        Ok(Self { file: file.clone(), mask, passed, from })
    }

    /// What of the file has passed by.
    pub(super) fn passed(&self) -> &Arc<Passed> {
        &self.passed
    }

    pub(super) fn mask(&self) -> &ProjectionMask {
        &self.mask
    }

    /// The chunks of the next row groups.
    ///
    /// # Errors
    /// [`LoadError::Read`], and [`LoadError::Changed`] if the file is not as long as when it was found.
    pub(super) fn chunks(&mut self, groups: &[RowGroupMetaData], place: &str) -> Result<Chunks, LoadError> {
        let ranges: Vec<Range<u64>> = groups.iter().flat_map(|group| ranges_of(group, &self.mask)).collect();
        match &mut self.from {
            From::File(file) => Ok(Chunks::File(Arc::clone(file))),
            From::Stream(stream, at) => ranges
                .into_iter()
                .map(|range| {
                    pass_by(stream, range.start.saturating_sub(*at))?;
                    let bytes = keep(stream, range.end - range.start)?;
                    *at = range.end;
                    Ok(Part { start: range.start, bytes })
                })
                .collect::<io::Result<_>>()
                .map(Chunks::Parts)
                .map_err(|error| stream_error(&self.file, place, error)),
            From::Object(handle, object) => {
                let fetched = handle.block_on(object.get_byte_ranges(ranges.clone()));
                let fetched = fetched.map_err(|error| LoadError::read(&self.file.display, place, error))?;
                let parts = ranges.into_iter().zip(fetched);
                let mut parts: Vec<Part> =
                    parts.map(|(range, bytes)| Part { start: range.start, bytes }).collect();
                parts.sort_unstable_by_key(|part| part.start);
                Ok(Chunks::Parts(parts))
            }
        }
    }

    /// Reads what is left, so that all of the file has passed by.
    ///
    /// # Errors
    /// Those of [`Self::chunks`].
    pub(super) fn finish(&mut self, place: &str) -> Result<(), LoadError> {
        let From::Stream(stream, _) = &mut self.from else { return Ok(()) };
        pass_by(stream, u64::MAX).map_err(|error| stream_error(&self.file, place, error))
    }
}

/// Whether the chunks of each row group lie behind those of the one before it, and are few enough to be kept.
fn is_read_through(
    file: &SourceFile,
    metadata: &ParquetMetaData,
    mask: &ProjectionMask,
    kept_bytes: u64,
) -> bool {
    let most = match &file.origin {
        Origin::Local(_) => kept_bytes,
        // What cannot be read at once must be kept all the same.
        Origin::Object { .. } => u64::MAX,
    };
    let mut at = 0;
    metadata.row_groups().iter().all(|group| {
        let ranges = ranges_of(group, mask);
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let follows = ranges.first().is_none_or(|first| first.start >= at);
        at = ranges.last().map_or(at, |last| last.end);
        follows && bytes <= most
    })
}

/// Where the chunks of the columns in `mask` are: in order, those that touch as one.
fn ranges_of(group: &RowGroupMetaData, mask: &ProjectionMask) -> Vec<Range<u64>> {
    let columns = group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
    let mut chunks: Vec<Range<u64>> = columns
        .map(|(_, column)| {
            let (start, length) = column.byte_range();
            start..start + length
        })
        .filter(|range| !range.is_empty())
        .collect();
    chunks.sort_unstable_by_key(|range| (range.start, range.end));
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for chunk in chunks {
        match ranges.last_mut() {
            Some(last) if chunk.start <= last.end => last.end = last.end.max(chunk.end),
            _ => ranges.push(chunk),
        }
    }
    ranges
}

/// Reads `count` bytes, or all there are.
fn pass_by(stream: &mut StoredBytes, count: u64) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let mut chunks = BufReader::with_capacity(READ_BYTES, stream.take(count));
    io::copy(&mut chunks, &mut io::sink()).map(|_| ())
}

/// Reads `count` bytes, which lie within the file.
fn keep(stream: &mut StoredBytes, count: u64) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(count).map_err(io::Error::other)?];
    for chunk in bytes.chunks_mut(READ_BYTES) {
        stream.read_exact(chunk)?;
    }
    Ok(bytes.into())
}

/// The column chunks of a row group.
#[derive(Debug, Clone)]
pub(super) enum Chunks {
    /// In memory, in the order in which they are in the file.
    Parts(Vec<Part>),
    File(Arc<File>),
}

/// A part of a file, from its first byte on.
#[derive(Debug, Clone)]
pub(super) struct Part {
    start: u64,
    bytes: Bytes,
}

impl Chunks {
    /// What is in memory from `offset` on, as far as it is in one piece; empty if nothing is.
    fn part_at(parts: &[Part], offset: u64) -> Bytes {
        let part = parts[..parts.partition_point(|part| part.start <= offset)].last();
        let from = |part: &Part| usize::try_from(offset - part.start).ok();
        let there =
            part.and_then(|part| Some(part.bytes.slice(from(part).filter(|at| *at <= part.bytes.len())?..)));
        there.unwrap_or_default()
    }
}

impl ByteSource for Chunks {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::File(file) => ByteSource::read_at(file.as_ref(), out, offset),
            Self::Parts(parts) => {
                let mut there = Self::part_at(parts, offset);
                let count = there.len().min(out.len());
                there.copy_to_slice(&mut out[..count]);
                Ok(count)
            }
        }
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        match self {
            Self::File(file) => Length::len(file.as_ref()),
            Self::Parts(parts) => parts.last().map_or(0, |part| part.start + part.bytes.len() as u64),
        }
    }
}

impl ChunkReader for Chunks {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(match self {
            Self::File(file) => Box::new(file.as_ref().get_read(start)?),
            Self::Parts(parts) => Box::new(Self::part_at(parts, start).reader()),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        match self {
            Self::File(file) => file.as_ref().get_bytes(start, length),
            Self::Parts(parts) => {
                let mut there = Self::part_at(parts, start);
                if there.len() < length {
                    let reason = format!("{length} bytes at {start} do not lie within their column chunk");
                    return Err(ParquetError::EOF(reason));
                }
                there.truncate(length);
                Ok(there)
            }
        }
    }
}
