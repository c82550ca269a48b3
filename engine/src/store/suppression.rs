//! Whom no load may bring back: keyed hashes of erased ids.
//!
//! ```text
//! STORE/wayfare-erasure.key                a random key, made with the first erasure
//! STORE/TABLE/_wayfare/erasure-ID.json     hashes, numbers and time of one erasure: also its audit record
//! ```
//! A list counts if the table's log has the application id of its erasure, so that it comes into force in the very
//! commit that takes the rows away. The ids themselves stand nowhere. Without the key the hashes tell nothing, so
//! that the key must not be handed out with them.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::identity::IDENTITIES;
use crate::store::Store;
use crate::store::changes::ERASURE_PREFIX;
use crate::store::snapshot::TableSnapshot;
use crate::store::table::{Table, TableKind};

/// Directory of a table that no Delta reader and no vacuum looks into.
const DIRECTORY: &str = "_wayfare";
const KEY_FILE: &str = "wayfare-erasure.key";
const KEY_BYTES: usize = blake3::KEY_LEN;
/// Bytes of a hash: two people share one with a probability below 2^-64 for any number of people.
const HASH_BYTES: usize = 16;

type IdHash = [u8; HASH_BYTES];

/// Hashes ids with the key of a store.
#[derive(Clone)]
pub struct IdHasher {
    key: [u8; KEY_BYTES],
}

impl std::fmt::Debug for IdHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdHasher")
    }
}

impl IdHasher {
    fn hash(&self, id: &str) -> IdHash {
        let digest = blake3::keyed_hash(&self.key, id.as_bytes());
        let mut hash = [0; HASH_BYTES];
        hash.copy_from_slice(&digest.as_bytes()[..HASH_BYTES]);
        hash
    }
}

/// The record of one erasure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRecord {
    /// When it was asked for, RFC 3339.
    pub time: String,
    /// Ids that were named.
    pub ids: u64,
    /// Ids that were found to be the same people's.
    pub aliases: u64,
    /// Rows that were taken away.
    pub rows: u64,
    /// Keyed hashes of the ids, hexadecimal.
    pub hashes: Vec<String>,
    /// Their links, which go with them.
    #[serde(default)]
    pub links: Vec<ErasedLink>,
}

impl ErasureRecord {
    /// One that names nobody, of this moment.
    pub fn now() -> Self {
        Self { time: chrono::Utc::now().to_rfc3339(), ..Self::default() }
    }
}

/// Since when an id was one of an erased person's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ErasedLink {
    /// Keyed hash of the id, hexadecimal.
    device: String,
    /// Keyed hash of the person's.
    person: String,
    /// Microseconds since the epoch, UTC; absent if always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_from: Option<i64>,
}

impl ErasedLink {
    /// Of the link of `device` to `person`; `valid_from` in microseconds since the epoch.
    pub fn new(hasher: &IdHasher, device: &str, person: &str, valid_from: Option<i64>) -> Self {
        Self { device: to_text(hasher.hash(device)), person: to_text(hasher.hash(person)), valid_from }
    }
}

/// The people whom loads leave out.
#[derive(Debug, Clone, Default)]
pub struct Suppression {
    hasher: Option<IdHasher>,
    hashes: HashSet<IdHash>,
    /// By hash of a device: since when it was whose, in microseconds and as text of the hash.
    links: HashMap<IdHash, Vec<(i64, String)>>,
}

impl Suppression {
    /// Nobody was erased.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty() && self.links.is_empty()
    }

    /// Whether `id` was erased.
    pub fn contains(&self, id: &str) -> bool {
        self.hasher.as_ref().is_some_and(|hasher| self.hashes.contains(&hasher.hash(id)))
    }

    /// Since when, in microseconds, `id` was whose of those who were erased, by the hash of their id.
    pub fn links_of<'a>(&'a self, id: &str) -> impl Iterator<Item = (i64, &'a str)> + use<'a> {
        let found = self.hasher.as_ref().filter(|_| !self.links.is_empty());
        let found = found.and_then(|hasher| self.links.get(&hasher.hash(id)));
        found.into_iter().flatten().map(|(valid_from, person)| (*valid_from, person.as_str()))
    }

    /// Whether `id` was a device of somebody who was erased, at any time.
    pub fn contains_device(&self, id: &str) -> bool {
        self.links_of(id).next().is_some()
    }

    /// Whom loads into the table of `snapshot` leave out: those erased from it, and from any other touchpoint table
    /// of the store, with the links that went with them.
    ///
    /// # Errors
    /// If a list cannot be read: a load without it could bring people back.
    pub async fn of_store(store: &Store, snapshot: &TableSnapshot) -> Result<Self, StoreError> {
        let Some(hasher) = read_key(store).await? else { return Ok(Self::default()) };
        let mut erased = Self { hasher: Some(hasher), ..Self::default() };
        erased.add_lists(snapshot).await?;
        for name in store.table_names().await? {
            if name == snapshot.table().name() {
                continue;
            }
            match store.newest(&name).await? {
                Some(other) if other.kind() == TableKind::Touchpoints || name == IDENTITIES => {
                    erased.add_lists(&other).await?;
                }
                _ => {}
            }
        }
        Ok(erased)
    }

    async fn add_lists(&mut self, snapshot: &TableSnapshot) -> Result<(), StoreError> {
        for (id, path) in lists(snapshot.table()).await? {
            if snapshot.has_transaction(&transaction_id(&id)).await? {
                let record = read_record(snapshot.table(), &path).await?;
                for text in &record.hashes {
                    self.hashes.insert(parse_hash(text).ok_or_else(|| unreadable(&path))?);
                }
                for link in record.links {
                    let device = parse_hash(&link.device).ok_or_else(|| unreadable(&path))?;
                    // As the links themselves: without a time it has always been so.
                    let valid_from = link.valid_from.unwrap_or(i64::MIN);
                    self.links.entry(device).or_default().push((valid_from, link.person));
                }
            }
        }
        Ok(())
    }
}

