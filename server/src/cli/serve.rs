//! `wayfare serve`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use wayfare_engine::maintain::background::Policy;
use wayfare_engine::{Engine, EngineConfig};
use wayfare_server::auth::Access;
use wayfare_server::limits::ServerLimits;
use wayfare_server::tls::TlsOptions;
use wayfare_server::{ServeOptions, Server};

use super::args::ServeArgs;
use super::config::{FileConfig, TlsArg};
use super::error::CliError;
use super::output;
use super::units::Time;

/// Rows of a result unless another number is asked for: more than anybody waits for.
const DEFAULT_RESULT_ROWS: u64 = 1_000_000_000;

/// Serves until interrupted.
pub async fn run(config: EngineConfig, args: &ServeArgs, file: &FileConfig) -> Result<(), CliError> {
    let options = options(args, file)?;
    let maintains = args.maintain || file.maintain.enabled == Some(true);
    if !maintains && (args.maintain_every.is_some() || args.maintain_quiet.is_some()) {
        return Err(CliError::Other(
            "--maintain-every and --maintain-quiet say how days are merged in the background: add --maintain"
                .to_owned(),
        ));
    }
    let limits = &file.limits;
    let config = EngineConfig {
        query_memory_limit_bytes: args
            .max_query_memory
            .or(limits.query_memory.map(|size| size.0))
            .or(Some(config.memory_limit_bytes / 2)),
        temp_limit_bytes: args
            .max_temp_size
            .or(limits.temp_size.map(|size| size.0))
            .map_or(config.temp_limit_bytes, |size| size as u64),
        max_result_rows: args.max_result_rows.or(limits.result_rows).or(Some(DEFAULT_RESULT_ROWS)),
        ..config
    };
    let engine = Arc::new(Engine::open(config).await?);
    if maintains {
        let (engine, policy) = (Arc::clone(&engine), policy(args, file));
        // Ends with the process; what is not committed then is not seen.
        tokio::spawn(async move { engine.maintain(policy).await });
    }
    serve(engine, options).await
}

fn policy(args: &ServeArgs, file: &FileConfig) -> Policy {
    let default = Policy::default();
    let or_file = |arg: Option<Duration>, key: &Option<Time>| arg.or(key.as_ref().map(|time| time.0));
    Policy {
        interval: or_file(args.maintain_every, &file.maintain.every).unwrap_or(default.interval),
        quiet: or_file(args.maintain_quiet, &file.maintain.quiet).unwrap_or(default.quiet),
        ..default
    }
}

/// Options from the command line, then from the file, then as usual.
fn options(args: &ServeArgs, file: &FileConfig) -> Result<ServeOptions, CliError> {
    let default = ServeOptions::default();
    let FileConfig { serve, limits, .. } = file;
    let host = args.host.or(serve.host).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let port = args.port.or(serve.port).unwrap_or(wayfare_server::DEFAULT_PORT);
    let no_auth = args.no_auth || serve.auth == Some(false);
    Ok(ServeOptions {
        listen: SocketAddr::new(host, port),
        access: if no_auth { Access::Anyone } else { Access::Users },
        allow_writes: args.allow_writes,
        tls: tls(args, file)?,
        monitor: args.metrics.or(file.metrics.listen),
        slow_statement: args.slow_statement.or(file.log.slow_statement.map(|time| time.0)),
        max_connections: args.max_connections.or(limits.connections).unwrap_or(default.max_connections),
        limits: ServerLimits {
            max_pending_logins: args
                .max_pending_logins
                .or(limits.pending_logins)
                .unwrap_or(default.limits.max_pending_logins),
            login_time: args
                .login_time
                .or(limits.login_time.map(|time| time.0))
                .unwrap_or(default.limits.login_time),
            statement_time: statement_time(args, file, default.limits.statement_time),
            max_message_bytes: args
                .max_message_size
                .or(limits.message_size.map(|size| size.0))
                .unwrap_or(default.limits.max_message_bytes),
            ..default.limits
        },
        shutdown_grace: serve.shutdown_grace.map_or(default.shutdown_grace, |time| time.0),
        ..default
    })
}

fn statement_time(args: &ServeArgs, file: &FileConfig, default: Option<Duration>) -> Option<Duration> {
    match (args.max_statement_time, file.limits.statement_time) {
        (Some(limit), _) => limit.0,
        (None, Some(limit)) => limit.0.map(|time| time.0),
        (None, None) => default,
    }
}

fn tls(args: &ServeArgs, file: &FileConfig) -> Result<Option<TlsOptions>, CliError> {
    let certificate = args.tls_cert.clone().or_else(|| file.tls.certificate.clone());
    let key = args.tls_key.clone().or_else(|| file.tls.key.clone());
    let asked = args.tls.or(file.tls.mode);
    let usual = if certificate.is_some() || key.is_some() { TlsArg::Require } else { TlsArg::Off };
    let Some(mode) = asked.unwrap_or(usual).mode() else {
        return Ok(None);
    };
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsOptions { mode, certificate, key })),
        (None, _) => Err(CliError::Other(
            "TLS needs a certificate: give --tls-cert FILE, or tls.certificate in the configuration"
                .to_owned(),
        )),
        (_, None) => Err(CliError::Other(
            "TLS needs the certificate's key: give --tls-key FILE, or tls.key in the configuration"
                .to_owned(),
        )),
    }
}

/// Serves `engine` until Ctrl-C or SIGTERM.
pub async fn serve(engine: Arc<Engine>, options: ServeOptions) -> Result<(), CliError> {
    // Two descriptors for each connection are more than a shell usually allows, and less than the system does.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "cannot raise the number of open files");
    }
    let (access, encrypted) = (options.access, options.tls.is_some());
    let has_users = access == Access::Anyone || engine.store().access_list().await?.users().next().is_some();
    let server = Server::bind(engine, options).await?;
    let address = server.local_addr();
    let user = if access == Access::Anyone { "wayfare" } else { "NAME" };
    let sslmode = if encrypted { " sslmode=require" } else { "" };
    say(&format!(
        "serving Postgres on {address}: psql \"host={} port={} user={user} dbname=wayfare{sslmode}\"\n",
        address.ip(),
        address.port()
    ));
    if let Some(address) = server.monitor_addr() {
        say(&format!("metrics on http://{address}/metrics, health on http://{address}/health\n"));
    }
    if access == Access::Anyone {
        say("no passwords: everybody on this machine may connect, under any name\n");
    } else if !has_users {
        say("nobody can log in yet: add users with `wayfare user add NAME --role reader`\n");
    }
    server.run(interrupted()).await;
    say("stopped\n");
    Ok(())
}

/// Prints `text` for whoever still reads: a server goes on when its output is closed.
fn say(text: &str) {
    let _ = output::print(text);
}

/// Ends with Ctrl-C or SIGTERM.
pub async fn interrupted() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            // Without the handler the signal ends the process, which is what it is for.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}
