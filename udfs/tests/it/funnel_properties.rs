//! window_funnel for generated rows: any order, any split and any merge gives the slow answer.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::logical_expr::{Accumulator, EmitTo};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{col, lit};
use proptest::prelude::*;
use proptest::sample::SizeRange;
use wayfare_udfs::all_aggregate_functions;
use wayfare_udfs::journey::event::{contains_step, insert_step, sort_by_time, words_for};
use wayfare_udfs::journey::funnel::{
    Follow, FunnelModes, FunnelState, SessionWindow, chain_of_sorted, count_of_sorted, depth_of_sorted,
};
use wayfare_udfs::journey::session::SessionCounter;
use wayfare_udfs::journey::time::FixedWindow;

use crate::funnel_reference::{Funnel, Reach};
use crate::reference::{self, Row};

const MODES: [&str; 24] = [
    "default",
    "strict_order",
    "strict_increase",
    "strict_deduplication",
    "strict_once",
    "strict_order, allow_reentry",
    "strict_order, strict_increase",
    "strict_order, strict_deduplication",
    "strict_order, strict_once",
    "strict_increase, strict_deduplication",
    "strict_increase, strict_once",
    "strict_deduplication, strict_once",
    "strict_order, strict_increase, strict_deduplication",
    "strict_order, strict_deduplication, strict_once",
    "strict_order, strict_once, allow_reentry",
    "strict_order, strict_increase, strict_deduplication, allow_reentry",
    "strict_order, strict_deduplication, strict_once, allow_reentry",
    "strict_order, strict_increase, strict_deduplication, strict_once, allow_reentry",
    "strict_rows",
    "strict_rows, strict_increase",
    "strict_steps",
    "strict_steps, strict_increase",
    "strict_no_repeat",
    "strict_no_repeat, strict_increase",
];

const STEPS: usize = 4;

fn modes() -> impl Strategy<Value = &'static str> {
    prop::sample::select(MODES.to_vec())
}

