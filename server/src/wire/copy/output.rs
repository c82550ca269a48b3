//! Rows for the client: from the fields of a data row to a line, or to a binary tuple.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use pgwire::messages::data::DataRow;

use super::options::{Chosen, CopyFormat, CopyOptions, Header};

/// What binary data begins with, flags and an empty extension included.
pub(super) const BINARY_HEADER: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What binary data ends with: a field count of -1.
const BINARY_TRAILER: [u8; 2] = [0xff, 0xff];

/// Writes rows of one `COPY ... TO STDOUT`.
#[derive(Debug, Clone)]
pub(crate) struct CopyWriter {
    options: CopyOptions,
    force_quote: Vec<bool>,
}

impl CopyWriter {
    /// A writer without forced quotes: the names of the columns are not known yet.
    pub(crate) fn new(options: CopyOptions) -> Self {
        Self { options, force_quote: Vec::new() }
    }

    /// Which columns are always quoted.
    ///
    /// # Errors
    /// 42703 for an option that names a column which is not there.
    pub(crate) fn with_columns(mut self, columns: &[String]) -> pgwire::error::PgWireResult<Self> {
        self.options.force_quote.check(columns)?;
        self.force_quote = columns.iter().map(|column| self.options.force_quote.has(column)).collect();
        Ok(self)
    }

    /// Whether quotes depend on the names of the columns.
    pub(crate) fn needs_columns(&self) -> bool {
        self.options.force_quote != Chosen::Named(Vec::new())
    }

    /// What comes before the first row, if anything. In binary form it belongs into the message of that row.
    pub(crate) fn header(&self, columns: &[String]) -> Option<Bytes> {
        if self.options.format == CopyFormat::Binary {
            return Some(Bytes::from_static(&BINARY_HEADER));
        }
        if self.options.header == Header::Off {
            return None;
        }
        let mut line = BytesMut::new();
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                line.put_u8(self.options.delimiter);
            }
            if self.options.format == CopyFormat::Csv {
                self.csv_value(column.as_bytes(), false, columns.len() == 1, &mut line);
            } else {
                self.text_value(column.as_bytes(), &mut line);
            }
        }
        line.put_u8(b'\n');
        Some(line.freeze())
    }

    /// What comes after the last row, if anything.
    pub(crate) fn trailer(&self) -> Option<Bytes> {
        (self.options.format == CopyFormat::Binary).then(|| Bytes::from_static(&BINARY_TRAILER))
    }

    /// One row. O(bytes).
    pub(crate) fn row(&self, row: &DataRow) -> Bytes {
        let mut line = BytesMut::with_capacity(row.data.len() + 8);
        if self.options.format == CopyFormat::Binary {
            line.put_i16(row.field_count);
            line.put_slice(&row.data);
            return line.freeze();
        }
        let mut fields: &[u8] = &row.data;
        let count = usize::try_from(row.field_count).unwrap_or(0);
        for index in 0..count {
            if index > 0 {
                line.put_u8(self.options.delimiter);
            }
            let length = fields.try_get_i32().unwrap_or(-1);
            let Some((value, rest)) =
                usize::try_from(length).ok().and_then(|length| fields.split_at_checked(length))
            else {
                line.put_slice(self.options.null.as_bytes());
                continue;
            };
            fields = rest;
            if self.options.format == CopyFormat::Csv {
                let forced = self.force_quote.get(index).copied().unwrap_or(false);
                self.csv_value(value, forced, count == 1, &mut line);
            } else {
                self.text_value(value, &mut line);
            }
        }
        line.put_u8(b'\n');
        line.freeze()
    }

    fn text_value(&self, value: &[u8], line: &mut BytesMut) {
        for byte in value {
            let escaped = match byte {
                0x08 => b'b',
                0x0c => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0x0b => b'v',
                b'\\' => b'\\',
                other if *other == self.options.delimiter => *other,
                other => {
                    line.put_u8(*other);
                    continue;
                }
            };
            line.put_u8(b'\\');
            line.put_u8(escaped);
        }
    }

    fn csv_value(&self, value: &[u8], forced: bool, only_one: bool, line: &mut BytesMut) {
        let CopyOptions { delimiter, quote, escape, null, .. } = &self.options;
        let special = |byte: &u8| byte == delimiter || byte == quote || matches!(byte, b'\n' | b'\r');
        // A lone `\.` would end the data.
        let is_end = only_one && value == b"\\.";
        if !forced && value != null.as_bytes() && !is_end && !value.iter().any(special) {
            line.put_slice(value);
            return;
        }
        line.put_u8(*quote);
        for byte in value {
            if byte == quote || byte == escape {
                line.put_u8(*escape);
            }
            line.put_u8(*byte);
        }
        line.put_u8(*quote);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[Option<&str>]) -> DataRow {
        let mut data = BytesMut::new();
        for value in values {
            match value {
                Some(value) => {
                    data.put_i32(i32::try_from(value.len()).unwrap());
                    data.put_slice(value.as_bytes());
                }
                None => data.put_i32(-1),
            }
        }
        DataRow::new(data, i16::try_from(values.len()).unwrap())
    }

    fn written(options: CopyOptions, values: &[Option<&str>]) -> String {
        String::from_utf8(CopyWriter::new(options).row(&row(values)).to_vec()).unwrap()
    }

    fn csv() -> CopyOptions {
        CopyOptions {
            format: CopyFormat::Csv,
            delimiter: b',',
            null: String::new(),
            ..CopyOptions::default()
        }
    }

    // Expected lines are those of PostgreSQL 15 for the same values.
    #[test]
    fn text_lines() {
        assert_eq!(
            written(CopyOptions::default(), &[Some("1"), Some("a\tb\\c\n"), None, Some("")]),
            "1\ta\\tb\\\\c\\n\t\\N\t\n"
        );
        let bars = CopyOptions { delimiter: b'|', null: String::new(), ..CopyOptions::default() };
        assert_eq!(written(bars, &[Some("x,\"y"), None, Some("a|\t")]), "x,\"y||a\\|\\t\n");
    }

    #[test]
    fn csv_lines() {
        assert_eq!(
            written(
                csv(),
                &[Some("1"), Some("x,\"y"), None, Some(""), Some("l1\nl2"), Some("\\."), Some(" s ")]
            ),
            "1,\"x,\"\"y\",,\"\",\"l1\nl2\",\\., s \n"
        );
        assert_eq!(written(csv(), &[Some("\\.")]), "\"\\.\"\n");
        let other =
            CopyOptions { delimiter: b';', null: "NULL".to_owned(), quote: b'\'', escape: b'\\', ..csv() };
        assert_eq!(written(other, &[Some("it's"), None, Some("")]), "'it\\'s';NULL;\n");
    }

    #[test]
    fn headers_and_forced_quotes() {
        let columns = ["a".to_owned(), "b,c".to_owned()];
        let options =
            CopyOptions { header: Header::On, force_quote: Chosen::Named(vec!["a".to_owned()]), ..csv() };
        let writer = CopyWriter::new(options).with_columns(&columns).unwrap();
        assert_eq!(writer.header(&columns).unwrap().as_ref(), b"a,\"b,c\"\n");
        assert_eq!(writer.row(&row(&[Some("1"), Some("2")])).as_ref(), b"\"1\",2\n");
        let unknown = CopyOptions { force_quote: Chosen::Named(vec!["z".to_owned()]), ..csv() };
        assert!(CopyWriter::new(unknown).with_columns(&columns).unwrap_err().to_string().contains("42703"));
    }
}
