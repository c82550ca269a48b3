//! One connection: its state, and the loop that reads its messages.

use std::collections::HashSet;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures::sink::Sink;
use futures::{FutureExt, SinkExt, StreamExt};
use pgwire::api::portal::Format;
use pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo, Tag};
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, NoopHandler, PgWireConnectionState, Type};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::data::DataRow;
use pgwire::messages::response::TransactionStatus;
use pgwire::messages::startup::ParameterStatus;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use pgwire::tokio::server::{process_error, process_message};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::cancel::{Cancel, ClientWatch, CurrentStatement, Interrupt, Registration, lock};
use super::frames::FrameError;
use super::negotiate::{Socket, negotiate};
use super::pending::PendingLogin;
use super::session::{Prepared, Presentation, SqlSession};
use super::settings::Settings;
use super::startup::Login;
use super::statements::{Forget, Outcome, SessionState, SessionStatement};
use super::{Shared, startup};
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
    client: Arc<ClientWatch>,
    // Set once, when the client is logged in.
    sql: OnceLock<SqlSession>,
    admission: Mutex<Option<Admission>>,
    pub(crate) login: tokio::sync::Mutex<Login>,
    // The certificate that the connection's encryption began with.
    pub(crate) identity: Option<Arc<Identity>>,
    // The portal store cannot list its statements, which DEALLOCATE ALL needs.
    pub(crate) prepared_names: Mutex<HashSet<String>>,
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
        negotiate(socket, identity.as_deref(), Arc::clone(&logged_in), Arc::clone(&shared.frames));
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
    loop {
        let logging_in = matches!(
            socket.state(),
            PgWireConnectionState::AwaitingStartup | PgWireConnectionState::AuthenticationInProgress
        );
        if !logging_in && pending.take().is_some() {
            logged_in.store(true, Ordering::Release);
        }
        let message = tokio::select! {
            biased;
            () = shared.draining.cancelled() => {
                let info = fatal_info(
                    sqlstate::ADMIN_SHUTDOWN,
                    "terminating connection due to administrator command",
                );
                return end_with(&mut socket, info).await;
            }
            () = &mut login_deadline, if logging_in => return Ok(()),
            () = evicted(pending.as_ref()) => {
                shared.metrics.evicted.add(1);
                return Ok(());
            }
            // The decoder trusts what is inside a message.
            message = AssertUnwindSafe(socket.next()).catch_unwind() => match message {
                Ok(message) => message,
                Err(_) => return end_with(&mut socket, malformed()).await,
            },
        };
        let message = match message {
            None | Some(Ok(PgWireFrontendMessage::Terminate(_))) => return Ok(()),
            Some(Ok(message)) => message,
            Some(Err(e)) => return end_with(&mut socket, broken_protocol(&e)).await,
        };
        let is_extended = message.is_extended_query();
        let processing = process_message(
            message,
            &mut socket,
            Arc::clone(&connection),
            Arc::clone(&connection),
            Arc::clone(&connection),
            Arc::new(NoopHandler),
            Arc::clone(&cancel),
        );
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
                process_error(&mut socket, user_error(info), is_extended).await?;
            }
        }
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
            FrameError::Malformed(_) | FrameError::TooLong { .. } => sqlstate::PROTOCOL_VIOLATION,
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
            shared,
            state: Arc::new(Mutex::new(SessionState::new(Settings::new("")))),
            current: Arc::new(CurrentStatement::default()),
            client: Arc::new(client),
            sql: OnceLock::new(),
            admission: Mutex::new(None),
            login: tokio::sync::Mutex::default(),
            identity,
            prepared_names: Mutex::new(HashSet::new()),
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
        Interrupt::start(
            Arc::clone(&self.current),
            shortest(lock(&self.state).settings.statement_timeout(), self.shared.limits.statement_time),
            Some(Arc::clone(&self.client)),
            self.shared.stopped.clone(),
        )
    }

    /// How results are written now, in `format`.
    pub(crate) fn presentation(&self, format: Format) -> Presentation {
        Presentation { format, options: Arc::new(lock(&self.state).settings.format_options()) }
    }

    /// Refuses `statement` if the transaction has failed and the statement does not end it.
    ///
    /// # Errors
    /// 25P02.
    pub(crate) fn check_transaction(
        &self,
        status: TransactionStatus,
        statement: &Prepared,
    ) -> PgWireResult<()> {
        if matches!(status, TransactionStatus::Error) && !statement.ends_failure() {
            return Err(error(
                sqlstate::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        Ok(())
    }

    /// Runs a statement about the session and tells the client about everything but its rows and its end.
    ///
    /// # Errors
    /// Those of [`SessionState::run`].
    pub(crate) async fn run_session_statement<C>(
        &self,
        client: &mut C,
        statement: &SessionStatement,
    ) -> PgWireResult<Outcome>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let (outcome, new_zone) = {
            let mut state = lock(&self.state);
            let zone_before = state.settings.time_zone().to_owned();
            let outcome = state.run(statement, client.transaction_status())?;
            let zone = state.settings.time_zone().to_owned();
            (outcome, (zone != zone_before).then_some(zone))
        };
        if let Some(zone) = new_zone {
            self.sql()?.set_time_zone(zone).await?;
        }
        client.set_transaction_status(outcome.status);
        if outcome.closes_portals {
            client.portal_store().clear_portals();
        }
        self.forget(client, &outcome.forgets)?;
        if let Some(notice) = &outcome.notice {
            let notice = startup::copy_info(notice);
            client.feed(PgWireBackendMessage::NoticeResponse(notice.into())).await?;
        }
        for (name, value) in &outcome.reports {
            let status = ParameterStatus::new(name.clone(), value.clone());
            client.feed(PgWireBackendMessage::ParameterStatus(status)).await?;
        }
        Ok(outcome)
    }

    fn forget<C>(&self, client: &mut C, forgets: &Forget) -> PgWireResult<()>
    where
        C: ClientPortalStore,
        C::PortalStore: PortalStore,
    {
        let mut names = lock(&self.prepared_names);
        match forgets {
            Forget::Nothing => {}
            Forget::All => {
                for name in names.drain() {
                    client.portal_store().rm_statement(&name);
                }
            }
            Forget::One(name) => {
                if !names.remove(name) {
                    return Err(error(
                        sqlstate::INVALID_SQL_STATEMENT_NAME,
                        format!("prepared statement \"{name}\" does not exist"),
                    ));
                }
                client.portal_store().rm_statement(name);
            }
        }
        Ok(())
    }
}

/// The shorter of two times of which each may be unlimited.
fn shortest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

/// The columns of a `SHOW`, all text.
pub(crate) fn text_fields(names: Vec<String>, format: FieldFormat) -> Vec<FieldInfo> {
    let field = |name| FieldInfo::new(name, None, None, Type::TEXT, format);
    names.into_iter().map(field).collect()
}

/// Encodes a row of text columns.
///
/// # Errors
/// None that text has.
pub(crate) fn text_row(fields: &Arc<Vec<FieldInfo>>, values: &[String]) -> PgWireResult<DataRow> {
    let mut encoder = DataRowEncoder::new(Arc::clone(fields));
    for value in values {
        encoder.encode_field(&value.as_str())?;
    }
    Ok(encoder.take_row())
}

/// The message that ends a statement.
pub(crate) fn complete(tag: &str, rows: Option<usize>) -> PgWireBackendMessage {
    let tag = Tag::new(tag);
    let tag = match rows {
        Some(rows) => tag.with_rows(rows),
        None => tag,
    };
    PgWireBackendMessage::CommandComplete(tag.into())
}
