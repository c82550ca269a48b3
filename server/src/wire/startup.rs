//! Log-in: from the start-up packet to a session that is ready for statements.
//!
//! A server with users asks for SCRAM-SHA-256 and nothing else, over TLS for SCRAM-SHA-256-PLUS too. Whether the user
//! exists makes no difference until the end, and none in the answer.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use futures::sink::{Sink, SinkExt};
use pgwire::api::auth::{
    ServerParameterProvider, StartupHandler, finish_authentication, protocol_negotiation,
    save_startup_parameters_to_metadata,
};
use pgwire::api::{
    ClientInfo, METADATA_DATABASE, METADATA_USER, PgWireConnectionState, PidSecretKeyGenerator,
    RandomPidSecretKeyGenerator,
};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::startup::{Authentication, PasswordMessageFamily};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use wayfare_engine::catalog::provider::CATALOG;
use wayfare_engine::{Action, Role, SessionOptions};

use super::activity::Activity;
use super::cancel::lock;
use super::connection::{Admission, Connection, CountedSession};
use super::session::SqlSession;
use super::settings::{self, Settings};
use super::state::SessionState;
use crate::auth::scram::{Exchange, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramError};
use crate::catalog::Identity;
use crate::error::{fatal_info, from_cpu, from_datafusion, from_engine, sqlstate, user_error};
use crate::tls::Tls;

/// How long an answer to a wrong password takes.
const FAILED_LOGIN_PAUSE: Duration = Duration::from_millis(300);

/// Process ids and cancel keys, unique in this process.
static KEYS: LazyLock<RandomPidSecretKeyGenerator> = LazyLock::new(RandomPidSecretKeyGenerator::default);

#[async_trait]
impl StartupHandler for Connection {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let step = std::mem::take(&mut *self.login.lock().await);
        match (step, message) {
            (Login::Nothing, PgWireFrontendMessage::Startup(startup)) => {
                protocol_negotiation(client, &startup).await?;
                save_startup_parameters_to_metadata(client, &startup);
                self.begin(client).await
            }
            (Login::Asked { user }, PgWireFrontendMessage::PasswordMessageFamily(message)) => {
                let body = body_of(&message).ok_or_else(malformed_scram)?;
                let (mechanism, first) = initial_response(body).ok_or_else(malformed_scram)?;
                self.answer_first(client, user, mechanism, first).await
            }
            (
                Login::Answered { user, role, exchange },
                PgWireFrontendMessage::PasswordMessageFamily(message),
            ) => {
                let last = body_of(&message).ok_or_else(malformed_scram)?;
                match (exchange.finish(last), role) {
                    (Ok(proof), Some(role)) => {
                        let last = Authentication::SASLFinal(proof.into());
                        client.feed(PgWireBackendMessage::Authentication(last)).await?;
                        self.complete(client, user, role).await
                    }
                    (Err(failure), _) => Err(self.refuse(client, &user, &failure).await),
                    // A decoy that was guessed: no password does that.
                    (Ok(_), None) => Err(self.refuse(client, &user, &ScramError::WrongPassword).await),
                }
            }
            _ => {
                Err(user_error(fatal_info(sqlstate::PROTOCOL_VIOLATION, "unexpected message during log-in")))
            }
        }
    }
}

/// How far a log-in has come.
#[derive(Debug, Default)]
pub(crate) enum Login {
    #[default]
    Nothing,
    /// The client knows how to authenticate.
    Asked { user: String },
    /// The client has the salt.
    Answered { user: String, role: Option<Role>, exchange: Exchange },
}

