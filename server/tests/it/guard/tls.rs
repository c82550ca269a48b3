//! Encryption: what clients see, what they cannot do, and what the server does not start with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pgwire::tokio::tokio_rustls::{TlsConnector, rustls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wayfare_engine::EngineConfig;
use wayfare_server::tls::{TlsMode, TlsOptions};
use wayfare_server::{ServeOptions, Server};

use super::{PASSWORD, engine_with_users, log_in, psql, server_with_users};
use crate::support::{TestServer, db_error};

/// `SSLRequest`.
pub const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];

/// A new certificate for this machine, and its key, as files `NAME.crt` and `NAME.key`.
pub fn certificate(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (certificate, key)
}

async fn server(mode: TlsMode) -> (TestServer, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(dir.path(), "server");
    let tls = Some(TlsOptions { mode, certificate, key });
    (server_with_users(ServeOptions { tls, ..ServeOptions::default() }).await, dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn libpq_binds_the_login_to_the_certificate() {
    let (server, dir) = server(TlsMode::Require).await;
    let port = server.address.port();
    let root = dir.path().join("server.crt").display().to_string();
    let at = format!("host=localhost hostaddr=127.0.0.1 port={port} dbname=wayfare user=reader");
    let strict = format!("{at} sslmode=verify-full sslrootcert={root} channel_binding=require");
    let Some(output) = psql(strict.clone(), PASSWORD, "SELECT 7").await else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "7\n", "{output:?}");
    let output = psql(strict, "not the password", "SELECT 7").await.unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("password authentication failed"), "{output:?}");
    // Without binding it works too, as older drivers do.
    let output =
        psql(format!("{at} sslmode=require channel_binding=disable"), PASSWORD, "SELECT 8").await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "8\n", "{output:?}");
    let output = psql(format!("{at} sslmode=disable"), PASSWORD, "SELECT 9").await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("connections without encryption are refused"), "{said}");
    let old = format!("{at} sslmode=require ssl_min_protocol_version=TLSv1 ssl_max_protocol_version=TLSv1.1");
    let output = psql(old, PASSWORD, "SELECT 10").await.unwrap();
    assert!(!output.status.success(), "{output:?}");
    let twelve = format!("{at} sslmode=require ssl_max_protocol_version=TLSv1.2");
    let output = psql(twelve, PASSWORD, "SELECT 12").await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "12\n", "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_encryption_a_required_one_is_missed_before_the_password() {
    let (required, _dir) = server(TlsMode::Require).await;
    let refused = log_in(required.address, "reader", PASSWORD, "wayfare").await.err().unwrap();
    assert_eq!(db_error(&refused).0, "28000");
    let (allowed, _dir) = server(TlsMode::Allow).await;
    log_in(allowed.address, "reader", PASSWORD, "wayfare").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_bytes_before_encryption_count_for_nothing() {
    let (server, _dir) = server(TlsMode::Allow).await;
    let start_up = b"\0\0\0\x26\0\x03\0\0user\0reader\0database\0wayfare\0\0";
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    // As somebody in between would: the request and more in one piece.
    socket.write_all(&[&TLS_REQUEST[..], start_up].concat()).await.unwrap();
    let mut answer = Vec::new();
    let read = socket.read_to_end(&mut answer);
    // The end may be a reset: there are bytes that the server did not read.
    let _ = tokio::time::timeout(Duration::from_secs(30), read).await.expect("the connection ends");
    assert_eq!(answer.first(), Some(&b'S'));
    // At most a TLS alert follows.
    assert!(answer.get(1).is_none_or(|kind| *kind == 0x15), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption_may_begin_at_once_with_the_right_protocol() {
    let (server, dir) = server(TlsMode::Require).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(dir.path().join("server.crt")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    for (alpn, works) in [(Some("postgresql"), true), (None, false), (Some("http/1.1"), false)] {
        let mut config = config.clone();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let socket = TcpStream::connect(server.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let answer = async {
            let mut stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.ok()?;
            stream.write_all(b"\0\0\0\x26\0\x03\0\0user\0reader\0database\0wayfare\0\0").await.ok()?;
            stream.read_u8().await.ok()
        };
        let answer = tokio::time::timeout(Duration::from_secs(30), answer).await.unwrap();
        assert_eq!(answer, works.then_some(b'R'), "{alpn:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_certificate_or_key_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (good, key) = certificate(dir.path(), "good");
    let (_, other_key) = certificate(dir.path(), "other");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let empty = write("empty.pem", "");
    let pem = std::fs::read_to_string(&good).unwrap();
    let damaged = write("damaged.crt", &pem.replacen("MII", "MIA", 1));
    let cut = write("cut.crt", &pem[..pem.len() / 2]);
    let missing = dir.path().join("missing.pem");
    let engine = engine_with_users(EngineConfig::default()).await;
    for (certificate, key, file, why) in [
        (&missing, &key, "missing.pem", "No such file"),
        (&empty, &key, "empty.pem", "no certificate"),
        (&damaged, &key, "damaged.crt", "certificate"),
        (&cut, &key, "cut.crt", "PEM"),
        (&key, &key, "good.key", "no certificate"),
        (&good, &missing, "missing.pem", "No such file"),
        (&good, &empty, "empty.pem", "no private key"),
        (&good, &good, "good.crt", "no private key"),
        (&good, &other_key, "other.key", "not the key of the certificate"),
    ] {
        let tls = TlsOptions { mode: TlsMode::Require, certificate: certificate.clone(), key: key.clone() };
        let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let options = ServeOptions { tls: Some(tls), listen, ..ServeOptions::default() };
        let refused = Server::bind(Arc::clone(&engine), options).await.unwrap_err().to_string();
        assert!(refused.contains(file) && refused.contains(why), "{file} {why}: {refused}");
    }
}
