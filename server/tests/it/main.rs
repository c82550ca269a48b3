//! Integration tests of the server, in one binary because each binary links all of DataFusion.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and says what it did not run"
)]

mod cli;
mod clients;
mod guard;
mod hostile;
mod process;
mod remote;
mod slt_wire;
mod support;
mod wire;
