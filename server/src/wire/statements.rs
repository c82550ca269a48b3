//! Statements that concern the session and not the data: transactions, `SET`, `SHOW`, `RESET`, `DISCARD` ...
//!
//! They are recognised by their tokens, because the SQL parser of the engine knows only some of PostgreSQL's forms.
//! Transactions are read-only and hold nothing: they only keep the status that clients rely on.

use datafusion::sql::sqlparser::tokenizer::Token;
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::response::TransactionStatus;

use super::engine_options;
use super::settings::{self, Settings};
use crate::error::{error, error_info, sqlstate};

/// A statement about the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionStatement {
    Begin,
    Commit,
    Rollback,
    Savepoint(String),
    RollbackTo(String),
    Release(String),
    Set {
        name: String,
        /// `None` for `DEFAULT`.
        value: Option<String>,
        local: bool,
    },
    Show(String),
    ShowAll,
    /// `None` for `ALL`.
    Reset(Option<String>),
    DiscardAll,
    /// `None` for `ALL`.
    Deallocate(Option<String>),
    /// Accepted without an effect; answered with this tag.
    Nothing(&'static str),
}

impl SessionStatement {
    /// Recognises a statement by its tokens; `None` if it is one for the engine.
    ///
    /// # Errors
    /// 42601 for a malformed statement, 42501 for an engine option that sessions may not set.
    pub(crate) fn parse(tokens: &[Token]) -> PgWireResult<Option<Self>> {
        let mut tokens = Tokens(tokens);
        let Some(first) = tokens.keyword() else {
            return Ok(None);
        };
        let statement = match first.as_str() {
            "BEGIN" => Self::Begin,
            "START" => {
                tokens.expect("TRANSACTION")?;
                Self::Begin
            }
            "COMMIT" | "END" => Self::Commit,
            "ABORT" => Self::Rollback,
            "ROLLBACK" => {
                let _ = tokens.accept("WORK") || tokens.accept("TRANSACTION");
                if tokens.accept("TO") {
                    tokens.accept("SAVEPOINT");
                    Self::RollbackTo(tokens.name()?)
                } else {
                    Self::Rollback
                }
            }
            "SAVEPOINT" => Self::Savepoint(tokens.name()?),
            "RELEASE" => {
                tokens.accept("SAVEPOINT");
                Self::Release(tokens.name()?)
            }
            "SET" => return parse_set(tokens),
            "SHOW" => return Ok(parse_show(tokens)),
            "RESET" => {
                if tokens.accept("ALL") {
                    Self::Reset(None)
                } else if tokens.accept_two("TIME", "ZONE") {
                    Self::Reset(Some("TimeZone".to_owned()))
                } else {
                    let name = tokens.variable()?;
                    if name.contains('.') {
                        engine_options::check(&name, None)?;
                        return Ok(None);
                    }
                    Self::Reset(Some(name))
                }
            }
            "DISCARD" => match tokens.keyword().as_deref() {
                Some("ALL") => Self::DiscardAll,
                Some("PLANS") => Self::Nothing("DISCARD PLANS"),
                Some("SEQUENCES") => Self::Nothing("DISCARD SEQUENCES"),
                Some("TEMP" | "TEMPORARY") => Self::Nothing("DISCARD TEMP"),
                _ => return Err(tokens.syntax_error()),
            },
            "DEALLOCATE" => {
                tokens.accept("PREPARE");
                if tokens.accept("ALL") {
                    Self::Deallocate(None)
                } else {
                    Self::Deallocate(Some(tokens.name()?))
                }
            }
            "UNLISTEN" => Self::Nothing("UNLISTEN"),
            "CLOSE" if tokens.accept("ALL") => Self::Nothing("CLOSE CURSOR ALL"),
            "CHECKPOINT" => Self::Nothing("CHECKPOINT"),
            _ => return Ok(None),
        };
        Ok(Some(statement))
    }

