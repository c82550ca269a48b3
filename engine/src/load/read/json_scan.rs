//! The members of a JSON object, found in one pass over plain text.
//!
//! Nearly all objects that tools write have keys and strings without escapes; for those no general parser is needed.
//! What is found here is what serde_json would find; whatever is unusual or wrong is left to it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// How deep plain values may be nested.
const MAX_DEPTH: usize = 16;

/// A value as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'t> {
    /// The bytes between the quotes of a string without escapes. They may not be UTF-8.
    Text(&'t [u8]),
    /// Anything else without escapes and without white space between its tokens. Text in it may not be UTF-8.
    Plain(&'t [u8]),
    /// Any JSON value.
    Other(&'t str),
}

impl<'t> Value<'t> {
    pub(super) fn is_null(self) -> bool {
        matches!(self, Self::Plain(b"null") | Self::Other("null"))
    }

    /// The value as it is written, for messages.
    pub(super) fn as_written(self) -> Cow<'t, str> {
        match self {
            Self::Text(bytes) => format!("\"{}\"", String::from_utf8_lossy(bytes)).into(),
            Self::Plain(bytes) => String::from_utf8_lossy(bytes),
            Self::Other(text) => text.into(),
        }
    }
}

/// Takes the members of one object, in order.
pub(super) trait TakeMembers {
    /// The number of the likely key that `text` begins with, written as `"key":`, and the length of that.
    fn likely(&mut self, text: &[u8]) -> Option<(usize, usize)>;

    /// A member whose key is the likely one.
    fn take_likely(&mut self, number: usize, value: Value<'_>);

    /// Any other member.
    fn take(&mut self, key: &str, value: Value<'_>);
}

/// What an object consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scanned {
    /// Valid UTF-8.
    Text,
    /// Bytes that may be UTF-8 or not.
    Bytes,
}

/// Finds the members of the object that `bytes` are. `None`: read it with serde_json, which may refuse it; members that are
/// taken by then do not count. O(length).
pub(super) fn scan_object(bytes: &[u8], members: &mut impl TakeMembers) -> Option<Scanned> {
    let mut scan = Scan { bytes, high: 0 };
    let mut at = skip_space(bytes, expect(bytes, 0, b'{')?);
    if bytes.get(at) == Some(&b'}') {
        return scan.ends(at + 1);
    }
    loop {
        if let Some((number, length)) = members.likely(bytes.get(at..)?) {
            let start = skip_space(bytes, at + length);
            let (end, value) = scan.value(start)?;
            members.take_likely(number, value);
            at = end;
        } else {
            let start = expect(bytes, at, b'"')?;
            let end = scan.plain_string_end(start)?;
            let key = std::str::from_utf8(bytes.get(start..end)?).ok()?;
            let start = skip_space(bytes, expect(bytes, skip_space(bytes, end + 1), b':')?);
            let (end, value) = scan.value(start)?;
            members.take(key, value);
            at = end;
        }
        at = skip_space(bytes, at);
        match bytes.get(at)? {
            b',' => at = skip_space(bytes, at + 1),
            b'}' => return scan.ends(at + 1),
            _ => return None,
        }
    }
}

const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The next 16 bytes; `None` if there are fewer.
fn two_words(bytes: &[u8]) -> Option<(u64, u64)> {
    let (words, _) = bytes.get(..16)?.as_chunks::<8>();
    Some((u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])))
}

/// The high bit of the first byte that is a quote, a backslash or a control character. Bits above it may be wrong.
fn string_ends(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let quotes = zeros(word ^ (ONES * u64::from(b'"')));
    let escapes = zeros(word ^ (ONES * u64::from(b'\\')));
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | escapes | controls) & HIGHS
}

fn expect(bytes: &[u8], at: usize, byte: u8) -> Option<usize> {
    (bytes.get(at) == Some(&byte)).then_some(at + 1)
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Whether `text` is a JSON object without escapes, and without white space between its tokens: then it is valid, and as
/// short as it can be. Others may be that too. O(length).
pub(super) fn is_plain_object(text: &str) -> bool {
    let mut scan = Scan { bytes: text.as_bytes(), high: 0 };
    text.starts_with('{') && scan.plain_value_end(0, MAX_DEPTH) == Some(text.len())
}

/// Bytes that are looked through.
struct Scan<'t> {
    bytes: &'t [u8],
    /// Has a bit set if a byte of text was not ASCII.
    high: u64,
}

impl<'t> Scan<'t> {
    fn ends(&self, at: usize) -> Option<Scanned> {
        let scanned = if self.high & HIGHS == 0 { Scanned::Text } else { Scanned::Bytes };
        (skip_space(self.bytes, at) == self.bytes.len()).then_some(scanned)
    }

