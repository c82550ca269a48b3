//! The users of a store: `STORE/_access-list/00000000000000000007.json`.
//!
//! Each file is the whole list; the one with the highest number counts. The next number is written only if there is no
//! such file yet, which every object store that can hold a store decides atomically, so a change is there as a whole
//! or not at all, and of two changes at once the second is made again on the first. Older files are removed then: a
//! password that was changed leaves no verifier behind. The name has a hyphen, which no table can have, so the list
//! is never taken for data; on a file system only the owner may read it.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::User;
use crate::error::StoreError;
use crate::storage::StorageLocation;

/// Directory of the list below the root of the store.
const DIRECTORY: &str = "_access-list";
/// The format that this version writes and reads.
const FORMAT: u64 = 1;
/// Attempts to read or write while others keep changing the list.
const ATTEMPTS: usize = 20;
/// Changes that a list remembers, so that who made one finds it in a list that replaced theirs.
const REMEMBERED: usize = 64;

/// The users of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessList {
    users: BTreeMap<String, User>,
    decoy_secret: String,
    /// The last changes that are in the list, the newest last.
    changes: VecDeque<String>,
}

/// What a file holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u64,
    decoy_secret: String,
    users: Vec<User>,
    #[serde(default)]
    changes: VecDeque<String>,
}

impl AccessList {
    /// The user of this name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// All users, by name.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// Adds or replaces a user.
    pub fn put(&mut self, user: User) {
        self.users.insert(user.name.clone(), user);
    }

    /// Removes a user; `None` if there is none of that name.
    pub fn remove(&mut self, name: &str) -> Option<User> {
        self.users.remove(name)
    }

    /// A random text that stays the same for the life of the list: from it, servers make up what they answer for users
    /// that do not exist. Empty if there is no list yet.
    pub fn decoy_secret(&self) -> &str {
        &self.decoy_secret
    }
}

/// Reads the newest list of the store at `location`; an empty one if no user was ever added.
///
/// # Errors
/// [`StoreError::Io`], [`StoreError::Format`] for a list of a newer version.
pub(super) async fn read(location: &StorageLocation) -> Result<AccessList, StoreError> {
    Ok(newest(location).await?.1)
}

/// Changes the list by `change`, which may be called more than once, each time on the newest list. With an error of
/// `change` nothing is written.
///
/// # Errors
/// Those of [`read`] and of `change`.
pub(super) async fn change<E: From<StoreError>>(
    location: &StorageLocation,
    mut change: impl FnMut(&mut AccessList) -> Result<(), E>,
) -> Result<(), E> {
    prepare_directory(location)?;
    let id = Uuid::new_v4().simple().to_string();
    for _ in 0..ATTEMPTS {
        let (number, mut list) = newest(location).await?;
        if list.changes.contains(&id) {
            // Another change was made on ours before we saw that ours was there.
            return Ok(());
        }
        change(&mut list)?;
        list.changes.push_back(id.clone());
        while list.changes.len() > REMEMBERED {
            list.changes.pop_front();
        }
        if list.decoy_secret.is_empty() {
            list.decoy_secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        }
        if write(location, number + 1, &list).await? {
            return Ok(());
        }
    }
    Err(busy("change", location).into())
}

/// Number and content of the newest file; 0 and the empty list if there is none.
async fn newest(location: &StorageLocation) -> Result<(u64, AccessList), StoreError> {
    for _ in 0..ATTEMPTS {
        let Some(number) = numbers(location).await?.into_iter().max() else {
            return Ok((0, AccessList::default()));
        };
        match location.store.get(&file(location, number)).await {
            Ok(found) => {
                let bytes = found.bytes().await.map_err(|e| io("read", location, e))?;
                return Ok((number, parse(location, &bytes)?));
            }
            // Replaced since it was listed.
            Err(object_store::Error::NotFound { .. }) => {}
            Err(e) => return Err(io("read", location, e)),
        }
    }
    Err(busy("read", location))
}

