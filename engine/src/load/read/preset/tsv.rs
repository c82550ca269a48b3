//! Lines of values that tabs separate, without quotes and without a header of their own, as JSON objects.

use std::sync::Arc;

use super::super::json_text::append_string;
use super::super::options::InputFormat;
use super::super::records::{RecordBuffer, Records};
use super::super::rejected::RowPlace;
use super::super::source::SourceFile;
use super::super::stream::{ByteStream, stream_error};
use super::super::targets::shared;
use crate::load::error::LoadError;

/// How lines and columns are to be understood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// Whether a backslash takes the meaning from a tab, a line end or a backslash behind it.
    pub(super) escapes: bool,
    /// Columns whose values are JSON.
    pub(super) json_columns: &'static [&'static str],
}

/// The lines of such a file. Holds one line at a time.
#[derive(Debug)]
pub(super) struct TsvRecords {
    file: SourceFile,
    path: Arc<str>,
    buffer: RecordBuffer,
    form: Form,
    columns: Vec<String>,
    line: u64,
    /// Line ends within the current record, and its bytes without and with the last one.
    inner_lines: u64,
    length: usize,
    consumed: usize,
    text: Vec<u8>,
    problem: Option<String>,
    max_record_bytes: usize,
}

impl TsvRecords {
    /// Opens the file. A first line that begins with the name of the first column is a header: it wins.
    pub(super) fn open(
        stream: ByteStream,
        columns: Vec<String>,
        form: Form,
        max_record_bytes: usize,
    ) -> Result<Self, LoadError> {
        let (file, buffer) = RecordBuffer::open(stream, InputFormat::Csv)?;
        let mut records = Self {
            path: shared(&file.display),
            file,
            buffer,
            form,
            columns,
            line: 1,
            inner_lines: 0,
            length: 0,
            consumed: 0,
            text: Vec::new(),
            problem: None,
            max_record_bytes,
        };
        if records.find_line()? {
            let line = String::from_utf8_lossy(records.raw()).into_owned();
            let first = line.split('\t').next();
            if first.is_some() && first == records.columns.first().map(String::as_str) {
                records.columns = line.split('\t').map(str::to_owned).collect();
                records.consume();
            }
        }
        Ok(records)
    }

    /// Finds the end of the next line that is not empty.
    fn find_line(&mut self) -> Result<bool, LoadError> {
        let (mut at, mut escaped) = (0, false);
        self.inner_lines = 0;
        loop {
            let window = self.buffer.pending();
            while let Some(byte) = window.get(at) {
                if *byte == b'\n' && !escaped {
                    break;
                }
                self.inner_lines += u64::from(*byte == b'\n');
                escaped = self.form.escapes && *byte == b'\\' && !escaped;
                at += 1;
            }
            let ended = at < window.len();
            if at > self.max_record_bytes {
                return Err(LoadError::damaged(
                    self.path.as_ref(),
                    format!("at line {}", self.line),
                    format!("the line is longer than {} bytes", self.max_record_bytes),
                ));
            }
            if ended || self.buffer.at_end() {
                let line = &window[..at];
                self.length = line.strip_suffix(b"\r").unwrap_or(line).len();
                self.consumed = at + usize::from(ended);
                if self.length > 0 {
                    return Ok(true);
                }
                if !ended {
                    return Ok(false);
                }
                self.consume();
                (at, escaped) = (0, false);
                continue;
            }
            self.buffer.fill().map_err(|error| {
                let place = match self.line {
                    1 => "at its start".to_owned(),
                    line => format!("after line {}", line - 1),
                };
                stream_error(&self.file, &place, error)
            })?;
        }
    }

    /// The current line as an object of the values that are not empty.
    fn object(&self, line: &str) -> Result<Vec<u8>, String> {
        let values = split(line, self.form.escapes);
        if values.len() != self.columns.len() {
            return Err(format!("has {} columns, expected {}", values.len(), self.columns.len()));
        }
        let mut out = vec![b'{'];
        for (name, value) in self.columns.iter().zip(&values).filter(|(_, value)| !value.is_empty()) {
            if out.len() > 1 {
                out.push(b',');
            }
            append_string(name, &mut out);
            out.push(b':');
            let is_json = self.form.json_columns.contains(&name.as_str());
            if is_json {
                serde_json::from_str::<serde::de::IgnoredAny>(value)
                    .map_err(|_| format!("column {name:?} is not valid JSON"))?;
                out.extend_from_slice(value.as_bytes());
            } else {
                append_string(value, &mut out);
            }
        }
        out.push(b'}');
        Ok(out)
    }
}

/// The values of a line, escapes resolved.
fn split(line: &str, escapes: bool) -> Vec<String> {
    if !escapes || !line.contains('\\') {
        return line.split('\t').map(str::to_owned).collect();
    }
    let mut values = vec![String::new()];
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        let resolved = match char {
            '\t' => {
                values.push(String::new());
                continue;
            }
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        };
        if let Some(value) = values.last_mut() {
            value.push(resolved);
        }
    }
    values
}

impl Records for TsvRecords {
    fn path(&self) -> &Arc<str> {
        &self.path
    }

    fn next(&mut self) -> Result<bool, LoadError> {
        if !self.find_line()? {
            return Ok(false);
        }
        let object = match std::str::from_utf8(self.raw()) {
            Ok(line) => self.object(line),
            Err(_) => Err("not valid UTF-8; convert the file to UTF-8".to_owned()),
        };
        (self.text, self.problem) = match object {
            Ok(text) => (text, None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        Ok(true)
    }

    fn text(&self) -> &[u8] {
        &self.text
    }

    fn raw(&self) -> &[u8] {
        &self.buffer.pending()[..self.length]
    }

    fn place(&self) -> RowPlace {
        RowPlace::Line(self.line)
    }

    fn problem(&self) -> Option<(Option<String>, String)> {
        self.problem.clone().map(|reason| (None, reason))
    }

    fn consume(&mut self) {
        self.buffer.consume(self.consumed);
        self.line += 1 + self.inner_lines;
        self.inner_lines = 0;
    }

    fn expected(&self) -> &'static str {
        "lines of values separated by tabs"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved_where_there_are_any() {
        assert_eq!(split("a\\tb\tc\\\\d\te\\\tf\\\ng", true), ["a\tb", "c\\d", "e\tf\ng"]);
        assert_eq!(split("{\"a\":\"\\n\"}\t\tx", false), ["{\"a\":\"\\n\"}", "", "x"]);
    }
}
