//! The file of rejected rows: CSV with file, line, column, value, reason and the raw row.
//!
//! It is written beside its final name and renamed when the load is done, so that a file of that name is
//! always complete.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::load::read::Rejected;

/// Takes rejected rows; without a path they are only counted.
#[derive(Debug)]
pub struct RejectSink {
    output: Option<Output>,
}

struct Output {
    path: PathBuf,
    writer: csv::Writer<tempfile::NamedTempFile>,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("path", &self.path).finish_non_exhaustive()
    }
}

impl RejectSink {
    /// A sink for `path`, whose directory must exist.
    pub fn create(path: Option<&Path>) -> Result<Self, StoreError> {
        let Some(path) = path else { return Ok(Self { output: None }) };
        let failed = |e: std::io::Error| StoreError::io("write", path.display().to_string(), e);
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // Its own error would name the temporary file.
        std::fs::read_dir(directory).map_err(failed)?;
        let file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
        let mut writer = csv::Writer::from_writer(file);
        writer
            .write_record(["file", "line", "column", "value", "reason", "raw"])
            .map_err(|e| failed(e.into()))?;
        Ok(Self { output: Some(Output { path: path.to_owned(), writer }) })
    }

    /// Adds rows.
    pub fn write(&mut self, rejected: &[Rejected]) -> Result<(), StoreError> {
        let Some(output) = &mut self.output else { return Ok(()) };
        for row in rejected {
            output
                .writer
                .write_record([
                    &*row.file,
                    &row.place.number().to_string(),
                    row.column.as_deref().unwrap_or_default(),
                    row.value.as_deref().unwrap_or_default(),
                    &row.reason,
                    &row.raw,
                ])
                .map_err(|e| StoreError::io("write", output.path.display().to_string(), e))?;
        }
        Ok(())
    }

    /// Puts the file in its place.
    pub fn finish(self) -> Result<(), StoreError> {
        let Some(Output { path, writer }) = self.output else { return Ok(()) };
        let place = path.display().to_string();
        let mut file =
            writer.into_inner().map_err(|e| StoreError::io("write", place.clone(), e.into_error()))?;
        file.flush().map_err(|e| StoreError::io("write", place.clone(), e))?;
        file.persist(&path).map_err(|e| StoreError::io("write", place, e.error))?;
        Ok(())
    }
}
