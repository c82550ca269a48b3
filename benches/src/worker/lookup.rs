//! A query for one person after the other.

use std::path::Path;
use std::time::Instant;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde_json::{Value, json};

use super::query::Asker;
use super::{StoreArgs, peak_rss_mib};
use crate::error::{BenchError, Result};
use crate::machine;
use crate::measurement::Measurement;
use crate::workload::query::{USER_PLACEHOLDER, read_sql};

/// Asks for the last of `users` to warm up, then for each of them.
///
/// The result has a row for each: the person, the number of rows, the smallest and the largest `event_id` and the sum
/// of them.
pub fn measure(store: &StoreArgs, users: &[String], sql: &Path) -> Result<Measurement> {
    let sql = read_sql(sql)?;
    let asker = Asker::new(store)?;
    let ask = |user: &str| asker.ask(sql.replace(USER_PLACEHOLDER, &user.replace('\'', "''")));
    let base = peak_rss_mib();
    if let Some(last) = users.last() {
        ask(last)?;
    }
    let mut measurement = Measurement { rss_base_mib: Some(base), ..Measurement::default() };
    let mut answers = Vec::with_capacity(users.len());
    let cpu = machine::cpu_seconds();
    for user in users {
        let started = Instant::now();
        let batches = ask(user)?;
        measurement.wall.push(started.elapsed().as_secs_f64());
        answers.push(batches);
    }
    if let Some((before, after)) = cpu.zip(machine::cpu_seconds()) {
        measurement.cpu.push((after - before) / users.len().max(1) as f64);
    }
    let rows = answers.iter().flatten().map(|batch| batch.num_rows() as u64).sum();
    measurement.rows = Some(rows);
    measurement.result = Some(
        users.iter().zip(&answers).map(|(user, batches)| summary(user, batches)).collect::<Result<_>>()?,
    );
    Ok(measurement)
}

fn summary(user: &str, batches: &[RecordBatch]) -> Result<Vec<Value>> {
    let mut ids: Vec<i64> = Vec::new();
    for batch in batches {
        let column = batch
            .column_by_name("event_id")
            .ok_or_else(|| BenchError::plain("the query for one person has no column event_id"))?;
        let numbers =
            cast(column, &DataType::Int64).map_err(|e| BenchError::new("event_id is not a number", e))?;
        if numbers.null_count() > 0 {
            return Err(BenchError::plain(format!("an event_id of {user} is not a number")));
        }
        ids.extend(numbers.as_primitive::<arrow::datatypes::Int64Type>().values());
    }
    // As the known answers say it where there are no rows.
    let or_empty = |id: Option<&i64>| id.map_or_else(|| json!(""), |id| json!(id));
    Ok(vec![
        json!(user),
        json!(ids.len()),
        or_empty(ids.iter().min()),
        or_empty(ids.iter().max()),
        json!(ids.iter().sum::<i64>()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringArray;
    use std::sync::Arc;

    #[test]
    fn rows_of_a_person_are_summed_up() {
        let ids = |ids: Vec<&str>| {
            RecordBatch::try_from_iter([("event_id", Arc::new(StringArray::from(ids)) as Arc<dyn Array>)])
                .unwrap()
        };
        let row = summary("ann", &[ids(vec!["7", "30"]), ids(vec!["5"])]).unwrap();
        assert_eq!(row, [json!("ann"), json!(3), json!(5), json!(30), json!(42)]);
        assert_eq!(summary("ben", &[]).unwrap(), [json!("ben"), json!(0), json!(""), json!(""), json!(0)]);
        assert!(summary("cem", &[ids(vec!["x"])]).is_err());
    }
}
