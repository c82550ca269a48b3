//! Errors of generating and writing data.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, DatasetError>;

/// Errors of generating and writing data.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// An argument is out of its range; nothing was written.
    #[error("invalid {argument}: {reason}")]
    InvalidArgument { argument: &'static str, reason: String },
    /// The output directory already has a file of this name; nothing was written.
    #[error("{path:?} already exists; choose an empty directory or remove the file")]
    AlreadyExists { path: PathBuf },
    /// The file system refused an operation; no file with a final name was changed unless the path names it.
    #[error("failed to write {path:?}")]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The rows could not be put into an Arrow batch.
    #[error("failed to build a batch of rows")]
    Arrow(#[from] arrow::error::ArrowError),
    /// The Parquet writer failed.
    #[error("failed to write parquet")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// An output stream failed.
    #[error("failed to write rows")]
    Output(#[from] std::io::Error),
}

impl DatasetError {
    pub(crate) fn argument(argument: &'static str, reason: impl Into<String>) -> Self {
        Self::InvalidArgument { argument, reason: reason.into() }
    }
}
