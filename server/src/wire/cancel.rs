//! Cancel keys and the interruption of running statements.
//!
//! A cancel request comes over a connection of its own and names the victim by process id and secret key. It ends the
//! statement that runs at that moment, if any: the row stream is dropped, which stops the query. Keys are random; an
//! address that sends wrong ones is not listened to for a while.

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pgwire::api::cancel::CancelHandler;
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::SecretKey;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use crate::error::{error, fatal_info, sqlstate, user_error};
use crate::metrics::Metrics;

/// How often a running statement looks whether its client is still there.
const CLIENT_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Locks `mutex`. A panic of another holder leaves plain data behind that is as good as before.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wrong keys that an address may send in [`GUESS_PERIOD`]; then its requests are ignored until the period ends.
const MAX_GUESSES: u32 = 10;
const GUESS_PERIOD: Duration = Duration::from_secs(60);
/// Addresses whose guesses are counted; beyond that the counts begin anew.
const MAX_GUESSERS: usize = 10_000;

/// The connections of one server, by process id.
#[derive(Debug)]
pub(crate) struct CancelRegistry {
    connections: Mutex<HashMap<i32, Registered>>,
    guesses: Mutex<HashMap<IpAddr, Guesses>>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Guesses {
    since: Instant,
    count: u32,
}

#[derive(Debug)]
struct Registered {
    // As bytes: a cancel request does not say for which protocol version its key is, and each has its own form.
    key: Bytes,
    activity: Arc<Activity>,
    current: Arc<CurrentStatement>,
    stop: CancellationToken,
}

/// What came of a signal from one session to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signalled {
    Yes,
    NoSuchSession,
    NotAllowed,
}

impl CancelRegistry {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { connections: Mutex::default(), guesses: Mutex::default(), metrics }
    }

    /// Makes `current` reachable for cancel requests with `key`, and the session for what other sessions ask, until the
    /// guard is dropped. `stop` ends the connection.
    pub(crate) fn register(
        self: &Arc<Self>,
        key: &SecretKey,
        activity: Arc<Activity>,
        current: Arc<CurrentStatement>,
        stop: CancellationToken,
    ) -> Registration {
        let pid = activity.pid;
        lock(&self.connections).insert(pid, Registered { key: key.to_bytes(), activity, current, stop });
        Registration { registry: Arc::clone(self), pid }
    }

    /// What all sessions do, by process id.
    pub(crate) fn activities(&self) -> Vec<Arc<Activity>> {
        let connections = lock(&self.connections);
        let mut all: Vec<_> = connections.values().map(|found| Arc::clone(&found.activity)).collect();
        all.sort_by_key(|activity| activity.pid);
        all
    }

    /// Cancels what runs in session `pid`, which must be one of `user` too unless that user `administers`; ends the
    /// session itself if `terminate`.
    pub(crate) fn signal(&self, pid: i32, user: &str, administers: bool, terminate: bool) -> Signalled {
        let (current, stop) = match lock(&self.connections).get(&pid) {
            None => return Signalled::NoSuchSession,
            Some(found) if found.activity.user != user && !administers => return Signalled::NotAllowed,
            Some(found) => (Arc::clone(&found.current), found.stop.clone()),
        };
        if terminate {
            stop.cancel()
        } else {
            current.cancel()
        }
        Signalled::Yes
    }

    /// Cancels what runs on connection `pid` if `key` is its key; says nothing otherwise, as PostgreSQL.
    fn cancel(&self, peer: IpAddr, pid: i32, key: &SecretKey, now: Instant) {
        self.metrics.cancel_requests.add(1);
        if self.guesses_too_much(peer, now) {
            return;
        }
        let connection = lock(&self.connections)
            .get(&pid)
            .map(|registered| (same_key(&registered.key, &key.to_bytes()), Arc::clone(&registered.current)));
        match connection {
            Some((true, current)) => current.cancel(),
            Some((false, _)) => self.count_guess(peer, now),
            // The connection may have ended since.
            None => {}
        }
    }

    fn guesses_too_much(&self, peer: IpAddr, now: Instant) -> bool {
        let mut guesses = lock(&self.guesses);
        match guesses.get(&peer) {
            Some(of_peer) if now < of_peer.since + GUESS_PERIOD => of_peer.count >= MAX_GUESSES,
            Some(_) => {
                guesses.remove(&peer);
                false
            }
            None => false,
        }
    }

    fn count_guess(&self, peer: IpAddr, now: Instant) {
        self.metrics.wrong_cancel_keys.add(1);
        let mut guesses = lock(&self.guesses);
        if guesses.len() >= MAX_GUESSERS && !guesses.contains_key(&peer) {
            guesses.clear();
        }
        let of_peer = guesses.entry(peer).or_insert(Guesses { since: now, count: 0 });
        of_peer.count += 1;
        if of_peer.count == MAX_GUESSES {
            tracing::warn!(%peer, "wrong cancel keys: ignoring cancel requests of this address for a minute");
        }
    }
}

