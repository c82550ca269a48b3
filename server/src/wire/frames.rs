//! A look at the length of each message before it is read, and at its shape while it is.
//!
//! A client says how long a message is before it sends it, and a buffer grows while it comes. So the lengths are checked
//! below the decoder, as bytes arrive: small before the log-in, bounded after it, and all large messages together are
//! held to a budget that the connections of a server share. What is inside must be what [`shapes`](super::shapes) says.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::shapes::{Misshapen, Shape};

/// Longest message before the log-in, as for PostgreSQL's start-up packet.
const MAX_LOGIN_MESSAGE_BYTES: usize = 10_000;
/// Messages up to this length do not count for the budget: a connection costs more than that anyway.
const SMALL_MESSAGE_BYTES: usize = 64 << 10;
/// In what the budget is counted.
const BUDGET_UNIT_BYTES: usize = 1 << 10;

/// What a client's messages may be, for one server.
#[derive(Debug)]
pub(crate) struct FrameLimits {
    max_bytes: usize,
    budget: Arc<Semaphore>,
}

impl FrameLimits {
    /// Messages of at most `max_bytes`, the large ones of all connections together of at most `budget_bytes`.
    pub(crate) fn new(max_bytes: usize, budget_bytes: usize) -> Self {
        let units = (budget_bytes.max(max_bytes) / BUDGET_UNIT_BYTES).min(Semaphore::MAX_PERMITS);
        Self { max_bytes, budget: Arc::new(Semaphore::new(units)) }
    }
}

/// Why a message is refused. The connection cannot go on: where the next one begins is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("invalid message length {0}")]
    Malformed(i32),
    #[error("invalid message format")]
    Misshapen,
    #[error("a message of {found} bytes is longer than the {limit} bytes that are accepted")]
    TooLong { found: usize, limit: usize },
    #[error("out of memory for large messages: try again later, or send smaller ones")]
    Busy,
}

/// A stream of whose incoming messages the lengths are checked.
#[derive(Debug)]
pub(crate) struct Frames<S> {
    inner: S,
    // Bytes that were read before the stream came here.
    prefix: Vec<u8>,
    logged_in: Arc<AtomicBool>,
    limits: Arc<FrameLimits>,
    scan: Scan,
}

#[derive(Debug, Default)]
struct Scan {
    header: Vec<u8>,
    body_left: usize,
    /// Of the message whose body comes now.
    shape: Option<Shape>,
    /// Messages begin with their type; the first one of a connection does not.
    typed: bool,
    _held: Option<OwnedSemaphorePermit>,
}

impl<S> Frames<S> {
    /// Checks `inner`, before whose next byte `prefix` was read. Small messages only until `logged_in` is set.
    pub(crate) fn new(
        inner: S,
        prefix: Vec<u8>,
        logged_in: Arc<AtomicBool>,
        limits: Arc<FrameLimits>,
    ) -> Self {
        Self { inner, prefix, logged_in, limits, scan: Scan::default() }
    }

    fn check(&mut self, bytes: &[u8]) -> io::Result<()> {
        let limit = match self.logged_in.load(Ordering::Acquire) {
            true => self.limits.max_bytes,
            false => MAX_LOGIN_MESSAGE_BYTES,
        };
        self.scan
            .take(bytes, limit, &self.limits.budget)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
    }
}