    /// Whether the statement is allowed in a failed transaction.
    pub(crate) fn ends_failure(&self) -> bool {
        matches!(self, Self::Commit | Self::Rollback | Self::RollbackTo(_))
    }

    /// The columns of its result; empty if it has none.
    pub(crate) fn columns(&self) -> Vec<String> {
        match self {
            Self::Show(name) => {
                vec![settings::find(name).map_or_else(|| name.clone(), |variable| variable.name.to_owned())]
            }
            Self::ShowAll => ["name", "setting", "description"].map(str::to_owned).to_vec(),
            _ => Vec::new(),
        }
    }
}

fn parse_set(mut tokens: Tokens<'_>) -> PgWireResult<Option<SessionStatement>> {
    if tokens.accept_two("SESSION", "CHARACTERISTICS") || tokens.accept("TRANSACTION") {
        return Ok(Some(SessionStatement::Nothing("SET")));
    }
    if tokens.accept_two("SESSION", "AUTHORIZATION") {
        return role(&mut tokens);
    }
    let local = tokens.accept("LOCAL");
    if !local {
        tokens.accept("SESSION");
    }
    if tokens.accept("ROLE") {
        return role(&mut tokens);
    }
    if tokens.accept_two("TIME", "ZONE") {
        return Ok(Some(SessionStatement::Set {
            name: "TimeZone".to_owned(),
            value: tokens.value()?.filter(|value| !value.eq_ignore_ascii_case("local")),
            local,
        }));
    }
    if tokens.accept("NAMES") {
        return Ok(Some(SessionStatement::Set {
            name: "client_encoding".to_owned(),
            value: tokens.value()?,
            local,
        }));
    }
    let name = tokens.variable()?;
    if name.contains('.') {
        let _ = tokens.accept("TO") || tokens.accept_token(&Token::Eq);
        engine_options::check(&name, tokens.value()?.as_deref())?;
        return Ok(None);
    }
    if !tokens.accept("TO") && !tokens.accept_token(&Token::Eq) {
        return Err(tokens.syntax_error());
    }
    Ok(Some(SessionStatement::Set { name, value: tokens.value()?, local }))
}

/// There are no roles to change to yet: only going back to one's own is accepted.
fn role(tokens: &mut Tokens<'_>) -> PgWireResult<Option<SessionStatement>> {
    match tokens.value()? {
        None => Ok(Some(SessionStatement::Nothing("SET"))),
        Some(role) if role.eq_ignore_ascii_case("none") => Ok(Some(SessionStatement::Nothing("SET"))),
        Some(role) => {
            Err(error(sqlstate::INSUFFICIENT_PRIVILEGE, format!("permission denied to set role \"{role}\"")))
        }
    }
}

fn parse_show(mut tokens: Tokens<'_>) -> Option<SessionStatement> {
    if tokens.accept("ALL") {
        return Some(SessionStatement::ShowAll);
    }
    if tokens.accept_two("TIME", "ZONE") {
        return Some(SessionStatement::Show("TimeZone".to_owned()));
    }
    if tokens.accept_two("TRANSACTION", "ISOLATION") {
        return Some(SessionStatement::Show("transaction_isolation".to_owned()));
    }
    if tokens.accept_two("SESSION", "AUTHORIZATION") {
        return Some(SessionStatement::Show("session_authorization".to_owned()));
    }
    let name = tokens.variable().ok()?;
    // SHOW TABLES, SHOW COLUMNS FROM t, SHOW datafusion.x ... are the engine's.
    let is_variable = tokens.0.is_empty() && !name.contains('.');
    let is_list = ["TABLES", "COLUMNS", "FUNCTIONS", "SCHEMAS", "DATABASES", "VIEWS"]
        .iter()
        .any(|list| list.eq_ignore_ascii_case(&name));
    (is_variable && !is_list).then_some(SessionStatement::Show(name))
}

/// A cursor over tokens.
struct Tokens<'a>(&'a [Token]);

