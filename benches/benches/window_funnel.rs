//! window_funnel: adding rows, passing states on and giving results, apart and in rows per second.
//!
//! 1 M rows of a five-step funnel over 100,000 people, seeded. `in order` has each person's rows
//! together and in time order, `shuffled` has rows of all people in any order. `adapter` is what
//! DataFusion does without our accumulator for all groups: one accumulator for each group.
//!
//! `one_person` has all rows in one group: 1 M events in time order, in each mode, with the companions, and with 200
//! steps; `ties` puts 100 rows into each instant, each of them meeting every second of 200 steps, which is the worst
//! that `strict_once` can meet.

#![allow(clippy::expect_used, reason = "a bench stops at the first error")]

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{col, lit};
use datafusion::physical_expr::{GroupsAccumulatorAdapter, PhysicalExpr};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use wayfare_udfs::all_aggregate_functions;

const ROWS: usize = 1_000_000;
const PEOPLE: usize = 100_000;
const BATCH_ROWS: usize = 8_192;
const STEPS: usize = 5;
const HOUR_US: i64 = 3_600_000_000;

const MODES: [&str; 8] = [
    "default",
    "strict_order",
    "strict_increase",
    "strict_deduplication",
    "strict_once",
    "strict_rows",
    "strict_steps",
    "strict_no_repeat",
];
const FUNCTIONS: [&str; 5] =
    ["window_funnel", "funnel_count", "funnel_match", "funnel_durations", "funnel_steps"];

const IN_ORDER: &str = "in order";
const SHUFFLED: &str = "shuffled";
const SHUFFLED_NULLS: &str = "shuffled, with NULLs";
const INPUTS: [&str; 3] = [IN_ORDER, SHUFFLED, SHUFFLED_NULLS];

fn main() {
    divan::main();
}

/// One batch of argument columns and the group of each row.
struct Batch {
    columns: Vec<ArrayRef>,
    groups: Vec<usize>,
}

/// Numbers that look random and are the same each time (splitmix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed % limit as u64) as usize
    }
}

fn batches(mode: &str, input: &str) -> Vec<Batch> {
    let in_order = input == IN_ORDER;
    let nulls = input == SHUFFLED_NULLS;
    let mut seeded = Seeded(7);
    // Group, minute, event: every second event belongs to no step.
    let mut rows: Vec<(usize, i64, usize)> = (0..ROWS)
        .map(|row| {
            let group = row / (ROWS / PEOPLE);
            let minute = (row % (ROWS / PEOPLE)) * 20 + seeded.below(20);
            (group, minute as i64, seeded.below(2 * STEPS))
        })
        .collect();
    if !in_order {
        for row in (1..rows.len()).rev() {
            rows.swap(row, seeded.below(row + 1));
        }
    }
    let mut make_batch = |rows: &[(usize, i64, usize)]| {
        let window = hour().to_array_of_size(rows.len()).expect("a constant");
        let mode = ScalarValue::from(mode).to_array_of_size(rows.len());
        let times = rows.iter().map(|(_, minute, _)| {
            let is_null = nulls && seeded.below(20) == 0;
            (!is_null).then_some(minute * 60_000_000)
        });
        let ts = TimestampMicrosecondArray::from_iter(times).with_timezone("UTC");
        let mut columns: Vec<ArrayRef> = vec![window, mode.expect("a constant"), Arc::new(ts)];
        for step in 0..STEPS {
            let met = rows.iter().map(|(_, _, event)| {
                let is_null = nulls && *event == 2 * STEPS - 1;
                (!is_null).then_some(*event == step)
            });
            columns.push(Arc::new(BooleanArray::from_iter(met)));
        }
        Batch { columns, groups: rows.iter().map(|(group, _, _)| *group).collect() }
    };
    rows.chunks(BATCH_ROWS).map(&mut make_batch).collect()
}

fn hour() -> ScalarValue {
    ScalarValue::new_interval_mdn(0, 0, HOUR_US * 1_000)
}

