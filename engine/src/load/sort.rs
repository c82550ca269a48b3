//! External sort of load batches into layout order, by DataFusion's sort with its spilling.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::prelude::SessionConfig;
use futures::StreamExt;
use tokio::sync::mpsc::Receiver;

use crate::error::{Error, StoreError};

/// Rows per batch while sorting: fewer runs to merge than with the query default.
const SORT_BATCH_ROWS: usize = 8192;
/// A sorter with less than this for each row of a batch gets smaller batches, of which a merge holds several.
const BATCH_ROW_BYTES: usize = 16 << 10;
const MIN_SORT_BATCH_ROWS: usize = 256;
/// What a sorter sets aside for merging, or a quarter of its memory if that is less: the default of DataFusion.
const MERGE_RESERVATION_BYTES: usize = 10 << 20;

/// What each of several sorters may use. Their memory does not compete with that of queries, nor with each other's: what
/// one can do does not depend on when another begins.
#[derive(Debug, Clone)]
pub struct Sorters {
    bytes_each: usize,
    temp_dir: PathBuf,
}

impl Sorters {
    /// At most so many at a time, which together use `bytes` and spill to `temp_dir`.
    pub fn new(bytes: usize, at_once: usize, temp_dir: &Path) -> Self {
        Self { bytes_each: bytes / at_once.max(1), temp_dir: temp_dir.to_owned() }
    }

    /// The context of one of them.
    fn context(&self) -> Result<Arc<TaskContext>, DataFusionError> {
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![self.temp_dir.clone()]));
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(self.bytes_each)))
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let batch_rows = (self.bytes_each / BATCH_ROW_BYTES).clamp(MIN_SORT_BATCH_ROWS, SORT_BATCH_ROWS);
        let config = SessionConfig::new()
            .with_batch_size(batch_rows)
            .with_sort_spill_reservation_bytes((self.bytes_each / 4).min(MERGE_RESERVATION_BYTES));
        Ok(Arc::new(TaskContext::default().with_session_config(config).with_runtime(runtime)))
    }
}

/// `columns` of `schema` as an ordering: ascending, NULLs last.
pub fn ordering(schema: &SchemaRef, columns: &[&str]) -> Result<LexOrdering, DataFusionError> {
    let options = SortOptions { descending: false, nulls_first: false };
    let expressions = columns
        .iter()
        .map(|name| {
            let column = Column::new_with_schema(name, schema)?;
            Ok(PhysicalSortExpr::new(Arc::new(column), options))
        })
        .collect::<Result<Vec<_>, DataFusionError>>()?;
    LexOrdering::new(expressions).ok_or_else(|| DataFusionError::Internal("a sort needs columns".to_owned()))
}

/// Sorts what arrives on `input` by `columns`, ascending, NULLs last.
///
/// The first poll reads the whole input; it ends when all senders are dropped.
pub fn sorted(
    input: Receiver<RecordBatch>,
    schema: &SchemaRef,
    columns: &[&str],
    sorters: &Sorters,
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
    SortExec::new(ordering(schema, columns)?, Arc::new(leaf)).execute(0, sorters.context()?)
}

/// Sorting fails for want of memory, or because of the files that it spills to.
pub fn error(error: DataFusionError, temp_dir: &Path) -> Error {
    match error.find_root() {
        DataFusionError::IoError(_) | DataFusionError::ArrowError(_, _) => {
            StoreError::io("spill to", temp_dir.display().to_string(), error).into()
        }
        DataFusionError::ResourcesExhausted(_) => Error::InvalidArgument(
            "the rows cannot be sorted in so little memory: raise --memory-limit, or lower --threads"
                .to_owned(),
        ),
        _ => error.into(),
    }
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