/// The application id of the erasure `id`.
pub fn transaction_id(id: &str) -> String {
    format!("{ERASURE_PREFIX}{id}")
}

fn directory(table: &Table) -> Path {
    table.location().path.clone().join(DIRECTORY)
}

/// Identity and place of the lists in a table's directory, in force or not.
pub async fn lists(table: &Table) -> Result<Vec<(String, Path)>, StoreError> {
    let directory = directory(table);
    let found = table.location().store.list(Some(&directory)).try_collect::<Vec<_>>().await;
    let found = found.map_err(|e| StoreError::io("list", directory.to_string(), e))?;
    let mut lists = Vec::new();
    for meta in found {
        let name = meta.location.filename().unwrap_or_default();
        let id = name.strip_prefix("erasure-").and_then(|rest| rest.strip_suffix(".json"));
        if let Some(id) = id.map(str::to_owned) {
            lists.push((id, meta.location));
        }
    }
    Ok(lists)
}

/// Writes the record of the erasure `id`, which comes into force with a commit of [`transaction_id`].
pub async fn write_record(table: &Table, id: &str, record: &ErasureRecord) -> Result<(), StoreError> {
    let path = record_path(table, id);
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| StoreError::io("write", path.to_string(), e);
    let body = serde_json::to_vec(record).map_err(|e| failed(e.into()))?;
    let put = table.location().store.put(&path, PutPayload::from(body)).await;
    put.map(|_| ()).map_err(|e| failed(e.into()))
}

/// Takes away the record of an erasure that was not committed. Best effort: without its commit it says nothing.
pub async fn discard_record(table: &Table, id: &str) {
    let path = record_path(table, id);
    if let Err(error) = table.location().store.delete(&path).await {
        tracing::warn!(%path, %error, "could not delete the record of an erasure that was not committed");
    }
}

fn record_path(table: &Table, id: &str) -> Path {
    directory(table).join(format!("erasure-{id}.json"))
}

async fn read_record(table: &Table, path: &Path) -> Result<ErasureRecord, StoreError> {
    let failed = |e| StoreError::io("read", path.to_string(), e);
    let bytes = table.location().store.get(path).await.map_err(failed)?.bytes().await.map_err(failed)?;
    serde_json::from_slice(&bytes).map_err(|_| unreadable(path))
}

fn unreadable(path: &Path) -> StoreError {
    StoreError::Damaged {
        file: path.to_string(),
        reason: "it is not the record of an erasure, and without it a load could bring people back"
            .to_owned(),
    }
}

/// Keyed hashes of `ids` as text, sorted, so that their order tells nothing.
pub fn hashes_of<'a>(hasher: &IdHasher, ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut hashes: Vec<String> = ids.map(|id| to_text(hasher.hash(id))).collect();
    hashes.sort_unstable();
    hashes
}

fn to_text(hash: IdHash) -> String {
    format!("{:032x}", u128::from_be_bytes(hash))
}

fn parse_hash(text: &str) -> Option<IdHash> {
    if text.len() != 2 * HASH_BYTES {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

/// The key of the store, made if there is none.
pub async fn key_or_create(store: &Store) -> Result<IdHasher, StoreError> {
    if let Some(hasher) = read_key(store).await? {
        return Ok(hasher);
    }
    let path = store.location().path.clone().join(KEY_FILE);
    // Four random numbers of 122 bits each.
    let seed: Vec<u8> = (0..4).flat_map(|_| uuid::Uuid::new_v4().into_bytes()).collect();
    let body = format!("{}\n", blake3::hash(&seed).to_hex());
    let options = PutOptions::from(PutMode::Create);
    match store.location().store.put_opts(&path, PutPayload::from(body.into_bytes()), options).await {
        Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
        Err(e) => return Err(StoreError::io("write", path.to_string(), e)),
    }
    read_key(store).await?.ok_or_else(|| damaged_key(&path))
}

async fn read_key(store: &Store) -> Result<Option<IdHasher>, StoreError> {
    let path = store.location().path.clone().join(KEY_FILE);
    let failed = |e| StoreError::io("read", path.to_string(), e);
    let text = match store.location().store.get(&path).await {
        Ok(found) => found.bytes().await.map_err(failed)?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let text = std::str::from_utf8(&text).map_err(|_| damaged_key(&path))?;
    let key = blake3::Hash::from_hex(text.trim()).map_err(|_| damaged_key(&path))?;
    Ok(Some(IdHasher { key: *key.as_bytes() }))
}

fn damaged_key(path: &Path) -> StoreError {
    StoreError::Damaged {
        file: path.to_string(),
        reason: "it is not a key, and without it loads could bring erased people back".to_owned(),
    }
}
