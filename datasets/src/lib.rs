//! Touchpoint data for tests, benches and demonstrations: a seeded generator and bundled real data.
//!
//! * [`generate_part`] yields rows, [`arrow_rows::EventBatches`] turns them into Arrow batches, [`write_dataset`] writes
//!   Parquet, CSV or NDJSON files. The same [`GeneratorConfig`] gives the same rows on every machine and for any number of parts.
//! * [`simple_shop`] is the bundled event log of an online shop with published answers.
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
pub use public::simple_shop;
pub use schema::touchpoint_schema;
pub use write::{Compression, DatasetReport, OutputFormat, write_dataset, write_part};