/// Writes `list` under `number`; `false` if another writer was first, or has replaced it by now.
async fn write(location: &StorageLocation, number: u64, list: &AccessList) -> Result<bool, StoreError> {
    let document = Document {
        format: FORMAT,
        decoy_secret: list.decoy_secret.clone(),
        users: list.users.values().cloned().collect(),
        changes: list.changes.clone(),
    };
    let body = serde_json::to_vec(&document).map_err(|e| io("write", location, e))?;
    let options = PutOptions::from(PutMode::Create);
    match location.store.put_opts(&file(location, number), PutPayload::from(body), options).await {
        Ok(_) => {}
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
            return Ok(false);
        }
        Err(e) => return Err(io("write", location, e)),
    }
    if let Some(directory) = local_directory(location) {
        // The directory keeps others out until then.
        let written = directory.join(format!("{number:020}.json"));
        match for_the_owner(&written, 0o600) {
            // A change that was made on this one has removed it.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            outcome => outcome.map_err(|e| io("restrict", location, e))?,
        }
    }
    let mut all = numbers(location).await?;
    if all.iter().any(|other| *other > number) {
        // Either a later change was made on this one, and its list tells of it, or `number` was free only because a
        // later writer had removed it already, and this list counts for nothing.
        all.retain(|other| *other == number);
        remove(location, &all).await;
        return Ok(false);
    }
    all.retain(|other| *other < number);
    remove(location, &all).await;
    Ok(true)
}

async fn remove(location: &StorageLocation, numbers: &[u64]) {
    for number in numbers {
        match location.store.delete(&file(location, *number)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            // The next change tries again.
            Err(error) => tracing::warn!(%error, number, "cannot remove an old list of users"),
        }
    }
}

async fn numbers(location: &StorageLocation) -> Result<Vec<u64>, StoreError> {
    let directory = location.path.clone().join(DIRECTORY);
    let files: Vec<_> =
        location.store.list(Some(&directory)).try_collect().await.map_err(|e| io("read", location, e))?;
    let number = |path: &Path| path.filename()?.strip_suffix(".json")?.parse().ok();
    Ok(files.iter().filter_map(|file| number(&file.location)).collect())
}

fn file(location: &StorageLocation, number: u64) -> Path {
    location.path.clone().join(DIRECTORY).join(format!("{number:020}.json"))
}

fn parse(location: &StorageLocation, bytes: &[u8]) -> Result<AccessList, StoreError> {
    #[derive(Deserialize)]
    struct Format {
        format: u64,
    }
    let damaged = |e: serde_json::Error| {
        // Its text could show a part of the file.
        io("read", location, format!("not a list of users: line {}, column {}", e.line(), e.column()))
    };
    let Format { format } = serde_json::from_slice(bytes).map_err(damaged)?;
    if format > FORMAT {
        return Err(StoreError::Format { url: place(location), found: format, supported: FORMAT });
    }
    let document: Document = serde_json::from_slice(bytes).map_err(damaged)?;
    let users = document.users.into_iter().map(|user| (user.name.clone(), user)).collect();
    Ok(AccessList { users, decoy_secret: document.decoy_secret, changes: document.changes })
}

/// The directory of the list, if it is on a file system.
fn local_directory(location: &StorageLocation) -> Option<PathBuf> {
    let is_local = location.url.scheme() == "file";
    location.url.to_file_path().ok().filter(|_| is_local).map(|root| root.join(DIRECTORY))
}

/// On a file system, makes the directory so that others cannot read it, whoever made it.
fn prepare_directory(location: &StorageLocation) -> Result<(), StoreError> {
    let Some(directory) = local_directory(location) else {
        return Ok(());
    };
    match std::fs::create_dir(&directory) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(io("create", location, e)),
        _ => {}
    }
    for_the_owner(&directory, 0o700).map_err(|e| io("restrict", location, e))
}

