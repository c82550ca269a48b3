//! A client of few bytes, that can also say the wrong thing.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for an answer.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a password is, once the salt is known: computing it for each log-in would be the work of the test.
#[derive(Debug, Clone)]
pub struct Keys {
    salted: [u8; 32],
}

impl Keys {
    fn of(password: &str, salt: &[u8], rounds: u32) -> Self {
        let mut salted = [0; 32];
        let rounds = std::num::NonZeroU32::new(rounds).unwrap();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password.as_bytes(), &mut salted);
        Self { salted }
    }
}

fn hmac_sha_256(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

/// A message with its type and length.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind], &length[..], body].concat()
}

/// A start-up packet.
pub fn start_up(user: &str) -> Vec<u8> {
    let body = format!("\0\u{3}\0\0user\0{user}\0database\0wayfare\0\0");
    message(0, body.as_bytes()).split_off(1)
}

/// The client's first message of SCRAM.
pub fn scram_first(nonce: &str) -> Vec<u8> {
    let first = format!("n,,n=,r={nonce}");
    let length = u32::try_from(first.len()).unwrap().to_be_bytes();
    message(b'p', &[b"SCRAM-SHA-256\0", &length[..], first.as_bytes()].concat())
}

/// A connection.
pub struct Wire {
    socket: TcpStream,
}

impl Wire {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket })
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// The next message.
    pub async fn next(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let read = async {
            let kind = self.socket.read_u8().await?;
            let length = self.socket.read_u32().await?;
            let length = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
            let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
            self.socket.read_exact(&mut body).await?;
            Ok((kind, body))
        };
        tokio::time::timeout(PATIENCE, read).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads until `ReadyForQuery`, and returns the SQLSTATE of the first error.
    pub async fn until_ready(&mut self) -> io::Result<Option<String>> {
        let mut code = None;
        loop {
            match self.next().await? {
                (b'Z', _) => return Ok(code),
                (b'E', body) => code = code.or_else(|| sqlstate(&body)),
                _ => {}
            }
        }
    }

    /// Logs in. The first time `keys` are computed from the password.
    pub async fn log_in(
        address: SocketAddr,
        user: &str,
        password: &str,
        keys: Option<&Keys>,
    ) -> io::Result<(Self, Keys)> {
        let mut wire = Self::open(address).await?;
        wire.send(&start_up(user)).await?;
        wire.expect(b'R').await?;
        wire.send(&scram_first("fyko+d2lbbFgONRv9qkxdawL")).await?;
        let answer = wire.expect(b'R').await?;
        let answer = String::from_utf8_lossy(&answer[4..]).into_owned();
        let part =
            |name: &str| answer.split(',').find_map(|part| part.strip_prefix(name)).unwrap_or_default();
        let keys = match keys {
            Some(keys) => keys.clone(),
            None => Keys::of(password, &STANDARD.decode(part("s=")).unwrap(), part("i=").parse().unwrap()),
        };
        let without_proof = format!("c=biws,r={}", part("r="));
        let spoken = format!("n=,r=fyko+d2lbbFgONRv9qkxdawL,{answer},{without_proof}");
        let client_key = hmac_sha_256(&keys.salted, b"Client Key");
        let stored = digest::digest(&digest::SHA256, &client_key);
        let signature = hmac_sha_256(stored.as_ref(), spoken.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, bit)| key ^ bit).collect();
        wire.send(&message(b'p', format!("{without_proof},p={}", STANDARD.encode(proof)).as_bytes())).await?;
        match wire.until_ready().await? {
            None => Ok((wire, keys)),
            Some(code) => Err(io::Error::other(code)),
        }
    }

    async fn expect(&mut self, kind: u8) -> io::Result<Vec<u8>> {
        match self.next().await? {
            (found, body) if found == kind => Ok(body),
            (_, body) => Err(io::Error::other(sqlstate(&body).unwrap_or_default())),
        }
    }

    /// Reads and throws away what comes, until nothing comes for `quiet` or the connection ends; whether it ended.
    pub async fn drain(&mut self, quiet: Duration) -> bool {
        let mut buffer = [0; 8_192];
        loop {
            match tokio::time::timeout(quiet, self.socket.read(&mut buffer)).await {
                Ok(Ok(0) | Err(_)) => return true,
                Ok(Ok(_)) => {}
                Err(_) => return false,
            }
        }
    }
}

fn sqlstate(error: &[u8]) -> Option<String> {
    let code = error.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"C"))?;
    Some(String::from_utf8_lossy(code).into_owned())
}
