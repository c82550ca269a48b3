//! An object store with seeded faults.
//!
//! What real stores promise is kept: a conditional put happens or does not (on it commits rest), reads and lists see
//! what was written before. Everything else can go wrong: a call can fail before it has done anything or, if it writes
//! or deletes, after it has; a put without a condition can leave half of the object. That is more than real stores do,
//! which show an object when it is whole: whoever looks at data files before their commit would fail here.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::schedule::{Random, gate};

/// How many faults there were of each kind.
#[derive(Debug, Default)]
pub struct Faults {
    /// Calls that failed and had done nothing.
    pub failed: AtomicU64,
    /// Writes and deletions that happened, and failed.
    pub lost_answers: AtomicU64,
    /// Those of them that were commits.
    pub lost_commits: AtomicU64,
    /// Writes that left a part.
    pub torn: AtomicU64,
}

/// Passes calls on, each after any number of calls of others, and fails some of them.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    random: Arc<Random>,
    faults: Arc<Faults>,
    /// Faults of each kind in a thousand calls that can have it.
    per_mille: u64,
}

impl FaultyStore {
    pub fn new(
        inner: Arc<dyn ObjectStore>,
        random: Arc<Random>,
        faults: Arc<Faults>,
        per_mille: u64,
    ) -> Self {
        Self { inner, random, faults, per_mille }
    }

    fn happens(&self, count: &AtomicU64) -> bool {
        let happens = self.random.happens(self.per_mille);
        count.fetch_add(u64::from(happens), Ordering::Relaxed);
        happens
    }

    /// The way there: somebody else may be faster, and it may be broken.
    async fn reach(&self) -> Result<()> {
        gate().await;
        if self.happens(&self.faults.failed) { Err(lost("the connection broke")) } else { Ok(()) }
    }

    /// The way back.
    fn answer<T>(&self, done: T) -> Result<T> {
        if self.happens(&self.faults.lost_answers) { Err(lost("the answer is lost")) } else { Ok(done) }
    }
}

fn lost(what: &str) -> Error {
    Error::Generic { store: "faulty", source: what.to_owned().into() }
}

impl std::fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FaultyStore")
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.reach().await?;
        let is_conditional = !matches!(opts.mode, PutMode::Overwrite);
        if !is_conditional && self.happens(&self.faults.torn) {
            let bytes = Bytes::from(payload);
            let half = bytes.slice(..bytes.len() / 2);
            self.inner.put_opts(location, PutPayload::from(half), opts).await?;
            return Err(lost("the connection broke in the middle"));
        }
        let put = self.inner.put_opts(location, payload, opts).await?;
        let answer = self.answer(put);
        let is_commit = is_conditional && location.as_ref().contains("_delta_log");
        self.faults.lost_commits.fetch_add(u64::from(answer.is_err() && is_commit), Ordering::Relaxed);
        answer
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.reach().await?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.reach().await?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.reach().await?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = Self {
            inner: Arc::clone(&self.inner),
            random: Arc::clone(&self.random),
            faults: Arc::clone(&self.faults),
            per_mille: self.per_mille,
        };
        let this = Arc::new(this);
        let deleted = locations.then(move |location| {
            let this = Arc::clone(&this);
            async move {
                let location = location?;
                this.reach().await?;
                this.inner.delete(&location).await?;
                this.answer(location)
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.happens(&self.faults.failed) {
            return futures::stream::iter([Err(lost("the connection broke"))]).boxed();
        }
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.happens(&self.faults.failed) {
            return futures::stream::iter([Err(lost("the connection broke"))]).boxed();
        }
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.reach().await?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.reach().await?;
        self.inner.copy_opts(from, to, options).await
    }
}