/// Compares in a time that does not tell how much of a guess is right.
fn same_key(expected: &[u8], guess: &[u8]) -> bool {
    let difference = expected.iter().zip(guess).fold(0, |all, (a, b)| all | (a ^ b));
    expected.len() == guess.len() && difference == 0
}

/// Removes a connection from the registry when dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<CancelRegistry>,
    pid: i32,
}

impl Drop for Registration {
    fn drop(&mut self) {
        lock(&self.registry.connections).remove(&self.pid);
    }
}

/// Answers cancel requests.
#[derive(Debug)]
pub(crate) struct Cancel {
    pub(crate) registry: Arc<CancelRegistry>,
    /// Where the request comes from.
    pub(crate) peer: IpAddr,
}

#[async_trait]
impl CancelHandler for Cancel {
    async fn on_cancel_request(&self, request: CancelRequest) {
        self.registry.cancel(self.peer, request.pid, &request.secret_key, Instant::now());
    }
}

/// The statement that a connection runs, if any.
#[derive(Debug, Default)]
pub(crate) struct CurrentStatement {
    cancel: Mutex<Option<CancellationToken>>,
}

impl CurrentStatement {
    fn start(&self) -> CancellationToken {
        let token = CancellationToken::new();
        *lock(&self.cancel) = Some(token.clone());
        token
    }

    /// Ends the running statement with 57014; nothing if none runs.
    pub(crate) fn cancel(&self) {
        if let Some(token) = lock(&self.cancel).as_ref() {
            token.cancel();
        }
    }

    fn finish(&self) {
        *lock(&self.cancel) = None;
    }
}

/// Everything that may end a statement before its own end. Lives as long as the statement runs.
#[derive(Debug)]
pub(crate) struct Interrupt {
    current: Arc<CurrentStatement>,
    cancel: CancellationToken,
    deadline: Option<Instant>,
    client: Option<Arc<ClientWatch>>,
    stop: CancellationToken,
}

impl Interrupt {
    /// Starts a statement. `stop` is the hard end of a shutdown.
    pub(crate) fn start(
        current: Arc<CurrentStatement>,
        timeout: Option<Duration>,
        client: Option<Arc<ClientWatch>>,
        stop: CancellationToken,
    ) -> Self {
        let cancel = current.start();
        Self { current, cancel, deadline: timeout.map(|timeout| Instant::now() + timeout), client, stop }
    }

    /// Waits for `work`, or fails as soon as the statement is interrupted; `work` is dropped then.
    pub(crate) async fn guard<F: Future>(&self, work: F) -> PgWireResult<F::Output> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(cancelled()),
            () = self.stop.cancelled() => Err(shut_down()),
            () = until(self.deadline) => Err(timed_out()),
            () = client_gone(self.client.as_deref()) => Err(PgWireError::IoError(
                std::io::ErrorKind::ConnectionAborted.into(),
            )),
            output = work => Ok(output),
        }
    }

    /// The check of [`Self::guard`] without waiting, for loops that always have work.
    pub(crate) fn check(&self) -> PgWireResult<()> {
        if self.cancel.is_cancelled() {
            return Err(cancelled());
        }
        if self.stop.is_cancelled() {
            return Err(shut_down());
        }
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(timed_out());
        }
        Ok(())
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.current.finish();
    }
}

fn cancelled() -> PgWireError {
    error(sqlstate::QUERY_CANCELED, "canceling statement due to user request")
}

fn timed_out() -> PgWireError {
    error(sqlstate::QUERY_CANCELED, "canceling statement due to statement timeout")
}

fn shut_down() -> PgWireError {
    user_error(terminated())
}

