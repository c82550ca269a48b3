//! The bytes of a file as a blocking stream: local or from an object store, decompressed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::{Buf, Bytes};
use futures::StreamExt;
use object_store::{GetOptions, ObjectStore};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::identity::ContentHash;
use super::sniff::signed_compression;
use super::source::{Compression, Origin, SourceFile};
use crate::load::error::LoadError;

/// Read-ahead of local files.
const BUFFER_BYTES: usize = 256 << 10;
/// Decompressed bytes that a format is told by. Longer reads pass by the buffer.
const START_BYTES: usize = 4 << 10;
/// Chunks of an object that may wait for the reader.
const CHUNKS_AHEAD: usize = 8;
/// Memory that an xz stream may ask for.
const XZ_MEMORY_BYTES: u64 = 256 << 20;
/// log2 of the largest zstd window accepted: the format's own recommendation for decoders is lower, `zstd -19`
/// and `--long` use up to this.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Decompressed bytes after which the ratio of a compressed file is looked at.
const SUSPICIOUS_BYTES: u64 = 64 << 20;
/// Decompressed bytes for each compressed one above which a file is taken for a decompression bomb. Touchpoints come
/// to 5 to 50, gzip cannot exceed 1,032.
const MAX_RATIO: u64 = 250;

/// A file being read.
pub(super) struct ByteStream {
    /// The file with the compression that it really has.
    pub(super) file: SourceFile,
    /// Decompressed bytes.
    pub(super) reader: BufReader<Box<dyn Read + Send>>,
    /// What has passed so far.
    pub(super) passed: Arc<Passed>,
}

/// The bytes of a file as they are stored (compressed, if it is), as far as they have been read.
#[derive(Debug, Default)]
pub(super) struct Passed {
    bytes: AtomicU64,
    content: OnceLock<String>,
}

impl Passed {
    /// How many there were.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The identity of all of them, once the end has been reached.
    pub(super) fn content(&self) -> Option<&str> {
        self.content.get().map(String::as_str)
    }
}

impl ByteStream {
    /// The first decompressed bytes, some hundreds at least unless there are fewer.
    ///
    /// # Errors
    /// Those of reading and decompressing.
    pub(super) fn start(&mut self) -> Result<&[u8], LoadError> {
        let Self { file, reader, .. } = self;
        reader.fill_buf().map_err(|error| stream_error(file, "at its start", error))
    }
}

/// Opens the decompressed bytes of `file`. Blocks; for objects it must run on a blocking thread of a tokio
/// runtime.
///
/// # Errors
/// [`LoadError::Read`] if the file cannot be opened.
pub(super) fn open_stream(file: &SourceFile) -> Result<ByteStream, LoadError> {
    let (raw, passed) = open_stored(file)?;
    let mut buffered = BufReader::with_capacity(BUFFER_BYTES, raw);
    let start = buffered.fill_buf().map_err(|error| stream_error(file, "at its start", error))?;
    let mut file = file.clone();
    file.compression = signed_compression(start).unwrap_or(file.compression);
    let opened: io::Result<Box<dyn Read + Send>> = match file.compression {
        Compression::None => Ok(Box::new(buffered)),
        Compression::Gzip => Ok(Box::new(flate2::bufread::MultiGzDecoder::new(buffered))),
        Compression::Zstd => zstd::stream::read::Decoder::with_buffer(buffered).and_then(|mut decoder| {
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Ok(Box::new(decoder) as Box<dyn Read + Send>)
        }),
        Compression::Bzip2 => Ok(Box::new(bzip2::bufread::MultiBzDecoder::new(buffered))),
        Compression::Xz => {
            liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_BYTES, liblzma::stream::CONCATENATED)
                .map(|stream| {
                    Box::new(liblzma::bufread::XzDecoder::new_stream(buffered, stream))
                        as Box<dyn Read + Send>
                })
                .map_err(io::Error::other)
        }
        Compression::Snappy => Ok(Box::new(snap::read::FrameDecoder::new(buffered))),
    };
    let opened = opened.map_err(|error| LoadError::read(&file.display, "at its start", error))?;
    let opened = match file.compression {
        Compression::None => opened,
        _ => Box::new(RatioGuard { inner: opened, produced: 0, stored: Arc::clone(&passed) }),
    };
    let reader = BufReader::with_capacity(START_BYTES, opened);
    Ok(ByteStream { file, reader, passed })
}

/// Opens the bytes of `file` as they are stored. Blocks as [`open_stream`] does.
///
/// # Errors
/// [`LoadError::Read`] if the file cannot be opened.
pub(super) fn open_stored(file: &SourceFile) -> Result<(StoredBytes, Arc<Passed>), LoadError> {
    let at_start = |error: io::Error| LoadError::read(&file.display, "at its start", error);
    let inner: Box<dyn Read + Send> = match &file.origin {
        Origin::Local(path) => Box::new(File::open(path).map_err(at_start)?),
        Origin::Object { store, location } => {
            let handle = Handle::try_current().map_err(|error| at_start(io::Error::other(error)))?;
            let options = GetOptions {
                // An object replaced since it was listed is an error, not a mixture.
                if_match: file.e_tag.clone(),
                ..GetOptions::default()
            };
            Box::new(ObjectReader::start(&handle, Arc::clone(store), location.clone(), options))
        }
    };
    Ok(stored(file, inner))
}

