//! The state of a session: its settings and its transaction, and how [`SessionStatement`]s change them.

use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::response::TransactionStatus;

use super::copy::StagedCopy;
use super::prepared::PreparedStatements;
use super::settings::{self, Settings};
use super::statements::SessionStatement;
use super::transaction::{Modes, Transaction, needs_block};
use crate::error::{error, error_info, sqlstate};

/// What a session statement did, to be told to the client.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub tag: String,
    pub status: TransactionStatus,
    /// Rows of a `SHOW`; its columns are [`SessionStatement::columns`].
    pub rows: Option<Vec<Vec<String>>>,
    pub notice: Option<ErrorInfo>,
    /// How many savepoints are left, where a transaction ends or goes back to one.
    pub ended: Option<Ended>,
    /// Whether cursors that outlive transactions end too.
    pub closes_all: bool,
    pub forgets: Forget,
}

/// The end of a transaction, or of the part of it after a savepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Committed,
    RolledBack,
    /// What began with more savepoints than these is undone.
    RolledBackTo(usize),
    /// What began with more savepoints than these belongs to the enclosing part now.
    Released(usize),
}

/// Prepared statements to forget.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Forget {
    Nothing,
    One(String),
    All,
}

/// The part of a connection that session statements read and change.
#[derive(Debug)]
pub(crate) struct SessionState {
    pub settings: Settings,
    pub prepared: PreparedStatements,
    transaction: Option<Transaction>,
    /// Whether more than one statement came in the message that is being run.
    pub several: bool,
    /// Settings as the client and the engine know them.
    told: Settings,
}

