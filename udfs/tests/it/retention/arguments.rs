//! Wrong arguments.