/// Rows with few distinct times, so that ties are common; mostly one step each.
fn rows(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Row>> {
    let one = (1..=STEPS).prop_map(|step| vec![step]);
    let several = prop::sample::subsequence((1..=STEPS).collect::<Vec<_>>(), 0..=STEPS);
    let met = prop_oneof![3 => one, 1 => several];
    prop::collection::vec((0_i64..12, met), count)
}

fn reach() -> impl Strategy<Value = Reach> {
    prop_oneof![2 => (0_i64..14).prop_map(Reach::Ticks), 1 => (0_i64..4).prop_map(Reach::Session)]
}

/// Calls `$function(state, modes, window, times, sets, ..)` for the window of a reach.
macro_rules! with_window {
    ($reach:expr, $window:ident => $call:expr) => {
        match $reach {
            Reach::Ticks(ticks) => {
                let $window = &FixedWindow::new(ticks).unwrap();
                $call
            }
            Reach::Session(gap) => {
                let $window = &SessionWindow { gap: FixedWindow::new(gap).unwrap() };
                $call
            }
        }
    };
}

fn sorted(rows: &[Row]) -> (Vec<i64>, Vec<u64>) {
    let words = words_for(STEPS);
    let mut times = Vec::new();
    let mut sets = Vec::new();
    for (time, met) in rows {
        let mut set = vec![0; words];
        for step in met {
            insert_step(&mut set, *step);
        }
        times.push(*time);
        sets.extend(set);
    }
    sort_by_time(&mut times, &mut sets);
    (times, sets)
}

fn plain_depth_in(steps: usize, modes: &str, reach: Reach, rows: &[Row]) -> usize {
    let (times, sets) = sorted(rows);
    let modes = FunnelModes::parse(modes).unwrap();
    let state = &mut FunnelState::new(steps);
    with_window!(reach, window => depth_of_sorted(state, modes, window, &times, &sets))
}

fn plain_depth(modes: &str, window: i64, rows: &[Row]) -> usize {
    plain_depth_in(STEPS, modes, Reach::Ticks(window), rows)
}

fn plain_count(steps: usize, modes: &str, reach: Reach, rows: &[Row]) -> usize {
    let (times, sets) = sorted(rows);
    let modes = FunnelModes::parse(modes).unwrap();
    let state = &mut FunnelState::counting(steps);
    with_window!(reach, window => count_of_sorted(state, modes, window, &times, &sets, steps))
}

/// Rows of the chain as (time, steps met), in the order of the steps.
fn plain_chain(steps: usize, modes: &str, reach: Reach, rows: &[Row]) -> Vec<(usize, i64, u64)> {
    let (times, sets) = sorted(rows);
    let modes = FunnelModes::parse(modes).unwrap();
    let state = &mut FunnelState::new(steps);
    let chain = with_window!(reach, window => chain_of_sorted(state, modes, window, &times, &sets));
    chain.into_iter().map(|row| (row, times[row], sets[row])).collect()
}

/// The funnel of the first `steps` steps; rows meet no others.
fn cut(steps: usize, rows: &[Row]) -> Vec<Row> {
    let cut = |met: &[usize]| met.iter().copied().filter(|step| *step <= steps).collect();
    rows.iter().map(|(time, met)| (*time, cut(met))).collect()
}

/// `window_funnel(window, modes, ts, c1, c2, c3, c4)` over integer times.
fn aggregate(modes: &str, window: i64) -> AggregateFunctionExpr {
    let mut fields = vec![Field::new("ts", DataType::Int64, true)];
    for step in 1..=STEPS {
        fields.push(Field::new(format!("c{step}"), DataType::Boolean, true));
    }
    let schema = Arc::new(Schema::new(fields));
    let mut arguments: Vec<Arc<dyn PhysicalExpr>> = vec![lit(window), lit(modes)];
    for field in schema.fields() {
        arguments.push(col(field.name(), &schema).unwrap());
    }
    let functions = all_aggregate_functions();
    let function = functions.into_iter().find(|function| function.name() == "window_funnel").unwrap();
    AggregateExprBuilder::new(function, arguments).schema(schema).alias("depth").build().unwrap()
}

/// Columns of the arguments; NULL stands for every second condition that is not met.
fn columns(modes: &str, window: i64, rows: &[Row]) -> Vec<ArrayRef> {
    let times = rows.iter().map(|row| row.0);
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|_| window))),
        Arc::new(arrow::array::StringArray::from_iter_values(rows.iter().map(|_| modes))),
        Arc::new(Int64Array::from_iter_values(times)),
    ];
    for step in 1..=STEPS {
        let met = rows.iter().enumerate().map(|(index, row)| {
            let met = row.1.contains(&step);
            (met || (index + step) % 2 == 0).then_some(met)
        });
        columns.push(Arc::new(BooleanArray::from_iter(met)));
    }
    columns
}

fn evaluate(accumulator: &mut dyn Accumulator) -> i64 {
    let value = accumulator.evaluate().unwrap().to_array().unwrap();
    value.as_primitive::<Int64Type>().value(0)
}

