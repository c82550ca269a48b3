//! One connection: its state, and the loop that reads its messages.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures::{FutureExt, SinkExt, StreamExt};
use pgwire::api::portal::Format;
use pgwire::api::{ClientInfo, NoopHandler, PgWireConnectionState};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::response::TransactionStatus;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use pgwire::tokio::server::{process_error, process_message};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::cancel::{Cancel, ClientWatch, CurrentStatement, Interrupt, Registration, lock, terminated};
use super::copy::ActiveCopy;
use super::cursors::Cursors;
use super::frames::FrameError;
use super::negotiate::{Socket, negotiate};
use super::pending::PendingLogin;
use super::session::{Presentation, SqlSession};
use super::settings::Settings;
use super::startup::Login;
use super::state::SessionState;
use crate::cpu::CpuTaskError;
use crate::error::{error, fatal_info, from_cpu, sqlstate, user_error};
use crate::metrics::Metrics;
use crate::tls::{Identity, Tls};

/// Bytes of answers that gather before they are written to the socket.
const WRITE_BUFFER_BYTES: usize = 64 << 10;

/// The state of one connection. Shared by its message handlers, used by one of them at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) state: Arc<Mutex<SessionState>>,
    pub(crate) current: Arc<CurrentStatement>,
    /// Ends the connection: at the hard end of a shutdown, or as another session asks.
    pub(crate) stop: CancellationToken,
    pub(super) cursors: Mutex<Cursors>,
    /// A copy that has begun since the last message.
    pub(super) begun_copy: Mutex<Option<ActiveCopy>>,
    client: Arc<ClientWatch>,
    // Set once, when the client is logged in.
    sql: OnceLock<SqlSession>,
    admission: Mutex<Option<Admission>>,
    pub(crate) login: tokio::sync::Mutex<Login>,
    // The certificate that the connection's encryption began with.
    pub(crate) identity: Option<Arc<Identity>>,
}

/// What a logged-in connection holds until it ends.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) _slot: OwnedSemaphorePermit,
    pub(crate) _registration: Registration,
    pub(crate) _session: CountedSession,
}

/// A session that the metrics count.
#[derive(Debug)]
pub(crate) struct CountedSession(Arc<Metrics>);

impl CountedSession {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        metrics.sessions.add(1);
        Self(metrics)
    }
}

impl Drop for CountedSession {
    fn drop(&mut self) {
        self.0.sessions.add(-1);
    }
}

