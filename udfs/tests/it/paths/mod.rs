//! Paths, transitions and steps.

mod channel_paths;
mod properties;
mod sql;
mod vectors;
