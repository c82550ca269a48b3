//! The operator: an aggregate by person straight from the files.
//!
//! It stands in the place of scan, filter, projection, shuffle and both stages of the aggregate. The partitions take one
//! bucket of people after another: read its row groups, drop rows that the filter refuses, and then each lays the rows
//! of each person one behind the other in the order of the days, a slice of the bucket's people at a time, and gives
//! them to the accumulators. Rows of a person reach an accumulator at once and, where files follow the layout, in the
//! order of time. When a bucket is done its people are done: memory follows the size of a bucket.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::TryStreamExt;

use super::buckets::Division;
use super::by_time::ByTime;
use super::columns::Columns;
use super::gather::{Gatherer, GathererSlot, Lean, Turn, Wanted};
use super::keys::{Key, Keys};
use super::per_value::columns_of;
use super::presence::Presence;
use super::reader::Reader;
use super::worker::Worker;
use crate::scan::exec::ScanSummary;
use crate::scan::source::ScanSource;
use crate::schema;

/// An aggregate function of the query, over the batches that the reader delivers.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// The function.
    pub function: Arc<AggregateFunctionExpr>,
    /// Its arguments.
    pub arguments: Vec<Arc<dyn PhysicalExpr>>,
    /// Those of them that are conditions and may come as codes into a dictionary of booleans.
    pub conditions: Range<usize>,
    /// Its FILTER.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// If the function picks a row by its time, which: then no accumulator is needed.
    pub by_time: Option<ByTime>,
}

/// A column that only tells the order of a person's rows of one instant.
#[derive(Debug, Clone, Copy)]
pub struct TieBreaker {
    /// The column, among those that are read.
    pub column: usize,
    /// Whether rows lie in the order that it tells, so that it need not be read.
    pub is_told_by_place: bool,
}

/// What the operator computes.
#[derive(Debug)]
pub struct Task {
    /// What EXPLAIN says about the choice of files.
    pub summary: Arc<ScanSummary>,
    /// What is read.
    pub source: Arc<ScanSource>,
    /// The columns read.
    pub columns: Columns,
    /// A column that only tells rows of one person and one instant apart.
    pub tie_breaker: Option<TieBreaker>,
    /// Columns of which only the presence of values matters.
    pub presence: Option<Presence>,
    /// Rows that do not pass are dropped.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// Whether equal rows of a person give the same as one of them.
    pub ignores_repeats: bool,
    /// The keys of the groups.
    pub keys: Keys,
    /// The aggregate functions.
    pub aggregates: Vec<Aggregate>,
    /// The people, divided.
    pub division: Division,
    /// The columns of the result: keys, then aggregates.
    pub schema: SchemaRef,
}

impl Task {
    /// What is evaluated over the rows.
    fn expressions(&self) -> impl Iterator<Item = &Arc<dyn PhysicalExpr>> {
        let keys = self.keys.keys().iter().filter_map(|key| match key {
            Key::Person | Key::OfPerson(_) => None,
            Key::Further(expr) => Some(expr),
        });
        let aggregates = self.aggregates.iter();
        keys.chain(aggregates.flat_map(|aggregate| aggregate.arguments.iter().chain(&aggregate.filter)))
    }

    /// Columns that none of them looks at.
    fn unseen(&self) -> Result<Vec<usize>> {
        let mut unseen: Vec<usize> = (0..self.columns.delivered().fields().len()).collect();
        for expr in self.expressions() {
            let seen = columns_of(expr)?;
            unseen.retain(|column| !seen.contains(column));
        }
        Ok(unseen)
    }
}

/// What reads the files; shared by the partitions.
#[derive(Debug, Clone)]
struct Readers {
    whole: Arc<Reader>,
    lean: Option<Lean>,
}

