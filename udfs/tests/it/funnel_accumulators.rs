//! The funnel functions for generated rows in accumulators: any split and any merge gives the answer of the plain
//! algorithms.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, StringArray};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::array_value_to_string;
use datafusion::logical_expr::{Accumulator, EmitTo};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{col, lit};
use proptest::prelude::*;
use wayfare_udfs::all_aggregate_functions;

use crate::funnel_cases::{STEPS, modes, plain_chain, plain_count, plain_depth_in, rows};
use crate::funnel_reference::Reach;
use crate::reference::Row;

/// `function(window, modes, ts, [id,] c1, c2, c3, c4)` over integer times; the id is the number of the row.
fn aggregate(function: &str, modes: &str, window: i64) -> AggregateFunctionExpr {
    let schema = Arc::new(schema(function));
    let mut arguments: Vec<Arc<dyn PhysicalExpr>> = vec![lit(window), lit(modes)];
    for field in schema.fields() {
        arguments.push(col(field.name(), &schema).unwrap());
    }
    let functions = all_aggregate_functions();
    let function = functions.into_iter().find(|known| known.name() == function).unwrap();
    AggregateExprBuilder::new(function, arguments).schema(schema).alias("result").build().unwrap()
}

fn schema(function: &str) -> Schema {
    let mut fields = vec![Field::new("ts", DataType::Int64, true)];
    if function == "funnel_steps" {
        fields.push(Field::new("id", DataType::Int64, true));
    }
    for step in 1..=STEPS {
        fields.push(Field::new(format!("c{step}"), DataType::Boolean, true));
    }
    Schema::new(fields)
}

/// Rows with their numbers, which are their ids.
type Numbered = (i64, Row);

fn numbered(rows: &[Row]) -> Vec<Numbered> {
    (0..).zip(rows.iter().cloned()).collect()
}

/// Columns of the arguments; NULL stands for every second condition that is not met.
fn columns(function: &str, modes: &str, window: i64, rows: &[Numbered]) -> Vec<ArrayRef> {
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|_| window))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|_| modes))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, row)| row.0))),
    ];
    if function == "funnel_steps" {
        columns.push(Arc::new(Int64Array::from_iter_values(rows.iter().map(|(id, _)| *id))));
    }
    for step in 1..=STEPS {
        let met = rows.iter().enumerate().map(|(index, (_, row))| {
            let met = row.1.contains(&step);
            (met || (index + step) % 2 == 0).then_some(met)
        });
        columns.push(Arc::new(BooleanArray::from_iter(met)));
    }
    columns
}

/// What the function must show, from the plain algorithms.
fn expected(function: &str, modes: &str, window: i64, rows: &[Numbered]) -> String {
    let reach = Reach::Ticks(window);
    let plain: Vec<Row> = rows.iter().map(|(_, row)| row.clone()).collect();
    let list = |items: Vec<String>| format!("[{}]", items.join(", "));
    let chain = plain_chain(STEPS, modes, reach, &plain);
    let between = |step: usize| Some((chain.get(step)?.1 - chain.get(step - 1)?.1) as f64);
    let shown = |number: Option<f64>| number.map_or_else(String::new, |number| format!("{number:.1}"));
    match function {
        "window_funnel" => plain_depth_in(STEPS, modes, reach, &plain).to_string(),
        "funnel_count" => plain_count(STEPS, modes, reach, &plain).to_string(),
        "funnel_match" => {
            let depth = plain_depth_in(STEPS, modes, reach, &plain);
            list((0..STEPS).map(|step| u8::from(step < depth).to_string()).collect())
        }
        "funnel_durations" => list((1..STEPS).map(|step| shown(between(step))).collect()),
        _ => {
            // The places of the chain are among the rows in time order, those of one instant by id.
            let mut ids: Vec<(i64, i64)> = rows.iter().map(|(id, row)| (row.0, *id)).collect();
            ids.sort_unstable();
            let step = |(index, (place, time, _)): (usize, &(usize, i64, u64))| {
                let seconds = shown(index.checked_sub(1).and_then(|before| between(before + 1)));
                format!(
                    "{{step: {}, ts: {time}, event_id: {}, seconds: {seconds}}}",
                    index + 1,
                    ids[*place].1
                )
            };
            list(chain.iter().enumerate().map(step).collect())
        }
    }
}

fn functions() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "window_funnel",
        "funnel_count",
        "funnel_match",
        "funnel_durations",
        "funnel_steps",
    ])
}

fn evaluate(accumulator: &mut dyn Accumulator) -> String {
    shown(&accumulator.evaluate().unwrap().to_array().unwrap())[0].clone()
}

fn shown(values: &ArrayRef) -> Vec<String> {
    (0..values.len()).map(|row| array_value_to_string(values, row).unwrap()).collect()
}

