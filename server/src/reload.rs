//! A certificate that is renewed while the server runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::wire::Shared;

/// How often the files are looked at, for renewals that send no signal.
const INTERVAL: Duration = Duration::from_secs(30);

/// Takes certificate and key anew at SIGHUP and when the files have changed. What cannot be used is logged, and the
/// certificate before stays in use. Never ends.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut hang_up = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
    loop {
        let asked = tokio::select! {
            () = received(hang_up.as_mut()) => true,
            _ = ticks.tick() => false,
        };
        let reloading = Arc::clone(&shared);
        let outcome =
            tokio::task::spawn_blocking(move || reloading.tls.as_ref().map(crate::tls::Tls::reload)).await;
        match outcome {
            Ok(Some(Ok(true))) => tracing::info!("using the new certificate"),
            Ok(Some(Ok(false))) if asked => tracing::info!("the certificate has not changed"),
            Ok(Some(Err(error))) => tracing::error!(%error, "keeping the certificate as it was"),
            _ => {}
        }
    }
}

async fn received(signal: Option<&mut tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        // Without the handler the signal ends the process, which is what it is for.
        None => std::future::pending().await,
    }
}