impl Connection {
    /// Takes the start-up packet, whose parameters are in the client's metadata.
    async fn begin<C>(&self, client: &mut C) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let user = match client.metadata().get(METADATA_USER) {
            Some(user) if !user.is_empty() => user.clone(),
            _ => {
                return Err(user_error(fatal_info(
                    sqlstate::INVALID_AUTHORIZATION,
                    "no PostgreSQL user name specified in startup packet",
                )));
            }
        };
        if self.shared.tls.as_ref().is_some_and(Tls::requires) && !client.is_secure() {
            let mut info =
                fatal_info(sqlstate::INVALID_AUTHORIZATION, "connections without encryption are refused");
            info.hint = Some("Connect with sslmode=require, or better verify-full.".to_owned());
            return Err(user_error(info));
        }
        if self.shared.users.is_none() {
            return self.complete(client, user, Role::Admin).await;
        }
        client.set_state(PgWireConnectionState::AuthenticationInProgress);
        let mechanisms = match self.end_point(client) {
            Some(_) => vec![SCRAM_SHA_256_PLUS.to_owned(), SCRAM_SHA_256.to_owned()],
            None => vec![SCRAM_SHA_256.to_owned()],
        };
        *self.login.lock().await = Login::Asked { user };
        client.send(PgWireBackendMessage::Authentication(Authentication::SASL(mechanisms))).await?;
        Ok(())
    }

    /// What channel binding binds to, if it was offered.
    fn end_point(&self, client: &impl ClientInfo) -> Option<&[u8]> {
        self.identity.as_ref().filter(|_| client.is_secure())?.end_point.as_deref()
    }

    async fn answer_first<C>(
        &self,
        client: &mut C,
        user: String,
        mechanism: &str,
        first: &[u8],
    ) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let Some(users) = &self.shared.users else {
            return Err(malformed_scram());
        };
        let candidate = users.candidate(&user).await.map_err(|error| {
            tracing::error!(%error, "cannot read the list of users");
            user_error(fatal_info(sqlstate::IO_ERROR, "cannot read the list of users"))
        })?;
        match Exchange::begin(candidate.verifier, mechanism, self.end_point(client), first) {
            Ok((exchange, answer)) => {
                *self.login.lock().await = Login::Answered { user, role: candidate.role, exchange };
                let answer = Authentication::SASLContinue(answer.into());
                client.send(PgWireBackendMessage::Authentication(answer)).await?;
                Ok(())
            }
            Err(failure) => Err(self.refuse(client, &user, &failure).await),
        }
    }

    /// The answer to a log-in that failed, after a pause.
    async fn refuse(&self, client: &impl ClientInfo, user: &str, failure: &ScramError) -> PgWireError {
        self.shared.metrics.failed_logins.add(1);
        tracing::warn!(user, peer = %client.socket_addr(), why = %failure, "log-in failed");
        tokio::time::sleep(FAILED_LOGIN_PAUSE).await;
        let (code, message) = match failure {
            ScramError::Malformed(_) => (sqlstate::PROTOCOL_VIOLATION, "malformed SCRAM message".to_owned()),
            ScramError::Binding => {
                (sqlstate::INVALID_AUTHORIZATION, "SCRAM channel binding check failed".to_owned())
            }
            ScramError::WrongPassword => {
                (sqlstate::INVALID_PASSWORD, format!("password authentication failed for user \"{user}\""))
            }
            ScramError::Random => (sqlstate::INTERNAL_ERROR, failure.to_string()),
        };
        user_error(fatal_info(code, message))
    }

    /// Opens the session of a user who is who he says.
    async fn complete<C>(&self, client: &mut C, user: String, role: Role) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        check_database(client.metadata()).map_err(user_error)?;
        let settings = initial_settings(&user, client.metadata()).map_err(|info| fatal(*info))?;
        let (pid, key) = KEYS.generate(client);
        client.set_pid_and_secret_key(pid, key.clone());
        let slot = Arc::clone(&self.shared.slots).try_acquire_owned().map_err(|_| {
            self.shared.metrics.refused.add(1);
            user_error(fatal_info(sqlstate::TOO_MANY_CONNECTIONS, "sorry, too many clients already"))
        })?;
        let reported =
            Reported(settings.reported().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
        let time_zone = settings.time_zone();
        let search_path = settings.search_path();
        *lock(&self.state) = SessionState::new(settings);
        tracing::info!(user, %role, pid, peer = %client.socket_addr(), tls = client.is_secure(), "logged in");
        let state = Arc::clone(&self.state);
        let activity = Activity::new(pid, user.clone(), client.socket_addr(), client.is_secure(), state);
        let activity = Arc::new(activity);
        let sql = self.open_session(user, role, time_zone, Arc::clone(&activity)).await?;
        sql.set_search_path(search_path);
        let registration =
            self.shared.cancels.register(&key, activity, Arc::clone(&self.current), self.stop.clone());
        let session = CountedSession::new(Arc::clone(&self.shared.metrics));
        self.admit(sql, Admission { _slot: slot, _registration: registration, _session: session });
        finish_authentication(client, &reported).await
    }

    /// Opens the engine session of `user` and gives it PostgreSQL's catalog.
    async fn open_session(
        &self,
        user: String,
        role: Role,
        time_zone: String,
        activity: Arc<Activity>,
    ) -> PgWireResult<SqlSession> {
        let pid = activity.pid;
        let shared = Arc::clone(&self.shared);
        let state = Arc::clone(&self.state);
        let opened = self.shared.cpu.run(async move {
            let allow_writes =
                if shared.users.is_some() { role.may(Action::Load) } else { shared.allow_writes };
            let options = SessionOptions {
                role,
                time_zone: Some(time_zone),
                allow_writes,
                ..SessionOptions::default()
            };
            let session = shared.engine.session(&options).map_err(|e| from_engine(&e))?;
            let cancels = Arc::clone(&shared.cancels);
            // Without users, a name is all that tells sessions apart.
            let administers = shared.users.is_some() && role.may(Action::Administer);
            let identity = Identity { user, administers, pid, state, cancels };
            shared.catalog.install(session.context(), &identity).map_err(|e| from_datafusion(&e))?;
            Ok(Arc::new(session))
        });
        let session = match opened.await {
            Ok(Ok(session)) => session,
            Ok(Err(info)) => return Err(fatal(info)),
            Err(e) => return Err(fatal(from_cpu(e))),
        };
        Ok(SqlSession::new(session, role, &self.shared, activity))
    }
}