    /// The value that begins at `at`, and where it ends.
    #[inline]
    fn value(&mut self, at: usize) -> Option<(usize, Value<'t>)> {
        if self.bytes.get(at) == Some(&b'"') {
            return match self.plain_string_end(at + 1) {
                Some(end) => Some((end + 1, Value::Text(self.bytes.get(at + 1..end)?))),
                None => self.any_value(at),
            };
        }
        match self.plain_value_end(at, MAX_DEPTH) {
            Some(end) => Some((end, Value::Plain(self.bytes.get(at..end)?))),
            None => self.any_value(at),
        }
    }

    /// By serde_json, for what is not plain.
    fn any_value(&mut self, at: usize) -> Option<(usize, Value<'t>)> {
        let mut deserializer = serde_json::Deserializer::from_slice(self.bytes.get(at..)?);
        let value = <&RawValue>::deserialize(&mut deserializer).ok()?.get();
        Some((at + value.len(), Value::Other(value)))
    }

    /// Where the value that begins at `at` ends; `None` if it is not plain, is nested deeper than `depth`, or is no JSON.
    fn plain_value_end(&mut self, at: usize, depth: usize) -> Option<usize> {
        let bytes = self.bytes;
        let literal = |word: &str| bytes[at..].starts_with(word.as_bytes()).then_some(at + word.len());
        let close = match bytes.get(at)? {
            b'"' => return self.plain_string_end(at + 1).map(|end| end + 1),
            b'n' => return literal("null"),
            b't' => return literal("true"),
            b'f' => return literal("false"),
            b'-' | b'0'..=b'9' => return number_end(bytes, at),
            b'{' => b'}',
            b'[' => b']',
            _ => return None,
        };
        let depth = depth.checked_sub(1)?;
        let mut at = at + 1;
        if bytes.get(at) == Some(&close) {
            return Some(at + 1);
        }
        loop {
            if close == b'}' {
                let key_end = self.plain_string_end(expect(bytes, at, b'"')?)?;
                at = expect(bytes, key_end + 1, b':')?;
            }
            at = self.plain_value_end(at, depth)?;
            match bytes.get(at)? {
                b',' => at += 1,
                end => return (*end == close).then_some(at + 1),
            }
        }
    }

    /// The place of the quote that ends a string; `None` if there is an escape, a control character or no end.
    #[inline]
    fn plain_string_end(&mut self, from: usize) -> Option<usize> {
        let mut at = from;
        let end = loop {
            let rest = self.bytes.get(at..)?;
            let Some((first, second)) = two_words(rest) else {
                self.high |= rest.iter().fold(0, |high, byte| high | u64::from(*byte));
                break at + rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f))?;
            };
            // What stands behind the end may be looked at needlessly.
            self.high |= first | second;
            let hits = (string_ends(first), string_ends(second));
            match hits {
                (0, 0) => at += 16,
                (0, hits) => break at + 8 + (hits.trailing_zeros() / 8) as usize,
                (hits, _) => break at + (hits.trailing_zeros() / 8) as usize,
            }
        };
        (self.bytes[end] == b'"').then_some(end)
    }
}

