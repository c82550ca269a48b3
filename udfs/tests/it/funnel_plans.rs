//! The funnel functions for generated rows through SQL: no plan, no partitioning and no batch size changes an answer.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, TimestampSecondArray};
use arrow::datatypes::Int64Type;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

use crate::funnel_cases::{STEPS, modes, plain_chain, plain_count, plain_depth_in, reach, rows};
use crate::funnel_reference::Reach;
use crate::reference::Row;
use crate::sql::{register, table};

const PEOPLE: usize = 4;
/// Partitions and batch size.
const PLANS: [(usize, usize); 3] = [(1, 8_192), (2, 1), (8, 100)];

/// One person, and what the functions answer: depth, completions, steps in the chain, seconds from the first to the
/// last of them.
type Answer = (i64, i64, i64, i64, i64);

fn expected(modes: &str, reach: Reach, people: &[Vec<Row>]) -> Vec<Answer> {
    let number = |value: usize| i64::try_from(value).unwrap();
    let of = |(person, rows): (usize, &Vec<Row>)| {
        let chain = plain_chain(STEPS, modes, reach, rows);
        let seconds = chain.last().map_or(0, |last| last.1 - chain[0].1);
        let depth = plain_depth_in(STEPS, modes, reach, rows);
        let count = plain_count(STEPS, modes, reach, rows);
        (number(person), number(depth), number(count), number(chain.len()), seconds)
    };
    people.iter().enumerate().filter(|(_, rows)| !rows.is_empty()).map(of).collect()
}

fn context(people: &[Vec<Row>], partitions: usize, batch_rows: usize) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(batch_rows);
    let mut context = SessionContext::new_with_config(config);
    wayfare_udfs::register_all(&mut context).unwrap();
    // Rows of all people in turn, so that no partition holds one person alone.
    let longest = people.iter().map(Vec::len).max().unwrap_or(0);
    let mut all: Vec<(i64, &Row)> = Vec::new();
    for row in 0..longest {
        for (person, rows) in people.iter().enumerate() {
            all.extend(rows.get(row).map(|row| (i64::try_from(person).unwrap(), row)));
        }
    }
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("person", Arc::new(Int64Array::from_iter_values(all.iter().map(|(person, _)| *person)))),
        ("ts", Arc::new(TimestampSecondArray::from_iter_values(all.iter().map(|(_, row)| row.0)))),
    ];
    for (step, name) in (1..=STEPS).zip(["c1", "c2", "c3", "c4"]) {
        let met = all.iter().map(|(_, row)| row.1.contains(&step).then_some(true));
        columns.push((name, Arc::new(BooleanArray::from_iter(met))));
    }
    register(&context, "t", &table(columns), partitions);
    context
}

async fn answers(context: &SessionContext, modes: &str, reach: Reach) -> Vec<Answer> {
    let window = match reach {
        Reach::Ticks(seconds) => format!("INTERVAL '{seconds} seconds'"),
        Reach::Session(seconds) => format!("'session {seconds} seconds'"),
    };
    let arguments = format!("{window}, '{modes}', ts, [c1, c2, c3, c4]");
    let sql = format!(
        "SELECT person, depth, completions, CASE WHEN reached = 1 THEN steps END, \
           coalesce(CAST(d[1] + coalesce(d[2], 0) + coalesce(d[3], 0) AS BIGINT), 0) \
         FROM (SELECT person, window_funnel({arguments}) AS depth, funnel_count({arguments}) AS completions, \
           cardinality(funnel_steps({arguments})) AS steps, funnel_durations({arguments}) AS d, \
           CASE WHEN window_funnel({arguments}) = 0 THEN 1 ELSE \
             (funnel_match({arguments}))[window_funnel({arguments})] END AS reached \
           FROM t GROUP BY person) ORDER BY person"
    );
    let mut answers = Vec::new();
    for batch in context.sql(&sql).await.unwrap().collect().await.unwrap() {
        let column = |index: usize| {
            let column =
                arrow::compute::cast(batch.column(index), &arrow::datatypes::DataType::Int64).unwrap();
            column.as_primitive::<Int64Type>().clone()
        };
        let columns: [Int64Array; 5] = std::array::from_fn(column);
        for row in 0..batch.num_rows() {
            let value = |index: usize| columns[index].value(row);
            answers.push((value(0), value(1), value(2), value(3), value(4)));
        }
    }
    answers
}

#[test]
fn no_plan_changes_an_answer() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cases = (modes(), reach(), prop::collection::vec(rows(0..12), PEOPLE));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(60));
    let result = runner.run(&cases, |(modes, reach, people)| {
        let expected = expected(modes, reach, &people);
        for (partitions, batch_rows) in PLANS {
            let context = context(&people, partitions, batch_rows);
            let found = runtime.block_on(answers(&context, modes, reach));
            if found != expected {
                return Err(TestCaseError::fail(format!(
                    "{partitions} {batch_rows}: {found:?}, not {expected:?}"
                )));
            }
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
