//! Why a command failed, as one sentence for a person.

use std::io;

use datafusion::error::DataFusionError;
use wayfare_engine::StoreError;

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The engine refused or failed.
    #[error("{}", sentence(.0))]
    Engine(#[from] wayfare_engine::Error),
    /// The server could not start.
    #[error(transparent)]
    Serve(#[from] wayfare_server::ServeError),
    /// The generator or bundled data failed.
    #[error(transparent)]
    Dataset(#[from] wayfare_datasets::DatasetError),
    /// A file or standard stream could not be read or written.
    #[error("cannot {action} {place:?}: {source}")]
    Io { action: &'static str, place: String, source: io::Error },
    /// Anything else, said in full.
    #[error("{0}")]
    Other(String),
    /// Nobody reads the output any more.
    #[error("the output was closed")]
    OutputClosed,
}

impl CliError {
    /// An error about a file or stream.
    pub fn io(action: &'static str, place: impl Into<String>, source: io::Error) -> Self {
        Self::Io { action, place: place.into(), source }
    }
}

impl From<DataFusionError> for CliError {
    fn from(error: DataFusionError) -> Self {
        Self::Engine(wayfare_engine::Error::Query(error))
    }
}

impl From<arrow::error::ArrowError> for CliError {
    fn from(error: arrow::error::ArrowError) -> Self {
        DataFusionError::from(error).into()
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Engine(error.into())
    }
}

/// The message that a client of the wire would get, with its hint; but all about files, which clients are not told.
fn sentence(error: &wayfare_engine::Error) -> String {
    if let Some(text) = about_files(error) {
        return text;
    }
    let info = wayfare_server::error::from_engine(error);
    match info.hint {
        Some(hint) => format!("{} ({hint})", info.message),
        None => info.message,
    }
}

/// What is wrong with the store or another file of this machine, in full.
fn about_files(error: &wayfare_engine::Error) -> Option<String> {
    let error = match error {
        wayfare_engine::Error::Store(error) => return Some(error.to_string()),
        wayfare_engine::Error::Query(error) => error,
        _ => return None,
    };
    match error.find_root() {
        DataFusionError::External(cause) => cause.downcast_ref::<StoreError>().map(ToString::to_string),
        DataFusionError::ParquetError(cause) => Some(format!("cannot read a data file: {cause}")),
        DataFusionError::ObjectStore(cause) => Some(format!("cannot read the store: {cause}")),
        // Also what DataFusion says when the disk for spilling is full, in its own words.
        DataFusionError::IoError(cause) if cause.raw_os_error().is_some() => Some(cause.to_string()),
        _ => None,
    }
}