impl Tokens<'_> {
    /// Takes an unquoted word, in upper case.
    fn keyword(&mut self) -> Option<String> {
        let (Token::Word(word), rest) = self.0.split_first()? else {
            return None;
        };
        if word.quote_style.is_some() {
            return None;
        }
        self.0 = rest;
        Some(word.value.to_ascii_uppercase())
    }

    fn accept(&mut self, keyword: &str) -> bool {
        match self.0.split_first() {
            Some((Token::Word(word), rest))
                if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword) =>
            {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn accept_two(&mut self, first: &str, second: &str) -> bool {
        let before = self.0;
        if self.accept(first) && self.accept(second) {
            return true;
        }
        self.0 = before;
        false
    }

    fn accept_token(&mut self, token: &Token) -> bool {
        match self.0.split_first() {
            Some((found, rest)) if found == token => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, keyword: &str) -> PgWireResult<()> {
        if self.accept(keyword) { Ok(()) } else { Err(self.syntax_error()) }
    }

    /// Takes a name: lower case unless quoted.
    fn name(&mut self) -> PgWireResult<String> {
        match self.0.split_first() {
            Some((Token::Word(word), rest)) => {
                self.0 = rest;
                Ok(if word.quote_style.is_some() {
                    word.value.clone()
                } else {
                    word.value.to_ascii_lowercase()
                })
            }
            _ => Err(self.syntax_error()),
        }
    }

    /// Takes a variable name, possibly dotted.
    fn variable(&mut self) -> PgWireResult<String> {
        let mut name = self.name()?;
        while self.accept_token(&Token::Period) {
            name.push('.');
            name.push_str(&self.name()?);
        }
        Ok(name)
    }

    /// Takes the rest as a value: words, strings and numbers, joined by commas; `None` for `DEFAULT`.
    fn value(&mut self) -> PgWireResult<Option<String>> {
        if self.accept("DEFAULT") && self.0.is_empty() {
            return Ok(None);
        }
        let mut value = String::new();
        let mut negative = false;
        let rest = std::mem::take(&mut self.0);
        for token in rest {
            match token {
                Token::Comma => value.push_str(", "),
                Token::Minus => negative = true,
                Token::Plus => {}
                Token::Word(word) if word.quote_style.is_some() => {
                    value.push_str(&format!("\"{}\"", word.value));
                }
                Token::Word(word) => value.push_str(&word.value),
                Token::Number(number, _) => {
                    if std::mem::take(&mut negative) {
                        value.push('-');
                    }
                    value.push_str(number);
                }
                Token::SingleQuotedString(text)
                | Token::EscapedStringLiteral(text)
                | Token::NationalStringLiteral(text) => value.push_str(text),
                Token::DollarQuotedString(text) => value.push_str(&text.value),
                other => {
                    return Err(error(
                        sqlstate::SYNTAX_ERROR,
                        format!("syntax error at or near \"{other}\""),
                    ));
                }
            }
        }
        if value.is_empty() && rest.is_empty() {
            return Err(self.syntax_error());
        }
        Ok(Some(value))
    }

    fn syntax_error(&self) -> PgWireError {
        match self.0.first() {
            Some(token) => error(sqlstate::SYNTAX_ERROR, format!("syntax error at or near \"{token}\"")),
            None => error(sqlstate::SYNTAX_ERROR, "syntax error at end of input"),
        }
    }
}

/// What a session statement did, to be told to the client.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub tag: String,
    pub status: TransactionStatus,
    /// Rows of a `SHOW`; its columns are [`SessionStatement::columns`].
    pub rows: Option<Vec<Vec<String>>>,
    /// Changed variables that the client keeps a copy of.
    pub reports: Vec<(String, String)>,
    pub notice: Option<ErrorInfo>,
    /// Whether open portals end here, as at the end of a transaction.
    pub closes_portals: bool,
    pub forgets: Forget,
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
    // Settings at BEGIN, for ROLLBACK; and the values that SET LOCAL hides until the end of the transaction.
    at_begin: Option<Settings>,
    hidden_by_local: Vec<(&'static str, String)>,
    savepoints: Vec<String>,
}

impl SessionState {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, at_begin: None, hidden_by_local: Vec::new(), savepoints: Vec::new() }
    }

    /// Runs `statement` in transaction status `status`.
    ///
    /// # Errors
    /// Those of [`Settings::set`]; 3B001 for an unknown savepoint; 25P01 for a savepoint outside a transaction.
    pub(crate) fn run(
        &mut self,
        statement: &SessionStatement,
        status: TransactionStatus,
    ) -> PgWireResult<Outcome> {
        let before = self.settings.clone();
        let mut outcome = Outcome {
            tag: String::new(),
            status,
            rows: None,
            reports: Vec::new(),
            notice: None,
            closes_portals: false,
            forgets: Forget::Nothing,
        };
        let in_transaction = !matches!(status, TransactionStatus::Idle);
        match statement {
            SessionStatement::Begin => {
                "BEGIN".clone_into(&mut outcome.tag);
                if in_transaction {
                    outcome.notice = Some(warning(
                        sqlstate::ACTIVE_SQL_TRANSACTION,
                        "there is already a transaction in progress",
                    ));
                } else {
                    outcome.status = TransactionStatus::Transaction;
                    self.at_begin = Some(self.settings.clone());
                }
            }
            SessionStatement::Commit | SessionStatement::Rollback => {
                let failed = matches!(status, TransactionStatus::Error);
                let commits = matches!(statement, SessionStatement::Commit) && !failed;
                outcome.tag = if commits { "COMMIT" } else { "ROLLBACK" }.to_owned();
                outcome.status = TransactionStatus::Idle;
                outcome.closes_portals = true;
                if !in_transaction {
                    outcome.notice = Some(warning(
                        sqlstate::NO_ACTIVE_SQL_TRANSACTION,
                        "there is no transaction in progress",
                    ));
                }
                self.end_transaction(commits)?;
            }
            SessionStatement::Savepoint(name) => {
                require_transaction(in_transaction, "SAVEPOINT")?;
                self.savepoints.push(name.clone());
                "SAVEPOINT".clone_into(&mut outcome.tag);
            }
            SessionStatement::RollbackTo(name) => {
                require_transaction(in_transaction, "ROLLBACK TO SAVEPOINT")?;
                let index = self.savepoint(name)?;
                self.savepoints.truncate(index + 1);
                outcome.status = TransactionStatus::Transaction;
                "ROLLBACK".clone_into(&mut outcome.tag);
            }
            SessionStatement::Release(name) => {
                require_transaction(in_transaction, "RELEASE SAVEPOINT")?;
                let index = self.savepoint(name)?;
                self.savepoints.truncate(index);
                "RELEASE".clone_into(&mut outcome.tag);
            }
            SessionStatement::Set { name, value, local } => {
                self.set(name, value.as_deref(), *local, in_transaction, &mut outcome)?;
                "SET".clone_into(&mut outcome.tag);
            }
            SessionStatement::Show(name) => {
                let value = self.settings.get(name).map_err(PgWireError::UserError)?;
                outcome.rows = Some(vec![vec![value.to_owned()]]);
                "SHOW".clone_into(&mut outcome.tag);
            }
            SessionStatement::ShowAll => {
                let row =
                    |(name, value): (&str, &str)| vec![name.to_owned(), value.to_owned(), String::new()];
                outcome.rows = Some(self.settings.all().map(row).collect());
                "SHOW".clone_into(&mut outcome.tag);
            }
            SessionStatement::Reset(Some(name)) => {
                self.settings.set(name, None).map_err(PgWireError::UserError)?;
                "RESET".clone_into(&mut outcome.tag);
            }
            SessionStatement::Reset(None) => {
                self.settings.reset_all();
                "RESET".clone_into(&mut outcome.tag);
            }
            SessionStatement::DiscardAll => {
                if in_transaction {
                    return Err(error(
                        sqlstate::ACTIVE_SQL_TRANSACTION,
                        "DISCARD ALL cannot run inside a transaction block",
                    ));
                }
                self.settings.reset_all();
                outcome.closes_portals = true;
                outcome.forgets = Forget::All;
                "DISCARD ALL".clone_into(&mut outcome.tag);
            }
            SessionStatement::Deallocate(name) => {
                outcome.forgets = name.clone().map_or(Forget::All, Forget::One);
                outcome.tag = if name.is_some() { "DEALLOCATE" } else { "DEALLOCATE ALL" }.to_owned();
            }
            SessionStatement::Nothing(tag) => (*tag).clone_into(&mut outcome.tag),
        }
        outcome.reports = self.settings.reported_changes(&before);
        Ok(outcome)
    }

    fn set(
        &mut self,
        name: &str,
        value: Option<&str>,
        local: bool,
        in_transaction: bool,
        outcome: &mut Outcome,
    ) -> PgWireResult<()> {
        if local && !in_transaction {
            outcome.notice = Some(warning(
                sqlstate::NO_ACTIVE_SQL_TRANSACTION,
                "SET LOCAL can only be used in transaction blocks",
            ));
            return Ok(());
        }
        let old = self.settings.get(name).map_err(PgWireError::UserError)?.to_owned();
        let variable = self.settings.set(name, value).map_err(PgWireError::UserError)?;
        let hidden = self.hidden_by_local.iter().position(|(name, _)| *name == variable.name);
        match (local, hidden) {
            (true, None) => self.hidden_by_local.push((variable.name, old)),
            // A SET for the session after a SET LOCAL stays after the transaction.
            (false, Some(index)) => {
                self.hidden_by_local.remove(index);
            }
            _ => {}
        }
        Ok(())
    }

    fn end_transaction(&mut self, commits: bool) -> PgWireResult<()> {
        self.savepoints.clear();
        let hidden = std::mem::take(&mut self.hidden_by_local);
        let at_begin = self.at_begin.take();
        if commits {
            for (name, value) in hidden {
                self.settings.set(name, Some(&value)).map_err(PgWireError::UserError)?;
            }
        } else if let Some(settings) = at_begin {
            self.settings = settings;
        }
        Ok(())
    }

    fn savepoint(&self, name: &str) -> PgWireResult<usize> {
        self.savepoints.iter().rposition(|savepoint| savepoint == name).ok_or_else(|| {
            error(sqlstate::INVALID_SAVEPOINT_SPECIFICATION, format!("savepoint \"{name}\" does not exist"))
        })
    }
}

