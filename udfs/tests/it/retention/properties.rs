//! Generated rows: every function gives the slow answer, for any split, merge, number of partitions and batch size.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{col, lit};
use proptest::prelude::*;
use wayfare_udfs::all_aggregate_functions;
use wayfare_udfs::journey::retention::cells::Cells;
use wayfare_udfs::journey::retention::matrix::{Kind, MatrixSpec, Observed, PersonRow, contributions, rows};
use wayfare_udfs::journey::retention::range::Range;
use wayfare_udfs::journey::retention::{active, lifecycle, stickiness};

use super::people::{event, question};
use super::reference::{self, DAY, Event, HOUR, Matrix, Question, group, visible};

/// The plain algorithm, person by person in the order of time.
fn plain_matrix(question: &Question, events: &[Event]) -> Matrix {
    let kind = Kind::NAMES.iter().find(|(name, _)| *name == question.kind).unwrap().1;
    let spec = MatrixSpec {
        kind,
        columns: question.columns[1..].to_vec(),
        or_after: question.or_after,
        min_events: question.min_events,
        period_length: if question.own_windows { 24 * question.days } else { 1 },
        own_windows: question.own_windows,
    };
    let seen = visible(events, question.as_of);
    let Some(latest) = seen.iter().map(|(minute, _)| *minute).max() else {
        return Matrix::new();
    };
    let period = |minute: i64| minute.div_euclid(question.days * DAY);
    let at = |minute: i64| if question.own_windows { minute.div_euclid(HOUR) } else { period(minute) };
    let mut groups: BTreeMap<reference::By, Cells> = BTreeMap::new();
    for who in reference::people(events) {
        let mut mine: Vec<(i64, &Event)> =
            seen.iter().copied().filter(|(_, event)| event.who == Some(who)).collect();
        mine.sort_by_key(|(minute, event)| (*minute, group(event.by)));
        let person: Vec<PersonRow> = mine
            .iter()
            .map(|(minute, event)| PersonRow {
                cohort: period(*minute),
                at: at(*minute),
                is_start: event.start == Some(true),
                in_range: question.from.is_none_or(|from| *minute >= from)
                    && question.to.is_none_or(|to| *minute < to),
                is_return: event.back == Some(true),
                value: event.value.map(|value| value as f64),
            })
            .collect();
        contributions(&spec, &person, true, |contribution| {
            let by = mine[contribution.decided_by].1.by.filter(|_| question.has_by);
            let cells = groups.entry(group(by)).or_default();
            cells.add(contribution.place, contribution.people, contribution.values, contribution.sum);
        });
    }
    let horizon = question.as_of.unwrap_or(latest);
    let range = Range {
        from: question.from.map(period),
        to: question.to.map(|to| period(to - 1)),
        latest: period(horizon),
        row_limit: 1_000_000,
    };
    let (names, cells): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
    let observed = Observed { range, latest_at: at(horizon) };
    let cells: Vec<&Cells> = cells.iter().collect();
    let rows = rows(&spec, &cells, observed).unwrap();
    rows.iter()
        .map(|row| {
            let key = (names[row.group], row.cohort, usize::try_from(row.period).unwrap());
            let (values, sum) = row.value.unwrap_or((0, 0.0));
            (key, (row.cohort_size, row.returned, sum as i64, values))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn plain_matrix_equals_the_slow_reference(
        question in question(),
        events in prop::collection::vec(event(), 0..16),
    ) {
        prop_assert_eq!(plain_matrix(&question, &events), reference::matrix(&question, &events));
    }

    #[test]
    fn plain_reports_by_day_equal_the_slow_reference(
        events in prop::collection::vec(event(), 0..12),
        created in prop::collection::btree_map(0_u8..4, -1_i64..12, 0..4),
    ) {
        let seen = visible(&events, None);
        let active = reference::active_days(&seen, false);
        let Some(people) = active.values().next() else {
            return Ok(());
        };
        let mut cells = [Cells::default(), Cells::default(), Cells::default()];
        for (who, days) in people {
            let days: Vec<i64> = days.iter().copied().collect();
            let created = created.get(who).copied();
            lifecycle::contributions(&days, created, |c| cells[0].add(c.place, c.people, c.values, c.sum));
            active::contributions(&days, |c| cells[1].add(c.place, c.people, c.values, c.sum));
            let c = stickiness::contribution(days.len()).unwrap();
            cells[2].add(c.place, c.people, c.values, c.sum);
        }
        let latest = seen.iter().map(|(minute, _)| minute.div_euclid(DAY)).max().unwrap();
        let range = Range { from: None, to: None, latest, row_limit: 1_000 };
        for row in lifecycle::rows(&[&cells[0]], range).unwrap() {
            prop_assert_eq!(row.people, reference::lifecycle(people, &created, row.period), "day {}", row.period);
        }
        let rows = active::rows(&[&cells[1]], range).unwrap();
        prop_assert_eq!(rows.last().map(|row| row.day), Some(latest));
        for row in rows {
            let expected = active::WINDOWS.map(|length| reference::active_in(people, row.day, length));
            prop_assert_eq!(row.people, expected, "day {}", row.day);
        }
        for row in stickiness::rows(&[&cells[2]]) {
            let exactly = people.values().filter(|days| days.len() as i64 == row.periods).count();
            let at_least = people.values().filter(|days| days.len() as i64 >= row.periods).count();
            prop_assert_eq!((row.people, row.at_least), (exactly as i64, at_least as i64));
            prop_assert_eq!(row.share, exactly as f64 / people.len() as f64);
        }
    }
}

const CONDITIONS: usize = 3;

/// A function over columns of these names and types; constants stand behind them.
fn aggregate(name: &str, columns: &[(String, DataType)], constants: &[i64]) -> AggregateFunctionExpr {
    let fields: Vec<Field> =
        columns.iter().map(|(name, data_type)| Field::new(name, data_type.clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let mut arguments: Vec<Arc<dyn PhysicalExpr>> =
        columns.iter().map(|(name, _)| col(name, &schema).unwrap()).collect();
    arguments.extend(constants.iter().map(|constant| lit(*constant)));
    let functions = all_aggregate_functions();
    let function = functions.iter().find(|function| function.name() == name).unwrap();
    AggregateExprBuilder::new(Arc::clone(function), arguments).schema(schema).alias("f").build().unwrap()
}

type Seen = [Option<bool>; CONDITIONS];

fn condition_columns(rows: &[Seen]) -> Vec<ArrayRef> {
    (0..CONDITIONS)
        .map(|index| Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row[index]))) as ArrayRef)
        .collect()
}

fn slow_retention<'a>(rows: impl Iterator<Item = &'a Seen>) -> Vec<bool> {
    let rows: Vec<&Seen> = rows.collect();
    let saw = |index: usize| rows.iter().any(|row| row[index] == Some(true));
    (0..CONDITIONS).map(|index| saw(0) && saw(index)).collect()
}

