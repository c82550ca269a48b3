//! Avro values to JSON text.
//!
//! Numbers keep their value exactly, decimals as numbers with their scale; NaN and infinity, for which JSON has no
//! number, become text and so are refused where a number is wanted. Timestamps become RFC 3339 (local ones without
//! an offset), dates `YYYY-MM-DD`, bytes hexadecimal digits, a union the value of its branch, a map an object.

use std::io::Write;

use chrono::{DateTime, NaiveTime, SecondsFormat, TimeDelta};

use super::super::json_text::append_string;
use super::schema::{Logical, Schema, Shape};

/// Values within values, at most: a schema that holds itself gives data of any depth.
const MAX_DEPTH: usize = 64;

/// Decodes one record of a block.
pub(super) struct Decoder<'a> {
    schema: &'a Schema,
    block: &'a [u8],
    at: usize,
    max_bytes: usize,
    problem: Option<String>,
}

/// The bytes are not what the schema says; a reason for the user.
type Decoded<T> = Result<T, String>;

impl<'a> Decoder<'a> {
    /// A decoder for the record that begins at `at`.
    pub(super) fn new(schema: &'a Schema, block: &'a [u8], at: usize, max_bytes: usize) -> Self {
        Self { schema, block, at, max_bytes, problem: None }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The first value of the record that has no JSON, if any; its length was right.
    pub(super) fn take_problem(&mut self) -> Option<String> {
        self.problem.take()
    }

    /// Appends the record as a JSON object.
    ///
    /// # Errors
    /// If the bytes end too early, name what does not exist, or come to more text than the limit.
    pub(super) fn record(&mut self, out: &mut Vec<u8>) -> Decoded<()> {
        self.fields(self.schema.root(), out, 0)
    }

    fn fields(&mut self, record: usize, out: &mut Vec<u8>, depth: usize) -> Decoded<()> {
        out.push(b'{');
        for (index, (name, shape)) in self.schema.record(record).iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            append_string(name, out);
            out.push(b':');
            self.value(shape, out, depth + 1)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn value(&mut self, shape: &Shape, out: &mut Vec<u8>, depth: usize) -> Decoded<()> {
        if out.len() > self.max_bytes {
            return Err(format!("a record is longer than the limit of {} bytes as JSON", self.max_bytes));
        }
        if depth > MAX_DEPTH {
            return Err(format!("values are nested more than {MAX_DEPTH} deep"));
        }
        match shape {
            Shape::Null => out.extend_from_slice(b"null"),
            Shape::Boolean => match self.take(1)? {
                [0] => out.extend_from_slice(b"false"),
                [1] => out.extend_from_slice(b"true"),
                _ => return Err("a boolean is neither 0 nor 1".to_owned()),
            },
            Shape::Int => {
                let value = self.long()?;
                let value = i32::try_from(value).map_err(|_| format!("an int has the value {value}"))?;
                append(out, format_args!("{value}"));
            }
            Shape::Long => {
                let value = self.long()?;
                append(out, format_args!("{value}"));
            }
            Shape::Float => {
                let value = f32::from_le_bytes(self.array()?);
                // Through its shortest text: 0.1 stays 0.1.
                append_float(value.is_finite().then(|| value.to_string()), f64::from(value), out);
            }
            Shape::Double => {
                let value = f64::from_le_bytes(self.array()?);
                append_float(value.is_finite().then(|| value.to_string()), value, out);
            }
            Shape::String => {
                let bytes = self.sized()?;
                match std::str::from_utf8(bytes) {
                    Ok(text) => append_string(text, out),
                    Err(_) => {
                        self.note("a string is not valid UTF-8; write the file again");
                        append_string(&String::from_utf8_lossy(bytes), out);
                    }
                }
            }
            Shape::Bytes => append_hex(self.sized()?, out),
            Shape::Fixed(size) => append_hex(self.take(*size)?, out),
            Shape::Enum(symbols) => {
                let index = self.long()?;
                let symbol = usize::try_from(index).ok().and_then(|index| symbols.get(index));
                append_string(symbol.ok_or_else(|| format!("an enum has no symbol {index}"))?, out);
            }
            Shape::Union(branches) => {
                let index = self.long()?;
                let branch = usize::try_from(index).ok().and_then(|index| branches.get(index));
                self.value(branch.ok_or_else(|| format!("a union has no branch {index}"))?, out, depth + 1)?;
            }
            Shape::Array(item) => {
                out.push(b'[');
                self.items(out, |decoder, out| decoder.value(item, out, depth + 1))?;
                out.push(b']');
            }
            Shape::Map(item) => {
                out.push(b'{');
                self.items(out, |decoder, out| {
                    let key = String::from_utf8_lossy(decoder.sized()?).into_owned();
                    append_string(&key, out);
                    out.push(b':');
                    decoder.value(item, out, depth + 1)
                })?;
                out.push(b'}');
            }
            Shape::Record(index) => self.fields(*index, out, depth)?,
            Shape::Logical(logical, encoded) => self.logical(*logical, encoded, out)?,
        }
        Ok(())
    }

    /// The items of an array or map, which come in blocks.
    fn items(
        &mut self,
        out: &mut Vec<u8>,
        mut item: impl FnMut(&mut Self, &mut Vec<u8>) -> Decoded<()>,
    ) -> Decoded<()> {
        let mut first = true;
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                if !first {
                    out.push(b',');
                }
                first = false;
                item(self, out)?;
            }
        }
    }

