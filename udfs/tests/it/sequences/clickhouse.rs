//! Our answers beside those of ClickHouse for patterns and next nodes, over random rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringArray};
use datafusion::prelude::SessionContext;
use serde_json::{Map, Value, json};

use crate::clickhouse_differential::{Seeded, compared, python};
use crate::sql::{context, numbers, register, table, texts};

const STREAMS: usize = 2_000;
const STEPS: usize = 4;
const SEED: u64 = 20_240_502;

/// Patterns that mean the same in both languages; the reference tells where they differ.
const PATTERNS: [&str; 14] = [
    "(?1)",
    "(?1)(?2)",
    "(?1).*(?2)",
    "(?1).*(?2).*(?3)",
    "(?1)(?2)(?1)",
    "(?1).(?2)",
    ".*(?4).",
    "(?1)(?t<=3)(?2)",
    "(?1)(?t<3)(?2)",
    "(?1)(?t>4)(?2)(?3)",
    "(?1)(?t>=4)(?2)",
    "(?1)(?t==2)(?2)",
    "(?1)(?t<=2)(?2)(?t>=3)(?3)",
    ".",
];

const NEXT_NODES: [(&str, &str, &[usize]); 12] = [
    ("forward", "head", &[]),
    ("forward", "head", &[1]),
    ("forward", "head", &[1, 2]),
    ("backward", "tail", &[]),
    ("backward", "tail", &[1]),
    ("backward", "tail", &[2, 1]),
    ("forward", "first_match", &[1]),
    ("forward", "first_match", &[1, 2]),
    ("forward", "last_match", &[1, 2]),
    ("backward", "first_match", &[2]),
    ("backward", "first_match", &[2, 1]),
    ("backward", "last_match", &[2, 1]),
];

#[derive(Debug, Clone)]
struct Event {
    time: i64,
    conditions: [Option<bool>; STEPS],
    value: Option<String>,
}

/// Times are different, as ClickHouse orders rows of one instant in no way; NULLs in every third stream.
fn streams() -> Vec<Vec<Event>> {
    let mut seeded = Seeded(SEED);
    let mut streams = Vec::with_capacity(STREAMS);
    for stream in 0..STREAMS {
        let has_nulls = stream % 3 == 0;
        let mut time = 0;
        let mut events = Vec::new();
        for _ in 0..1 + seeded.below(12) {
            time += 1 + i64::try_from(seeded.below(3)).unwrap();
            let only = usize::try_from(seeded.below(STEPS as u64 + 1)).unwrap();
            let has_several = seeded.below(3) == 0;
            let conditions = std::array::from_fn(|step| {
                let holds = if has_several { seeded.below(2) == 0 } else { step == only };
                (!(has_nulls && seeded.below(12) == 0)).then_some(holds)
            });
            let value = (seeded.below(8) > 0).then(|| format!("v{}", seeded.below(5)));
            events.push(Event { time, conditions, value });
        }
        streams.push(events);
    }
    streams
}

fn context_with(streams: &[Vec<Event>]) -> SessionContext {
    let rows: Vec<(i64, &Event)> = (0..)
        .zip(streams)
        .flat_map(|(stream, events)| events.iter().map(move |event| (stream, event)))
        .collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("stream", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)))),
        ("ts", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1.time)))),
        ("v", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.1.value.as_deref())))),
    ];
    for (step, name) in ["c1", "c2", "c3", "c4"].into_iter().enumerate() {
        let conditions = rows.iter().map(|row| row.1.conditions[step]);
        columns.push((name, Arc::new(BooleanArray::from_iter(conditions))));
    }
    let context = context();
    register(&context, "t", &table(columns), 2);
    context
}

/// Per pattern, per stream the count and whether there is a match.
async fn sequences(context: &SessionContext) -> Map<String, Value> {
    let mut by_pattern = Map::new();
    for pattern in PATTERNS {
        let arguments = format!("('{pattern}', ts, c1, c2, c3, c4)");
        let sql = format!(
            "SELECT sequence_count{arguments}, sequence_match{arguments} FROM t GROUP BY stream ORDER BY stream"
        );
        let rows = numbers(context, &sql).await;
        assert_eq!(rows.len(), STREAMS, "{pattern}");
        by_pattern.insert(pattern.to_owned(), json!(rows));
    }
    by_pattern
}

async fn next_nodes(context: &SessionContext) -> Vec<Value> {
    let mut calls = Vec::new();
    for (direction, base, events) in NEXT_NODES {
        let conditions: String = events.iter().map(|event| format!(", c{event}")).collect();
        let sql = format!(
            "SELECT sequence_next_node('{direction}', '{base}', ts, v, c4{conditions}) FROM t GROUP BY stream ORDER BY stream"
        );
        let answers: Vec<Option<String>> =
            texts(context, &sql).await.into_iter().map(|mut row| row.remove(0)).collect();
        assert_eq!(answers.len(), STREAMS);
        calls.push(json!({ "direction": direction, "base": base, "events": events, "answers": answers }));
    }
    calls
}

#[tokio::test]
async fn every_difference_from_clickhouse_is_a_documented_one() {
    let Some(python) = python() else { return };
    let streams = streams();
    let context = context_with(&streams);
    let cells = |event: &Event| {
        let mut cells = vec![json!(event.time)];
        cells.extend(event.conditions.iter().map(|condition| json!(condition)));
        cells.push(json!(event.value));
        cells
    };
    let rows: Vec<Vec<Vec<Value>>> =
        streams.iter().map(|events| events.iter().map(cells).collect()).collect();
    let case = json!({
        "seed": SEED,
        "steps": STEPS,
        "streams": rows,
        "sequences": sequences(&context).await,
        "next_nodes": next_nodes(&context).await,
    });
    let printed = compared(&python, &case);
    assert_eq!(printed.matches("sequenceMatch").count(), PATTERNS.len(), "{printed}");
    assert_eq!(printed.matches("sequenceNextNode").count(), NEXT_NODES.len(), "{printed}");
}
