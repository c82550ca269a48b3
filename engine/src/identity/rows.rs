//! People instead of ids in batches of rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::error::Result;

use crate::identity::Resolver;
use crate::load::rows::required;
use crate::schema;

/// For each row the id that it came with and the person that it belongs to.
fn people<'a>(resolver: &'a Resolver, batch: &'a RecordBatch) -> Result<Vec<(&'a str, &'a str)>> {
    let users = required(batch, schema::USER_ID)?.as_string::<i32>();
    let times = required(batch, schema::TS)?.as_primitive::<TimestampMicrosecondType>();
    let raw = batch.column_by_name(schema::RAW_USER_ID).map(|column| column.as_string::<i32>());
    let rows = (0..batch.num_rows()).map(|row| {
        let came_with =
            raw.filter(|raw| raw.is_valid(row)).map_or_else(|| users.value(row), |raw| raw.value(row));
        (came_with, resolver.resolve(came_with, times.value(row)).unwrap_or(came_with))
    });
    Ok(rows.collect())
}

/// How many rows of a batch have another `user_id` than the resolver says. Needs `user_id`, `ts` and, if the table has
/// it, `raw_user_id`. O(rows).
pub fn count_changed(resolver: &Resolver, batch: &RecordBatch) -> Result<usize> {
    let users = required(batch, schema::USER_ID)?.as_string::<i32>();
    let people = people(resolver, batch)?;
    Ok(people.iter().enumerate().filter(|(row, (_, person))| users.value(*row) != *person).count())
}

/// The batch with the person in `user_id`, its hash in `user_key` if it has that column, and the id that the row came
/// with in `raw_user_id`, NULL where it is the same. A row without `anonymous_id` whose id was that of a device keeps
/// it there too. O(bytes).
pub fn resolve(resolver: &Resolver, batch: &RecordBatch) -> Result<RecordBatch> {
    let people = people(resolver, batch)?;
    let users = required(batch, schema::USER_ID)?.as_string::<i32>();
    if people.iter().enumerate().all(|(row, (_, person))| users.value(row) == *person) {
        return Ok(batch.clone());
    }
    let devices = required(batch, schema::ANONYMOUS_ID)?.as_string::<i32>();
    let mut kept_devices = StringBuilder::new();
    for (row, (came_with, person)) in people.iter().enumerate() {
        let device = devices.is_valid(row).then(|| devices.value(row));
        kept_devices.append_option(device.or((came_with != person).then_some(came_with)));
    }
    let raw = people.iter().map(|(came_with, person)| (came_with != person).then_some(*came_with));
    let columns = batch.schema_ref().fields().iter().zip(batch.columns()).map(|(field, column)| {
        let column: ArrayRef = match field.name().as_str() {
            schema::USER_ID => {
                Arc::new(StringArray::from_iter_values(people.iter().map(|(_, person)| person)))
            }
            schema::USER_KEY => Arc::new(Int64Array::from_iter_values(
                people.iter().map(|(_, person)| schema::user_key(person)),
            )),
            schema::RAW_USER_ID => Arc::new(StringArray::from_iter(raw.clone())),
            schema::ANONYMOUS_ID => Arc::new(kept_devices.finish_cloned()),
            _ => Arc::clone(column),
        };
        column
    });
    Ok(RecordBatch::try_new(batch.schema(), columns.collect())?)
}
