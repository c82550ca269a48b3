//! The operator that runs a plan once for each bucket of people: window functions, and what stands between them.
//!
//! Each bucket is a whole answer for its people, because every node of the plan treats each person apart
//! ([`super::local`]). Rows come in the order of person and time, so that the plan needs neither shuffle nor sort.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt, TryStreamExt};

use super::assemble::Assembled;
use super::bucket_rows::BucketRowsExec;
use super::buckets::Division;
use super::columns::Columns;
use super::gather::{Gatherer, GathererSlot, Turn, Wanted};
use super::reader::Reader;
use crate::scan::exec::ScanSummary;
use crate::scan::source::ScanSource;

/// What the operator runs.
#[derive(Debug)]
pub struct Pipeline {
    /// What EXPLAIN says about the choice of files.
    pub summary: Arc<ScanSummary>,
    /// What is read.
    pub source: Arc<ScanSource>,
    /// The columns read.
    pub columns: Columns,
    /// Rows that do not pass are dropped at once; the plan filters too.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// The people, divided.
    pub division: Division,
    /// The plan of one bucket, over a [`BucketRowsExec`].
    pub plan: Arc<dyn ExecutionPlan>,
}

/// Runs a plan for each bucket.
#[derive(Debug)]
pub struct PersonPipelineExec {
    pipeline: Arc<Pipeline>,
    reader: OnceLock<Arc<Reader>>,
    gatherer: GathererSlot,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl PersonPipelineExec {
    /// The operator for `pipeline`.
    pub fn new(pipeline: Pipeline) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(pipeline.plan.schema()),
            Partitioning::UnknownPartitioning(pipeline.division.partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            pipeline: Arc::new(pipeline),
            reader: OnceLock::new(),
            gatherer: GathererSlot::default(),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl Pipeline {
    /// The plan of some people, with their rows in the place of the leaf.
    fn over(&self, rows: &Assembled) -> Result<Arc<dyn ExecutionPlan>> {
        Arc::clone(&self.plan)
            .transform_up(|node| {
                if let Some(leaf) = node.downcast_ref::<BucketRowsExec>() {
                    return Ok(Transformed::yes(Arc::new(leaf.with_rows(rows)?) as Arc<dyn ExecutionPlan>));
                }
                // Nothing of the people before may stay.
                Ok(Transformed::yes(node.reset_state()?))
            })
            .data()
    }
}

impl DisplayAs for PersonPipelineExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pipeline = &self.pipeline;
        let count = pipeline.division.buckets.len();
        write!(f, "PersonPipelineExec: ordered: yes, {}, buckets={count}, steps=[", pipeline.summary)?;
        let mut node = Some(&pipeline.plan);
        while let Some(step) = node {
            let next = step.children().first().copied();
            let separator = if next.is_some() { ", " } else { "]" };
            write!(f, "{}{separator}", step.name())?;
            node = next;
        }
        match &pipeline.filter {
            Some(filter) => write!(f, ", filter={filter}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for PersonPipelineExec {
    fn name(&self) -> &'static str {
        "PersonPipelineExec"
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
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        match &self.pipeline.filter {
            Some(filter) => f(filter),
            None => Ok(TreeNodeRecursion::Continue),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let pipeline = Arc::clone(&self.pipeline);
        let gatherer = self.gatherer.of(&context, || {
            let reader = self.reader.get_or_init(|| {
                let cache = context.runtime_env().cache_manager.get_file_metadata_cache();
                Arc::new(Reader::new(Arc::clone(&pipeline.source), cache, pipeline.columns.clone()))
            });
            let wanted = Wanted {
                reader: Arc::clone(reader),
                lean: None,
                filter: pipeline.filter.clone(),
                drops_repeats: false,
                presence: None,
                unseen: Vec::new(),
            };
            Gatherer::new(self.name(), pipeline.division.clone(), wanted, &self.metrics, &context)
        });
        let turn = Turn::new(gatherer, partition, &self.metrics, &context);
        let schema = pipeline.plan.schema();
        let of_people = futures::stream::try_unfold(turn, move |mut turn| {
            let (pipeline, context) = (Arc::clone(&pipeline), Arc::clone(&context));
            async move {
                let Some(rows) = turn.next().await? else {
                    return Ok::<_, DataFusionError>(None);
                };
                let plan = pipeline.over(&rows)?;
                turn.take_back(rows);
                let rows = plan.execute(0, context)?;
                let output_rows = turn.baseline.output_rows().clone();
                let counted = move |batch: &RecordBatch| {
                    output_rows.add(batch.num_rows());
                };
                Ok(Some((rows.inspect_ok(counted).boxed(), turn)))
            }
        });
        let batches = of_people.try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
