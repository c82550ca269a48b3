//! Sorted rows on disk, in blocks that are read one by one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use tempfile::NamedTempFile;

use super::{Entry, spill_error};
use crate::error::{Error, StoreError};

/// Where a block of rows is, and whose rows it has.
#[derive(Debug)]
pub(super) struct Block {
    offset: u64,
    length: usize,
    /// What it takes in memory.
    pub(super) memory_bytes: usize,
    pub(super) min_key: i64,
    pub(super) max_key: i64,
}

/// A temporary file of blocks; it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct SpillFile {
    file: NamedTempFile,
    temp_dir: PathBuf,
    end: u64,
    buffer: Vec<u8>,
}

impl SpillFile {
    pub(super) fn create(temp_dir: &Path) -> Result<Self, Error> {
        let file = tempfile::Builder::new()
            .prefix("wayfare-sort-")
            .tempfile_in(temp_dir)
            .map_err(|error| spill_error(temp_dir, error))?;
        Ok(Self { file, temp_dir: temp_dir.to_owned(), end: 0, buffer: Vec::new() })
    }

    /// Appends the rows of `entries`, which are in order of their keys.
    pub(super) fn write(&mut self, batch: &RecordBatch, entries: &[Entry]) -> Result<Block, Error> {
        self.buffer.clear();
        let mut write = || {
            let mut writer = StreamWriter::try_new(&mut self.buffer, batch.schema_ref())?;
            writer.write(batch)?;
            writer.finish()
        };
        write().map_err(|error| spill_error(&self.temp_dir, error))?;
        let written = self.file.as_file().write_all_at(&self.buffer, self.end);
        written.map_err(|error| spill_error(&self.temp_dir, error))?;
        let key = |entry: Option<&Entry>| entry.map(|entry| entry.key).unwrap_or_default();
        let block = Block {
            offset: self.end,
            length: self.buffer.len(),
            memory_bytes: self.buffer.len() + size_of_val(entries),
            min_key: key(entries.first()),
            max_key: key(entries.last()),
        };
        self.end += self.buffer.len() as u64;
        Ok(block)
    }

    pub(super) fn read(&self, block: &Block) -> Result<RecordBatch, Error> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::from(StoreError::io("read from", self.temp_dir.display().to_string(), error))
        };
        let mut file: &File = self.file.as_file();
        file.seek(SeekFrom::Start(block.offset)).map_err(|error| failed(error.into()))?;
        let mut bytes = Vec::with_capacity(block.length);
        file.take(block.length as u64).read_to_end(&mut bytes).map_err(|error| failed(error.into()))?;
        if bytes.len() < block.length {
            return Err(failed("a block was cut off".into()));
        }
        let mut bytes = Buffer::from_vec(bytes);
        let batch = StreamDecoder::new().decode(&mut bytes).map_err(|error| failed(error.into()))?;
        batch.ok_or_else(|| failed("a block without rows".into()))
    }
}

#[cfg(test)]
impl Block {
    pub(super) fn for_tests(memory_bytes: usize, min_key: i64, max_key: i64) -> Self {
        Self { offset: 0, length: 0, memory_bytes, min_key, max_key }
    }
}
