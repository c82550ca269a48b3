//! Our answers beside those of ClickHouse (package chdb from PyPI), for random rows.
//!
//! The comparison is a script, `tests/python/clickhouse_differential.py`, which explains every difference by a rule
//! that docs/functions.md states, or fails. `WAYFARE_PYTHON` names a Python with chdb; without one the test says that
//! it is not run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::SessionContext;
use serde_json::{Map, Value, json};
use wayfare_udfs::all_aggregate_functions;

use crate::sql::{context, numbers, register, table, tell};

const PYTHON_VARIABLE: &str = "WAYFARE_PYTHON";
const STREAMS: usize = 2_000;
const STEPS: usize = 4;
const SEED: u64 = 20_240_501;
const WINDOWS: [i64; 3] = [0, 4, 100];
/// The modes that ClickHouse has too; `strict_order, allow_restart` is its `strict_order`.
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
    "strict_order, strict_deduplication, allow_reentry",
    "strict_order, strict_increase, strict_deduplication, allow_reentry",
    "strict_order, strict_deduplication, strict_once, allow_reentry",
    "strict_order, allow_restart",
    "strict_order, strict_increase, allow_restart",
    "strict_order, strict_deduplication, allow_restart",
    "strict_order, strict_once, allow_restart",
    "strict_order, strict_increase, strict_deduplication, allow_restart",
    "strict_order, strict_deduplication, strict_once, allow_restart",
];

/// One row: its time and its conditions, either of them NULL now and then.
#[derive(Debug, Clone)]
struct Event {
    time: Option<i64>,
    conditions: [Option<bool>; STEPS],
}

/// Numbers that look random and are the same each time (splitmix64).
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        mixed % limit
    }
}

/// Few times, so that ties are common; mostly one step in a row; NULLs in every third stream.
fn streams() -> Vec<Vec<Event>> {
    let mut seeded = Seeded(SEED);
    let mut streams = Vec::with_capacity(STREAMS);
    for stream in 0..STREAMS {
        let rows = 1 + seeded.below(10);
        let times = 1 + seeded.below(12);
        let has_nulls = stream % 3 == 0;
        let mut events = Vec::new();
        for _ in 0..rows {
            let is_null = |seeded: &mut Seeded| has_nulls && seeded.below(12) == 0;
            let time = i64::try_from(seeded.below(times)).unwrap();
            let only = usize::try_from(seeded.below(STEPS as u64 + 1)).unwrap();
            let has_several = seeded.below(4) == 0;
            let conditions = std::array::from_fn(|step| {
                let holds = if has_several { seeded.below(2) == 0 } else { step == only };
                (!is_null(&mut seeded)).then_some(holds)
            });
            let time = (!is_null(&mut seeded)).then_some(time);
            events.push(Event { time, conditions });
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
        ("ts", Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.1.time)))),
    ];
    for (step, name) in ["c1", "c2", "c3", "c4"].into_iter().enumerate() {
        let conditions = rows.iter().map(|row| row.1.conditions[step]);
        columns.push((name, Arc::new(BooleanArray::from_iter(conditions))));
    }
    let context = context();
    register(&context, "t", &table(columns), 2);
    context
}

/// Per mode, per stream, per window the depth.
async fn funnels(context: &SessionContext) -> Map<String, Value> {
    let mut by_mode = Map::new();
    for mode in MODES {
        let call = |window| format!("window_funnel({window}, '{mode}', ts, c1, c2, c3, c4)");
        let calls = WINDOWS.map(call).join(", ");
        let rows = numbers(context, &format!("SELECT {calls} FROM t GROUP BY stream ORDER BY stream")).await;
        assert_eq!(rows.len(), STREAMS, "{mode}");
        by_mode.insert(mode.to_owned(), json!(rows));
    }
    by_mode
}

/// Per stream the list of bits, if there is such a function.
async fn retention(context: &SessionContext) -> Value {
    if !all_aggregate_functions().iter().any(|function| function.name() == "retention") {
        return Value::Null;
    }
    let sql = "SELECT retention(c1, c2, c3, c4) FROM t GROUP BY stream ORDER BY stream";
    let mut answers: Vec<Vec<i64>> = Vec::new();
    for batch in context.sql(sql).await.unwrap().collect().await.unwrap() {
        let lists = batch.column(0).as_list::<i32>();
        for row in 0..lists.len() {
            let bits = cast(&lists.value(row), &DataType::Int64).unwrap();
            answers.push(bits.as_primitive::<Int64Type>().values().to_vec());
        }
    }
    assert_eq!(answers.len(), STREAMS);
    json!(answers)
}

/// The Python to use, or `None` where none has the package.
pub(crate) fn python() -> Option<PathBuf> {
    let python = std::env::var_os(PYTHON_VARIABLE).map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let import = Command::new(&python).args(["-c", "import chdb"]).output();
    let problem = match import {
        Ok(output) if output.status.success() => return Some(python),
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned(),
        Err(error) => error.to_string(),
    };
    tell(format!(
        "not run: the comparison with ClickHouse, {} cannot import chdb ({problem}); set {PYTHON_VARIABLE}",
        python.display()
    ));
    None
}

#[tokio::test]
async fn every_difference_from_clickhouse_is_a_documented_one() {
    let Some(python) = python() else { return };
    let streams = streams();
    let context = context_with(&streams);
    let cells = |event: &Event| {
        let mut cells = vec![json!(event.time)];
        cells.extend(event.conditions.iter().map(|condition| json!(condition)));
        cells
    };
    let rows: Vec<Vec<Vec<Value>>> =
        streams.iter().map(|events| events.iter().map(cells).collect()).collect();
    let case = json!({
        "seed": SEED,
        "steps": STEPS,
        "windows": WINDOWS,
        "streams": rows,
        "funnel": funnels(&context).await,
        "retention": retention(&context).await,
    });

    let printed = compared(&python, &case);
    assert_eq!(printed.matches("windowFunnel").count(), MODES.len(), "{printed}");
}

/// What the script prints about a case in which it explains every difference.
pub(crate) fn compared(python: &Path, case: &Value) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/clickhouse_differential.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // The script reads all of it before it says anything.
    input.write_all(case.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    tell(&printed);
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    printed
}
