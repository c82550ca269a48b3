//! The members of a JSON object, found in one pass over plain text.
//!
//! Nearly all objects that tools write have keys and strings without escapes; for those no general parser is needed.
//! What is found here is what serde_json would find; whatever is unusual or wrong is left to it.

use serde::Deserialize;
use serde_json::value::RawValue;

/// How deep plain values may be nested.
const MAX_DEPTH: usize = 16;

/// One member: its key and the value as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    key: (usize, usize),
    value: (usize, usize),
    /// Whether the value has neither escapes nor white space between its tokens.
    pub(super) is_plain: bool,
    /// The number of the key, if it is known.
    pub(super) number: Option<usize>,
}

/// Keys that are known, in the order in which they are likely to come.
pub(super) trait KnownKeys {
    /// The number of the likely key that `text` begins with, written as `"key":`, and the length of that.
    fn next(&mut self, text: &[u8]) -> Option<(usize, usize)>;

    /// The number of a key.
    fn find(&mut self, name: &str) -> Option<usize>;
}

impl Member {
    pub(super) fn key<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.key.0..self.key.1).unwrap_or_default()
    }

    pub(super) fn value<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.value.0..self.value.1).unwrap_or_default()
    }
}

/// Finds the members of the object that `text` is. `None`: read it with serde_json, which may refuse it. O(length).
pub(super) fn scan_object(text: &str, mut keys: impl KnownKeys, members: &mut Vec<Member>) -> Option<()> {
    members.clear();
    let bytes = text.as_bytes();
    let mut at = skip_space(bytes, expect(bytes, 0, b'{')?);
    if bytes.get(at) == Some(&b'}') {
        return ends(bytes, at + 1);
    }
    loop {
        let (key, number) = match keys.next(&bytes[at..]) {
            Some((number, length)) => {
                let start = at + 1;
                at += length;
                ((start, at - 2), Some(number))
            }
            None => {
                let start = expect(bytes, at, b'"')?;
                let end = plain_string_end(bytes, start)?;
                at = expect(bytes, skip_space(bytes, end + 1), b':')?;
                ((start, end), keys.find(text.get(start..end)?))
            }
        };
        at = skip_space(bytes, at);
        let (end, is_plain) = value_end(text, at)?;
        members.push(Member { key, value: (at, end), is_plain, number });
        at = skip_space(bytes, end);
        match bytes.get(at)? {
            b',' => at = skip_space(bytes, at + 1),
            b'}' => return ends(bytes, at + 1),
            _ => return None,
        }
    }
}

/// As `starts_with`, in words of eight bytes: a key is too short for a call to be worth it.
pub(super) fn begins_with(bytes: &[u8], start: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..start.len()) else { return false };
    match (bytes.last_chunk::<8>(), start.last_chunk::<8>()) {
        (Some(last), Some(last_wanted)) => {
            let (words, wanted) = (bytes.as_chunks::<8>().0, start.as_chunks::<8>().0);
            last == last_wanted && words.iter().zip(wanted).all(|(word, wanted)| word == wanted)
        }
        _ => bytes.iter().zip(start).all(|(byte, wanted)| byte == wanted),
    }
}

fn expect(bytes: &[u8], at: usize, byte: u8) -> Option<usize> {
    (bytes.get(at) == Some(&byte)).then_some(at + 1)
}

