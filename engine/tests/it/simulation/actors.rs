//! What races: loads, compactions, an erasure, a deletion, an expiry, and readers. Each plans as the engine does, and uses
//! the engine's own log, snapshots, commit loops and suppression list.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use deltalake_core::protocol::DeltaOperation;
use wayfare_engine::maintain::expire;
use wayfare_engine::storage::StorageLocation;
use wayfare_engine::store::commit::{self, Append, Outcome};
use wayfare_engine::store::replace::{self, Replacement, Terms};
use wayfare_engine::store::snapshot::{DataFile, TableSnapshot};
use wayfare_engine::store::suppression::{self, ErasureRecord, Suppression};
use wayfare_engine::store::{Store, TOUCHPOINTS};

use super::rows::{self, Attempt, Row};
use super::schedule::{Random, gate, or_killed};
use super::seen::Seen;
use super::{COMMON, DAYS, DELETED, ERASED, OLD_DAY};

/// Tries of one that must succeed in the end.
const TRIES: usize = 400;
/// Kills in a thousand calls.
const KILLS: u64 = 4;

/// A process with a store, begun again when it was killed.
#[derive(Debug)]
pub struct Process {
    location: StorageLocation,
    random: Arc<Random>,
    store: Option<Arc<Store>>,
    pub killed: u64,
}

impl Process {
    pub fn new(location: StorageLocation, random: Arc<Random>) -> Self {
        Self { location, random, store: None, killed: 0 }
    }

    /// Does `work` until it succeeds, and gives what it gives.
    async fn until_done<T>(&mut self, what: &str, work: impl AsyncFn(&Store) -> Attempt<Option<T>>) -> T {
        for _ in 0..TRIES {
            if let Some(done) = self.once(&work).await {
                return done;
            }
        }
        panic!("{what}: never done");
    }

    /// Does `work` once; `None` if it failed, came too late, or was killed.
    async fn once<T>(&mut self, work: &impl AsyncFn(&Store) -> Attempt<Option<T>>) -> Option<T> {
        let store = match &self.store {
            Some(store) => Arc::clone(store),
            None => {
                let store = Arc::new(Store::open(self.location.clone()).await.ok()?);
                self.store = Some(Arc::clone(&store));
                store
            }
        };
        match or_killed(work(&store), &self.random, KILLS).await {
            Some(done) => done.ok().flatten(),
            None => {
                self.killed += 1;
                self.store = None;
                None
            }
        }
    }

    async fn wait(&self, most: u64) {
        for _ in 0..self.random.below(most) {
            gate().await;
        }
    }
}

async fn newest(store: &Store) -> Attempt<Arc<TableSnapshot>> {
    let newest = store.newest(TOUCHPOINTS).await.map_err(|e| e.to_string())?;
    Ok(newest.expect("the table"))
}

/// Loads batches, each again and again until it is known to be there.
pub async fn load_all(process: &mut Process, batches: &[String]) {
    for batch in batches {
        process.until_done(batch, async |store| Ok(load(store, batch).await?.then_some(()))).await;
    }
}

