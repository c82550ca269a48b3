//! Memory of the tables that a session creates for itself.
//!
//! DataFusion collects the rows of `CREATE TABLE AS` and keeps them without counting them. Here they are counted while
//! they are collected and for as long as the table is there, and a session may keep no more than one query may hold.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::{DataFusionError, Result, TableReference};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::logical_expr::{CreateMemoryTable, LogicalPlanBuilder};
use futures::StreamExt;

/// The memory of one session's tables.
#[derive(Debug)]
pub(crate) struct TemporaryTables {
    limit_bytes: usize,
    held: Mutex<HashMap<TableReference, MemoryReservation>>,
}

impl TemporaryTables {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, held: Mutex::default() }
    }

    /// Collects `rows`, the result of the query behind `create`, and returns the same statement over them.
    ///
    /// # Errors
    /// Those of the rows; resources exhausted.
    pub(crate) async fn collect(
        &self,
        create: &CreateMemoryTable,
        mut rows: SendableRecordBatchStream,
        pool: &Arc<dyn MemoryPool>,
    ) -> Result<(CreateMemoryTable, MemoryReservation)> {
        let reservation = MemoryConsumer::new("temporary table").register(pool);
        let others = self.others(&create.name);
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            reservation.try_grow(batch.get_array_memory_size())?;
            if others.saturating_add(reservation.size()) > self.limit_bytes {
                return Err(DataFusionError::ResourcesExhausted(format!(
                    "the temporary tables of a session may hold {} bytes at most",
                    self.limit_bytes
                )));
            }
            batches.push(batch);
        }
        let table = MemTable::try_new(rows.schema(), vec![batches])?;
        let input = LogicalPlanBuilder::scan("rows", provider_as_source(Arc::new(table)), None)?.build()?;
        Ok((CreateMemoryTable { input: Arc::new(input), ..create.clone() }, reservation))
    }

    fn others(&self, name: &TableReference) -> usize {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().filter(|(other, _)| *other != name).map(|(_, reservation)| reservation.size()).sum()
    }

    /// The table was created.
    pub(crate) fn keep(&self, name: TableReference, reservation: MemoryReservation) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(name, reservation);
    }

    /// The table was dropped.
    pub(crate) fn forget(&self, name: &TableReference) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}
