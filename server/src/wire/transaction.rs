//! Transactions: what their modes are, and what of the session is undone when they end.
//!
//! Statements read, so a transaction has three things to keep: the versions of the tables that it reads (the engine
//! session holds them), the settings that its end undoes, and the rows of `COPY ... FROM STDIN`, which are loaded when
//! it commits. Every statement runs in a transaction: where the client has begun none, in one that lasts for the
//! message, or to the next Sync.

use pgwire::error::{PgWireError, PgWireResult};

use super::copy::StagedCopy;
use super::settings::Settings;
use super::tokens::Tokens;
use crate::error::{error, sqlstate};

/// Modes as `BEGIN` and `SET TRANSACTION` name them; `None` where a mode is not named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Modes {
    pub isolation: Option<&'static str>,
    pub read_only: Option<bool>,
    pub deferrable: Option<bool>,
}

impl Modes {
    /// Takes modes up to the end of the statement; commas between them may be left out.
    ///
    /// # Errors
    /// 42601.
    pub(crate) fn parse(tokens: &mut Tokens<'_>) -> PgWireResult<Self> {
        let mut modes = Self::default();
        while !tokens.is_empty() {
            if tokens.accept("ISOLATION") {
                tokens.expect("LEVEL")?;
                modes.isolation = Some(if tokens.accept("SERIALIZABLE") {
                    "serializable"
                } else if tokens.accept_two("REPEATABLE", "READ") {
                    "repeatable read"
                } else if tokens.accept_two("READ", "COMMITTED") {
                    "read committed"
                } else if tokens.accept_two("READ", "UNCOMMITTED") {
                    "read uncommitted"
                } else {
                    return Err(tokens.syntax_error());
                });
            } else if tokens.accept("READ") {
                modes.read_only = Some(if tokens.accept("ONLY") {
                    true
                } else if tokens.accept("WRITE") {
                    false
                } else {
                    return Err(tokens.syntax_error());
                });
            } else if tokens.accept_two("NOT", "DEFERRABLE") {
                modes.deferrable = Some(false);
            } else if tokens.accept("DEFERRABLE") {
                modes.deferrable = Some(true);
            } else {
                return Err(tokens.syntax_error());
            }
            tokens.accept_token(&datafusion::sql::sqlparser::tokenizer::Token::Comma);
        }
        Ok(modes)
    }

    /// The variables that `BEGIN` sets, with their values.
    pub(crate) fn of_transaction(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let on_off = |on: bool| if on { "on" } else { "off" };
        [
            self.isolation.map(|level| ("transaction_isolation", level)),
            self.read_only.map(|on| ("transaction_read_only", on_off(on))),
            self.deferrable.map(|on| ("transaction_deferrable", on_off(on))),
        ]
        .into_iter()
        .flatten()
    }

    /// The variables that `SET SESSION CHARACTERISTICS` sets, with their values.
    pub(crate) fn of_session(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.of_transaction().map(|(name, value)| {
            let default = match name {
                "transaction_isolation" => "default_transaction_isolation",
                "transaction_read_only" => "default_transaction_read_only",
                _ => "default_transaction_deferrable",
            };
            (default, value)
        })
    }
}

/// A transaction in progress.
#[derive(Debug)]
pub(crate) struct Transaction {
    at_begin: Settings,
    undone: Undone,
    savepoints: Vec<Savepoint>,
    /// Whether a query has run, after which some modes cannot change.
    pub queried: bool,
}

/// What the end of a transaction takes back or completes.
#[derive(Debug, Clone, Default)]
struct Undone {
    /// Values that `SET LOCAL` hides until the end.
    hidden: Vec<(String, Option<String>)>,
    /// Rows to load at the end.
    staged: Vec<StagedCopy>,
}

#[derive(Debug)]
struct Savepoint {
    name: String,
    settings: Settings,
    undone: Undone,
}

impl Transaction {
    pub(crate) fn begin(settings: &Settings) -> Self {
        Self { at_begin: settings.clone(), undone: Undone::default(), savepoints: Vec::new(), queried: false }
    }

    /// Notes that `name`, whose value was `old`, has been set.
    pub(crate) fn note_set(&mut self, name: &str, old: Option<String>, local: bool) {
        let hidden = self.undone.hidden.iter().position(|(hidden, _)| hidden == name);
        match (local, hidden) {
            (true, None) => self.undone.hidden.push((name.to_owned(), old)),
            // A SET for the session after a SET LOCAL stays after the transaction.
            (false, Some(index)) => {
                self.undone.hidden.remove(index);
            }
            _ => {}
        }
    }

    /// Keeps rows until the transaction commits.
    pub(crate) fn stage(&mut self, copy: StagedCopy) {
        self.undone.staged.push(copy);
    }

    pub(crate) fn savepoint(&mut self, name: &str, settings: &Settings) {
        self.savepoints.push(Savepoint {
            name: name.to_owned(),
            settings: settings.clone(),
            undone: self.undone.clone(),
        });
    }

    /// Goes back to a savepoint, which stays; returns how many savepoints there are then.
    ///
    /// # Errors
    /// 3B001.
    pub(crate) fn roll_back_to(&mut self, name: &str, settings: &mut Settings) -> PgWireResult<usize> {
        let index = self.find(name)?;
        self.savepoints.truncate(index + 1);
        let savepoint = &self.savepoints[index];
        *settings = savepoint.settings.clone();
        self.undone = savepoint.undone.clone();
        Ok(index + 1)
    }

    /// Forgets a savepoint and those after it; returns how many there are then.
    ///
    /// # Errors
    /// 3B001.
    pub(crate) fn release(&mut self, name: &str) -> PgWireResult<usize> {
        let index = self.find(name)?;
        self.savepoints.truncate(index);
        Ok(index)
    }

    fn find(&self, name: &str) -> PgWireResult<usize> {
        self.savepoints.iter().rposition(|savepoint| savepoint.name == name).ok_or_else(|| {
            error(sqlstate::INVALID_SAVEPOINT_SPECIFICATION, format!("savepoint \"{name}\" does not exist"))
        })
    }

    /// How many savepoints there are.
    pub(crate) fn depth(&self) -> usize {
        self.savepoints.len()
    }

    /// Takes the rows that its end must load.
    pub(crate) fn take_staged(&mut self) -> Vec<StagedCopy> {
        std::mem::take(&mut self.undone.staged)
    }

    /// Keeps what was set for the session.
    ///
    /// # Errors
    /// None for values that were accepted before.
    pub(crate) fn commit(self, settings: &mut Settings) -> PgWireResult<()> {
        for (name, value) in self.undone.hidden {
            settings.restore(&name, value.as_deref()).map_err(PgWireError::UserError)?;
        }
        Ok(())
    }

    pub(crate) fn roll_back(self, settings: &mut Settings) {
        *settings = self.at_begin;
    }
}

/// 25P01 for a statement that makes sense in a transaction block only.
pub(crate) fn needs_block(what: &str) -> PgWireError {
    error(sqlstate::NO_ACTIVE_SQL_TRANSACTION, format!("{what} can only be used in transaction blocks"))
}
