//! The cursors of one session, and when they end.

use std::collections::HashMap;
use std::sync::Arc;

use pgwire::error::{PgWireError, PgWireResult};
use tokio::sync::Mutex;

use super::cursor::Cursor;
use super::session::SqlStatement;
use super::state::Ended;
use crate::error::{error, sqlstate};

/// An open cursor.
#[derive(Debug, Clone)]
pub(crate) struct OpenCursor {
    /// Its query.
    pub statement: Arc<SqlStatement>,
    pub binary: bool,
    hold: bool,
    /// How many savepoints there were when it was declared; `None` once its transaction has committed.
    depth: Option<usize>,
    pub cursor: Arc<Mutex<Cursor>>,
}

impl OpenCursor {
    /// A cursor declared under `depth` savepoints.
    pub(crate) fn new(
        statement: Arc<SqlStatement>,
        cursor: Cursor,
        binary: bool,
        hold: bool,
        depth: usize,
    ) -> Self {
        Self { statement, binary, hold, depth: Some(depth), cursor: Arc::new(Mutex::new(cursor)) }
    }
}

/// Open cursors by name.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    open: HashMap<String, OpenCursor>,
}

impl Cursors {
    /// Adds a cursor.
    ///
    /// # Errors
    /// 42P03 if there is one of that name.
    pub(crate) fn add(&mut self, name: String, cursor: OpenCursor) -> PgWireResult<()> {
        self.check_free(&name)?;
        self.open.insert(name, cursor);
        Ok(())
    }

    /// Whether a cursor may be called `name`.
    ///
    /// # Errors
    /// 42P03 if there is one of that name.
    pub(crate) fn check_free(&self, name: &str) -> PgWireResult<()> {
        if self.open.contains_key(name) {
            return Err(error(sqlstate::DUPLICATE_CURSOR, format!("cursor \"{name}\" already exists")));
        }
        Ok(())
    }

    /// The cursor of a name.
    ///
    /// # Errors
    /// 34000.
    pub(crate) fn get(&self, name: &str) -> PgWireResult<OpenCursor> {
        self.open.get(name).cloned().ok_or_else(|| no_cursor(name))
    }

    /// Ends one cursor.
    ///
    /// # Errors
    /// 34000.
    pub(crate) fn close(&mut self, name: &str) -> PgWireResult<()> {
        self.open.remove(name).map(drop).ok_or_else(|| no_cursor(name))
    }

    pub(crate) fn close_all(&mut self) {
        self.open.clear();
    }

    /// Ends those that end with a transaction or with a part of it.
    pub(crate) fn transaction_ended(&mut self, ended: Ended) {
        match ended {
            Ended::Committed => {
                self.open.retain(|_, cursor| cursor.hold);
                self.open.values_mut().for_each(|cursor| cursor.depth = None);
            }
            Ended::RolledBack => self.open.retain(|_, cursor| cursor.depth.is_none()),
            Ended::RolledBackTo(savepoints) => {
                self.open.retain(|_, cursor| cursor.depth.is_none_or(|depth| depth < savepoints));
            }
            Ended::Released(savepoints) => {
                for depth in self.open.values_mut().filter_map(|cursor| cursor.depth.as_mut()) {
                    *depth = (*depth).min(savepoints);
                }
            }
        }
    }
}

fn no_cursor(name: &str) -> PgWireError {
    error(sqlstate::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}
