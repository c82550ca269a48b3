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
}

impl RawClient {
    pub(crate) async fn connect(server: &TestServer) -> Self {
        let socket = TcpStream::connect(server.address).await.unwrap();
        let mut client = Self { socket, received: BytesMut::new() };
        let parameters = b"user\0ana\0database\0wayfare\0\0";
        let mut packet = BytesMut::new();
        packet.put_u32(u32::try_from(parameters.len() + 8).unwrap());
        packet.put_u32(196_608);
        packet.put_slice(parameters);
        client.socket.write_all(&packet).await.unwrap();
        client.until_ready().await;
        client
    }

    pub(crate) async fn send(&mut self, kind: u8, body: &[u8]) {
        let mut message = BytesMut::new();
        message.put_u8(kind);
        message.put_u32(u32::try_from(body.len() + 4).unwrap());
        message.put_slice(body);
        self.socket.write_all(&message).await.unwrap();
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
                tokio::time::timeout(Duration::from_secs(30), self.socket.read_buf(&mut self.received));
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
