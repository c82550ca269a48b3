//! Which input files a table has already: by their content, and objects also by name, tag and size.
//!
//! The content decides, whatever a file is called. Objects of remote stores get a second identity, so that one that was
//! loaded before need not be fetched to be recognised.

use std::collections::HashSet;

use futures::{FutureExt, StreamExt, TryStreamExt};
use xxhash_rust::xxh3::Xxh3;

use crate::error::Result;
use crate::load::read::{self, Origin, SourceFile};
use crate::load::request::{LoadProgress, LoadReport};
use crate::store::snapshot::TableSnapshot;

/// Prefix of the application ids of loaded content.
const CONTENT_PREFIX: &str = "wayfare:load:";
/// Prefix of the application ids of loaded objects.
const OBJECT_PREFIX: &str = "wayfare:object:";
/// Files that are read at the same time to identify them.
const FILES_AT_ONCE: usize = 4;

/// The application ids of one file.
#[derive(Debug, Clone)]
pub(crate) struct FileIdentity {
    object: Option<String>,
    /// `None` if the object is known: then the content need not be read.
    content: Option<String>,
}

/// Identifies `files`; reads those that `snapshot` does not know as objects. `force` reads all.
///
/// # Errors
/// The first file, in order, that cannot be read.
pub(crate) async fn identify(
    files: &[SourceFile],
    snapshot: Option<&TableSnapshot>,
    force: bool,
    progress: &dyn LoadProgress,
) -> Result<Vec<FileIdentity>> {
    let identities: Vec<_> =
        files.iter().map(|file| identify_one(file, snapshot, force, progress).boxed()).collect();
    futures::stream::iter(identities).buffered(FILES_AT_ONCE).try_collect().await
}

async fn identify_one(
    file: &SourceFile,
    snapshot: Option<&TableSnapshot>,
    force: bool,
    progress: &dyn LoadProgress,
) -> Result<FileIdentity> {
    let object = object_id(file);
    let mut content = None;
    let is_known = match (&object, snapshot) {
        (Some(id), Some(snapshot)) if !force => snapshot.has_transaction(id).await?,
        _ => false,
    };
    if !is_known {
        content = Some(format!("{CONTENT_PREFIX}{}", read::content_identity(file).await?));
    }
    progress.input(1, file.size);
    Ok(FileIdentity { object, content })
}

/// The identity of an object by its name and the tag of its content; `None` for what has no such tag.
pub(super) fn object_id(file: &SourceFile) -> Option<String> {
    let Origin::Object { .. } = &file.origin else { return None };
    let tag = file.e_tag.as_deref()?;
    let mut hash = Xxh3::new();
    for part in [file.display.as_str(), tag] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(&file.size.to_le_bytes());
    Some(format!("{OBJECT_PREFIX}{:032x}", hash.digest128()))
}

/// The files that the log does not know, with the ids to commit for them; the others go into `report`.
pub(crate) async fn select_new_files(
    snapshot: &TableSnapshot,
    files: &[SourceFile],
    identities: &[FileIdentity],
    force: bool,
    report: &mut LoadReport,
) -> Result<(Vec<SourceFile>, Vec<String>)> {
    let mut new = Vec::new();
    let mut ids = Vec::new();
    let mut seen = HashSet::new();
    for (file, identity) in files.iter().zip(identities) {
        let content = match &identity.content {
            Some(content) if force => {
                new.push(file.clone());
                // An id of its own: the content's id may stand in the log already.
                ids.push(format!("{content}:{}", uuid::Uuid::new_v4()));
                continue;
            }
            Some(content) if !snapshot.has_transaction(content).await? => content,
            _ => {
                report.files_already_loaded.push(file.display.clone());
                continue;
            }
        };
        if seen.insert(content.clone()) {
            new.push(file.clone());
            ids.push(content.clone());
        } else {
            report.files_already_loaded.push(file.display.clone());
        }
        if let Some(object) = &identity.object
            && seen.insert(object.clone())
            && !snapshot.has_transaction(object).await?
        {
            ids.push(object.clone());
        }
    }
    Ok((new, ids))
}