#[cfg(unix)]
fn for_the_owner(path: &std::path::Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn for_the_owner(_: &std::path::Path, _: u32) -> std::io::Result<()> {
    Ok(())
}

fn busy(action: &'static str, location: &StorageLocation) -> StoreError {
    io(action, location, "others keep changing it: try again")
}

fn place(location: &StorageLocation) -> String {
    format!("{}{DIRECTORY}", location.display())
}

fn io(
    action: &'static str,
    location: &StorageLocation,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::io(action, place(location), source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::storage::ObjectStores;

    fn user(name: &str, verifier: &str) -> User {
        User { name: name.to_owned(), role: Role::Reader, verifier: verifier.to_owned() }
    }

    async fn put(location: &StorageLocation, name: &str, verifier: &str) {
        let new = user(name, verifier);
        change(location, |list| {
            list.put(new.clone());
            Ok::<(), StoreError>(())
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn changes_leave_one_file_that_only_the_owner_reads() {
        let dir = tempfile::tempdir().unwrap();
        let location = ObjectStores::default().directory(&dir.path().display().to_string()).unwrap();
        assert_eq!(read(&location).await.unwrap(), AccessList::default());
        put(&location, "ana", "old").await;
        let secret = read(&location).await.unwrap().decoy_secret().to_owned();
        assert_eq!(secret.len(), 64);
        put(&location, "ben", "b").await;
        put(&location, "ana", "new").await;
        let list = read(&location).await.unwrap();
        let users: Vec<_> = list.users().map(|u| (u.name.as_str(), u.verifier.as_str())).collect();
        assert_eq!(users, [("ana", "new"), ("ben", "b")]);
        assert_eq!(list.decoy_secret(), secret);
        let directory = dir.path().join(DIRECTORY);
        let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|f| f.unwrap().file_name()).collect();
        assert_eq!(files, ["00000000000000000003.json"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o077, 0);
        }
        assert!(!crate::store::table::is_valid_name(DIRECTORY));
    }

    #[tokio::test]
    async fn changes_at_once_are_all_made() {
        let dir = tempfile::tempdir().unwrap();
        for url in ["memory:///users".to_owned(), dir.path().display().to_string()] {
            let location = ObjectStores::default().directory(&url).unwrap();
            let names: Vec<String> = (0..8).map(|i| format!("user{i}")).collect();
            futures::future::join_all(names.iter().map(|name| put(&location, name, "v"))).await;
            let list = read(&location).await.unwrap();
            assert_eq!(list.users().map(|u| u.name.clone()).collect::<Vec<_>>(), names, "{url}");
        }
    }

    #[tokio::test]
    async fn a_change_is_made_once_though_another_replaced_its_list() {
        // Each change would fail if it were made again.
        let add = |name: String| {
            move |list: &mut AccessList| match list.user(&name) {
                Some(_) => {
                    Err(io("add", &ObjectStores::default().directory("memory:///x").unwrap(), "twice"))
                }
                None => {
                    list.put(user(&name, "v"));
                    Ok(())
                }
            }
        };
        let dir = tempfile::tempdir().unwrap();
        let url = dir.path().display().to_string();
        let threads: Vec<_> = (0..8)
            .map(|i| {
                let (url, add) = (url.clone(), add(format!("user{i}")));
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    let location = ObjectStores::default().directory(&url).unwrap();
                    runtime.block_on(change(&location, add)).unwrap();
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let location = ObjectStores::default().directory(&url).unwrap();
        assert_eq!(read(&location).await.unwrap().users().count(), 8);
    }

    #[tokio::test]
    async fn a_change_on_a_list_that_was_replaced_meanwhile_is_made_again() {
        let location = ObjectStores::default().directory("memory:///late").unwrap();
        for name in ["a", "b", "c"] {
            put(&location, name, "v").await;
        }
        // Number 2 is free again, but 3 is there.
        assert!(!write(&location, 2, &AccessList::default()).await.unwrap());
        assert_eq!(numbers(&location).await.unwrap(), [3]);
        assert_eq!(read(&location).await.unwrap().users().count(), 3);
    }

    #[tokio::test]
    async fn damage_and_newer_formats_are_told_without_content() {
        let location = ObjectStores::default().directory("memory:///bad").unwrap();
        for (number, body, part) in [
            (1, r#"{"format":1,"decoy_secret":"hush","users":[{"name":"ana","verifier":"hush"}]}"#, "line 1"),
            (2, "", "line 1"),
            (3, r#"{"format":9,"anything":"hush"}"#, "format 9"),
        ] {
            let payload = PutPayload::from(body.as_bytes().to_vec());
            location.store.put(&file(&location, number), payload).await.unwrap();
            let error = read(&location).await.unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(DIRECTORY), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
