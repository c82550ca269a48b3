//! The runtime on which statements are parsed, planned and executed.
//!
//! Sockets live on the runtime that called [`crate::serve`]. Everything that can keep a core busy runs here, so that
//! a heavy statement never delays another connection's bytes. Results cross through a bounded channel: a client that
//! does not read stops its query after [`CHUNKS_IN_FLIGHT`] chunks.
//!
//! The threads have large stacks because DataFusion recurses over the plan: a statement with a few hundred chained
//! operators overflows the 2 MiB of a default thread, which aborts the whole process.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Stack of each CPU thread. Address space only: pages are taken as they are touched.
const STACK_BYTES: usize = 64 << 20;
/// Chunks that a query may be ahead of its client.
const CHUNKS_IN_FLIGHT: usize = 2;

/// A multi-thread runtime for CPU work. Dropping it stops its tasks without waiting for them.
#[derive(Debug)]
pub struct CpuRuntime {
    // `None` only while dropping: a runtime must not be dropped in place inside another runtime.
    runtime: Option<Runtime>,
    handle: Handle,
}

/// Why a task on the CPU runtime gave no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CpuTaskError {
    /// The task panicked: a bug of ours or of a library.
    #[error("the task panicked")]
    Panicked,
    /// The runtime is shutting down.
    #[error("the task was stopped")]
    Stopped,
}

impl CpuRuntime {
    /// Starts `threads` worker threads named `wayfare-cpu` (at least one).
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn new(threads: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("wayfare-cpu")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle })
    }

    /// Runs `work` to its end and returns its value. Dropping the returned future aborts the task.
    ///
    /// # Errors
    /// [`CpuTaskError`] if the task panicked or the runtime stops.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, CpuTaskError> {
        let mut task = Task(self.handle.spawn(work));
        (&mut task.0).await.map_err(|e| task_error(&e))
    }

    /// Runs the task that `make` builds around a sender, and returns the other end as a stream.
    ///
    /// The task waits when it is [`CHUNKS_IN_FLIGHT`] items ahead. Dropping the stream aborts it.
    pub fn stream<T, F, W>(&self, make: F) -> CpuStream<T>
    where
        T: Send + 'static,
        F: FnOnce(mpsc::Sender<T>) -> W,
        W: Future<Output = ()> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(CHUNKS_IN_FLIGHT);
        CpuStream { receiver, task: Some(Task(self.handle.spawn(make(sender)))) }
    }
}

impl Drop for CpuRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A task that is aborted when its owner goes away.
#[derive(Debug)]
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn task_error(error: &tokio::task::JoinError) -> CpuTaskError {
    if error.is_panic() { CpuTaskError::Panicked } else { CpuTaskError::Stopped }
}

/// Items that a CPU task sends, then `Err` once if the task ended by a panic.
#[derive(Debug)]
pub struct CpuStream<T> {
    receiver: mpsc::Receiver<T>,
    task: Option<Task<()>>,
}

impl<T> Stream for CpuStream<T> {
    type Item = Result<T, CpuTaskError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(item) = std::task::ready!(this.receiver.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(item)));
        }
        // The sender is gone: either the task is complete, or it unwound before its end.
        let Some(task) = this.task.as_mut() else {
            return Poll::Ready(None);
        };
        let outcome = std::task::ready!(Pin::new(&mut task.0).poll(cx));
        this.task = None;
        Poll::Ready(outcome.err().map(|error| Err(task_error(&error))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn values_and_panics_come_back() {
        let cpu = CpuRuntime::new(1).unwrap();
        assert_eq!(cpu.run(async { 7 }).await, Ok(7));
        let panicked: Result<(), _> = cpu.run(async { panic!("bug") }).await;
        assert_eq!(panicked, Err(CpuTaskError::Panicked));
    }

    #[tokio::test]
    async fn a_slow_reader_stops_the_producer() {
        let cpu = CpuRuntime::new(1).unwrap();
        let sent = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&sent);
        let mut stream = cpu.stream(|sender| async move {
            for i in 0..100 {
                if sender.send(i).await.is_err() {
                    return;
                }
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        assert_eq!(stream.next().await, Some(Ok(0)));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(sent.load(Ordering::SeqCst) <= CHUNKS_IN_FLIGHT + 1);
        assert_eq!(stream.count().await, 99);
    }

    #[tokio::test]
    async fn a_panic_ends_the_stream_with_an_error() {
        let cpu = CpuRuntime::new(1).unwrap();
        let mut stream = cpu.stream(|sender| async move {
            let _ = sender.send(1).await;
            panic!("bug");
        });
        assert_eq!(stream.next().await, Some(Ok(1)));
        assert_eq!(stream.next().await, Some(Err(CpuTaskError::Panicked)));
        assert_eq!(stream.next().await, None);
    }

    #[tokio::test]
    async fn deep_recursion_fits() {
        fn depth(n: usize) -> usize {
            let frame = std::hint::black_box([n; 128]);
            if n == 0 { 0 } else { depth(n - 1) + frame[0] - n + 1 }
        }
        let cpu = CpuRuntime::new(1).unwrap();
        assert_eq!(cpu.run(async { depth(20_000) }).await, Ok(20_000));
    }
}
