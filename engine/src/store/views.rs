//! Views that were created by statements: one small object each, `STORE/_views/NAME.json`.
//!
//! A view is created, replaced and dropped by one put or delete of its object, which every object store does at once or
//! not at all. There is no list of views beside the objects themselves, so none can go out of step with them. A name
//! is claimed by a conditional put: of two sessions that create it at the same time, one is told that it exists.

use std::collections::BTreeMap;

use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};
use serde::{Deserialize, Serialize};

use super::{Store, table};
use crate::error::StoreError;

/// Directory of the views inside a store. No table can have this name: it would need a Delta log.
pub(super) const VIEWS: &str = "_views";
const EXTENSION: &str = ".json";

/// A view as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredView {
    /// The text of its query.
    pub sql: String,
    /// What `COMMENT ON VIEW` said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What `COMMENT ON COLUMN` said, by column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub column_comments: BTreeMap<String, String>,
}

/// Why a view was not written.
#[derive(Debug)]
pub enum PutView {
    /// It was.
    Done,
    /// There is one of this name already.
    Exists,
}

impl Store {
    fn view_path(&self, name: &str) -> Path {
        self.location.path.clone().join(VIEWS).join(format!("{name}{EXTENSION}"))
    }

    /// Names of the views, sorted. One listing.
    pub async fn view_names(&self) -> Result<Vec<String>, StoreError> {
        let directory = self.location.path.clone().join(VIEWS);
        let listing = self
            .location
            .store
            .list_with_delimiter(Some(&directory))
            .await
            .map_err(|e| StoreError::io("list", directory.to_string(), e))?;
        let mut names: Vec<String> = listing
            .objects
            .iter()
            .filter_map(|object| object.location.filename()?.strip_suffix(EXTENSION))
            .filter(|name| table::is_valid_name(name))
            .map(str::to_owned)
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The view called `name`, or `None` if there is none.
    ///
    /// # Errors
    /// The object cannot be read, or is not one that this version writes.
    pub async fn view(&self, name: &str) -> Result<Option<StoredView>, StoreError> {
        if !table::is_valid_name(name) {
            return Ok(None);
        }
        let path = self.view_path(name);
        let bytes = match self.location.store.get(&path).await {
            Ok(found) => found.bytes().await,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(e) => Err(e),
        };
        let bytes = bytes.map_err(|e| StoreError::io("read", path.to_string(), e))?;
        let view = serde_json::from_slice(&bytes).map_err(|e| StoreError::io("read", path.to_string(), e))?;
        Ok(Some(view))
    }

    /// Writes the view called `name`, in place of one of that name if `replace`. It is whole and there for every
    /// session from its next statement on, or not written at all.
    ///
    /// # Errors
    /// [`StoreError::Location`] for a name that no table could have either.
    pub async fn put_view(
        &self,
        name: &str,
        view: &StoredView,
        replace: bool,
    ) -> Result<PutView, StoreError> {
        self.require_writable().await?;
        if !table::is_valid_name(name) {
            return Err(StoreError::Location {
                url: name.to_owned(),
                reason: "a view is named by lower-case letters, digits and underscores".to_owned(),
            });
        }
        let path = self.view_path(name);
        let body = serde_json::to_vec(view).map_err(|e| StoreError::io("write", path.to_string(), e))?;
        let mode = if replace { PutMode::Overwrite } else { PutMode::Create };
        let put = self.location.store.put_opts(&path, PutPayload::from(body), PutOptions::from(mode));
        match put.await {
            Ok(_) => Ok(PutView::Done),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(PutView::Exists),
            Err(e) => Err(StoreError::io("write", path.to_string(), e)),
        }
    }

    /// Removes the view called `name`; whether there was one.
    pub async fn drop_view(&self, name: &str) -> Result<bool, StoreError> {
        self.require_writable().await?;
        if self.view(name).await?.is_none() {
            return Ok(false);
        }
        let path = self.view_path(name);
        match self.location.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(true),
            Err(e) => Err(StoreError::io("delete", path.to_string(), e)),
        }
    }
}
