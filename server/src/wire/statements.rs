//! Statements that concern the session and not the data: transactions, `SET`, `SHOW`, `RESET`, `DISCARD` ...
//!
//! They are recognised by their tokens, because the SQL parser of the engine knows only some of PostgreSQL's forms.
//! [`super::state`] runs them.

use datafusion::sql::sqlparser::tokenizer::Token;
use pgwire::error::PgWireResult;

use super::engine_options;
use super::settings;
use super::split::StatementText;
use super::tokens::Tokens;
use super::transaction::Modes;
use crate::error::{error, sqlstate};

/// A statement about the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionStatement {
    Begin {
        modes: Modes,
        tag: &'static str,
    },
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint(String),
    RollbackTo(String),
    Release(String),
    SetTransaction(Modes),
    SetCharacteristics(Modes),
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
    LockTable,
    /// Accepted without an effect; answered with this tag.
    Nothing(&'static str),
}

impl SessionStatement {
    /// Recognises a statement by its tokens; `None` if it is one for the engine.
    ///
    /// # Errors
    /// 42601 for a malformed statement, 42501 for an engine option that sessions may not set.
    pub(crate) fn parse(text: &StatementText) -> PgWireResult<Option<Self>> {
        let mut tokens = Tokens::new(text);
        let Some(first) = tokens.keyword() else {
            return Ok(None);
        };
        let statement = match first.as_str() {
            "BEGIN" => {
                let _ = tokens.accept("WORK") || tokens.accept("TRANSACTION");
                Self::Begin { modes: Modes::parse(&mut tokens)?, tag: "BEGIN" }
            }
            "START" => {
                tokens.expect("TRANSACTION")?;
                Self::Begin { modes: Modes::parse(&mut tokens)?, tag: "START TRANSACTION" }
            }
            "COMMIT" | "END" => Self::Commit { chain: parse_chain(&mut tokens)? },
            "ABORT" => Self::Rollback { chain: parse_chain(&mut tokens)? },
            "ROLLBACK" => {
                let mut ahead = tokens;
                let _ = ahead.accept("WORK") || ahead.accept("TRANSACTION");
                if ahead.accept("TO") {
                    tokens = ahead;
                    tokens.accept("SAVEPOINT");
                    Self::RollbackTo(tokens.name()?)
                } else {
                    Self::Rollback { chain: parse_chain(&mut tokens)? }
                }
            }
            "SAVEPOINT" => Self::Savepoint(tokens.name()?),
            "RELEASE" => {
                tokens.accept("SAVEPOINT");
                Self::Release(tokens.name()?)
            }
            "SET" => return parse_set(tokens),
            "SHOW" => return parse_show(tokens),
            "RESET" => {
                if tokens.accept("ALL") {
                    Self::Reset(None)
                } else if tokens.accept_two("TIME", "ZONE") {
                    Self::Reset(Some("TimeZone".to_owned()))
                } else if tokens.accept("ROLE") || tokens.accept_two("SESSION", "AUTHORIZATION") {
                    Self::Nothing("RESET")
                } else {
                    let name = tokens.dotted_name()?;
                    if name.contains('.') && !settings::is_custom(&name) {
                        engine_options::check(&name, None)?;
                        return Ok(None);
                    }
                    Self::Reset(Some(name))
                }
            }
            "DISCARD" => {
                let before = tokens;
                match tokens.keyword().as_deref() {
                    Some("ALL") => Self::DiscardAll,
                    Some("PLANS") => Self::Nothing("DISCARD PLANS"),
                    Some("SEQUENCES") => Self::Nothing("DISCARD SEQUENCES"),
                    Some("TEMP" | "TEMPORARY") => Self::Nothing("DISCARD TEMP"),
                    _ => return Err(before.syntax_error()),
                }
            }
            "DEALLOCATE" => {
                tokens.accept("PREPARE");
                if tokens.accept("ALL") {
                    Self::Deallocate(None)
                } else {
                    Self::Deallocate(Some(tokens.name()?))
                }
            }
            "UNLISTEN" => {
                let _ = tokens.accept_token(&Token::Mul) || tokens.name().is_ok();
                Self::Nothing("UNLISTEN")
            }
            "CHECKPOINT" => Self::Nothing("CHECKPOINT"),
            "LOCK" => return Ok(Some(Self::LockTable)),
            // Statistics are those of the log and always new; compaction is the operator's.
            "ANALYZE" | "ANALYSE" => return Ok(Some(Self::Nothing("ANALYZE"))),
            "VACUUM" => return Ok(Some(Self::Nothing("VACUUM"))),
            _ => return Ok(None),
        };
        tokens.end()?;
        Ok(Some(statement))
    }

