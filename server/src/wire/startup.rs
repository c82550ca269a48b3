//! Log-in: from the start-up packet to a session that is ready for statements.
//!
//! Every user is trusted for now, which is why the server listens on the loopback address only by default. Passwords
//! take their place between [`protocol_negotiation`] and [`Connection::open_session`]; nothing else changes then.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use futures::sink::Sink;
use pgwire::api::auth::{
    ServerParameterProvider, StartupHandler, finish_authentication, protocol_negotiation,
    save_startup_parameters_to_metadata,
};
use pgwire::api::{ClientInfo, METADATA_USER, PidSecretKeyGenerator, RandomPidSecretKeyGenerator};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use wayfare_engine::SessionOptions;

use super::cancel::lock;
use super::connection::{Admission, Connection};
use super::session::SqlSession;
use super::settings::{self, Settings};
use super::state::SessionState;
use crate::catalog::Identity;
use crate::error::{fatal_info, from_cpu, from_datafusion, from_engine, sqlstate, user_error};

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
        let PgWireFrontendMessage::Startup(startup) = message else {
            return Err(user_error(fatal_info(sqlstate::PROTOCOL_VIOLATION, "expected a start-up packet")));
        };
        protocol_negotiation(client, &startup).await?;
        save_startup_parameters_to_metadata(client, &startup);
        let user = match client.metadata().get(METADATA_USER) {
            Some(user) if !user.is_empty() => user.clone(),
            _ => {
                return Err(user_error(fatal_info(
                    "28000",
                    "no PostgreSQL user name specified in startup packet",
                )));
            }
        };
        let settings = initial_settings(&user, client.metadata()).map_err(|info| fatal(*info))?;

        let (pid, key) = KEYS.generate(client);
        client.set_pid_and_secret_key(pid, key.clone());
        let slot = Arc::clone(&self.shared.slots).try_acquire_owned().map_err(|_| {
            user_error(fatal_info(sqlstate::TOO_MANY_CONNECTIONS, "sorry, too many clients already"))
        })?;
        let reported =
            Reported(settings.reported().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
        let time_zone = settings.time_zone();
        let search_path = settings.search_path();
        *lock(&self.state) = SessionState::new(settings);
        let sql = self.open_session(user.clone(), pid, time_zone).await?;
        sql.set_search_path(search_path);
        let registration =
            self.shared.cancels.register(pid, &key, user, Arc::clone(&self.current), self.stop.clone());
        self.admit(sql, Admission { _slot: slot, _registration: registration });
        finish_authentication(client, &reported).await
    }
}

impl Connection {
    /// Opens the engine session of `user` and gives it PostgreSQL's catalog.
    async fn open_session(&self, user: String, pid: i32, time_zone: String) -> PgWireResult<SqlSession> {
        let shared = Arc::clone(&self.shared);
        let state = Arc::clone(&self.state);
        let opened = self.shared.cpu.run(async move {
            let options = SessionOptions {
                time_zone: Some(time_zone),
                allow_writes: shared.allow_writes,
                ..SessionOptions::default()
            };
            let session = shared.engine.session(&options).map_err(|e| from_engine(&e))?;
            let cancels = Arc::clone(&shared.cancels);
            let identity = Identity { user, pid, state, cancels };
            shared.catalog.install(session.context(), &identity).map_err(|e| from_datafusion(&e))?;
            Ok(Arc::new(session))
        });
        let session = match opened.await {
            Ok(Ok(session)) => session,
            Ok(Err(info)) => return Err(fatal(info)),
            Err(e) => return Err(fatal(from_cpu(e))),
        };
        Ok(SqlSession::new(session, Arc::clone(&self.shared.cpu), Arc::clone(&self.shared.rewriter)))
    }
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