fn ends(bytes: &[u8], at: usize) -> Option<()> {
    (skip_space(bytes, at) == bytes.len()).then_some(())
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Where the value that begins at `at` ends, and whether it is plain.
fn value_end(text: &str, at: usize) -> Option<(usize, bool)> {
    match plain_value_end(text.as_bytes(), at, MAX_DEPTH) {
        Some(end) => Some((end, true)),
        None => any_value_end(text, at),
    }
}

/// Whether `text` is a JSON object without escapes, and without white space between its tokens: then it is valid, and as
/// short as it can be. Others may be that too. O(length).
pub(super) fn is_plain_object(text: &str) -> bool {
    text.starts_with('{') && plain_value_end(text.as_bytes(), 0, MAX_DEPTH) == Some(text.len())
}

/// Where the value that begins at `at` ends; `None` if it is not plain, is nested deeper than `depth`, or is no JSON.
fn plain_value_end(bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
    let literal = |word: &str| bytes[at..].starts_with(word.as_bytes()).then_some(at + word.len());
    let close = match bytes.get(at)? {
        b'"' => return plain_string_end(bytes, at + 1).map(|end| end + 1),
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
            let key_end = plain_string_end(bytes, expect(bytes, at, b'"')?)?;
            at = expect(bytes, key_end + 1, b':')?;
        }
        at = plain_value_end(bytes, at, depth)?;
        match bytes.get(at)? {
            b',' => at += 1,
            end => return (*end == close).then_some(at + 1),
        }
    }
}

/// By serde_json, for what is not plain.
fn any_value_end(text: &str, at: usize) -> Option<(usize, bool)> {
    let mut deserializer = serde_json::Deserializer::from_str(text.get(at..)?);
    let value = <&RawValue>::deserialize(&mut deserializer).ok()?;
    Some((at + value.get().len(), false))
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

/// The place of the quote that ends a string; `None` if there is an escape, a control character or no end.
fn plain_string_end(bytes: &[u8], from: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The lowest bit set is right; those above a hit may not be.
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quotes = has_zero(word ^ (ONES * u64::from(b'"')));
        let escapes = has_zero(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let hits = quotes | escapes | controls;
        if hits != 0 {
            let end = at + (hits.trailing_zeros() / 8) as usize;
            return (bytes[end] == b'"').then_some(end);
        }
        at += 8;
    }
    let end = at + bytes.get(at..)?.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f))?;
    (bytes[end] == b'"').then_some(end)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Keys as they are written; each is likely anywhere.
    struct Likely(Vec<String>);

    impl KnownKeys for Likely {
        fn next(&mut self, text: &[u8]) -> Option<(usize, usize)> {
            let number = self.0.iter().position(|key| begins_with(text, key.as_bytes()))?;
            Some((number, self.0[number].len()))
        }

        fn find(&mut self, name: &str) -> Option<usize> {
            self.0.iter().position(|key| *key == format!("\"{name}\":"))
        }
    }

    fn scanned(text: &str) -> Option<Vec<(String, String)>> {
        let mut members = Vec::new();
        scan_object(text, Likely(Vec::new()), &mut members)?;
        assert!(members.iter().all(|member| member.number.is_none()));
        // Keys that are likely change nothing. Half of them are known.
        let keys: Vec<String> =
            members.iter().step_by(2).map(|member| format!("\"{}\":", member.key(text))).collect();
        let mut guessed = Vec::new();
        scan_object(text, Likely(keys.clone()), &mut guessed).expect("members");
        for member in &guessed {
            let number = keys.iter().position(|key| *key == format!("\"{}\":", member.key(text)));
            assert_eq!(member.number, number);
        }
        let plain = |members: &[Member]| -> Vec<(String, String)> {
            members.iter().map(|m| (m.key(text).to_owned(), m.value(text).to_owned())).collect()
        };
        assert_eq!(plain(&guessed), plain(&members));
        Some(members.iter().map(|m| (m.key(text).to_owned(), m.value(text).to_owned())).collect())
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

        #[test]
        fn beginnings_are_found(start in "[ab]{0,20}", rest in "[ab]{0,20}", other in "[ab]{0,12}") {
            let whole = format!("{start}{rest}");
            prop_assert!(begins_with(whole.as_bytes(), start.as_bytes()));
            prop_assert_eq!(begins_with(whole.as_bytes(), other.as_bytes()), whole.starts_with(&other));
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
            prop_assert_eq!(plain_string_end(whole.as_bytes(), 0), Some(text.len()));
            prop_assert_eq!(plain_string_end(text.as_bytes(), 0), None);
        }
    }
}