fn state_columns(accumulator: &mut dyn Accumulator) -> Vec<ArrayRef> {
    let state = accumulator.state().unwrap();
    state.iter().map(|value| value.to_array().unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(25_000))]

    /// Rows dealt to four accumulators in batches, their states merged pairwise or in one batch.
    #[test]
    fn any_split_and_merge_equals_the_whole(
        function in functions(),
        modes in modes(),
        window in 0_i64..14,
        rows in rows(0..30),
        parts in prop::collection::vec(0_usize..4, 30),
        merge_order in Just(vec![0_usize, 1, 2, 3]).prop_shuffle(),
        at_once in any::<bool>(),
    ) {
        let rows = numbered(&rows);
        let expected = expected(function, modes, window, &rows);
        let columns = |rows: &[Numbered]| columns(function, modes, window, rows);
        let function = aggregate(function, modes, window);

        let mut whole = function.create_accumulator().unwrap();
        whole.update_batch(&columns(&rows)).unwrap();
        prop_assert_eq!(&evaluate(whole.as_mut()), &expected);
        prop_assert_eq!(&evaluate(whole.as_mut()), &expected, "second evaluation");

        let mut states = Vec::new();
        for part in 0..4 {
            let mut accumulator = function.create_accumulator().unwrap();
            let mine: Vec<Numbered> =
                rows.iter().zip(&parts).filter(|(_, of)| **of == part).map(|(row, _)| row.clone()).collect();
            for batch in mine.chunks(3) {
                accumulator.update_batch(&columns(batch)).unwrap();
            }
            states.push(state_columns(accumulator.as_mut()));
        }

        let mut target = function.create_accumulator().unwrap();
        if at_once {
            let columns: Vec<ArrayRef> = (0..states[0].len())
                .map(|column| {
                    let parts: Vec<&dyn Array> =
                        merge_order.iter().map(|part| states[*part][column].as_ref()).collect();
                    concat(&parts).unwrap()
                })
                .collect();
            target.merge_batch(&columns).unwrap();
        } else {
            // A chain of merges, each passed on as a state again.
            let mut carried = states[merge_order[0]].clone();
            for part in &merge_order[1..] {
                let mut target = function.create_accumulator().unwrap();
                target.merge_batch(&states[*part]).unwrap();
                target.merge_batch(&carried).unwrap();
                carried = state_columns(target.as_mut());
            }
            target.merge_batch(&carried).unwrap();
        }
        prop_assert_eq!(evaluate(target.as_mut()), expected);
    }

    /// Several groups at once, emitted in two parts, as results and as states.
    #[test]
    fn groups_equal_single_accumulators(
        function in functions(),
        modes in modes(),
        window in 0_i64..14,
        rows in rows(0..40),
        groups in prop::collection::vec(0_usize..5, 40),
        allowed in prop::collection::vec(prop::option::weighted(0.9, prop::bool::weighted(0.9)), 40),
        first in 0_usize..=5,
        as_rows in any::<bool>(),
    ) {
        let rows = numbered(&rows);
        let groups = &groups[..rows.len()];
        let allowed = &allowed[..rows.len()];
        let expected: Vec<String> = (0..5)
            .map(|group| {
                let mine: Vec<Numbered> = (0..rows.len())
                    .filter(|row| groups[*row] == group && allowed[*row] == Some(true))
                    .map(|row| rows[row].clone())
                    .collect();
                expected(function, modes, window, &mine)
            })
            .collect();

        let columns = columns(function, modes, window, &rows);
        let function = aggregate(function, modes, window);
        let mut partial = function.create_groups_accumulator().unwrap();
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
                partial.update_batch(&batch, &groups[start..start + length], Some(&filter), 5).unwrap();
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
        prop_assert_eq!(shown(&head), expected[..first].to_vec());
        let tail = merged.evaluate(EmitTo::All).unwrap();
        prop_assert_eq!(shown(&tail), expected[first..].to_vec());
        let nothing = merged.evaluate(EmitTo::All).unwrap();
        prop_assert_eq!(nothing.len(), 0);
    }
}

#[test]
fn size_counts_what_is_kept_once() {
    let rows: Vec<Row> = (0..10_000).map(|time| (time, vec![1])).collect();
    let rows = numbered(&rows);
    let function = aggregate("window_funnel", "default", 5);
    let columns = columns("window_funnel", "default", 5, &rows);
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
    let rows = numbered(&rows);
    for (modes, kept) in
        [("default", false), ("strict_order", true), ("strict_rows", true), ("strict_steps", false)]
    {
        let mut accumulator = aggregate("window_funnel", modes, 5).create_accumulator().unwrap();
        accumulator.update_batch(&columns("window_funnel", modes, 5, &rows)).unwrap();
        assert_eq!(accumulator.size() > 100_000, kept, "{modes}");
    }
}
