//! What one query may hold at most, however much the others leave.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use futures::{Stream, StreamExt};

use crate::error::Error;
use crate::limits::{Limit, LimitExceeded};

/// `runtime` with a memory pool for one query, of at most `limit_bytes`.
pub(crate) fn for_one_query(runtime: &RuntimeEnv, limit_bytes: usize) -> Arc<RuntimeEnv> {
    let pool = QueryPool { own: FairSpillPool::new(limit_bytes), shared: Arc::clone(&runtime.memory_pool) };
    Arc::new(RuntimeEnv { memory_pool: Arc::new(pool), ..runtime.clone() })
}

/// A part of a shared pool: what is taken from it is taken from both.
#[derive(Debug)]
struct QueryPool {
    own: FairSpillPool,
    shared: Arc<dyn MemoryPool>,
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query({} of {})", self.own, self.shared)
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        self.shared.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.shared.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.own.try_grow(reservation, additional)?;
        self.shared
            .try_grow(reservation, additional)
            .inspect_err(|_| self.own.shrink(reservation, additional))
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.own.memory_limit()
    }
}

/// Ends `stream` with an error when it has given more than `max_rows`.
pub(crate) fn with_row_limit(stream: SendableRecordBatchStream, max_rows: u64) -> SendableRecordBatchStream {
    Box::pin(RowLimited { stream, given: 0, max_rows })
}

struct RowLimited {
    stream: SendableRecordBatchStream,
    given: u64,
    max_rows: u64,
}

impl Stream for RowLimited {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.stream.poll_next_unpin(cx));
        if let Some(Ok(batch)) = &next {
            self.given = self.given.saturating_add(batch.num_rows() as u64);
            if self.given > self.max_rows {
                let exceeded = LimitExceeded {
                    limit: Limit::ResultRows(self.max_rows),
                    found: usize::try_from(self.given).unwrap_or(usize::MAX),
                };
                return Poll::Ready(Some(Err(DataFusionError::from(Error::Limit(exceeded)))));
            }
        }
        Poll::Ready(next)
    }
}

impl RecordBatchStream for RowLimited {
    fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_its_own_limit_and_the_shared_one() {
        let shared: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(1_000));
        let query = |limit| -> Arc<dyn MemoryPool> {
            Arc::new(QueryPool { own: FairSpillPool::new(limit), shared: Arc::clone(&shared) })
        };
        let (first, second) = (query(600), query(600));
        let one = MemoryConsumer::new("one").register(&first);
        one.try_grow(500).unwrap();
        assert!(one.try_grow(200).is_err(), "its own limit");
        let two = MemoryConsumer::new("two").register(&second);
        assert!(two.try_grow(550).is_err(), "the shared one");
        assert_eq!((second.reserved(), shared.reserved()), (0, 500));
        two.try_grow(500).unwrap();
        drop(one);
        assert_eq!((first.reserved(), shared.reserved()), (0, 500));
    }
}
