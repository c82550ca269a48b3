//! The leaf operator that every read of a table goes through.
//!
//! It wraps DataFusion's Parquet source and hands down what the optimizer offers: filters, projections, limits
//! and splits. The inner plan is not a child, so that nothing above can take it apart. What it adds today is
//! the choice of files and row groups, which EXPLAIN shows.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, StatisticsArgs,
};

use crate::scan::source::ScanSource;

/// What EXPLAIN says about the choice of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanSummary {
    /// Name of the table.
    pub table: String,
    /// Version that is read.
    pub version: u64,
    /// Files read, and all files of that version.
    pub files: (usize, usize),
    /// Row groups read, and all row groups of the files read; `None` if a file is of another writer.
    pub row_groups: Option<(usize, usize)>,
    /// First and last day read, as text.
    pub days: Option<(String, String)>,
    /// What a rule found out about this scan.
    pub note: Option<String>,
    /// Where the store is: who may ask for a plan need not know, so files are shown below it.
    pub root: String,
}

impl fmt::Display for ScanSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table={}, version={}, files={}/{}", self.table, self.version, self.files.0, self.files.1)?;
        if let Some((read, all)) = self.row_groups {
            write!(f, ", row_groups={read}/{all}")?;
        }
        match &self.days {
            Some((first, last)) if first == last => write!(f, ", day={first}")?,
            Some((first, last)) => write!(f, ", days={first}..{last}")?,
            None => {}
        }
        match &self.note {
            Some(note) => write!(f, ", {note}"),
            None => Ok(()),
        }
    }
}

/// Reads chosen files of one version of a table.
#[derive(Debug, Clone)]
pub struct TableScanExec {
    inner: Arc<dyn ExecutionPlan>,
    summary: Arc<ScanSummary>,
    /// What is read, as long as no rule has changed that.
    source: Option<Arc<ScanSource>>,
}

impl TableScanExec {
    /// A leaf around `inner`, the Parquet source of the files that `summary` and `source` tell of.
    pub fn new(inner: Arc<dyn ExecutionPlan>, summary: ScanSummary, source: ScanSource) -> Self {
        Self { inner, summary: Arc::new(summary), source: Some(Arc::new(source)) }
    }

    /// What EXPLAIN says about the choice of files.
    pub fn summary(&self) -> &Arc<ScanSummary> {
        &self.summary
    }

    /// What is read; `None` if a rule has changed that since.
    pub fn source(&self) -> Option<&Arc<ScanSource>> {
        self.source.as_ref()
    }

    /// The same scan, for which EXPLAIN shows `note`.
    pub fn with_note(&self, note: String) -> Self {
        let summary = ScanSummary { note: Some(note), ..self.summary.as_ref().clone() };
        Self { summary: Arc::new(summary), ..self.clone() }
    }

    fn around(&self, inner: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { inner, summary: Arc::clone(&self.summary), source: None })
    }
}

/// A plan node without its children.
struct Inner<'a>(DisplayFormatType, &'a dyn ExecutionPlan);

impl fmt::Display for Inner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1.fmt_as(self.0, f)
    }
}

impl DisplayAs for TableScanExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match t {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                let inner = Inner(t, self.inner.as_ref()).to_string();
                let root = format!("{}/", self.summary.root);
                let inner = if root.len() > 1 { inner.replace(&root, "") } else { inner };
                write!(f, "TableScanExec: {}, {inner}", self.summary)
            }
            DisplayFormatType::TreeRender => write!(f, "{}", self.summary),
        }
    }
}

impl ExecutionPlan for TableScanExec {
    fn name(&self) -> &'static str {
        "TableScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.inner.properties()
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
        self.inner.apply_expressions(f)
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        config: &ConfigOptions,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let inner = self.inner.repartitioned(target_partitions, config)?;
        Ok(inner.map(|inner| self.around(inner)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.inner.execute(partition, context)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.inner.metrics()
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.inner.statistics_from_inputs(inputs, args)
    }

    fn supports_limit_pushdown(&self) -> bool {
        self.inner.supports_limit_pushdown()
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        self.inner.with_fetch(limit).map(|inner| self.around(inner))
    }

    fn fetch(&self) -> Option<usize> {
        self.inner.fetch()
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        self.inner.cardinality_effect()
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExec,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let inner = self.inner.try_swapping_with_projection(projection)?;
        Ok(inner.map(|inner| self.around(inner)))
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let mut outcome = self.inner.handle_child_pushdown_result(phase, child_pushdown_result, config)?;
        outcome.updated_node = outcome.updated_node.map(|inner| self.around(inner));
        Ok(outcome)
    }

    fn with_new_state(&self, state: Arc<dyn std::any::Any + Send + Sync>) -> Option<Arc<dyn ExecutionPlan>> {
        self.inner.with_new_state(state).map(|inner| self.around(inner))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let inner = Arc::clone(&self.inner).reset_state()?;
        Ok(self.around(inner))
    }
}
