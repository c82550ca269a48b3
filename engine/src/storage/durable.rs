//! Local files that survive a loss of power once a call has returned.
//!
//! `object_store` leaves written bytes to the page cache. Here a file's bytes are synced before it gets its name where
//! the name is a claim (a commit, a marker), and before the call returns otherwise; then the directory that holds the
//! name is synced, and once in a process the directories above it. Data files are written before the commit that
//! names them, so that whoever sees a commit after a crash finds all of it.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

/// How many names for an unfinished file are tried.
const MAX_STAGED: u32 = 1_000;

/// The local file system, with files and directories synced.
#[derive(Debug, Clone)]
pub struct DurableFileSystem {
    inner: Arc<LocalFileSystem>,
    synced: Arc<SyncedDirectories>,
}

impl Default for DurableFileSystem {
    fn default() -> Self {
        Self { inner: Arc::new(LocalFileSystem::new()), synced: Arc::default() }
    }
}

impl std::fmt::Display for DurableFileSystem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

/// Directories whose own names have been synced by this process.
#[derive(Debug, Default)]
struct SyncedDirectories(Mutex<HashSet<PathBuf>>);

impl SyncedDirectories {
    /// Syncs the name of `file`: its directory, and the directories above it that were not synced yet.
    fn sync_name(&self, file: &FsPath) -> io::Result<()> {
        let Some(directory) = file.parent() else { return Ok(()) };
        sync_directory(directory)?;
        for pair in directory.ancestors().collect::<Vec<_>>().windows(2) {
            let [below, above] = pair else { break };
            if !self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(below.to_path_buf()) {
                break;
            }
            match sync_directory(above) {
                // A directory that this user cannot read was not made by this user.
                Err(error) if error.kind() != ErrorKind::PermissionDenied => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Syncs the names in a directory, where the file system can.
fn sync_directory(directory: &FsPath) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        // Network file systems that have no such call keep names themselves.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// An error about `path`, of the kinds that callers tell apart.
fn failed(path: &FsPath, source: io::Error) -> Error {
    let path = path.display().to_string();
    match source.kind() {
        ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: source.into() },
        ErrorKind::NotFound => Error::NotFound { path, source: source.into() },
        ErrorKind::PermissionDenied => Error::PermissionDenied { path, source: source.into() },
        _ => Error::Generic { store: "LocalFileSystem", source: source.into() },
    }
}

/// Creates an unfinished file beside `path`, under a name that no listing shows, and the directories it needs.
fn staged(path: &FsPath) -> io::Result<(File, PathBuf)> {
    for number in 1..=MAX_STAGED {
        let mut name = path.as_os_str().to_owned();
        name.push(format!("#{number}"));
        let name = PathBuf::from(name);
        let open = || OpenOptions::new().write(true).create_new(true).open(&name);
        let opened = open().or_else(|error| {
            if error.kind() != ErrorKind::NotFound {
                return Err(error);
            }
            std::fs::create_dir_all(path.parent().unwrap_or(path))?;
            // Others who found no directory either may have been faster: then the name is taken here too.
            open()
        });
        match opened {
            Ok(file) => return Ok((file, name)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many unfinished files lie beside it"))
}

impl DurableFileSystem {
    /// Writes, syncs, and only then gives the file its name.
    fn write_file(&self, path: &FsPath, payload: &PutPayload, mode: &PutMode) -> io::Result<PutResult> {
        let (mut file, staged) = staged(path)?;
        let named: io::Result<String> = (|| {
            payload.iter().try_for_each(|part| file.write_all(part))?;
            file.sync_all()?;
            let e_tag = e_tag(&file)?;
            match mode {
                // A link fails if the name is taken, a rename would replace it.
                PutMode::Create => std::fs::hard_link(&staged, path)?,
                _ => std::fs::rename(&staged, path)?,
            }
            Ok(e_tag)
        })();
        if named.is_err() || matches!(mode, PutMode::Create) {
            // What is left of it is in nobody's way.
            let _ = std::fs::remove_file(&staged);
        }
        let e_tag = named?;
        self.synced.sync_name(path)?;
        Ok(PutResult { e_tag: Some(e_tag), version: None })
    }

    async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => runtime.spawn_blocking(work).await?,
            Err(_) => work(),
        }
    }
}

/// As `object_store` makes it, so that what is put has the tag that is got.
fn e_tag(file: &File) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata()?;
    let modified = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_micros();
    Ok(format!("{:x}-{modified:x}-{:x}", metadata.ino(), metadata.len()))
}

#[async_trait]
impl ObjectStore for DurableFileSystem {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if matches!(opts.mode, PutMode::Update(_)) || !opts.attributes.is_empty() {
            // Refused with the words of the library.
            return self.inner.put_opts(location, payload, opts).await;
        }
        let (this, path) = (self.clone(), self.inner.path_to_filesystem(location)?);
        Self::blocking(move || this.write_file(&path, &payload, &opts.mode).map_err(|e| failed(&path, e)))
            .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let path = self.inner.path_to_filesystem(location)?;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(DurableUpload { inner, path, synced: Arc::clone(&self.synced) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let deleted = self.inner.delete_stream(locations);
        let synced = deleted.and_then(move |location| {
            let this = this.clone();
            async move {
                let path = this.inner.path_to_filesystem(&location)?;
                Self::blocking(move || this.synced.sync_name(&path).map_err(|e| failed(&path, e))).await?;
                Ok(location)
            }
        });
        synced.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await?;
        self.sync_file(to).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await?;
        self.sync_file(to).await
    }
}

impl DurableFileSystem {
    async fn sync_file(&self, location: &Path) -> Result<()> {
        let path = self.inner.path_to_filesystem(location)?;
        let synced = Arc::clone(&self.synced);
        Self::blocking(move || sync_written(&path, &synced).map_err(|e| failed(&path, e))).await
    }
}

/// Syncs the bytes of a file that was written through another handle, and its name.
fn sync_written(path: &FsPath, synced: &SyncedDirectories) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    synced.sync_name(path)
}

/// A large file in parts: synced when it is complete.
#[derive(Debug)]
struct DurableUpload {
    inner: Box<dyn MultipartUpload>,
    path: PathBuf,
    synced: Arc<SyncedDirectories>,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.inner.complete().await?;
        let (path, synced) = (self.path.clone(), Arc::clone(&self.synced));
        DurableFileSystem::blocking(move || sync_written(&path, &synced).map_err(|e| failed(&path, e)))
            .await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn a_name_that_is_taken_is_not_given_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = DurableFileSystem::default();
        let path = Path::from_absolute_path(directory.path().join("a/b/c.json")).expect("a path");
        let create = || PutOptions::from(PutMode::Create);
        let put = store.put_opts(&path, "first".into(), create()).await.expect("a new name");
        let error = store.put_opts(&path, "second".into(), create()).await.expect_err("taken");
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
        let got = store.get(&path).await.expect("the file");
        assert_eq!(got.meta.e_tag, put.e_tag);
        assert_eq!(got.bytes().await.expect("bytes"), "first");
        store.put(&path, "third".into()).await.expect("replaced");
        assert_eq!(store.get(&path).await.expect("the file").bytes().await.expect("bytes"), "third");
        let names = std::fs::read_dir(directory.path().join("a/b")).expect("a directory").count();
        assert_eq!(names, 1, "nothing unfinished is left");
        store.delete(&path).await.expect("deleted");
        assert!(matches!(store.get(&path).await, Err(Error::NotFound { .. })));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_name_is_taken_only_if_there_is_a_file() {
        let directory = tempfile::tempdir().expect("a directory");
        for round in 0..100 {
            let path = directory.path().join(format!("{round}/new/marker"));
            let path = Path::from_absolute_path(path).expect("a path");
            let writers = (0..4).map(|_| {
                let (store, path) = (DurableFileSystem::default(), path.clone());
                tokio::spawn(async move {
                    let options = PutOptions::from(PutMode::Create);
                    let put = store.put_opts(&path, "all of it".into(), options).await;
                    let found = store.get(&path).await.expect("the file").bytes().await.expect("bytes");
                    assert_eq!(found, "all of it");
                    put.is_ok()
                })
            });
            let won = futures::future::join_all(writers).await;
            assert_eq!(won.into_iter().filter(|won| *won.as_ref().expect("no panic")).count(), 1);
        }
    }

    #[tokio::test]
    async fn a_large_file_comes_in_parts() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = DurableFileSystem::default();
        let path = Path::from_absolute_path(directory.path().join("large")).expect("a path");
        let mut upload = store.put_multipart(&path).await.expect("an upload");
        for part in ["one ", "two"] {
            upload.put_part(part.into()).await.expect("a part");
        }
        assert!(store.get(&path).await.is_err(), "not before it is complete");
        upload.complete().await.expect("complete");
        assert_eq!(store.get(&path).await.expect("the file").bytes().await.expect("bytes"), "one two");
    }
}
