//! `ORDER BY` in OVER.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, WindowFrameBound, WindowFrameUnits};
use datafusion::optimizer::AnalyzerRule;

use super::length::{is_interval, length};
use super::rewrite_nodes;

/// Orders windows by the length of intervals and durations. Before `TypeCoercion`, which refuses them as keys of a
/// RANGE frame, and that is the frame of every OVER with an ORDER BY that names none.
#[derive(Debug, Default, Clone, Copy)]
pub struct IntervalWindows;

impl AnalyzerRule for IntervalWindows {
    fn name(&self) -> &str {
        "interval_windows"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_nodes(
            plan,
            |expr, schema| expr.transform_up(|expr| one(expr, schema)),
            |plan, _| Ok(Transformed::no(plan)),
        )
    }
}

fn one(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::WindowFunction(mut function) = expr else {
        return Ok(Transformed::no(expr));
    };
    let by_range = function.params.window_frame.units == WindowFrameUnits::Range;
    let mut changed = false;
    let mut order_by = std::mem::take(&mut function.params.order_by);
    for key in &mut order_by {
        let key_type = key.expr.get_type(schema)?;
        if is_interval(&key_type) || by_range && matches!(key_type, DataType::Duration(_)) {
            refuse_offset(&function)?;
            key.expr = length(key.expr.clone(), schema);
            changed = true;
        }
    }
    function.params.order_by = order_by;
    let expr = Expr::WindowFunction(function);
    Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
}

fn refuse_offset(function: &WindowFunction) -> Result<()> {
    let has_offset = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::Preceding(value) | WindowFrameBound::Following(value) => !value.is_null(),
        WindowFrameBound::CurrentRow => false,
    };
    let frame = &function.params.window_frame;
    if frame.units == WindowFrameUnits::Range
        && (has_offset(&frame.start_bound) || has_offset(&frame.end_bound))
    {
        return plan_err!(
            "{}: RANGE with an offset is not supported over ORDER BY an interval; order by \
             date_part('epoch', x), its length in seconds",
            function.fun.name()
        );
    }
    Ok(())
}
