//! What the aggregates of this crate do with their arguments: for an engine that calls them with more than rows.

use std::ops::Range;

use arrow::datatypes::DataType;
use datafusion::logical_expr::AggregateUDF;

pub use crate::aggregate::buffered::ConsecutiveGroups;
use crate::aggregate::{funnel, paths, session_list};

/// Places of arguments that an engine may prepare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentUse {
    /// Where the time of a row and the sequence are: the sequence is only compared among rows of one person and one
    /// time.
    pub time_and_sequence: Option<(usize, usize)>,
    /// Arguments that may come as codes into a dictionary of text.
    pub coded: Range<usize>,
}

/// Arguments of a call that looks for the first row in which any of them has a value, and shows values of that row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginArguments {
    /// Those whose values are shown.
    pub shown: Vec<usize>,
    /// Those of which only matters in which rows any of them has a value, and that only where none of `shown` has one.
    pub hidden: Vec<usize>,
}

/// How `function` uses its arguments; `None` for functions of others.
pub fn argument_use(function: &AggregateUDF) -> Option<ArgumentUse> {
    if session_list::is_session_list(function) {
        return Some(session_list::argument_use());
    }
    if paths::is_path_graph(function) {
        return Some(paths::argument_use());
    }
    funnel::is_funnel_function(function).then_some(ArgumentUse { time_and_sequence: None, coded: 0..0 })
}

/// Arguments of `function`, which have these `types`, that are read when the call is made and never from its columns.
pub fn read_by_call(function: &AggregateUDF, types: &[DataType]) -> Vec<usize> {
    if session_list::is_session_list(function) {
        return session_list::read_by_call();
    }
    if paths::is_path_graph(function) {
        return paths::read_by_call();
    }
    if funnel::is_funnel_function(function) {
        return funnel::read_by_call(types);
    }
    Vec::new()
}

/// Arguments of `function`, which have these `types`, that are conditions and may come as codes into a dictionary of
/// booleans.
pub fn condition_arguments(function: &AggregateUDF, types: &[DataType]) -> Range<usize> {
    funnel::condition_arguments(function, types)
}

/// Arguments of `function` on which its result does not depend if those for which `is_complete` is true have a value in
/// every row; `result` is the type of the result.
pub fn idle_arguments(
    function: &AggregateUDF,
    result: &DataType,
    is_complete: impl Fn(usize) -> bool,
) -> Vec<usize> {
    match result {
        DataType::List(item) if session_list::is_session_list(function) => {
            session_list::idle_arguments(item.data_type(), is_complete)
        }
        _ => Vec::new(),
    }
}

/// The arguments of `function` that are looked at together; `None` if there are none. `result` is the type of the result.
pub fn origin_arguments(function: &AggregateUDF, result: &DataType) -> Option<OriginArguments> {
    match result {
        DataType::List(item) if session_list::is_session_list(function) => {
            Some(session_list::origin_arguments(item.data_type()))
        }
        _ => None,
    }
}
