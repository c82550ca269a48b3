//! Following a place where files arrive: each look loads what is new, exactly once.
//!
//! What was loaded stands in the table's log, in the same commit as the rows: a follower that is killed at any moment
//! begins anew where it was. A file that cannot be loaded is told once and holds up no other; it is tried again when it
//! has changed or the follower is started again.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::config::EngineConfig;
use crate::error::{Error, Result};
use crate::load::error::LoadError;
use crate::load::read::{self, SourceFile};
use crate::load::request::{LoadProgress, LoadReport, LoadRequest, OnError};
use crate::storage::ObjectStores;
use crate::store::Store;

/// Files of one commit: what is behind when following begins comes in parts, and a kill loses at most one.
const BATCH_FILES: usize = 1000;

/// Remembers between looks what need not be looked at again.
#[derive(Debug)]
pub struct Follower {
    request: LoadRequest,
    /// Files that were loaded or refused, as they were then. Only those that are still there.
    known: HashSet<FileState>,
}

/// What a look does.
#[derive(Debug)]
pub enum FollowEvent<'a> {
    /// Files were loaded, or found to be loaded already.
    Loaded(&'a LoadReport),
    /// A file cannot be loaded.
    Refused {
        /// Its name.
        file: &'a str,
        /// Why.
        error: &'a Error,
    },
}

/// One file at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct FileState {
    name: String,
    size: u64,
    modified: Option<DateTime<Utc>>,
    tag: Option<String>,
}

impl FileState {
    fn of(file: &SourceFile) -> Self {
        Self {
            name: file.display.clone(),
            size: file.size,
            modified: file.last_modified,
            tag: file.e_tag.clone(),
        }
    }
}

/// What the failure of a batch says about its files.
enum Blame {
    /// None of them: the way to them, or the store.
    Nobody,
    /// One is wrong and stays so.
    Wrong,
    /// One is not ready, or gone again: a later look decides.
    NotReady,
}

impl Follower {
    /// Follows the inputs of `request`, which may name nothing yet.
    pub fn new(request: LoadRequest) -> Self {
        Self { request, known: HashSet::new() }
    }

    /// Looks once, loads what is new, and tells `tell` about each commit and each file that is refused.
    ///
    /// # Errors
    /// The inputs cannot be listed or read, or the store cannot be written: what was told is done, the rest is for
    /// the next look.
    pub async fn look(
        &mut self,
        store: &Store,
        stores: &ObjectStores,
        config: &EngineConfig,
        progress: &Arc<dyn LoadProgress>,
        tell: &mut (dyn FnMut(FollowEvent<'_>) + Send),
    ) -> Result<()> {
        let files = self.find(stores).await?;
        let present: HashSet<FileState> = files.iter().map(FileState::of).collect();
        self.known.retain(|known| present.contains(known));
        let new: Vec<SourceFile> =
            files.into_iter().filter(|file| !self.known.contains(&FileState::of(file))).collect();
        // The next part is on top.
        let mut parts: Vec<Vec<SourceFile>> = new.chunks(BATCH_FILES).rev().map(<[_]>::to_vec).collect();
        while let Some(part) = parts.pop() {
            let request = self.batch_request();
            let loaded =
                super::load_and_note(store, config, &request, part.clone(), Arc::clone(progress), true).await;
            let error = match loaded {
                Ok(report) => {
                    self.known.extend(part.iter().map(FileState::of));
                    tell(FollowEvent::Loaded(&report));
                    continue;
                }
                Err(error) => error,
            };
            match (blame(&error), part.as_slice()) {
                (Blame::Nobody, _) => return Err(error),
                (Blame::NotReady, [_]) => {}
                (Blame::Wrong, [file]) => {
                    tell(FollowEvent::Refused { file: &file.display, error: &error });
                    self.known.insert(FileState::of(file));
                }
                (_, files) => {
                    let (first, second) = files.split_at(files.len() / 2);
                    parts.push(second.to_vec());
                    parts.push(first.to_vec());
                }
            }
        }
        Ok(())
    }

    /// All files that the inputs name now.
    async fn find(&self, stores: &ObjectStores) -> Result<Vec<SourceFile>> {
        let mut files = Vec::new();
        let mut names = HashSet::new();
        for input in &self.request.inputs {
            match read::discover(std::slice::from_ref(input), &self.request.read, stores).await {
                Ok(found) => files.extend(found.into_iter().filter(|f| names.insert(f.display.clone()))),
                // Nothing has arrived yet.
                Err(LoadError::Nothing { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(files)
    }

    /// The request of one batch, whose rejected rows go to a file of their own.
    fn batch_request(&self) -> LoadRequest {
        let mut request = self.request.clone();
        if let OnError::Skip { rejects: Some(path) } = &mut request.on_error {
            *path = dated(path, Utc::now());
        }
        request
    }
}

/// `path` with a time before its extension.
fn dated(path: &Path, time: DateTime<Utc>) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{}{extension}", time.format("%Y%m%dT%H%M%S%6fZ")))
}

fn blame(error: &Error) -> Blame {
    match error {
        Error::Load(LoadError::Changed { .. } | LoadError::Nothing { .. }) => Blame::NotReady,
        Error::Load(LoadError::Read { source, .. }) => blame_for_reading(source.as_ref()),
        Error::Load(_) => Blame::Wrong,
        _ => Blame::Nobody,
    }
}

fn blame_for_reading(error: &(dyn std::error::Error + 'static)) -> Blame {
    let mut cause = Some(error);
    while let Some(current) = cause {
        cause = current.source();
        if let Some(error) = current.downcast_ref::<object_store::Error>() {
            match error {
                // A precondition is the tag: the object was replaced.
                object_store::Error::NotFound { .. } | object_store::Error::Precondition { .. } => {
                    return Blame::NotReady;
                }
                object_store::Error::PermissionDenied { .. } => return Blame::Wrong,
                _ => {}
            }
        } else if let Some(error) = current.downcast_ref::<std::io::Error>() {
            match error.kind() {
                std::io::ErrorKind::NotFound => return Blame::NotReady,
                std::io::ErrorKind::PermissionDenied => return Blame::Wrong,
                _ => {}
            }
            // What it wraps is not among its sources.
            cause = error.get_ref().map(|inner| inner as _);
        }
    }
    Blame::Nobody
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_of_each_batch_have_a_name() {
        let time = DateTime::from_timestamp(1_769_900_400, 5_000).expect("a time");
        let name = dated(Path::new("out/bad.csv"), time);
        assert_eq!(name, Path::new("out/bad-20260131T230000000005Z.csv"));
    }

    #[test]
    fn faults_of_the_network_are_nobodys() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let gone = object_store::Error::NotFound { path: "a".to_owned(), source: "no".into() };
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let read = |source: Box<dyn std::error::Error + Send + Sync>| {
            blame(&LoadError::read("a", "", source).into())
        };
        assert!(matches!(read(denied.into()), Blame::Wrong));
        assert!(matches!(read(std::io::Error::other(gone).into()), Blame::NotReady));
        assert!(matches!(read(reset.into()), Blame::Nobody));
        assert!(matches!(blame(&LoadError::damaged("a", "", "x").into()), Blame::Wrong));
    }
}
