//! What must be true of every version that a reader sees, and of one after another.

use std::collections::{BTreeMap, BTreeSet};

use wayfare_engine::store::Store;
use wayfare_engine::store::snapshot::TableSnapshot;
use wayfare_engine::store::suppression::Suppression;

use super::rows::{Attempt, Row};
use super::{DAYS, DELETED, ERASED, OLD, PEOPLE};

/// What a reader has seen.
#[derive(Debug, Default)]
pub struct Seen {
    version: u64,
    rows: BTreeSet<Row>,
    /// Rows that went, and must stay away.
    gone: BTreeSet<Row>,
    pub is_erased: bool,
}

impl Seen {
    /// Looks at the newest version, which has these rows.
    pub async fn look(
        &mut self,
        store: &Store,
        snapshot: &TableSnapshot,
        rows: BTreeSet<Row>,
    ) -> Attempt<()> {
        let erased = Suppression::of_store(store, snapshot).await.map_err(|e| e.to_string())?;
        let is_erased = erased.contains(ERASED);
        let version = snapshot.version();
        assert!(version >= self.version, "version {version} after {}", self.version);
        assert!(is_erased || !self.is_erased, "the erasure is gone in version {version}");
        whole_batches(&rows, is_erased, version);
        if let Some(back) = rows.intersection(&self.gone).next() {
            panic!("{back:?} has come back in version {version}");
        }
        for row in self.rows.difference(&rows) {
            let may_go = row.person == DELETED || row.batch == OLD || (is_erased && row.person == ERASED);
            assert!(may_go, "{row:?} is lost in version {version}");
            self.gone.insert(row.clone());
        }
        assert!(!is_erased || rows.iter().all(|row| row.person != ERASED));
        (self.version, self.rows, self.is_erased) = (version, rows, is_erased);
        Ok(())
    }

    /// Batches of which rows are there.
    pub fn batches(&self) -> BTreeSet<&str> {
        self.rows.iter().map(|row| row.batch.as_str()).collect()
    }

    /// Events that belong to whoever loads them first.
    pub fn shared(&self) -> usize {
        self.rows.iter().filter(|row| row.event.starts_with("shared")).count()
    }
}

/// Each batch has all its rows; those of the erased person are all there before the erasure and none after it, those of
/// the person whose rows are deleted are all there or none.
fn whole_batches(rows: &BTreeSet<Row>, is_erased: bool, version: u64) {
    let mut batches: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.event.starts_with("shared")) {
        *batches.entry(&row.batch).or_default().entry(&row.person).or_default() += 1;
    }
    for (batch, of_people) in batches {
        let days = if batch == OLD { 1 } else { DAYS.len() };
        for person in PEOPLE {
            let found = of_people.get(person).copied().unwrap_or(0);
            let is_whole = match person {
                ERASED => found == if is_erased { 0 } else { days },
                DELETED => found == 0 || found == days,
                _ => found == days,
            };
            assert!(
                is_whole,
                "{found} rows of {person} of {batch} in version {version}, erased: {is_erased}"
            );
        }
    }
}