fn require_transaction(in_transaction: bool, what: &str) -> PgWireResult<()> {
    if in_transaction {
        return Ok(());
    }
    Err(error(sqlstate::NO_ACTIVE_SQL_TRANSACTION, format!("{what} can only be used in transaction blocks")))
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

    fn parse(sql: &str) -> Option<SessionStatement> {
        SessionStatement::parse(&split(sql).unwrap()[0].tokens).unwrap()
    }

    fn set(name: &str, value: Option<&str>, local: bool) -> Option<SessionStatement> {
        Some(SessionStatement::Set { name: name.to_owned(), value: value.map(str::to_owned), local })
    }

    #[test]
    fn forms_of_set() {
        assert_eq!(parse("SET a TO b"), set("a", Some("b"), false));
        assert_eq!(parse("set session A = 'B c'"), set("a", Some("B c"), false));
        assert_eq!(parse("SET LOCAL a = -5"), set("a", Some("-5"), true));
        assert_eq!(parse("SET a TO DEFAULT"), set("a", None, false));
        assert_eq!(parse("SET DateStyle = ISO, DMY"), set("datestyle", Some("ISO, DMY"), false));
        assert_eq!(parse("SET TIME ZONE 'UTC'"), set("TimeZone", Some("UTC"), false));
        assert_eq!(parse("SET TIME ZONE LOCAL"), set("TimeZone", None, false));
        assert_eq!(parse("SET NAMES 'utf8'"), set("client_encoding", Some("utf8"), false));
        assert_eq!(
            parse("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"),
            Some(SessionStatement::Nothing("SET"))
        );
    }

    #[test]
    fn engine_options_pass_or_are_refused() {
        assert_eq!(parse("SET datafusion.execution.batch_size = 10"), None);
        let tokens = split("SET datafusion.runtime.memory_limit = '99G'").unwrap();
        let refused = SessionStatement::parse(&tokens[0].tokens).unwrap_err();
        assert!(refused.to_string().contains("42501"));
    }

    #[test]
    fn statements_for_the_engine_pass() {
        for sql in [
            "SELECT 1",
            "SHOW TABLES",
            "SHOW COLUMNS FROM t",
            "SHOW datafusion.execution.batch_size",
            "(SELECT 1)",
            "\"set\"",
        ] {
            assert_eq!(parse(sql), None, "{sql}");
        }
    }

    #[test]
    fn other_forms() {
        assert_eq!(parse("BEGIN ISOLATION LEVEL SERIALIZABLE"), Some(SessionStatement::Begin));
        assert_eq!(parse("START TRANSACTION READ ONLY"), Some(SessionStatement::Begin));
        assert_eq!(parse("abort"), Some(SessionStatement::Rollback));
        assert_eq!(parse("ROLLBACK TO SAVEPOINT \"A\""), Some(SessionStatement::RollbackTo("A".to_owned())));
        assert_eq!(
            parse("SHOW TRANSACTION ISOLATION LEVEL"),
            Some(SessionStatement::Show("transaction_isolation".to_owned()))
        );
        assert_eq!(parse("DEALLOCATE PREPARE s1"), Some(SessionStatement::Deallocate(Some("s1".to_owned()))));
        assert_eq!(parse("RESET ALL"), Some(SessionStatement::Reset(None)));
    }

    #[test]
    fn transactions_keep_settings_as_postgres_does() {
        let mut state = SessionState::new(Settings::new("ana"));
        let mut status = TransactionStatus::Idle;
        let mut run = |state: &mut SessionState, sql: &str| {
            let outcome = state.run(&parse(sql).unwrap(), status).unwrap();
            status = outcome.status;
            outcome
        };
        run(&mut state, "SET statement_timeout = 1");
        run(&mut state, "BEGIN");
        run(&mut state, "SET LOCAL statement_timeout = 2");
        assert_eq!(state.settings.get("statement_timeout").unwrap(), "2");
        run(&mut state, "COMMIT");
        assert_eq!(state.settings.get("statement_timeout").unwrap(), "1");
        run(&mut state, "BEGIN");
        run(&mut state, "SET statement_timeout = 3");
        run(&mut state, "ROLLBACK");
        assert_eq!(state.settings.get("statement_timeout").unwrap(), "1");
        assert!(run(&mut state, "COMMIT").notice.is_some());
        let outcome = run(&mut state, "SET TIME ZONE 'Europe/Berlin'");
        assert_eq!(outcome.reports, [("TimeZone".to_owned(), "Europe/Berlin".to_owned())]);
    }

    #[test]
    fn a_failed_transaction_commits_as_a_rollback() {
        let mut state = SessionState::new(Settings::new("ana"));
        let outcome = state.run(&SessionStatement::Commit, TransactionStatus::Error).unwrap();
        assert_eq!(outcome.tag, "ROLLBACK");
        assert_eq!(outcome.status, TransactionStatus::Idle);
    }

    #[test]
    fn savepoints_are_a_stack() {
        let mut state = SessionState::new(Settings::new("ana"));
        let transaction = TransactionStatus::Transaction;
        for name in ["a", "b"] {
            state.run(&SessionStatement::Savepoint(name.to_owned()), transaction).unwrap();
        }
        let back = SessionStatement::RollbackTo("a".to_owned());
        assert_eq!(state.run(&back, TransactionStatus::Error).unwrap().status, transaction);
        let release = SessionStatement::Release("b".to_owned());
        assert!(state.run(&release, transaction).unwrap_err().to_string().contains("3B001"));
    }
}
