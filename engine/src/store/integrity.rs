//! Whether a data file is what was written: XXH64 of all its bytes, from the log.
//!
//! Parquet as it is written here has no checksums of its own: a flipped bit in a column of numbers would be read as
//! another number.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use xxhash_rust::xxh64::Xxh64;

use crate::error::{StoreError, root_cause};
use crate::store::snapshot::DataFile;
use crate::store::table::Table;

/// Files up to this size are read once into memory, larger ones once for the checksum and then by row group.
const WHOLE_FILE_BYTES: u64 = 32 << 20;

/// Where `file` of `table` is, for errors.
pub fn place(table: &Table, file: &DataFile) -> String {
    format!("{}{}", table.location().display(), file.relative_path)
}

/// The error about the damaged file at `place`.
pub fn damaged(place: &str, reason: impl Into<String>) -> StoreError {
    StoreError::Damaged { file: place.to_owned(), reason: reason.into() }
}

/// The error about the file at `place` that could not be decoded: if the store did not give its bytes, the file need
/// not be damaged.
pub fn undecodable(place: &str, error: &(dyn std::error::Error + 'static)) -> StoreError {
    let mut cause = Some(error);
    while let Some(current) = cause {
        match current.downcast_ref::<object_store::Error>() {
            Some(object_store::Error::NotFound { .. }) => {
                return damaged(place, "it is missing, although the log lists it");
            }
            Some(_) => return StoreError::io("read", place, root_cause(error)),
            None => cause = current.source(),
        }
    }
    damaged(place, root_cause(error))
}

/// Reads the whole file and compares size and checksum; gives its bytes if they are few.
///
/// # Errors
/// [`StoreError::Damaged`] with the file's name if it is missing, has another size or other bytes.
pub async fn checked_bytes(table: &Table, file: &DataFile) -> Result<Option<Bytes>, StoreError> {
    let place = &place(table, file);
    let got = match table.location().store.get(&file.path).await {
        Ok(got) => got,
        Err(object_store::Error::NotFound { .. }) => {
            return Err(damaged(place, "it is missing, although the log lists it"));
        }
        Err(error) => return Err(StoreError::io("read", place.as_str(), error)),
    };
    if got.meta.size != file.size {
        return Err(damaged(
            place,
            format!("it has {} bytes, but the log says {}", got.meta.size, file.size),
        ));
    }
    let failed = |e| StoreError::io("read", place.as_str(), e);
    let check = |digest: u64| match file.checksum {
        Some(expected) if expected != digest => {
            Err(damaged(place, "its bytes are not those that were written (the checksum differs)"))
        }
        _ => Ok(()),
    };
    if file.size <= WHOLE_FILE_BYTES {
        let bytes = got.bytes().await.map_err(failed)?;
        check(xxhash_rust::xxh64::xxh64(&bytes, 0))?;
        return Ok(Some(bytes));
    }
    if file.checksum.is_some() {
        let mut hash = Xxh64::new(0);
        let mut parts = got.into_stream();
        while let Some(part) = parts.try_next().await.map_err(failed)? {
            hash.update(&part);
        }
        check(hash.digest())?;
    }
    Ok(None)
}
