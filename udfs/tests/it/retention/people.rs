//! Generated rows, and the SQL that asks about them.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, TimestampSecondArray, UInt8Array};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;

use super::reference::{DAY, Event, HOUR, Question};
use crate::sql::table;

/// 2024-01-01, a Monday, in seconds.
const MONDAY_S: i64 = 1_704_067_200;

/// Few distinct minutes, so that ties are common; some at the edges of hours and days.
fn minutes() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => (0_i64..110).prop_map(|step| step * 149),
        1 => (0_i64..12, -1_i64..=1).prop_map(|(day, off)| day * DAY + off),
        1 => (0_i64..60, -1_i64..=1).prop_map(|(hour, off)| hour * HOUR + off),
    ]
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let flag = || prop::option::weighted(0.9, prop::bool::weighted(0.6));
    (
        prop::option::weighted(0.95, 0_u8..4),
        prop::option::weighted(0.95, minutes()),
        flag(),
        flag(),
        prop::option::weighted(0.8, 0_u8..3),
        prop::option::weighted(0.8, -5_i64..20),
    )
        .prop_map(|(who, minute, start, back, by, value)| Event { who, minute, start, back, by, value })
}

pub(super) fn question() -> impl Strategy<Value = Question> {
    let edge = || prop::option::weighted(0.3, minutes());
    let columns = prop_oneof![
        2 => (1_i64..9).prop_map(|last| (0..last).map(|from| (from, from + 1)).collect::<Vec<_>>()),
        1 => prop::collection::vec(1_i64..4, 1..4).prop_map(|lengths| {
            let mut columns = vec![(0, 1)];
            for length in lengths {
                let from = columns[columns.len() - 1].1;
                columns.push((from, from + length));
            }
            columns
        }),
    ];
    (
        prop::sample::select(vec!["recurring", "first_time", "first_ever"]),
        any::<bool>(),
        any::<bool>(),
        prop::sample::select(vec![1_i64, 7]),
        columns,
        1_usize..4,
        (edge(), edge(), edge()),
        any::<bool>(),
    )
        .prop_map(
            |(kind, or_after, own_windows, days, columns, min_events, (edge, other_edge, as_of), has_by)| {
                let (from, to) = ordered(edge, other_edge);
                Question { kind, or_after, own_windows, days, columns, min_events, from, to, as_of, has_by }
            },
        )
}

/// A range that is not empty.
fn ordered(edge: Option<i64>, other_edge: Option<i64>) -> (Option<i64>, Option<i64>) {
    match (edge, other_edge) {
        (Some(edge), Some(other)) => (Some(edge.min(other)), Some(edge.max(other) + 1)),
        edges => edges,
    }
}

/// A session over table `t` with the events, in `partitions` parts.
pub(super) fn session(events: &[Event], partitions: usize, batch_size: usize) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(batch_size);
    let mut context = SessionContext::new_with_config(config);
    wayfare_udfs::register_all(&mut context).unwrap();
    context.register_relation_planner(wayfare_udfs::table::relation_planner()).unwrap();
    let batch = batch(events);
    let mut parts: Vec<Vec<RecordBatch>> = vec![vec![]; partitions];
    for start in (0..batch.num_rows()).step_by(batch_size) {
        let length = batch_size.min(batch.num_rows() - start);
        parts[start / batch_size % partitions].push(batch.slice(start, length));
    }
    context.register_table("t", Arc::new(MemTable::try_new(batch.schema(), parts).unwrap())).unwrap();
    context
}

fn batch(events: &[Event]) -> RecordBatch {
    let seconds = |event: &Event| event.minute.map(|minute| MONDAY_S + minute * 60);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("who", Arc::new(UInt8Array::from_iter(events.iter().map(|event| event.who)))),
        ("ts", Arc::new(TimestampSecondArray::from_iter(events.iter().map(seconds)))),
        ("is_start", Arc::new(BooleanArray::from_iter(events.iter().map(|event| event.start)))),
        ("is_back", Arc::new(BooleanArray::from_iter(events.iter().map(|event| event.back)))),
        ("channel", Arc::new(UInt8Array::from_iter(events.iter().map(|event| event.by)))),
        ("amount", Arc::new(Int64Array::from_iter(events.iter().map(|event| event.value)))),
    ];
    table(columns)
}

/// A minute as a constant.
pub(super) fn instant(minute: i64) -> String {
    format!("to_timestamp_seconds({})", MONDAY_S + minute * 60)
}

/// Optional arguments that are times.
pub(super) fn range(from: Option<i64>, to: Option<i64>, as_of: Option<i64>) -> String {
    [("from", from), ("to", to), ("as_of", as_of)]
        .iter()
        .filter_map(|(name, minute)| minute.map(|minute| format!(", {name} => {}", instant(minute))))
        .collect()
}

impl Question {
    /// The call that asks.
    pub(super) fn call(&self) -> String {
        let brackets: Vec<String> =
            self.columns[1..].iter().map(|(from, to)| (to - from).to_string()).collect();
        let columns = if self.columns.iter().all(|(from, to)| to - from == 1) {
            format!("periods => {}", self.columns.len())
        } else {
            format!("brackets => [{}]", brackets.join(", "))
        };
        format!(
            "retention_matrix((SELECT * FROM t), target => is_start, returning => is_back, per => who, value => amount, \
             period => '{}', {columns}, kind => '{}', mode => '{}', windows => '{}', min_events => {}{}{})",
            if self.days == 7 { "week" } else { "day" },
            self.kind,
            if self.or_after { "on_or_after" } else { "on" },
            if self.own_windows { "24h" } else { "calendar" },
            self.min_events,
            if self.has_by { ", by => channel" } else { "" },
            range(self.from, self.to, self.as_of),
        )
    }
}
