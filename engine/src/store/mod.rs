//! The store: a directory of Delta tables.
//!
//! ```text
//! STORE/wayfare.json                   marker with the format number
//! STORE/_access-list/N.json            the users: no table, see [`access_list`]
//! STORE/TABLE/_delta_log/...           Delta protocol, one file per commit
//! STORE/TABLE/day=2026-11-21/k2-1-UUID.parquet    touchpoint tables: day, prefix bits, prefix
//! STORE/TABLE/part-UUID.parquet        reference tables
//! STORE/_views/NAME.json               views, see [`views`]
//! ```

pub mod access_list;
pub mod changes;
pub mod commit;
mod conditional;
pub mod encodings;
mod group_writer;
pub mod history;
mod hybrid;
pub mod integrity;
pub mod layout;
pub mod replace;
pub mod snapshot;
pub mod stats;
pub mod suppression;
pub mod table;
mod text_chunk;
mod transactions;
pub mod views;
pub mod writer;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::error::StoreError;
use crate::identity::{IdentityLimits, Resolver};
use crate::storage::StorageLocation;
use access_list::AccessList;
use snapshot::TableSnapshot;
use table::Table;

/// Name of the marker file at the root of a store.
const MARKER: &str = "wayfare.json";
/// The format that this version writes and reads.
const FORMAT: u64 = 1;
/// The touchpoint table that every store has.
pub const TOUCHPOINTS: &str = "touchpoints";

/// What a store holds, by name; both lists are sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreNames {
    /// Tables.
    pub tables: Vec<String>,
    /// Views that statements created.
    pub views: Vec<String>,
}

/// An opened store.
#[derive(Debug)]
pub struct Store {
    location: StorageLocation,
    /// Newest snapshot seen per table: the next statement reads only the commits after it.
    newest: Mutex<HashMap<String, Arc<TableSnapshot>>>,
    /// The people of the links that were read last.
    people: Mutex<Option<KnownPeople>>,
    /// Files whose bytes were checked, if they are to be.
    verified: Option<Arc<Verified>>,
    /// Set once it is known that commits are atomic here.
    writable: tokio::sync::OnceCell<()>,
}

/// What the links of one version of `identities` make.
#[derive(Debug)]
struct KnownPeople {
    version: u64,
    limits: IdentityLimits,
    resolver: Arc<Resolver>,
}

/// Data files whose checksum was found right by this process.
#[derive(Debug, Default)]
pub struct Verified(Mutex<HashSet<String>>);

impl Verified {
    /// Whether the file at `path` was checked already.
    pub fn contains(&self, path: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    /// Notes that it is what was written.
    pub fn insert(&self, path: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
    }
}

impl Store {
    /// Opens the store at `location`.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] if there is none, [`StoreError::Format`] if it is too new.
    pub async fn open(location: StorageLocation) -> Result<Self, StoreError> {
        let marker = location.path.clone().join(MARKER);
        let bytes = match location.store.get(&marker).await {
            Ok(found) => found.bytes().await.map_err(|e| StoreError::io("read", marker.to_string(), e))?,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(StoreError::NotAStore { url: location.display() });
            }
            Err(e) => return Err(StoreError::io("open the store at", location.display(), e)),
        };
        let format = serde_json::from_slice::<serde_json::Value>(&bytes)
            .ok()
            .and_then(|v| v.get("format").and_then(serde_json::Value::as_u64))
            .ok_or_else(|| StoreError::NotAStore { url: location.display() })?;
        if format > FORMAT {
            return Err(StoreError::Format { url: location.display(), found: format, supported: FORMAT });
        }
        Ok(Self {
            location,
            newest: Mutex::default(),
            people: Mutex::default(),
            verified: None,
            writable: tokio::sync::OnceCell::new(),
        })
    }

    /// Opens the store at `location`, or creates it with an empty `touchpoints` table.
    ///
    /// # Errors
    /// [`StoreError::Occupied`] if the place holds something else already.
    pub async fn open_or_create(location: StorageLocation) -> Result<Self, StoreError> {
        let store = match Self::open(location.clone()).await {
            Ok(store) => store,
            Err(StoreError::NotAStore { .. }) => Self::create(location).await?,
            Err(e) => return Err(e),
        };
        store.require_writable().await?;
        // A creation that was interrupted between marker and table is completed here.
        store.table_or_create(TOUCHPOINTS, &table::touchpoint_definition()).await?;
        Ok(store)
    }

