//! Errors of the engine, by what the caller can do about them.

use datafusion::error::DataFusionError;

use crate::limits::LimitExceeded;
use crate::load::error::LoadError;

/// Result of an engine call.
pub type Result<T> = std::result::Result<T, Error>;

/// Anything that an engine call can fail with.
///
/// The text of each variant is one sentence for a person: it names the place and says what to do. Causes stay
/// in `source`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Parsing, planning or running a statement failed.
    #[error(transparent)]
    Query(DataFusionError),
    /// Reading input files failed; nothing was committed.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The store or one of its tables cannot be used as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A statement is longer or more complex than any may be.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// The session may not do this.
    #[error("{0}")]
    Denied(String),
    /// An argument of a call is out of its domain.
    #[error("{0}")]
    InvalidArgument(String),
}

/// Errors of the store: where tables live and how they are committed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The location holds no store.
    #[error(
        "no Wayfare store at {url:?}: create one with `wayfare load --store {url} ...` or name another with --store"
    )]
    NotAStore { url: String },
    /// The location is in use by something else.
    #[error("{url:?} is not empty and not a Wayfare store: choose an empty or new directory for --store")]
    Occupied { url: String },
    /// The store was written by a newer version.
    #[error(
        "the store at {url:?} has format {found}, this version reads format {supported}: use a newer wayfare"
    )]
    Format { url: String, found: u64, supported: u64 },
    /// The URL cannot be used as a place for a store or an input.
    #[error("cannot use {url:?}: {reason}")]
    Location { url: String, reason: String },
    /// There is no such table.
    #[error("no table {table:?} in the store at {url:?}: `wayfare tables` lists them")]
    NoTable { table: String, url: String },
    /// The table is of another kind than the operation needs.
    #[error("table {table:?} is a {found} table: {advice}")]
    TableKind { table: String, found: String, advice: String },
    /// A table uses a Delta feature that is not read here.
    #[error("table {table:?} cannot be read: {reason}")]
    Unsupported { table: String, reason: String },
    /// A pinned version does not exist.
    #[error("table {table:?} has no version {wanted}: {reason}")]
    Version { table: String, wanted: String, reason: String },
    /// Bytes could not be read or written.
    #[error("cannot {action} {place:?}: {}", root_cause(source.as_ref()))]
    Io {
        action: &'static str,
        place: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of the table is not what was written.
    #[error("{file:?} is damaged: {reason}; `wayfare check` names all that is wrong")]
    Damaged { file: String, reason: String },
    /// A file of another writer does not fit the layout.
    #[error("{file:?} of another writer cannot be taken over: {reason}")]
    NotAdoptable { file: String, reason: String },
    /// Other writers kept changing the same days.
    #[error("table {table:?} was changed by other writers {attempts} times while this ran: run it again")]
    Contention { table: String, attempts: usize },
}

impl StoreError {
    /// Wraps a cause with what was being done and where.
    pub fn io(
        action: &'static str,
        place: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Io { action, place: place.into(), source: source.into() }
    }
}

/// The innermost message of a chain of causes, on one line: wrappers repeat what the outer text says already.
pub fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut current = error;
    while let Some(next) = current.source() {
        current = next;
    }
    let text = current.to_string();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

impl From<DataFusionError> for Error {
    /// An error of ours that has passed through DataFusion comes out as it was.
    fn from(error: DataFusionError) -> Self {
        match error {
            DataFusionError::External(inner) => match inner.downcast::<Self>() {
                Ok(ours) => *ours,
                Err(other) => Self::Query(DataFusionError::External(other)),
            },
            other => Self::Query(other),
        }
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        match error {
            Error::Query(e) => e,
            other => DataFusionError::External(Box::new(other)),
        }
    }
}

impl From<StoreError> for DataFusionError {
    fn from(error: StoreError) -> Self {
        DataFusionError::External(Box::new(Error::Store(error)))
    }
}
