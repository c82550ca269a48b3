//! Options of the engine that a session may set: those that change how its own statements are planned or shown, within
//! bounds that hurt nobody else. All others belong to the operator, among them what limits memory and depth.

use pgwire::error::PgWireResult;

use crate::error::{error, sqlstate};

/// What an option may be set to.
#[derive(Debug, Clone, Copy)]
enum Domain {
    /// The engine checks it.
    Any,
    Between(u64, u64),
}

const PREFIX: &str = "wayfare.";

const OPTIONS: &[(&str, Domain)] = &[
    ("datafusion.execution.batch_size", Domain::Between(1, 65_536)),
    ("datafusion.execution.coalesce_batches", Domain::Any),
    ("datafusion.execution.collect_statistics", Domain::Any),
    ("datafusion.execution.skip_partial_aggregation_probe_ratio_threshold", Domain::Any),
    ("datafusion.execution.skip_partial_aggregation_probe_rows_threshold", Domain::Any),
    ("datafusion.execution.target_partitions", Domain::Between(1, 64)),
    ("datafusion.explain.analyze_level", Domain::Any),
    ("datafusion.explain.format", Domain::Any),
    ("datafusion.explain.logical_plan_only", Domain::Any),
    ("datafusion.explain.physical_plan_only", Domain::Any),
    ("datafusion.explain.show_schema", Domain::Any),
    ("datafusion.explain.show_sizes", Domain::Any),
    ("datafusion.explain.show_statistics", Domain::Any),
    ("datafusion.explain.tree_maximum_render_width", Domain::Between(0, 10_000)),
    // Only `false`: the engine refuses more, and says why.
    ("datafusion.optimizer.enable_aggregate_dynamic_filter_pushdown", Domain::Any),
    ("datafusion.optimizer.enable_round_robin_repartition", Domain::Any),
    ("datafusion.optimizer.enable_topk_aggregation", Domain::Any),
    ("datafusion.optimizer.filter_null_join_keys", Domain::Any),
    ("datafusion.optimizer.join_reordering", Domain::Any),
    ("datafusion.optimizer.prefer_existing_sort", Domain::Any),
    ("datafusion.optimizer.prefer_hash_join", Domain::Any),
    ("datafusion.optimizer.repartition_aggregations", Domain::Any),
    ("datafusion.optimizer.repartition_file_scans", Domain::Any),
    ("datafusion.optimizer.repartition_joins", Domain::Any),
    ("datafusion.optimizer.repartition_sorts", Domain::Any),
    ("datafusion.optimizer.repartition_windows", Domain::Any),
    ("datafusion.optimizer.top_down_join_key_reordering", Domain::Any),
];

/// Whether a session may set `name` to `value`, or back to its default if `None`.
///
/// # Errors
/// 42501 for an option that is not for sessions, 22023 for a value out of its bounds.
pub(crate) fn check(name: &str, value: Option<&str>) -> PgWireResult<()> {
    // The engine's own settings are made for sessions, and it refuses those that do not exist.
    if name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX)) {
        return Ok(());
    }
    let Some((_, domain)) = OPTIONS.iter().find(|(option, _)| option.eq_ignore_ascii_case(name)) else {
        return Err(error(
            sqlstate::INSUFFICIENT_PRIVILEGE,
            format!("permission denied to set parameter \"{name}\""),
        ));
    };
    let (Domain::Between(least, most), Some(value)) = (domain, value) else {
        return Ok(());
    };
    match value.trim().parse::<u64>() {
        Ok(number) if (*least..=*most).contains(&number) => Ok(()),
        _ => Err(error(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("{value} is outside the valid range for parameter \"{name}\" ({least} .. {most})"),
        )),
    }
}

/// Whether a session may be shown `name`: not where the server keeps its files and how much it may take.
///
/// # Errors
/// 42501.
pub(crate) fn check_shown(name: &str) -> PgWireResult<()> {
    const OPERATORS: &str = "datafusion.runtime.";
    if name.get(..OPERATORS.len()).is_some_and(|start| start.eq_ignore_ascii_case(OPERATORS)) {
        let message = format!("permission denied to examine \"{name}\"");
        return Err(error(sqlstate::INSUFFICIENT_PRIVILEGE, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_within_its_bounds() {
        let code = |name, value| match check(name, value) {
            Ok(()) => None,
            Err(pgwire::error::PgWireError::UserError(info)) => Some(info.code),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(code("DataFusion.Execution.Batch_Size", Some("100")), None);
        assert_eq!(code("datafusion.execution.batch_size", None), None);
        assert_eq!(code("datafusion.execution.batch_size", Some("1000000000000")).as_deref(), Some("22023"));
        assert_eq!(code("datafusion.execution.target_partitions", Some("0")).as_deref(), Some("22023"));
        for name in [
            "datafusion.runtime.memory_limit",
            "datafusion.sql_parser.recursion_limit",
            "datafusion.sql_parser.dialect",
            "datafusion.catalog.location",
            "datafusion.optimizer.max_passes",
            "datafusion.execution.parquet.pruning",
            "a.b",
        ] {
            assert_eq!(code(name, Some("1")).as_deref(), Some("42501"), "{name}");
        }
    }
}