fn function(name: &str, mode: &str) -> AggregateFunctionExpr {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = vec![Field::new("ts", utc, true)];
    for step in 0..STEPS {
        fields.push(Field::new(format!("c{step}"), DataType::Boolean, true));
    }
    let schema = Arc::new(Schema::new(fields));
    let mut arguments: Vec<Arc<dyn PhysicalExpr>> = vec![lit(hour()), lit(mode)];
    for field in schema.fields() {
        arguments.push(col(field.name(), &schema).expect("a column of the schema"));
    }
    let functions = all_aggregate_functions();
    let function = functions.into_iter().find(|known| known.name() == name).expect("a known function");
    AggregateExprBuilder::new(function, arguments)
        .schema(schema)
        .alias("result")
        .build()
        .expect("valid arguments")
}

fn groups_accumulator(mode: &str) -> Box<dyn GroupsAccumulator> {
    function("window_funnel", mode).create_groups_accumulator().expect("valid arguments")
}

fn adapter(mode: &str) -> Box<dyn GroupsAccumulator> {
    let function = function("window_funnel", mode);
    Box::new(GroupsAccumulatorAdapter::new(move || function.create_accumulator()))
}

fn add(accumulator: &mut dyn GroupsAccumulator, batches: &[Batch]) {
    for batch in batches {
        accumulator.update_batch(&batch.columns, &batch.groups, None, PEOPLE).expect("valid columns");
    }
}

#[divan::bench(args = INPUTS, sample_count = 10)]
fn update(bencher: Bencher, input: &str) {
    let batches = batches("default", input);
    bencher.counter(ItemsCount::new(ROWS)).with_inputs(|| groups_accumulator("default")).bench_local_values(
        |mut accumulator| {
            add(accumulator.as_mut(), &batches);
            accumulator
        },
    );
}

#[divan::bench(args = INPUTS, sample_count = 10)]
fn update_adapter(bencher: Bencher, input: &str) {
    let batches = batches("default", input);
    bencher.counter(ItemsCount::new(ROWS)).with_inputs(|| adapter("default")).bench_local_values(
        |mut accumulator| {
            add(accumulator.as_mut(), &batches);
            accumulator
        },
    );
}

#[divan::bench(args = MODES, sample_count = 10)]
fn evaluate_in_order(bencher: Bencher, mode: &str) {
    evaluate(bencher, mode, IN_ORDER);
}

#[divan::bench(args = MODES, sample_count = 10)]
fn evaluate_shuffled(bencher: Bencher, mode: &str) {
    evaluate(bencher, mode, SHUFFLED);
}

fn evaluate(bencher: Bencher, mode: &str, input: &str) {
    let batches = batches(mode, input);
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(|| {
            let mut accumulator = groups_accumulator(mode);
            add(accumulator.as_mut(), &batches);
            accumulator
        })
        .bench_local_values(|mut accumulator| {
            black_box(accumulator.evaluate(EmitTo::All).expect("a result"));
        });
}

#[divan::bench(sample_count = 10)]
fn evaluate_adapter(bencher: Bencher) {
    let batches = batches("default", SHUFFLED);
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(|| {
            let mut accumulator = adapter("default");
            add(accumulator.as_mut(), &batches);
            accumulator
        })
        .bench_local_values(|mut accumulator| {
            black_box(accumulator.evaluate(EmitTo::All).expect("a result"));
        });
}

#[divan::bench(sample_count = 10)]
fn state_and_merge(bencher: Bencher) {
    let batches = batches("default", SHUFFLED);
    let groups: Vec<usize> = (0..PEOPLE).collect();
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(|| {
            let mut accumulator = groups_accumulator("default");
            add(accumulator.as_mut(), &batches);
            (accumulator, groups_accumulator("default"))
        })
        .bench_local_values(|(mut partial, mut merged)| {
            let state = partial.state(EmitTo::All).expect("a state");
            merged.merge_batch(&state, &groups, PEOPLE).expect("a state of the same call");
            merged
        });
}

#[divan::bench(sample_count = 10)]
fn rows_to_states(bencher: Bencher) {
    let batches = batches("default", SHUFFLED);
    let accumulator = groups_accumulator("default");
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        for batch in &batches {
            black_box(accumulator.convert_to_state(&batch.columns, None).expect("valid columns"));
        }
    });
}

