//! Paths, transitions and steps.

mod properties;
mod sql;
mod vectors;
