//! Paths of people and what they have in common: the aggregates behind the table functions of paths.
//!
//! [`path_graph`] runs over the rows of each person and adds up the figures of edges, whole paths or steps over all
//! people that one evaluation sees; [`durations_median`] is the median of durations that were gathered so. Algorithms:
//! [`journey::paths`](crate::journey::paths).
//!
//! Node names become numbers when a row arrives, so that a row is kept in 21 bytes and paths are compared as numbers.
//! The names live as long as the plan. What is added up is bounded by the different edges, paths and steps.

mod call;
mod columns;
mod layout;
mod list;
mod median;
mod names;
mod output;

use datafusion::logical_expr::{AggregateUDF, Expr};

use super::buffered::BufferedAggregate;
use crate::by_person::ArgumentUse;
pub(crate) use layout::{GraphKind, Layout};
pub(crate) use list::path_list_functions;
pub(crate) use output::{WantedFigures, field};

/// The figures of the paths of all people, as a list of structs: those of everybody that is evaluated together are in
/// the list of the first of them, and the other lists are empty. Who adds up the structs, and takes nothing else from
/// the groups, sees the same as if each person's were in a list of their own; but they are far fewer.
pub(crate) fn path_graph(layout: Layout, arguments: Vec<Expr>) -> Expr {
    AggregateUDF::from(BufferedAggregate::new(layout::PathGraph::new(layout))).call(arguments)
}

/// Whether `function` is the aggregate behind [`path_graph`].
pub(crate) fn is_path_graph(function: &AggregateUDF) -> bool {
    function.inner().is::<BufferedAggregate<layout::PathGraph>>()
}

/// `function`, which is that aggregate, gathering only the `wanted` figures; `None` if it is another one.
pub(crate) fn with_wanted(function: &AggregateUDF, wanted: WantedFigures) -> Option<AggregateUDF> {
    let graph = function.inner().downcast_ref::<BufferedAggregate<layout::PathGraph>>()?;
    Some(AggregateUDF::from(BufferedAggregate::new(graph.function().with_wanted(wanted))))
}

/// How that aggregate uses its arguments.
pub(crate) fn argument_use() -> ArgumentUse {
    ArgumentUse { time_and_sequence: None, coded: layout::NODE..layout::NODE + 1 }
}

/// Arguments that are one value for all rows.
pub(crate) fn read_by_call() -> Vec<usize> {
    vec![layout::GAP]
}

/// The median of the seconds in lists of durations and of their weights, which [`path_graph`] gives.
pub(crate) fn durations_median(function: &'static str, arguments: Vec<Expr>) -> Expr {
    AggregateUDF::from(BufferedAggregate::new(median::DurationsMedian { function })).call(arguments)
}
