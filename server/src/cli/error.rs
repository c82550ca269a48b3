//! Why a command failed, as one sentence for a person.

use std::io;

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

impl From<datafusion::error::DataFusionError> for CliError {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        Self::Engine(wayfare_engine::Error::Query(error))
    }
}

impl From<arrow::error::ArrowError> for CliError {
    fn from(error: arrow::error::ArrowError) -> Self {
        datafusion::error::DataFusionError::from(error).into()
    }
}

impl From<wayfare_engine::StoreError> for CliError {
    fn from(error: wayfare_engine::StoreError) -> Self {
        Self::Engine(error.into())
    }
}

/// The message that a client of the wire would get, with its hint.
fn sentence(error: &wayfare_engine::Error) -> String {
    let info = wayfare_server::error::from_engine(error);
    match info.hint {
        Some(hint) => format!("{} ({hint})", info.message),
        None => info.message,
    }
}
