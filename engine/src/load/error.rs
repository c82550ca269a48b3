//! Errors of loading, by what the caller can do about them.

use crate::error::root_cause;
use crate::load::read::Rejected;

/// Why a load could not read its input. Nothing is committed when one of these is returned.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// An option contradicts another one, or names something that does not exist.
    #[error("{0}")]
    Argument(String),
    /// An input is missing, is of another format, or lacks what a load needs.
    #[error("cannot load {input:?}: {problem}")]
    Input {
        /// The file, pattern or URL as the user knows it.
        input: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// An input names no file at all: there is none, or none yet.
    #[error("cannot load {input:?}: {problem}")]
    Nothing {
        /// The file, pattern or URL as the user knows it.
        input: String,
        /// What was looked for and what to do.
        problem: String,
    },
    /// The bytes of a file are not what its format says: cut off, overwritten, or a decompression bomb.
    #[error("{path:?} is damaged {place}: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// How far reading came, such as `after line 1043`.
        place: String,
        /// What was found and what to do.
        reason: String,
    },
    /// The bytes of a file could not be had: permissions, network, disk.
    #[error("cannot read {path:?} {place}: {}", root_cause(source.as_ref()))]
    Read {
        /// The file.
        path: String,
        /// How far reading came, such as `after line 1043`.
        place: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is not the one that was found at the start of the load.
    #[error("{path:?} changed while it was loaded ({reason}): load it again when nothing writes to it")]
    Changed {
        /// The file.
        path: String,
        /// How the change was noticed.
        reason: String,
    },
    /// A row is wrong and the load was asked to stop at the first one.
    #[error("{0}; correct it, or load the other rows with --on-error skip --rejects FILE")]
    BadRow(Box<Rejected>),
}

impl LoadError {
    /// An [`LoadError::Input`] about `input`.
    pub(crate) fn input(input: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Input { input: input.into(), problem: problem.into() }
    }

    /// A [`LoadError::Nothing`] about `input`.
    pub(crate) fn nothing(input: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Nothing { input: input.into(), problem: problem.into() }
    }

    /// A [`LoadError::Read`] about `path`; `place` says how far reading came.
    pub(crate) fn read(
        path: impl Into<String>,
        place: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Read { path: path.into(), place: place.into(), source: source.into() }
    }

    /// A [`LoadError::Damaged`] about `path`; `place` says how far reading came.
    pub(crate) fn damaged(
        path: impl Into<String>,
        place: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self::Damaged { path: path.into(), place: place.into(), reason: reason.into() }
    }
}
