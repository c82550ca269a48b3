//! The rows of a Parquet file as JSON, for presets.

use std::ops::Range;
use std::sync::Arc;

use memchr::memchr;

use super::options::ReadOptions;
use super::parquet_batches::Batches;
use super::parquet_footer::{Footer, one_line};
use super::records::Records;
use super::rejected::RowPlace;
use super::source::SourceFile;
use super::stream::Passed;
use super::targets::shared;
use crate::load::error::LoadError;

/// The rows of a Parquet file as JSON objects, for presets. Holds one batch at a time.
#[derive(Debug)]
pub(super) struct ParquetRecords {
    path: Arc<str>,
    batches: Batches,
    /// The rows of the batch, one JSON object a line, and the one that is current.
    lines: Vec<u8>,
    at: Range<usize>,
    row: u64,
}

impl ParquetRecords {
    /// Reads the footer; all columns will be read.
    pub(super) fn open(file: &SourceFile, options: &ReadOptions) -> Result<Self, LoadError> {
        let footer = Footer::read(file)?;
        let columns: Vec<usize> = (0..footer.schema().fields().len()).collect();
        let batches = Batches::open(file, footer, &columns, options)?;
        Ok(Self { path: shared(&file.display), batches, lines: Vec::new(), at: 0..0, row: 0 })
    }

    /// What of the file has passed by.
    pub(super) fn passed(&self) -> Arc<Passed> {
        self.batches.passed()
    }

    fn fill(&mut self) -> Result<bool, LoadError> {
        let Some(batch) = self.batches.next().transpose()? else { return Ok(false) };
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
        let length = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
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
