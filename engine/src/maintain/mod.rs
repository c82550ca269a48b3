//! The life of a table after its loads: compaction and what else rewrites or takes away files.
//!
//! Whatever runs here is safe beside loads, queries and other maintenance. Files are never changed in place: new
//! ones are written, and one commit exchanges them for the old ones, if those are all still in the table
//! ([`crate::store::replace`]). Readers keep the version they have.

pub mod background;
pub mod check;
pub mod delete;
pub mod erase;
pub mod expire;
pub mod optimize;
mod order;
mod purge;
pub(crate) mod read;
pub mod restore;
mod rewrite;
mod staged;
pub mod stitch;
pub mod vacuum;

use std::sync::Arc;

use crate::error::{Result, StoreError};
use crate::store::Store;
use crate::store::snapshot::TableSnapshot;
use crate::store::table::TableKind;

/// The newest version of the touchpoint table `name`.
async fn touchpoint_snapshot(store: &Store, name: &str) -> Result<Arc<TableSnapshot>> {
    let found = store.newest(name).await?;
    let no_table = || StoreError::NoTable { table: name.to_owned(), url: store.location().display() };
    let snapshot = found.ok_or_else(no_table)?;
    if snapshot.kind() == TableKind::Touchpoints {
        return Ok(snapshot);
    }
    Err(StoreError::TableKind {
        table: name.to_owned(),
        found: snapshot.kind().as_str().to_owned(),
        advice: "this is for touchpoint tables".to_owned(),
    }
    .into())
}
