//! Wayfare's embedded engine: SQL over customer touchpoints.
//!
//! ```no_run
//! # async fn run() -> wayfare_engine::Result<()> {
//! use wayfare_engine::{Engine, EngineConfig, SessionOptions};
//! let engine = Engine::open(EngineConfig::default()).await?;
//! let session = engine.session(&SessionOptions::default())?;
//! let stream = session.query("SELECT count(*) FROM touchpoints").await?;
//! # drop(stream);
//! # Ok(())
//! # }
//! ```
//!
//! The life of a load is told in [`load`], the life of a statement in [`session`], the layout on disk in
//! [`store`]. This crate knows no wire protocol.

pub mod access;
mod balance;
mod bounded;
pub mod catalog;
pub mod clock;
pub mod config;
mod copies;
mod deep;
pub mod engine;
pub mod error;
mod execute;
pub mod identity;
pub mod limits;
pub mod load;
pub mod maintain;
mod object_file;
pub mod people;
mod query_memory;
pub mod scan;
pub mod schema;
pub mod session;
pub mod settings;
mod settled;
pub mod statement;
pub mod storage;
pub mod store;
mod temporary;
mod yielding;

pub use access::{Action, Role, User};
pub use config::{EngineConfig, SessionOptions, VersionPin};
pub use engine::{Engine, ResourceUsage, TableSummary};
pub use error::{Error, Result, StoreError};
pub use session::Session;
pub use store::history::CommitSummary;
pub use wayfare_udfs::guarded::GuardedOperands;