    /// Whether the statement is allowed in a failed transaction.
    pub(crate) fn ends_failure(&self) -> bool {
        matches!(self, Self::Commit { .. } | Self::Rollback { .. } | Self::RollbackTo(_))
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

/// The rest of `COMMIT` and `ROLLBACK`.
fn parse_chain(tokens: &mut Tokens<'_>) -> PgWireResult<bool> {
    let _ = tokens.accept("WORK") || tokens.accept("TRANSACTION");
    if !tokens.accept("AND") {
        return Ok(false);
    }
    let no = tokens.accept("NO");
    tokens.expect("CHAIN")?;
    Ok(!no)
}

fn parse_set(mut tokens: Tokens<'_>) -> PgWireResult<Option<SessionStatement>> {
    if tokens.accept_two("SESSION", "CHARACTERISTICS") {
        tokens.expect("AS")?;
        tokens.expect("TRANSACTION")?;
        return Ok(Some(SessionStatement::SetCharacteristics(Modes::parse(&mut tokens)?)));
    }
    if tokens.accept("TRANSACTION") {
        return Ok(Some(SessionStatement::SetTransaction(Modes::parse(&mut tokens)?)));
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
            value: zone(&mut tokens)?,
            local,
        }));
    }
    if tokens.accept("NAMES") {
        let value = if tokens.is_empty() { None } else { tokens.value()? };
        return Ok(Some(SessionStatement::Set { name: "client_encoding".to_owned(), value, local }));
    }
    if tokens.accept("SCHEMA") {
        let value = settings::quoted_schema(&tokens.string()?);
        tokens.end()?;
        return Ok(Some(SessionStatement::Set { name: "search_path".to_owned(), value: Some(value), local }));
    }
    let name = tokens.dotted_name()?;
    if name.contains('.') && !settings::is_custom(&name) {
        let _ = tokens.accept("TO") || tokens.accept_token(&Token::Eq);
        engine_options::check(&name, tokens.value()?.as_deref())?;
        return Ok(None);
    }
    if !tokens.accept("TO") && !tokens.accept_token(&Token::Eq) {
        return Err(tokens.syntax_error());
    }
    let value =
        if name.eq_ignore_ascii_case("search_path") { schemas(&mut tokens)? } else { tokens.value()? };
    Ok(Some(SessionStatement::Set { name, value, local }))
}

/// The list of `SET search_path`, in which a string is one name.
fn schemas(tokens: &mut Tokens<'_>) -> PgWireResult<Option<String>> {
    let mut ahead = *tokens;
    if ahead.accept("DEFAULT") && ahead.is_empty() {
        return Ok(None);
    }
    let mut names = Vec::new();
    loop {
        let name = match tokens.peek() {
            Some(Token::Word(_)) => tokens.name()?,
            _ => tokens.string()?,
        };
        names.push(settings::quoted_schema(&name));
        if tokens.is_empty() {
            return Ok(Some(names.join(", ")));
        }
        tokens.expect_token(&Token::Comma)?;
    }
}

