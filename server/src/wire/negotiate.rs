//! The begin of a connection: TLS or not.
//!
//! Exactly the bytes of a request for encryption are read before it is answered. What a client, or somebody between,
//! sends behind it in plain text stays in the socket, is taken for the begin of TLS, and ends the connection: it can
//! never count as sent over TLS.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pgwire::api::{ClientInfo, DefaultClient, PgWireConnectionState};
use pgwire::tokio::server::{MaybeTls, PgWireMessageServerCodec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::codec::Framed;

use super::frames::{FrameLimits, Frames};
use super::session::Prepared;
use crate::tls::{ALPN, Identity};

/// A connection's messages.
pub(crate) type Socket = Framed<Frames<MaybeTls>, PgWireMessageServerCodec<Prepared>>;

/// `SSLRequest` and `GSSENCRequest`, behind their length of 8.
const TLS_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
/// The first byte of a TLS connection.
const TLS_HANDSHAKE: u8 = 0x16;
/// A client may ask for both kinds of encryption, once each.
const MAX_REQUESTS: usize = 2;

/// Settles encryption. `None` if the client leaves, or asks in a way that no client does.
///
/// # Errors
/// The socket or the TLS handshake fails.
pub(crate) async fn negotiate(
    mut socket: TcpStream,
    tls: Option<&Identity>,
    logged_in: Arc<AtomicBool>,
    limits: Arc<FrameLimits>,
) -> io::Result<Option<Socket>> {
    socket.set_nodelay(true)?;
    let mut first = [0; 1];
    if socket.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    if first[0] == TLS_HANDSHAKE {
        let Some(tls) = tls else { return Ok(None) };
        let stream = tls.acceptor.accept(socket).await?;
        // Without it, bytes for another protocol could be led here.
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Ok(None);
        }
        return framed(MaybeTls::Tls(Box::new(stream)), Vec::new(), true, logged_in, limits).map(Some);
    }
    for _ in 0..=MAX_REQUESTS {
        let mut request = [0; 8];
        socket.read_exact(&mut request).await?;
        let [length, code] = [&request[..4], &request[4..]]
            .map(|part| part.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)));
        match (length, code) {
            (8, TLS_REQUEST) => {
                if let Some(tls) = tls {
                    socket.write_all(b"S").await?;
                    let stream = tls.acceptor.accept(socket).await?;
                    let stream = MaybeTls::Tls(Box::new(stream));
                    return framed(stream, Vec::new(), true, logged_in, limits).map(Some);
                }
                socket.write_all(b"N").await?;
            }
            (8, GSS_REQUEST) => socket.write_all(b"N").await?,
            _ => {
                return framed(MaybeTls::Plain(socket), request.to_vec(), false, logged_in, limits).map(Some);
            }
        }
    }
    Ok(None)
}

fn framed(
    stream: MaybeTls,
    prefix: Vec<u8>,
    encrypted: bool,
    logged_in: Arc<AtomicBool>,
    limits: Arc<FrameLimits>,
) -> io::Result<Socket> {
    let peer = match &stream {
        MaybeTls::Plain(socket) => socket.peer_addr()?,
        MaybeTls::Tls(socket) => socket.get_ref().0.peer_addr()?,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let codec = PgWireMessageServerCodec::new(DefaultClient::new(peer, encrypted));
    let mut socket = Framed::new(Frames::new(stream, prefix, logged_in, limits), codec);
    socket.set_state(PgWireConnectionState::AwaitingStartup);
    Ok(socket)
}
