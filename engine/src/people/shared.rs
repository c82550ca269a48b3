//! Row groups with people of several buckets, decoded once for all of them.
//!
//! A small day is one row group with all its people. Each partition would decode all days only to keep its own people;
//! instead each decodes its share of such row groups first and leaves them for the others. Nobody waits: what is not
//! there yet when its turn comes is decoded again, so that a partition that is never asked holds nobody up.

use std::sync::Mutex;

use arrow::array::RecordBatch;
use hashbrown::HashMap;

use super::buckets::{Bucket, Part};

/// The row groups that several buckets need.
#[derive(Debug, Default)]
pub struct SharedParts {
    slots: HashMap<(usize, usize), Slot>,
}

#[derive(Debug)]
struct Slot {
    /// The bucket whose turn it is to decode.
    owner: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// How many buckets have not come for it.
    missing: usize,
    rows: Option<RecordBatch>,
}

impl SharedParts {
    /// Those of `buckets`, which `partitions` work on side by side. None are shared where a partition has more than one
    /// bucket: rows would be kept for work that comes much later.
    pub fn of(buckets: &[Bucket], partitions: usize) -> Self {
        if buckets.len() < 2 || buckets.len() > partitions {
            return Self::default();
        }
        let mut users: HashMap<(usize, usize), Vec<usize>> = HashMap::new();
        for (number, bucket) in buckets.iter().enumerate() {
            for part in &bucket.parts {
                users.entry(key(part)).or_default().push(number);
            }
        }
        users.retain(|_, buckets| buckets.len() > 1);
        // In turns, in the order of files, so that every partition has as much to do.
        let mut order: Vec<(usize, usize)> = users.keys().copied().collect();
        order.sort_unstable();
        let slots = order.into_iter().enumerate().map(|(turn, part)| {
            let buckets = &users[&part];
            let state = State { missing: buckets.len(), rows: None };
            (part, Slot { owner: buckets[turn % buckets.len()], state: Mutex::new(state) })
        });
        Self { slots: slots.collect() }
    }

    /// Whether `bucket` decodes `part` for all.
    pub fn is_owner(&self, bucket: usize, part: &Part) -> bool {
        self.slots.get(&key(part)).is_some_and(|slot| slot.owner == bucket)
    }

    /// The rows of `part` if another bucket left them.
    pub fn take(&self, part: &Part) -> Option<RecordBatch> {
        let mut state = self.slots.get(&key(part))?.state.lock().ok()?;
        let rows = state.rows.clone()?;
        state.missing = state.missing.saturating_sub(1);
        if state.missing == 0 {
            state.rows = None;
        }
        Some(rows)
    }

    /// Leaves the rows of `part`, which one bucket has decoded and used, for those that have not come yet.
    pub fn leave(&self, part: &Part, rows: &RecordBatch) {
        let Some(Ok(mut state)) = self.slots.get(&key(part)).map(|slot| slot.state.lock()) else {
            return;
        };
        state.missing = state.missing.saturating_sub(1);
        if state.missing == 0 {
            state.rows = None;
        } else {
            state.rows.get_or_insert_with(|| rows.clone());
        }
    }
}

fn key(part: &Part) -> (usize, usize) {
    (part.file, part.row_group)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;

    use super::*;
    use crate::store::layout::{KeyPrefix, RowGroup};

    fn part(file: usize) -> Part {
        Part { file, row_group: 0, range: RowGroup { rows: 1, min_key: i64::MIN, max_key: i64::MAX } }
    }

    fn bucket(prefix: u16, files: &[usize]) -> Bucket {
        Bucket {
            prefix: KeyPrefix { bits: 1, prefix },
            parts: files.iter().map(|file| part(*file)).collect(),
        }
    }

    fn rows() -> RecordBatch {
        RecordBatch::new_empty(Arc::new(Schema::empty()))
    }

    #[test]
    fn every_shared_part_has_one_owner_and_the_others_have_none() {
        let buckets = [bucket(0, &[0, 1, 2, 3, 4]), bucket(1, &[1, 2, 3, 4, 5])];
        let shared = SharedParts::of(&buckets, 2);
        let owners = |file| (0..2).filter(|bucket| shared.is_owner(*bucket, &part(file))).count();
        assert_eq!((0..6).map(owners).collect::<Vec<_>>(), [0, 1, 1, 1, 1, 0]);
        let owned = |bucket| (0..6).filter(|file| shared.is_owner(bucket, &part(*file))).count();
        assert_eq!((owned(0), owned(1)), (2, 2));
    }

    #[test]
    fn nothing_is_shared_where_buckets_come_one_after_the_other() {
        let buckets = [bucket(0, &[0]), bucket(1, &[0])];
        assert!(SharedParts::of(&buckets, 1).slots.is_empty());
        assert!(SharedParts::of(&buckets[..1], 2).slots.is_empty());
    }

    #[test]
    fn rows_are_kept_until_the_last_bucket_came() {
        let buckets = [bucket(0, &[0]), bucket(1, &[0]), bucket(2, &[0])];
        let shared = SharedParts::of(&buckets, 3);
        assert!(shared.take(&part(0)).is_none());
        shared.leave(&part(0), &rows());
        assert!(shared.take(&part(0)).is_some());
        assert!(shared.take(&part(0)).is_some());
        assert!(shared.take(&part(0)).is_none(), "kept for nobody");
        shared.leave(&part(0), &rows());
        assert!(shared.take(&part(0)).is_none(), "kept for nobody");
    }
}
