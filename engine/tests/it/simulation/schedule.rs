//! Actors that take turns by a seed.
//!
//! An actor runs alone, on the thread of its seed, until it calls the object store; then any actor may be the next. So
//! the order of all calls follows from the seed, and processes that stand still or are killed are nothing but turns
//! that are not given. Calls that Delta makes on threads of its own belong to the turn of the actor that waits for them.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// How long an actor may wait for another thread in one turn.
const STUCK: Duration = Duration::from_secs(60);
/// Of a hundred turns, those after which an actor stands still, and for how many turns of others at most.
const STALLS: u64 = 4;
const MOST_STALLED: u64 = 60;

/// Random numbers from a seed (splitmix64).
#[derive(Debug)]
pub struct Random(Mutex<u64>);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// A number below `limit`.
    pub fn below(&self, limit: u64) -> u64 {
        let mut state = self.0.lock().expect("no panic");
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// Whether something happens that happens so often in a thousand times.
    pub fn happens(&self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }
}

thread_local! {
    /// Whether this thread is polling an actor.
    static IN_TURN: Cell<bool> = const { Cell::new(false) };
    /// Whether that actor has come to the end of its turn.
    static AT_GATE: Cell<bool> = const { Cell::new(false) };
}

/// Ends the turn of the actor that calls this; anybody else goes on.
pub async fn gate() {
    let mut is_passed = !IN_TURN.get();
    poll_fn(|context| {
        if is_passed {
            return Poll::Ready(());
        }
        is_passed = true;
        AT_GATE.set(true);
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What `work` gives, or `None` if its process is killed at one of its calls.
pub async fn or_killed<T>(work: impl Future<Output = T>, random: &Random, per_mille: u64) -> Option<T> {
    let mut work = Some(Box::pin(work));
    poll_fn(|context| {
        let Some(running) = work.as_mut() else { return Poll::Ready(None) };
        match running.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if AT_GATE.get() && random.happens(per_mille) => {
                work = None;
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// One that takes part.
pub type Actor<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Gives turns until all actors have ended.
pub fn run(actors: Vec<Actor<'_>>, random: &Random) {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    // Each with the turn from which on it may go on.
    let mut live: Vec<(Actor<'_>, u64)> = actors.into_iter().map(|actor| (actor, 0)).collect();
    let mut turn = 0;
    while !live.is_empty() {
        turn += 1;
        let awake: Vec<usize> = (0..live.len()).filter(|index| live[*index].1 <= turn).collect();
        if awake.is_empty() {
            continue;
        }
        let index = awake[random.below(awake.len() as u64) as usize];
        let (actor, asleep_until) = &mut live[index];
        if is_over(actor, &waker) {
            drop(live.swap_remove(index));
        } else if random.below(100) < STALLS {
            *asleep_until = turn + random.below(MOST_STALLED);
        }
    }
}

/// Gives one turn; whether the actor has ended.
fn is_over(actor: &mut Actor<'_>, waker: &Waker) -> bool {
    loop {
        AT_GATE.set(false);
        IN_TURN.set(true);
        let polled = actor.as_mut().poll(&mut Context::from_waker(waker));
        IN_TURN.set(false);
        if polled.is_ready() {
            return true;
        }
        if AT_GATE.get() {
            return false;
        }
        let waited = std::time::Instant::now();
        std::thread::park_timeout(STUCK);
        assert!(waited.elapsed() < STUCK, "an actor waits for ever");
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