/// Aggregates by person.
#[derive(Debug)]
pub struct PersonAggregateExec {
    task: Arc<Task>,
    readers: OnceLock<Readers>,
    gatherer: GathererSlot,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl PersonAggregateExec {
    /// The operator for `task`.
    pub fn new(task: Task) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&task.schema)),
            // People are apart, but by a hash of ours: nothing that DataFusion could rely on.
            Partitioning::UnknownPartitioning(task.division.partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            task: Arc::new(task),
            readers: OnceLock::new(),
            gatherer: GathererSlot::default(),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    fn readers(&self, context: &TaskContext) -> Readers {
        let readers = self.readers.get_or_init(|| {
            let cache = context.runtime_env().cache_manager.get_file_metadata_cache();
            let reader = |left_out| {
                let (source, columns) = (Arc::clone(&self.task.source), self.task.columns.clone());
                Arc::new(Reader::leaving_out(source, Arc::clone(&cache), columns, left_out))
            };
            let lean = self.task.tie_breaker.map(|TieBreaker { column, is_told_by_place }| Lean {
                reader: reader(Some(column)),
                told_by_place: is_told_by_place.then_some(column),
            });
            Readers { whole: reader(None), lean }
        });
        readers.clone()
    }
}

impl DisplayAs for PersonAggregateExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = &self.task;
        write!(
            f,
            "PersonAggregateExec: ordered: yes, {}, buckets={}",
            task.summary,
            task.division.buckets.len()
        )?;
        let keys: Vec<String> = task
            .keys
            .keys()
            .iter()
            .map(|key| match key {
                Key::Person => schema::USER_ID.to_owned(),
                Key::OfPerson(expr) | Key::Further(expr) => expr.to_string(),
            })
            .collect();
        let aggregates: Vec<&str> =
            task.aggregates.iter().map(|aggregate| aggregate.function.name()).collect();
        write!(f, ", gby=[{}], aggr=[{}]", keys.join(", "), aggregates.join(", "))?;
        let columns: Vec<&str> =
            task.columns.sql().fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, ", columns=[{}]", columns.join(", "))?;
        if let Some(TieBreaker { column, is_told_by_place: true }) = task.tie_breaker {
            write!(f, ", by_place=[{}]", task.columns.sql().field(column).name())?;
        }
        if let Some(Presence { told_by, others, .. }) = &task.presence {
            let hidden = std::iter::once(told_by).chain(others);
            let hidden: Vec<&str> =
                hidden.map(|column| task.columns.sql().field(*column).name().as_str()).collect();
            write!(f, ", presence=[{}]", hidden.join(", "))?;
        }
        match &task.filter {
            Some(filter) => write!(f, ", filter={filter}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for PersonAggregateExec {
    fn name(&self) -> &'static str {
        "PersonAggregateExec"
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
        let of_person = self.task.keys.keys().iter().filter_map(|key| match key {
            Key::OfPerson(expr) => Some(expr),
            Key::Person | Key::Further(_) => None,
        });
        for expr in of_person.chain(self.task.expressions()).chain(&self.task.filter) {
            if f(expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let unseen = self.task.unseen()?;
        let gatherer = self.gatherer.of(&context, || {
            let Readers { whole, lean } = self.readers(&context);
            let wanted = Wanted {
                reader: whole,
                lean,
                filter: self.task.filter.clone(),
                drops_repeats: self.task.ignores_repeats,
                presence: self.task.presence.clone(),
                unseen,
            };
            Gatherer::new(self.name(), self.task.division.clone(), wanted, &self.metrics, &context)
        });
        let worker = Worker {
            task: Arc::clone(&self.task),
            turn: Turn::new(gatherer, partition, &self.metrics, &context),
            batch_rows: context.session_config().batch_size(),
        };
        let batches = futures::stream::try_unfold(worker, |mut worker| async move {
            let batches = worker.next().await?;
            Ok::<_, DataFusionError>(batches.map(|batches| (batches, worker)))
        });
        let batches =
            batches.map_ok(|batches| futures::stream::iter(batches.into_iter().map(Ok))).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.task.schema), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