/// The bytes of `file`, which come from `inner`.
pub(super) fn stored(file: &SourceFile, inner: Box<dyn Read + Send>) -> (StoredBytes, Arc<Passed>) {
    let passed = Arc::new(Passed::default());
    let hash = ContentHash::default();
    (StoredBytes { inner, expected: file.size, passed: Arc::clone(&passed), hash }, passed)
}

/// What a read error means for the user. `place` says how far reading came.
pub(super) fn stream_error(file: &SourceFile, place: &str, error: io::Error) -> LoadError {
    let is_raw = error.get_ref().is_some_and(|inner| inner.is::<RawError>());
    if is_raw {
        return match error.into_inner().map(|inner| inner.downcast::<RawError>()) {
            Some(Ok(raw)) => match *raw {
                RawError::Read(source) => LoadError::read(&file.display, place, source),
                RawError::Changed(reason) => LoadError::Changed { path: file.display.clone(), reason },
                RawError::Bomb(reason) => LoadError::damaged(&file.display, place, reason),
            },
            _ => LoadError::read(&file.display, place, io::Error::other("unknown error")),
        };
    }
    let name = file.compression.name();
    let reason = if error.kind() == io::ErrorKind::UnexpectedEof {
        format!("the {name} data ends too early; copy or download the file again")
    } else {
        format!("this is not valid {name} data ({error}); copy the file again, or correct its extension")
    };
    LoadError::damaged(&file.display, place, reason)
}

/// Errors of the stored bytes, told apart from those of the decompressors above them.
#[derive(Debug, thiserror::Error)]
enum RawError {
    #[error(transparent)]
    Read(io::Error),
    #[error("{0}")]
    Changed(String),
    #[error("{0}")]
    Bomb(String),
}

/// Ends a stream that gives more than its stored bytes can be expected to hold.
struct RatioGuard {
    inner: Box<dyn Read + Send>,
    produced: u64,
    stored: Arc<Passed>,
}

impl Read for RatioGuard {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.produced += count as u64;
        let stored = self.stored.bytes();
        if self.produced > SUSPICIOUS_BYTES && self.produced / MAX_RATIO > stored {
            let reason = format!(
                "it decompresses to more than {MAX_RATIO} times its size, as a decompression bomb does; \
                 if it is sound, decompress it first"
            );
            return Err(io::Error::other(RawError::Bomb(reason)));
        }
        Ok(count)
    }
}

/// Counts and hashes bytes, and checks that the file has the size with which it was found.
pub(super) struct StoredBytes {
    inner: Box<dyn Read + Send>,
    expected: u64,
    passed: Arc<Passed>,
    hash: ContentHash,
}

impl Read for StoredBytes {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = match self.inner.read(out) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(io::Error::other(RawError::Read(error))),
        };
        let total = self.passed.bytes.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
        let has_ended = count == 0 && !out.is_empty();
        if (has_ended && total < self.expected) || total > self.expected {
            let reason = format!("{} bytes were found, {total} bytes read", self.expected);
            return Err(io::Error::other(RawError::Changed(reason)));
        }
        self.hash.update(&out[..count]);
        if has_ended {
            self.passed.content.get_or_init(|| self.hash.identity());
        }
        Ok(count)
    }
}

/// Chunks of an object, fetched by a task of the runtime a few chunks ahead of a blocking reader.
struct ObjectReader {
    chunks: mpsc::Receiver<object_store::Result<Bytes>>,
    current: Bytes,
}

