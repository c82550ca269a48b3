//! Which input files a table has already: by their content, and objects also by name, tag and size.
//!
//! The content decides, whatever a file is called. Objects of remote stores get a second identity, so that one that was
//! loaded before need not be fetched to be recognised. A file of a size that no loaded content has is new: what it holds
//! is told when it is loaded, so that it is read once.

use std::collections::{HashMap, HashSet};

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
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    /// Need not be read: the object is known.
    OfKnownObject,
    /// Read, and what its application id is.
    Known(String),
    /// New, since no other has its size.
    New,
}

impl FileIdentity {
    /// Notes what `content`, the identity of a file that was new, is now known to be.
    pub(crate) fn set_content(&mut self, content: &str) {
        self.content = Content::Known(format!("{CONTENT_PREFIX}{content}"));
    }

    /// The application id to commit for the content, if that is known and is to be loaded.
    pub(crate) fn id_to_commit(&self, force: bool) -> Option<String> {
        match &self.content {
            // An id of its own: the content's id may stand in the log already.
            Content::Known(id) if force => Some(format!("{id}:{}", uuid::Uuid::new_v4())),
            Content::Known(id) => Some(id.clone()),
            Content::OfKnownObject | Content::New => None,
        }
    }
}

/// Files that the log does not know, and what to commit for them.
#[derive(Debug, Default)]
pub(crate) struct NewFiles {
    pub(crate) files: Vec<SourceFile>,
    /// Application ids.
    pub(crate) ids: Vec<String>,
    /// Files of which the content is known when they have been read: place among `files`, and among all.
    pub(crate) unread: Vec<(usize, usize)>,
}

/// Whether the content of new files is to be known at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identify {
    Now,
    /// It may be told by [`FileIdentity::set_content`] when they have been read.
    WhenRead,
}

/// Identifies `files`; reads those that `snapshot` does not know as objects, except, with [`Identify::WhenRead`], those
/// that are new for sure. `force`: known objects too.
///
/// # Errors
/// The first file, in order, that cannot be read.
pub(crate) async fn identify(
    files: &[SourceFile],
    snapshot: Option<&TableSnapshot>,
    force: bool,
    when: Identify,
    progress: &dyn LoadProgress,
) -> Result<Vec<FileIdentity>> {
    let mut of_size: HashMap<u64, usize> = HashMap::new();
    files.iter().for_each(|file| *of_size.entry(file.size).or_default() += 1);
    let is_alone = |file: &SourceFile| when == Identify::WhenRead && of_size[&file.size] == 1;
    let identities: Vec<_> = files
        .iter()
        .map(|file| identify_one(file, is_alone(file), snapshot, force, progress).boxed())
        .collect();
    futures::stream::iter(identities).buffered(FILES_AT_ONCE).try_collect().await
}

async fn identify_one(
    file: &SourceFile,
    is_alone: bool,
    snapshot: Option<&TableSnapshot>,
    force: bool,
    progress: &dyn LoadProgress,
) -> Result<FileIdentity> {
    let object = object_id(file);
    let is_known = match (&object, snapshot) {
        (Some(id), Some(snapshot)) if !force => snapshot.has_transaction(id).await?,
        _ => false,
    };
    let may_be_known = match snapshot {
        _ if !is_alone => true,
        Some(snapshot) => snapshot.may_have_content_of(file.size).await?,
        None => false,
    };
    let content = match (is_known, may_be_known) {
        (true, _) => Content::OfKnownObject,
        (false, true) => Content::Known(format!("{CONTENT_PREFIX}{}", read::content_identity(file).await?)),
        (false, false) => Content::New,
    };
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

/// The files that the log does not know; the others go into `report`.
pub(crate) async fn select_new_files(
    snapshot: &TableSnapshot,
    files: &[SourceFile],
    identities: &[FileIdentity],
    force: bool,
    report: &mut LoadReport,
) -> Result<NewFiles> {
    let mut new = NewFiles::default();
    let mut seen = HashSet::new();
    for (place, (file, identity)) in files.iter().zip(identities).enumerate() {
        let is_new = match &identity.content {
            Content::New => true,
            Content::Known(_) if force => true,
            Content::Known(content) if !snapshot.has_transaction(content).await? => {
                seen.insert(content.clone())
            }
            Content::Known(_) | Content::OfKnownObject => {
                report.files_already_loaded.push(file.display.clone());
                continue;
            }
        };
        if !is_new {
            report.files_already_loaded.push(file.display.clone());
        } else if let Some(id) = identity.id_to_commit(force) {
            new.files.push(file.clone());
            new.ids.push(id);
        } else {
            new.unread.push((new.files.len(), place));
            new.files.push(file.clone());
        }
        // What is loaded by force keeps no other from being loaded again.
        if let Some(object) = identity.object.as_ref().filter(|_| !force)
            && seen.insert(object.clone())
            && !snapshot.has_transaction(object).await?
        {
            new.ids.push(object.clone());
        }
    }
    Ok(new)
}