impl SessionState {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            told: settings.clone(),
            settings,
            prepared: PreparedStatements::default(),
            transaction: None,
            several: false,
        }
    }

    /// Settings have changed since the last call: the old ones.
    pub(crate) fn take_changes(&mut self) -> Option<Settings> {
        if self.settings == self.told {
            return None;
        }
        Some(std::mem::replace(&mut self.told, self.settings.clone()))
    }

    /// The transaction in progress; begins one for the message if there is none.
    pub(crate) fn transaction(&mut self) -> &mut Transaction {
        let settings = &mut self.settings;
        self.transaction.get_or_insert_with(|| {
            settings.reset_transaction_modes();
            Transaction::begin(settings)
        })
    }

    /// Keeps rows until the transaction commits.
    pub(crate) fn stage(&mut self, copy: StagedCopy) {
        self.transaction().stage(copy);
    }

    /// How many savepoints there are.
    pub(crate) fn depth(&self) -> usize {
        self.transaction.as_ref().map_or(0, Transaction::depth)
    }

    /// The rows that the end of the transaction must load, which is done before [`Self::commit`].
    pub(crate) fn take_staged(&mut self) -> Vec<StagedCopy> {
        self.transaction.as_mut().map(Transaction::take_staged).unwrap_or_default()
    }

    /// Ends the transaction.
    ///
    /// # Errors
    /// None for values that were accepted before.
    pub(crate) fn commit(&mut self) -> PgWireResult<()> {
        if let Some(transaction) = self.transaction.take() {
            transaction.commit(&mut self.settings)?;
        }
        self.settings.reset_transaction_modes();
        Ok(())
    }

    /// Ends the transaction and takes back what it did.
    pub(crate) fn roll_back(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            transaction.roll_back(&mut self.settings);
        }
        self.settings.reset_transaction_modes();
    }

    /// Runs `statement` in transaction status `status`.
    ///
    /// # Errors
    /// Those of [`Settings::set`]; 3B001 for an unknown savepoint; 25P01 for what needs a transaction block; 25001 for
    /// what must not run in one.
    pub(crate) fn run(
        &mut self,
        statement: &SessionStatement,
        status: TransactionStatus,
    ) -> PgWireResult<Outcome> {
        let mut outcome = Outcome {
            tag: String::new(),
            status,
            rows: None,
            notice: None,
            ended: None,
            closes_all: false,
            forgets: Forget::Nothing,
        };
        let in_block = !matches!(status, TransactionStatus::Idle);
        match statement {
            SessionStatement::Begin { modes, tag } => {
                (*tag).clone_into(&mut outcome.tag);
                self.begin(modes, in_block, &mut outcome)?;
            }
            SessionStatement::Commit { chain } => self.end(true, *chain, status, &mut outcome)?,
            SessionStatement::Rollback { chain } => self.end(false, *chain, status, &mut outcome)?,
            SessionStatement::Savepoint(name) => {
                require_block(in_block, "SAVEPOINT")?;
                let settings = self.settings.clone();
                self.transaction().savepoint(name, &settings);
                "SAVEPOINT".clone_into(&mut outcome.tag);
            }
            SessionStatement::RollbackTo(name) => {
                require_block(in_block, "ROLLBACK TO SAVEPOINT")?;
                let mut settings = self.settings.clone();
                let depth = self.transaction().roll_back_to(name, &mut settings)?;
                self.settings = settings;
                outcome.ended = Some(Ended::RolledBackTo(depth));
                outcome.status = TransactionStatus::Transaction;
                "ROLLBACK".clone_into(&mut outcome.tag);
            }
            SessionStatement::Release(name) => {
                require_block(in_block, "RELEASE SAVEPOINT")?;
                outcome.ended = Some(Ended::Released(self.transaction().release(name)?));
                "RELEASE".clone_into(&mut outcome.tag);
            }
            SessionStatement::SetTransaction(modes) => {
                self.set_transaction(modes, in_block, &mut outcome)?;
                "SET".clone_into(&mut outcome.tag);
            }
            SessionStatement::SetCharacteristics(modes) => {
                for (name, value) in modes.of_session() {
                    self.set(name, Some(value), false)?;
                }
                "SET".clone_into(&mut outcome.tag);
            }
            SessionStatement::Set { name, value, local } => {
                if *local && !in_block && !self.several {
                    outcome.notice = Some(no_block("SET LOCAL"));
                }
                self.set(name, value.as_deref(), *local)?;
                "SET".clone_into(&mut outcome.tag);
            }
            SessionStatement::Show(name) => {
                let value = self.settings.show(name).map_err(PgWireError::UserError)?;
                outcome.rows = Some(vec![vec![value]]);
                "SHOW".clone_into(&mut outcome.tag);
            }
            SessionStatement::ShowAll => {
                outcome.rows = Some(self.settings.all());
                "SHOW".clone_into(&mut outcome.tag);
            }
            SessionStatement::Reset(Some(name)) => {
                self.set(name, None, false)?;
                "RESET".clone_into(&mut outcome.tag);
            }
            SessionStatement::Reset(None) => {
                self.settings.reset_all();
                "RESET".clone_into(&mut outcome.tag);
            }
            SessionStatement::DiscardAll => {
                if in_block || self.several {
                    return Err(error(
                        sqlstate::ACTIVE_SQL_TRANSACTION,
                        "DISCARD ALL cannot run inside a transaction block",
                    ));
                }
                self.settings.reset_all();
                outcome.closes_all = true;
                outcome.forgets = Forget::All;
                "DISCARD ALL".clone_into(&mut outcome.tag);
            }
            SessionStatement::Deallocate(name) => {
                outcome.forgets = name.clone().map_or(Forget::All, Forget::One);
                outcome.tag = if name.is_some() { "DEALLOCATE" } else { "DEALLOCATE ALL" }.to_owned();
            }
            SessionStatement::LockTable => {
                // Readers of a version need no lock, and nobody waits for one.
                require_block(in_block, "LOCK TABLE")?;
                "LOCK TABLE".clone_into(&mut outcome.tag);
            }
            SessionStatement::Nothing(tag) => (*tag).clone_into(&mut outcome.tag),
        }
        Ok(outcome)
    }

    fn begin(&mut self, modes: &Modes, in_block: bool, outcome: &mut Outcome) -> PgWireResult<()> {
        if in_block {
            outcome.notice =
                Some(warning(sqlstate::ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress"));
        }
        self.transaction();
        outcome.status = TransactionStatus::Transaction;
        self.apply_modes(modes)
    }

    fn end(
        &mut self,
        commits: bool,
        chain: bool,
        status: TransactionStatus,
        outcome: &mut Outcome,
    ) -> PgWireResult<()> {
        let in_block = !matches!(status, TransactionStatus::Idle);
        let commits = commits && !matches!(status, TransactionStatus::Error);
        let tag = if commits { "COMMIT" } else { "ROLLBACK" };
        if !in_block {
            if chain {
                return Err(needs_block(&format!("{tag} AND CHAIN")));
            }
            outcome.notice =
                Some(warning(sqlstate::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress"));
        }
        let modes = self.settings.transaction_modes();
        if commits {
            self.commit()?;
        } else {
            self.roll_back();
        }
        tag.clone_into(&mut outcome.tag);
        outcome.ended = Some(if commits { Ended::Committed } else { Ended::RolledBack });
        outcome.status = TransactionStatus::Idle;
        if chain {
            self.transaction();
            for (name, value) in modes {
                self.settings.restore(name, Some(&value)).map_err(PgWireError::UserError)?;
            }
            outcome.status = TransactionStatus::Transaction;
        }
        Ok(())
    }

    fn set_transaction(&mut self, modes: &Modes, in_block: bool, outcome: &mut Outcome) -> PgWireResult<()> {
        if !in_block && !self.several {
            outcome.notice = Some(no_block("SET TRANSACTION"));
        }
        self.apply_modes(modes)
    }

    fn apply_modes(&mut self, modes: &Modes) -> PgWireResult<()> {
        let too_late = |message: &str| Err(error(sqlstate::ACTIVE_SQL_TRANSACTION, message));
        let queried = self.transaction().queried;
        if queried && modes.isolation.is_some_and(|level| level != self.settings.isolation()) {
            return too_late("SET TRANSACTION ISOLATION LEVEL must be called before any query");
        }
        if queried && self.settings.is_read_only() && modes.read_only == Some(false) {
            return too_late("transaction read-write mode must be set before any query");
        }
        for (name, value) in modes.of_transaction() {
            self.settings.restore(name, Some(value)).map_err(PgWireError::UserError)?;
        }
        Ok(())
    }

    /// Sets a variable for the session, or for the transaction if `local`.
    ///
    /// # Errors
    /// Those of [`Settings::set`].
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> PgWireResult<()> {
        if settings::is_custom(name) {
            let name = name.to_ascii_lowercase();
            let old = self.settings.get(&name).ok().map(str::to_owned);
            self.transaction();
            self.settings.set_custom(&name, value);
            self.transaction().note_set(&name, old, local);
            return Ok(());
        }
        let old = self.settings.get(name).map_err(PgWireError::UserError)?.to_owned();
        self.transaction();
        let variable = self.settings.set(name, value).map_err(PgWireError::UserError)?;
        self.transaction().note_set(variable.name, Some(old), local);
        Ok(())
    }
}

fn require_block(in_block: bool, what: &str) -> PgWireResult<()> {
    if in_block { Ok(()) } else { Err(needs_block(what)) }
}

fn no_block(what: &str) -> ErrorInfo {
    warning(sqlstate::NO_ACTIVE_SQL_TRANSACTION, &format!("{what} can only be used in transaction blocks"))
}

fn warning(code: &str, message: &str) -> ErrorInfo {
    let mut info = error_info(code, message);
    "WARNING".clone_into(&mut info.severity);
    info.severity_nonlocalized = Some("WARNING".to_owned());
    info
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::split::split;

    /// Runs statements one after the other, each in a message of its own.
    struct Driver {
        state: SessionState,
        status: TransactionStatus,
    }

    impl Driver {
        fn new() -> Self {
            Self { state: SessionState::new(Settings::new("ana")), status: TransactionStatus::Idle }
        }

        fn run(&mut self, sql: &str) -> PgWireResult<Outcome> {
            let statement = SessionStatement::parse(&split(sql).unwrap()[0]).unwrap().unwrap();
            let outcome = self.state.run(&statement, self.status)?;
            self.status = outcome.status;
            if matches!(self.status, TransactionStatus::Idle) {
                self.state.commit()?;
            }
            Ok(outcome)
        }

        fn ok(&mut self, sql: &str) -> Outcome {
            self.run(sql).unwrap()
        }

        fn show(&self, name: &str) -> String {
            self.state.settings.show(name).unwrap()
        }
    }

    #[test]
    fn transactions_keep_settings_as_postgres_does() {
        let mut driver = Driver::new();
        driver.ok("SET statement_timeout = 1");
        driver.ok("BEGIN");
        driver.ok("SET LOCAL statement_timeout = 2");
        assert_eq!(driver.show("statement_timeout"), "2ms");
        driver.ok("COMMIT");
        assert_eq!(driver.show("statement_timeout"), "1ms");
        driver.ok("BEGIN");
        driver.ok("SET statement_timeout = 3");
        driver.ok("ROLLBACK");
        assert_eq!(driver.show("statement_timeout"), "1ms");
        assert!(driver.ok("COMMIT").notice.is_some());
        // Outside a block it lasts for its own message.
        assert!(driver.ok("SET LOCAL statement_timeout = 4").notice.is_some());
        assert_eq!(driver.show("statement_timeout"), "1ms");
    }

    #[test]
    fn savepoints_keep_settings_as_postgres_does() {
        let mut driver = Driver::new();
        driver.ok("BEGIN");
        driver.ok("SAVEPOINT a");
        driver.ok("SET work_mem = '8MB'");
        driver.ok("ROLLBACK TO a");
        assert_eq!(driver.show("work_mem"), "4MB");
        driver.ok("SET LOCAL work_mem = '9MB'");
        assert_eq!(driver.ok("RELEASE a").ended, Some(Ended::Released(0)));
        assert_eq!(driver.show("work_mem"), "9MB");
        driver.ok("COMMIT");
        assert_eq!(driver.show("work_mem"), "4MB");
        assert!(driver.run("SAVEPOINT a").unwrap_err().to_string().contains("25P01"));
    }

    #[test]
    fn a_failed_transaction_commits_as_a_rollback() {
        let mut driver = Driver::new();
        driver.ok("BEGIN");
        driver.status = TransactionStatus::Error;
        let outcome = driver.ok("COMMIT AND CHAIN");
        assert_eq!(outcome.tag, "ROLLBACK");
        assert_eq!(outcome.status, TransactionStatus::Transaction);
        driver.ok("COMMIT");
        assert!(driver.run("COMMIT AND CHAIN").unwrap_err().to_string().contains("25P01"));
    }

    #[test]
    fn modes_last_for_their_transaction() {
        let mut driver = Driver::new();
        driver.ok("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY");
        assert_eq!(driver.show("transaction_read_only"), "on");
        driver.ok("COMMIT AND CHAIN");
        assert_eq!(driver.show("transaction_isolation"), "serializable");
        driver.state.transaction().queried = true;
        let late = driver.run("SET TRANSACTION READ WRITE").unwrap_err().to_string();
        assert!(late.contains("25001"), "{late}");
        driver.ok("COMMIT");
        assert_eq!(driver.show("transaction_isolation"), "read committed");
        assert_eq!(driver.show("transaction_read_only"), "off");
        driver.ok("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
        driver.ok("BEGIN");
        assert_eq!(driver.show("transaction_read_only"), "on");
    }

    #[test]
    fn savepoints_are_a_stack() {
        let mut driver = Driver::new();
        driver.ok("BEGIN");
        driver.ok("SAVEPOINT a");
        driver.ok("SAVEPOINT b");
        driver.status = TransactionStatus::Error;
        let outcome = driver.ok("ROLLBACK TO a");
        assert_eq!(
            (outcome.status, outcome.ended),
            (TransactionStatus::Transaction, Some(Ended::RolledBackTo(1)))
        );
        assert!(driver.run("RELEASE b").unwrap_err().to_string().contains("3B001"));
    }
}
