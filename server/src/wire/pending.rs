//! Connections that are not logged in yet: few at a time, and the newest first.
//!
//! Anybody can open a connection and say nothing. When there are too many of those, the oldest one ends: a client that
//! does log in takes milliseconds and is let in however many of the others there are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::cancel::lock;

/// The connections of a server that are not logged in.
#[derive(Debug)]
pub(crate) struct PendingLogins {
    limit: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    // By age.
    connections: BTreeMap<u64, CancellationToken>,
}

impl PendingLogins {
    /// At most `limit` at a time, at least one.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), waiting: Mutex::default() }
    }

    /// Counts a new connection until the value is dropped, and ends the oldest one if there are too many.
    pub(crate) fn enter(self: &Arc<Self>) -> PendingLogin {
        let mut waiting = lock(&self.waiting);
        while waiting.connections.len() >= self.limit {
            let Some((_, oldest)) = waiting.connections.pop_first() else { break };
            oldest.cancel();
        }
        let number = waiting.next;
        waiting.next += 1;
        let ended = CancellationToken::new();
        waiting.connections.insert(number, ended.clone());
        PendingLogin { all: Arc::clone(self), number, ended }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        lock(&self.waiting).connections.len()
    }
}

/// A connection that is not logged in.
#[derive(Debug)]
pub(crate) struct PendingLogin {
    all: Arc<PendingLogins>,
    number: u64,
    ended: CancellationToken,
}

impl PendingLogin {
    /// Waits until newer connections took the place.
    pub(crate) async fn evicted(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for PendingLogin {
    fn drop(&mut self) {
        lock(&self.all.waiting).connections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let all = Arc::new(PendingLogins::new(2));
        let (first, second) = (all.enter(), all.enter());
        let third = all.enter();
        let ended = [&first, &second, &third].map(|login| login.ended.is_cancelled());
        assert_eq!(ended, [true, false, false]);
        drop(second);
        let fourth = all.enter();
        assert!(!third.ended.is_cancelled() && !fourth.ended.is_cancelled());
        assert_eq!(all.count(), 2);
        drop((first, third, fourth));
        assert_eq!(all.count(), 0);
    }
}
