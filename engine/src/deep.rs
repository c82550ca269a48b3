//! Work on a large stack.
//!
//! Parsing, planning and optimizing recurse over the statement. A thread of an embedding program has 2 MiB, too little
//! for a statement that is well inside [`limits`](crate::limits), and an overflow aborts the process. So this work
//! runs on threads of their own, which are kept for a while after their work: starting one and giving it a stack costs
//! more than planning a short statement. The stack is address space only until it is touched. Asynchronous work still
//! belongs to the runtime of the caller, which does its I/O and timers and runs what it spawns.
//!
//! Planning cannot be interrupted between two awaits, so a statement that was given up may go on for a while. At most
//! [`MAX_THREADS`] such threads work at once, and a session has one of them at a time (see [`crate::session`]): many
//! more than there are cores, so that the operating system shares the cores out and short work does not wait behind
//! long work; and few enough to bound what they hold.

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::Builder;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::runtime::{Handle, Runtime};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result, StoreError};

/// Stack of one thread: ten times what the deepest accepted statement was seen to need.
const STACK_BYTES: usize = 64 << 20;
/// Threads of [`run`] at the same time; more work waits for one to end.
const MAX_THREADS: usize = 64;
/// How long a thread waits for more work: its stack keeps the pages that the deepest work has touched.
const KEPT_FOR: Duration = Duration::from_secs(5);
const NAME: &str = "wayfare-plan";

thread_local! {
    /// Whether this thread has the large stack already.
    static IS_DEEP: Cell<bool> = const { Cell::new(false) };
}

/// The threads of [`run`]: those for blocking work of a runtime that has no other work.
fn threads() -> Result<&'static Runtime> {
    static THREADS: OnceLock<Runtime> = OnceLock::new();
    if let Some(threads) = THREADS.get() {
        return Ok(threads);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .thread_name(NAME)
        .thread_stack_size(STACK_BYTES)
        .max_blocking_threads(MAX_THREADS)
        .thread_keep_alive(KEPT_FOR)
        .on_thread_start(|| IS_DEEP.set(true))
        .build()
        .map_err(no_thread)?;
    if let Err(second) = THREADS.set(runtime) {
        // Dropping it here would block a thread of the caller's runtime.
        second.shutdown_background();
    }
    THREADS.get().ok_or_else(|| Error::InvalidArgument("no threads for planning".to_owned()))
}

fn no_thread(error: std::io::Error) -> Error {
    StoreError::io("start", "a thread for planning", error).into()
}

/// Runs `work` and waits for it, as a plain call does: in place, if this thread is one of [`run`]. A panic passes on
/// to the caller.
///
/// # Errors
/// No thread can be started.
pub(crate) fn call<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    if IS_DEEP.get() {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let deep = || {
            IS_DEEP.set(true);
            work()
        };
        let builder = Builder::new().name(NAME.to_owned()).stack_size(STACK_BYTES);
        let thread = builder.spawn_scoped(scope, deep).map_err(no_thread)?;
        thread.join().or_else(|panic| resume_unwind(panic))
    })
}

/// The planning of one session: one thread at a time, so that statements given up one after the other do not add up.
#[derive(Debug, Default)]
pub(crate) struct Planning(Arc<tokio::sync::Mutex<()>>);

impl Planning {
    /// [`run`], when the work before has ended.
    ///
    /// # Errors
    /// Those of [`run`].
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        // On the heap: callers with small stacks keep what they wait for on them, and run deep expressions later.
        let (turn, work) = (Arc::clone(&self.0), Box::pin(work));
        Box::pin(async move {
            let turn = turn.lock_owned().await;
            run(async move {
                let _until_the_end = turn;
                work.await
            })
            .await
        })
    }
}

/// Runs `work` to its end. Dropping the returned future stops it at its next await. A panic passes on to the caller.
///
/// # Errors
/// No thread can be started, or the caller is not inside a Tokio runtime.
pub(crate) async fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T> {
    let Ok(runtime) = Handle::try_current() else {
        return Err(Error::InvalidArgument("sessions must be used inside a Tokio runtime".to_owned()));
    };
    let stop = CancellationToken::new();
    let _stops_when_dropped = stop.clone().drop_guard();
    let until_stopped = move || runtime.block_on(stop.run_until_cancelled_owned(work));
    let threads = threads()?;
    // It panics when the system gives no first thread.
    let begun = catch_unwind(AssertUnwindSafe(|| threads.spawn_blocking(until_stopped)));
    let Ok(begun) = begun else {
        return Err(no_thread(std::io::Error::other("the system gives none")));
    };
    match begun.await {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Error::InvalidArgument("the statement was stopped".to_owned())),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(error) => Err(no_thread(std::io::Error::other(error))),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn depth(n: usize) -> usize {
        let frame = std::hint::black_box([n; 128]);
        if n == 0 { 0 } else { depth(n - 1) + frame[0] - n + 1 }
    }

    #[tokio::test]
    async fn deep_recursion_fits() {
        assert_eq!(call(|| depth(20_000)).unwrap(), 20_000);
        assert_eq!(run(async { depth(20_000) }).await.unwrap(), 20_000);
    }

    #[tokio::test]
    async fn a_call_on_a_deep_thread_stays_there() {
        let threads = run(async { (std::thread::current().id(), call(|| std::thread::current().id())) });
        let (outer, inner) = threads.await.unwrap();
        assert_eq!(outer, inner.unwrap());
        assert_ne!(outer, std::thread::current().id());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn more_work_than_threads_is_all_done() {
        let work = (0..4 * MAX_THREADS).map(|number| run(async move { number }));
        let sum: usize = futures::future::join_all(work).await.into_iter().map(Result::unwrap).sum();
        assert_eq!(sum, (0..4 * MAX_THREADS).sum::<usize>());
    }

    #[tokio::test]
    async fn timers_and_tasks_are_those_of_the_caller() {
        let work = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            tokio::spawn(async { 7 }).await.unwrap()
        };
        assert_eq!(run(work).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn dropping_the_future_stops_the_work() {
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let work = run(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), work).await.is_err());
        for _ in 0..500 {
            if Arc::strong_count(&alive) == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the work is still there");
    }

    #[tokio::test]
    async fn a_panic_passes_on() {
        let panicked = tokio::spawn(run(async { panic!("bug") })).await;
        assert!(panicked.is_err_and(|error| error.is_panic()));
    }

    #[test]
    fn without_a_runtime_it_is_an_error() {
        let outcome = futures::executor::block_on(run(async { 1 }));
        assert!(outcome.unwrap_err().to_string().contains("inside a Tokio runtime"));
    }
}