/// The plain search over the rows of one person.
mod one_person {
    use divan::counter::ItemsCount;
    use divan::{Bencher, black_box};
    use wayfare_udfs::journey::event::{insert_step, words_for};
    use wayfare_udfs::journey::funnel::{
        FunnelModes, FunnelState, chain_of_sorted, count_of_sorted, depth_of_sorted,
    };
    use wayfare_udfs::journey::time::FixedWindow;

    use super::{FUNCTIONS, MODES, ROWS, STEPS, Seeded};

    const MANY_STEPS: usize = 200;

    /// Rows with one condition out of all but the last, so that no search ends before the rows do.
    fn rows(steps: usize) -> (Vec<i64>, Vec<u64>) {
        let words = words_for(steps);
        let mut seeded = Seeded(11);
        let mut sets = vec![0; ROWS * words];
        for set in sets.chunks_exact_mut(words) {
            insert_step(set, seeded.below(steps - 1) + 1);
        }
        ((0..ROWS as i64).collect(), sets)
    }

    fn window() -> FixedWindow {
        FixedWindow::new(10_000).expect("not negative")
    }

    fn modes(text: &str) -> FunnelModes {
        FunnelModes::parse(text).expect("a known mode")
    }

    #[divan::bench(args = MODES, sample_count = 5)]
    fn five_steps(bencher: Bencher, mode: &str) {
        depth(bencher, mode, STEPS, rows(STEPS));
    }

    #[divan::bench(args = MODES, sample_count = 5)]
    fn two_hundred_steps(bencher: Bencher, mode: &str) {
        depth(bencher, mode, MANY_STEPS, rows(MANY_STEPS));
    }

    #[divan::bench(args = MODES, sample_count = 3)]
    fn ties(bencher: Bencher, mode: &str) {
        let mut seeded = Seeded(13);
        let mut sets = Vec::with_capacity(ROWS * words_for(MANY_STEPS));
        for _ in 0..ROWS {
            let mut set = vec![0; words_for(MANY_STEPS)];
            for step in 1..MANY_STEPS {
                if seeded.below(2) == 0 {
                    insert_step(&mut set, step);
                }
            }
            sets.extend(set);
        }
        let times = (0..ROWS as i64).map(|row| row / 100).collect();
        depth(bencher, mode, MANY_STEPS, (times, sets));
    }

    fn depth(bencher: Bencher, mode: &str, steps: usize, (times, sets): (Vec<i64>, Vec<u64>)) {
        let mut state = FunnelState::new(steps);
        bencher
            .counter(ItemsCount::new(ROWS))
            .bench_local(|| black_box(depth_of_sorted(&mut state, modes(mode), &window(), &times, &sets)));
    }

    /// The chain is what funnel_steps and funnel_durations add to the depth.
    #[divan::bench(args = MODES, sample_count = 5)]
    fn chain(bencher: Bencher, mode: &str) {
        let (times, sets) = rows(STEPS);
        let mut state = FunnelState::new(STEPS);
        bencher
            .counter(ItemsCount::new(ROWS))
            .bench_local(|| black_box(chain_of_sorted(&mut state, modes(mode), &window(), &times, &sets)));
    }

    #[divan::bench(args = MODES, sample_count = 5)]
    fn count(bencher: Bencher, mode: &str) {
        let (times, sets) = rows(STEPS);
        let mut state = FunnelState::counting(STEPS);
        bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
            black_box(count_of_sorted(&mut state, modes(mode), &window(), &times, &sets, STEPS))
        });
    }

    /// The functions as SQL calls them: rows added in batches, one group, one result.
    #[divan::bench(args = FUNCTIONS, sample_count = 5)]
    fn function(bencher: Bencher, function: &str) {
        let batches = super::batches("default", super::IN_ORDER);
        bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
            let call = super::function(function, "default");
            let mut accumulator = call.create_accumulator().expect("valid arguments");
            for batch in &batches {
                accumulator.update_batch(&batch.columns).expect("valid columns");
            }
            black_box(accumulator.evaluate().expect("a result"));
        });
    }
}
