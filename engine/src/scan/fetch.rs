//! Bytes of several files at once.
//!
//! From a file system many small reads cost more in changes of threads than in reading, so that a batch of them is made
//! by one thread; an object store is asked for everything at the same time.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path as FilePath;

use bytes::Bytes;
use futures::future::try_join_all;
use object_store::path::Path;

use crate::storage::StorageLocation;

/// Parts of a file and where each was. What was asked for is in them; parts that are near each other may be one.
pub type FetchedBytes = Vec<(Range<u64>, Bytes)>;

/// Parts of a file to read.
#[derive(Debug)]
pub struct Wanted {
    /// The file.
    pub path: Path,
    /// Bytes of it.
    pub ranges: Vec<Range<u64>>,
}

/// Reads all of `wanted`, in its order.
///
/// # Errors
/// The number of the first that cannot be read, and why.
pub async fn fetch_all(
    location: &StorageLocation,
    wanted: Vec<Wanted>,
) -> Result<Vec<FetchedBytes>, (usize, object_store::Error)> {
    if location.url.scheme() == "file" {
        let unknown = || io::Error::new(ErrorKind::InvalidInput, "no path of this file system");
        let root = location.root_url().to_file_path();
        let root = root.map_err(|()| (0, local_error(&location.path, unknown())))?;
        let read = move || {
            wanted
                .into_iter()
                .enumerate()
                .map(|(number, file)| {
                    let read = read_ranges(&root.join(file.path.as_ref()), file.ranges);
                    read.map_err(|error| (number, local_error(&file.path, error)))
                })
                .collect()
        };
        return match tokio::task::spawn_blocking(read).await {
            Ok(outcome) => outcome,
            Err(error) => Err((0, local_error(&location.path, io::Error::other(error)))),
        };
    }
    let reads = wanted.into_iter().enumerate().map(|(number, file)| async move {
        if file.ranges.is_empty() {
            return Ok(Vec::new());
        }
        let read = location.store.get_ranges(&file.path, &file.ranges).await;
        let bytes = read.map_err(|error| (number, error))?;
        Ok(file.ranges.into_iter().zip(bytes).collect())
    });
    try_join_all(reads).await
}

fn read_ranges(path: &FilePath, ranges: Vec<Range<u64>>) -> io::Result<FetchedBytes> {
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let ranges = joined(ranges);
    let mut file = File::open(path)?;
    let read = |range: Range<u64>| {
        let length = range.end.saturating_sub(range.start);
        // The length comes from a footer, which may be damaged: a file is no longer than it is.
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0).min(MOST_AT_ONCE));
        file.seek(SeekFrom::Start(range.start))?;
        Read::by_ref(&mut file).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the file ends before"));
        }
        Ok((range, Bytes::from(bytes)))
    };
    ranges.into_iter().map(read).collect()
}

/// Ranges in order, those that are near each other as one.
fn joined(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(NEAR) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// Copying so many bytes that nobody asked for costs less than another read.
const NEAR: u64 = 8 << 10;
/// Bytes that memory is taken for before they are seen.
const MOST_AT_ONCE: usize = 64 << 20;

fn local_error(path: &Path, error: io::Error) -> object_store::Error {
    match error.kind() {
        ErrorKind::NotFound => {
            object_store::Error::NotFound { path: path.to_string(), source: Box::new(error) }
        }
        _ => object_store::Error::Generic { store: "file system", source: Box::new(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::ObjectStores;
    use object_store::ObjectStoreExt;

    fn only(range: Range<u64>) -> [Range<u64>; 1] {
        std::array::from_fn(|_| range.clone())
    }

    #[test]
    fn near_ranges_are_one() {
        assert_eq!(joined(vec![NEAR + 10..NEAR + 20, 5..10]), only(5..NEAR + 20));
        assert_eq!(joined(vec![0..9, NEAR + 10..NEAR + 20]), [0..9, NEAR + 10..NEAR + 20]);
        assert_eq!(joined(vec![0..100, 10..20]), only(0..100));
        assert!(joined(Vec::new()).is_empty());
    }

    #[tokio::test]
    async fn a_file_system_and_another_store_give_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let local = dir.path().join("a b%41").display().to_string();
        for url in [local, "memory:///fetch".to_owned()] {
            let location = ObjectStores::default().directory(&url).unwrap();
            let file = |name: &str| location.path.clone().join(name);
            location.store.put(&file("é 1.bin"), (0..=255).collect::<Vec<u8>>().into()).await.unwrap();
            location.store.put(&file("2.bin"), vec![7; 10].into()).await.unwrap();
            let wanted =
                |name: &str, ranges: &[Range<u64>]| Wanted { path: file(name), ranges: ranges.to_vec() };
            let read = fetch_all(
                &location,
                vec![
                    wanted("é 1.bin", &[250..256, 3..5]),
                    wanted("2.bin", &[]),
                    wanted("2.bin", &only(9..10)),
                ],
            );
            let read = read.await.unwrap();
            let bytes = |index: usize, range: Range<u64>| {
                let inside =
                    |(part, _): &&(Range<u64>, Bytes)| part.start <= range.start && part.end >= range.end;
                let (part, bytes) = read[index].iter().find(inside).unwrap();
                let from = |at: u64| usize::try_from(at - part.start).unwrap();
                bytes.slice(from(range.start)..from(range.end)).to_vec()
            };
            assert_eq!(bytes(0, 250..256), [250, 251, 252, 253, 254, 255]);
            assert_eq!(bytes(0, 3..5), [3, 4]);
            assert!(read[1].is_empty());
            assert_eq!(bytes(2, 9..10), [7]);
            let (number, error) =
                fetch_all(&location, vec![wanted("2.bin", &only(0..1)), wanted("3.bin", &only(0..1))])
                    .await
                    .unwrap_err();
            assert!(number == 1 && matches!(error, object_store::Error::NotFound { .. }), "{error}");
            if location.url.scheme() == "file" {
                // A store in memory gives what there is; the decoder notices.
                let (number, error) =
                    fetch_all(&location, vec![wanted("2.bin", &only(9..20))]).await.unwrap_err();
                assert!(number == 0 && error.to_string().contains("ends before"), "{error}");
            }
        }
    }
}
