//! Small helpers: a session with the functions, tables in memory, results as plain values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::optimizer::{Analyzer, Optimizer};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use wayfare_udfs::interval::with_interval_rules;
use wayfare_udfs::table::with_table_rules;
use wayfare_udfs::unnest::with_unnest_rule;
use wayfare_udfs::{statement, table};

/// How deep a statement may be nested.
const RECURSION_LIMIT: usize = 50;

/// A session with the functions of this crate and nothing that depends on the machine.
pub(crate) fn context() -> SessionContext {
    context_with(3, 4)
}

/// The same with so many partitions, and rows in a batch.
pub(crate) fn context_with(partitions: usize, batch_rows: usize) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(batch_rows);
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_analyzer_rules(with_unnest_rule(with_interval_rules(Analyzer::new().rules)))
        .with_optimizer_rules(with_table_rules(Optimizer::new().rules))
        .with_relation_planners(vec![table::relation_planner()])
        .build();
    let mut context = SessionContext::new_with_state(state);
    wayfare_udfs::register_all(&mut context).unwrap();
    context.register_relation_planner(wayfare_udfs::table::relation_planner()).unwrap();
    context
}

/// Plans `sql`, one statement, as the engine does: through the statement passes, in the dialect of PostgreSQL.
pub(crate) async fn plan(context: &SessionContext, sql: &str) -> Result<DataFrame> {
    let dialect = PostgreSqlDialect {};
    let mut statements = statement::parse(sql, &dialect, RECURSION_LIMIT, &table::is_table_function)?;
    let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
        return Err(DataFusionError::Plan(format!("one statement is expected: {sql}")));
    };
    let plan = context.state().statement_to_plan(statement).await?;
    context.execute_logical_plan(plan).await
}

/// Registers a table of `partitions` partitions that hold the rows of `batch` round robin.
pub(crate) fn register(context: &SessionContext, name: &str, batch: &RecordBatch, partitions: usize) {
    let mut parts: Vec<Vec<RecordBatch>> = vec![vec![]; partitions];
    for row in 0..batch.num_rows() {
        parts[row % partitions].push(batch.slice(row, 1));
    }
    let table = MemTable::try_new(batch.schema(), parts).unwrap();
    context.register_table(name, Arc::new(table)).unwrap();
}

pub(crate) fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

/// Rows of the result; every column is cast to BIGINT.
pub(crate) async fn numbers(context: &SessionContext, sql: &str) -> Vec<Vec<Option<i64>>> {
    try_numbers(context, sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"))
}

pub(crate) async fn try_numbers(context: &SessionContext, sql: &str) -> Result<Vec<Vec<Option<i64>>>> {
    let mut rows = Vec::new();
    for batch in plan(context, sql).await?.collect().await? {
        let columns: Vec<ArrayRef> =
            batch.columns().iter().map(|column| cast(column, &DataType::Int64).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let value = |column: &ArrayRef| {
                let column = column.as_primitive::<Int64Type>();
                column.is_valid(row).then(|| column.value(row))
            };
            rows.push(columns.iter().map(value).collect());
        }
    }
    Ok(rows)
}

/// Rows of the result; every column is cast to text.
pub(crate) async fn texts(context: &SessionContext, sql: &str) -> Vec<Vec<Option<String>>> {
    let frame = plan(context, sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
    let mut rows = Vec::new();
    for batch in frame.collect().await.unwrap_or_else(|error| panic!("{sql}\n{error}")) {
        let columns: Vec<ArrayRef> =
            batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let value = |column: &ArrayRef| {
                let column = column.as_string::<i32>();
                column.is_valid(row).then(|| column.value(row).to_owned())
            };
            rows.push(columns.iter().map(value).collect());
        }
    }
    rows
}

/// The lists of the only column of the result; their items are cast to BIGINT.
pub(crate) async fn lists(context: &SessionContext, sql: &str) -> Vec<Vec<i64>> {
    let frame = plan(context, sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
    let mut all = Vec::new();
    for batch in frame.collect().await.unwrap_or_else(|error| panic!("{sql}\n{error}")) {
        let column = batch.column(0).as_list::<i32>();
        for row in 0..column.len() {
            let items = cast(&column.value(row), &DataType::Int64).unwrap();
            all.push(items.as_primitive::<Int64Type>().values().to_vec());
        }
    }
    all
}

/// The only number of the result.
pub(crate) async fn number(context: &SessionContext, sql: &str) -> Option<i64> {
    let rows = numbers(context, sql).await;
    assert_eq!((rows.len(), rows[0].len()), (1, 1), "{sql}");
    rows[0][0]
}

/// The error that the statement ends with, planning or running.
pub(crate) async fn error(context: &SessionContext, sql: &str) -> String {
    match try_numbers(context, sql).await {
        Ok(rows) => panic!("expected an error from {sql}, got {rows:?}"),
        // Without the name of the optimizer rule that came upon it.
        Err(error) => error.find_root().strip_backtrace(),
    }
}

/// What EXPLAIN says about a statement that cannot be planned: its error, or the plan with the error that an
/// optimizer rule came upon, which DataFusion shows as a line of the plan.
pub(crate) async fn explained_error(context: &SessionContext, sql: &str) -> String {
    let explain = format!("EXPLAIN {sql}");
    let result = match context.sql(&explain).await {
        Ok(frame) => frame.to_string().await,
        Err(error) => Err(error),
    };
    result.unwrap_or_else(|error| error.find_root().strip_backtrace())
}

/// Says something past the capture of the test harness: what is not run must be seen.
pub(crate) fn tell(text: impl std::fmt::Display) {
    use std::io::Write;
    // A closed standard error is nobody listening.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
