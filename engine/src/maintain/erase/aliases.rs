//! Other ids of the same people: the devices that their rows name, and what those were called.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray};
use futures::TryStreamExt;

use crate::error::{Error, Result};
use crate::identity::Resolver;
use crate::identity::blocked::is_blocked;
use crate::load::rows::required;
use crate::maintain::read;
use crate::schema;
use crate::store::snapshot::TableSnapshot;
use crate::store::writer;

/// More aliases than this for one id on average are a shared device or a placeholder, not a person.
const MAX_PER_ID: usize = 100;
const PROBE_ROWS: usize = 8192;

/// What the links of the store and the rows say: ids that are the same people's by `resolver`, the `anonymous_id` values
/// of rows whose `user_id` is one of all those, and so on. Reads two columns of the table, as often as new ids are found.
///
/// # Errors
/// If there are so many that they cannot be those of a person.
pub async fn find(
    snapshot: &TableSnapshot,
    resolver: &Resolver,
    ids: &BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let file_schema = writer::file_schema(&snapshot.extra_fields());
    let columns = [schema::USER_ID.to_owned(), schema::ANONYMOUS_ID.to_owned()];
    let mut found = BTreeSet::new();
    let mut open: BTreeSet<String> = ids.clone();
    while !open.is_empty() {
        let linked = open.iter().flat_map(|id| resolver.aliases(id));
        let mut next: BTreeSet<String> =
            linked.filter(|id| !ids.contains(*id) && !found.contains(*id)).map(str::to_owned).collect();
        for file in snapshot.files() {
            let mut rows =
                read::peek(snapshot.table(), file, &file_schema, Some(&columns), PROBE_ROWS).await?;
            while let Some(batch) = rows.try_next().await? {
                let users = required(&batch, schema::USER_ID)?.as_string::<i32>();
                let devices = required(&batch, schema::ANONYMOUS_ID)?.as_string::<i32>();
                for row in (0..batch.num_rows()).filter(|row| devices.is_valid(*row)) {
                    let (user, device) = (users.value(row), devices.value(row));
                    if open.contains(user)
                        && !ids.contains(device)
                        && !found.contains(device)
                        && !is_blocked(device)
                    {
                        next.insert(device.to_owned());
                    }
                }
            }
        }
        found.extend(next.iter().cloned());
        if found.len() > MAX_PER_ID * ids.len() {
            return Err(Error::InvalidArgument(format!(
                "{} other ids were found for {} people, which cannot be theirs alone: erase without --include-aliases, \
                 and name the ids",
                found.len(),
                ids.len()
            )));
        }
        open = next;
    }
    Ok(found)
}
