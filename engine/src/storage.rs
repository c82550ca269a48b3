//! Object stores by URL: one `Arc<dyn ObjectStore>` per bucket or file system, shared by the Delta log, the
//! scan and the loader.
//!
//! Stores are always rooted at the bucket or file system, never at a prefix: Delta adds the prefix itself, and
//! would nest the log if it were given a prefixed store.

mod durable;
mod reliable;
mod remote;

use std::collections::HashMap;
use std::path::{Component, Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreScheme};
use url::Url;

use self::remote::Patience;
use crate::error::StoreError;
use durable::DurableFileSystem;

/// How long a fault of a remote store may last before it ends what is being done, unless another time is given.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(120);

/// A place in an object store.
#[derive(Debug, Clone)]
pub struct StorageLocation {
    /// The full URL.
    pub url: Url,
    /// Root store of the bucket or file system.
    pub store: Arc<dyn ObjectStore>,
    /// The path inside `store`.
    pub path: Path,
}

impl StorageLocation {
    /// Scheme and authority only: the key under which DataFusion finds the store.
    pub fn root_url(&self) -> Url {
        let mut root = self.url.clone();
        root.set_path("/");
        root.set_query(None);
        root.set_fragment(None);
        root
    }

    /// The place called `name` below this one, which is a directory.
    pub fn child_directory(&self, name: &str) -> Result<Self, StoreError> {
        let url = self.url.join(&format!("{name}/")).map_err(|e| StoreError::Location {
            url: format!("{}{name}", self.url),
            reason: e.to_string(),
        })?;
        Ok(Self { url, store: Arc::clone(&self.store), path: self.path.clone().join(name) })
    }

    /// The location as a person would write it: a plain path for local files.
    pub fn display(&self) -> String {
        display_url(&self.url)
    }
}

/// A URL as a person would write it: a plain path for local files.
pub fn display_url(url: &Url) -> String {
    match url.to_file_path() {
        Ok(path) if url.scheme() == "file" => path.display().to_string(),
        _ => without_secrets(url),
    }
}

/// A URL without what may be secret in it: a password, and the query, which may be a signature.
pub fn without_secrets(url: &Url) -> String {
    if url.password().is_none() && url.query().is_none() {
        return url.to_string();
    }
    let mut shown = url.clone();
    // Fails only for URLs that cannot have a password.
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.to_string()
}

/// Builds object stores and keeps one per root.
#[derive(Debug)]
pub struct ObjectStores {
    by_root: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
    patience: Patience,
}

impl Default for ObjectStores {
    fn default() -> Self {
        Self::new(DEFAULT_DEADLINE)
    }
}

impl ObjectStores {
    /// Stores of which a fault that lasts longer than `deadline` is an error.
    pub fn new(deadline: Duration) -> Self {
        Self { by_root: Mutex::default(), patience: Patience::new(deadline) }
    }

    /// The directory at `location`: a path or a URL, with or without a final slash.
    pub fn directory(&self, location: &str) -> Result<StorageLocation, StoreError> {
        let url = if has_scheme(location) {
            let mut url = parse_url(location)?;
            if !url.path().ends_with('/') {
                let with_slash = format!("{}/", url.path());
                url.set_path(&with_slash);
            }
            url
        } else {
            let path = absolute(location)?;
            Url::from_directory_path(&path).map_err(|()| StoreError::Location {
                url: location.to_owned(),
                reason: "not a path that can be written as a URL".to_owned(),
            })?
        };
        self.resolve(url)
    }

    /// The object at `url`.
    pub fn resolve(&self, url: Url) -> Result<StorageLocation, StoreError> {
        let (scheme, path) = ObjectStoreScheme::parse(&url).map_err(|_| StoreError::Location {
            url: without_secrets(&url),
            reason: "unknown scheme; known are file, s3, gs, az, abfss, http, https and memory".to_owned(),
        })?;
        let mut root = format!("{}://{}", url.scheme(), url.authority());
        if let (ObjectStoreScheme::Http, Some(query)) = (&scheme, url.query()) {
            root = format!("{root}?{query}");
        }
        let mut by_root = self.by_root.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match by_root.get(&root) {
            Some(store) => Arc::clone(store),
            None => {
                let store = self.build(&scheme, &url)?;
                by_root.insert(root, Arc::clone(&store));
                store
            }
        };
        Ok(StorageLocation { url, store, path })
    }

    fn build(&self, scheme: &ObjectStoreScheme, url: &Url) -> Result<Arc<dyn ObjectStore>, StoreError> {
        match scheme {
            ObjectStoreScheme::Local => Ok(Arc::new(DurableFileSystem::default())),
            ObjectStoreScheme::Memory => Ok(Arc::new(InMemory::new())),
            _ => remote::build(scheme, url, self.patience),
        }
    }
}

impl crate::load::read::StoreFactory for ObjectStores {
    fn store_for(
        &self,
        url: &Url,
    ) -> Result<(Arc<dyn ObjectStore>, Path), Box<dyn std::error::Error + Send + Sync>> {
        let location = self.resolve(url.clone())?;
        Ok((location.store, location.path))
    }
}

/// Whether `location` is written as a URL rather than as a path.
pub fn has_scheme(location: &str) -> bool {
    location
        .split_once("://")
        .is_some_and(|(scheme, _)| scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Parses a URL with an error that names it.
pub fn parse_url(location: &str) -> Result<Url, StoreError> {
    Url::parse(location).map_err(|e| StoreError::Location { url: location.to_owned(), reason: e.to_string() })
}

/// An absolute form of a local path without `..`, which no object path can have; the file need not exist.
pub fn absolute(location: &str) -> Result<PathBuf, StoreError> {
    std::path::absolute(FsPath::new(location))
        .and_then(|path| without_parents(&path))
        .map_err(|e| StoreError::Location { url: location.to_owned(), reason: e.to_string() })
}

/// What precedes a `..` must exist: which directory is above it depends on symbolic links.
fn without_parents(path: &FsPath) -> std::io::Result<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            plain = plain.canonicalize()?;
            plain.pop();
        } else {
            plain.push(component);
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls_resolve_to_root_stores() {
        let stores = ObjectStores::default();
        let a = stores.directory("/tmp/some where/x").expect("path");
        assert_eq!(a.path.as_ref(), "tmp/some where/x");
        assert_eq!(a.display(), "/tmp/some where/x/");
        let b = stores.directory("file:///tmp/x").expect("url");
        assert_eq!(b.root_url().as_str(), "file:///");
        assert!(Arc::ptr_eq(&a.store, &b.store), "one store per file system");
        let m = stores.directory("memory:///t").expect("memory");
        assert_eq!(m.child_directory("touchpoints").expect("child").path.as_ref(), "t/touchpoints");
    }

    #[test]
    fn a_path_may_lead_upwards() {
        let dir = tempfile::tempdir().expect("directory");
        std::fs::create_dir(dir.path().join("a")).expect("directory");
        let stores = ObjectStores::default();
        let upwards = stores.directory(&dir.path().join("a/../store").display().to_string()).expect("path");
        let straight = dir.path().canonicalize().expect("path").join("store");
        assert_eq!(upwards.display(), format!("{}/", straight.display()));
        let nowhere = dir.path().join("b/../store").display().to_string();
        let error = stores.directory(&nowhere).expect_err("no b").to_string();
        assert!(error.contains("b/../store"), "{error}");
    }

    #[test]
    fn an_unknown_scheme_is_named() {
        let error = ObjectStores::default().directory("ftp://host/x").expect_err("refused");
        assert!(error.to_string().contains("ftp://host/x"), "{error}");
    }
}