/// Serves one connection until the client leaves, breaks the protocol, or the server shuts down.
///
/// # Errors
/// The socket fails.
pub(crate) async fn serve_connection(socket: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    shared.metrics.connections.add(1);
    let peer = socket.peer_addr()?.ip();
    let pending = shared.pending.enter();
    let (socket, watch) = ClientWatch::split(socket)?;
    let login_deadline = tokio::time::sleep(shared.limits.login_time);
    tokio::pin!(login_deadline);
    let identity = shared.tls.as_ref().map(Tls::current);
    let logged_in = Arc::new(AtomicBool::new(false));
    let negotiating =
        Box::pin(negotiate(socket, identity.as_deref(), Arc::clone(&logged_in), Arc::clone(&shared.frames)));
    let negotiated = tokio::select! {
        () = &mut login_deadline => return Ok(()),
        () = pending.evicted() => {
            shared.metrics.evicted.add(1);
            return Ok(());
        }
        () = shared.draining.cancelled() => return Ok(()),
        negotiated = negotiating => negotiated?,
    };
    let Some(mut socket) = negotiated else {
        return Ok(());
    };
    socket.set_backpressure_boundary(WRITE_BUFFER_BYTES);

    let connection = Arc::new(Connection::new(Arc::clone(&shared), watch, identity));
    let cancel = Arc::new(Cancel { registry: Arc::clone(&shared.cancels), peer });
    let mut pending = Some(pending);
    let mut copy: Option<ActiveCopy> = None;
    // Whether the client has more to say before it waits for an answer.
    let mut in_pipeline = false;
    loop {
        let logging_in = matches!(
            socket.state(),
            PgWireConnectionState::AwaitingStartup | PgWireConnectionState::AuthenticationInProgress
        );
        if !logging_in && pending.take().is_some() {
            logged_in.store(true, Ordering::Release);
        }
        let idle = connection.idle_limit(&socket, copy.is_some());
        let received = tokio::select! {
            biased;
            () = shared.draining.cancelled(), if copy.is_none() && !in_pipeline => {
                return end_with(&mut socket, terminated()).await;
            }
            () = connection.stop.cancelled() => return end_with(&mut socket, terminated()).await,
            () = &mut login_deadline, if logging_in => return Ok(()),
            failure = copy_ended(copy.as_mut()) => Err(failure),
            info = idle_too_long(idle) => return end_with(&mut socket, info).await,
            () = evicted(pending.as_ref()) => {
                shared.metrics.evicted.add(1);
                return Ok(());
            }
            // The decoder trusts what is inside a message.
            message = AssertUnwindSafe(socket.next()).catch_unwind() => match message {
                Ok(message) => Ok(message),
                Err(_) => return end_with(&mut socket, malformed()).await,
            },
        };
        let message = match received {
            Err(failure) => Err(failure),
            Ok(None | Some(Ok(PgWireFrontendMessage::Terminate(_)))) => return Ok(()),
            Ok(Some(Err(e))) => return end_with(&mut socket, broken_protocol(&e)).await,
            Ok(Some(Ok(message))) => Ok(message),
        };
        let active = copy.take();
        if let Ok(message) = &message {
            let ends = matches!(message, PgWireFrontendMessage::Sync(_));
            in_pipeline = message.is_extended_query() && !ends;
        }
        let is_extended = match (&active, &message) {
            (Some(active), _) => active.rest.is_none(),
            (None, Ok(message)) => message.is_extended_query(),
            (None, Err(_)) => false,
        };
        // On the heap: it is large, and moved several times.
        let processing = Box::pin(async {
            let message = message?;
            if let Some(active) = active {
                return connection.copy_message(&mut socket, active, message).await;
            }
            process_message(
                message,
                &mut socket,
                Arc::clone(&connection),
                Arc::clone(&connection),
                Arc::clone(&connection),
                Arc::new(NoopHandler),
                Arc::clone(&cancel),
            )
            .await?;
            Ok(None)
        });
        let outcome = if logging_in {
            tokio::select! {
                () = &mut login_deadline => return Ok(()),
                outcome = AssertUnwindSafe(processing).catch_unwind() => outcome,
            }
        } else {
            AssertUnwindSafe(processing).catch_unwind().await
        };
        let Ok(outcome) = outcome else {
            // What the client was told so far is not known.
            let mut info = from_cpu(CpuTaskError::Panicked);
            "FATAL".clone_into(&mut info.severity);
            info.severity_nonlocalized = Some("FATAL".to_owned());
            shared.metrics.error(&info.code);
            return end_with(&mut socket, info).await;
        };
        let outcome = outcome.map(|active| copy = active);
        if copy.is_none() {
            copy = lock(&connection.begun_copy).take();
        }
        match outcome {
            Ok(()) => {}
            // The client is gone: nobody to tell.
            Err(PgWireError::IoError(e)) => return Err(e),
            Err(failure) => {
                let info = ErrorInfo::from(failure);
                shared.metrics.error(&info.code);
                // Neither statements nor messages are logged: both may hold personal data.
                tracing::debug!(code = info.code, "statement failed");
                if info.is_fatal() {
                    return end_with(&mut socket, info).await;
                }
                copy = None;
                connection.statement_failed(&mut socket).await;
                process_error(&mut socket, user_error(info), is_extended).await?;
            }
        }
    }
}

/// Resolves when a copy ends before its data does.
async fn copy_ended(copy: Option<&mut ActiveCopy>) -> PgWireError {
    match copy {
        Some(copy) => copy.ended().await,
        None => std::future::pending().await,
    }
}

async fn idle_too_long(limit: Option<(Duration, ErrorInfo)>) -> ErrorInfo {
    match limit {
        Some((limit, info)) => {
            tokio::time::sleep(limit).await;
            info
        }
        None => std::future::pending().await,
    }
}

async fn evicted(pending: Option<&PendingLogin>) {
    match pending {
        Some(pending) => pending.evicted().await,
        None => std::future::pending().await,
    }
}

