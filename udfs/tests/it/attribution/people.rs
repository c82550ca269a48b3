//! Generated rows of several people as a table.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use proptest::prelude::*;

use crate::sql::table;

const HOUR_US: i64 = 3_600_000_000;

/// A row: person, hour, key, whether it is a conversion, what it is worth in cents, what it cost in cents.
#[derive(Debug, Clone)]
pub(super) struct Row {
    user: u8,
    hour: i64,
    key: Option<&'static str>,
    converts: bool,
    cents: Option<i128>,
    cost: Option<i128>,
    marked: bool,
}

pub(super) fn rows() -> impl Strategy<Value = Vec<Row>> {
    let key =
        prop::sample::select(vec![None, Some("search"), Some("email"), Some("Direct"), Some("a campaign")]);
    let amount = || prop_oneof![1 => Just(None), 2 => (-50_i128..10_000).prop_map(Some)];
    let row = (0..4_u8, 0..60_i64, key, any::<bool>(), amount(), amount(), any::<bool>());
    let row = row.prop_map(|(user, hour, key, converts, cents, cost, marked)| Row {
        user,
        hour,
        key,
        converts,
        cents,
        cost,
        marked,
    });
    prop::collection::vec(row, 0..40)
}

/// The rows as a table; `event_id` numbers them in the order in which they are given here.
pub(super) fn batch(rows: &[Row], order: &[usize]) -> RecordBatch {
    let rows: Vec<(usize, &Row)> = order.iter().map(|index| (*index, &rows[*index])).collect();
    let hours: ArrayRef =
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, row)| row.hour * HOUR_US)));
    let decimals = |value: fn(&Row) -> Option<i128>| -> ArrayRef {
        let values = Decimal128Array::from_iter(rows.iter().map(|(_, row)| value(row)));
        Arc::new(values.with_precision_and_scale(18, 2).unwrap())
    };
    table(vec![
        (
            "event_id",
            Arc::new(StringArray::from_iter_values(rows.iter().map(|(index, _)| format!("e{index:03}"))))
                as ArrayRef,
        ),
        (
            "user_id",
            Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, row)| format!("u{}", row.user)))),
        ),
        ("ts", cast(&hours, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))).unwrap()),
        ("channel", Arc::new(StringArray::from_iter(rows.iter().map(|(_, row)| row.key)))),
        ("converts", Arc::new(BooleanArray::from_iter(rows.iter().map(|(_, row)| Some(row.converts))))),
        ("marked", Arc::new(BooleanArray::from_iter(rows.iter().map(|(_, row)| Some(row.marked))))),
        ("revenue", decimals(|row| row.cents)),
        ("cost", decimals(|row| row.cost)),
    ])
}
