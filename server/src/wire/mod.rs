//! The PostgreSQL wire protocol, version 3, on pgwire.
//!
//! The life of a statement: [`connection`] reads a message; [`simple`] or [`extended`] takes it; [`split`] cuts it into
//! statements and checks their weight. [`statements`] recognises those about the session, which [`state`] runs, with
//! [`settings`] and [`transaction`]; [`cursor_statements`] those about [`cursors`]; [`copy`] is `COPY`. All others go
//! through the engine's parser and [`rewrite`] into [`session`], which plans and runs them on the CPU runtime with
//! bind values from [`params`]. [`execute`] runs what is not a plain query, for both protocols; [`encode`] writes the
//! rows; [`cancel`] ends a statement early.

mod cancel;
mod connection;
mod copy;
mod cursor;
mod cursor_statements;
mod cursors;
mod datetime;
pub(crate) mod encode;
mod execute;
mod explain;
mod extended;
mod float;
mod names;
mod numeric;
pub(crate) mod params;
mod place;
mod rewrite;
mod session;
pub(crate) mod settings;
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

use crate::catalog::CatalogTemplate;
use crate::cpu::CpuRuntime;

pub(crate) use cancel::{CancelRegistry, Signalled, lock};
pub(crate) use connection::serve_connection;
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
    rewriter: Arc<rewrite::Rewriter>,
    cancels: Arc<CancelRegistry>,
}

impl Shared {
    pub(crate) fn new(
        engine: Arc<Engine>,
        cpu: Arc<CpuRuntime>,
        catalog: CatalogTemplate,
        max_connections: usize,
        allow_writes: bool,
    ) -> Self {
        Self {
            engine,
            cpu,
            catalog: Arc::new(catalog),
            allow_writes,
            slots: Arc::new(Semaphore::new(max_connections)),
            draining: CancellationToken::new(),
            stopped: CancellationToken::new(),
            rewriter: Arc::new(rewrite::Rewriter::new()),
            cancels: Arc::new(CancelRegistry::default()),
        }
    }
}