fn broken_protocol(failure: &PgWireError) -> ErrorInfo {
    if let PgWireError::IoError(error) = failure
        && let Some(frame) = error.get_ref().and_then(|inner| inner.downcast_ref::<FrameError>())
    {
        let code = match frame {
            FrameError::Busy => sqlstate::OUT_OF_MEMORY,
            FrameError::Malformed(_) | FrameError::Misshapen | FrameError::TooLong { .. } => {
                sqlstate::PROTOCOL_VIOLATION
            }
        };
        return fatal_info(code, frame.to_string());
    }
    fatal_info(sqlstate::PROTOCOL_VIOLATION, format!("invalid message from the client: {failure}"))
}

fn malformed() -> ErrorInfo {
    fatal_info(
        sqlstate::PROTOCOL_VIOLATION,
        "invalid message from the client: its content does not fit its length",
    )
}

/// Tells the client why, and closes.
async fn end_with(socket: &mut Socket, info: ErrorInfo) -> io::Result<()> {
    socket.send(PgWireBackendMessage::ErrorResponse(info.into())).await?;
    socket.close().await
}

impl Connection {
    fn new(shared: Arc<Shared>, client: ClientWatch, identity: Option<Arc<Identity>>) -> Self {
        Self {
            state: Arc::new(Mutex::new(SessionState::new(Settings::new("")))),
            current: Arc::new(CurrentStatement::default()),
            stop: shared.stopped.child_token(),
            shared,
            cursors: Mutex::default(),
            begun_copy: Mutex::default(),
            client: Arc::new(client),
            sql: OnceLock::new(),
            admission: Mutex::new(None),
            login: tokio::sync::Mutex::default(),
            identity,
        }
    }

    /// Keeps what the log-in gave.
    pub(crate) fn admit(&self, sql: SqlSession, admission: Admission) {
        *lock(&self.admission) = Some(admission);
        // A second log-in on one connection does not happen: the protocol state forbids it.
        let _ = self.sql.set(sql);
    }

    /// The engine session.
    ///
    /// # Errors
    /// 08P01 before the log-in.
    pub(crate) fn sql(&self) -> PgWireResult<&SqlSession> {
        self.sql.get().ok_or_else(|| error(sqlstate::PROTOCOL_VIOLATION, "not logged in"))
    }

    /// Marks the begin of a statement that can be cancelled until the value is dropped.
    pub(crate) fn interrupt(&self) -> Interrupt {
        self.interrupt_of(Some(Arc::clone(&self.client)))
    }

    /// As [`Self::interrupt`], for a statement that reads the socket, and so notices itself that the client has gone.
    pub(crate) fn interrupt_of_copy(&self) -> Interrupt {
        self.interrupt_of(None)
    }

    fn interrupt_of(&self, client: Option<Arc<ClientWatch>>) -> Interrupt {
        let asked = lock(&self.state).settings.statement_timeout();
        let timeout = shortest(asked, self.shared.limits.statement_time);
        Interrupt::start(Arc::clone(&self.current), timeout, client, self.stop.clone())
    }

    /// How long the client may leave the session waiting, and why it ends then.
    fn idle_limit(&self, socket: &Socket, copies: bool) -> Option<(Duration, ErrorInfo)> {
        if copies || self.sql.get().is_none() {
            return None;
        }
        let state = lock(&self.state);
        if matches!(socket.transaction_status(), TransactionStatus::Idle) {
            let message = "terminating connection due to idle-session timeout";
            let limit = state.settings.idle_timeout()?;
            return Some((limit, fatal_info(sqlstate::IDLE_SESSION_TIMEOUT, message)));
        }
        let message = "terminating connection due to idle-in-transaction timeout";
        let limit = state.settings.idle_in_transaction_timeout()?;
        Some((limit, fatal_info(sqlstate::IDLE_IN_TRANSACTION_SESSION_TIMEOUT, message)))
    }

    /// How results are written now, in `format`.
    pub(crate) fn presentation(&self, format: Format) -> Presentation {
        Presentation { format, options: Arc::new(lock(&self.state).settings.format_options()) }
    }
}

/// The shorter of two times of which each may be unlimited.
fn shortest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}