/// Why a session ends that did not end itself.
pub(crate) fn terminated() -> ErrorInfo {
    fatal_info(sqlstate::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn client_gone(client: Option<&ClientWatch>) {
    match client {
        Some(client) => client.closed().await,
        None => std::future::pending().await,
    }
}

/// A second handle on a connection's socket that only looks whether the other end has closed it.
///
/// The message loop does not read while a statement runs, so it would notice a vanished client only at its next
/// write, which a long aggregate may not reach for hours.
#[derive(Debug)]
pub(crate) struct ClientWatch {
    socket: TcpStream,
}

impl ClientWatch {
    /// Splits a watch off `socket`.
    ///
    /// # Errors
    /// The operating system gives no second handle.
    pub(crate) fn split(socket: TcpStream) -> std::io::Result<(TcpStream, Self)> {
        let socket = socket.into_std()?;
        let twin = socket.try_clone()?;
        Ok((TcpStream::from_std(socket)?, Self { socket: TcpStream::from_std(twin)? }))
    }

    /// Returns when the other end has closed its sending side.
    async fn closed(&self) {
        loop {
            match self.socket.ready(Interest::READABLE).await {
                Ok(ready) if ready.is_read_closed() => return,
                // Readable stays set while unread messages wait, so look again later.
                Ok(_) => tokio::time::sleep(CLIENT_CHECK_INTERVAL).await,
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::settings::Settings;
    use crate::wire::state::SessionState;

    fn session(pid: i32, user: &str) -> Arc<Activity> {
        let state = Arc::new(Mutex::new(SessionState::new(Settings::new(user))));
        Arc::new(Activity::new(pid, user.to_owned(), ([127, 0, 0, 1], 1).into(), false, state))
    }

    #[tokio::test]
    async fn only_the_right_key_cancels_and_only_a_running_statement() {
        let registry = Arc::new(CancelRegistry::new(Arc::default()));
        let (peer, now) = (IpAddr::from([192, 0, 2, 1]), Instant::now());
        let current = Arc::new(CurrentStatement::default());
        let stop = CancellationToken::new();
        let registration =
            registry.register(&SecretKey::I32(1), session(7, "ana"), Arc::clone(&current), stop.clone());
        assert_eq!(registry.activities()[0].user, "ana");

        registry.cancel(peer, 7, &SecretKey::I32(1), now); // nothing runs
        let interrupt = Interrupt::start(Arc::clone(&current), None, None, CancellationToken::new());
        registry.cancel(peer, 7, &SecretKey::I32(2), now);
        registry.cancel(peer, 8, &SecretKey::I32(1), now);
        assert!(interrupt.check().is_ok());
        registry.cancel(peer, 7, &SecretKey::I32(1), now);
        assert!(interrupt.check().unwrap_err().to_string().contains("57014"));
        let waited = interrupt.guard(std::future::pending::<()>()).await;
        assert!(waited.is_err());

        assert_eq!(registry.signal(8, "ana", false, true), Signalled::NoSuchSession);
        assert_eq!(registry.signal(7, "ben", false, true), Signalled::NotAllowed);
        assert!(!stop.is_cancelled());
        assert_eq!(registry.signal(7, "ana", false, true), Signalled::Yes);
        assert!(stop.is_cancelled());
        drop((interrupt, registration));
        assert!(lock(&registry.connections).is_empty());
    }

    #[tokio::test]
    async fn an_address_that_guesses_is_not_heard_for_a_while() {
        let registry = Arc::new(CancelRegistry::new(Arc::default()));
        let current = Arc::new(CurrentStatement::default());
        let _registration = registry.register(
            &SecretKey::I32(1),
            session(7, "ana"),
            Arc::clone(&current),
            CancellationToken::new(),
        );
        let interrupt = Interrupt::start(current, None, None, CancellationToken::new());
        let (guesser, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let now = Instant::now();
        for key in 2..20 {
            registry.cancel(guesser, 7, &SecretKey::I32(key), now);
        }
        registry.cancel(guesser, 7, &SecretKey::I32(1), now);
        assert!(interrupt.check().is_ok());
        // Connections that have ended are no guesses.
        for pid in 100..200 {
            registry.cancel(other, pid, &SecretKey::I32(1), now);
        }
        let now = now + GUESS_PERIOD;
        registry.cancel(guesser, 7, &SecretKey::I32(1), now);
        assert!(interrupt.check().is_err());
    }

    #[tokio::test]
    async fn the_deadline_ends_a_wait() {
        let current = Arc::new(CurrentStatement::default());
        let timeout = Some(Duration::from_millis(10));
        let interrupt = Interrupt::start(current, timeout, None, CancellationToken::new());
        let waited = interrupt.guard(std::future::pending::<()>()).await;
        assert!(waited.unwrap_err().to_string().contains("statement timeout"));
    }

    #[tokio::test]
    async fn a_vanished_client_is_noticed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let (_server, watch) = ClientWatch::split(server).unwrap();
        client.try_write(b"unread").unwrap();
        drop(client);
        tokio::time::timeout(Duration::from_secs(5), watch.closed()).await.unwrap();
    }
}