/// There is one database. A client that names none means it.
fn check_database(asked: &HashMap<String, String>) -> Result<(), ErrorInfo> {
    match asked.get(METADATA_DATABASE) {
        Some(name) if !name.is_empty() && name != CATALOG => {
            let mut info =
                fatal_info(sqlstate::INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist"));
            info.hint = Some(format!("The database is called \"{CATALOG}\"."));
            Err(info)
        }
        _ => Ok(()),
    }
}

fn body_of(message: &PasswordMessageFamily) -> Option<&[u8]> {
    match message {
        PasswordMessageFamily::Raw(body) => Some(body),
        _ => None,
    }
}

/// Mechanism and data of a `SASLInitialResponse`. The library's decoder trusts the lengths in it.
fn initial_response(body: &[u8]) -> Option<(&str, &[u8])> {
    let end = body.iter().position(|byte| *byte == 0)?;
    let mechanism = std::str::from_utf8(&body[..end]).ok()?;
    let (length, data) = body[end + 1..].split_first_chunk::<4>()?;
    let fits = usize::try_from(i32::from_be_bytes(*length)).is_ok_and(|length| length == data.len());
    fits.then_some((mechanism, data))
}

fn malformed_scram() -> PgWireError {
    user_error(fatal_info(sqlstate::PROTOCOL_VIOLATION, "malformed SCRAM message"))
}

/// The settings that a client asks for in its start-up packet. Unknown ones are refused, as PostgreSQL does.
fn initial_settings(user: &str, asked: &HashMap<String, String>) -> Result<Settings, Box<ErrorInfo>> {
    let mut initial = Settings::new(user);
    for (name, value) in asked {
        match name.as_str() {
            "user" | "database" | "replication" => {}
            "options" => set_options(&mut initial, value)?,
            // Protocol extensions are negotiated, not set.
            name if name.starts_with("_pq_.") => {}
            name => initial.set_initial(name, value)?,
        }
    }
    Ok(initial)
}

/// Applies `-c name=value --name=value ...`; a backslash keeps the next character.
fn set_options(initial: &mut Settings, options: &str) -> Result<(), Box<ErrorInfo>> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            c if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let assignment = match word.as_str() {
            "-c" => words.next().unwrap_or_default(),
            other => {
                other.strip_prefix("--").or_else(|| other.strip_prefix("-c")).unwrap_or(other).to_owned()
            }
        };
        let Some((name, value)) = assignment.split_once('=') else {
            return Err(Box::new(fatal_info(
                sqlstate::SYNTAX_ERROR,
                format!("invalid command-line argument for server process: {assignment}"),
            )));
        };
        // Clients write dashes for underscores here.
        let name = name.replace('-', "_");
        if settings::find(&name).is_some() {
            initial.set_initial(&name, value)?;
        }
    }
    Ok(())
}

fn fatal(mut info: ErrorInfo) -> PgWireError {
    "FATAL".clone_into(&mut info.severity);
    info.severity_nonlocalized = Some("FATAL".to_owned());
    user_error(info)
}

/// The parameters that a client is told at log-in.
struct Reported(HashMap<String, String>);

impl ServerParameterProvider for Reported {
    fn server_parameters<C: ClientInfo>(&self, _client: &C) -> Option<HashMap<String, String>> {
        Some(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_up_packets_set_what_they_may() {
        let asked = HashMap::from([
            ("user".to_owned(), "ana".to_owned()),
            ("application_name".to_owned(), "psql".to_owned()),
            (
                "options".to_owned(),
                "-c statement_timeout=5s --time-zone=UTC -c DateStyle=ISO,\\ DMY".to_owned(),
            ),
        ]);
        let settings = initial_settings("ana", &asked).unwrap();
        assert_eq!(settings.get("application_name").unwrap(), "psql");
        assert_eq!(settings.show("statement_timeout").unwrap(), "5s");
        assert_eq!(settings.get("DateStyle").unwrap(), "ISO, DMY");
        let unknown = HashMap::from([("no_such".to_owned(), "1".to_owned())]);
        assert_eq!(initial_settings("ana", &unknown).unwrap_err().code, "42704");
    }
}