fn number_end(bytes: &[u8], at: usize) -> Option<usize> {
    let digits =
        |from: usize| bytes[from.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut end = at + usize::from(bytes.get(at) == Some(&b'-'));
    let whole = digits(end);
    if whole == 0 || (whole > 1 && bytes[end] == b'0') {
        return None;
    }
    end += whole;
    if bytes.get(end) == Some(&b'.') {
        let decimals = digits(end + 1);
        if decimals == 0 {
            return None;
        }
        end += 1 + decimals;
    }
    // Exponents are rare.
    (!matches!(bytes.get(end), Some(b'e' | b'E'))).then_some(end)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// What is taken, and keys that are likely anywhere, as they are written.
    #[derive(Default)]
    struct Taken {
        likely: Vec<String>,
        members: Vec<(String, String)>,
    }

    impl TakeMembers for Taken {
        fn likely(&mut self, text: &[u8]) -> Option<(usize, usize)> {
            let number = self.likely.iter().position(|key| text.starts_with(key.as_bytes()))?;
            Some((number, self.likely[number].len()))
        }

        fn take_likely(&mut self, number: usize, value: Value<'_>) {
            let key = self.likely[number].clone();
            self.take(&key[1..key.len() - 2], value);
        }

        fn take(&mut self, key: &str, value: Value<'_>) {
            self.members.push((key.to_owned(), value.as_written().into_owned()));
        }
    }

    fn scanned(text: &str) -> Option<Vec<(String, String)>> {
        let mut taken = Taken::default();
        let scanned = scan_object(text.as_bytes(), &mut taken)?;
        assert!(scanned == Scanned::Bytes || text.is_ascii() || text.contains('\\') || text.contains(' '));
        // Keys that are likely change nothing. Half of them are known.
        let likely = taken.members.iter().step_by(2).map(|(key, _)| format!("\"{key}\":")).collect();
        let mut guessed = Taken { likely, members: Vec::new() };
        scan_object(text.as_bytes(), &mut guessed).expect("members");
        assert_eq!(guessed.members, taken.members);
        Some(taken.members)
    }

    #[test]
    fn usual_objects_are_scanned() {
        let text = r#" {"a" : "x", "b":-1.50,"c":null , "d":{"e":[1,"}"]},"f":"q\"r","g":true,"h":"ä long text","i":1e5}"#;
        let text = text.trim_start();
        let found = scanned(text).expect("members");
        let values: Vec<&str> = found.iter().map(|(_, value)| value.as_str()).collect();
        let expected =
            [r#""x""#, "-1.50", "null", r#"{"e":[1,"}"]}"#, r#""q\"r""#, "true", r#""ä long text""#, "1e5"];
        assert_eq!(values, expected);
        assert_eq!(scanned("{}").expect("members"), []);
    }

    #[test]
    fn what_is_wrong_is_left() {
        for text in [
            "",
            "{",
            "{\"a\"}",
            "{\"a\":1,}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":nul}",
            "{\"a\":1} x",
            "[1]",
            "{\"a\":\"\n\"}",
            "{\"a\\n\":1}",
            "{\"a\":-}",
            "{\"a\":\"b}",
            "{'a':1}",
        ] {
            assert_eq!(scanned(text), None, "{text}");
        }
    }

    #[test]
    fn plain_objects_are_told() {
        let deep = |depth| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        for text in ["{}", r#"{"a":[],"b":{"c":[1,-2.5,null]}}"#, r#"{"ä":"x y","z":true}"#, &deep(MAX_DEPTH)]
        {
            assert!(is_plain_object(text), "{text}");
        }
        for text in [
            "",
            "1",
            "[1]",
            "{",
            "{}}",
            r#"{"a": 1}"#,
            r#"{"a":1,}"#,
            r#"{"a":[1}}"#,
            r#"{"a":"\n"}"#,
            r#"{"a" :1}"#,
        ] {
            assert!(!is_plain_object(text), "{text}");
        }
        assert!(!is_plain_object(&deep(MAX_DEPTH + 1)));
    }

    proptest! {
        /// What is taken for plain is what serde_json takes for an object, and has nothing that could be left out.
        #[test]
        fn plain_objects_are_objects(text in r#"[{}\[\]:,"a1 .e-]{0,12}"#, whole in any::<bool>()) {
            let text = if whole { format!("{{\"a\":{text}}}") } else { text };
            if is_plain_object(&text) {
                let raw: &RawValue = serde_json::from_str(&text).expect("JSON");
                prop_assert_eq!(raw.get(), &text);
                let mut compact = Vec::new();
                super::super::json_text::append_compact(&text, &mut compact);
                prop_assert_eq!(compact, text.as_bytes());
            }
        }

        /// serde_json is the oracle.
        #[test]
        fn what_is_scanned_is_what_serde_json_finds(
            text in r#"\{("[a-c\\é]{0,9}"[ :]{1,2}("[a-c\\ é]{0,20}"|-?[0-9.e]{1,4}|nul?l|\{\}|\[1\])[,} ]{1,2}){0,4}\}?"#,
        ) {
            if let Some(found) = scanned(&text) {
                let oracle: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text).expect("an object");
                let oracle: BTreeMap<String, String> =
                    oracle.into_iter().map(|(key, value)| (key, value.get().to_owned())).collect();
                prop_assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), oracle);
            }
        }

        #[test]
        fn strings_end_at_their_quote(text in "[a-zé]{0,40}", tail in "[a-z\"\\\\\n]{0,20}") {
            let whole = format!("{text}\"{tail}");
            let end = |text: &str| Scan { bytes: text.as_bytes(), high: 0 }.plain_string_end(0);
            prop_assert_eq!(end(&whole), Some(text.len()));
            prop_assert_eq!(end(&text), None);
        }

        /// Whatever is taken for text is UTF-8.
        #[test]
        fn bytes_that_are_no_text_are_told(
            object in r#"\{"[a-cé]{1,9}":("[a-c\\é ]{0,20}"|\{"[aé]{0,20}":\["[aé]{0,20}"\]\})\}"#,
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut bytes = object.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let scanned = scan_object(&bytes, &mut Taken::default());
            if scanned == Some(Scanned::Text) {
                prop_assert!(std::str::from_utf8(&bytes).is_ok());
            }
        }
    }
}
