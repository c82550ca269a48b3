//! From the tokenizer's lines and columns to places in the text.

use datafusion::sql::sqlparser::tokenizer::Location;

/// The lines of a text. Lines and columns count from 1, columns in characters.
#[derive(Debug)]
pub struct Positions<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    // The last place that was asked for: line, column and byte, the first two from 0.
    last: (usize, usize, usize),
}

impl<'a> Positions<'a> {
    /// Reads the lines of `text`: O(n).
    pub fn new(text: &'a str) -> Self {
        let mut line_starts = vec![0];
        line_starts.extend(text.match_indices('\n').map(|(index, _)| index + 1));
        Self { text, line_starts, last: (0, 0, 0) }
    }

    /// The byte at `location`; the end of the text if it lies beyond. Places asked for in ascending order take O(n)
    /// together.
    pub fn byte_index(&mut self, location: Location) -> usize {
        let line = usize::try_from(location.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let column = usize::try_from(location.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(line_start) = self.line_starts.get(line) else {
            return self.text.len();
        };
        let (last_line, last_column, last_byte) = self.last;
        let (from_column, from_byte) = if last_line == line && last_column <= column {
            (last_column, last_byte)
        } else {
            (0, *line_start)
        };
        let rest = self.text.get(from_byte..).unwrap_or_default();
        match rest.char_indices().nth(column - from_column) {
            Some((index, _)) => {
                self.last = (line, column, from_byte + index);
                from_byte + index
            }
            None => self.text.len(),
        }
    }

    /// How many characters stand before `location`; `None` for the place that the parser has no position for.
    pub fn char_index(&mut self, location: Location) -> Option<usize> {
        if location.line == 0 {
            return None;
        }
        let before = self.text.get(..self.byte_index(location))?;
        Some(before.chars().count())
    }
}