    fn logical(&mut self, logical: Logical, encoded: &Shape, out: &mut Vec<u8>) -> Decoded<()> {
        match logical {
            Logical::Decimal { scale, .. } => {
                let bytes = match encoded {
                    Shape::Fixed(size) => self.take(*size)?,
                    _ => self.sized()?,
                };
                match unscaled(bytes) {
                    Some(value) => append_decimal(value, scale, out),
                    None => {
                        self.note("a decimal has more than 38 digits");
                        out.extend_from_slice(b"null");
                    }
                }
            }
            Logical::Date => {
                let days = self.long()?;
                let date = days.checked_mul(86_400).and_then(|seconds| DateTime::from_timestamp(seconds, 0));
                self.append_time(date.map(|date| date.format("%Y-%m-%d").to_string()), days, out);
            }
            Logical::TimeOfDay(per_second) => {
                let value = self.long()?;
                let nanos = value.checked_mul(1_000_000_000 / per_second).filter(|nanos| *nanos >= 0);
                let time = nanos
                    .filter(|nanos| *nanos < 86_400 * 1_000_000_000)
                    .map(|nanos| (NaiveTime::MIN + TimeDelta::nanoseconds(nanos)).to_string());
                self.append_time(time, value, out);
            }
            Logical::Timestamp { per_second, local } => {
                let value = self.long()?;
                let nanos = u32::try_from(value.rem_euclid(per_second) * (1_000_000_000 / per_second));
                let time = nanos.ok().and_then(|n| DateTime::from_timestamp(value.div_euclid(per_second), n));
                let text = time.map(|time| {
                    let mut text = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
                    if local {
                        text.pop();
                    }
                    text
                });
                self.append_time(text, value, out);
            }
            Logical::Uuid => {
                let bytes: [u8; 16] = self.array()?;
                append_string(&uuid::Uuid::from_bytes(bytes).to_string(), out);
            }
        }
        Ok(())
    }

    fn append_time(&mut self, text: Option<String>, value: i64, out: &mut Vec<u8>) {
        match text {
            Some(text) => append_string(&text, out),
            None => {
                self.note(&format!("the time {value} is outside of all calendars"));
                out.extend_from_slice(b"null");
            }
        }
    }

    fn note(&mut self, problem: &str) {
        self.problem.get_or_insert_with(|| problem.to_owned());
    }

    fn sized(&mut self) -> Decoded<&'a [u8]> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| format!("a value has the length {length}"))?;
        self.take(length)
    }

    fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        self.take(N)?.first_chunk().copied().ok_or_else(ends_early)
    }

    fn take(&mut self, count: usize) -> Decoded<&'a [u8]> {
        let bytes = self.block[self.at..].get(..count).ok_or_else(ends_early)?;
        self.at += count;
        Ok(bytes)
    }

    fn long(&mut self) -> Decoded<i64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err("a number has too many digits".to_owned())
    }
}

fn ends_early() -> String {
    "a block ends within a record".to_owned()
}

fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector does not fail.
    let _ = out.write_fmt(text);
}

fn append_float(shortest: Option<String>, value: f64, out: &mut Vec<u8>) {
    match shortest {
        Some(text) => out.extend_from_slice(text.as_bytes()),
        None => append_string(&value.to_string(), out),
    }
}

fn append_hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in bytes {
        append(out, format_args!("{byte:02x}"));
    }
    out.push(b'"');
}

/// A number in two's complement, most significant byte first; `None` beyond 128 bits.
fn unscaled(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let fill = if negative { 0xff } else { 0 };
    let (head, tail) = bytes.split_at(bytes.len().saturating_sub(16));
    if head.iter().any(|byte| *byte != fill) {
        return None;
    }
    let mut all = [fill; 16];
    all[16 - tail.len()..].copy_from_slice(tail);
    let value = i128::from_be_bytes(all);
    ((value < 0) == negative).then_some(value)
}

fn append_decimal(value: i128, scale: i8, out: &mut Vec<u8>) {
    let places = usize::from(scale.unsigned_abs());
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let (sign, point) = (if value < 0 { "-" } else { "" }, if places > 0 { "." } else { "" });
    append(out, format_args!("{sign}{whole}{point}{fraction}"));
}