    async fn create(location: StorageLocation) -> Result<Self, StoreError> {
        let occupied = location
            .store
            .list(Some(&location.path))
            .try_next()
            .await
            .map_err(|e| StoreError::io("create a store at", location.display(), e))?
            .is_some();
        if occupied {
            // Another process may have put the marker there since it was looked for.
            return match Self::open(location.clone()).await {
                Err(StoreError::NotAStore { .. }) => Err(StoreError::Occupied { url: location.display() }),
                outcome => outcome,
            };
        }
        let marker = location.path.clone().join(MARKER);
        let body = format!("{{\"format\":{FORMAT}}}\n");
        let options = PutOptions::from(PutMode::Create);
        match location.store.put_opts(&marker, PutPayload::from(body.into_bytes()), options).await {
            // Conditional put is what makes a commit atomic: a store without it must not be written.
            Err(object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }) => {
                return Err(conditional::no_conditional_put(location.display()));
            }
            Err(object_store::Error::AlreadyExists { .. }) | Ok(_) => {}
            Err(e) => return Err(StoreError::io("create a store at", location.display(), e)),
        }
        Self::open(location).await
    }

    /// The same, with every data file checked against its checksum when it is first read.
    #[must_use]
    pub fn verifying(mut self) -> Self {
        self.verified = Some(Arc::default());
        self
    }

    /// Where the store is.
    pub fn location(&self) -> &StorageLocation {
        &self.location
    }

    /// The users of the store. Costs a listing and a read.
    ///
    /// # Errors
    /// The list cannot be read, is damaged, or of a newer version.
    pub async fn access_list(&self) -> Result<AccessList, StoreError> {
        access_list::read(&self.location).await
    }

    /// Changes the users by `change`, all or nothing. It is called again, on the newest list, if another change was
    /// faster; with its error nothing is written.
    ///
    /// # Errors
    /// Those of [`Self::access_list`] and of `change`.
    pub async fn change_access_list<E: From<StoreError>>(
        &self,
        change: impl FnMut(&mut AccessList) -> Result<(), E>,
    ) -> Result<(), E> {
        self.require_writable().await?;
        access_list::change(&self.location, change).await
    }

    /// Names of the tables, sorted.
    pub async fn table_names(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.names().await?.tables)
    }

    /// Names of the tables and of the views. One listing, and one more if there are views.
    pub async fn names(&self) -> Result<StoreNames, StoreError> {
        let listing = self
            .location
            .store
            .list_with_delimiter(Some(&self.location.path))
            .await
            .map_err(|e| StoreError::io("list", self.location.display(), e))?;
        let mut names = Vec::new();
        let mut views = Vec::new();
        for prefix in listing.common_prefixes {
            let Some(name) = prefix.filename() else { continue };
            if name == views::VIEWS {
                views = self.view_names().await?;
            } else if table::is_valid_name(name)
                && (self.is_known(name) || self.table(name)?.exists().await?)
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(StoreNames { tables: names, views })
    }

    /// A handle on the table called `name`, which may or may not exist.
    pub fn table(&self, name: &str) -> Result<Table, StoreError> {
        Ok(Table::new(&self.location, name)?.verifying(self.verified.clone()))
    }

    /// The table called `name`, created from `definition` if it does not exist.
    pub async fn table_or_create(
        &self,
        name: &str,
        definition: &table::TableDefinition,
    ) -> Result<Table, StoreError> {
        let table = self.table(name)?;
        if !table.exists().await? {
            if self.view(name).await?.is_some() {
                return Err(StoreError::TableKind {
                    table: name.to_owned(),
                    found: "view, not a".to_owned(),
                    advice: "choose another name or drop the view".to_owned(),
                });
            }
            table.create(definition).await?;
        }
        Ok(table)
    }

    /// The newest snapshot of `name`, or `None` if there is no such table.
    ///
    /// Costs one listing of the commits after the snapshot seen last.
    pub async fn newest(&self, name: &str) -> Result<Option<Arc<TableSnapshot>>, StoreError> {
        if !table::is_valid_name(name) {
            return Ok(None);
        }
        let known = self.known(name);
        let table = self.table(name)?;
        let snapshot = match known {
            Some(known) => known.newer(&table).await?,
            None if table.exists().await? => Some(Arc::new(table.snapshot().await?)),
            None => return Ok(None),
        };
        match snapshot {
            Some(newer) => {
                self.newest
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(name.to_owned(), Arc::clone(&newer));
                Ok(Some(newer))
            }
            None => Ok(self.known(name)),
        }
    }

    /// The people of this version of the links, if they are known already.
    pub(crate) fn known_people(&self, version: u64, limits: IdentityLimits) -> Option<Arc<Resolver>> {
        let people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let known = people.as_ref().filter(|known| known.version == version && known.limits == limits)?;
        Some(Arc::clone(&known.resolver))
    }

    /// Keeps the people of a version of the links for the next who asks.
    pub(crate) fn keep_people(&self, version: u64, limits: IdentityLimits, resolver: Arc<Resolver>) {
        let known = KnownPeople { version, limits, resolver };
        *self.people.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }

    /// Whether a snapshot of the table called `name` was taken already. Tables are never taken away.
    fn is_known(&self, name: &str) -> bool {
        self.known(name).is_some()
    }

    fn known(&self, name: &str) -> Option<Arc<TableSnapshot>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).get(name).map(Arc::clone)
    }
}
