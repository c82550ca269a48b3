//! CSV records in a byte window: RFC 4180 with any one-byte delimiter.
//!
//! Own code instead of the csv crate, for three things that messages need: the exact physical line under `\r\n`,
//! blank lines and quoted line breaks; the record as it stands in the file; and an end to a quote that is never
//! closed, which would otherwise take the rest of the file into memory as one field.

/// A field within its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldSpan {
    pub(super) start: usize,
    /// Without the quotes around the field.
    pub(super) end: usize,
    /// Whether `""` stands in it for a quote.
    pub(super) has_escapes: bool,
}

/// One record, as byte positions within the window.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RecordShape {
    pub(super) fields: Vec<FieldSpan>,
    /// Bytes of the record without its line end.
    pub(super) length: usize,
    /// Bytes of the record with its line end.
    pub(super) consumed: usize,
    /// Line ends within the record and after it.
    pub(super) line_ends: u64,
    /// The field (from 1) after whose closing quote there is text.
    pub(super) text_after_quote: Option<usize>,
}

/// Whether a record could be cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    /// The shape holds a record.
    Record,
    /// The window ends within the record: more bytes are needed.
    Incomplete,
    /// The stream ends within a quoted field.
    OpenQuote,
}

/// Cuts records off a window.
#[derive(Debug)]
pub(super) struct Splitter {
    delimiter: u8,
    /// Bytes that end an unquoted field.
    ends_field: [bool; 256],
}

impl Splitter {
    pub(super) fn new(delimiter: u8) -> Self {
        let mut ends_field = [false; 256];
        for byte in [delimiter, b'\n', b'\r'] {
            ends_field[usize::from(byte)] = true;
        }
        Self { delimiter, ends_field }
    }

    /// Cuts the first record off `window`, which is not empty. `at_end`: nothing follows the window.
    ///
    /// `\n`, `\r\n` and a lone `\r` end a record outside quotes. A quote within an unquoted field is an ordinary
    /// character. O(length of the record).
    pub(super) fn split(&self, window: &[u8], at_end: bool, shape: &mut RecordShape) -> Split {
        shape.fields.clear();
        shape.line_ends = 0;
        shape.text_after_quote = None;
        let mut at = 0;
        loop {
            let start = at;
            let mut field = FieldSpan { start, end: start, has_escapes: false };
            if window.get(at) == Some(&b'"') {
                let Some(close) = find_close(window, at + 1, &mut field, shape) else {
                    return if at_end { Split::OpenQuote } else { Split::Incomplete };
                };
                if close + 1 == window.len() && !at_end {
                    // The next byte could be the second quote of an escape.
                    return Split::Incomplete;
                }
                field.start = start + 1;
                field.end = close;
                at = close + 1;
                let after = at;
                while at < window.len() && !self.ends_field[usize::from(window[at])] {
                    at += 1;
                }
                if at > after && shape.text_after_quote.is_none() {
                    shape.text_after_quote = Some(shape.fields.len() + 1);
                }
            } else {
                while at < window.len() && !self.ends_field[usize::from(window[at])] {
                    at += 1;
                }
                field.end = at;
            }
            shape.fields.push(field);
            match window.get(at) {
                Some(byte) if *byte == self.delimiter => at += 1,
                Some(b'\n') => {
                    shape.length = at;
                    shape.consumed = at + 1;
                    shape.line_ends += 1;
                    return Split::Record;
                }
                Some(_) => {
                    // A carriage return, alone or before a line feed.
                    if at + 1 == window.len() && !at_end {
                        return Split::Incomplete;
                    }
                    let line_feed = window.get(at + 1) == Some(&b'\n');
                    shape.length = at;
                    shape.consumed = at + 1 + usize::from(line_feed);
                    shape.line_ends += 1;
                    return Split::Record;
                }
                None if at_end => {
                    shape.length = at;
                    shape.consumed = at;
                    return Split::Record;
                }
                None => return Split::Incomplete,
            }
        }
    }
}

/// The place of the quote that closes a field, counting line ends and noting escapes on the way.
fn find_close(window: &[u8], from: usize, field: &mut FieldSpan, shape: &mut RecordShape) -> Option<usize> {
    let mut at = from;
    while let Some(byte) = window.get(at) {
        match byte {
            b'"' if window.get(at + 1) == Some(&b'"') => {
                field.has_escapes = true;
                at += 2;
            }
            b'"' => return Some(at),
            b'\n' => {
                shape.line_ends += 1;
                at += 1;
            }
            b'\r' => {
                // Counted by its line feed, if one follows.
                shape.line_ends += u64::from(window.get(at + 1) != Some(&b'\n'));
                at += 1;
            }
            _ => at += 1,
        }
    }
    None
}

/// Appends the value of a field, escapes resolved.
pub(super) fn append_field(record: &[u8], field: FieldSpan, out: &mut Vec<u8>) {
    let text = &record[field.start..field.end];
    if !field.has_escapes {
        out.extend_from_slice(text);
        return;
    }
    let mut after_quote = false;
    for byte in text {
        // Quotes stand in pairs here; the second one is left out.
        after_quote = *byte == b'"' && !after_quote;
        if *byte != b'"' || after_quote {
            out.push(*byte);
        }
    }
}

