//! A client that writes messages byte by byte: what no driver sends.

use std::time::Duration;

use ::bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::TestServer;

/// A client that writes messages itself.
pub(crate) struct RawClient {
    socket: TcpStream,
    received: BytesMut,
    pid: i32,
}

impl RawClient {
    pub(crate) async fn connect(server: &TestServer) -> Self {
        Self::connect_as(server, "ana").await
    }

    pub(crate) async fn connect_as(server: &TestServer, user: &str) -> Self {
        let socket = TcpStream::connect(server.address).await.unwrap();
        let mut client = Self { socket, received: BytesMut::new(), pid: 0 };
        let parameters = format!("user\0{user}\0database\0wayfare\0\0");
        let mut packet = BytesMut::new();
        packet.put_u32(u32::try_from(parameters.len() + 8).unwrap());
        packet.put_u32(196_608);
        packet.put_slice(parameters.as_bytes());
        client.socket.write_all(&packet).await.unwrap();
        let (greeting, _) = client.until_ready().await;
        let (_, key) = greeting.iter().find(|(kind, _)| *kind == b'K').expect("a cancel key");
        client.pid = (&key[..4]).get_i32();
        client
    }

    pub(crate) async fn send(&mut self, kind: u8, body: &[u8]) {
        let mut message = BytesMut::new();
        message.put_u8(kind);
        message.put_u32(u32::try_from(body.len() + 4).unwrap());
        message.put_slice(body);
        self.socket.write_all(&message).await.unwrap();
    }

    /// Sends a simple query.
    pub(crate) async fn query(&mut self, sql: &str) {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.send(b'Q', &body).await;
    }

    /// Sends Parse of a statement without declared types.
    pub(crate) async fn parse(&mut self, name: &str, sql: &str) {
        let body = [name.as_bytes(), b"\0", sql.as_bytes(), b"\0\0\0"].concat();
        self.send(b'P', &body).await;
    }

    /// Sends Bind without values; results as text.
    pub(crate) async fn bind(&mut self, portal: &str, statement: &str) {
        let body = [portal.as_bytes(), b"\0", statement.as_bytes(), b"\0\0\0\0\0\0\0"].concat();
        self.send(b'B', &body).await;
    }

    /// Sends Execute; zero is no limit.
    pub(crate) async fn execute(&mut self, portal: &str, max_rows: u32) {
        let body = [portal.as_bytes(), b"\0", &max_rows.to_be_bytes()].concat();
        self.send(b'E', &body).await;
    }

    /// Sends Sync and returns all answers up to it as lines, the status last.
    pub(crate) async fn sync(&mut self) -> Vec<String> {
        self.send(b'S', b"").await;
        let (messages, status) = self.until_ready().await;
        let mut lines: Vec<String> = messages.iter().map(|(kind, body)| shown(*kind, body)).collect();
        lines.push(char::from(status).to_string());
        lines
    }

    /// Copies `data` in, in pieces of a few bytes, and returns the answers after it as lines, the status last.
    pub(crate) async fn copy_in(&mut self, sql: &str, data: &str) -> Vec<String> {
        self.copy_bytes_in(sql, data.as_bytes()).await
    }

    pub(crate) async fn copy_bytes_in(&mut self, sql: &str, data: &[u8]) -> Vec<String> {
        self.query(sql).await;
        let mut before = Vec::new();
        loop {
            let (kind, body) = self.next().await;
            if kind == b'G' {
                break;
            }
            before.push(shown(kind, &body));
            if kind == b'Z' {
                panic!("{sql}: {before:?}");
            }
        }
        for piece in data.chunks(7) {
            self.send(b'd', piece).await;
        }
        self.send(b'c', b"").await;
        let (messages, status) = self.until_ready().await;
        let mut lines: Vec<String> = messages.iter().map(|(kind, body)| shown(*kind, body)).collect();
        lines.push(char::from(status).to_string());
        lines
    }

