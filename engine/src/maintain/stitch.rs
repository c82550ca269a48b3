//! Rows under the ids that they came with, given to the people that are known now.
//!
//! Files with such rows are rewritten, each once; one commit exchanges them all. Killed at any moment, all rows have
//! their new people or none has, and doing it again does what is left. The version before can be restored.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use deltalake_core::protocol::DeltaOperation;
use serde_json::Value;

use crate::config::EngineConfig;
use crate::error::{Error, Result, StoreError};
use crate::identity::{IDENTITIES, IdentitySummary, Resolver, links, rows};
use crate::maintain::optimize::merge::Edit;
use crate::maintain::{rewrite, touchpoint_snapshot};
use crate::schema;
use crate::store::replace::Terms;
use crate::store::{Store, history, table, writer};

/// How often it starts again because files were replaced meanwhile.
const MAX_RESTARTS: usize = 20;

/// What a stitching did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StitchReport {
    /// Version of the table with the people; `None` if no row changed.
    pub version: Option<u64>,
    /// What became of the links.
    pub identities: IdentitySummary,
    /// Each id that is always the same person's: person, id.
    pub merged: Vec<(String, String)>,
    /// Rows that got another person.
    pub rows: u64,
    /// Files rewritten.
    pub files: u64,
    /// Bytes of the files that were read for it.
    pub bytes_removed: u64,
    /// Bytes of the files in their place.
    pub bytes_added: u64,
    /// Time taken.
    pub elapsed: Duration,
}

/// Gives the rows of a table to the people that the links of the store make.
///
/// # Errors
/// If the store has no links. The table is as it was.
pub async fn stitch(store: &Store, config: &EngineConfig, name: &str) -> Result<StitchReport> {
    let started = Instant::now();
    for _ in 0..MAX_RESTARTS {
        if links::snapshot(store).await?.is_none() {
            return Err(Error::InvalidArgument(format!(
                "the store has no links between ids: load them into {IDENTITIES:?} with `wayfare identify FILE`"
            )));
        }
        let resolver = links::resolver(store, config.identity).await?;
        let snapshot = touchpoint_snapshot(store, name).await?;
        let mut extra = snapshot.extra_fields();
        let is_new = !extra.iter().any(|field| field.name() == schema::RAW_USER_ID);
        if is_new {
            extra.push(schema::raw_user_id_field());
        }
        let edit = Arc::new(Stitching { resolver: Arc::clone(&resolver), rows: Default::default() });
        let rewritten =
            rewrite::rewrite(config, &snapshot, Arc::clone(&edit) as _, Some(writer::file_schema(&extra)))
                .await?;
        let rows = edit.rows.load(std::sync::atomic::Ordering::Relaxed);
        let mut report = StitchReport {
            identities: resolver.summary().clone(),
            merged: resolver.merged().iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
            rows,
            files: rewritten.files(),
            bytes_removed: rewritten.bytes_removed(),
            bytes_added: rewritten.bytes_added(),
            ..StitchReport::default()
        };
        if rewritten.is_empty() {
            report.elapsed = started.elapsed();
            return Ok(report);
        }
        let terms = Terms {
            operation: DeltaOperation::Update { predicate: None },
            data_change: true,
            // Rows that come meanwhile have their people already.
            needs_all_rows: false,
            together: true,
            new_schema: is_new.then(|| table::touchpoint_table_schema(&extra)),
            info: vec![
                (history::INFO_OPERATION.to_owned(), "stitch".into()),
                ("wayfareStitchedRows".to_owned(), Value::from(rows)),
            ],
            transaction_ids: Vec::new(),
        };
        if let Some(version) = rewritten.commit(&snapshot, &terms).await? {
            report.version = Some(version);
            report.elapsed = started.elapsed();
            return Ok(report);
        }
    }
    Err(StoreError::Contention { table: name.to_owned(), attempts: MAX_RESTARTS }.into())
}

/// Gives rows to people, and counts them.
#[derive(Debug)]
struct Stitching {
    resolver: Arc<Resolver>,
    rows: std::sync::atomic::AtomicU64,
}

impl Edit for Stitching {
    fn reading(&self) -> Option<&[String]> {
        static COLUMNS: std::sync::LazyLock<[String; 3]> = std::sync::LazyLock::new(|| {
            [schema::USER_ID, schema::TS, schema::RAW_USER_ID].map(str::to_owned)
        });
        Some(&*COLUMNS)
    }

    fn keeps_order(&self) -> bool {
        false
    }

    fn touches(&self, _: i32, batch: &RecordBatch) -> Result<bool> {
        Ok(rows::count_changed(&self.resolver, batch)? > 0)
    }

    fn apply(&self, _: i32, batch: RecordBatch) -> Result<RecordBatch> {
        let changed = rows::count_changed(&self.resolver, &batch)? as u64;
        self.rows.fetch_add(changed, std::sync::atomic::Ordering::Relaxed);
        Ok(rows::resolve(&self.resolver, &batch)?)
    }
}
