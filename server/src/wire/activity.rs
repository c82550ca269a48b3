//! What the sessions of a server do at the moment: `pg_stat_activity`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};

use super::cancel::lock;
use super::state::SessionState;

/// Longest text of a statement that is shown; the rest is cut, as in PostgreSQL.
const MAX_TEXT_BYTES: usize = 1_024;

/// One session.
#[derive(Debug)]
pub(crate) struct Activity {
    pub(crate) pid: i32,
    pub(crate) user: String,
    pub(crate) peer: SocketAddr,
    pub(crate) encrypted: bool,
    pub(crate) since: DateTime<Utc>,
    state: Arc<Mutex<SessionState>>,
    statement: Mutex<Option<Statement>>,
}

/// The statement that runs, or the last one that did.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) text: String,
    pub(crate) began: DateTime<Utc>,
    /// When it ended; `None` while it runs.
    pub(crate) ended: Option<DateTime<Utc>>,
}

impl Activity {
    /// A session that begins now.
    pub(crate) fn new(
        pid: i32,
        user: String,
        peer: SocketAddr,
        encrypted: bool,
        state: Arc<Mutex<SessionState>>,
    ) -> Self {
        Self { pid, user, peer, encrypted, since: Utc::now(), state, statement: Mutex::default() }
    }

    /// The statement `text` begins.
    pub(crate) fn begin(&self, text: &str) {
        let mut end = text.len().min(MAX_TEXT_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text[..end].to_owned();
        *lock(&self.statement) = Some(Statement { text, began: Utc::now(), ended: None });
    }

    /// It ends.
    pub(crate) fn end(&self) {
        if let Some(statement) = lock(&self.statement).as_mut() {
            statement.ended = Some(Utc::now());
        }
    }

    /// The last statement; `None` before the first.
    pub(crate) fn statement(&self) -> Option<Statement> {
        lock(&self.statement).clone()
    }

    /// What the client calls itself.
    pub(crate) fn application(&self) -> String {
        lock(&self.state).settings.get("application_name").unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::settings::Settings;

    #[test]
    fn the_last_statement_stays() {
        let state = Arc::new(Mutex::new(SessionState::new(Settings::new("ana"))));
        let activity = Activity::new(7, "ana".to_owned(), ([127, 0, 0, 1], 1).into(), false, state);
        assert!(activity.statement().is_none());
        activity.begin(&"ä".repeat(600));
        let running = activity.statement().unwrap();
        assert_eq!((running.text.len(), running.ended), (1_024, None));
        activity.end();
        assert!(activity.statement().unwrap().ended.is_some());
    }
}
