//! Generated rules and rows: the plain algorithm, one partition in any pieces, and whole queries.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampSecondArray,
};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::PartitionEvaluator;
use datafusion::logical_expr::function::{ExpressionArgs, PartitionEvaluatorArgs};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, lit};
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;
use wayfare_udfs::all_window_functions;
use wayfare_udfs::journey::session::{Limit, SessionRow, SessionRules, Sessions};
use wayfare_udfs::journey::time::FixedWindow;

use super::generated::{arguments, in_order, rows, rules};
use super::reference::{Place, Row, Rules, places};
use crate::sql::table;

pub(super) const HOUR_S: i64 = 3_600;

fn limit(hours: Option<i64>, includes_end: bool) -> Option<Limit<FixedWindow>> {
    let window = FixedWindow::new(hours?).unwrap();
    Some(if includes_end { Limit::through(window) } else { Limit::before(window) })
}

/// The plain algorithm, in hours.
fn plain_places(rules: &Rules, rows: &[Row]) -> Vec<Option<Place>> {
    let machine_rules = SessionRules {
        gap: limit(rules.gap, !rules.inclusive),
        max_length: limit(rules.max_length, true),
        max_events: rules.max_events.map(|most| i64::try_from(most).unwrap()),
        click_lag: limit(rules.click_lag, false),
        separated: rules.separator,
    };
    let mut sessions = Sessions::default();
    let mut place = |row: &Row| {
        let time = row.hour?;
        let is_met = |is_rule: bool, condition: Option<bool>| is_rule && condition == Some(true);
        let row = SessionRow {
            time,
            separator: is_met(rules.separator, row.separates),
            starts: is_met(rules.start_if, row.starts),
            ends: is_met(rules.end_if, row.ends),
            value: row.value.filter(|_| rules.split_on).map(|value| u64::from(value.as_bytes()[0])),
            day: rules.midnight.then(|| (time + 5).div_euclid(24)),
        };
        let place = sessions.push(&machine_rules, &row).unwrap()?;
        assert_eq!(place.is_new(), place.depth == 1);
        Some(Place {
            number: place.number,
            depth: place.depth,
            gap: place.previous.map(|previous| time - previous),
            elapsed: time - place.start,
            reason: place.reason.name(),
            is_robot: place.is_robot,
            start: place.start,
            ordinal: place.ordinal,
        })
    };
    rows.iter().map(&mut place).collect()
}

/// Columns of the table: ts, starts, ends, separates, value.
pub(super) fn columns(rows: &[Row]) -> [ArrayRef; 5] {
    let seconds = rows.iter().map(|row| row.hour.map(|hour| hour * HOUR_S));
    [
        Arc::new(TimestampSecondArray::from_iter(seconds)),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.starts))),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.ends))),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.separates))),
        Arc::new(StringArray::from_iter(rows.iter().map(|row| row.value))),
    ]
}

/// The functions, each with what the reference says.
fn expected(name: &str, place: Option<&Place>) -> String {
    let Some(place) = place else {
        return String::new();
    };
    let hours = |hours: i64| format!("{:?}", hours as f64 * HOUR_S as f64);
    match name {
        "session_number" => place.number.to_string(),
        "session_depth" => place.depth.to_string(),
        "session_gap" => place.gap.map_or(String::new(), hours),
        "session_seconds" => hours(place.elapsed),
        "session_is_new" => (place.depth == 1).to_string(),
        "session_reason" => place.reason.to_owned(),
        "session_is_robot" => place.is_robot.to_string(),
        "session_id" => session_name("7", place),
        other => panic!("{other}"),
    }
}

pub(super) fn session_name(person: &str, place: &Place) -> String {
    let start = TimestampSecondArray::from(vec![place.start * HOUR_S]);
    let start = texts(&(Arc::new(start) as ArrayRef)).remove(0);
    let suffix = if place.ordinal > 1 { format!("#{}", place.ordinal) } else { String::new() };
    format!("{person}@{start}.000000Z{suffix}")
}

pub(super) fn texts(column: &ArrayRef) -> Vec<String> {
    let options = arrow::util::display::FormatOptions::default();
    let formatter = arrow::util::display::ArrayFormatter::try_new(column.as_ref(), &options).unwrap();
    (0..column.len()).map(|row| formatter.value(row).to_string()).collect()
}

