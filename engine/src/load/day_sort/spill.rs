//! Rows on disk, in blocks that are read one by one.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use tempfile::NamedTempFile;

use super::{ENTRY_BYTES, Entry, block, first_bits, spill_error};
use crate::error::{Error, StoreError};

/// Where a block of rows is, and whose rows it has.
#[derive(Debug)]
pub(super) struct Block {
    offset: u64,
    length: usize,
    pub(super) rows: usize,
    /// The place of its schema among those of the file.
    schema: usize,
    /// What it takes in memory.
    pub(super) memory_bytes: usize,
    min_key: i64,
    max_key: i64,
}

impl Block {
    /// In which of `2^bits` ranges of people its rows are.
    pub(super) fn ranges(&self, bits: u8) -> RangeInclusive<u64> {
        first_bits(self.min_key, bits)..=first_bits(self.max_key, bits)
    }
}

/// A temporary file of blocks; it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct SpillFile {
    file: NamedTempFile,
    temp_dir: PathBuf,
    end: u64,
    buffer: Vec<u8>,
    /// The schemas of blocks: few, for they differ only in which columns are coded.
    schemas: Vec<SchemaRef>,
}

impl SpillFile {
    pub(super) fn create(temp_dir: &Path) -> Result<Self, Error> {
        let file = tempfile::Builder::new()
            .prefix("wayfare-sort-")
            .tempfile_in(temp_dir)
            .map_err(|error| spill_error(temp_dir, error))?;
        Ok(Self { file, temp_dir: temp_dir.to_owned(), end: 0, buffer: Vec::new(), schemas: Vec::new() })
    }

    /// Appends rows; `entries`: what they are sorted by, if they are.
    pub(super) fn write(&mut self, batch: &RecordBatch, entries: Option<&[Entry]>) -> Result<Block, Error> {
        self.buffer.clear();
        let encoded = block::encode(batch, &mut self.buffer);
        let lengthened = encoded.map_err(|error| spill_error(&self.temp_dir, error))?;
        let written = self.file.as_file().write_all_at(&self.buffer, self.end);
        written.map_err(|error| spill_error(&self.temp_dir, error))?;
        let known =
            |schema: &SchemaRef| Arc::ptr_eq(schema, batch.schema_ref()) || schema == batch.schema_ref();
        let schema = self.schemas.iter().position(known).unwrap_or_else(|| {
            self.schemas.push(batch.schema());
            self.schemas.len() - 1
        });
        let keys = entries.map(|entries| {
            let key = |entry: Option<&Entry>| entry.map(|entry| entry.key).unwrap_or_default();
            (key(entries.first()), key(entries.last()))
        });
        let (min_key, max_key) = keys.unwrap_or((i64::MIN, i64::MAX));
        let (length, rows) = (self.buffer.len(), batch.num_rows());
        let memory_bytes = length + lengthened + rows * ENTRY_BYTES;
        let block = Block { offset: self.end, length, rows, schema, memory_bytes, min_key, max_key };
        self.end += length as u64;
        Ok(block)
    }

    pub(super) fn read(&self, block: &Block) -> Result<RecordBatch, Error> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::from(StoreError::io("read from", self.temp_dir.display().to_string(), error))
        };
        let schema = self.schemas.get(block.schema).ok_or_else(|| failed("a block of no schema".into()))?;
        let bytes = self.bytes(block).map_err(|error| failed(error.into()))?;
        block::decode(&bytes, schema, block.rows).map_err(|error| failed(error.into()))
    }

    /// The bytes of a block, at an aligned place. Read into memory that is not cleared before.
    fn bytes(&self, block: &Block) -> std::io::Result<Buffer> {
        let mut bytes: Vec<u8> = Vec::with_capacity(block.length + block::ALIGNMENT);
        let before = bytes.as_ptr().align_offset(block::ALIGNMENT).min(block::ALIGNMENT);
        bytes.resize(before, 0);
        let mut file: &File = self.file.as_file();
        file.seek(SeekFrom::Start(block.offset))?;
        if file.take(block.length as u64).read_to_end(&mut bytes)? < block.length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(Buffer::from_vec(bytes).slice_with_length(before, block.length))
    }
}

#[cfg(test)]
impl Block {
    pub(super) fn for_tests(memory_bytes: usize, min_key: i64, max_key: i64) -> Self {
        Self { offset: 0, length: 0, rows: 0, schema: 0, memory_bytes, min_key, max_key }
    }
}
