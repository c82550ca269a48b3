//! Integration tests of the engine, in one binary because each binary links all of DataFusion.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod deep;
mod explain;
mod load;
mod maintain;
mod parameters;
mod people;
mod pg_text;
mod presets;
mod simulation;
mod slt;
mod slt_files;
mod support;
mod twins;
mod writes;
