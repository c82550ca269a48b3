//! Comparisons of intervals by their length, as PostgreSQL makes them.
//!
//! DataFusion 55 compares intervals field by field: months, then days, then nanoseconds. So `INTERVAL '36 hours'` is
//! not greater than `INTERVAL '1 day'`, and `ts1 - ts2 <= INTERVAL '7 days'` is always true, because the difference
//! of two timestamps, a duration, becomes an interval without days. [`with_interval_rules`] makes all of them right:
//! what is compared, sorted or grouped is the length, a month being 30 days and a day 24 hours, as in PostgreSQL.
//! Length is counted in nanoseconds as DECIMAL(38, 0), which holds every interval and every duration exactly.
//!
//! | where | what happens |
//! |---|---|
//! | `=` `<>` `<` `<=` `>` `>=`, `IS [NOT] DISTINCT FROM`, `BETWEEN`, `IN`, `CASE x WHEN`, join conditions, `NULLIF` | lengths are compared |
//! | `GREATEST`, `LEAST`, `min`, `max` | choose by length, return the interval itself |
//! | `ORDER BY`, also in OVER, `PARTITION BY`, `DISTINCT ON`, `count(DISTINCT x)` | by length |
//! | `GROUP BY`, `SELECT DISTINCT`, `UNION`, `INTERSECT`, `EXCEPT` | by length; one of the equal intervals is shown |
//! | ROLLUP and its kin, `min` and `max` with OVER, other DISTINCT aggregates, RANGE offsets, rows and lists | refused with a plan error |
//!
//! This crate and not the engine has the rule, so that whoever embeds the functions alone can have it too.

mod expressions;
mod extreme;
mod length;
mod plans;
mod windows;

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

pub use windows::IntervalWindows;

/// `rules`, which are DataFusion's own, with those of this module at their places.
///
/// Give them to `SessionStateBuilder::with_analyzer_rules`.
pub fn with_interval_rules(
    mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>>,
) -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let coercion = rules.iter().position(|rule| rule.name() == TYPE_COERCION).unwrap_or(rules.len());
    rules.insert(coercion, Arc::new(IntervalWindows));
    rules.push(Arc::new(IntervalComparisons));
    rules
}

const TYPE_COERCION: &str = "type_coercion";

/// Compares intervals by length.
///
/// It must see types settled (after `TypeCoercion`) and nothing computed yet (before the optimizer, which would fold
/// the wrong comparison of two constants). Names of output columns stay.
#[derive(Debug, Default, Clone, Copy)]
pub struct IntervalComparisons;

impl AnalyzerRule for IntervalComparisons {
    fn name(&self) -> &str {
        "interval_comparisons"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_nodes(plan, expressions::rewrite, plans::rewrite)
    }
}

/// Rewrites the expressions of each node of `plan`, sub-queries included, then the node itself.
pub(crate) fn rewrite_nodes(
    plan: LogicalPlan,
    rewrite_expr: impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
    rewrite_plan: impl Fn(LogicalPlan, &DFSchema) -> Result<Transformed<LogicalPlan>>,
) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let schema = input_schema(&plan)?;
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(rewrite_expr(expr, &schema)?.update_data(|expr| name.restore(expr)))
        })?
        .transform_data(|plan| rewrite_plan(plan, &schema))
    });
    rewritten.map(|transformed| transformed.data)
}

fn input_schema(plan: &LogicalPlan) -> Result<DFSchema> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = plan {
        let source = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?;
        schema.merge(&source);
    }
    Ok(schema)
}
