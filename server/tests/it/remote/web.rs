//! A web server that gives the files of a directory, whole or in ranges.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::proxy::{header, read_until};

/// Serves until it is dropped.
pub(super) struct WebServer {
    pub(super) address: String,
    stopped: Arc<AtomicBool>,
}

impl WebServer {
    /// Gives files only to requests whose query is `secret`, if there is one.
    pub(super) fn start(directory: &Path, secret: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stopped = Arc::new(AtomicBool::new(false));
        let (ends, directory) = (Arc::clone(&stopped), directory.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let directory = directory.clone();
                // A client that goes away ends its connection.
                std::thread::spawn(move || serve(client, &directory, secret).ok());
            }
        });
        Self { address, stopped }
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(&self.address);
    }
}

fn serve(mut client: TcpStream, directory: &Path, secret: Option<&str>) -> std::io::Result<()> {
    let head = read_until(&mut client, b"\r\n\r\n")?;
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    let mut file = PathBuf::from(directory);
    file.extend(path.split('/').filter(|part| !part.is_empty() && *part != ".."));
    let (status, range, body) = match std::fs::read(&file) {
        _ if secret.is_some() && secret != query => ("403 Forbidden", None, Vec::new()),
        Err(_) => ("404 Not Found", None, Vec::new()),
        Ok(bytes) => match range_of(&head, bytes.len()) {
            Some((first, last)) => {
                let range = format!("Content-Range: bytes {first}-{last}/{}\r\n", bytes.len());
                ("206 Partial Content", Some(range), bytes[first..=last].to_vec())
            }
            None => ("200 OK", None, bytes),
        },
    };
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nAccept-Ranges: bytes\r\nETag: \"{:x}\"\r\n\
         Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nConnection: close\r\n{}\r\n",
        body.len(),
        std::fs::metadata(&file).map_or(0, |m| m.len()),
        range.unwrap_or_default(),
    )
    .into_bytes();
    if method != "HEAD" {
        answer.extend(body);
    }
    client.write_all(&answer)
}

/// First and last byte of the range that is asked for.
fn range_of(head: &str, length: usize) -> Option<(usize, usize)> {
    let (first, last) = header(head, "range")?.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), last) => (first, last.unwrap_or(length - 1)),
        (Err(_), Ok(count)) => (length.saturating_sub(count), length - 1),
        _ => return None,
    };
    (first < length).then(|| (first, last.min(length - 1)))
}
