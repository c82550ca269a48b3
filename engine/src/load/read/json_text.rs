//! JSON as text: compacting without changing keys, order or numbers, and merging objects.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json_scan::is_plain_object;

/// Why a text cannot be the value of `properties`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum JsonError {
    #[error("not valid JSON: {0}")]
    Invalid(String),
    #[error("not a JSON object; properties hold an object such as {{\"plan\":\"pro\"}}")]
    NotAnObject,
    #[error("key {0:?} stands both in properties and in a column; rename one with --map")]
    DuplicateKey(String),
}

/// The same JSON object without white space between its tokens.
///
/// Keys, their order, numbers and escapes stay as written, so that equal input gives equal text whatever the
/// file format. O(length).
///
/// # Errors
/// [`JsonError`] for text that is no JSON object.
pub(super) fn compact_object(text: &str) -> Result<Cow<'_, str>, JsonError> {
    if is_plain_object(text) {
        return Ok(Cow::Borrowed(text));
    }
    let raw: &RawValue = serde_json::from_str(text).map_err(|e| JsonError::Invalid(parse_message(&e)))?;
    let object = raw.get();
    if !object.starts_with('{') {
        return Err(JsonError::NotAnObject);
    }
    if !object.bytes().any(is_space) {
        return Ok(Cow::Borrowed(object));
    }
    let mut compact = Vec::with_capacity(object.len());
    append_compact(object, &mut compact);
    // Only ASCII white space was left out, so this does not fail.
    String::from_utf8(compact).map(Cow::Owned).map_err(|e| JsonError::Invalid(e.to_string()))
}

/// Appends valid JSON without white space between its tokens.
pub(super) fn append_compact(json: &str, out: &mut Vec<u8>) {
    let mut in_string = false;
    let mut escaped = false;
    for byte in json.bytes() {
        if in_string {
            if escaped {
                escaped = false;
            } else if byte == b'\\' {
                escaped = true;
            } else if byte == b'"' {
                in_string = false;
            }
        } else if is_space(byte) {
            continue;
        } else if byte == b'"' {
            in_string = true;
        }
        out.push(byte);
    }
}

/// Appends `text` as a JSON string, escaped as serde_json and arrow-json do it.
pub(super) fn append_string(text: &str, out: &mut Vec<u8>) {
    let plain = text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\');
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}

/// Appends `object` with `members` (`"k":v,"l":w`, without braces) added after its own.
///
/// # Errors
/// [`JsonError::DuplicateKey`] if a key stands in both.
pub(super) fn append_merged(object: &str, members: &str, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let own = keys(object)?;
    let wrapped = format!("{{{members}}}");
    let added = keys(&wrapped)?;
    if let Some(key) = added.iter().find(|key| own.contains(key)) {
        return Err(JsonError::DuplicateKey(key.clone()));
    }
    out.extend_from_slice(object.strip_suffix('}').unwrap_or(object).as_bytes());
    if !own.is_empty() {
        out.push(b',');
    }
    out.extend_from_slice(members.as_bytes());
    out.push(b'}');
    Ok(())
}

/// The message of serde_json without its line number, which would be taken for a line of the file.
pub(super) fn parse_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    format!("{message} at column {}", error.column())
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn keys(object: &str) -> Result<Vec<String>, JsonError> {
    serde_json::from_str::<Keys>(object).map(|keys| keys.0).map_err(|e| JsonError::Invalid(parse_message(&e)))
}

/// The keys of an object; values are skipped.
pub(super) struct Keys(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeysVisitor;
        impl<'de> Visitor<'de> for KeysVisitor {
            type Value = Keys;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    map.next_value::<IgnoredAny>()?;
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(KeysVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(text: &str) -> String {
        compact_object(text).expect("an object").into_owned()
    }

    fn merged(object: &str, members: &str) -> Result<String, JsonError> {
        let mut out = Vec::new();
        append_merged(object, members, &mut out)?;
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn compacting_keeps_order_numbers_and_strings() {
        assert_eq!(
            compact(" { \"b\" : 1.50 , \"a\" : [ 1e3 , \" x \\\" y \" ] ,\n\"c\" : {} } "),
            r#"{"b":1.50,"a":[1e3," x \" y "],"c":{}}"#
        );
        assert_eq!(compact("{}"), "{}");
    }

    #[test]
    fn what_is_no_object_is_told() {
        assert_eq!(compact_object("[1]"), Err(JsonError::NotAnObject));
        assert_eq!(compact_object("null"), Err(JsonError::NotAnObject));
        assert!(matches!(compact_object("{a:1}"), Err(JsonError::Invalid(_))));
        assert!(matches!(compact_object("{} x"), Err(JsonError::Invalid(_))));
        let message = compact_object("{\"a\":").expect_err("refused").to_string();
        assert!(!message.contains("line"), "{message}");
    }

    #[test]
    fn strings_are_escaped() {
        let mut out = Vec::new();
        append_string("a\"b\\c\n\u{1}ä", &mut out);
        assert_eq!(String::from_utf8(out).expect("text"), r#""a\"b\\c\n\u0001ä""#);
    }

    #[test]
    fn members_follow_the_objects_own() {
        assert_eq!(merged("{\"a\":1}", "\"b\":2").expect("merged"), r#"{"a":1,"b":2}"#);
        assert_eq!(merged("{}", "\"b\":2").expect("merged"), r#"{"b":2}"#);
        assert_eq!(merged("{\"a\":1}", "\"a\":2"), Err(JsonError::DuplicateKey("a".to_owned())));
    }
}
