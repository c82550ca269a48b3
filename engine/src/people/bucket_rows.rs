//! The rows of one bucket as the leaf of a plan that runs once for each bucket.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};

use super::assemble::Assembled;
use super::worker::slices;
use crate::schema;

/// Rows in the order of person, time and event id.
#[derive(Debug, Clone)]
pub struct BucketRowsExec {
    /// For each column of the output its place in what is read.
    places: Arc<[usize]>,
    rows: Option<RecordBatch>,
    properties: Arc<PlanProperties>,
}

impl BucketRowsExec {
    /// The leaf that gives `schema`, whose columns are at `places` of what is read; rows come later.
    pub fn new(schema: SchemaRef, places: Vec<usize>) -> Self {
        let order = order_of(&schema);
        let mut equivalence = EquivalenceProperties::new(schema);
        equivalence.add_ordering(order);
        let properties = PlanProperties::new(
            equivalence,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { places: places.into(), rows: None, properties: Arc::new(properties) }
    }

    /// The leaf with the rows of a bucket.
    ///
    /// # Errors
    /// An error if a column cannot be brought into its SQL type.
    pub fn with_rows(&self, rows: &Assembled) -> Result<Self> {
        let schema = self.properties.eq_properties.schema();
        let sorted = rows.by_person_and_time()?;
        let mut columns = Vec::with_capacity(self.places.len());
        for (field, place) in schema.fields().iter().zip(self.places.iter()) {
            columns.push(cast(sorted.column(*place), field.data_type())?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(sorted.num_rows()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?;
        Ok(Self { rows: Some(rows), ..self.clone() })
    }
}

/// The same rows, text in buffers of their own.
///
/// Window operators join their input batch by batch; each time the lists of buffers behind text views would grow.
fn with_own_text(batch: &RecordBatch) -> Result<RecordBatch> {
    let own = |column: &ArrayRef| -> ArrayRef {
        match column.as_string_view_opt() {
            Some(text) => Arc::new(text.gc()),
            None => Arc::clone(column),
        }
    };
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = batch.columns().iter().map(own).collect();
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
}

/// The order of person, time and event id, as far as `schema` has these columns.
fn order_of(schema: &SchemaRef) -> Vec<PhysicalSortExpr> {
    let options = SortOptions { descending: false, nulls_first: false };
    let column = |name| {
        let index = schema.index_of(name).ok()?;
        Some(PhysicalSortExpr::new(Arc::new(Column::new(name, index)), options))
    };
    [schema::USER_ID, schema::TS, schema::EVENT_ID].into_iter().map_while(column).collect()
}

impl DisplayAs for BucketRowsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BucketRowsExec")
    }
}

impl ExecutionPlan for BucketRowsExec {
    fn name(&self) -> &'static str {
        "BucketRowsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(rows) = &self.rows else {
            return internal_err!("a bucket without rows was executed");
        };
        let batches = slices(rows, context.session_config().batch_size());
        let batches = batches.iter().map(with_own_text).collect::<Result<Vec<_>>>()?;
        Ok(Box::pin(MemoryStream::try_new(batches, rows.schema(), None)?))
    }
}
