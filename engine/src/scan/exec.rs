//! The leaf operator that every read of a table goes through.
//!
//! It wraps DataFusion's Parquet source and hands down what the optimizer offers: filters, projections, limits
//! and splits. The inner plan is not a child, so that nothing above can take it apart, and is made when it is needed. What
//! it adds is the choice of files and row groups, which EXPLAIN shows.

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

use crate::scan::parquet::{LazyParquet, ParquetScan};
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

#[derive(Debug, Clone)]
enum Inner {
    /// As it was planned.
    Planned(Arc<LazyParquet>),
    /// As rules have changed it.
    Changed(Arc<dyn ExecutionPlan>),
}

/// Reads chosen files of one version of a table.
#[derive(Debug, Clone)]
pub struct TableScanExec {
    inner: Inner,
    properties: Arc<PlanProperties>,
    summary: Arc<ScanSummary>,
    /// What is read, as long as no rule has changed that.
    source: Option<Arc<ScanSource>>,
}

impl TableScanExec {
    /// A leaf around the Parquet source of the files that `scan` and `summary` tell of.
    ///
    /// # Errors
    /// If a column that is asked for is not there.
    pub fn new(scan: ParquetScan, summary: ScanSummary) -> Result<Self> {
        Ok(Self {
            properties: Arc::new(scan.properties()?),
            source: Some(Arc::clone(&scan.source)),
            inner: Inner::Planned(Arc::new(LazyParquet::new(scan))),
            summary: Arc::new(summary),
        })
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

    fn inner(&self) -> Result<&Arc<dyn ExecutionPlan>> {
        match &self.inner {
            Inner::Planned(planned) => planned.get(),
            Inner::Changed(changed) => Ok(changed),
        }
    }

    fn around(&self, inner: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        let properties = Arc::clone(inner.properties());
        Arc::new(Self {
            inner: Inner::Changed(inner),
            properties,
            summary: Arc::clone(&self.summary),
            source: None,
        })
    }
}

/// A plan node without its children.
struct Alone<'a>(DisplayFormatType, &'a dyn ExecutionPlan);

impl fmt::Display for Alone<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1.fmt_as(self.0, f)
    }
}

impl DisplayAs for TableScanExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match t {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                let inner = match self.inner() {
                    Ok(inner) => Alone(t, inner.as_ref()).to_string(),
                    Err(error) => error.to_string(),
                };
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
        self.inner()?.apply_expressions(f)
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        config: &ConfigOptions,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let inner = self.inner()?.repartitioned(target_partitions, config)?;
        Ok(inner.map(|inner| self.around(inner)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.inner()?.execute(partition, context)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        match &self.inner {
            Inner::Planned(planned) => planned.made()?.metrics(),
            Inner::Changed(changed) => changed.metrics(),
        }
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        match &self.inner {
            Inner::Planned(planned) => planned.statistics(inputs, args),
            Inner::Changed(changed) => changed.statistics_from_inputs(inputs, args),
        }
    }

    fn supports_limit_pushdown(&self) -> bool {
        self.inner().is_ok_and(|inner| inner.supports_limit_pushdown())
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        self.inner().ok()?.with_fetch(limit).map(|inner| self.around(inner))
    }

    fn fetch(&self) -> Option<usize> {
        self.inner().ok()?.fetch()
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        self.inner().map_or(CardinalityEffect::Unknown, |inner| inner.cardinality_effect())
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExec,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let inner = self.inner()?.try_swapping_with_projection(projection)?;
        Ok(inner.map(|inner| self.around(inner)))
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let mut outcome = self.inner()?.handle_child_pushdown_result(phase, child_pushdown_result, config)?;
        outcome.updated_node = outcome.updated_node.map(|inner| self.around(inner));
        Ok(outcome)
    }

    fn with_new_state(&self, state: Arc<dyn std::any::Any + Send + Sync>) -> Option<Arc<dyn ExecutionPlan>> {
        self.inner().ok()?.with_new_state(state).map(|inner| self.around(inner))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let inner = Arc::clone(self.inner()?).reset_state()?;
        Ok(self.around(inner))
    }
}
