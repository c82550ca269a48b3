//! The server as its operator runs it: a process that logs, takes signals and refuses to be careless.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use pgwire::tokio::tokio_rustls::{TlsConnector, rustls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::NoTls;

use super::tls::{TLS_REQUEST, certificate};
use crate::process::{ServerProcess, SmallStore};

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_at_a_signal_and_a_broken_one_is_not() {
    let store = SmallStore::new();
    let dir = store.dir.path().to_owned();
    let [first, second] = ["first", "second"].map(|name| certificate(&dir, name));
    let use_files = |certificate: &Path, key: &Path| {
        std::fs::copy(certificate, dir.join("server.crt")).unwrap();
        std::fs::copy(key, dir.join("server.key")).unwrap();
    };
    use_files(&first.0, &first.1);
    let args = ["--tls-cert", "server.crt", "--tls-key", "server.key", "--log-level", "info"];
    let server = ServerProcess::start(store, &args);
    let [of_first, of_second] =
        [&first.0, &second.0].map(|path| CertificateDer::from_pem_file(path).unwrap());
    let roots = [of_first.clone(), of_second.clone()];
    assert_eq!(presented(&server, &roots).await, of_first);

    // A key that is not the certificate's, as between two copies.
    use_files(&second.0, &first.1);
    server.signal("HUP");
    server.wait_for_log("keeping the certificate as it was").await;
    assert_eq!(presented(&server, &roots).await, of_first);

    use_files(&second.0, &second.1);
    server.signal("HUP");
    server.wait_for_log("using the new certificate").await;
    assert_eq!(presented(&server, &roots).await, of_second);
    server.stop();
}

/// The certificate that the server shows.
async fn presented(server: &ServerProcess, roots: &[CertificateDer<'static>]) -> CertificateDer<'static> {
    let mut store = rustls::RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(&TLS_REQUEST).await.unwrap();
    assert_eq!(socket.read_u8().await.unwrap(), b'S');
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_slow_statements_tells_no_values() {
    let args = ["--no-auth", "--slow-statement", "1ms", "--log-level", "debug", "--log-format", "json"];
    let server = ServerProcess::start(SmallStore::new(), &args);
    let (client, connection) = tokio_postgres::Config::new()
        .host(server.address.ip().to_string())
        .port(server.address.port())
        .user("tester")
        .dbname("wayfare")
        .connect(NoTls)
        .await
        .unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    let slow = "SELECT user_id, event, 'hush1' AS a FROM touchpoints WHERE user_id <> 'hush2' /* hush3 */";
    client.simple_query(slow).await.unwrap();
    let rows = client
        .query("SELECT user_id FROM touchpoints, generate_series(1, 1000) WHERE user_id <> $1", &[&"hush4"])
        .await
        .unwrap();
    assert_eq!(rows.len(), 3_000);
    // Statements that fail, and rows that come in, are no different.
    assert!(client.simple_query("SELECT 'hush5'::bigint").await.is_err());
    let sink = client.copy_in("COPY touchpoints (user_id, ts, event) FROM STDIN").await.unwrap();
    futures::pin_mut!(sink);
    futures::SinkExt::send(&mut sink, bytes::Bytes::from_static(b"hush6\tno time\thush7\n")).await.unwrap();
    assert!(sink.finish().await.is_err());
    server.wait_for_log("slow statement").await;
    drop(client);
    let log = server.stop();
    assert!(log.contains("SELECT user_id, event, ? AS a FROM touchpoints WHERE user_id <> ?"), "{log}");
    for value in ["hush", "ann", "ben"] {
        assert!(!log.contains(value), "{value} in {log}");
    }
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn careless_starts_are_refused() {
    let store = SmallStore::new();
    let dir = store.dir.path();
    let (certificate, key) = certificate(dir, "server");
    std::fs::write(dir.join("broken.crt"), "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
    std::fs::write(dir.join("wrong.toml"), "[serve]\nprot = 5433\n").unwrap();
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let encrypted = ["--tls-cert", certificate.as_str(), "--tls-key", key.as_str()];
    let everywhere = ["serve", "--port", "0", "--host", "0.0.0.0"];
    for (args, why) in [
        (everywhere.to_vec(), "without encryption"),
        ([&everywhere[..], &["--no-auth"]].concat(), "without passwords"),
        ([&everywhere[..], &encrypted, &["--no-auth"]].concat(), "without passwords"),
        ([&everywhere[..], &encrypted, &["--tls", "allow"]].concat(), "without encryption"),
        (vec!["serve", "--port", "0", "--metrics", "0.0.0.0:0"], "metrics"),
        (vec!["serve", "--port", "0", "--tls", "require"], "--tls-cert"),
        (vec!["serve", "--port", "0", "--maintain-every", "5s"], "add --maintain"),
        (vec!["serve", "--port", "0", "--tls-cert", "broken.crt", "--tls-key", &key], "broken.crt"),
        (vec!["--config", "wrong.toml", "serve", "--port", "0"], "line 2"),
    ] {
        let output = store.run(&args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(why), "{args:?}: {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_waits_for_statements_and_not_for_idle_clients() {
    let server = ServerProcess::start(SmallStore::new(), &["--no-auth"]);
    let at = |server: &ServerProcess| {
        let mut config = tokio_postgres::Config::new();
        config.host(server.address.ip().to_string()).port(server.address.port()).user("tester");
        config
    };
    let (idle, idle_connection) = at(&server).connect(NoTls).await.unwrap();
    let idle_ended = tokio::spawn(idle_connection);
    let (busy, busy_connection) = at(&server).connect(NoTls).await.unwrap();
    tokio::spawn(async move {
        let _ = busy_connection.await;
    });
    let rows = busy.query_raw("SELECT x FROM generate_series(1, 300000) AS s(x)", Vec::<i32>::new());
    let rows = rows.await.unwrap();
    server.signal("TERM");
    let began = Instant::now();
    let said = idle_ended.await.unwrap().unwrap_err();
    assert_eq!(said.code().map(|code| code.code().to_owned()).as_deref(), Some("57P01"), "{said}");
    let count = rows.try_fold(0, async |count, _| Ok(count + 1)).await.unwrap();
    assert_eq!(count, 300_000, "a statement that runs may end");
    assert!(began.elapsed() < Duration::from_secs(60));
    drop((idle, busy));
    server.wait_for_end();
}
