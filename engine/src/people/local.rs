//! Which plans treat each person apart: run on the rows of some people, they give the rows of the answer that belong
//! to these people, whatever other people there are.

use std::sync::Arc;

use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::window::WindowExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};

use crate::scan::exec::TableScanExec;
use crate::schema;

/// A plan that treats each person apart.
#[derive(Debug)]
pub struct Local<'a> {
    /// Its scan.
    pub scan: &'a TableScanExec,
    /// Columns of its output that hold the person.
    persons: Vec<usize>,
    /// Whether a window function is among its nodes.
    pub has_window: bool,
}

impl Local<'_> {
    fn is_person(&self, expr: &Arc<dyn PhysicalExpr>) -> bool {
        expr.downcast_ref::<Column>().is_some_and(|column| self.persons.contains(&column.index()))
    }
}

/// Looks at `plan`; `None` if a node of it may bring people together, or is not known.
pub fn local(plan: &Arc<dyn ExecutionPlan>) -> Option<Local<'_>> {
    if let Some(scan) = plan.downcast_ref::<TableScanExec>() {
        let source = scan.source()?;
        let person = source.full_schema.index_of(schema::USER_ID).ok()?;
        let persons = source.projection.iter().enumerate().filter(|(_, index)| **index == person);
        let persons = persons.map(|(position, _)| position).collect();
        return (!source.is_limited).then_some(Local { scan, persons, has_window: false });
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let mut below = local(filter.input())?;
        if filter.fetch().is_some() {
            return None;
        }
        if let Some(projection) = filter.projection().as_ref() {
            let kept = projection.iter().enumerate().filter(|(_, index)| below.persons.contains(index));
            below.persons = kept.map(|(position, _)| position).collect();
        }
        return Some(below);
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let mut below = local(projection.input())?;
        let columns = projection.expr().iter().enumerate();
        below.persons = columns
            .filter(|(_, column)| below.is_person(&column.expr))
            .map(|(position, _)| position)
            .collect();
        return Some(below);
    }
    if let Some(window) = plan.downcast_ref::<BoundedWindowAggExec>() {
        return windowed(window.input(), window.window_expr());
    }
    if let Some(window) = plan.downcast_ref::<WindowAggExec>() {
        return windowed(window.input(), window.window_expr());
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let mut below = local(aggregate.input())?;
        let is_whole = match aggregate.mode() {
            AggregateMode::Partial | AggregateMode::Single | AggregateMode::SinglePartitioned => true,
            // Only behind its first stage, which stands in the same plan.
            AggregateMode::Final | AggregateMode::FinalPartitioned => aggregate
                .input()
                .downcast_ref::<AggregateExec>()
                .is_some_and(|first| *first.mode() == AggregateMode::Partial),
            AggregateMode::PartialReduce => false,
        };
        let keys = aggregate.group_expr();
        let persons: Vec<usize> = keys
            .expr()
            .iter()
            .enumerate()
            .filter(|(_, (expr, _))| below.is_person(expr))
            .map(|(position, _)| position)
            .collect();
        if !is_whole || !keys.is_single() || persons.is_empty() || aggregate.limit_options().is_some() {
            return None;
        }
        below.persons = persons;
        return Some(below);
    }
    None
}

fn windowed<'a>(input: &'a Arc<dyn ExecutionPlan>, windows: &[Arc<dyn WindowExpr>]) -> Option<Local<'a>> {
    let below = local(input)?;
    // Its columns come first in the output.
    let by_person =
        |window: &Arc<dyn WindowExpr>| window.partition_by().iter().any(|key| below.is_person(key));
    windows.iter().all(by_person).then_some(Local { has_window: true, ..below })
}
