//! Metrics and health over HTTP, on a port of their own.
//!
//! `GET /metrics` for Prometheus; `GET /health` answers 200 while the server takes connections and can read its store,
//! else 503. Nothing here asks who it is, so it listens on the loopback address only.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::metrics::Levels;
use crate::wire::Shared;

/// Longest request that is read.
const MAX_REQUEST_BYTES: usize = 8 << 10;
/// Requests at the same time; more wait.
const MAX_REQUESTS: usize = 8;
/// How long a request may take.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens on `address`. With port 0 the system chooses one.
///
/// # Errors
/// The address cannot be listened on.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Answers for ever.
pub(crate) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let slots = Arc::new(Semaphore::new(MAX_REQUESTS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, _)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    // A client that is slow or gone is no matter of ours.
                    let _ = tokio::time::timeout(REQUEST_TIME, answer(socket, &shared)).await;
                    drop(slot);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn answer(mut socket: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if request.len() > MAX_REQUEST_BYTES || socket.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, kind, body) = match (method, path) {
        (b"GET" | b"HEAD", b"/metrics") => {
            ("200 OK", "text/plain; version=0.0.4; charset=utf-8", shared.metrics.render(levels(shared)))
        }
        (b"GET" | b"HEAD", b"/health") => match health(shared).await {
            Ok(()) => ("200 OK", "text/plain", "ok\n".to_owned()),
            Err(why) => ("503 Service Unavailable", "text/plain", format!("{why}\n")),
        },
        (b"GET" | b"HEAD", _) => {
            ("404 Not Found", "text/plain", "there are /metrics and /health\n".to_owned())
        }
        _ => ("405 Method Not Allowed", "text/plain", "only GET and HEAD\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await?;
    if method == b"GET" {
        socket.write_all(body.as_bytes()).await?;
    }
    socket.shutdown().await
}

fn levels(shared: &Shared) -> Levels {
    let usage = shared.engine.resource_usage();
    Levels {
        pending_logins: shared.pending.count(),
        memory_reserved_bytes: usage.memory_reserved_bytes,
        memory_limit_bytes: shared.engine.config().memory_limit_bytes,
        temp_bytes: usage.temp_bytes,
    }
}

/// Why the server cannot serve, without saying where the store is.
async fn health(shared: &Shared) -> Result<(), &'static str> {
    if shared.draining.is_cancelled() {
        return Err("shutting down");
    }
    match shared.engine.store().table_names().await {
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::error!(%error, "the store cannot be read");
            Err("the store cannot be read")
        }
    }
}