    /// The process id that the server told at log-in.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> (u8, BytesMut) {
        loop {
            if self.received.len() >= 5 {
                let length = usize::try_from((&self.received[1..5]).get_u32()).unwrap();
                if self.received.len() > length {
                    let mut message = self.received.split_to(length + 1);
                    let kind = message.get_u8();
                    message.advance(4);
                    return (kind, message);
                }
            }
            let read =
                tokio::time::timeout(Duration::from_secs(60), self.socket.read_buf(&mut self.received));
            assert_ne!(read.await.expect("an answer").unwrap(), 0, "the server hung up");
        }
    }

    /// Everything up to ReadyForQuery, whose status comes last.
    pub(crate) async fn until_ready(&mut self) -> (Vec<(u8, BytesMut)>, u8) {
        let mut messages = Vec::new();
        loop {
            let (kind, body) = self.next().await;
            if kind == b'Z' {
                return (messages, body[0]);
            }
            messages.push((kind, body));
        }
    }

    /// Parse, Bind with all parameters as text, Describe portal, Execute, Sync.
    pub(crate) async fn extended(
        &mut self,
        sql: &str,
        oids: &[u32],
        values: &[Option<&str>],
    ) -> (Vec<(u8, BytesMut)>, u8) {
        let mut parse = BytesMut::new();
        parse.put_u8(0);
        parse.put_slice(sql.as_bytes());
        parse.put_u8(0);
        parse.put_u16(u16::try_from(oids.len()).unwrap());
        for oid in oids {
            parse.put_u32(*oid);
        }
        self.send(b'P', &parse).await;
        let mut bind = BytesMut::new();
        bind.put_slice(b"\0\0");
        bind.put_u16(0);
        bind.put_u16(u16::try_from(values.len()).unwrap());
        for value in values {
            match value {
                Some(value) => {
                    bind.put_u32(u32::try_from(value.len()).unwrap());
                    bind.put_slice(value.as_bytes());
                }
                None => bind.put_i32(-1),
            }
        }
        bind.put_u16(0);
        self.send(b'B', &bind).await;
        self.send(b'D', b"P\0").await;
        self.send(b'E', b"\0\0\0\0\0").await;
        self.send(b'S', b"").await;
        self.until_ready().await
    }
}

/// What the server answers to a simple query, a line for each message: columns, rows, tags, errors, the status last.
pub(crate) async fn said(client: &mut RawClient, sql: &str) -> Vec<String> {
    client.query(sql).await;
    let (messages, status) = client.until_ready().await;
    let mut lines: Vec<String> = messages.iter().map(|(kind, body)| shown(*kind, body)).collect();
    lines.push(char::from(status).to_string());
    lines
}

/// One message of the server as a line.
pub(crate) fn shown(kind: u8, body: &BytesMut) -> String {
    let mut body = body.clone();
    match kind {
        b'T' => {
            let count = body.get_u16();
            let names: Vec<String> = (0..count)
                .map(|_| {
                    let end = body.iter().position(|byte| *byte == 0).unwrap();
                    let name = String::from_utf8(body.split_to(end).to_vec()).unwrap();
                    body.advance(19);
                    name
                })
                .collect();
            format!("[{}]", names.join(" "))
        }
        b'D' => {
            let values = fields(&[(kind, body)]).into_iter();
            values.map(|value| value.unwrap_or("NULL".to_owned())).collect::<Vec<_>>().join("|")
        }
        b'C' => text(&body),
        b'E' | b'N' => {
            let parts =
                body.as_ref().split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
            let parts: Vec<String> = parts.collect();
            let part = |code: char| parts.iter().find_map(|part| part.strip_prefix(code));
            let mut line = format!("{} {}: {}", part('S').unwrap(), part('C').unwrap(), part('M').unwrap());
            if let Some(context) = part('W') {
                line.push_str(&format!(" ({context})"));
            }
            line
        }
        b'S' => text(&body).replacen('\0', "=", 1),
        b'd' => format!("data {}", String::from_utf8_lossy(&body)),
        b'G' => "copy in".to_owned(),
        b'H' => "copy out".to_owned(),
        b'c' => "copy done".to_owned(),
        b'I' => "empty".to_owned(),
        b's' => "suspended".to_owned(),
        other => char::from(other).to_string(),
    }
}

/// A body of texts that end in zeros.
fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body.strip_suffix(b"\0").unwrap_or(body)).into_owned()
}

pub(crate) fn kinds(messages: &[(u8, BytesMut)]) -> String {
    messages.iter().map(|(kind, _)| char::from(*kind)).collect()
}

/// The text fields of a DataRow.
pub(crate) fn fields(messages: &[(u8, BytesMut)]) -> Vec<Option<String>> {
    let (_, row) = messages.iter().find(|(kind, _)| *kind == b'D').expect("a row");
    let mut row = row.clone();
    let count = row.get_u16();
    (0..count)
        .map(|_| {
            let length = row.get_i32();
            let length = usize::try_from(length).ok()?;
            Some(String::from_utf8(row.split_to(length).to_vec()).unwrap())
        })
        .collect()
}

pub(crate) fn code(messages: &[(u8, BytesMut)]) -> String {
    let (_, error) = messages.iter().find(|(kind, _)| *kind == b'E').expect("an error");
    let parts = error.as_ref().split(|byte| *byte == 0);
    let code = parts.filter_map(|part| part.strip_prefix(b"C")).next().expect("a code");
    String::from_utf8(code.to_vec()).unwrap()
}
