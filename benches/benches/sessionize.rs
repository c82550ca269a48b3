//! Sessions: one partition at once, row by row as in a bounded plan, and whole queries: `sessionize`, one person of a
//! million events under all rules at once, and the table function.
//!
//! Seeded rows, in time order for each person.

#![allow(clippy::expect_used, reason = "a bench stops at the first error")]

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::PartitionEvaluator;
use datafusion::logical_expr::function::PartitionEvaluatorArgs;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, lit};
use datafusion::prelude::SessionContext;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use wayfare_udfs::table::relation_planner;
use wayfare_udfs::{all_window_functions, register_all};

const ROWS: usize = 1_000_000;
const BATCH_ROWS: usize = 8_192;

fn main() {
    divan::main();
}

/// Times with gaps of up to an hour; every twentieth is NULL if `nulls`.
fn times(nulls: bool) -> TimestampMicrosecondArray {
    let mut state = 7_u64;
    let mut time = 0;
    let values = (0..ROWS).map(|row| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        time += i64::try_from(state >> 33).expect("31 bits") % 3_600_000_000;
        (!nulls || row % 20 != 0).then_some(time)
    });
    TimestampMicrosecondArray::from_iter(values).with_timezone("UTC")
}

fn evaluator() -> Box<dyn PartitionEvaluator> {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let gap = ScalarValue::new_interval_mdn(0, 0, 1_800_000_000_000);
    let fields = [Arc::new(Field::new("ts", utc, true)), Arc::new(Field::new("gap", gap.data_type(), false))];
    let arguments: [Arc<dyn PhysicalExpr>; 2] = [Arc::new(Column::new("ts", 0)), lit(gap)];
    all_window_functions()[0]
        .partition_evaluator_factory(PartitionEvaluatorArgs::new(&arguments, &fields, false, false))
        .expect("valid arguments")
}

#[divan::bench(args = [false, true])]
fn partition_at_once(bencher: Bencher, nulls: bool) {
    let columns: [ArrayRef; 1] = [Arc::new(times(nulls))];
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(evaluator)
        .bench_local_values(|mut evaluator| evaluator.evaluate_all(&columns, ROWS).expect("ordered times"));
}

#[divan::bench(args = [false, true])]
fn row_by_row(bencher: Bencher, nulls: bool) {
    let columns: [ArrayRef; 1] = [Arc::new(times(nulls))];
    bencher.counter(ItemsCount::new(ROWS)).with_inputs(evaluator).bench_local_values(|mut evaluator| {
        for row in 0..ROWS {
            let value = evaluator.evaluate(&columns, &(row..row + 1));
            black_box(value.expect("ordered times"));
        }
    });
}

/// A table `t` with `people` persons; events, pages and campaigns change from row to row.
fn context(people: i64) -> SessionContext {
    let mut context = SessionContext::new();
    register_all(&mut context).expect("a fresh session");
    context.register_relation_planner(relation_planner()).expect("a fresh session");
    let users = Int64Array::from_iter_values((0..).take(ROWS).map(|row| row * 7_919 % people));
    let text = |values: [&'static str; 4], every: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| values[row / every % 4])))
    };
    let batch = RecordBatch::try_from_iter([
        ("user_id", Arc::new(users) as ArrayRef),
        ("ts", Arc::new(times(false)) as ArrayRef),
        ("event", text(["page_view", "page_view", "cart", "purchase"], 1)),
        ("page", text(["/", "/hats", "/cart", "/done"], 3)),
        ("campaign", text(["spring", "summer", "autumn", "winter"], 50)),
    ])
    .expect("columns of one length");
    let batches: Vec<RecordBatch> =
        (0..ROWS).step_by(BATCH_ROWS).map(|first| batch.slice(first, BATCH_ROWS.min(ROWS - first))).collect();
    let table = MemTable::try_new(batch.schema(), vec![batches]).expect("batches of one schema");
    context.register_table("t", Arc::new(table)).expect("a fresh session");
    context
}

fn bench_query(bencher: Bencher, people: i64, sql: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let context = context(people);
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        runtime.block_on(async {
            let batches = context.sql(sql).await.expect("a valid query").collect().await;
            black_box(batches.expect("a result"))
        })
    });
}

/// The whole query, its sort included; `people` is the number of partitions of the window.
#[divan::bench(args = [1_000, 100_000], sample_count = 5)]
fn query(bencher: Bencher, people: i64) {
    bench_query(
        bencher,
        people,
        "SELECT max(session) FROM (SELECT sessionize(ts, INTERVAL '30 minutes') \
         OVER (PARTITION BY user_id ORDER BY ts) AS session FROM t)",
    );
}

/// Every rule in one call, over one person of a million events and over many.
#[divan::bench(args = [1, 100_000], sample_count = 5)]
fn query_with_all_rules(bencher: Bencher, people: i64) {
    bench_query(
        bencher,
        people,
        "SELECT max(session) FROM (SELECT session_number(ts, INTERVAL '30 minutes', true, page = '/', \
         event = 'purchase', INTERVAL '1 day', 100, campaign, 'Europe/Berlin', INTERVAL '1 second', page = '/none') \
         OVER (PARTITION BY user_id ORDER BY ts) AS session FROM t)",
    );
}

/// The table function with every column of its result.
#[divan::bench(args = [1, 100_000], sample_count = 5)]
fn sessions(bencher: Bencher, people: i64) {
    bench_query(
        bencher,
        people,
        "SELECT count(*), sum(events), max(session_id), max(exit_page), count(*) FILTER (WHERE is_engaged) \
         FROM sessions((SELECT * FROM t), gap => INTERVAL '30 minutes', end_if => event = 'purchase', \
         split_on => campaign, midnight => 'Europe/Berlin', max_length => INTERVAL '1 day')",
    );
}
