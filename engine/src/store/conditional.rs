//! Whether the place of a store has conditional put, which makes commits atomic.

use object_store::{ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

use super::{MARKER, Store};
use crate::error::StoreError;

/// Schemes whose stores are known to have it.
const KNOWN_TO_HAVE_IT: [&str; 2] = ["file", "memory"];

impl Store {
    /// Checks, once, that nothing is overwritten that must not be: two commits of the same version would otherwise
    /// both succeed, and one of them would be lost. The marker is put once more with the condition that it does not
    /// exist, and with the bytes that it has: whatever the answer, nothing changes.
    ///
    /// # Errors
    /// [`StoreError::Location`] if there is no conditional put; [`StoreError::Io`] if the store may not be written.
    pub async fn require_writable(&self) -> Result<(), StoreError> {
        if KNOWN_TO_HAVE_IT.contains(&self.location.url.scheme()) {
            return Ok(());
        }
        self.writable.get_or_try_init(|| self.probe()).await.copied()
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let marker = self.location.path.clone().join(MARKER);
        let failed = |e| StoreError::io("write to the store at", self.location.display(), e);
        let same = self.location.store.get(&marker).await.map_err(failed)?.bytes().await.map_err(failed)?;
        let options = PutOptions::from(PutMode::Create);
        match self.location.store.put_opts(&marker, PutPayload::from(same), options).await {
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(())
            }
            Ok(_)
            | Err(object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }) => {
                Err(no_conditional_put(self.location.display()))
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// The refusal to write to the store at `url`.
pub(super) fn no_conditional_put(url: String) -> StoreError {
    StoreError::Location {
        url,
        reason:
            "this object store has no conditional put, which commits need; it can be read, and be an input"
                .to_owned(),
    }
}
