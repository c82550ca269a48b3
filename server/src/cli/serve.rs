//! `wayfare serve`.

use std::net::SocketAddr;
use std::sync::Arc;

use wayfare_engine::{Engine, EngineConfig};
use wayfare_server::{ServeOptions, Server};

use super::args::ServeArgs;
use super::error::CliError;
use super::output;

/// Serves until interrupted.
pub async fn run(config: EngineConfig, args: &ServeArgs) -> Result<(), CliError> {
    let engine = Arc::new(Engine::open(config).await?);
    let listen = SocketAddr::new(args.host, args.port);
    serve(engine, ServeOptions { listen, allow_writes: args.allow_writes, ..ServeOptions::default() }).await
}

/// Serves `engine` until Ctrl-C or SIGTERM.
pub async fn serve(engine: Arc<Engine>, options: ServeOptions) -> Result<(), CliError> {
    let server = Server::bind(engine, options).await?;
    let address = server.local_addr();
    output::print(&format!(
        "serving Postgres on {address}: psql \"host={} port={} user=wayfare dbname=wayfare\"\n",
        address.ip(),
        address.port()
    ))?;
    server.run(interrupted()).await;
    output::print("stopped\n")
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
