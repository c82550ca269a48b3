//! A proxy that does to requests what networks and overloaded services do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The condition of Google's clients that an object must not exist yet, and that of all others.
const GOOGLE_CONDITION: &str = "x-goog-if-generation-match:";
const CONDITION: &str = "If-None-Match: *\r\n";
/// Makes the S3 service take a request for one of the owner's; signatures are not checked.
const OWNER: &str = "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, \
                     SignedHeaders=host, Signature=0\r\n";

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is answered with this status and never seen by the service.
    Status(u16),
    /// The connection is reset before an answer.
    Reset,
    /// The answer ends in the middle of its body.
    Truncate,
    /// A byte of the body every 20 ms.
    Slow,
    /// There is no answer, and the connection stays.
    Hang,
    /// The service does what was asked; its answer is lost.
    LoseAnswer,
    /// The service does what was asked; the answer says that it failed.
    DenyAnswer,
    /// The service does not see the condition that the object must not exist yet.
    IgnoreCondition,
    /// The S3 service is asked what Google's client asks.
    FromGoogle,
}

/// A request, for the decision about it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    /// How many requests came before it.
    pub(super) number: u64,
}

type Decide = dyn FnMut(&Request) -> Option<Fault> + Send;

/// Listens until it is dropped.
pub(super) struct Proxy {
    pub(super) address: String,
    pub(super) faults: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
}

impl Proxy {
    /// A proxy of the service at `upstream`.
    pub(super) fn start(
        upstream: &str,
        decide: impl FnMut(&Request) -> Option<Fault> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (faults, stopped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let decide: Arc<Mutex<Box<Decide>>> = Arc::new(Mutex::new(Box::new(decide)));
        let requests = Arc::new(AtomicU64::new(0));
        let state = (Arc::clone(&faults), Arc::clone(&stopped), upstream.to_owned());
        std::thread::spawn(move || {
            let (faults, stopped, upstream) = state;
            for client in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(client) = client else { continue };
                let connection = Connection {
                    client,
                    upstream: upstream.clone(),
                    decide: Arc::clone(&decide),
                    requests: Arc::clone(&requests),
                    faults: Arc::clone(&faults),
                    stopped: Arc::clone(&stopped),
                };
                // A peer that goes away ends its connection, which is what it is for.
                std::thread::spawn(move || connection.serve().ok());
            }
        });
        Self { address, faults, stopped }
    }

    /// A proxy of an S3 service for Google's clients.
    pub(super) fn of_google(upstream: &str) -> Self {
        Self::start(upstream, |_| Some(Fault::FromGoogle))
    }

    /// How many requests met a fault.
    pub(super) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(&self.address);
    }
}

struct Connection {
    client: TcpStream,
    upstream: String,
    decide: Arc<Mutex<Box<Decide>>>,
    requests: Arc<AtomicU64>,
    faults: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
}

impl Connection {
    /// One request, one answer, end.
    fn serve(mut self) -> std::io::Result<()> {
        let first = read_until(&mut self.client, b"\r\n")?;
        let mut words = first.split_whitespace().map(str::to_owned);
        let request = Request {
            method: words.next().unwrap_or_default(),
            target: words.next().unwrap_or_default(),
            number: self.requests.fetch_add(1, Ordering::Relaxed),
        };
        let fault = (self.decide.lock().unwrap())(&request);
        self.faults.fetch_add(u64::from(fault.is_some()), Ordering::Relaxed);
        if fault == Some(Fault::Reset) {
            // Bytes that were not read make the close a reset.
            return Ok(());
        }
        let head = first + &read_until(&mut self.client, b"\r\n\r\n")?;
        let mut body = Vec::new();
        let length = header(&head, "content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        while body.len() < length {
            let mut chunk = vec![0; (length - body.len()).min(1 << 16)];
            let count = self.client.read(&mut chunk)?;
            if count == 0 {
                return Ok(());
            }
            body.extend_from_slice(&chunk[..count]);
        }
        match fault {
            Some(Fault::Status(status)) => return self.answer(status),
            Some(Fault::Hang) => {
                while !self.stopped.load(Ordering::Relaxed) && !is_gone(&self.client) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                return Ok(());
            }
            _ => {}
        }
        let answer = self.forward(&head, &body, fault)?;
        match fault {
            Some(Fault::LoseAnswer) => Ok(()),
            Some(Fault::DenyAnswer) => self.answer(500),
            Some(Fault::Truncate) => {
                let end = body_start(&answer) + (answer.len() - body_start(&answer)) / 2;
                self.client.write_all(&answer[..end])
            }
            Some(Fault::Slow) => {
                let start = body_start(&answer);
                self.client.write_all(&answer[..start])?;
                for byte in &answer[start..] {
                    self.client.write_all(std::slice::from_ref(byte))?;
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok(())
            }
            _ => self.client.write_all(&answer),
        }
    }

    fn answer(&mut self, status: u16) -> std::io::Result<()> {
        let text = format!("HTTP/1.1 {status} Fault\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        self.client.write_all(text.as_bytes())
    }

    /// The whole answer of the service.
    fn forward(&self, head: &str, body: &[u8], fault: Option<Fault>) -> std::io::Result<Vec<u8>> {
        let mut upstream = TcpStream::connect(&self.upstream)?;
        let from_google = fault == Some(Fault::FromGoogle);
        let left_out = |line: &str| {
            let line = line.to_ascii_lowercase();
            line.is_empty()
                || line.starts_with("connection:")
                || (fault == Some(Fault::IgnoreCondition) && line.starts_with("if-none-match:"))
                || (from_google && (line.starts_with("authorization:") || line.starts_with(GOOGLE_CONDITION)))
        };
        let mut sent = String::new();
        for line in head.lines().filter(|line| !left_out(line)) {
            sent.push_str(line);
            sent.push_str("\r\n");
        }
        if from_google {
            sent.push_str(OWNER);
            if header(head, GOOGLE_CONDITION.trim_end_matches(':')) == Some("0") {
                sent.push_str(CONDITION);
            }
        }
        sent.push_str("Connection: close\r\n\r\n");
        upstream.write_all(sent.as_bytes())?;
        upstream.write_all(body)?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer)?;
        let _ = upstream.shutdown(Shutdown::Both);
        Ok(answer)
    }
}

/// Up to `end`, and not a byte more.
pub(super) fn read_until(stream: &mut TcpStream, end: &[u8]) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The value of a header.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn body_start(answer: &[u8]) -> usize {
    answer.windows(4).position(|w| w == b"\r\n\r\n").map_or(answer.len(), |at| at + 4)
}

fn is_gone(client: &TcpStream) -> bool {
    let waited = client.set_read_timeout(Some(Duration::from_millis(1))).is_ok();
    waited && matches!(client.peek(&mut [0]), Ok(0))
}
