//! Reads the text format: one row a line, a delimiter between values, backslash escapes.

use std::borrow::Cow;

use pgwire::error::PgWireResult;

use super::options::{CopyOptions, Header};
use super::stage::{Stage, bad_data};

/// Reads lines as they come in pieces.
#[derive(Debug)]
pub(super) struct TextReader {
    options: CopyOptions,
    pending: Vec<u8>,
    /// Bytes of `pending` that hold no line end.
    scanned: usize,
    line: u64,
    ended: bool,
}

impl TextReader {
    pub(super) fn new(options: CopyOptions) -> Self {
        Self { options, pending: Vec::new(), scanned: 0, line: 0, ended: false }
    }

    /// Takes more bytes and stages the rows that they complete.
    ///
    /// # Errors
    /// 22P04 and what [`Stage::row`] answers.
    pub(super) fn feed(&mut self, bytes: &[u8], stage: &mut Stage) -> PgWireResult<()> {
        self.pending.extend_from_slice(bytes);
        let mut start = 0;
        let mut at = self.scanned;
        while at < self.pending.len() && !self.ended {
            match self.pending[at] {
                b'\n' => {
                    let line = self.pending[start..at].to_vec();
                    self.read_line(&line, stage)?;
                    at += 1;
                    start = at;
                }
                // What follows is data, even a line end. It may not be there yet.
                b'\\' if at + 1 == self.pending.len() => break,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        self.pending.drain(..start);
        self.scanned = at - start;
        stage.check_length(self.pending.len(), self.line + 1)
    }

    /// The data has ended: what is left is the last line.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub(super) fn finish(&mut self, stage: &mut Stage) -> PgWireResult<()> {
        let line = std::mem::take(&mut self.pending);
        if line.is_empty() || self.ended { Ok(()) } else { self.read_line(&line, stage) }
    }

    fn read_line(&mut self, line: &[u8], stage: &mut Stage) -> PgWireResult<()> {
        self.line += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line == b"\\." {
            self.ended = true;
            return Ok(());
        }
        let mut values = self.values(line);
        if self.line == 1 && self.options.header != Header::Off {
            if self.options.header == Header::Match {
                let names = values.iter().map(|value| value.as_deref().unwrap_or_default());
                stage.check_header(names, line)?;
            }
            return Ok(());
        }
        let columns = stage.columns();
        if values.len() < columns {
            // A line without anything is one empty value.
            return Err(stage.missing_data(values.len(), self.line, line));
        }
        if values.len() > columns {
            return Err(stage.at_line(bad_data("extra data after last expected column"), self.line, line));
        }
        stage.row(&mut values, self.line, line)
    }

    /// The values of a line.
    fn values<'a>(&self, line: &'a [u8]) -> Vec<Option<Cow<'a, [u8]>>> {
        let mut values = Vec::new();
        let mut start = 0;
        let mut at = 0;
        let mut escapes = false;
        loop {
            if at >= line.len() || line[at] == self.options.delimiter {
                let end = at.min(line.len());
                let raw = &line[start..end];
                values.push(if raw == self.options.null.as_bytes() {
                    None
                } else if escapes {
                    Some(Cow::Owned(unescaped(raw)))
                } else {
                    Some(Cow::Borrowed(raw))
                });
                if at >= line.len() {
                    return values;
                }
                at += 1;
                start = at;
                escapes = false;
            } else if line[at] == b'\\' {
                escapes = true;
                at += 2;
            } else {
                at += 1;
            }
        }
    }
}

/// Backslash escapes replaced by what they stand for.
fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let Some((escape, tail)) = rest.split_first() else {
            out.push(b'\\');
            break;
        };
        rest = tail;
        match escape {
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(0x0b),
            b'0'..=b'7' => {
                let digits = 1 + rest.iter().take(2).take_while(|b| matches!(b, b'0'..=b'7')).count();
                let value = rest[..digits - 1]
                    .iter()
                    .fold(u32::from(escape - b'0'), |n, b| n * 8 + u32::from(b - b'0'));
                rest = &rest[digits - 1..];
                // Three octal digits may exceed a byte, whose upper bits do not count.
                out.push((value & 0xff) as u8);
            }
            b'x' => {
                let digits = rest.iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
                if digits == 0 {
                    out.push(b'x');
                    continue;
                }
                let value = rest[..digits]
                    .iter()
                    .filter_map(|b| char::from(*b).to_digit(16))
                    .fold(0, |n, digit| n * 16 + digit);
                rest = &rest[digits..];
                out.push((value & 0xff) as u8);
            }
            other => out.push(*other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_postgres() {
        assert_eq!(unescaped(b"\\x41\\101\\q\\\\\\t\\xg\\x"), b"AAq\\\txgx");
        assert_eq!(unescaped(b"a\\"), b"a\\");
        assert_eq!(unescaped(b"\\1018"), b"A8");
    }

    #[test]
    fn lines_are_cut_at_delimiters_that_are_not_escaped() {
        let reader = TextReader::new(CopyOptions { delimiter: b'|', ..CopyOptions::default() });
        let values = reader.values(b"a\\|b|\\N||\\\\");
        let shown: Vec<Option<&[u8]>> = values.iter().map(|value| value.as_deref()).collect();
        assert_eq!(shown, [Some(b"a|b".as_slice()), None, Some(b""), Some(b"\\")]);
    }
}
