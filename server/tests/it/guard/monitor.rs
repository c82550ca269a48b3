//! Metrics and health.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wayfare_server::ServeOptions;

use super::{PASSWORD, log_in, server_with_users};
use crate::support::failure;

async fn request(address: SocketAddr, text: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = socket.read_to_string(&mut answer);
    // What is too long is not read to its end, so the end may be a reset.
    let _ = tokio::time::timeout(Duration::from_secs(30), read).await.expect("an end");
    answer
}

async fn get(address: SocketAddr, path: &str) -> String {
    request(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
}

fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_and_name_nobody() {
    let options =
        ServeOptions { monitor: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..ServeOptions::default() };
    let server = server_with_users(options).await;
    let address = server.monitor.unwrap();
    assert!(get(address, "/health").await.starts_with("HTTP/1.1 200 OK\r\n"));

    let client = log_in(server.address, "reader", PASSWORD, "wayfare").await.unwrap();
    assert!(log_in(server.address, "reader", "wrong password", "wayfare").await.is_err());
    client.query("SELECT * FROM generate_series(1, 10)", &[]).await.unwrap();
    assert_eq!(
        failure(&client, "SELECT * FROM touchpoints WHERE user_id = 'ana' AND nope = 1").await.0,
        "42703"
    );
    let metrics = get(address, "/metrics").await;
    for (name, expected) in [
        ("wayfare_sessions", 1.0),
        ("wayfare_connections_total", 2.0),
        ("wayfare_failed_logins_total", 1.0),
        ("wayfare_rows_total", 10.0),
        ("wayfare_running_statements", 0.0),
        ("wayfare_errors_total{sqlstate=\"42703\"}", 1.0),
        ("wayfare_memory_limit_bytes", f64::from(1_u32 << 31) * 2.0),
    ] {
        assert!((value(&metrics, name) - expected).abs() < 0.5, "{name} in {metrics}");
    }
    assert!(value(&metrics, "wayfare_statement_seconds_count") >= 1.0);
    for secret in ["reader", "ana", "nope", "touchpoints", "SELECT"] {
        assert!(!metrics.contains(secret), "{secret} in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_requests_are_answered_shortly() {
    let options =
        ServeOptions { monitor: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..ServeOptions::default() };
    let server = server_with_users(options).await;
    let address = server.monitor.unwrap();
    assert!(get(address, "/").await.starts_with("HTTP/1.1 404 "));
    assert!(request(address, "POST /metrics HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 405 "));
    let head = request(address, "HEAD /health HTTP/1.1\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(request(address, &"x".repeat(20_000)).await, "");
}
