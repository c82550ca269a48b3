//! Touchpoint data for tests, benches and demonstrations: a seeded generator and bundled real data.
//!
//! * [`generate_part`] yields rows, [`arrow_rows::EventBatches`] turns them into Arrow batches, [`write_dataset`] writes
//!   Parquet, CSV or NDJSON files. The same [`GeneratorConfig`] gives the same rows on every machine and for any number of parts.
//! * Bundled real data, each with expected results: [`simple_shop`], the event log of an online shop; [`weblog_2015`], the
//!   requests of a web site; [`cdnow`], eighteen months of purchases.
//!
//! The crate depends on no other member of the workspace.

pub mod arrow_rows;
pub mod error;
pub mod generator;
pub mod public;
pub mod schema;
mod text;
pub mod write;

pub use error::{DatasetError, Result};
pub use generator::config::GeneratorConfig;
pub use generator::event::{Event, Properties, ShortText};
pub use generator::{EventIter, generate_part};
pub use public::{cdnow, simple_shop, weblog_2015};
pub use schema::touchpoint_schema;
pub use write::{Compression, DatasetReport, OutputFormat, write_dataset, write_part};
