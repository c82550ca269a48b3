//! Limits of the wire that no session can raise. Those of statements are the engine's: `wayfare_engine::limits` and
//! `wayfare_engine::EngineConfig`.

use std::time::Duration;

/// Most columns of a result, as in PostgreSQL.
pub const MAX_RESULT_COLUMNS: usize = 1_664;
/// Longest name in bytes that clients are told, as in PostgreSQL. Longer ones are not cut here.
pub(crate) const MAX_IDENTIFIER_BYTES: &str = "63";

/// What the clients of a server may take of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections that are not logged in yet; with one more the oldest ends.
    pub max_pending_logins: usize,
    /// How long a client may take from connecting to being logged in.
    pub login_time: Duration,
    /// How long a statement may run, whatever `statement_timeout` says; no limit if `None`.
    pub statement_time: Option<Duration>,
    /// Longest message of a logged-in client.
    pub max_message_bytes: usize,
    /// Messages above 64 KiB of all clients together, while they are received.
    pub message_budget_bytes: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_pending_logins: 1_000,
            login_time: Duration::from_secs(60),
            statement_time: Some(Duration::from_secs(3_600)),
            max_message_bytes: 16 << 20,
            message_budget_bytes: 256 << 20,
        }
    }
}