/// One attempt; whether the batch is there.
async fn load(store: &Store, batch: &str) -> Attempt<bool> {
    let snapshot = newest(store).await?;
    if snapshot.has_transaction(batch).await.map_err(|e| e.to_string())? {
        return Ok(true);
    }
    let erased = Suppression::of_store(store, &snapshot).await.map_err(|e| e.to_string())?;
    let mut known = HashSet::new();
    for file in snapshot.files().iter().filter(|file| file.day.is_some_and(|day| DAYS.contains(&day))) {
        known.extend(rows::read(&snapshot, file).await?.into_iter().map(|row| row.event));
    }
    let mut adds = Vec::new();
    for day in DAYS {
        let new = rows::of_batch(batch, day).into_iter().filter(|row| !known.contains(&row.event));
        let rows: Vec<Row> = new.filter(|row| !erased.contains(&row.person)).collect();
        adds.push(rows::write(snapshot.table(), day, &rows).await?);
    }
    let append = Append { adds, transaction_ids: vec![batch.to_owned()], info: Vec::new(), new_schema: None };
    let (table, days) = (snapshot.table().clone(), HashSet::from(DAYS));
    match commit::append(&table, snapshot, &append, Some(&days)).await {
        Ok(Outcome::Committed(_)) => Ok(true),
        Ok(Outcome::Stale) => {
            commit::discard(&table, &append.adds).await;
            Ok(false)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Merges the files of each day into one, several times.
pub async fn compact(process: &mut Process, times: u64) {
    for _ in 0..times {
        process.wait(80).await;
        // Whatever fails is left for the next time.
        process.once(&async |store: &Store| merge_days(store).await.map(Some)).await;
    }
}

async fn merge_days(store: &Store) -> Attempt<()> {
    let snapshot = newest(store).await?;
    let mut replacements = Vec::new();
    for day in DAYS {
        let files: Vec<DataFile> = snapshot.files().iter().filter(|f| f.day == Some(day)).cloned().collect();
        if files.len() < 2 {
            continue;
        }
        let mut merged = Vec::new();
        for file in &files {
            merged.extend(rows::read(&snapshot, file).await?);
        }
        let adds = vec![rows::write(snapshot.table(), day, &merged).await?];
        replacements.push(Replacement { removes: files, adds, ..Replacement::default() });
    }
    let terms = Terms { data_change: false, needs_all_rows: false, together: false, ..terms() };
    commit_all(snapshot, replacements, &terms).await.map(|_| ())
}

/// Erases the person who is to be erased.
pub async fn erase(process: &mut Process) {
    process.wait(200).await;
    process
        .until_done("erasure", async |store| {
            let snapshot = newest(store).await?;
            let replacements = without(&snapshot, ERASED).await?;
            let hasher = suppression::key_or_create(store).await.map_err(|e| e.to_string())?;
            let hashes = suppression::hashes_of(&hasher, [ERASED].into_iter());
            let record =
                ErasureRecord { time: String::new(), ids: 1, aliases: 0, rows: 0, hashes, links: Vec::new() };
            let (id, table) = (commit::new_id(), snapshot.table().clone());
            let written = suppression::write_record(&table, &id, &record).await;
            written.map_err(|e| e.to_string())?;
            let ids = vec![suppression::transaction_id(&id)];
            let terms = Terms { needs_all_rows: true, transaction_ids: ids, ..terms() };
            let version = commit_all(snapshot, replacements, &terms).await?;
            if version.is_none() {
                suppression::discard_record(&table, &id).await;
            }
            Ok(version)
        })
        .await;
}

/// Deletes the rows of the person whose rows are to be deleted, those that are there at this time.
pub async fn delete(process: &mut Process) {
    process.wait(200).await;
    process
        .until_done("deletion", async |store| {
            let snapshot = newest(store).await?;
            match without(&snapshot, DELETED).await? {
                nothing if nothing.is_empty() => Ok(Some(snapshot.version())),
                replacements => commit_all(snapshot, replacements, &terms()).await,
            }
        })
        .await;
}

/// Expires the day that nobody loads.
pub async fn expire(process: &mut Process) {
    process.wait(300).await;
    process
        .until_done("expiry", async |store| {
            let expired = expire::expire(store, TOUCHPOINTS, OLD_DAY + 1).await;
            expired.map(Some).map_err(|e| e.to_string())
        })
        .await;
}

/// Reads now and then; what was seen must be seen again, whoever reads in the process.
pub async fn read(process: &mut Process, times: u64) {
    let seen = tokio::sync::Mutex::new(Seen::default());
    for _ in 0..times {
        process.wait(60).await;
        process
            .once(&async |store: &Store| {
                let snapshot = newest(store).await?;
                let rows = rows::all(&snapshot).await?;
                seen.lock().await.look(store, &snapshot, rows).await.map(Some)
            })
            .await;
    }
}

/// Files with rows of `person`, and those without in their place.
async fn without(snapshot: &TableSnapshot, person: &str) -> Attempt<Vec<Replacement>> {
    let mut replacements = Vec::new();
    for file in snapshot.files() {
        let before = rows::read(snapshot, file).await?;
        let kept: Vec<Row> = before.iter().filter(|row| row.person != person).cloned().collect();
        if kept.len() < before.len() {
            let adds = vec![rows::write(snapshot.table(), file.day.unwrap_or_default(), &kept).await?];
            replacements.push(Replacement { removes: vec![file.clone()], adds, ..Replacement::default() });
        }
    }
    Ok(replacements)
}

/// Commits what is still possible, and takes away what is not; the version, if there is one.
async fn commit_all(
    snapshot: Arc<TableSnapshot>,
    replacements: Vec<Replacement>,
    terms: &Terms,
) -> Attempt<Option<u64>> {
    let table = snapshot.table().clone();
    let replaced = replace::replace(&table, snapshot, replacements, terms).await;
    let replaced = replaced.map_err(|e| e.to_string())?;
    for stale in &replaced.stale {
        commit::discard(&table, &stale.adds).await;
    }
    Ok(replaced.version)
}

/// Those of a deletion.
fn terms() -> Terms {
    Terms {
        operation: DeltaOperation::Delete { predicate: None },
        data_change: true,
        needs_all_rows: false,
        together: true,
        new_schema: None,
        info: Vec::new(),
        transaction_ids: Vec::new(),
    }
}

/// All batches of the loaders.
pub fn batches(loaders: u64) -> Vec<Vec<String>> {
    // The common one is loaded by all, at different times.
    (0..loaders)
        .map(|loader| {
            let mut batches = vec![format!("own-{loader}")];
            let place = if loader == 0 { 0 } else { 1 };
            batches.insert(place, COMMON.to_owned());
            batches
        })
        .collect()
}

/// All batches, each once.
pub fn expected(loaders: u64) -> BTreeSet<String> {
    batches(loaders).into_iter().flatten().collect()
}
