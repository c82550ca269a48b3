//! Wayfare over the PostgreSQL protocol.
//!
//! [`serve`] listens, accepts and serves until it is told to stop. Each connection has its own engine session. Sockets
//! are polled on the runtime that calls [`serve`]; statements are planned and executed on a second one ([`cpu`]).
//! The life of a statement is told in [`wire`]. This crate holds no SQL semantics: those are the engine's.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use wayfare_engine::{Engine, EngineConfig};
//! use wayfare_server::{ServeOptions, serve};
//!
//! let engine = Arc::new(Engine::open(EngineConfig::default()).await?);
//! let stop = async { let _ = tokio::signal::ctrl_c().await; };
//! serve(engine, ServeOptions::default(), stop).await?;
//! # Ok(())
//! # }
//! ```

pub mod auth;
mod catalog;
pub mod cpu;
pub mod error;
mod free_memory;
pub mod limits;
mod metrics;
mod monitor;
mod postgres;
mod reload;
pub mod tls;
mod wire;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use wayfare_engine::{Engine, SessionOptions};

use crate::auth::{Access, Users};
use crate::catalog::CatalogTemplate;
use crate::cpu::CpuRuntime;
use crate::limits::ServerLimits;
use crate::tls::{Tls, TlsError, TlsMode, TlsOptions};
use crate::wire::{Observer, Shared, serve_connection};

/// Port of the server unless another is asked for: PostgreSQL's plus one, so that both can run.
pub const DEFAULT_PORT: u16 = 5433;
/// Pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How a server runs.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where to listen. Beyond the loopback address only with [`Access::Users`] and [`TlsMode::Require`].
    pub listen: SocketAddr,
    /// Who may connect.
    pub access: Access,
    /// Encryption; none if `None`.
    pub tls: Option<TlsOptions>,
    /// Where metrics and health are answered over HTTP: a loopback address; nowhere if `None`.
    pub monitor: Option<SocketAddr>,
    /// Statements that take longer are logged, without their literals; none if `None`.
    pub slow_statement: Option<Duration>,
    /// Threads for planning and running statements.
    pub cpu_threads: usize,
    /// Logged-in connections at the same time; more are refused with 53300.
    pub max_connections: usize,
    /// What else clients may take.
    pub limits: ServerLimits,
    /// Without users, whether `INSERT` and `CREATE TABLE` of clients change the store. If not, the first is refused and
    /// the second makes a table of the session. With users it depends on their roles.
    pub allow_writes: bool,
    /// How long running statements may go on after a shutdown began.
    pub shutdown_grace: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            cpu_threads: std::thread::available_parallelism().map_or(2, usize::from),
            access: Access::default(),
            tls: None,
            monitor: None,
            slow_statement: None,
            max_connections: 1_000,
            limits: ServerLimits::default(),
            allow_writes: false,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// Why a server could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}: stop what uses the port or choose another one", .source)]
    Listen { address: SocketAddr, source: io::Error },
    /// Whoever reaches the address could read everything, or read along.
    #[error(
        "refusing to listen on {address}, which other machines can reach, without {missing}: {advice}, or listen on 127.0.0.1"
    )]
    Exposed { address: SocketAddr, missing: &'static str, advice: &'static str },
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address for metrics can be reached from elsewhere.
    #[error(
        "refusing to answer metrics on {address}, which other machines can reach: use a loopback address"
    )]
    ExposedMonitor { address: SocketAddr },
    /// The system gives no random numbers.
    #[error("the system has no random numbers")]
    Random,
    /// The threads for statements cannot be started.
    #[error("cannot start the threads that run statements")]
    Threads(#[source] io::Error),
    /// The system catalog in the binary is damaged.
    #[error("cannot read the built-in system catalog")]
    Catalog(#[source] datafusion::error::DataFusionError),
}

/// A server that listens, but does not accept yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    shutdown_grace: Duration,
    monitor: Option<(TcpListener, SocketAddr)>,
}

/// Serves `engine` until `shutdown` completes.
///
/// # Errors
/// Those of [`Server::bind`].
pub async fn serve(
    engine: Arc<Engine>,
    options: ServeOptions,
    shutdown: impl Future,
) -> Result<(), ServeError> {
    Server::bind(engine, options).await?.run(shutdown).await;
    Ok(())
}

