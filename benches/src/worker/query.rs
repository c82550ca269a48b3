//! A query, from its text to the last row of its answer.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use tokio::runtime::Runtime;
use wayfare_engine::{Session, SessionOptions};

use super::{RepeatArgs, StoreArgs, peak_rss_mib, repeated, rows};
use crate::error::{BenchError, Result};
use crate::measurement::Measurement;
use crate::queries::batches;
use crate::workload::query::read_sql;

/// Runs the query in the file `sql` again and again.
pub fn measure(store: &StoreArgs, repeat: RepeatArgs, sql: &Path) -> Result<Measurement> {
    let sql = read_sql(sql)?;
    let asker = Asker::new(store)?;
    let base = peak_rss_mib();
    let (mut measurement, batches) = repeated(repeat, || asker.ask(sql.clone()))?;
    measurement.rss_base_mib = Some(base);
    measurement.result = Some(rows::to_json(&batches)?);
    Ok(measurement)
}

/// An open store and a session on it.
pub struct Asker {
    runtime: Runtime,
    session: Arc<Session>,
}

impl Asker {
    /// Opens the store.
    pub fn new(store: &StoreArgs) -> Result<Self> {
        let runtime = store.runtime()?;
        let engine = runtime.block_on(store.open())?;
        let session = engine
            .session(&SessionOptions::default())
            .map_err(|e| BenchError::new("cannot start a session", e))?;
        Ok(Self { runtime, session: Arc::new(session) })
    }

    /// Runs one query on the threads of the runtime.
    pub fn ask(&self, sql: String) -> Result<Vec<RecordBatch>> {
        let session = Arc::clone(&self.session);
        let answer = self.runtime.spawn(async move { batches(&session, &sql).await });
        self.runtime
            .block_on(answer)
            .map_err(|e| BenchError::new("the query stopped", e))?
            .map_err(|e| BenchError::new("the query failed", e))
    }
}
