//! Rows of people by their ids.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};

use crate::error::Result;
use crate::load::rows::required;
use crate::maintain::optimize::merge::Selection;
use crate::schema;

/// Chooses the rows that name one of some ids.
///
/// An id that was asked for counts as `user_id`, `raw_user_id` and `anonymous_id`. An alias counts as `user_id` only: a device
/// can be shared, and the rows of the others who use it stay.
#[derive(Clone)]
pub struct People {
    users: HashSet<String>,
    devices: HashSet<String>,
}

impl std::fmt::Debug for People {
    // Ids do not go into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("People").field("ids", &self.users.len()).finish()
    }
}

impl People {
    /// The rows of `ids` and their `aliases`.
    pub fn new(ids: &BTreeSet<String>, aliases: &BTreeSet<String>) -> Self {
        Self { users: ids.union(aliases).cloned().collect(), devices: ids.iter().cloned().collect() }
    }

    /// All ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.users.iter().map(String::as_str)
    }

    /// Takes others along.
    pub fn extend(&mut self, others: &Self) {
        self.users.extend(others.users.iter().cloned());
        self.devices.extend(others.devices.iter().cloned());
    }
}

static COLUMNS: LazyLock<[String; 3]> =
    LazyLock::new(|| [schema::USER_ID, schema::ANONYMOUS_ID, schema::RAW_USER_ID].map(str::to_owned));

impl Selection for People {
    fn reading(&self) -> Option<&[String]> {
        Some(&*COLUMNS)
    }

    fn choose(&self, _: i32, batch: &RecordBatch) -> Result<BooleanArray> {
        let users = required(batch, schema::USER_ID)?.as_string::<i32>();
        let devices = required(batch, schema::ANONYMOUS_ID)?.as_string::<i32>();
        let raw = batch.column_by_name(schema::RAW_USER_ID).map(|column| column.as_string::<i32>());
        let named = |column: &StringArray, row: usize, ids: &HashSet<String>| {
            column.is_valid(row) && ids.contains(column.value(row))
        };
        let chosen = (0..batch.num_rows()).map(|row| {
            let came_as = raw.is_some_and(|raw| named(raw, row, &self.devices));
            Some(came_as || named(users, row, &self.users) || named(devices, row, &self.devices))
        });
        Ok(chosen.collect())
    }
}
