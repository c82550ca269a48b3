//! A store whose passing faults are not seen: what object_store does not try again by itself.
//!
//! object_store repeats requests that were refused (500, 503, 429) or not answered, as long as repeating cannot change
//! the outcome. Here is the rest: lists and ranges whose answer breaks off, bodies that stall or end early, a
//! conditional put or the end of an upload whose answer was lost. All within the time that one operation has; then the
//! error is the caller's.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::client::HttpError;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, UploadPart,
};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A body that brings fewer bytes than these in the time of an operation has stalled.
const LEAST_PROGRESS_BYTES: u64 = 64 << 10;

/// A store in front of one that is reached over a network.
#[derive(Debug)]
pub(super) struct ReliableStore {
    inner: Arc<dyn ObjectStore>,
    patience: Duration,
}

impl ReliableStore {
    /// `patience`: how long one operation is tried again.
    pub(super) fn new(inner: Arc<dyn ObjectStore>, patience: Duration) -> Self {
        Self { inner, patience }
    }

    /// Puts what must not be there yet. Whether a put whose answer was lost has arrived, the store tells.
    async fn put_new(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let mut pauses = Pauses::new(self.patience);
        loop {
            let error = match self.inner.put_opts(location, payload.clone(), options.clone()).await {
                Err(error) if is_passing(&error) => error,
                outcome => return outcome,
            };
            match self.inner.get(location).await {
                Ok(found) => {
                    let meta = found.meta.clone();
                    let is_ours = found.bytes().await? == Bytes::from(payload);
                    return match is_ours {
                        true => Ok(PutResult { e_tag: meta.e_tag, version: meta.version }),
                        false => {
                            Err(Error::AlreadyExists { path: location.to_string(), source: Box::new(error) })
                        }
                    };
                }
                Err(Error::NotFound { .. }) => {}
                Err(other) => return Err(other),
            }
            if !pauses.pause().await {
                return Err(error);
            }
        }
    }
}

