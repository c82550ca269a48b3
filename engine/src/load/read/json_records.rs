//! The objects of a JSON file: one on each line, or the elements of one array.

use std::ops::Range;
use std::sync::Arc;

use memchr::memchr;

use super::options::InputFormat;
use super::records::{RecordBuffer, Records};
use super::rejected::RowPlace;
use super::source::SourceFile;
use super::stream::{ByteStream, stream_error};
use super::targets::shared;
use crate::load::error::LoadError;

/// JSON values in file order, found by line ends or, in an array, by their brackets. Holds one value at a time.
#[derive(Debug)]
pub(super) struct JsonRecords {
    file: SourceFile,
    path: Arc<str>,
    buffer: RecordBuffer,
    shape: Shape,
    /// Number of the current line, or of the current element.
    number: u64,
    /// The current record within the window: its content and its end with what follows up to the next one.
    content: Range<usize>,
    consumed: usize,
    max_record_bytes: usize,
}

/// What separates the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Lines,
    Array(Expected),
}

/// What comes next in an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    FirstElement,
    Element,
    CommaOrEnd,
    Nothing,
}

/// How far the end of an element has been looked for.
#[derive(Debug, Default)]
struct Scan {
    at: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl JsonRecords {
    /// Opens the file; its first character tells lines from an array.
    pub(super) fn open(stream: ByteStream, max_record_bytes: usize) -> Result<Self, LoadError> {
        let (file, buffer) = RecordBuffer::open(stream, InputFormat::Ndjson)?;
        let mut records = Self {
            path: shared(&file.display),
            file,
            buffer,
            shape: Shape::Lines,
            number: 1,
            content: 0..0,
            consumed: 0,
            max_record_bytes,
        };
        if begins_an_array(records.buffer.pending()) {
            records.skip_space()?;
            records.buffer.consume(1);
            records.shape = Shape::Array(Expected::FirstElement);
            records.number = 0;
        }
        Ok(records)
    }

    fn next_line(&mut self) -> Result<bool, LoadError> {
        loop {
            let window = self.buffer.pending();
            let end = match memchr(b'\n', window) {
                Some(end) => {
                    self.consumed = end + 1;
                    end
                }
                None if self.buffer.at_end() => {
                    self.consumed = window.len();
                    window.len()
                }
                None if window.len() > self.max_record_bytes => return Err(self.too_long()),
                None => {
                    self.fill()?;
                    continue;
                }
            };
            if end > self.max_record_bytes {
                return Err(self.too_long());
            }
            let content = window[..end].trim_ascii_start();
            let start = end - content.len();
            let length = content.trim_ascii_end().len();
            if length > 0 {
                self.content = start..start + length;
                return Ok(true);
            }
            if self.consumed == 0 {
                return Ok(false);
            }
            self.consume();
        }
    }

    fn next_element(&mut self, expected: Expected) -> Result<bool, LoadError> {
        let mut expected = expected;
        loop {
            let next = self.skip_space()?;
            match (expected, next) {
                (Expected::Nothing, None) => return Ok(false),
                (Expected::Nothing, Some(_)) => {
                    return Err(self.damaged("there is text behind the end of the JSON array; remove it"));
                }
                (_, None) => {
                    return Err(self.damaged(
                        "the file ends before its JSON array does; copy or download the file again",
                    ));
                }
                (Expected::FirstElement | Expected::CommaOrEnd, Some(b']')) => {
                    self.buffer.consume(1);
                    expected = Expected::Nothing;
                    self.shape = Shape::Array(expected);
                }
                (Expected::CommaOrEnd, Some(b',')) => {
                    self.buffer.consume(1);
                    expected = Expected::Element;
                }
                (Expected::CommaOrEnd, Some(_)) => {
                    return Err(self.damaged("expected a comma or the end of the JSON array"));
                }
                (Expected::Element, Some(b']' | b',')) => {
                    return Err(self.damaged("an element of the JSON array is missing behind a comma"));
                }
                (Expected::FirstElement | Expected::Element, Some(_)) => {
                    self.number += 1;
                    self.shape = Shape::Array(Expected::CommaOrEnd);
                    let end = self.element_end()?;
                    self.content = 0..end;
                    self.consumed = end;
                    return Ok(true);
                }
            }
        }
    }

    /// The end of the element that the window begins with. Looks at each byte once.
    fn element_end(&mut self) -> Result<usize, LoadError> {
        let mut scan = Scan::default();
        loop {
            let window = self.buffer.pending();
            while let Some(byte) = window.get(scan.at) {
                if scan.in_string {
                    match byte {
                        _ if scan.escaped => scan.escaped = false,
                        b'\\' => scan.escaped = true,
                        b'"' => scan.in_string = false,
                        _ => {}
                    }
                } else {
                    match byte {
                        b'"' => scan.in_string = true,
                        b'{' | b'[' => scan.depth += 1,
                        b'}' | b']' if scan.depth == 0 => return Ok(scan.at),
                        b'}' | b']' => {
                            scan.depth -= 1;
                            if scan.depth == 0 {
                                return self.within_limit(scan.at + 1);
                            }
                        }
                        b',' if scan.depth == 0 => return self.within_limit(scan.at),
                        byte if scan.depth == 0 && byte.is_ascii_whitespace() => {
                            return self.within_limit(scan.at);
                        }
                        _ => {}
                    }
                }
                scan.at += 1;
            }
            if scan.at > self.max_record_bytes {
                return Err(self.too_long());
            }
            if self.buffer.at_end() {
                return Err(self.damaged(
                    "the file ends within an element of its JSON array; copy or download the file again",
                ));
            }
            self.fill()?;
        }
    }

    fn within_limit(&self, length: usize) -> Result<usize, LoadError> {
        if length > self.max_record_bytes { Err(self.too_long()) } else { Ok(length) }
    }

    /// Consumes white space; gives the byte behind it, or `None` at the end of the file.
    fn skip_space(&mut self) -> Result<Option<u8>, LoadError> {
        loop {
            let window = self.buffer.pending();
            let text = window.trim_ascii_start();
            let (next, space) = (text.first().copied(), window.len() - text.len());
            self.buffer.consume(space);
            if next.is_some() || self.buffer.at_end() {
                return Ok(next);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<(), LoadError> {
        self.buffer.fill().map_err(|error| {
            let place = match (self.shape, self.number) {
                (Shape::Lines, 0 | 1) | (Shape::Array(_), 0) => "at its start".to_owned(),
                (Shape::Lines, line) => format!("after line {}", line - 1),
                (Shape::Array(_), row) => format!("at row {row}"),
            };
            stream_error(&self.file, &place, error)
        })
    }

    fn too_long(&self) -> LoadError {
        let reason = match self.shape {
            Shape::Lines => format!(
                "the line is longer than {} bytes; one JSON object per line is expected",
                self.max_record_bytes
            ),
            Shape::Array(_) => format!(
                "the element of the array is longer than {} bytes; each is expected to be one touchpoint",
                self.max_record_bytes
            ),
        };
        LoadError::damaged(self.path.as_ref(), format!("at {}", self.place()), reason)
    }

    fn damaged(&self, reason: &str) -> LoadError {
        let place = if self.number == 0 { "at its start".to_owned() } else { format!("at {}", self.place()) };
        LoadError::damaged(self.path.as_ref(), place, reason)
    }
}

impl Records for JsonRecords {
    fn path(&self) -> &Arc<str> {
        &self.path
    }

    fn next(&mut self) -> Result<bool, LoadError> {
        match self.shape {
            Shape::Lines => self.next_line(),
            Shape::Array(expected) => self.next_element(expected),
        }
    }

    fn text(&self) -> &[u8] {
        &self.buffer.pending()[self.content.clone()]
    }

    fn place(&self) -> RowPlace {
        match self.shape {
            Shape::Lines => RowPlace::Line(self.number),
            Shape::Array(_) => RowPlace::Row(self.number),
        }
    }

    fn consume(&mut self) {
        self.buffer.consume(self.consumed);
        if self.shape == Shape::Lines {
            self.number += 1;
        }
    }

    fn keep(&mut self) {
        self.buffer.keep();
    }

    fn kept(&self) -> Option<&[u8]> {
        Some(self.buffer.kept())
    }

    fn kept_range(&self) -> Range<usize> {
        let start = self.buffer.kept_start();
        start + self.content.start..start + self.content.end
    }

    fn expected(&self) -> &'static str {
        "one JSON object per line, or an array of them"
    }
}

/// Whether the text is one array of objects. A first line such as `[1, 2]` is that too: what is in it is told then.
fn begins_an_array(start: &[u8]) -> bool {
    start.trim_ascii_start().first() == Some(&b'[')
}
