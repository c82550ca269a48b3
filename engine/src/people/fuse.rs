//! A scan with the filters and projections above it, as expressions over the columns of the table.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;

use crate::scan::exec::TableScanExec;

/// What a chain of filters and projections over a scan gives.
#[derive(Debug)]
pub struct Fused<'a> {
    /// The scan.
    pub scan: &'a TableScanExec,
    /// The columns of the chain, over the columns of the table.
    pub outputs: Vec<Arc<dyn PhysicalExpr>>,
    /// The filters, the first one first, over the columns of the table.
    pub filters: Vec<Arc<dyn PhysicalExpr>>,
}

/// The chain that ends in `plan`, or why it is none.
pub fn fuse(plan: &Arc<dyn ExecutionPlan>) -> Result<std::result::Result<Fused<'_>, String>> {
    if let Some(scan) = plan.downcast_ref::<TableScanExec>() {
        let Some(source) = scan.source() else {
            return Ok(Err("the scan was changed".to_owned()));
        };
        let fields = source.full_schema.fields();
        let outputs = source
            .projection
            .iter()
            .map(|index| Arc::new(Column::new(fields[*index].name(), *index)) as Arc<dyn PhysicalExpr>)
            .collect();
        return Ok(Ok(Fused { scan, outputs, filters: Vec::new() }));
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        if filter.fetch().is_some() {
            return Ok(Err("only some rows are asked for".to_owned()));
        }
        let mut fused = match fuse(filter.input())? {
            Ok(fused) => fused,
            Err(reason) => return Ok(Err(reason)),
        };
        if is_volatile(filter.predicate()) {
            return Ok(Err("a filter is volatile".to_owned()));
        }
        fused.filters.push(substituted(filter.predicate(), &fused.outputs)?);
        if let Some(projection) = filter.projection().as_ref() {
            fused.outputs = projection.iter().map(|index| Arc::clone(&fused.outputs[*index])).collect();
        }
        return Ok(Ok(fused));
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let mut fused = match fuse(projection.input())? {
            Ok(fused) => fused,
            Err(reason) => return Ok(Err(reason)),
        };
        if projection.expr().iter().any(|column| is_volatile(&column.expr)) {
            return Ok(Err("a column is volatile".to_owned()));
        }
        let outputs = projection.expr().iter().map(|column| substituted(&column.expr, &fused.outputs));
        fused.outputs = outputs.collect::<Result<_>>()?;
        return Ok(Ok(fused));
    }
    Ok(Err(format!("the rows come from {}", plan.name())))
}

/// `expr` with `outputs` in the place of the columns that it names.
pub fn substituted(
    expr: &Arc<dyn PhysicalExpr>,
    outputs: &[Arc<dyn PhysicalExpr>],
) -> Result<Arc<dyn PhysicalExpr>> {
    Arc::clone(expr)
        .transform_up(|part| {
            let Some(column) = part.downcast_ref::<Column>() else {
                return Ok(Transformed::no(part));
            };
            match outputs.get(column.index()) {
                Some(output) => Ok(Transformed::yes(Arc::clone(output))),
                None => internal_err!("there is no column {}", column.index()),
            }
        })
        .data()
}
