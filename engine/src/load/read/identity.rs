//! What a file holds, as a short text: equal content has an equal identity, whatever its name.

use std::io::Read;
use std::sync::Arc;

use futures::StreamExt;
use object_store::{GetOptions, ObjectStore};
use xxhash_rust::xxh3::Xxh3;

use super::source::{Origin, SourceFile};
use crate::load::error::LoadError;

/// The identity of bytes that pass by.
#[derive(Default)]
pub(super) struct ContentHash {
    hash: Xxh3,
    size: u64,
}

impl ContentHash {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// That of all bytes so far.
    pub(super) fn identity(&self) -> String {
        format!("{:032x}-{}", self.hash.digest128(), self.size)
    }
}

const CHUNK_BYTES: usize = 1 << 20;

/// The identity of the file's stored bytes: XXH3-128 in 32 hexadecimal digits, a dash and the size in bytes.
/// [`FileReader::content`](super::FileReader::content) gives the same when a file has been read.
///
/// Reads the whole file once in constant memory. The same rows compressed otherwise are another content.
///
/// # Errors
/// [`LoadError::Read`] if the file cannot be read.
pub async fn content_identity(file: &SourceFile) -> Result<String, LoadError> {
    match &file.origin {
        Origin::Local(path) => {
            let path = path.clone();
            let hashed = tokio::task::spawn_blocking(move || hash_local(&path)).await;
            let (done, result) = match hashed {
                Ok(hashed) => hashed,
                Err(error) => (0, Err(std::io::Error::other(error))),
            };
            result.map_err(|error| LoadError::read(&file.display, place(done), error))
        }
        Origin::Object { store, location } => hash_object(file, store, location).await,
    }
}

/// Returns the bytes read and the identity or the error after them.
fn hash_local(path: &std::path::Path) -> (u64, std::io::Result<String>) {
    let mut input = match std::fs::File::open(path) {
        Ok(input) => input,
        Err(error) => return (0, Err(error)),
    };
    let mut hash = ContentHash::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return (hash.size, Ok(hash.identity())),
            Ok(count) => hash.update(&chunk[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return (hash.size, Err(error)),
        }
    }
}

async fn hash_object(
    file: &SourceFile,
    store: &Arc<dyn ObjectStore>,
    location: &object_store::path::Path,
) -> Result<String, LoadError> {
    let options = GetOptions { if_match: file.e_tag.clone(), ..GetOptions::default() };
    let failed = |size: u64, error| LoadError::read(&file.display, place(size), error);
    let result = store.get_opts(location, options).await.map_err(|error| failed(0, error))?;
    let mut chunks = result.into_stream();
    let mut hash = ContentHash::default();
    while let Some(chunk) = chunks.next().await {
        hash.update(&chunk.map_err(|error| failed(hash.size, error))?);
    }
    Ok(hash.identity())
}

fn place(bytes_read: u64) -> String {
    format!("after {bytes_read} bytes")
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::super::options::InputFormat;
    use super::super::source::Compression;
    use super::*;

    #[tokio::test]
    async fn equal_bytes_have_equal_identities_wherever_they_are() {
        let bytes: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("a.csv");
        std::fs::write(&path, &bytes).expect("write");
        let size = bytes.len() as u64;
        let local = SourceFile::local("a.csv".to_owned(), path, size, InputFormat::Csv, Compression::None);
        let store = Arc::new(InMemory::new());
        let location = object_store::path::Path::from("b.csv");
        store.put(&location, bytes.clone().into()).await.expect("put");
        let remote = SourceFile { origin: Origin::Object { store, location }, ..local.clone() };

        let identity = content_identity(&local).await.expect("identity");
        assert_eq!(identity, content_identity(&remote).await.expect("identity"));
        let expected = format!("{:032x}-{size}", xxhash_rust::xxh3::xxh3_128(&bytes));
        assert_eq!(identity, expected);
    }

    #[tokio::test]
    async fn a_missing_file_is_named() {
        let gone = SourceFile::local(
            "gone.csv".to_owned(),
            "/no/such".into(),
            0,
            InputFormat::Csv,
            Compression::None,
        );
        let error = content_identity(&gone).await.expect_err("missing").to_string();
        assert!(error.contains("gone.csv"), "{error}");
    }
}
