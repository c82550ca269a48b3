//! The server under attack, with limits that a test can reach.

use crate::process::{ServerProcess, SmallStore};

const LIMITS: [&str; 14] = [
    "--memory-limit",
    "256MiB",
    "--max-query-memory",
    "64MiB",
    "--max-temp-size",
    "256MiB",
    "--max-statement-time",
    "2s",
    "--max-connections",
    "1200",
    "--max-pending-logins",
    "500",
    "--log-level",
    "error",
];

/// A server over a small store, with the users reader and loader.
pub fn start() -> ServerProcess {
    let program = std::env::var_os("WAYFARE_HOSTILE_SERVER");
    let store = SmallStore::for_program(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_wayfare").into()));
    for role in ["reader", "loader"] {
        store.ok(&["user", "add", role, "--role", role]);
    }
    ServerProcess::start(store, &LIMITS)
}
