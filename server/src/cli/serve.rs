//! `wayfare serve`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use wayfare_engine::maintain::background::Policy;
use wayfare_engine::{Engine, EngineConfig};
use wayfare_server::{ServeOptions, Server};

use super::args::ServeArgs;
use super::error::CliError;
use super::output;

/// Serves until interrupted.
pub async fn run(config: EngineConfig, args: &ServeArgs) -> Result<(), CliError> {
    let engine = Arc::new(Engine::open(config).await?);
    if args.maintain {
        let engine = Arc::clone(&engine);
        // Ends with the process; what is not committed then is not seen.
        tokio::spawn(async move { engine.maintain(Policy::default()).await });
    }
    serve(engine, args.host, args.port).await
}

/// Serves `engine` until Ctrl-C or SIGTERM.
pub async fn serve(engine: Arc<Engine>, host: IpAddr, port: u16) -> Result<(), CliError> {
    let options = ServeOptions { listen: SocketAddr::new(host, port), ..ServeOptions::default() };
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

async fn interrupted() {
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
