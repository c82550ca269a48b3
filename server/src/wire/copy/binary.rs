//! Reads the binary format: a header, then rows of fields with their lengths.

use std::borrow::Cow;

use bytes::Buf;
use pgwire::error::PgWireResult;

use super::output::BINARY_HEADER;
use super::stage::{Stage, bad_data};

/// Bytes of the signature.
const SIGNATURE: usize = 11;
/// Flags of which a reader must know the meaning.
const CRITICAL_FLAGS: u32 = 0xffff_0000;

/// Reads rows as they come in pieces.
#[derive(Debug, Default)]
pub(super) struct BinaryReader {
    pending: Vec<u8>,
    in_rows: bool,
    row: u64,
    ended: bool,
}

impl BinaryReader {
    /// Takes more bytes and stages the rows that they complete.
    ///
    /// # Errors
    /// 22P04 and what [`Stage::row`] answers.
    pub(super) fn feed(&mut self, bytes: &[u8], stage: &mut Stage) -> PgWireResult<()> {
        self.pending.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.pending);
        let mut rest: &[u8] = &pending;
        if !self.in_rows {
            match header(rest)? {
                Some(after) => rest = after,
                None => {
                    self.pending = pending;
                    return Ok(());
                }
            }
            self.in_rows = true;
        }
        while !rest.is_empty() {
            if self.ended {
                return Err(bad_data("received copy data after EOF marker"));
            }
            match self.read_row(rest, stage)? {
                Some(after) => rest = after,
                None => break,
            }
        }
        let left = rest.len();
        self.pending = pending;
        self.pending.drain(..self.pending.len() - left);
        stage.check_length(self.pending.len(), self.row + 1)
    }

    /// The data has ended.
    ///
    /// # Errors
    /// 22P04 if it ends within a row or without its end mark.
    pub(super) fn finish(&mut self) -> PgWireResult<()> {
        if self.ended { Ok(()) } else { Err(bad_data("unexpected EOF in COPY data")) }
    }

    /// Stages the row at the start of `bytes`; returns what follows, `None` if it is not all there.
    fn read_row<'a>(&mut self, bytes: &'a [u8], stage: &mut Stage) -> PgWireResult<Option<&'a [u8]>> {
        let mut rest = bytes;
        let Ok(count) = rest.try_get_i16() else {
            return Ok(None);
        };
        if count == -1 {
            self.ended = true;
            return Ok(Some(rest));
        }
        let line = self.row + 1;
        if usize::try_from(count) != Ok(stage.columns()) {
            let message = format!("row field count is {count}, expected {}", stage.columns());
            return Err(stage.at_row(bad_data(message), line));
        }
        let mut values = Vec::with_capacity(stage.columns());
        for _ in 0..stage.columns() {
            let Ok(length) = rest.try_get_i32() else {
                return Ok(None);
            };
            if length == -1 {
                values.push(None);
                continue;
            }
            let Ok(length) = usize::try_from(length) else {
                return Err(stage.at_row(bad_data("invalid field size"), line));
            };
            stage.check_length(length, line)?;
            let Some((value, after)) = rest.split_at_checked(length) else {
                return Ok(None);
            };
            values.push(Some(Cow::Borrowed(value)));
            rest = after;
        }
        self.row = line;
        stage.row(&mut values, line, &[])?;
        Ok(Some(rest))
    }
}

/// What follows the header; `None` if it is not all there.
fn header(bytes: &[u8]) -> PgWireResult<Option<&[u8]>> {
    let there = bytes.len().min(SIGNATURE);
    if bytes[..there] != BINARY_HEADER[..there] {
        return Err(bad_data("COPY file signature not recognized"));
    }
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    let (Ok(flags), Ok(extension)) = (rest.try_get_u32(), rest.try_get_i32()) else {
        return Ok(None);
    };
    if flags & CRITICAL_FLAGS != 0 {
        return Err(bad_data("unrecognized critical flags in COPY file header"));
    }
    let Ok(extension) = usize::try_from(extension) else {
        return Err(bad_data("invalid COPY file header (wrong length)"));
    };
    // No extension is known; one of more than a few bytes is damage.
    if extension > BINARY_HEADER.len() * 64 {
        return Err(bad_data("invalid COPY file header (wrong length)"));
    }
    Ok(rest.get(extension..))
}
