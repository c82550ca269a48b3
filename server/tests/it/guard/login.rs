//! Passwords, databases, and connections that never log in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wayfare_engine::{EngineConfig, StoreError};
use wayfare_server::auth::Access;
use wayfare_server::limits::ServerLimits;
use wayfare_server::{ServeError, ServeOptions, Server};

use super::{PASSWORD, engine_with_users, log_in, psql, server_with_users};
use crate::support::{TestServer, db_error, text_value};

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_lets_in_and_nothing_else_does() {
    let server = server_with_users(ServeOptions::default()).await;
    let client = log_in(server.address, "reader", PASSWORD, "wayfare").await.unwrap();
    assert_eq!(text_value(&client, "SELECT current_user").await.as_deref(), Some("reader"));

    // A wrong password and a user that does not exist are told alike.
    for (user, password) in [("reader", "wrong password"), ("nobody", PASSWORD), ("nobody", "wrong password")]
    {
        let refused = log_in(server.address, user, password, "wayfare").await.err().unwrap();
        let (code, message) = db_error(&refused);
        assert_eq!(
            (code.as_str(), message),
            ("28P01", format!("password authentication failed for user \"{user}\""))
        );
    }
    let empty = log_in(server.address, "reader", "", "wayfare").await;
    assert!(empty.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn libpq_logs_in() {
    let server = server_with_users(ServeOptions::default()).await;
    let at = format!("host=127.0.0.1 port={} dbname=wayfare", server.address.port());
    let Some(output) =
        psql(format!("{at} user=loader require_auth=scram-sha-256"), PASSWORD, "SELECT 7").await
    else {
        return;
    };
    // psql 15 does not know require_auth; then without.
    let output = if String::from_utf8_lossy(&output.stderr).contains("require_auth") {
        psql(format!("{at} user=loader"), PASSWORD, "SELECT 7").await.unwrap()
    } else {
        output
    };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "7\n", "{output:?}");
    let wrong = psql(format!("{at} user=loader"), "not the password", "SELECT 7").await.unwrap();
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(said.contains("password authentication failed for user \"loader\""), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_database() {
    let server = server_with_users(ServeOptions::default()).await;
    let refused = log_in(server.address, "reader", PASSWORD, "postgres").await.err().unwrap();
    let (code, message) = db_error(&refused);
    assert_eq!((code.as_str(), message.as_str()), ("3D000", "database \"postgres\" does not exist"));
    // Strangers are not told which databases there are.
    let refused = log_in(server.address, "nobody", PASSWORD, "postgres").await.err().unwrap();
    assert_eq!(db_error(&refused).0, "28P01");
    let open = TestServer::start().await;
    let refused = log_in(open.address, "anybody", "", "postgres").await.err().unwrap();
    assert_eq!(db_error(&refused).0, "3D000");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_users_count_soon() {
    let engine = engine_with_users(EngineConfig::default()).await;
    let options = ServeOptions { access: Access::Users, ..ServeOptions::default() };
    let server = TestServer::start_on(Arc::clone(&engine), options).await;
    let open = log_in(server.address, "reader", PASSWORD, "wayfare").await.unwrap();
    engine
        .store()
        .change_access_list(|list| {
            list.remove("reader");
            Ok::<(), StoreError>(())
        })
        .await
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while log_in(server.address, "reader", PASSWORD, "wayfare").await.is_ok() {
        assert!(Instant::now() < deadline, "a removed user still logs in");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(text_value(&open, "SELECT 1").await.as_deref(), Some("1"), "an open session stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_scram_is_asked_for_and_taken() {
    let server = server_with_users(ServeOptions::default()).await;
    // Per case: what is sent after the start-up packet, and the code of the answer.
    for (kind, body, code) in [
        (b'p', &b"correct horse, battery\0"[..], "08P01"),
        (b'p', b"SCRAM-SHA-256-PLUS\0\0\0\0\x15p=tls-server-end-point", "08P01"),
        (b'p', b"MD5\0\0\0\0\0", "08P01"),
        (b'p', b"", "08P01"),
        (b'Q', b"SELECT 1\0", "08P01"),
    ] {
        let mut socket = start_up(&server).await;
        assert_eq!(read_message(&mut socket).await, Some((b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0".to_vec())));
        send(&mut socket, kind, body).await;
        let (kind, answer) = read_message(&mut socket).await.expect("an answer");
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert!(kind == b'E' && text.contains(code), "{body:?}: {text:?}");
        assert_eq!(read_message(&mut socket).await, None, "the connection ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_before_the_login_are_small() {
    let server = server_with_users(ServeOptions::default()).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(&[0, 0, 0x30, 0, 0, 3, 0, 0]).await.unwrap();
    let (_, answer) = read_message(&mut socket).await.expect("an answer");
    assert!(String::from_utf8_lossy(&answer).contains("12288 bytes is longer than the 10000 bytes"));
    let mut socket = start_up(&server).await;
    read_message(&mut socket).await.unwrap();
    socket.write_all(&[b'p', 0x10, 0, 0, 0]).await.unwrap();
    let (_, answer) = read_message(&mut socket).await.expect("an answer");
    assert!(String::from_utf8_lossy(&answer).contains("is longer than the 10000 bytes"));
    for bad in [&[0, 0, 0, 4, 0, 0, 0, 0][..], &[0xff; 8], &[0, 0, 0, 9, 0, 4, 0, 0, 0]] {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(bad).await.unwrap();
        assert_eq!(read_message(&mut socket).await.expect("an answer").0, b'E', "{bad:?}");
        assert_eq!(read_message(&mut socket).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_log_in_is_sent_away() {
    let limits = ServerLimits { login_time: Duration::from_millis(500), ..ServerLimits::default() };
    let server = server_with_users(ServeOptions { limits, ..ServeOptions::default() }).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut stopped = start_up(&server).await;
    read_message(&mut stopped).await.unwrap();
    // Pieces of a message do not make it last longer.
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(&[0, 0, 0]).await.unwrap();
    for socket in [&mut silent, &mut stopped, &mut slow] {
        assert_eq!(read_message(socket).await, None);
    }
    log_in(server.address, "reader", PASSWORD, "wayfare").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_stranger_makes_room() {
    let limits = ServerLimits { max_pending_logins: 3, ..ServerLimits::default() };
    let server = server_with_users(ServeOptions { limits, ..ServeOptions::default() }).await;
    let mut strangers = Vec::new();
    for _ in 0..5 {
        let mut socket = start_up(&server).await;
        read_message(&mut socket).await.unwrap();
        strangers.push(socket);
    }
    for socket in &mut strangers[..2] {
        assert_eq!(read_message(socket).await, None);
    }
    let client = log_in(server.address, "reader", PASSWORD, "wayfare").await.unwrap();
    // Sessions do not count.
    let _others = [start_up(&server).await, start_up(&server).await, start_up(&server).await];
    assert_eq!(text_value(&client, "SELECT 1").await.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_machines_need_passwords_and_encryption() {
    let engine = engine_with_users(EngineConfig::default()).await;
    let everywhere = "0.0.0.0:0".parse().unwrap();
    for (access, missing) in [(Access::Anyone, "passwords"), (Access::Users, "encryption")] {
        let options = ServeOptions { listen: everywhere, access, ..ServeOptions::default() };
        let refused = Server::bind(Arc::clone(&engine), options).await.unwrap_err();
        assert!(
            matches!(refused, ServeError::Exposed { .. }) && refused.to_string().contains(missing),
            "{refused}"
        );
    }
    let options = ServeOptions { monitor: Some(everywhere), ..ServeOptions::default() };
    let refused = Server::bind(engine, options).await.unwrap_err();
    assert!(refused.to_string().contains("metrics"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_exist_is_asked_like_everybody() {
    let server = server_with_users(ServeOptions::default()).await;
    // Salt and rounds as the server tells them to a user; the same each time.
    let mut told = Vec::new();
    for user in ["reader", "reader", "nobody", "nobody", "nobodz"] {
        let mut socket = start_up_as(&server, user).await;
        read_message(&mut socket).await.unwrap();
        send(&mut socket, b'p', b"SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=abc").await;
        let (kind, answer) = read_message(&mut socket).await.expect("an answer");
        assert_eq!((kind, &answer[..4]), (b'R', &[0, 0, 0, 11][..]), "{user}");
        let text = String::from_utf8(answer[4..].to_vec()).unwrap();
        let nonce = text.split(',').next().unwrap().to_owned();
        assert!(nonce.starts_with("r=abc") && nonce.len() > 20, "{text}");
        told.push(text[nonce.len()..].to_owned());
        // Whoever it is, a wrong proof takes the same pause and gets the same answer.
        let began = Instant::now();
        let proof = "A".repeat(43);
        send(&mut socket, b'p', format!("c=biws,{nonce},p={proof}=").as_bytes()).await;
        let (_, refused) = read_message(&mut socket).await.expect("an answer");
        let refused = String::from_utf8_lossy(&refused).replace(user, "USER");
        assert!(refused.contains("password authentication failed for user \"USER\""), "{refused}");
        assert!(began.elapsed() >= Duration::from_millis(300));
    }
    assert_eq!((&told[0], &told[2]), (&told[1], &told[3]));
    assert!(told[2] != told[4] && told[0] != told[2]);
    assert!(told.iter().all(|text| text.len() == told[0].len()), "{told:?}");
}

async fn start_up(server: &TestServer) -> TcpStream {
    start_up_as(server, "reader").await
}

async fn start_up_as(server: &TestServer, user: &str) -> TcpStream {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let body = format!("\0\x03\0\0user\0{user}\0database\0wayfare\0\0");
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    socket.write_all(&[&length[..], body.as_bytes()].concat()).await.unwrap();
    socket
}

async fn send(socket: &mut TcpStream, kind: u8, body: &[u8]) {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    socket.write_all(&[&[kind], &length[..], body].concat()).await.unwrap();
}

/// The next message; `None` at the end of the connection.
async fn read_message(socket: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let read = async {
        let kind = socket.read_u8().await.ok()?;
        let length = socket.read_u32().await.ok()?;
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        socket.read_exact(&mut body).await.ok()?;
        Some((kind, body))
    };
    tokio::time::timeout(Duration::from_secs(30), read).await.expect("an answer or the end")
}
