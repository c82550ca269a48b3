//! External sort of load batches into layout order, by DataFusion's sort with its spilling.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::StreamExt;
use tokio::sync::mpsc::Receiver;

/// Sorts what arrives on `input` by `columns`, ascending, NULLs last.
///
/// The first poll reads the whole input; it ends when all senders are dropped.
pub fn sorted(
    input: Receiver<RecordBatch>,
    schema: &SchemaRef,
    columns: &[&str],
    context: Arc<TaskContext>,
) -> Result<SendableRecordBatchStream, DataFusionError> {
    let source = Arc::new(ChannelSource { schema: Arc::clone(schema), input: Mutex::new(Some(input)) });
    let leaf = StreamingTableExec::try_new(
        Arc::clone(schema),
        vec![source],
        None,
        Vec::<LexOrdering>::new(),
        false,
        None,
    )?;
    let options = SortOptions { descending: false, nulls_first: false };
    let expressions = columns
        .iter()
        .map(|name| {
            let column = Column::new_with_schema(name, schema)?;
            Ok(PhysicalSortExpr::new(Arc::new(column), options))
        })
        .collect::<Result<Vec<_>, DataFusionError>>()?;
    let ordering = LexOrdering::new(expressions)
        .ok_or_else(|| DataFusionError::Internal("a sort needs columns".to_owned()))?;
    SortExec::new(ordering, Arc::new(leaf)).execute(0, context)
}

/// A one-shot source of batches from a channel.
struct ChannelSource {
    schema: SchemaRef,
    input: Mutex<Option<Receiver<RecordBatch>>>,
}

impl fmt::Debug for ChannelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChannelSource")
    }
}

impl PartitionStream for ChannelSource {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let receiver = self.input.lock().unwrap_or_else(PoisonError::into_inner).take();
        let batches = futures::stream::unfold(receiver, |receiver| async move {
            let mut receiver = receiver?;
            let batch = receiver.recv().await?;
            Some((Ok(batch), Some(receiver)))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches.boxed()))
    }
}