impl Server {
    /// Listens on the address of `options`. With port 0 the system chooses one: see [`Self::local_addr`].
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn bind(engine: Arc<Engine>, options: ServeOptions) -> Result<Self, ServeError> {
        check_exposure(&options)?;
        let tls = options.tls.clone().map(Tls::open).transpose()?;
        let listen_on = |address| move |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(options.listen).await.map_err(listen_on(options.listen))?;
        let address = listener.local_addr().map_err(listen_on(options.listen))?;
        let monitor = match options.monitor {
            Some(address) => Some(monitor::bind(address).await.map_err(listen_on(address))?),
            None => None,
        };
        let cpu = CpuRuntime::new(options.cpu_threads).map_err(ServeError::Threads)?;
        let session =
            engine.session(&SessionOptions::default()).map_err(|e| ServeError::Catalog(e.into()))?;
        let catalog = CatalogTemplate::new(&session).map_err(ServeError::Catalog)?;
        let users = match options.access {
            Access::Anyone => None,
            Access::Users => Some(Users::new(Arc::clone(&engine)).map_err(|_| ServeError::Random)?),
        };
        let observer = Observer { metrics: Arc::default(), slow: options.slow_statement };
        let shared = Shared::new(
            engine,
            Arc::new(cpu),
            catalog,
            users,
            tls,
            options.max_connections,
            options.limits,
            observer,
            options.allow_writes,
        );
        Ok(Self {
            listener,
            address,
            shared: Arc::new(shared),
            shutdown_grace: options.shutdown_grace,
            monitor,
        })
    }

    /// Where metrics and health are answered.
    pub fn monitor_addr(&self) -> Option<SocketAddr> {
        self.monitor.as_ref().map(|(_, address)| *address)
    }

    /// Where the server listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts and serves connections until `shutdown` completes.
    ///
    /// Then no more connections are accepted, idle ones are closed with 57P01, and running statements may go on for
    /// the grace period before they are ended with 57P01 too.
    pub async fn run(self, shutdown: impl Future) {
        let Self { listener, address, shared, shutdown_grace, monitor } = self;
        tracing::info!(%address, "listening");
        tokio::pin!(shutdown);
        let mut helpers = JoinSet::new();
        helpers.spawn(reload::run(Arc::clone(&shared)));
        helpers.spawn(free_memory::run(Arc::clone(&shared.metrics)));
        if let Some((listener, address)) = monitor {
            tracing::info!(%address, "answering metrics and health");
            helpers.spawn(monitor::run(listener, Arc::clone(&shared)));
        }
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                _ = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((socket, peer)) => {
                        let shared = Arc::clone(&shared);
                        connections.spawn(async move {
                            if let Err(error) = serve_connection(socket, shared).await {
                                tracing::debug!(%peer, %error, "connection lost");
                            }
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        tracing::info!(connections = connections.len(), "shutting down");
        shared.draining.cancel();
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(shutdown_grace, drained).await.is_err() {
            shared.stopped.cancel();
            // Statements end at once now; what is left waits for a client that does not read.
            let ended = async { while connections.join_next().await.is_some() {} };
            if tokio::time::timeout(Duration::from_secs(1), ended).await.is_err() {
                connections.shutdown().await;
            }
        }
    }
}

/// Refuses to be reachable from other machines without knowing who connects and without hiding what is said.
fn check_exposure(options: &ServeOptions) -> Result<(), ServeError> {
    let address = options.listen;
    let exposed = |missing, advice| Err(ServeError::Exposed { address, missing, advice });
    if !address.ip().is_loopback() {
        if options.access != Access::Users {
            return exposed("passwords", "leave out --no-auth");
        }
        if options.tls.as_ref().is_none_or(|tls| tls.mode != TlsMode::Require) {
            return exposed("encryption", "use --tls require with --tls-cert and --tls-key");
        }
    }
    match options.monitor {
        Some(address) if !address.ip().is_loopback() => Err(ServeError::ExposedMonitor { address }),
        _ => Ok(()),
    }
}