impl ObjectReader {
    fn start(
        handle: &Handle,
        store: Arc<dyn ObjectStore>,
        location: object_store::path::Path,
        options: GetOptions,
    ) -> Self {
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        // Ends when the receiver is dropped: the next send fails.
        handle.spawn(async move {
            let mut stream = match store.get_opts(&location, options).await {
                Ok(result) => result.into_stream(),
                Err(error) => {
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            };
            while let Some(chunk) = stream.next().await {
                let failed = chunk.is_err();
                if sender.send(chunk).await.is_err() || failed {
                    return;
                }
            }
        });
        Self { chunks, current: Bytes::new() }
    }
}

impl Read for ObjectReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(Ok(chunk)) => self.current = chunk,
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => return Ok(0),
            }
        }
        let count = out.len().min(self.current.len());
        self.current.copy_to_slice(&mut out[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::super::options::InputFormat;
    use super::*;

    fn compress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        match compression {
            Compression::None => bytes.to_vec(),
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).expect("gzip");
                encoder.finish().expect("gzip")
            }
            Compression::Zstd => zstd::encode_all(bytes, 1).expect("zstd"),
            Compression::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(bytes).expect("bzip2");
                encoder.finish().expect("bzip2")
            }
            Compression::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
                encoder.write_all(bytes).expect("xz");
                encoder.finish().expect("xz")
            }
            Compression::Snappy => {
                let mut encoder = snap::write::FrameEncoder::new(Vec::new());
                encoder.write_all(bytes).expect("snappy");
                encoder.into_inner().expect("snappy")
            }
        }
    }

    fn source(dir: &tempfile::TempDir, compression: Compression, bytes: &[u8]) -> SourceFile {
        let path = dir.path().join("x");
        std::fs::write(&path, bytes).expect("write");
        SourceFile::local("x".to_owned(), path, bytes.len() as u64, InputFormat::Csv, compression)
    }

    fn read_all(file: &SourceFile) -> Result<Vec<u8>, LoadError> {
        let mut out = Vec::new();
        let mut stream = open_stream(file)?;
        match stream.reader.read_to_end(&mut out) {
            Ok(_) => Ok(out),
            Err(error) => Err(stream_error(&stream.file, "after line 3", error)),
        }
    }

    const ALL: [Compression; 6] = [
        Compression::None,
        Compression::Gzip,
        Compression::Zstd,
        Compression::Bzip2,
        Compression::Xz,
        Compression::Snappy,
    ];

    #[test]
    fn every_compression_is_read_and_so_are_joined_streams() {
        let dir = tempfile::tempdir().expect("dir");
        for compression in ALL {
            let mut bytes = compress(compression, b"hello ");
            bytes.extend(compress(compression, b"world"));
            let file = source(&dir, compression, &bytes);
            assert_eq!(read_all(&file).expect("bytes"), b"hello world", "{compression:?}");
            let misnamed = SourceFile { compression: Compression::None, ..file };
            assert_eq!(read_all(&misnamed).expect("bytes"), b"hello world", "{compression:?} by its content");
        }
    }

    #[test]
    fn a_bomb_ends_at_the_ratio() {
        let dir = tempfile::tempdir().expect("dir");
        let zeros = vec![b'0'; 80 << 20];
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&zeros).expect("gzip");
        let bombs = [
            (Compression::Gzip, encoder.finish().expect("gzip")),
            (Compression::Zstd, compress(Compression::Zstd, &zeros)),
        ];
        for (compression, bytes) in bombs {
            let file = source(&dir, compression, &bytes);
            let error = read_all(&file).map(|bytes| bytes.len()).expect_err("a bomb").to_string();
            assert!(error.contains("250 times its size"), "{compression:?}: {error}");
        }
        let sound = compress(Compression::Gzip, &zeros[..1 << 20]);
        assert_eq!(read_all(&source(&dir, Compression::Gzip, &sound)).expect("bytes").len(), 1 << 20);
    }

    #[test]
    fn cut_and_overwritten_data_is_told() {
        let dir = tempfile::tempdir().expect("dir");
        let text: Vec<u8> =
            (0..200_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for compression in ALL.into_iter().skip(1) {
            let whole = compress(compression, &text);
            for cut in [whole.len() - 1, whole.len() / 2, 7] {
                let error = read_all(&source(&dir, compression, &whole[..cut])).expect_err("cut").to_string();
                assert!(error.contains("ends too early"), "{compression:?} {cut}: {error}");
                assert!(error.contains("\"x\" is damaged after line 3"), "{error}");
            }
            let error =
                read_all(&source(&dir, compression, b"user_id,ts,event\n")).expect_err("text").to_string();
            assert!(error.contains(&format!("not valid {} data", compression.name())), "{error}");
        }
    }

    #[test]
    fn a_file_that_grows_or_shrinks_is_told() {
        let dir = tempfile::tempdir().expect("dir");
        for size in [3, 7] {
            let mut file = source(&dir, Compression::None, b"12345");
            file.size = size;
            let error = read_all(&file).expect_err("changed").to_string();
            assert!(error.contains("changed while it was loaded"), "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_a_read_error() {
        let file = SourceFile::local(
            "gone.csv".to_owned(),
            "/no/such/file".into(),
            1,
            InputFormat::Csv,
            Compression::None,
        );
        let error = read_all(&file).expect_err("missing").to_string();
        assert!(error.contains("gone.csv") && error.contains("No such file"), "{error}");
    }

    #[tokio::test]
    async fn objects_are_streamed() {
        let store = Arc::new(InMemory::new());
        let location = object_store::path::Path::from("a/b.csv");
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        store.put(&location, bytes.clone().into()).await.expect("put");
        let size = bytes.len() as u64;
        let mut file = SourceFile::local(
            "memory:///a/b.csv".to_owned(),
            "".into(),
            size,
            InputFormat::Csv,
            Compression::None,
        );
        file.origin = Origin::Object { store, location };
        let (read, again) = tokio::task::spawn_blocking(move || {
            let read = read_all(&file);
            file.e_tag = Some("another".to_owned());
            (read, read_all(&file))
        })
        .await
        .expect("joined");
        assert_eq!(read.expect("bytes"), bytes);
        assert!(again.is_err(), "a replaced object is not read");
    }
}