const FUNCTIONS: [&str; 8] = [
    "session_number",
    "session_depth",
    "session_gap",
    "session_seconds",
    "session_is_new",
    "session_reason",
    "session_is_robot",
    "session_id",
];

/// An evaluator of a partition, and the columns that it wants of those of the table.
fn evaluator(name: &str, rules: &Rules) -> (Box<dyn PartitionEvaluator>, Vec<usize>) {
    let hours = |hours: Option<i64>| match hours {
        Some(hours) => ScalarValue::new_interval_mdn(0, 0, hours * HOUR_S * 1_000_000_000),
        None => ScalarValue::Null,
    };
    let column = |is_given: bool, index: usize, data_type: DataType| -> (Arc<dyn PhysicalExpr>, DataType) {
        match is_given {
            true => (Arc::new(Column::new("column", index)), data_type),
            false => (lit(ScalarValue::Null), DataType::Null),
        }
    };
    let constant = |value: ScalarValue| -> (Arc<dyn PhysicalExpr>, DataType) {
        let data_type = value.data_type();
        (lit(value), data_type)
    };
    let seconds = DataType::Timestamp(arrow::datatypes::TimeUnit::Second, None);
    let most = rules.max_events.map(|most| i64::try_from(most).unwrap());
    let mut given = vec![
        column(true, 0, seconds),
        constant(hours(rules.gap)),
        constant(ScalarValue::Boolean(rules.gap.map(|_| rules.inclusive))),
        column(rules.start_if, 1, DataType::Boolean),
        column(rules.end_if, 2, DataType::Boolean),
        constant(hours(rules.max_length)),
        constant(ScalarValue::Int64(most)),
        column(rules.split_on, 4, DataType::Utf8),
        constant(ScalarValue::Utf8(rules.midnight.then(|| "+05:00".to_owned()))),
        constant(hours(rules.click_lag)),
        column(rules.separator, 3, DataType::Boolean),
    ];
    if name == "session_id" {
        given.insert(0, column(true, 5, DataType::Utf8));
    }
    let exprs: Vec<Arc<dyn PhysicalExpr>> = given.iter().map(|(expr, _)| Arc::clone(expr)).collect();
    let fields: Vec<FieldRef> =
        given.iter().map(|(_, data_type)| Arc::new(Field::new("field", data_type.clone(), true))).collect();
    let function = all_window_functions().into_iter().find(|function| function.name() == name).unwrap();
    let wanted = function.expressions(ExpressionArgs::new(&exprs, &fields));
    let wanted = wanted.iter().map(|expr| expr.downcast_ref::<Column>().unwrap().index()).collect();
    let args = PartitionEvaluatorArgs::new(&exprs, &fields, false, false);
    (function.partition_evaluator_factory(args).unwrap(), wanted)
}