/// The zone of `SET TIME ZONE`; `None` for the default. `INTERVAL '+02:00' HOUR TO MINUTE` is an offset.
fn zone(tokens: &mut Tokens<'_>) -> PgWireResult<Option<String>> {
    if tokens.accept("LOCAL") {
        tokens.end()?;
        return Ok(None);
    }
    if tokens.accept("INTERVAL") {
        let offset = tokens.string()?;
        if tokens.accept("HOUR") {
            tokens.expect("TO")?;
            tokens.expect("MINUTE")?;
        }
        tokens.end()?;
        return match settings::zone::of_interval(&offset) {
            Some(zone) => Ok(Some(zone)),
            None => Err(error(
                sqlstate::INVALID_PARAMETER_VALUE,
                format!("invalid value for parameter \"TimeZone\": \"{offset}\""),
            )),
        };
    }
    tokens.value()
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

fn parse_show(mut tokens: Tokens<'_>) -> PgWireResult<Option<SessionStatement>> {
    if tokens.accept("ALL") {
        return Ok(Some(SessionStatement::ShowAll));
    }
    if tokens.accept_two("TIME", "ZONE") {
        return Ok(Some(SessionStatement::Show("TimeZone".to_owned())));
    }
    if tokens.accept_two("TRANSACTION", "ISOLATION") {
        return Ok(Some(SessionStatement::Show("transaction_isolation".to_owned())));
    }
    if tokens.accept_two("SESSION", "AUTHORIZATION") {
        return Ok(Some(SessionStatement::Show("session_authorization".to_owned())));
    }
    let Ok(name) = tokens.dotted_name() else {
        return Ok(None);
    };
    engine_options::check_shown(&name)?;
    // SHOW TABLES, SHOW COLUMNS FROM t, SHOW datafusion.x ... are the engine's.
    let is_variable = tokens.is_empty() && (!name.contains('.') || settings::is_custom(&name));
    let is_list = ["TABLES", "COLUMNS", "FUNCTIONS", "SCHEMAS", "DATABASES", "VIEWS"]
        .iter()
        .any(|list| list.eq_ignore_ascii_case(&name));
    Ok((is_variable && !is_list).then_some(SessionStatement::Show(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::split::split;

    fn parse(sql: &str) -> Option<SessionStatement> {
        SessionStatement::parse(&split(sql).unwrap()[0]).unwrap()
    }

    fn refused(sql: &str) -> String {
        SessionStatement::parse(&split(sql).unwrap()[0]).unwrap_err().to_string()
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
        assert_eq!(parse("SET TIME ZONE \"Etc/UTC\""), set("TimeZone", Some("Etc/UTC"), false));
        assert_eq!(parse("SET TIME ZONE LOCAL"), set("TimeZone", None, false));
        assert_eq!(
            parse("SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE"),
            set("TimeZone", Some("<+02>-02"), false)
        );
        assert_eq!(parse("SET NAMES 'utf8'"), set("client_encoding", Some("utf8"), false));
        assert_eq!(
            parse("SET search_path = 'a b', C, \"D\""),
            set("search_path", Some("\"a b\", c, \"D\""), false)
        );
        assert_eq!(parse("SET my.var = 1"), set("my.var", Some("1"), false));
        assert_eq!(parse("SET SCHEMA 'journey'"), set("search_path", Some("journey"), false));
    }

    #[test]
    fn engine_options_pass_or_are_refused() {
        assert_eq!(parse("SET datafusion.execution.batch_size = 10"), None);
        assert!(refused("SET datafusion.runtime.memory_limit = '99G'").contains("42501"));
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
    fn modes_of_transactions() {
        let modes = |isolation, read_only, deferrable| Modes { isolation, read_only, deferrable };
        assert_eq!(
            parse("BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY NOT DEFERRABLE"),
            Some(SessionStatement::Begin {
                modes: modes(Some("serializable"), Some(true), Some(false)),
                tag: "BEGIN"
            })
        );
        assert_eq!(
            parse("START TRANSACTION READ WRITE"),
            Some(SessionStatement::Begin { modes: modes(None, Some(false), None), tag: "START TRANSACTION" })
        );
        assert_eq!(
            parse("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"),
            Some(SessionStatement::SetCharacteristics(modes(None, Some(true), None)))
        );
        assert!(refused("BEGIN READ bad").contains("syntax error at or near \"bad\""));
        assert!(refused("COMMIT AND").contains("syntax error at end of input"));
        assert!(refused("SAVEPOINT a b").contains("syntax error at or near \"b\""));
    }

    #[test]
    fn other_forms() {
        assert_eq!(parse("abort"), Some(SessionStatement::Rollback { chain: false }));
        assert_eq!(parse("COMMIT WORK AND CHAIN"), Some(SessionStatement::Commit { chain: true }));
        assert_eq!(parse("ROLLBACK AND NO CHAIN"), Some(SessionStatement::Rollback { chain: false }));
        assert_eq!(
            parse("ROLLBACK WORK TO SAVEPOINT \"A\""),
            Some(SessionStatement::RollbackTo("A".to_owned()))
        );
        assert_eq!(
            parse("SHOW TRANSACTION ISOLATION LEVEL"),
            Some(SessionStatement::Show("transaction_isolation".to_owned()))
        );
        assert_eq!(parse("DEALLOCATE PREPARE s1"), Some(SessionStatement::Deallocate(Some("s1".to_owned()))));
        assert_eq!(parse("RESET ALL"), Some(SessionStatement::Reset(None)));
    }
}
