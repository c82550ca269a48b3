//! Integration tests of the engine, in one binary because each binary links all of DataFusion.

mod explain;
mod load;
mod pg_text;
mod slt;
mod slt_files;
mod support;
