//! Records of a file as JSON texts, and a window on a byte stream in which they are found without copying them.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use super::options::InputFormat;
use super::rejected::RowPlace;
use super::sniff::{BYTE_ORDER_MARK, mistaken_format};
use super::source::SourceFile;
use super::stream::{ByteStream, stream_error};
use crate::load::error::LoadError;

/// Bytes asked of the stream at once: what is read stays in the processor's cache until it is looked through.
const CHUNK_BYTES: usize = 256 << 10;

/// The records of a file, one after the other, each as the text of a JSON object.
pub(super) trait Records: std::fmt::Debug + Send {
    /// The file as the user named it.
    fn path(&self) -> &Arc<str>;

    /// Moves to the next record; false at the end of the file. Every record is to be consumed before the next.
    ///
    /// # Errors
    /// If the file cannot be read on: nothing follows.
    fn next(&mut self) -> Result<bool, LoadError>;

    /// The current record. What comes out of a text file may be no JSON; the reader tells.
    fn text(&self) -> &[u8];

    /// The current record as the file has it, for messages.
    fn raw(&self) -> &[u8] {
        self.text()
    }

    /// Where the current record stands.
    fn place(&self) -> RowPlace;

    /// What is wrong with the current record as a whole: column of the file, if one can be named, and reason.
    fn problem(&self) -> Option<(Option<String>, String)> {
        None
    }

    /// Leaves the current record.
    fn consume(&mut self);

    /// Keeps the bytes of the records from the current place on, in place of those that were kept.
    fn keep(&mut self) {}

    /// The bytes that are kept; `None` where records are not as the file has them.
    fn kept(&self) -> Option<&[u8]> {
        None
    }

    /// Where the current record lies in the bytes that are kept.
    fn kept_range(&self) -> Range<usize> {
        0..0
    }

    /// Records that were passed by since the last call, because the tool that wrote them does not count them.
    fn take_left_out(&mut self) -> u64 {
        0
    }

    /// What a file of this kind holds, for the message about an empty one.
    fn expected(&self) -> &'static str;
}

/// A growing window: bytes are added at the end and consumed at the start. It never holds more than one record
/// and two chunks, and what is to be kept.
pub(super) struct RecordBuffer {
    reader: Box<dyn Read + Send>,
    bytes: Vec<u8>,
    /// What is kept begins here, at `start` or before.
    kept: usize,
    keeps: bool,
    start: usize,
    end: usize,
    at_end: bool,
    consumed: u64,
}

impl std::fmt::Debug for RecordBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordBuffer").field("consumed", &self.consumed).finish_non_exhaustive()
    }
}

impl RecordBuffer {
    /// The text of a file from behind its byte order mark on, and the file.
    ///
    /// # Errors
    /// [`LoadError::Input`] if it begins as a file that is not of `format`; what the stream says.
    pub(super) fn open(stream: ByteStream, format: InputFormat) -> Result<(SourceFile, Self), LoadError> {
        let ByteStream { file, reader, .. } = stream;
        let mut buffer = Self::new(Box::new(reader));
        buffer.fill().map_err(|error| stream_error(&file, "at its start", error))?;
        if let Some(problem) = mistaken_format(format, buffer.pending()) {
            return Err(LoadError::input(&file.display, problem));
        }
        if buffer.pending().starts_with(BYTE_ORDER_MARK) {
            buffer.consume(BYTE_ORDER_MARK.len());
        }
        Ok((file, buffer))
    }

    fn new(reader: Box<dyn Read + Send>) -> Self {
        Self {
            reader,
            bytes: Vec::new(),
            kept: 0,
            keeps: false,
            start: 0,
            end: 0,
            at_end: false,
            consumed: 0,
        }
    }

    /// The bytes that are there and not consumed.
    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Whether the stream has ended: nothing will follow [`Self::pending`].
    pub(super) fn at_end(&self) -> bool {
        self.at_end
    }

    /// Bytes consumed so far, after decompression.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        self.consumed += count as u64;
        if !self.keeps {
            self.kept = self.start;
        }
    }

    /// Keeps what is consumed from now on, and nothing from before.
    pub(super) fn keep(&mut self) {
        self.keeps = true;
        self.kept = self.start;
    }

    /// What was consumed since [`Self::keep`], and what is pending.
    pub(super) fn kept(&self) -> &[u8] {
        &self.bytes[self.kept..self.end]
    }

    /// Where the pending bytes begin among those that are kept.
    pub(super) fn kept_start(&self) -> usize {
        self.start - self.kept
    }

    /// Reads more. Doubles the window while one record fills it, so that a record is scanned O(1) times per byte.
    ///
    /// # Errors
    /// What the stream says; the pending bytes stay.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        if self.kept > 0 {
            self.bytes.copy_within(self.kept..self.end, 0);
            self.end -= self.kept;
            self.start -= self.kept;
            self.kept = 0;
        }
        let wanted = self.end + CHUNK_BYTES.max(self.end - self.start);
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
        while self.end < wanted {
            match self.reader.read(&mut self.bytes[self.end..wanted]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte per call, as a slow network would.
    struct Trickle(Vec<u8>);

    impl Read for Trickle {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() || out.is_empty() {
                return Ok(0);
            }
            out[0] = self.0.remove(0);
            Ok(1)
        }
    }

    #[test]
    fn the_window_moves_over_the_stream() {
        let mut buffer = RecordBuffer::new(Box::new(Trickle(b"hello world".to_vec())));
        assert_eq!(buffer.pending(), b"");
        buffer.fill().expect("read");
        buffer.consume(6);
        assert_eq!(buffer.pending(), b"world");
        assert_eq!(buffer.consumed(), 6);
        buffer.fill().expect("read");
        assert!(buffer.at_end());
        assert_eq!(buffer.pending(), b"world");
    }

    #[test]
    fn what_is_kept_stays_while_the_window_moves() {
        let mut buffer = RecordBuffer::new(Box::new(Trickle(b"hello world".to_vec())));
        buffer.fill().expect("read");
        buffer.consume(6);
        buffer.keep();
        buffer.consume(2);
        buffer.fill().expect("read");
        assert_eq!((buffer.kept(), buffer.kept_start(), buffer.pending()), (&b"world"[..], 2, &b"rld"[..]));
        buffer.keep();
        buffer.consume(3);
        buffer.fill().expect("read");
        assert_eq!((buffer.kept(), buffer.kept_start(), buffer.pending()), (&b"rld"[..], 3, &b""[..]));
    }
}