fn booleans(list: &dyn Array) -> Vec<Vec<bool>> {
    let list = list.as_list::<i32>();
    (0..list.len())
        .map(|row| {
            let values = list.value(row);
            assert_eq!(values.null_count(), 0);
            values.as_boolean().values().iter().collect()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Groups emitted in two parts, as states that are merged, or row by row; and single accumulators.
    #[test]
    fn retention_equals_the_slow_reference(
        rows in prop::collection::vec(
            (0_usize..4, prop::option::weighted(0.9, prop::bool::weighted(0.9)), any::<Seen>()), 0..12),
        first in 0_usize..=4,
        as_rows in any::<bool>(),
    ) {
        let columns: Vec<(String, DataType)> =
            (1..=CONDITIONS).map(|index| (format!("c{index}"), DataType::Boolean)).collect();
        let function = aggregate("retention", &columns, &[]);
        let seen: Vec<Seen> = rows.iter().map(|row| row.2).collect();
        let groups: Vec<usize> = rows.iter().map(|row| row.0).collect();
        let filter: BooleanArray = rows.iter().map(|row| row.1).collect();
        let expected: Vec<Vec<bool>> = (0..4)
            .map(|group| {
                slow_retention(rows.iter().filter(|row| row.0 == group && row.1 == Some(true)).map(|row| &row.2))
            })
            .collect();

        let mut merged = function.create_groups_accumulator().unwrap();
        let mut partial = function.create_groups_accumulator().unwrap();
        let columns = condition_columns(&seen);
        if as_rows {
            let state = partial.convert_to_state(&columns, Some(&filter)).unwrap();
            merged.merge_batch(&state, &groups, 4).unwrap();
        } else {
            partial.update_batch(&columns, &groups, Some(&filter), 4).unwrap();
            let head = partial.state(EmitTo::First(first)).unwrap();
            let tail = partial.state(EmitTo::All).unwrap();
            let numbers: Vec<usize> = (0..4).collect();
            merged.merge_batch(&tail, &numbers[first..], 4).unwrap();
            merged.merge_batch(&head, &numbers[..first], 4).unwrap();
        }
        let mut found = booleans(&merged.evaluate(EmitTo::First(first)).unwrap());
        found.extend(booleans(&merged.evaluate(EmitTo::All).unwrap()));
        prop_assert_eq!(&found, &expected);

        // One group: each row in an accumulator of its own, merged one by one.
        let mut one = function.create_accumulator().unwrap();
        for row in &seen {
            let mut part = function.create_accumulator().unwrap();
            part.update_batch(&condition_columns(std::slice::from_ref(row))).unwrap();
            let state: Vec<ArrayRef> =
                part.state().unwrap().iter().map(|value| value.to_array().unwrap()).collect();
            one.merge_batch(&state).unwrap();
        }
        let found = booleans(&one.evaluate().unwrap().to_array().unwrap());
        prop_assert_eq!(&found[0], &slow_retention(seen.iter()));
    }

    /// Rows dealt to three accumulators, their states merged in any order, some twice.
    #[test]
    fn intersect_count_equals_the_slow_reference(
        rows in prop::collection::vec(
            (prop::option::weighted(0.9, 0_i64..5), prop::option::weighted(0.9, 0_i64..4), 0_usize..3), 0..16),
        order in Just(vec![0_usize, 1, 2]).prop_shuffle(),
        values in prop::collection::vec(0_i64..4, 1..4),
    ) {
        let columns = ["person", "dim"].map(|name| (name.to_owned(), DataType::Int64));
        let function = aggregate("intersect_count", &columns, &values);
        let has = |who: i64, value: i64| rows.iter().any(|row| row.0 == Some(who) && row.1 == Some(value));
        let expected = (0..5).filter(|who| values.iter().all(|value| has(*who, *value))).count();

        let mut merged = function.create_accumulator().unwrap();
        for part in order {
            let mine: Vec<_> = rows.iter().filter(|row| row.2 == part).collect();
            let mut columns: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from_iter(mine.iter().map(|row| row.0))),
                Arc::new(Int64Array::from_iter(mine.iter().map(|row| row.1))),
            ];
            for value in &values {
                columns.push(Arc::new(Int64Array::from(vec![*value; mine.len()])));
            }
            let mut accumulator = function.create_accumulator().unwrap();
            accumulator.update_batch(&columns).unwrap();
            let state: Vec<ArrayRef> =
                accumulator.state().unwrap().iter().map(|value| value.to_array().unwrap()).collect();
            merged.merge_batch(&state).unwrap();
            merged.merge_batch(&state).unwrap();
        }
        let found = merged.evaluate().unwrap().to_array().unwrap();
        prop_assert_eq!(found.as_primitive::<Int64Type>().value(0), expected as i64);
    }
}
