//! Whether rows come in the order of the layout.

use std::cmp::Ordering;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use datafusion::error::Result;

use crate::load::rows::required;
use crate::schema;

/// Checks that batches, one after the other, are sorted by `(user_key, user_id, ts, event_id)`, NULL ids last.
#[derive(Debug, Default)]
pub struct OrderCheck {
    last: Option<(i64, String, i64, Option<String>)>,
    rows: u64,
}

type Row<'a> = (i64, &'a str, i64, Option<&'a str>);

struct Columns<'a> {
    keys: &'a Int64Array,
    users: &'a StringArray,
    times: &'a TimestampMicrosecondArray,
    ids: &'a StringArray,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self> {
        Ok(Self {
            keys: required(batch, schema::USER_KEY)?.as_primitive::<Int64Type>(),
            users: required(batch, schema::USER_ID)?.as_string(),
            times: required(batch, schema::TS)?.as_primitive::<TimestampMicrosecondType>(),
            ids: required(batch, schema::EVENT_ID)?.as_string(),
        })
    }

    fn row(&self, row: usize) -> Row<'a> {
        let id = self.ids.is_valid(row).then(|| self.ids.value(row));
        (self.keys.value(row), self.users.value(row), self.times.value(row), id)
    }
}

fn compare(a: &Row<'_>, b: &Row<'_>) -> Ordering {
    let ids = || match (a.3, b.3) {
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    };
    a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1)).then(a.2.cmp(&b.2)).then_with(ids)
}

impl OrderCheck {
    /// Takes the next batch of data-file columns; the number of the first row, from 0, that is out of order.
    ///
    /// # Errors
    /// If a column of the order is missing.
    pub fn first_misplaced(&mut self, batch: &RecordBatch) -> Result<Option<u64>> {
        if batch.num_rows() == 0 {
            return Ok(None);
        }
        let columns = Columns::of(batch)?;
        let mut before = columns.row(0);
        let last = self.last.as_ref().map(|(key, user, ts, id)| (*key, user.as_str(), *ts, id.as_deref()));
        if last.is_some_and(|last| compare(&last, &before).is_gt()) {
            return Ok(Some(self.rows));
        }
        for row in 1..batch.num_rows() {
            let this = columns.row(row);
            if compare(&before, &this).is_gt() {
                return Ok(Some(self.rows + row as u64));
            }
            before = this;
        }
        self.last = Some((before.0, before.1.to_owned(), before.2, before.3.map(str::to_owned)));
        self.rows += batch.num_rows() as u64;
        Ok(None)
    }

    /// Rows taken so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use proptest::prelude::*;

    use super::*;

    type OwnedRow = (i64, String, i64, Option<String>);

    fn batch(rows: &[OwnedRow]) -> RecordBatch {
        let columns = Schema::new(vec![
            Field::new("user_key", DataType::Int64, false),
            Field::new("user_id", DataType::Utf8, false),
            Field::new("ts", schema::timestamp_type(), false),
            Field::new("event_id", DataType::Utf8, true),
        ]);
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|r| r.2));
        RecordBatch::try_new(
            Arc::new(columns),
            vec![
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0))),
                Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.1))),
                Arc::new(times.with_timezone("UTC")),
                Arc::new(StringArray::from_iter(rows.iter().map(|r| r.3.as_deref()))),
            ],
        )
        .expect("a batch")
    }

    proptest! {
        #[test]
        fn finds_the_first_row_that_is_less_than_the_one_before(
            rows in prop::collection::vec((0..3_i64, "[ab]", 0..3_i64, prop::option::of("[xy]")), 1..12),
            cut in 0..12_usize,
            is_sorted in any::<bool>(),
        ) {
            // NULL ids come last: `None` is put behind by its flag.
            let key = |r: &OwnedRow| (r.0, r.1.clone(), r.2, r.3.is_none(), r.3.clone());
            let mut rows = rows;
            if is_sorted {
                rows.sort_by_key(key);
            }
            let expected = (1..rows.len()).find(|i| key(&rows[i - 1]) > key(&rows[*i])).map(|i| i as u64);
            let (head, tail) = rows.split_at(cut.min(rows.len()));
            let mut check = OrderCheck::default();
            let found = match check.first_misplaced(&batch(head)).expect("columns") {
                None => check.first_misplaced(&batch(tail)).expect("columns"),
                found => found,
            };
            prop_assert_eq!(found, expected);
            prop_assert!(expected.is_some() || check.rows() == rows.len() as u64);
        }
    }
}