impl fmt::Display for ReliableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for ReliableStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        match opts.mode {
            PutMode::Create => self.put_new(location, payload, opts).await,
            PutMode::Overwrite => {
                persist(self.patience, || self.inner.put_opts(location, payload.clone(), opts.clone())).await
            }
            PutMode::Update(_) => self.inner.put_opts(location, payload, opts).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begin = || self.inner.put_multipart_opts(location, opts.clone());
        Ok(Box::new(ReliableUpload {
            inner: persist(self.patience, begin).await?,
            store: Arc::clone(&self.inner),
            location: location.clone(),
            bytes: 0,
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let found = persist(self.patience, || self.inner.get_opts(location, options.clone())).await?;
        let GetResult { payload, meta, range, attributes } = found;
        let payload = match payload {
            GetResultPayload::Stream(stream) if !options.head => {
                let body = Body {
                    store: Arc::clone(&self.inner),
                    location: location.clone(),
                    options,
                    meta: meta.clone(),
                    rest: range.clone(),
                    patience: self.patience,
                    waited: Duration::ZERO,
                    arrived: 0,
                };
                GetResultPayload::Stream(body.resuming(stream))
            }
            other => other,
        };
        Ok(GetResult { payload, meta, range, attributes })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        persist(self.patience, || self.inner.get_ranges(location, ranges)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, prefix) = (Arc::clone(&self.inner), prefix.cloned());
        listed(self.patience, move || inner.list(prefix.as_ref()).try_collect())
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, prefix, offset) = (Arc::clone(&self.inner), prefix.cloned(), offset.clone());
        let after = offset.clone();
        listed(self.patience, move || inner.list_with_offset(prefix.as_ref(), &offset).try_collect())
            // Not every service heeds where it is to begin.
            .try_filter(move |meta| std::future::ready(meta.location > after))
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        persist(self.patience, || self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A whole list, so that one that breaks off begins anew without telling anything twice.
fn listed<F, Fut>(patience: Duration, list: F) -> BoxStream<'static, Result<ObjectMeta>>
where
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output = Result<Vec<ObjectMeta>>> + Send,
{
    let all = async move { persist(patience, list).await.map(|all| futures::stream::iter(all).map(Ok)) };
    futures::stream::once(all).try_flatten().boxed()
}

/// Repeats `operation`, whose repetition changes nothing, while it fails by a passing fault.
async fn persist<T, F, Fut>(patience: Duration, mut operation: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let mut pauses = Pauses::new(patience);
    loop {
        match operation().await {
            Err(error) if is_passing(&error) => {
                if !pauses.pause().await {
                    return Err(error);
                }
            }
            outcome => return outcome,
        }
    }
}

/// Whether `error` comes from the way to the store and not from its answer. Answers that ask for patience were obeyed
/// by object_store already.
fn is_passing(error: &Error) -> bool {
    if !matches!(error, Error::Generic { .. }) {
        return false;
    }
    let mut cause = std::error::Error::source(error);
    while let Some(current) = cause {
        if current.is::<HttpError>() || current.is::<std::io::Error>() {
            return true;
        }
        cause = current.source();
    }
    false
}

/// Growing pauses within a span of time.
struct Pauses {
    began: Instant,
    patience: Duration,
    next: Duration,
}

impl Pauses {
    fn new(patience: Duration) -> Self {
        Self { began: Instant::now(), patience, next: FIRST_PAUSE }
    }

    /// Waits; `false`, at once, if the time is over.
    async fn pause(&mut self) -> bool {
        if self.began.elapsed() + self.next > self.patience {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        true
    }
}

/// The rest of an object on its way.
struct Body {
    store: Arc<dyn ObjectStore>,
    location: Path,
    options: GetOptions,
    /// The object as it was when reading began.
    meta: ObjectMeta,
    rest: Range<u64>,
    patience: Duration,
    /// How long the bytes counted by `arrived` were waited for. The time that the reader takes for what came is its own.
    waited: Duration,
    arrived: u64,
}

impl Body {
    /// The bytes of `stream`; where it breaks off, the rest is asked for.
    fn resuming(self, stream: BoxStream<'static, Result<Bytes>>) -> BoxStream<'static, Result<Bytes>> {
        futures::stream::try_unfold((self, stream), |(mut body, mut stream)| async move {
            loop {
                let asked = Instant::now();
                let next = tokio::time::timeout(body.patience, stream.next()).await;
                body.waited += asked.elapsed();
                let error = match next {
                    Ok(Some(Ok(bytes))) => {
                        body.note(bytes.len() as u64);
                        return Ok(Some((bytes, (body, stream))));
                    }
                    // A body that ends early is told by the reader, who knows what the end should be.
                    Ok(None) => return Ok(None),
                    Ok(Some(Err(error))) => error,
                    Err(_) => Error::Generic {
                        store: "object store",
                        source: "no more bytes came: the connection has stalled".into(),
                    },
                };
                match body.resume().await {
                    Some(resumed) => stream = resumed,
                    None => return Err(error),
                }
            }
        })
        .boxed()
    }

    fn note(&mut self, bytes: u64) {
        self.rest.start += bytes;
        self.arrived += bytes;
        if self.arrived >= LEAST_PROGRESS_BYTES {
            self.arrived = 0;
            self.waited = Duration::ZERO;
        }
    }

    /// The rest of the same object; `None` if it is not to be had in time.
    async fn resume(&mut self) -> Option<BoxStream<'static, Result<Bytes>>> {
        if self.rest.is_empty() || self.waited > self.patience {
            return None;
        }
        let asked = Instant::now();
        tokio::time::sleep(FIRST_PAUSE).await;
        let options =
            GetOptions { range: Some(GetRange::Bounded(self.rest.clone())), ..self.options.clone() };
        let left = self.patience.saturating_sub(self.waited + asked.elapsed());
        let found = persist(left, || self.store.get_opts(&self.location, options.clone())).await;
        self.waited += asked.elapsed();
        let found = found.ok()?;
        let same = found.meta.e_tag == self.meta.e_tag
            && found.meta.size == self.meta.size
            && found.meta.last_modified == self.meta.last_modified
            && found.range == self.rest;
        same.then(|| found.into_stream())
    }
}

/// An upload in parts whose end may have been reached although its answer was lost.
#[derive(Debug)]
struct ReliableUpload {
    inner: Box<dyn MultipartUpload>,
    store: Arc<dyn ObjectStore>,
    location: Path,
    bytes: u64,
}

#[async_trait]
impl MultipartUpload for ReliableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.bytes += data.content_length() as u64;
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let error = match self.inner.complete().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        // Files of this product have names of their own: one that is there with this size is this one.
        match self.store.head(&self.location).await {
            Ok(meta) if meta.size == self.bytes => Ok(PutResult { e_tag: meta.e_tag, version: meta.version }),
            _ => Err(error),
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(400);

    /// An object of 100 bytes, of which 10 come before `then`.
    async fn broken(
        then: impl futures::Stream<Item = Result<Bytes>> + Send + 'static,
    ) -> BoxStream<'static, Result<Bytes>> {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let location = Path::from("a");
        store.put(&location, vec![7; 100].into()).await.expect("put");
        let meta = store.head(&location).await.expect("head");
        let body = Body {
            store,
            location,
            options: GetOptions::default(),
            meta,
            rest: 0..100,
            patience: PATIENCE,
            waited: Duration::ZERO,
            arrived: 0,
        };
        let first = futures::stream::iter([Ok(Bytes::from(vec![7; 10]))]);
        body.resuming(first.chain(then).boxed())
    }

    #[tokio::test]
    async fn the_time_of_a_slow_reader_is_its_own() {
        let fault = Error::Generic { store: "test", source: "broken off".into() };
        let mut bytes = broken(futures::stream::iter([Err(fault)])).await;
        let mut count = bytes.next().await.expect("bytes").expect("bytes").len();
        tokio::time::sleep(PATIENCE * 2).await;
        while let Some(more) = bytes.next().await {
            count += more.expect("the rest").len();
        }
        assert_eq!(count, 100);
    }

    #[tokio::test]
    async fn a_body_that_stalls_is_told() {
        let mut bytes = broken(futures::stream::pending()).await;
        bytes.next().await.expect("bytes").expect("bytes");
        let error = bytes.next().await.expect("an error").expect_err("stalled").to_string();
        assert!(error.contains("stalled"), "{error}");
    }
}
