//! The optimizer rule that puts [`PersonPipelineExec`] in the place of the largest plans with window functions that
//! treat each person apart.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::physical_expr::utils::conjunction;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::combine_partial_final_agg::CombinePartialFinalAggregate;
use datafusion::physical_optimizer::ensure_requirements::EnsureRequirements;
use datafusion::physical_plan::ExecutionPlan;

use super::bucket_rows::BucketRowsExec;
use super::columns::Columns;
use super::fuse::fuse;
use super::local::{Local, local};
use super::per_value::{columns_of, over_codes, renumbered};
use super::pipeline::{PersonPipelineExec, Pipeline};
use super::{bucket_size, buckets};
use crate::scan::exec::TableScanExec;
use crate::schema;
use crate::settings::Settings;

/// The rule.
#[derive(Debug, Default, Clone, Copy)]
pub struct WindowsByPerson;

impl PhysicalOptimizerRule for WindowsByPerson {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let settings = config.extensions.get::<Settings>().copied().unwrap_or_default();
        if !settings.fast_path {
            return Ok(plan);
        }
        plan.transform_down(|node| {
            let found = local(&node).filter(|found| found.has_window);
            match found.map(|found| pipeline(&node, &found, config, &settings)).transpose()?.flatten() {
                Some(pipeline) => Ok(Transformed::new(pipeline, true, TreeNodeRecursion::Jump)),
                None => Ok(Transformed::no(node)),
            }
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "windows_by_person"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The operator for `plan`; `None` if a file is of another writer.
fn pipeline(
    plan: &Arc<dyn ExecutionPlan>,
    found: &Local<'_>,
    config: &ConfigOptions,
    settings: &Settings,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(source) = found.scan.source() else { return Ok(None) };
    let Ok(person) = source.full_schema.index_of(schema::USER_ID) else { return Ok(None) };
    let mut used = source.projection.clone();
    used.push(person);
    used.sort_unstable();
    used.dedup();
    let columns = Columns::new(&source.full_schema, &used);
    let partitions = config.execution.target_partitions.max(1);
    let max_rows = bucket_size::max_rows(settings, &columns, None, partitions);
    let Some(division) = buckets::divide(&source.files, partitions, max_rows) else {
        return Ok(None);
    };
    let place = |index: usize| used.binary_search(&index).ok();
    let places: Vec<usize> = source.projection.iter().filter_map(|index| place(*index)).collect();
    let leaf: Arc<dyn ExecutionPlan> = Arc::new(BucketRowsExec::new(found.scan.schema(), places));

    // The filters next to the scan, so that rows are dropped before they are put together.
    let mut filters = Vec::new();
    let mut node = plan;
    while let Some(child) = node.children().first() {
        if let Ok(fused) = fuse(node)? {
            filters = fused.filters;
            break;
        }
        node = child;
    }
    let mut filter = None;
    if !filters.is_empty() {
        let all = conjunction(filters);
        if columns_of(&all)?.iter().all(|column| place(*column).is_some()) {
            filter = Some(over_codes(renumbered(all, place)?, &columns)?);
        }
    }

    let over_leaf = Arc::clone(plan)
        .transform_up(|node| {
            if node.is::<TableScanExec>() {
                return Ok(Transformed::yes(Arc::clone(&leaf)));
            }
            Ok(Transformed::no(node))
        })
        .data()?;
    // One partition: each bucket runs by itself.
    let mut alone = config.clone();
    alone.execution.target_partitions = 1;
    let planned = EnsureRequirements::new().optimize(over_leaf, &alone)?;
    let planned = CombinePartialFinalAggregate::new().optimize(planned, &alone)?;
    let pipeline = Pipeline {
        summary: Arc::clone(found.scan.summary()),
        source: Arc::clone(source),
        columns,
        filter,
        division,
        plan: planned,
    };
    Ok(Some(Arc::new(PersonPipelineExec::new(pipeline))))
}
