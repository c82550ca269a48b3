//! The PostgreSQL wire protocol, version 3, on pgwire.
//!
//! The life of a connection: [`negotiate`] settles TLS, [`startup`] the log-in; [`frames`], [`shapes`]
//! and [`pending`] keep strangers small and the decoder safe.
//!
//! The life of a statement: [`connection`] reads a message; [`simple`] or [`extended`] takes it; [`split`] cuts it into
//! statements and checks their weight. [`statements`] recognises those about the session, which [`state`] runs, with
//! [`settings`] and [`transaction`]; [`cursor_statements`] those about [`cursors`], [`prepared`] `PREPARE` and `EXECUTE`;
//! [`copy`] is `COPY`. All others go
//! through the engine's parser and [`rewrite`] into [`session`], which plans and runs them on the CPU runtime with
//! bind values from [`params`], if [`privilege`] lets them; [`observe`] notes how long it takes. [`execute`] runs what
//! is not a plain query, for both protocols; [`encode`] writes the rows; [`cancel`] ends a statement early.

mod activity;
pub(crate) mod array_text;
mod cancel;
mod connection;
mod copy;
mod cursor;
mod cursor_statements;
mod cursors;
mod datetime;
pub(crate) mod encode;
mod engine_options;
mod execute;
mod explain;
mod extended;
mod float;
mod frames;
mod marked;
mod names;
mod negotiate;
mod numeric;
mod observe;
mod origin;
pub(crate) mod params;
mod pending;
mod place;
mod prepared;
mod prepared_run;
mod privilege;
mod rewrite;
mod session;
pub(crate) mod settings;
mod shapes;
mod simple;
mod split;
mod startup;
mod state;
mod statements;
mod tokens;
mod transaction;
pub(crate) mod types;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wayfare_engine::Engine;

use crate::auth::Users;
use crate::catalog::CatalogTemplate;
use crate::cpu::CpuRuntime;
use crate::limits::ServerLimits;
use crate::metrics::Metrics;
use crate::tls::Tls;

pub(crate) use activity::Activity;
pub(crate) use cancel::{CancelRegistry, Signalled, lock};
pub(crate) use connection::serve_connection;
pub(crate) use datetime::{DateLayout, Zone, interval_text, timestamp_text};
pub(crate) use float::{double_text, real_text};
pub(crate) use observe::Observer;
pub(crate) use state::SessionState;

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) cpu: Arc<CpuRuntime>,
    pub(crate) catalog: Arc<CatalogTemplate>,
    /// Whether sessions may write tables of the store by statements.
    pub(crate) allow_writes: bool,
    pub(crate) slots: Arc<Semaphore>,
    /// No new statements: connections end when they are idle.
    pub(crate) draining: CancellationToken,
    /// Running statements end too.
    pub(crate) stopped: CancellationToken,
    /// `None` if everybody is let in.
    pub(crate) users: Option<Users>,
    pub(crate) tls: Option<Tls>,
    pub(crate) limits: ServerLimits,
    pub(crate) pending: Arc<pending::PendingLogins>,
    pub(crate) metrics: Arc<Metrics>,
    observer: Observer,
    frames: Arc<frames::FrameLimits>,
    rewriter: Arc<rewrite::Rewriter>,
    cancels: Arc<CancelRegistry>,
}

impl Shared {
    #[expect(clippy::too_many_arguments, reason = "called once, with what the options were made into")]
    pub(crate) fn new(
        engine: Arc<Engine>,
        cpu: Arc<CpuRuntime>,
        catalog: CatalogTemplate,
        users: Option<Users>,
        tls: Option<Tls>,
        max_connections: usize,
        limits: ServerLimits,
        observer: Observer,
        allow_writes: bool,
    ) -> Self {
        let frames = frames::FrameLimits::new(limits.max_message_bytes, limits.message_budget_bytes);
        let metrics = Arc::clone(&observer.metrics);
        Self {
            engine,
            cpu,
            catalog: Arc::new(catalog),
            slots: Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS))),
            allow_writes,
            draining: CancellationToken::new(),
            stopped: CancellationToken::new(),
            users,
            tls,
            pending: Arc::new(pending::PendingLogins::new(limits.max_pending_logins)),
            limits,
            observer,
            frames: Arc::new(frames),
            rewriter: Arc::new(rewrite::Rewriter::new()),
            cancels: Arc::new(CancelRegistry::new(Arc::clone(&metrics))),
            metrics,
        }
    }
}