impl Scan {
    fn take(&mut self, mut bytes: &[u8], limit: usize, budget: &Arc<Semaphore>) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            if self.body_left > 0 {
                let (body, rest) = bytes.split_at(self.body_left.min(bytes.len()));
                if let Some(shape) = &mut self.shape {
                    shape.take(body).map_err(|Misshapen| FrameError::Misshapen)?;
                }
                self.body_left -= body.len();
                bytes = rest;
            } else {
                self.header.push(bytes[0]);
                bytes = &bytes[1..];
                if self.header.len() == usize::from(self.typed) + 4 {
                    self.begin(limit, budget)?;
                }
            }
            if self.body_left == 0 && self.header.is_empty() {
                self._held = None;
                let shape = self.shape.take();
                shape.map_or(Ok(()), Shape::end).map_err(|Misshapen| FrameError::Misshapen)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, limit: usize, budget: &Arc<Semaphore>) -> Result<(), FrameError> {
        let length = self.header.iter().skip(usize::from(self.typed));
        let length = length.fold(0_u32, |length, byte| length << 8 | u32::from(*byte));
        // The length counts itself; the first message has a version behind it.
        let least = if self.typed { 4 } else { 8 };
        let found = usize::try_from(length).unwrap_or(usize::MAX);
        if found < least || length > i32::MAX.unsigned_abs() {
            return Err(FrameError::Malformed(length.cast_signed()));
        }
        if found > limit {
            return Err(FrameError::TooLong { found, limit });
        }
        if found > SMALL_MESSAGE_BYTES {
            let units = u32::try_from(found.div_ceil(BUDGET_UNIT_BYTES)).unwrap_or(u32::MAX);
            let held = Arc::clone(budget).try_acquire_many_owned(units).map_err(|_| FrameError::Busy)?;
            self._held = Some(held);
        }
        let kind = self.header.first().filter(|_| self.typed);
        self.shape = Some(Shape::new(kind.copied()));
        self.header.clear();
        self.typed = true;
        self.body_left = found - 4;
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Frames<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if this.prefix.is_empty() {
            ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        } else {
            let taken = this.prefix.len().min(buf.remaining());
            buf.put_slice(&this.prefix[..taken]);
            this.prefix.drain(..taken);
        }
        Poll::Ready(this.check(&buf.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Frames<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of a text that fills `body` bytes.
    fn message(kind: u8, body: usize) -> Vec<u8> {
        let mut message = vec![kind];
        message.extend(u32::try_from(body + 4).unwrap().to_be_bytes());
        message.extend(std::iter::repeat_n(b'x', body.saturating_sub(1)));
        message.extend(std::iter::repeat_n(0, body.min(1)));
        message
    }

    /// A packet that says nothing of its `body` bytes.
    fn start_up(body: usize) -> Vec<u8> {
        let mut packet = message(b' ', body).split_off(1);
        packet[4..8].fill(0);
        packet
    }

    #[test]
    fn a_text_must_end_in_its_message() {
        let budget = Arc::new(Semaphore::new(100));
        let mut bytes = [start_up(20), message(b'Q', 10), message(b'Q', 5)].concat();
        let open = 4 + 20 + 5 + 9;
        assert_eq!(bytes[open], 0);
        bytes[open] = b'x';
        for piece in [1, 4, 100] {
            let refused = feed(&mut Scan::default(), &bytes, piece, &budget);
            assert_eq!(refused, Err(FrameError::Misshapen), "{piece}");
        }
    }

    /// Feeds `bytes` in pieces of `piece` bytes.
    fn feed(scan: &mut Scan, bytes: &[u8], piece: usize, budget: &Arc<Semaphore>) -> Result<(), FrameError> {
        bytes.chunks(piece).try_for_each(|part| scan.take(part, 100_000, budget))
    }

    #[test]
    fn messages_pass_however_they_are_cut() {
        let budget = Arc::new(Semaphore::new(100));
        let all =
            [start_up(20), message(b'p', 10), message(b'S', 0), message(b'Q', 90_000), message(b'X', 0)];
        for piece in [1, 3, 7, 1_000, 1 << 20] {
            let mut scan = Scan::default();
            feed(&mut scan, &all.concat(), piece, &budget).unwrap();
            assert_eq!(budget.available_permits(), 100, "given back");
        }
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let budget = Arc::new(Semaphore::new(100));
        let check = |bytes: Vec<u8>| feed(&mut Scan::default(), &bytes, 2, &budget);
        assert_eq!(check(vec![0, 0, 0, 7]), Err(FrameError::Malformed(7)));
        assert_eq!(check([start_up(10), vec![b'Q', 0, 0, 0, 3]].concat()), Err(FrameError::Malformed(3)));
        assert_eq!(
            check([start_up(10), vec![b'Q', 0xff, 0xff, 0xff, 0xff]].concat()),
            Err(FrameError::Malformed(-1))
        );
        let long = FrameError::TooLong { found: 100_001, limit: 100_000 };
        assert_eq!(check([start_up(10), vec![b'Q', 0, 1, 0x86, 0xa1]].concat()), Err(long));
    }

    #[test]
    fn large_messages_share_a_budget_while_they_come() {
        let budget = Arc::new(Semaphore::new(100));
        let (mut first, mut second) = (Scan::default(), Scan::default());
        let large = [start_up(10), message(b'Q', 90_000)].concat();
        feed(&mut first, &large[..1_000], 100, &budget).unwrap();
        assert_eq!(feed(&mut second, &large, 100, &budget), Err(FrameError::Busy));
        feed(&mut first, &large[1_000..], 100, &budget).unwrap();
        feed(&mut Scan::default(), &large, 100, &budget).unwrap();
    }
}