fn state_columns(accumulator: &mut dyn Accumulator) -> Vec<ArrayRef> {
    let state = accumulator.state().unwrap();
    state.iter().map(|value| value.to_array().unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn depth_equals_the_slow_reference(
        modes in modes(),
        reach in reach(),
        rows in rows(0..11),
    ) {
        let parsed = FunnelModes::parse(modes).unwrap();
        let slow = Funnel { steps: STEPS, modes: parsed, reach, rows: &rows };
        prop_assert_eq!(plain_depth_in(STEPS, modes, reach, &rows), slow.depth());
    }

    #[test]
    fn count_equals_the_slow_reference(
        modes in modes(),
        reach in reach(),
        steps in 1..=3_usize,
        rows in rows(0..11),
    ) {
        let rows = cut(steps, &rows);
        let parsed = FunnelModes::parse(modes).unwrap();
        let slow = Funnel { steps, modes: parsed, reach, rows: &rows };
        let count = plain_count(steps, modes, reach, &rows);
        prop_assert_eq!(count, slow.count());
        prop_assert_eq!(count > 0, plain_depth_in(steps, modes, reach, &rows) == steps);
    }

    #[test]
    fn chain_equals_the_slow_reference(
        modes in modes(),
        reach in reach(),
        steps in 1..=STEPS,
        rows in rows(0..11),
    ) {
        let rows = cut(steps, &rows);
        let parsed = FunnelModes::parse(modes).unwrap();
        let slow = Funnel { steps, modes: parsed, reach, rows: &rows };
        let chain = plain_chain(steps, modes, reach, &rows);
        let times: Vec<i64> = chain.iter().map(|(_, time, _)| *time).collect();
        prop_assert_eq!(times, slow.chain_times());
        for (place, (row, _, set)) in chain.iter().enumerate() {
            prop_assert!(contains_step(&[*set], place + 1), "{:?}", chain);
            let again = chain[..place].iter().any(|(other, _, _)| other == row);
            prop_assert!(!again || (parsed.follow == Follow::AnyRows && !parsed.strict_once), "{:?}", chain);
        }
    }

    #[test]
    fn order_of_arrival_does_not_matter(
        modes in modes(),
        reach in reach(),
        (rows, shuffled) in rows(0..40).prop_flat_map(|rows| {
            (Just(rows.clone()), Just(rows).prop_shuffle())
        }),
    ) {
        let depth = |rows: &[Row]| plain_depth_in(STEPS, modes, reach, rows);
        prop_assert_eq!(depth(&rows), depth(&shuffled));
        let count = |rows: &[Row]| plain_count(2, modes, reach, &cut(2, rows));
        prop_assert_eq!(count(&rows), count(&shuffled));
        let chain = |rows: &[Row]| {
            let chain = plain_chain(STEPS, modes, reach, rows);
            chain.into_iter().map(|(_, time, _)| time).collect::<Vec<_>>()
        };
        prop_assert_eq!(chain(&rows), chain(&shuffled));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn sessions_equal_the_slow_reference(
        gap in 0_i64..20,
        mut times in prop::collection::vec(-50_i64..50, 0..30),
    ) {
        times.sort_unstable();
        let window = FixedWindow::new(gap).unwrap();
        let mut sessions = SessionCounter::default();
        let numbers: Vec<i64> =
            times.iter().map(|time| sessions.push(&window, *time).unwrap()).collect();
        prop_assert_eq!(numbers, reference::session_numbers(gap, &times));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Rows dealt to four accumulators in batches, their states merged pairwise or in one batch.
    #[test]
    fn any_split_and_merge_equals_the_whole(
        modes in modes(),
        window in 0_i64..14,
        rows in rows(0..30),
        parts in prop::collection::vec(0_usize..4, 30),
        merge_order in Just(vec![0_usize, 1, 2, 3]).prop_shuffle(),
        at_once in any::<bool>(),
    ) {
        let function = aggregate(modes, window);
        let expected = i64::try_from(plain_depth(modes, window, &rows)).unwrap();

        let mut whole = function.create_accumulator().unwrap();
        whole.update_batch(&columns(modes, window, &rows)).unwrap();
        prop_assert_eq!(evaluate(whole.as_mut()), expected);
        prop_assert_eq!(evaluate(whole.as_mut()), expected, "second evaluation");

        let mut states = Vec::new();
        for part in 0..4 {
            let mut accumulator = function.create_accumulator().unwrap();
            let mine: Vec<Row> = rows
                .iter()
                .zip(&parts)
                .filter(|(_, of)| **of == part)
                .map(|(row, _)| row.clone())
                .collect();
            for batch in mine.chunks(3) {
                accumulator.update_batch(&columns(modes, window, batch)).unwrap();
            }
            states.push(state_columns(accumulator.as_mut()));
        }

        let merged = if at_once {
            let mut target = function.create_accumulator().unwrap();
            let columns: Vec<ArrayRef> = (0..2)
                .map(|column| {
                    let parts: Vec<&dyn arrow::array::Array> =
                        merge_order.iter().map(|part| states[*part][column].as_ref()).collect();
                    concat(&parts).unwrap()
                })
                .collect();
            target.merge_batch(&columns).unwrap();
            evaluate(target.as_mut())
        } else {
            // A chain of merges, each passed on as a state again.
            let mut carried = states[merge_order[0]].clone();
            for part in &merge_order[1..] {
                let mut target = function.create_accumulator().unwrap();
                target.merge_batch(&states[*part]).unwrap();
                target.merge_batch(&carried).unwrap();
                carried = state_columns(target.as_mut());
            }
            let mut target = function.create_accumulator().unwrap();
            target.merge_batch(&carried).unwrap();
            evaluate(target.as_mut())
        };
        prop_assert_eq!(merged, expected);
    }

    /// Several groups at once, emitted in two parts, as results and as states.
    #[test]
    fn groups_equal_single_accumulators(
        modes in modes(),
        window in 0_i64..14,
        rows in rows(0..40),
        groups in prop::collection::vec(0_usize..5, 40),
        allowed in prop::collection::vec(prop::option::weighted(0.9, prop::bool::weighted(0.9)), 40),
        first in 0_usize..=5,
        as_rows in any::<bool>(),
    ) {
        let function = aggregate(modes, window);
        let groups = &groups[..rows.len()];
        let allowed = &allowed[..rows.len()];
        let expected: Vec<i64> = (0..5)
            .map(|group| {
                let mine: Vec<Row> = (0..rows.len())
                    .filter(|row| groups[*row] == group && allowed[*row] == Some(true))
                    .map(|row| rows[row].clone())
                    .collect();
                i64::try_from(plain_depth(modes, window, &mine)).unwrap()
            })
            .collect();

        let mut partial = function.create_groups_accumulator().unwrap();
        let columns = columns(modes, window, &rows);
        let filter = BooleanArray::from(allowed.to_vec());
        let mut merged = function.create_groups_accumulator().unwrap();
        if as_rows {
            let state = partial.convert_to_state(&columns, Some(&filter)).unwrap();
            merged.merge_batch(&state, groups, 5).unwrap();
        } else {
            for start in (0..rows.len()).step_by(7) {
                let length = 7.min(rows.len() - start);
                let batch: Vec<ArrayRef> =
                    columns.iter().map(|column| column.slice(start, length)).collect();
                let filter = filter.slice(start, length);
                partial
                    .update_batch(&batch, &groups[start..start + length], Some(&filter), 5)
                    .unwrap();
            }
            if rows.is_empty() {
                partial.update_batch(&columns, &[], Some(&filter), 5).unwrap();
            }
            let head = partial.state(EmitTo::First(first)).unwrap();
            let tail = partial.state(EmitTo::All).unwrap();
            let numbers: Vec<usize> = (0..5).collect();
            merged.merge_batch(&tail, &numbers[first..], 5).unwrap();
            merged.merge_batch(&head, &numbers[..first], 5).unwrap();
        }

        let head = merged.evaluate(EmitTo::First(first)).unwrap();
        prop_assert_eq!(head.as_primitive::<Int64Type>().values(), &expected[..first]);
        let tail = merged.evaluate(EmitTo::All).unwrap();
        prop_assert_eq!(tail.as_primitive::<Int64Type>().values(), &expected[first..]);
        let nothing = merged.evaluate(EmitTo::All).unwrap();
        prop_assert_eq!(nothing.len(), 0);
    }
}

#[test]
fn size_counts_what_is_kept_once() {
    let rows: Vec<Row> = (0..10_000).map(|time| (time, vec![1])).collect();
    let function = aggregate("default", 5);
    let columns = columns("default", 5, &rows);
    let kept_bytes = rows.len() * 20;

    let mut single = function.create_accumulator().unwrap();
    let empty_bytes = single.size();
    assert!(empty_bytes < 1_000);
    single.update_batch(&columns).unwrap();
    assert!((kept_bytes..3 * kept_bytes).contains(&single.size()), "{}", single.size());

    let mut grouped = function.create_groups_accumulator().unwrap();
    grouped.update_batch(&columns, &vec![0; rows.len()], None, 1).unwrap();
    assert!((kept_bytes..3 * kept_bytes).contains(&grouped.size()), "{}", grouped.size());
    grouped.evaluate(EmitTo::All).unwrap();
    assert!(grouped.size() < 1_000, "{}", grouped.size());
}

#[test]
fn rows_that_cannot_matter_are_not_kept() {
    let rows: Vec<Row> = (0..10_000).map(|time| (time, vec![])).collect();
    for (modes, kept) in [("default", false), ("strict_order", true)] {
        let mut accumulator = aggregate(modes, 5).create_accumulator().unwrap();
        accumulator.update_batch(&columns(modes, 5, &rows)).unwrap();
        assert_eq!(accumulator.size() > 100_000, kept, "{modes}");
    }
}
