//! Who is let in, over what, and how much each client may take.

mod limits;
mod login;
mod monitor;
mod operation;
mod panics;
mod reach;
mod roles;
mod sessions;
mod tls;

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::Arc;

use tokio_postgres::{Client, NoTls};
use wayfare_engine::{Engine, EngineConfig, Role, StoreError, User};
use wayfare_server::ServeOptions;
use wayfare_server::auth::Access;
use wayfare_server::auth::scram::Verifier;

use crate::support::{TestServer, tell};

pub const PASSWORD: &str = "correct horse, battery";

/// A store in memory with the users reader, loader and admin, all with [`PASSWORD`].
pub async fn engine_with_users(config: EngineConfig) -> Arc<Engine> {
    let config = EngineConfig { store_url: "memory:///guard".to_owned(), ..config };
    let engine = Engine::open_or_create(config).await.unwrap();
    let verifier = Verifier::of_password(PASSWORD).unwrap().to_string();
    engine
        .store()
        .change_access_list(|list| {
            for role in Role::ALL {
                list.put(User { name: role.name().to_owned(), role, verifier: verifier.clone() });
            }
            Ok::<(), StoreError>(())
        })
        .await
        .unwrap();
    Arc::new(engine)
}

/// A server that asks for passwords.
pub async fn server_with_users(options: ServeOptions) -> TestServer {
    let engine = engine_with_users(EngineConfig::default()).await;
    TestServer::start_on(engine, ServeOptions { access: Access::Users, ..options }).await
}

/// Logs in without TLS.
pub async fn log_in(
    address: SocketAddr,
    user: &str,
    password: &str,
    database: &str,
) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::Config::new()
        .host(address.ip().to_string())
        .port(address.port())
        .user(user)
        .password(password)
        .dbname(database)
        .connect(NoTls)
        .await?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(client)
}

/// What psql says to `sql` with these connection parameters; `None` without psql.
///
/// # Panics
/// psql is missing where it must not be (in CI).
pub async fn psql(parameters: String, password: &'static str, sql: &'static str) -> Option<Output> {
    let run = move || {
        Command::new("psql")
            .args(["-X", "-A", "-t", "-c", sql, &parameters])
            .env("PGPASSWORD", password)
            .env("PGCONNECT_TIMEOUT", "10")
            .output()
    };
    match tokio::task::spawn_blocking(run).await.unwrap() {
        Ok(output) => Some(output),
        Err(e) => {
            assert!(std::env::var_os("CI").is_none(), "psql is needed in CI: {e}");
            tell("not run: psql not found");
            None
        }
    }
}
