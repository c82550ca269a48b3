//! The rows of one person.

use std::ops::Range;

/// What a row is: bits of [`PersonRows::marks`].
pub mod mark {
    /// The row is a conversion.
    pub const CONVERSION: u64 = 1;
    /// The row is a touch: it has a key and nothing excludes it.
    pub const TOUCH: u64 = 1 << 1;
    /// The touch counts only where no other does.
    pub const OPTIONAL: u64 = 1 << 2;
    /// The touch is direct: no marketing brought it about.
    pub const DIRECT: u64 = 1 << 3;
    /// Touches up to this row do not count for conversions after it.
    pub const EXPIRES: u64 = 1 << 4;
    /// The row would be a touch if it were not excluded.
    pub const EXCLUDED: u64 = 1 << 5;
    /// How many conditions can be required.
    pub const MAX_REQUIRED: usize = 58;

    /// The row meets a required condition, counted from 0 and below [`MAX_REQUIRED`].
    pub const fn required(index: usize) -> u64 {
        1 << (6 + index)
    }
}

/// Rows of one person in order of time, those of one instant in the order that shall decide between them.
#[derive(Debug, Clone, Copy)]
pub struct PersonRows<'a> {
    /// Times in ticks, ascending.
    pub times: &'a [i64],
    /// What the rows are, see [`mark`].
    pub marks: &'a [u64],
    /// Numbers of the keys; of rows that are no touch any number.
    pub keys: &'a [u32],
    /// Numbers of what touch and conversion must share; with `None` in a row it shares nothing.
    pub container: Option<&'a [Option<u32>]>,
    /// Numbers of sessions, where the rows say which they belong to.
    pub session: Option<&'a [Option<u32>]>,
}

impl<'a> PersonRows<'a> {
    /// A part of longer columns.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        Self {
            times: &self.times[rows.clone()],
            marks: &self.marks[rows.clone()],
            keys: &self.keys[rows.clone()],
            container: self.container.map(|values| &values[rows.clone()]),
            session: self.session.map(|values| &values[rows.clone()]),
        }
    }

    pub(super) fn is(&self, row: usize, bit: u64) -> bool {
        self.marks[row] & bit != 0
    }
}
