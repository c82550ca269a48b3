//! A growing text column whose last row can be taken back.

use arrow::array::StringArray;
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::error::ArrowError;

/// Text values and NULLs in row order. Unlike Arrow's builder it can be cut back when a row turns out to be
/// wrong half way.
#[derive(Debug)]
pub(super) struct TextColumn {
    bytes: Vec<u8>,
    /// End of each value in `bytes`, after a leading 0.
    ends: Vec<i32>,
    valid: Vec<bool>,
    null_count: usize,
    overflow: bool,
}

impl TextColumn {
    pub(super) fn with_capacity(rows: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self { bytes: Vec::new(), ends, valid: Vec::with_capacity(rows), null_count: 0, overflow: false }
    }

    /// Number of closed rows.
    pub(super) fn len(&self) -> usize {
        self.valid.len()
    }

    /// Appends a value. The bytes must be UTF-8; [`Self::finish`] checks.
    pub(super) fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.close();
    }

    pub(super) fn push_null(&mut self) {
        self.null_count += 1;
        self.close_as(false);
    }

    /// Appends NULLs until there are so many rows.
    pub(super) fn pad(&mut self, rows: usize) {
        self.null_count += rows.saturating_sub(self.len());
        let end = self.ends.last().copied().unwrap_or_default();
        self.ends.resize(self.ends.len().max(rows + 1), end);
        self.valid.resize(self.len().max(rows), false);
    }

    pub(super) fn push_option(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.push(value.as_bytes()),
            None => self.push_null(),
        }
    }

    /// Where the next value is written piece by piece; [`Self::close`] ends it.
    pub(super) fn open(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Whether bytes were written since the last closed row.
    pub(super) fn has_open_bytes(&self) -> bool {
        let end = self.ends.last().copied().unwrap_or_default();
        !usize::try_from(end).is_ok_and(|end| end == self.bytes.len())
    }

    pub(super) fn close(&mut self) {
        self.close_as(true);
    }

    /// Takes back every row from `rows` on, and bytes of a row not yet closed.
    pub(super) fn truncate(&mut self, rows: usize) {
        for valid in self.valid.drain(rows.min(self.valid.len())..) {
            self.null_count -= usize::from(!valid);
        }
        self.ends.truncate(self.valid.len() + 1);
        let end = self.ends.last().copied().unwrap_or_default();
        self.bytes.truncate(usize::try_from(end).unwrap_or_default());
    }

    /// The column as an array; starts anew with the same capacity.
    ///
    /// # Errors
    /// If a value is not UTF-8 or the column holds more than 2 GiB.
    pub(super) fn finish(&mut self) -> Result<StringArray, ArrowError> {
        // A little more than now: a batch that is a little longer is neither copied nor held at twice its size.
        let bytes = Vec::with_capacity(self.bytes.len() + self.bytes.len() / 8);
        let next = Self { bytes, ..Self::with_capacity(self.valid.len()) };
        let done = std::mem::replace(self, next);
        if done.overflow {
            return Err(ArrowError::ComputeError(
                "the text of one batch exceeds 2 GiB; use fewer rows per batch".to_owned(),
            ));
        }
        let nulls = (done.null_count > 0).then(|| NullBuffer::from(done.valid));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(done.ends));
        StringArray::try_new(offsets, Buffer::from_vec(done.bytes), nulls)
    }

    fn close_as(&mut self, valid: bool) {
        let end = i32::try_from(self.bytes.len()).unwrap_or_else(|_| {
            self.overflow = true;
            i32::MAX
        });
        self.ends.push(end);
        self.valid.push(valid);
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;

    use super::*;

    #[test]
    fn rows_can_be_taken_back() {
        let mut column = TextColumn::with_capacity(4);
        column.push(b"a");
        column.push_null();
        column.push(b"wrong");
        column.push_null();
        column.open().extend_from_slice(b"half");
        assert!(column.has_open_bytes());
        column.truncate(2);
        assert!(!column.has_open_bytes());
        column.push("ä".as_bytes());
        let array = column.finish().expect("text");
        assert_eq!(array, StringArray::from(vec![Some("a"), None, Some("ä")]));
        assert_eq!(column.len(), 0);
        assert_eq!(column.finish().expect("text").len(), 0);
    }

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        let mut column = TextColumn::with_capacity(1);
        column.push(&[0xff]);
        assert!(column.finish().is_err());
    }
}