/// A partition in pieces of the given sizes, row by row or piece by piece.
fn evaluate(name: &str, rules: &Rules, rows: &[Row], pieces: &[usize], by_row: bool) -> Vec<String> {
    let (mut evaluator, wanted) = evaluator(name, rules);
    let person: ArrayRef = Arc::new(StringArray::from(vec!["7"; rows.len()]));
    let all: Vec<ArrayRef> = columns(rows).into_iter().chain([person]).collect();
    let columns: Vec<ArrayRef> = wanted.iter().map(|index| Arc::clone(&all[*index])).collect();
    let mut found: Vec<ArrayRef> = Vec::new();
    let mut first = 0;
    for size in pieces.iter().copied().chain([rows.len()]) {
        let size = size.min(rows.len() - first);
        if size == 0 {
            continue;
        }
        let piece: Vec<ArrayRef> = columns.iter().map(|column| column.slice(first, size)).collect();
        if by_row {
            for row in 0..size {
                let value = evaluator.evaluate(&piece, &(row..row + 1)).unwrap();
                found.push(value.to_array().unwrap());
            }
        } else {
            found.push(evaluator.evaluate_all(&piece, size).unwrap());
        }
        first += size;
    }
    let found: Vec<&dyn Array> = found.iter().map(AsRef::as_ref).collect();
    if found.is_empty() { vec![] } else { texts(&concat(&found).unwrap()) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn plain_algorithm_equals_the_slow_reference(rules in rules(), rows in rows(0..20)) {
        let rows = in_order(rows);
        prop_assert_eq!(plain_places(&rules, &rows), places(&rules, &rows));
    }

    #[test]
    fn any_pieces_of_a_partition_give_the_slow_answer(
        rules in rules(),
        rows in rows(0..12),
        pieces in prop::collection::vec(1_usize..4, 0..6),
        by_row in any::<bool>(),
        name in prop::sample::select(FUNCTIONS.to_vec()),
    ) {
        let rules = Rules { click_lag: rules.click_lag.or((name == "session_is_robot").then_some(1)), ..rules };
        let rows = in_order(rows);
        let slow: Vec<String> =
            places(&rules, &rows).iter().map(|place| expected(name, place.as_ref())).collect();
        prop_assert_eq!(evaluate(name, &rules, &rows, &pieces, by_row), slow);
    }
}

/// The answers of all functions to whole queries, by person and position.
async fn query(context: &SessionContext, rules: &Rules, whole_partition: bool) -> Vec<Vec<String>> {
    let arguments = arguments(rules);
    let calls: Vec<String> = FUNCTIONS
        .iter()
        .map(|name| {
            let person = if *name == "session_id" { "7, " } else { "" };
            format!("{name}({person}ts, {arguments}) OVER w AS {name}")
        })
        .collect();
    // A function that needs the whole partition makes all of them run that way.
    let other = if whole_partition { "ntile(2) OVER w" } else { "1" };
    let sql = format!(
        "SELECT {}, {other} AS other FROM t WINDOW w AS (PARTITION BY user_id ORDER BY ts, position) \
         ORDER BY user_id, position",
        calls.join(", ")
    );
    let batches = context.sql(&sql).await.unwrap().collect().await.unwrap();
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<Vec<String>> = batch.columns().iter().map(texts).collect();
        rows.extend(
            (0..batch.num_rows())
                .map(|row| (0..FUNCTIONS.len()).map(|column| columns[column][row].clone()).collect()),
        );
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn queries_give_the_slow_answer(
        rules in rules(),
        people in prop::collection::vec(rows(0..12), 1..10),
        seed in any::<u64>(),
        partitions in prop::sample::select(vec![1_usize, 2, 8]),
        batch_size in prop::sample::select(vec![1_usize, 100, 8192]),
        whole_partition in any::<bool>(),
    ) {
        let rules = Rules { click_lag: rules.click_lag.or(Some(1)), ..rules };
        let people: Vec<Vec<Row>> = people.into_iter().map(in_order).collect();
        let slow: Vec<Vec<String>> = people
            .iter()
            .flat_map(|rows| places(&rules, rows))
            .map(|place| FUNCTIONS.iter().map(|name| expected(name, place.as_ref())).collect())
            .collect();

        let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(batch_size);
        let mut context = SessionContext::new_with_config(config);
        wayfare_udfs::register_all(&mut context).unwrap();
        crate::sql::register(&context, "t", &shuffled(&people, vec![], seed), partitions);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        prop_assert_eq!(runtime.block_on(query(&context, &rules, whole_partition)), slow);
    }
}

/// The rows of all people, with `further` columns, in an order that `seed` gives; `position` tells the order in time.
pub(super) fn shuffled(people: &[Vec<Row>], further: Vec<(&str, ArrayRef)>, seed: u64) -> RecordBatch {
    let rows: Vec<Row> = people.iter().flatten().cloned().collect();
    let users = people.iter().enumerate().flat_map(|(user, rows)| rows.iter().map(move |_| user as i64));
    let [ts, starts, ends, separates, value] = columns(&rows);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("user_id", Arc::new(Int64Array::from_iter_values(users))),
        ("position", Arc::new(Int64Array::from_iter_values((0..).take(rows.len())))),
        ("ts", ts),
        ("starts", starts),
        ("ends", ends),
        ("separates", separates),
        ("value", value),
    ];
    let batch = table(columns.into_iter().chain(further).collect());
    let mut order: Vec<u32> = (0..).take(rows.len()).collect();
    order.sort_by_key(|row| (u64::from(*row) + 1).wrapping_mul(seed | 1).rotate_left(17));
    arrow::compute::take_record_batch(&batch, &arrow::array::UInt32Array::from(order)).unwrap()
}