/// The delimiter of a header line: a comma if there is one outside quotes, else the more frequent of `;` and tab.
pub(super) fn detect_delimiter(header: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in header {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if !quoted => {
                for (delimiter, count) in &mut counts {
                    *count += usize::from(byte == delimiter);
                }
            }
            _ => {}
        }
    }
    let [(_, commas), (_, semicolons), (_, tabs)] = counts;
    if commas > 0 || semicolons + tabs == 0 {
        b','
    } else if semicolons >= tabs {
        b';'
    } else {
        b'\t'
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All records of a text as (line, fields), fed in windows that grow by `step` bytes.
    fn records(text: &[u8], step: usize) -> Vec<(u64, Vec<String>)> {
        let splitter = Splitter::new(b',');
        let mut shape = RecordShape::default();
        let mut found = Vec::new();
        let (mut start, mut end, mut line) = (0, step.min(text.len()), 1);
        while start < text.len() {
            match splitter.split(&text[start..end], end == text.len(), &mut shape) {
                Split::Record => {
                    let fields = shape.fields.iter().map(|field| {
                        let mut out = Vec::new();
                        append_field(&text[start..end], *field, &mut out);
                        String::from_utf8(out).expect("text")
                    });
                    found.push((line, fields.collect()));
                    start += shape.consumed;
                    line += shape.line_ends;
                    end = end.max((start + step).min(text.len()));
                }
                Split::Incomplete => {
                    assert!(end < text.len(), "asks for more although nothing follows");
                    end = (end + step).min(text.len());
                }
                Split::OpenQuote => {
                    found.push((line, vec!["open quote".to_owned()]));
                    return found;
                }
            }
        }
        found
    }

    fn check(text: &str, expected: &[(u64, &[&str])]) {
        for step in [1, 2, 3, 1000] {
            let expected: Vec<(u64, Vec<String>)> = expected
                .iter()
                .map(|(line, fields)| (*line, fields.iter().map(|f| (*f).to_owned()).collect()))
                .collect();
            assert_eq!(records(text.as_bytes(), step), expected, "{text:?} in steps of {step}");
        }
    }

    #[test]
    fn lines_are_counted_under_every_line_end() {
        check("a,b\nc,d\n", &[(1, &["a", "b"]), (2, &["c", "d"])]);
        check("a,b\r\nc,d\r\ne,", &[(1, &["a", "b"]), (2, &["c", "d"]), (3, &["e", ""])]);
        check("a\rb\r", &[(1, &["a"]), (2, &["b"])]);
        check("a\n\n\nb", &[(1, &["a"]), (2, &[""]), (3, &[""]), (4, &["b"])]);
    }

    #[test]
    fn quotes_hold_delimiters_line_ends_and_quotes() {
        check("\"a,b\",c\n", &[(1, &["a,b", "c"])]);
        check("\"x\ny\r\nz\",1\nnext,2", &[(1, &["x\ny\r\nz", "1"]), (4, &["next", "2"])]);
        check("\"say \"\"hi\"\"\",\"\"\n\"\"\"\"", &[(1, &["say \"hi\"", ""]), (2, &["\""])]);
        check("a\"b,5\" tall\n", &[(1, &["a\"b", "5\" tall"])]);
    }

    #[test]
    fn an_open_quote_is_told() {
        check("a,b\n\"c,d\ne,f\n", &[(1, &["a", "b"]), (2, &["open quote"])]);
    }

    #[test]
    fn text_after_a_closing_quote_is_told() {
        let mut shape = RecordShape::default();
        let split = Splitter::new(b',').split(b"a,\"b\"c,d\n", true, &mut shape);
        assert_eq!((split, shape.text_after_quote), (Split::Record, Some(2)));
        assert_eq!(shape.fields.len(), 3);
    }

    #[test]
    fn delimiters_are_found_outside_quotes() {
        assert_eq!(detect_delimiter(b"a;b;c\n1,2"), b';');
        assert_eq!(detect_delimiter(b"a\tb"), b'\t');
        assert_eq!(detect_delimiter(b"\"a;b\",c"), b',');
        assert_eq!(detect_delimiter(b"\"a,b\";c"), b';');
        assert_eq!(detect_delimiter(b"alone"), b',');
    }

    proptest! {
        /// The csv crate is the oracle for files that both understand alike.
        #[test]
        fn fields_agree_with_the_csv_crate(
            rows in prop::collection::vec(prop::collection::vec("[a-c\",;\n\r é]{0,6}", 2..5), 1..8),
            step in 1..40_usize,
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).expect("written");
            }
            let text = writer.into_inner().expect("written");
            let found: Vec<Vec<String>> = records(&text, step).into_iter().map(|(_, fields)| fields).collect();
            prop_assert_eq!(found, rows);
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(prop::sample::select(b"a,\"\n\r".to_vec()), 0..40)) {
            let whole = records(&bytes, 1000);
            prop_assert_eq!(records(&bytes, 1), whole);
        }
    }
}
